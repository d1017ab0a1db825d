"""Right functions, as people write them: whatever a checker reports about one of them is a false alarm.

Where a function is not differentiable everywhere (sort, max, clip), its gradient is that of one of its pieces.
`tf.math.cumprod` is not here: its gradient is wrong where an input is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

RIGHT: dict[str, Callable[..., Any]] = {}


def right(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put a function on the list."""
    RIGHT[function.__name__] = function
    return function


def _weights(v: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(v)[1], dtype=v.dtype)[:, :, None]


def _mask(v: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(v)[1])[:, :, None]


@right
def softmax(values: Any) -> Any:
    return tf.nn.softmax(values)


@right
def log_softmax(values: Any) -> Any:
    return tf.nn.log_softmax(values)


@right
def lse(values: Any) -> Any:
    return tf.reduce_logsumexp(values, axis=-1)


@right
def masked_softmax(values: Any, lengths: Any) -> Any:
    m = _mask(values, lengths)
    s = tf.where(m, values, tf.constant(-1e9, values.dtype))
    return tf.nn.softmax(s, axis=1) * tf.cast(m, values.dtype)


@right
def masked_lse(values: Any, lengths: Any) -> Any:
    m = _mask(values, lengths)
    s = tf.where(m, values, tf.constant(-1e9, values.dtype))
    out = tf.reduce_logsumexp(s, axis=1)
    return tf.where((lengths > 0)[:, None], out, tf.zeros_like(out))


@right
def l2norm(values: Any) -> Any:
    return tf.math.l2_normalize(values, axis=-1)


@right
def l2norm_eps(values: Any) -> Any:
    return tf.math.l2_normalize(values, axis=-1, epsilon=1e-3)


@right
def norm_eps(values: Any) -> Any:
    return tf.sqrt(tf.reduce_sum(values**2, -1) + 1e-6)


@right
def cumsum(values: Any) -> Any:
    return tf.cumsum(values, axis=1)


@right
def cumsum_rev(values: Any, lengths: Any) -> Any:
    return tf.cumsum(values * _weights(values, lengths), axis=1, reverse=True)


@right
def sort(values: Any) -> Any:
    return tf.sort(values, axis=1)


@right
def top_k(values: Any) -> Any:
    return tf.math.top_k(values, k=2).values


@right
def rev_seq(values: Any, lengths: Any) -> Any:
    return tf.reverse_sequence(values, lengths, seq_axis=1)


@right
def seg_sum(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.repeat(tf.range(n), tf.repeat(t, n))
    return tf.math.segment_sum(tf.reshape(values * _weights(values, lengths), [n * t, 3]), ids)


@right
def seg_mean(values: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.repeat(tf.range(n), tf.repeat(t, n))
    return tf.math.segment_mean(tf.reshape(values, [n * t, 3]), ids)


@right
def seg_max(values: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.repeat(tf.range(n), tf.repeat(t, n))
    return tf.math.segment_max(tf.reshape(values, [n * t, 3]), ids)


@right
def useg_sum(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.where(tf.sequence_mask(lengths, t), tf.range(n)[:, None] + tf.zeros([1, t], tf.int32), -1)
    return tf.math.unsorted_segment_sum(values, ids, n)


@right
def useg_mean(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.where(tf.sequence_mask(lengths, t), tf.range(n)[:, None] + tf.zeros([1, t], tf.int32), -1)
    return tf.math.unsorted_segment_mean(values, ids, n)


@right
def useg_max(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.where(tf.sequence_mask(lengths, t), tf.range(n)[:, None] + tf.zeros([1, t], tf.int32), n)
    out = tf.math.unsorted_segment_max(values, ids, n + 1)[:n]
    return tf.where((lengths > 0)[:, None], out, tf.zeros_like(out))


@right
def useg_prod(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.where(tf.sequence_mask(lengths, t), tf.range(n)[:, None] + tf.zeros([1, t], tf.int32), n)
    return tf.math.unsorted_segment_prod(values, ids, n + 1)[:n]


@right
def useg_sqrtn(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    t = tf.shape(values)[1]
    ids = tf.where(tf.sequence_mask(lengths, t), tf.range(n)[:, None] + tf.zeros([1, t], tf.int32), n)
    return tf.math.unsorted_segment_sqrt_n(values, ids, n + 1)[:n]


@right
def ragged_sum(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(tf.RaggedTensor.from_tensor(values, lengths=lengths), axis=1)


@right
def ragged_max(values: Any, lengths: Any) -> Any:
    out = tf.reduce_max(tf.RaggedTensor.from_tensor(values, lengths=lengths), axis=1)
    return tf.where((lengths > 0)[:, None], out, tf.zeros_like(out))


@right
def ragged_to_tensor(values: Any, lengths: Any) -> Any:
    return tf.RaggedTensor.from_tensor(values, lengths=lengths).to_tensor()


@right
def gather_last(values: Any, lengths: Any) -> Any:
    i = tf.maximum(lengths - 1, 0)
    out = tf.gather(values, i, axis=1, batch_dims=1)
    return tf.where((lengths > 0)[:, None], out, tf.zeros_like(out))


@right
def gather_nd_last(values: Any, lengths: Any) -> Any:
    i = tf.maximum(lengths - 1, 0)
    out = tf.gather_nd(values, tf.stack([tf.range(tf.shape(values)[0]), i], 1))
    return out * tf.cast(lengths > 0, values.dtype)[:, None]


@right
def scatter_nd(values: Any, lengths: Any) -> Any:
    idx = tf.where(tf.sequence_mask(lengths, tf.shape(values)[1]))
    return tf.scatter_nd(idx, tf.gather_nd(values, idx) ** 2, tf.shape(values, out_type=tf.int64))


@right
def bool_mask(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(tf.boolean_mask(values, tf.sequence_mask(lengths, tf.shape(values)[1])) ** 2, axis=0)


@right
def scan(values: Any) -> Any:
    return tf.scan(
        lambda a, x: tf.tanh(0.5 * a + x), tf.transpose(values, [1, 0, 2]), initializer=tf.zeros_like(values[:, 0])
    )


@right
def foldl(values: Any) -> Any:
    return tf.foldl(
        lambda a, x: tf.sin(a + x), tf.transpose(values, [1, 0, 2]), initializer=tf.zeros_like(values[:, 0])
    )


@right
def while_loop(values: Any, lengths: Any) -> Any:
    def body(i, s):
        on = tf.cast(i < lengths, values.dtype)[:, None]
        return i + 1, s + on * (tf.tanh(values[:, i] + 0.3 * s) - 0.1 * s)

    _, s = tf.while_loop(lambda i, s: i < tf.shape(values)[1], body, [tf.constant(0), tf.zeros_like(values[:, 0])])
    return s


@right
def clip(values: Any) -> Any:
    return tf.clip_by_value(values, -1.0, 1.0)


@right
def clip_norm(values: Any) -> Any:
    return tf.clip_by_norm(values, 1.0, axes=-1)


@right
def clip_gnorm(values: Any) -> Any:
    n = tf.sqrt(tf.reduce_sum(values**2) + 1e-12)
    return values * tf.minimum(tf.constant(1.0, values.dtype), 2.0 / n)


@right
def huber(values: Any) -> Any:
    a = tf.abs(values)
    return tf.where(a <= 1.0, 0.5 * values**2, a - 0.5)


@right
def huber_lib(values: Any) -> Any:
    return tf.reduce_mean(tf.compat.v1.losses.huber_loss(tf.zeros_like(values), values, reduction="none"))


@right
def sce(values: Any) -> Any:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(values) * 0.3, logits=values)


@right
def smce(values: Any) -> Any:
    return tf.nn.softmax_cross_entropy_with_logits(labels=tf.ones_like(values) / 3, logits=values)


@right
def ssmce(values: Any, lengths: Any) -> Any:
    return (
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.zeros(tf.shape(values)[:2], tf.int32), logits=values)
        * _weights(values, lengths)[:, :, 0]
    )


@right
def ctc(values: Any, lengths: Any) -> Any:
    n = tf.shape(values)[0]
    lab = tf.ones([n, 1], tf.int32)
    ll = tf.cast(lengths > 0, tf.int32)
    return tf.nn.ctc_loss(lab, tf.cast(values, tf.float32), ll, lengths, logits_time_major=False, blank_index=0)


@right
def stft(values: Any) -> Any:
    return tf.abs(tf.signal.stft(tf.reduce_sum(values, -1) + 3.0, 4, 2, 4, pad_end=True)) ** 2


@right
def stft_complex(values: Any) -> Any:
    return tf.signal.stft(tf.reduce_sum(values, -1), 4, 2, 4, pad_end=True)


@right
def fft_abs(values: Any) -> Any:
    return tf.abs(tf.signal.rfft(values))


@right
def gram(values: Any) -> Any:
    return tf.matmul(values, values, transpose_a=True) + tf.eye(3, dtype=values.dtype)


@right
def cholesky(values: Any) -> Any:
    return tf.linalg.cholesky(gram(values))


@right
def solve(values: Any) -> Any:
    return tf.linalg.solve(gram(values), tf.transpose(values, [0, 2, 1]))


@right
def inverse(values: Any) -> Any:
    return tf.linalg.inv(gram(values))


@right
def logdet(values: Any) -> Any:
    return tf.linalg.logdet(gram(values))


@right
def det(values: Any) -> Any:
    return tf.linalg.det(gram(values))


@right
def qr(values: Any) -> Any:
    return tf.linalg.qr(gram(values))[1]


W = np.random.RandomState(0).randn(3, 3, 4)


@right
def conv_causal(values: Any) -> Any:
    return tf.nn.conv1d(tf.pad(values, [[0, 0], [2, 0], [0, 0]]), tf.cast(W, values.dtype), 1, "VALID")


@right
def conv_same_masked(values: Any, lengths: Any) -> Any:
    return tf.nn.conv1d(values * _weights(values, lengths), tf.cast(W, values.dtype), 1, "SAME")


@right
def conv_stride(values: Any) -> Any:
    return tf.nn.conv1d(values, tf.cast(W, values.dtype), 2, "SAME")


@right
def max_pool(values: Any) -> Any:
    return tf.nn.max_pool1d(values, 2, 1, "SAME")


@right
def avg_pool(values: Any) -> Any:
    return tf.nn.avg_pool1d(values, 2, 1, "SAME")


@right
def where_guard(values: Any) -> Any:
    ok = values > 0
    return tf.where(ok, tf.math.log(tf.where(ok, values, tf.ones_like(values))), tf.zeros_like(values))


@right
def where_guard_div(values: Any) -> Any:
    ok = values != 0
    return tf.where(ok, 1.0 / tf.where(ok, values, tf.ones_like(values)), tf.zeros_like(values))


@right
def dnn(values: Any) -> Any:
    return tf.math.divide_no_nan(values[..., 0], values[..., 1])


@right
def xlogy(values: Any) -> Any:
    return tf.math.multiply_no_nan(tf.math.log(tf.abs(values[..., 0]) + 1.0), values[..., 1])


@right
def gelu(values: Any) -> Any:
    return tf.nn.gelu(values)


@right
def gelu_approx(values: Any) -> Any:
    return tf.nn.gelu(values, approximate=True)


@right
def softplus(values: Any) -> Any:
    return tf.nn.softplus(values)


@right
def elu(values: Any) -> Any:
    return tf.nn.elu(values)


@right
def selu(values: Any) -> Any:
    return tf.nn.selu(values)


@right
def swish(values: Any) -> Any:
    return tf.nn.silu(values)


@right
def softsign(values: Any) -> Any:
    return tf.nn.softsign(values)


@right
def leaky(values: Any) -> Any:
    return tf.nn.leaky_relu(values)


@right
def relu6(values: Any) -> Any:
    return tf.nn.relu6(values)


@right
def erf(values: Any) -> Any:
    return tf.math.erf(values) + tf.math.erfc(values)


@right
def lgamma(values: Any) -> Any:
    return tf.math.lgamma(tf.abs(values) + 0.5)


@right
def log1p_expm1(values: Any) -> Any:
    return tf.math.log1p(tf.math.expm1(tf.nn.relu(values)))


@right
def log_sigmoid(values: Any) -> Any:
    return tf.math.log_sigmoid(values)


@right
def tanh_atanh(values: Any) -> Any:
    return tf.atan2(values[..., 0], values[..., 1] ** 2 + 1.0)


@right
def pow3(values: Any) -> Any:
    return values**3


@right
def sqrt_abs_eps(values: Any) -> Any:
    return tf.sqrt(tf.abs(values) + 1e-3)


@right
def layer_norm(values: Any) -> Any:
    mu, var = tf.nn.moments(values, [-1], keepdims=True)
    return (values - mu) * tf.math.rsqrt(var + 1e-3)


@right
def masked_attention(values: Any, lengths: Any) -> Any:
    s = tf.matmul(values, values, transpose_b=True) / 1.7
    m = tf.sequence_mask(lengths, tf.shape(values)[1])[:, None, :]
    s = tf.where(m, s, tf.constant(-1e9, s.dtype))
    out = tf.matmul(tf.nn.softmax(s), values)
    return out * _weights(values, lengths)


@right
def einsum(values: Any) -> Any:
    return tf.einsum("btf,btg->bfg", values, values)


@right
def map_fn(values: Any) -> Any:
    return tf.map_fn(lambda v: tf.reduce_max(v, 0) + tf.reduce_sum(v**2), values)


@right
def vec_map(values: Any) -> Any:
    return tf.vectorized_map(lambda v: tf.reduce_sum(v**2, 0), values)


@right
def reduce_max(values: Any) -> Any:
    return tf.reduce_max(values, axis=1)


@right
def reduce_min(values: Any) -> Any:
    return tf.reduce_min(values, axis=[1, 2])


@right
def reduce_prod(values: Any) -> Any:
    return tf.reduce_prod(values, axis=-1)


@right
def masked_max(values: Any, lengths: Any) -> Any:
    out = tf.reduce_max(tf.where(_mask(values, lengths), values, tf.constant(-1e9, values.dtype)), axis=1)
    return tf.where((lengths > 0)[:, None], out, tf.zeros_like(out))


@right
def masked_mean(values: Any, lengths: Any) -> Any:
    m = _weights(values, lengths)
    return tf.reduce_sum(values * m, 1) / tf.maximum(tf.reduce_sum(m, 1), 1.0)


@right
def masked_var(values: Any, lengths: Any) -> Any:
    m = _weights(values, lengths)
    n = tf.maximum(tf.reduce_sum(m, 1), 1.0)
    mu = tf.reduce_sum(values * m, 1) / n
    return tf.reduce_sum(((values - mu[:, None]) ** 2) * m, 1) / n


@right
def masked_std(values: Any, lengths: Any) -> Any:
    return tf.sqrt(masked_var(values, lengths) + 1e-6)


@right
def variance_of(values: Any) -> Any:
    return tf.math.reduce_variance(values, axis=1)


@right
def cosine(values: Any) -> Any:
    a = tf.math.l2_normalize(values[:, 0], -1)
    return tf.einsum("bf,btf->bt", a, tf.math.l2_normalize(values, -1))


@right
def dropout_free_gate(values: Any) -> Any:
    return tf.sigmoid(values[..., :1]) * tf.tanh(values)


@right
def maximum_pair(values: Any) -> Any:
    return tf.maximum(values[..., 0], values[..., 1]) - tf.minimum(values[..., 1], values[..., 2])


@right
def floor_mod(values: Any) -> Any:
    return values - tf.floor(values)


@right
def abs_(values: Any) -> Any:
    return tf.abs(values)


@right
def relu_mlp(values: Any) -> Any:
    w = tf.cast(W[0], values.dtype)
    h = tf.nn.relu(tf.matmul(values, w[:, :4]) + 0.1)
    return tf.matmul(tf.nn.relu(tf.matmul(h, tf.transpose(w)) - 0.2), w)


@right
def slogdet_(values: Any) -> Any:
    return tf.linalg.slogdet(gram(values))[1]


@right
def bell(values: Any) -> Any:
    return tf.exp(-(values**2))


@right
def resize(values: Any) -> Any:
    return tf.image.resize(values[:, :, :, None], [4, 4])


@right
def mean_pow(values: Any) -> Any:
    return tf.sqrt(tf.reduce_mean(values**2, axis=1) + 1.0)


@right
def logaddexp(values: Any) -> Any:
    return tf.math.softplus(values[..., 0] - values[..., 1]) + values[..., 1]


@right
def float32_softmax(values: Any) -> Any:
    return tf.nn.softmax(tf.cast(values, tf.float32))
