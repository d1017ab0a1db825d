"""The subjects whose real error messages the other files here hold, and how they are collected.

    cp subjects.py /tmp/subjects.py && python /tmp/subjects.py tensorflow-2.8.json

run under each TensorFlow version; paths are then shortened by hand. Each subject raises in some mode, or is refused by one.
"""
# ruff: noqa

import json
import sys

import numpy as np
import tensorflow as tf

K = tf.keras
v64 = np.arange(12, dtype=np.float64).reshape(2, 3, 2) / 8
lens = np.array([2, 3], np.int32)


def uneven_map_fn(values, lengths):
    r = tf.map_fn(tf.range, lengths, fn_output_signature=tf.int32)
    return tf.cast(r, values.dtype)[:, :, None] * values


def equal_map_fn_range(values, lengths):
    r = tf.map_fn(tf.range, tf.fill(tf.shape(lengths), tf.reduce_max(lengths)), fn_output_signature=tf.int32)
    return tf.cast(r, values.dtype)[:, :, None] * values


def ragged_map_fn(values, lengths):
    r = tf.map_fn(tf.range, lengths, fn_output_signature=tf.RaggedTensorSpec([None], tf.int32))
    return tf.cast(r.to_tensor(), values.dtype)[:, :, None] * values


def ragged_range(values, lengths):
    return tf.cast(tf.ragged.range(lengths).to_tensor(), values.dtype)[:, :, None] * values


def boolean_mask(values, lengths):
    return tf.boolean_mask(values, tf.sequence_mask(lengths, tf.shape(values)[1]))


def xla_range(values, lengths):
    n = tf.reduce_max(lengths)
    return tf.reduce_sum(values[:, :n] * tf.cast(tf.range(n), values.dtype)[None, :, None], 1)


def unique(values, lengths):
    return values * tf.cast(tf.unique(tf.reshape(values, [-1])).y[0], values.dtype)


def where1(values, lengths):
    return tf.gather_nd(values, tf.where(values > 0.5))


def string_op(values, lengths):
    return values * tf.cast(tf.strings.length(tf.strings.as_string(values)), values.dtype)


def py_function(values, lengths):
    return tf.py_function(lambda x: x * 2, [values], values.dtype)


def numpy_function(values, lengths):
    return tf.numpy_function(lambda x: x * 2, [values], values.dtype)


def dynamic_while(values, lengths):
    i = tf.constant(0)
    acc = tf.zeros_like(values[:, 0])
    _, acc = tf.while_loop(
        lambda i, a: i < tf.reduce_max(lengths), lambda i, a: (i + 1, tf.tanh(a + values[:, i])), [i, acc]
    )
    return acc


def tensor_array_dyn(values, lengths):
    n = tf.reduce_max(lengths)
    ta = tf.TensorArray(values.dtype, 0, dynamic_size=True)
    _, ta = tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t.write(i, values[:, i] * 2)), [0, ta])
    return ta.stack()


def python_bool(values, lengths):
    def f(v, l):
        if l[0] > 1:
            return v * 2
        return v

    return tf.autograph.experimental.do_not_convert(f)(values, lengths)


def python_iter(values, lengths):
    def f(v, l):
        return tf.stack([x for x in v])

    return tf.autograph.experimental.do_not_convert(f)(values, lengths)


def python_range(values, lengths):
    def f(v, l):
        return tf.stack([tf.reduce_sum(v[i, : int(n)]) for i, n in enumerate(l.numpy())])

    return f(values, lengths)


def dot_numpy(values, lengths):
    return values * float(lengths.numpy()[0])


def np_call(values, lengths):
    return tf.constant(np.sort(values)) * values


def int_of_tensor(values, lengths):
    return values[:, : int(lengths[0])]


def static_dim(values, lengths):
    return tf.reshape(values, [values.shape[0] * values.shape[1], -1])


def static_range(values, lengths):
    return tf.add_n([values[:, t] for t in range(values.shape[1])])


def static_zeros(values, lengths):
    return values + tf.zeros([values.shape[0], values.shape[1], 1], values.dtype)


def dense_on_time(values, lengths):
    d = K.layers.Dense(2, dtype="float64")
    return d(tf.transpose(values, [0, 2, 1]))


def unstack_batch(values, lengths):
    return tf.stack(tf.unstack(values))


def shape_mismatch(values, lengths):
    return tf.matmul(values, values)


def broadcast_mismatch(values, lengths):
    return values + tf.ones([7], values.dtype)


def dtype_mismatch(values, lengths):
    return values * tf.ones([2], tf.float32)


def value_error(values, lengths):
    raise ValueError("lengths must be sorted in descending order")


def helper_value_error(values, lengths):
    def inner(v):
        if v.shape[-1] == 2:
            raise ValueError("hidden size must be odd\nsecond line of advice")
        return v

    return inner(values)


def key_error(values, lengths):
    return {"a": values}["b"]


def attribute_error(values, lengths):
    return values.nothing


def type_error(values, lengths):
    return values + "a"


def assertion(values, lengths):
    tf.debugging.assert_less(lengths, 3, message="a length is too long")
    return values * 2


def py_assert(values, lengths):
    assert values.shape[-1] == 3, "three features"
    return values


def plain_assert(values, lengths):
    assert values.shape[-1] == 3
    return values


def reverse_sequence_bad(values, lengths):
    return tf.reverse_sequence(values, lengths + 7, seq_axis=1)


def slice_oob(values, lengths):
    return values[:, 9]


def gather_oob(values, lengths):
    return tf.gather(values, [17], axis=1)


def reshape_bad(values, lengths):
    return tf.reshape(values, [5, -1])


def reshape_bad_dyn(values, lengths):
    return tf.reshape(values, [tf.reduce_max(lengths) + 2, -1])


def cholesky_bad(values, lengths):
    return tf.linalg.cholesky(-tf.eye(3, dtype=values.dtype) * values[0, 1, 0])


def inv_bad(values, lengths):
    return tf.linalg.inv(tf.zeros([3, 3], values.dtype) * values[0, 1, 0])


def check_numerics(values, lengths):
    return tf.debugging.check_numerics(tf.math.log(values - 5), "log of a negative number")


def no_gradient(values, lengths):
    return (
        tf.math.igammac(values, values)
        if False
        else tf.raw_ops.Betainc(a=values + 1, b=values + 1, x=tf.sigmoid(values))
    )


def no_registered_gradient(values, lengths):
    return (
        tf.image.non_max_suppression_overlaps(tf.matmul(values[0], values[0], transpose_b=True), values[0, :, 0], 3)
        if False
        else tf.raw_ops.NthElement(input=values, n=1, reverse=False)
        + tf.raw_ops.SegmentProd(data=values, segment_ids=tf.constant([0, 1]))[0, 0, 0]
        * tf.raw_ops.LowerBound(
            sorted_inputs=tf.cast(lengths[None], tf.float64), values=tf.cast(lengths[None], tf.float64)
        )[0, 0]
    )


def lookup_grad(values, lengths):
    return tf.raw_ops.MatrixSolveLs(matrix=values, rhs=values, l2_regularizer=tf.constant(0.1, tf.float64), fast=False)


def bincount(values, lengths):
    return tf.math.bincount(lengths, weights=values[:, 0, 0], minlength=4)


def keras_dense_rank(values, lengths):
    return K.layers.Dense(3, dtype="float64")(values[:, 0, 0][0])


def keras_gru_rank(values, lengths):
    return K.layers.GRU(3, dtype="float64")(values[:, 0])


def keras_conv(values, lengths):
    return K.layers.Conv1D(3, 7, dtype="float64")(values)


def keras_add(values, lengths):
    return K.layers.Add()([values, tf.ones([2, 5, 4], tf.float64)])


def keras_mask_none(values, lengths):
    return K.layers.LSTM(2, dtype="float64")(values, mask=tf.ones([2, 9], tf.bool))


class BadLayer(K.layers.Layer):
    def call(self, x):
        return tf.matmul(x, tf.ones([5, 5], x.dtype))


def keras_custom(values, lengths):
    return BadLayer(dtype="float64")(values)


class RaisingLayer(K.layers.Layer):
    def call(self, x, mask=None):
        if mask is None:
            raise ValueError("RaisingLayer needs a mask")
        return x


def keras_raise(values, lengths):
    return RaisingLayer(dtype="float64")(values)


def new_variable(values, lengths):
    return values * tf.Variable(2.0, dtype=values.dtype)


def leaked(values, lengths):
    store = []

    @tf.function
    def g(x):
        store.append(x * 2)
        return x

    g(values)
    return store[0] + values


def ctc(values, lengths):
    return tf.nn.ctc_loss(
        labels=tf.constant([[1], [1]]),
        logits=tf.cast(values, tf.float32),
        label_length=tf.constant([1, 1]),
        logit_length=lengths,
        logits_time_major=False,
        blank_index=0,
    )


def ctc_sparse(values, lengths):
    return tf.compat.v1.nn.ctc_loss(
        tf.sparse.from_dense(tf.constant([[1], [1]])), tf.cast(values, tf.float32), lengths, time_major=False
    )


def svd_grad(values, lengths):
    return tf.linalg.eig(values[:, :2])[0]


def eigh(values, lengths):
    return tf.linalg.svd(values, compute_uv=True, full_matrices=True)[2]


def foldl_elems(values, lengths):
    return tf.foldl(lambda a, x: a + x, values, initializer=tf.zeros([3, 3], tf.float64))


def scan_shape(values, lengths):
    return tf.scan(lambda a, x: tf.concat([a, x], 0), values)


def while_shape(values, lengths):
    return tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, tf.concat([a, a], 0)), [0, values])[1]


def tf_if_types(values, lengths):
    if lengths[0] > 1:
        out = values * 2
    else:
        out = tf.cast(values, tf.float32)
    return out


def tf_if_undefined(values, lengths):
    if lengths[0] > 1:
        out = values * 2
    return out


def print_op(values, lengths):
    tf.print("x", output_stream="file:///dev/null")
    return values * 2


def ragged_where(values, lengths):
    rt = tf.RaggedTensor.from_tensor(values, lengths=lengths)
    return tf.reduce_sum(rt, 1)


def topk_dyn(values, lengths):
    return tf.math.top_k(values[:, :, 0], k=tf.reduce_min(lengths)).values


def repeat(values, lengths):
    return tf.repeat(values[:, 0], lengths, axis=0)


def segment(values, lengths):
    return tf.math.segment_sum(values[:, 0], tf.constant([0, 1]))


def unsorted_segment_dyn(values, lengths):
    return tf.math.unsorted_segment_sum(values[:, 0], lengths, tf.reduce_max(lengths) + 1)


def none_output(values, lengths):
    return None


def random_stateful(values, lengths):
    return values * tf.random.uniform([], dtype=values.dtype)


def custom_grad_bad(values, lengths):
    @tf.custom_gradient
    def f(x):
        return x * 2, lambda g: (g, g)

    return f(values)


def custom_grad_shape(values, lengths):
    @tf.custom_gradient
    def f(x):
        return tf.reduce_sum(x * 2, 1), lambda g: g

    return f(values) * tf.ones([2, 2], values.dtype)


def sparse_dense(values, lengths):
    s = tf.sparse.from_dense(values[0])
    return tf.sparse.sparse_dense_matmul(s, tf.ones([2, 2], tf.float64))


subjects = {
    k: f
    for k, f in list(globals().items())
    if callable(f) and getattr(f, "__module__", "") == "__main__" and not k.startswith("_") and not isinstance(f, type)
}


def run(f, mode):
    args = (tf.constant(v64), tf.constant(lens))

    def step(values, lengths):
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = f(values, lengths)
            y = tf.cast(tf.reduce_sum(tf.math.real(y)), tf.float64)
        return y, tape.gradient(y, values)

    if mode == "eager":
        g = step
    elif mode == "graph":
        g = tf.function(step)
    elif mode == "dynamic":
        g = tf.function(
            step, input_signature=[tf.TensorSpec([None, None, 2], tf.float64), tf.TensorSpec([None], tf.int32)]
        )
    else:
        g = tf.function(step, jit_compile=True)
    y, d = g(*args)
    return None if d is None else float(tf.reduce_sum(tf.convert_to_tensor(d)))


out = []
for name, f in subjects.items():
    if name in ("run",):
        continue
    for mode in ("eager", "graph", "dynamic", "xla"):
        try:
            run(f, mode)
        except BaseException as e:
            out.append(dict(subject=name, mode=mode, type=type(e).__name__, message=str(e)))

json.dump(out, open(sys.argv[1], "w"), indent=1)
