"""A function of tensors, interpreted: its value when nothing moves, its slopes beside TensorFlow's and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.exact.interpreter import Pass
from gradcheck.exact.reference import Differentiable

from .checking import Array, differentiable, flat, slopes

__all__ = ["check_slopes", "check_value", "interpret", "slopes"]


def interpret(function: Callable[..., Any], *arrays: Any) -> tuple[Differentiable, Array]:
    """A function of tensors of these shapes, and these arrays as a point of it."""
    of_vector, x = flat(function, *arrays)
    return differentiable(of_vector, x.size), x


def check_value(function: Callable[..., Any], *arrays: Any, rtol: float = 1e-13, atol: float = 1e-14) -> None:
    """The interpreter's value is TensorFlow's, entry by entry, whether anything moves or not."""
    of_vector, x = flat(function, *arrays)
    interpreted = differentiable(of_vector, x.size)
    expected = np.asarray(of_vector(tf.constant(x, tf.float64)).numpy())
    np.testing.assert_allclose(interpreted.value(x), expected, rtol=rtol, atol=atol)
    run = Pass(0)
    still = interpreted.program(run, interpreted.arguments(run, x))[0]
    np.testing.assert_allclose(still, expected, rtol=rtol, atol=atol)
    if x.size:
        np.testing.assert_allclose(interpreted.slopes(x, np.eye(x.size)).value, expected, rtol=rtol, atol=atol)


def _gradient(of_vector: Callable[[Any], Any], x: Array) -> Array:
    """TensorFlow's own Jacobian, ``[inputs, outputs]``."""
    with tf.GradientTape(persistent=True) as tape:
        point = tf.constant(x, tf.float64)
        tape.watch(point)
        y = of_vector(point)
    found = tape.jacobian(y, point, experimental_use_pfor=False, unconnected_gradients="zero")
    return np.asarray(found.numpy()).T


def _differences(exact: Differentiable, x: Array) -> Array:
    """The interpreter's own value, differenced: central, of fourth order, ``[inputs, outputs]``."""
    rows = []
    for e in np.diag(1e-3 * np.maximum(1.0, np.abs(x))):
        one, two = (exact.value(x + n * e) - exact.value(x - n * e) for n in (1, 2))
        rows.append((8 * one - two) / (12 * e.sum()))
    return np.asarray(rows)


def check_slopes(
    function: Callable[..., Any],
    *arrays: Any,
    rtol: float = 1e-11,
    differences: float = 1e-8,
    gradient: bool = True,
) -> None:
    """Off ties the slopes are TensorFlow's gradient and the differences of the interpreter's own value."""
    of_vector, x = flat(function, *arrays)
    exact = differentiable(of_vector, x.size)
    found = exact.slopes(x, np.eye(x.size))
    assert np.isfinite(found.right).all()
    assert found.ties == 0
    if gradient:
        expected = _gradient(of_vector, x)
        np.testing.assert_allclose(found.right, expected, rtol=rtol, atol=rtol * (1 + np.abs(expected).max(initial=0)))
    slopes_ = _differences(exact, x)
    np.testing.assert_allclose(
        found.right, slopes_, rtol=differences, atol=differences * (1 + np.abs(slopes_).max(initial=0))
    )
