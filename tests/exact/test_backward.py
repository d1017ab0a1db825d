"""Rules of operations of backward passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare, slopes

_RANDOM = np.random.default_rng(8)
X, G = _RANDOM.normal(size=(2, 3)), _RANDOM.normal(size=(2, 3))
IMAGE = _RANDOM.normal(size=(2, 4, 4, 3))
VOLUME = _RANDOM.normal(size=(1, 2, 4, 4, 2))
ROW = np.array([1.0, 0.5, -0.7])


def _gradient(function: Any, *extra: Any) -> Any:
    """The pulled-back cotangent as a function of the inputs and of the cotangent."""

    def pulled(*inputs: Any) -> Any:
        *points, g = inputs
        with tf.GradientTape() as tape:
            tape.watch(points)
            y = function(*points)
        return tape.gradient(y, points, output_gradients=g)

    return pulled


ACTIVATIONS = {
    "relu": tf.nn.relu,
    "relu6": lambda x: tf.nn.relu6(4 * x),
    "leaky relu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "softplus": tf.nn.softplus,
    "softsign": tf.nn.softsign,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "sqrt": lambda x: tf.sqrt(x * x),
    "rsqrt": lambda x: tf.math.rsqrt(x * x),
    "reciprocal": tf.math.reciprocal,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    compare(_gradient(ACTIVATIONS[name]), X, G, gradient=name != "softsign")  # softsign has no second gradient


_POOL: dict[str, Any] = {"ksize": [1, 3, 3, 1], "strides": [1, 1, 1, 1], "padding": "VALID"}


def test_max_pool() -> None:
    top = tf.raw_ops.MaxPool(input=tf.constant(IMAGE), **_POOL)
    g = _RANDOM.normal(size=(2, 2, 2, 3))
    compare(lambda g: tf.raw_ops.MaxPoolGrad(orig_input=IMAGE, orig_output=top, grad=g, **_POOL), g)
    compare(lambda g: tf.raw_ops.MaxPoolGradGrad(orig_input=IMAGE, orig_output=top, grad=g, **_POOL), IMAGE)


def test_avg_pool() -> None:
    g = _RANDOM.normal(size=(2, 2, 2, 3))
    compare(lambda g: tf.raw_ops.AvgPoolGrad(orig_input_shape=[2, 4, 4, 3], grad=g, **_POOL), g)
    options = {"ksize": [1, 1, 2, 2, 1], "strides": [1, 1, 2, 2, 1], "padding": "SAME"}
    shape = list(VOLUME.shape)
    compare(
        lambda g: tf.raw_ops.AvgPool3DGrad(orig_input_shape=shape, grad=tf.cast(g, tf.float32), **options),
        _RANDOM.normal(size=(1, 2, 2, 2, 2)),
        rtol=1e-5,  # the kernel has float32 only
        step=0.5,
    )


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_bias_add(data_format: str) -> None:
    compare(lambda g: tf.raw_ops.BiasAddGrad(out_backprop=g, data_format=data_format), IMAGE)


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
def test_mirror_pad(mode: str) -> None:
    compare(_gradient(lambda x: tf.pad(x, [[1, 0], [2, 1]], mode)), X, _RANDOM.normal(size=(3, 6)))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(training: bool) -> None:
    """The kernel has float32 only."""

    def function(g: Any, x: Any, scale: Any) -> Any:
        mean, variance = tf.constant([0.1, 0.2, 0.3]), tf.constant([1.0, 2.0, 0.5])
        x32 = tf.cast(x, tf.float32)
        if training:
            mean, variance = tf.nn.moments(x32, [0, 1, 2])
        return list(
            tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=tf.cast(g, tf.float32),
                x=x32,
                scale=tf.cast(scale, tf.float32),
                reserve_space_1=mean,
                reserve_space_2=variance,
                reserve_space_3=tf.zeros([0]),
                is_training=training,
                epsilon=1e-3,
            )[:3]
        )

    small = IMAGE[:, :2, :2]
    compare(function, small[::-1], small, ROW, gradient=False, rtol=1e-5)


def test_strided_slice_and_sparse_segments() -> None:
    compare(_gradient(lambda x: x[::-1, 1:]), X, G[:, :2])
    data = _RANDOM.normal(size=(2, 3))
    for name in ("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad"):
        if hasattr(tf.raw_ops, name):
            raw = getattr(tf.raw_ops, name)
            compare(
                lambda g, raw=raw: raw(grad=g, indices=[0, 2, 2], segment_ids=[0, 0, 1], output_dim0=4),
                data,
                gradient=False,
            )


def test_a_step_in_a_gradient_has_no_derivative() -> None:
    found = slopes(lambda x: tf.raw_ops.ReluGrad(gradients=tf.ones_like(x), features=x), np.array([0.0, 1.0]))
    assert np.isnan(found.right[0, 0])
    assert found.right[1, 1] == 0
