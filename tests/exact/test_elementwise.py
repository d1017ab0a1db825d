"""Elementwise operations, and a few that only pass on what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
import tensorflow as tf

from .interpreted import check_slopes, check_value, slopes

arb = flint.arb
raw = tf.raw_ops

_EVERYWHERE = (-800.0, -30.0, -1.3, -1e-3, 0.0, 1e-9, 0.7, 2.0, 30.0, 800.0)
_POSITIVE = (1e-300, 1e-9, 0.3, 1.0, 2.0, 800.0)
_INSIDE = (-0.999, -0.5, 1e-9, 0.3, 0.99)

# One line a function: the operation, the same in balls, and where it is tried.
UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[float, ...]]] = {
    "Exp": (tf.exp, lambda x: x.exp(), (-700.0, -30.0, 0.0, 2.0, 700.0)),
    "Expm1": (tf.math.expm1, lambda x: x.expm1(), (-700.0, -30.0, 1e-9, 2.0, 700.0)),
    "Log": (tf.math.log, lambda x: x.log(), _POSITIVE),
    "Log1p": (tf.math.log1p, lambda x: x.log1p(), (-0.999, -0.3, 1e-9, 2.0, 800.0)),
    "Sqrt": (tf.sqrt, lambda x: x.sqrt(), _POSITIVE[1:]),
    "Rsqrt": (tf.math.rsqrt, lambda x: x.rsqrt(), _POSITIVE[1:]),
    "Sin": (tf.sin, lambda x: x.sin(), (-30.0, -1.3, 0.0, 2.0)),
    "Cos": (tf.cos, lambda x: x.cos(), (-30.0, -1.3, 1e-3, 2.0)),
    "Tan": (tf.tan, lambda x: x.tan(), (-30.0, -1.3, 0.0, 2.0)),
    "Asin": (tf.asin, lambda x: x.asin(), _INSIDE),
    "Acos": (tf.acos, lambda x: x.acos(), _INSIDE),
    "Atan": (tf.atan, lambda x: x.atan(), _EVERYWHERE),
    "Sinh": (tf.sinh, lambda x: x.sinh(), (-700.0, -30.0, 0.0, 2.0)),
    "Cosh": (tf.cosh, lambda x: x.cosh(), (-700.0, -30.0, 1e-9, 2.0)),
    "Asinh": (tf.asinh, lambda x: x.asinh(), (-800.0, -30.0, 0.3, 2.0)),
    "Acosh": (tf.acosh, lambda x: x.acosh(), (1.0001, 1.3, 30.0, 800.0)),
    "Atanh": (tf.atanh, lambda x: x.atanh(), _INSIDE),
    "Square": (tf.square, lambda x: x * x, _EVERYWHERE),
    "Reciprocal": (tf.math.reciprocal, lambda x: 1 / x, (-800.0, -1e-3, 0.7)),
    "Sigmoid": (tf.sigmoid, lambda x: 1 / (1 + (-x).exp()), (-700.0, -30.0, 0.0, 30.0, 700.0)),
    "Softsign": (tf.nn.softsign, lambda x: x / (1 + abs(x)), (-800.0, -0.3, 2.0, 800.0)),
    "Elu": (tf.nn.elu, lambda x: x if x > 0 else x.expm1(), (-700.0, -30.0, -0.3, 2.0, 800.0)),
}


@pytest.mark.parametrize("name", UNARY)
def test_one_variable(name: str) -> None:
    function, in_balls, points = UNARY[name]
    check_value(function, np.asarray(points), rtol=2e-13)
    check_value(function, np.zeros((2, 0)))
    found = np.diag(slopes(function, np.asarray(points)).right)
    flint.ctx.prec = 3000 if max(map(abs, points)) > 600 else 600
    try:
        h = arb(2) ** -400
        true = [(in_balls(arb(x) + h) - in_balls(arb(x) - h)) / (2 * h) for x in points]
        off = [float(abs(arb(float(slope)) - exact)) for slope, exact in zip(found, true, strict=True)]
        size = np.array([float(abs(exact)) for exact in true])
    finally:
        flint.ctx.prec = 53
    np.testing.assert_array_less(off, 1e-13 * size + 5e-300)


_A, _B = np.array([[1.5, -2.0, 0.3], [0.7, -1.1, 4.0]]), np.array([0.4, -2.5, 3.0])

# One line an operation of several tensors, which broadcast.
SEVERAL: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "AddV2": (lambda a, b: a + b, [_A, _B]),
    "Sub": (lambda a, b: b - a, [_A, _B]),
    "Mul": (lambda a, b: a * b, [_A, _B]),
    "RealDiv": (lambda a, b: a / b, [_A, _B]),
    "DivNoNan": (tf.math.divide_no_nan, [_A, _B]),
    "MultiplyNoNan": (tf.math.multiply_no_nan, [_A, _B]),
    "Xlogy": (tf.math.xlogy, [_A, np.abs(_B)]),
    "Xlog1py": (tf.math.xlog1py, [_A, np.abs(_B)]),
    "Xdivy": (tf.math.xdivy, [_A, _B]),
    "Pow": (tf.pow, [np.abs(_A), _B]),
    "Pow, whole": (lambda a: a**3 + a**0 + a**1, [_A]),
    # Up to TensorFlow 2.8 its gradient does not broadcast.
    "Atan2": (lambda a, b: tf.atan2(a + tf.zeros_like(b), b + tf.zeros_like(a)), [_A, _B]),
    "SquaredDifference": (tf.math.squared_difference, [_A, _B]),
    "FloorMod": (tf.math.floormod, [_A, _B]),
    "Maximum": (tf.maximum, [_A, _B]),
    "Minimum": (tf.minimum, [_A, _B]),
    "ClipByValue": (lambda a: tf.clip_by_value(a, -1.0, 1.0), [_A]),
    "AddN": (lambda a, b: tf.add_n([a, b, a]), [_A, 2 * _A]),
    "Reverse": (lambda a: raw.Reverse(tensor=a, dims=[False, True]), [_A]),
    "CheckNumericsV2": (lambda a: raw.CheckNumericsV2(tensor=a, message=""), [_A]),
    "LeakyRelu": (tf.nn.leaky_relu, [_A]),
    "Selu": (tf.nn.selu, [_A]),
    "Relu6": (lambda a: tf.nn.relu6(3.9 * a), [_A]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_variables(name: str) -> None:
    function, arrays = SEVERAL[name]
    check_value(function, *arrays)
    check_slopes(function, *arrays, gradient=name != "Reverse")
    for values in ((0.0, 0.0), (0.0, 2.0), (-800.0, 30.0), (1e30, 1.0)):
        if name != "CheckNumericsV2":
            check_value(function, *(np.full_like(a, v) for a, v in zip(arrays, values, strict=False)))


KINKS: dict[str, tuple[Callable[[Any], Any], float, float, float]] = {
    "relu": (tf.nn.relu, 0.0, 0.0, 1.0),
    "abs": (tf.abs, 0.0, -1.0, 1.0),
    "relu6": (tf.nn.relu6, 6.0, 1.0, 0.0),
    "leaky relu": (lambda x: tf.nn.leaky_relu(x, 0.25), 0.0, 0.25, 1.0),
    "clip": (lambda x: tf.clip_by_value(x, -1.0, 1.0), -1.0, 0.0, 1.0),
    "three-way maximum": (lambda x: tf.maximum(tf.maximum(x, 0.0), 0.0), 0.0, 0.0, 1.0),
    "elu": (tf.nn.elu, 0.0, 1.0, 1.0),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name: str) -> None:
    function, x, left, right = KINKS[name]
    found = slopes(function, x)
    assert (found.left[0, 0], found.right[0, 0]) == (left, right)


def test_weighted_cross_entropy_is_smooth_at_zero() -> None:
    labels = tf.constant([0.0, 0.5, 1.0], tf.float64)
    found = slopes(lambda x: tf.nn.weighted_cross_entropy_with_logits(labels, x, 3.0), np.zeros(3))
    for side in (found.left, found.right):
        np.testing.assert_allclose(np.diag(side), [0.5, -0.5, -1.5], rtol=1e-15)


def test_running_products_with_a_zero() -> None:
    found = slopes(lambda x: tf.math.cumprod(x)[-1], [2.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.right[:, 0], [0.0, 6.0, 0.0])
