"""Quotients of zeros and roots of zeros: what they are along each direction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.reference import Unfit

from .interpreted import check_value, slopes


def _guarded(numerator: Any, denominator: Any, filling: float) -> Any:
    def function(x: Any) -> Any:
        below = denominator(x)
        hole = tf.equal(below, 0.0)
        return tf.where(hole, tf.constant(filling, tf.float64), numerator(x) / below)

    return function


# One line a function: what it is, the point, its slopes from the left and from the right.
ONE_VARIABLE: dict[str, tuple[Any, float, float, float]] = {
    "sin x / x": (_guarded(tf.sin, lambda x: x, 1.0), 0.0, 0.0, 0.0),
    "(x² - 1)/(x - 1)": (_guarded(lambda x: x**2 - 1, lambda x: x - 1, 2.0), 1.0, 1.0, 1.0),
    "(1 - cos x)/x²": (_guarded(lambda x: 1 - tf.cos(x), tf.square, 0.5), 0.0, 0.0, 0.0),
    "expm1 x / x": (_guarded(tf.math.expm1, lambda x: x, 1.0), 0.0, 0.5, 0.5),
    "x²/|x|": (_guarded(tf.square, tf.abs, 0.0), 0.0, -1.0, 1.0),
    "root of x²": (lambda x: tf.sqrt(tf.square(x)), 0.0, -1.0, 1.0),
    "root of x² as a power": (lambda x: tf.square(x) ** 0.5, 0.0, -1.0, 1.0),
    "root of x⁴": (lambda x: tf.sqrt(x**4), 0.0, 0.0, 0.0),
    "norm": (lambda x: tf.norm(tf.stack([3 * x, 4 * x])), 0.0, -5.0, 5.0),
    "euclidean norm": (lambda x: tf.math.reduce_euclidean_norm(tf.stack([3 * x, 4 * x])), 0.0, -5.0, 5.0),
    "size of a complex number": (lambda x: tf.abs(tf.complex(3 * x, 4 * x)), 0.0, -5.0, 5.0),
    "root": (tf.sqrt, 0.0, math.nan, math.inf),
    "x/x without a guard for nan": (lambda x: tf.math.divide_no_nan(tf.square(x), x), 0.0, 1.0, 1.0),
    "xlogy": (lambda x: tf.math.xlogy(x, tf.constant(2.0, tf.float64)), 0.0, math.log(2.0), math.log(2.0)),
    "xdivy": (lambda x: tf.math.xdivy(tf.square(x), x), 0.0, 1.0, 1.0),
}


@pytest.mark.parametrize("name", ONE_VARIABLE)
def test_one_variable(name: str) -> None:
    function, x, left, right = ONE_VARIABLE[name]
    found = slopes(function, x)
    assert found.right[0, 0] == pytest.approx(right, abs=1e-14, nan_ok=True)
    assert found.left[0, 0] == pytest.approx(left, abs=1e-14, nan_ok=True)


def test_a_filling_that_is_not_the_limit_jumps() -> None:
    found = slopes(_guarded(tf.sin, lambda x: x, 0.0), 0.0)
    assert np.isnan(found.right).all()


def test_other_entries_are_not_touched() -> None:
    x = np.array([0.0, 0.5, 0.0, 2.0])
    found = slopes(_guarded(tf.sin, lambda v: v, 1.0), x).right
    inner = [0.0 if v == 0 else (v * math.cos(v) - math.sin(v)) / v**2 for v in x]
    np.testing.assert_allclose(found, np.diag(inner), rtol=1e-13, atol=1e-15)


def test_a_cone_in_several_variables() -> None:
    """Each row's norm, one of them at its tip."""
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    for norm in (lambda v: tf.norm(v, axis=-1), lambda v: tf.math.reduce_euclidean_norm(v, axis=-1)):
        found = slopes(norm, x)
        np.testing.assert_allclose(found.right, [[1, 0], [1, 0], [0, 0.6], [0, 0.8]], atol=1e-15)
        np.testing.assert_allclose(found.left, [[-1, 0], [-1, 0], [0, 0.6], [0, 0.8]], atol=1e-15)


def test_a_unit_vector_with_a_guard() -> None:
    """x/|x| with 0 in its hole: it jumps there, and the other row does not know of it."""

    def function(v: Any) -> Any:
        size = tf.norm(v, axis=-1, keepdims=True)
        return tf.where(size > 0, v / size, tf.zeros_like(v))

    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    check_value(function, x)
    found = slopes(function, x)
    assert np.isnan(found.right[0, 0])
    assert np.isnan(found.right[1, 1])
    np.testing.assert_allclose(found.right[2:, 2:], [[0.128, -0.096], [-0.096, 0.072]], rtol=1e-12)
    np.testing.assert_array_equal(found.right[2:, :2], 0.0)


def test_zeros_of_high_order_are_not_guessed() -> None:
    with pytest.raises(Unfit):
        slopes(_guarded(lambda x: (1 - tf.cos(x)) ** 2, lambda x: x**4, 0.25), 0.0)
