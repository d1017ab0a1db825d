"""Convolutions, pooling and normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.interpreter import Pass

from .interpreted import check_slopes, check_value, interpret, slopes

_R = np.random.default_rng(20261201)


def _some(*shape: int) -> np.ndarray:
    """Numbers that are all apart, so that no window has a tie."""
    size = int(np.prod(shape))
    return (_R.permutation(size) - size / 2.3).reshape(shape) / size * 3.0


_IMAGE, _VOLUME, _ROW = _some(2, 4, 3, 2), _some(1, 3, 3, 2, 2), _some(2, 5, 2)
raw = tf.raw_ops

# One line an operation: the function of float64 tensors, and where it is tried.
CASES: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "Conv2D": (lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), [_IMAGE, _some(2, 2, 2, 3)]),
    "Conv2D, strides": (lambda x, w: tf.nn.conv2d(x, w, [2, 1], "VALID"), [_IMAGE, _some(2, 2, 2, 1)]),
    "Conv2D, dilated": (lambda x, w: tf.nn.conv2d(x, w, 1, "SAME", dilations=[2, 1]), [_IMAGE, _some(2, 2, 2, 1)]),
    "Conv2D, explicit padding": (
        lambda x, w: tf.nn.conv2d(x, w, 1, [[0, 0], [1, 0], [2, 1], [0, 0]]),
        [_IMAGE, _some(2, 2, 2, 1)],
    ),
    "Conv1D": (lambda x, w: tf.nn.conv1d(x, w, 1, "SAME"), [_ROW, _some(3, 2, 2)]),
    "Conv3D": (lambda x, w: tf.nn.conv3d(x, w, [1] * 5, "SAME"), [_VOLUME, _some(2, 1, 2, 2, 1)]),
    "Depthwise": (
        lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"),
        [_IMAGE, _some(2, 2, 2, 2)],
    ),
    "Conv2DBackpropInput": (
        lambda w, y: tf.nn.conv2d_transpose(y, w, [2, 4, 3, 2], 1, "SAME"),
        [_some(2, 2, 2, 3), _some(2, 4, 3, 3)],
    ),
    "Conv3DBackpropInputV2": (
        lambda w, y: tf.nn.conv3d_transpose(y, w, [1, 3, 3, 2, 2], 1, "SAME"),
        [_some(2, 1, 1, 2, 1), _some(1, 3, 3, 2, 1)],
    ),
    "Conv2DBackpropFilter": (
        lambda x, y: raw.Conv2DBackpropFilter(
            input=x, filter_sizes=[2, 2, 2, 1], out_backprop=y, strides=[1, 1, 1, 1], padding="SAME"
        ),
        [_IMAGE, _some(2, 4, 3, 1)],
    ),
    "DepthwiseBackpropInput": (
        lambda w, y: raw.DepthwiseConv2dNativeBackpropInput(
            input_sizes=[2, 4, 3, 2], filter=w, out_backprop=y, strides=[1, 1, 1, 1], padding="SAME"
        ),
        [_some(2, 2, 2, 1), _some(2, 4, 3, 2)],
    ),
    "AvgPool": (lambda x: tf.nn.avg_pool2d(x, 2, 1, "SAME"), [_IMAGE]),
    "AvgPool3D": (lambda x: tf.nn.avg_pool3d(x, 2, 2, "SAME"), [_VOLUME]),
    "MaxPool": (lambda x: tf.nn.max_pool2d(x, 2, 1, "SAME"), [_IMAGE]),
    "MaxPool, strides": (lambda x: tf.nn.max_pool2d(x, [3, 2], [2, 1], "VALID"), [_IMAGE]),
    "MaxPool, explicit padding": (
        lambda x: tf.nn.max_pool2d(x, 2, 1, [[0, 0], [1, 0], [0, 1], [0, 0]]),
        [_IMAGE],
    ),
    "MaxPool1D": (lambda x: tf.nn.max_pool1d(x, 3, 2, "SAME"), [_ROW]),
    "MaxPool3D": (lambda x: tf.nn.max_pool3d(x, 2, 1, "SAME"), [_VOLUME]),
    "MaxPoolWithArgmax": (lambda x: tf.nn.max_pool_with_argmax(x, 2, 1, "VALID")[0], [_IMAGE]),
    "MaxPoolV2": (
        lambda x: raw.MaxPoolV2(input=x, ksize=[1, 2, 2, 1], strides=[1, 1, 1, 1], padding="VALID"),
        [_IMAGE],
    ),
    "FractionalMaxPool": (
        lambda x: tf.nn.fractional_max_pool(x, [1.0, 1.4, 1.3, 1.0], seed=3)[0],
        [_some(1, 6, 5, 1)],
    ),
    "FractionalAvgPool": (
        lambda x: tf.nn.fractional_avg_pool(x, [1.0, 1.4, 1.3, 1.0], overlapping=True, seed=3)[0],
        [_some(1, 6, 5, 1)],
    ),
    "Dilation2D": (
        lambda x, w: raw.Dilation2D(input=x, filter=w, strides=[1, 1, 1, 1], rates=[1, 2, 1, 1], padding="SAME"),
        [_IMAGE, _some(2, 2, 2) * 0.37],
    ),
    "ExtractImagePatches": (
        lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 1, 1, 1], [1, 2, 1, 1], "SAME"),
        [_IMAGE],
    ),
    "SpaceToDepth": (lambda x: tf.nn.space_to_depth(x, 2), [_some(1, 4, 2, 2)]),
    "DepthToSpace": (lambda x: tf.nn.depth_to_space(x, 2), [_some(2, 2, 1, 4)]),
    "SpaceToBatchND": (lambda x: tf.space_to_batch(x, [2, 3], [[0, 0], [1, 2]]), [_IMAGE]),
    "BatchToSpaceND": (lambda x: tf.batch_to_space(x, [2, 1], [[1, 0], [0, 0]]), [_IMAGE]),
    "FusedBatchNormV3, inference": (
        lambda x, s, o, m, v: tf.compat.v1.nn.fused_batch_norm(x, s, o, m, v, is_training=False)[0],
        [_IMAGE, [1.1, 0.4], [0.2, 0.3], [0.1, -0.6], [1.2, 0.8]],
    ),
    "FusedBatchNormV3, training": (
        lambda x, s, o: tf.compat.v1.nn.fused_batch_norm(x, s, o, is_training=True)[0],
        [_IMAGE, [1.1, 0.4], [0.2, 0.3]],
    ),
    "LRN": (lambda x: tf.nn.lrn(x, 1, 2.0, 0.3, 0.7), [_some(1, 2, 1, 4)]),
}
# Kernels that have float32 only: values and gradients to its digits.
_SINGLE = ("AvgPool3D", "MaxPool3D", "FusedBatchNormV3, inference", "FusedBatchNormV3, training", "LRN")
# The gradient of a dilated convolution has no kernel on the CPU; that of batch normalization knows no mean or variance.
_WITHOUT_GRADIENT = ("Conv2D, dilated", "FusedBatchNormV3, inference")


def _case(name: str) -> tuple[Callable[..., Any], list[Any]]:
    function, arrays = CASES[name]
    if name in _SINGLE:
        return (lambda *xs: function(*(tf.cast(x, tf.float32) for x in xs))), arrays
    return function, arrays


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes(name: str) -> None:
    function, arrays = _case(name)
    digits = {"rtol": 1e-5, "atol": 1e-5} if name in _SINGLE else {"rtol": 1e-12, "atol": 1e-12}
    check_value(function, *arrays, **digits)
    check_slopes(function, *arrays, gradient=False)
    if name not in _WITHOUT_GRADIENT:
        check_slopes(function, *arrays, rtol=2e-5 if name in _SINGLE else 1e-11)


def test_batch_normalization_by_given_moments() -> None:
    function, arrays = _case("FusedBatchNormV3, inference")
    moments = [tf.constant(a, tf.float64) for a in arrays[3:]]
    check_slopes(lambda x, s, o: function(x, s, o, *moments), *arrays[:3], rtol=2e-5)


@pytest.mark.parametrize("name", [name for name in CASES if "Norm" not in name and "Fractional" not in name])
def test_singular_values(name: str) -> None:
    function, arrays = _case(name)
    for value in (0.0, -800.0):
        check_value(function, *(np.full_like(a, value) for a in arrays), rtol=1e-5)


@pytest.mark.parametrize("name", ["Conv2D", "Depthwise", "Conv2DBackpropInput", "Conv2DBackpropFilter"])
def test_second_order(name: str) -> None:
    """The coefficient of t² where both factors move."""
    function, arrays = CASES[name]
    it, x = interpret(function, *arrays)
    d = np.random.default_rng(3).normal(size=(2, x.size))
    found = it.run(Pass(2, order=2), x, d).d[1]
    exact = [(it.value(x + e) + it.value(x - e)) / 2 - it.value(x) for e in d]
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-11)


def test_ties_of_pooling() -> None:
    x = np.array([1.0, 1.0, 0.0]).reshape(1, 1, 3, 1)
    for pool in (
        lambda v: tf.nn.max_pool2d(v, [1, 2], 1, "VALID"),
        lambda v: tf.nn.max_pool_with_argmax(v, [1, 2], 1, "VALID")[0],
    ):
        found = slopes(pool, x)
        np.testing.assert_array_equal(found.right, [[1, 0], [1, 1], [0, 0]])
        np.testing.assert_array_equal(found.left, [[0, 0], [0, 1], [0, 0]])
        assert found.low[0, 0] == 0.0
        assert found.high[0, 0] == 1.0


def test_places_of_pooled_numbers_differ_by_direction() -> None:
    """What is read at the place of the largest is the largest."""

    def function(x: Any) -> Any:
        _, places = tf.nn.max_pool_with_argmax(x, [1, 2], 2, "VALID", include_batch_in_index=True)
        return tf.gather(tf.reshape(x, [-1]), tf.reshape(places, [-1])) * 2.0

    found = slopes(function, np.array([1.0, 1.0, 3.0, 0.0]).reshape(1, 1, 4, 1))
    np.testing.assert_array_equal(found.right, [[2, 0], [2, 0], [0, 2], [0, 0]])
    np.testing.assert_array_equal(found.left, [[0, 0], [0, 0], [0, 2], [0, 0]])


def test_moving_averages_of_batch_normalization() -> None:
    if "exponential_avg_factor" not in tf.raw_ops.FusedBatchNormV3.__doc__:
        pytest.skip("this TensorFlow has no such attribute")

    def function(x: Any, mean: Any, variance: Any) -> Any:
        x, mean, variance = (tf.cast(part, tf.float32) for part in (x, mean, variance))
        found = raw.FusedBatchNormV3(
            x=x, scale=[1.0, 2.0], offset=[0.0, 1.0], mean=mean, variance=variance, exponential_avg_factor=0.25
        )
        return [found.y, found.batch_mean, found.batch_variance]

    arrays = [_IMAGE, [0.5, 0.6], [1.5, 0.7]]
    check_value(function, *arrays, rtol=1e-5, atol=1e-5)
    check_slopes(function, *arrays, gradient=False)


def test_directions_of_grouped_filters_stay_in_their_groups() -> None:
    from gradcheck.exact.rules.convolutions import _apart, _side_by_side

    c = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for axis, groups in ((0, 1), (1, 1), (1, 2), (-1, 4)):
        laid = _side_by_side(c, axis, groups)
        np.testing.assert_array_equal(_apart(laid, axis, 2, groups), c)
    np.testing.assert_array_equal(_side_by_side(c, 1, 2)[0], [0, 1, 12, 13, 2, 3, 14, 15])


def test_digits_that_go_with_the_mean() -> None:
    """A mean of 1e6 in float32 leaves little of what is beside it, and the noise says so."""

    def function(x: Any) -> Any:
        return tf.compat.v1.nn.fused_batch_norm(
            tf.cast(x, tf.float32), [1.0, 1.0], [0.0, 0.0], is_training=True, epsilon=1e-3
        )[0]

    near, far = slopes(function, _IMAGE), slopes(function, _IMAGE + 1e6)
    assert near.noise.max() < 1e-6
    assert far.noise.max() > 1e-3
