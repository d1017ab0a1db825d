"""A rule against TensorFlow's forward kernel, TensorFlow's gradient, and differences of the rule's own value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import gradcheck.exact.rules  # noqa: F401  (fills the table)
from gradcheck.exact.graph import read
from gradcheck.exact.interpreter import Library, Program
from gradcheck.exact.reference import Differentiable, Slopes

Array = np.ndarray


def flat(function: Callable[..., Any], *arrays: Any) -> tuple[Callable[[Any], Any], Array]:
    """A function of one vector that returns one vector of real numbers, and the point as a vector."""
    inputs = [np.asarray(array, np.float64) for array in arrays]
    sizes = [array.size for array in inputs]

    def of_vector(x: Any) -> Any:
        parts = [tf.reshape(part, array.shape) for part, array in zip(tf.split(x, sizes), inputs, strict=True)]
        found = function(*parts)
        rows = []
        for output in found if isinstance(found, (list, tuple)) else [found]:
            parts_of_output = [tf.math.real(output), tf.math.imag(output)] if output.dtype.is_complex else [output]
            rows += [tf.reshape(tf.cast(part, tf.float64), [-1]) for part in parts_of_output]
        return tf.concat(rows, 0)

    return of_vector, np.concatenate([array.reshape(-1) for array in inputs])


def differentiable(of_vector: Callable[[Any], Any], size: int) -> Differentiable:
    """The interpreted function."""
    function = tf.function(of_vector, autograph=False).get_concrete_function(tf.TensorSpec([size], tf.float64))
    graph = read(function)
    captured = [value if value.dtype == tf.resource else value.numpy() for value in graph.captured]
    return Differentiable(Program(graph.main, Library(graph)), lambda run, x: [x, *captured])


def slopes(function: Callable[..., Any], *arrays: Any) -> Slopes:
    """One-sided slopes along every input."""
    of_vector, x = flat(function, *arrays)
    return differentiable(of_vector, x.size).slopes(x, np.eye(x.size))


def compare(
    function: Callable[..., Any],
    *arrays: Any,
    gradient: bool = True,
    differences: bool = True,
    rtol: float = 1e-9,
    tie: bool = False,
    step: float = 1e-3,
) -> Slopes:
    """Check the interpreted value and Jacobian of a function of float64 tensors.

    Args:
        function: the function.
        arrays: where.
        gradient: whether TensorFlow's gradient is right here.
        differences: whether differences of the interpreter's own value are formed.
        rtol: relative to the largest entry.
        tie: whether the point is a tie, where only the value is compared.
        step: of the differences.
    """
    of_vector, x = flat(function, *arrays)
    interpreted = differentiable(of_vector, x.size)
    found = interpreted.slopes(x, np.eye(x.size))
    value = of_vector(tf.constant(x)).numpy()
    close(found.value, value, rtol, "value")
    if tie:
        assert found.ties
        return found
    assert not found.ties
    if gradient and x.size and value.size:
        with tf.GradientTape(persistent=True) as tape:
            point = tf.constant(x)
            tape.watch(point)
            y = of_vector(point)
        jacobian = tape.jacobian(y, point, experimental_use_pfor=False)
        close(found.right, np.zeros_like(found.right) if jacobian is None else jacobian.numpy().T, rtol, "gradient")
    if differences and x.size and value.size:
        close(found.right, measured(interpreted.value, x, step), max(rtol, 1e-8), "differences")
    return found


def close(found: Array, expected: Array, rtol: float, what: str) -> None:
    """Equal within a part of the largest entry; NaN and infinity in the same places."""
    assert found.shape == expected.shape, f"{what}: {found.shape} is not {expected.shape}"
    finite = np.abs(expected[np.isfinite(expected)])
    size = max(1.0, finite.max()) if finite.size else 1.0
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * size, err_msg=what)


def measured(value: Callable[[Array], Array], x: Array, step: float) -> Array:
    """Central differences, extrapolated twice, ``[x_size, y_size]``."""

    def slope(h: float) -> Array:
        return np.stack([(value(x + h * e) - value(x - h * e)) / (2 * h) for e in np.eye(x.size)])

    a, b, c = slope(step), slope(step / 2), slope(step / 4)
    first, second = (4 * b - a) / 3, (4 * c - b) / 3
    return (16 * second - first) / 15
