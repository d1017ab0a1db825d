"""A function of tensors, interpreted, beside what TensorFlow and differences make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import gradcheck.exact.rules  # noqa: F401
from gradcheck.exact.graph import read
from gradcheck.exact.interpreter import Library, Pass, Program
from gradcheck.exact.reference import Differentiable, Slopes


@dataclass
class Interpreted:
    """A function of several float64 tensors as one of a flat vector, its outputs joined to another."""

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    exact: Differentiable
    captured: list[Any]

    def in_tensorflow(self, x: Any) -> Any:
        """The function itself, on a flat vector."""
        return _flat(self.function, self.shapes, x)

    def eager(self, x: np.ndarray) -> np.ndarray:
        """Its value."""
        return np.asarray(self.in_tensorflow(tf.constant(x, tf.float64)).numpy())

    def value(self, x: np.ndarray) -> np.ndarray:
        """Its value in the interpreter."""
        return self.exact.value(x)

    def slopes(self, x: np.ndarray) -> Slopes:
        """Slopes along every input."""
        return self.exact.slopes(x, np.eye(x.size))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """TensorFlow's own Jacobian, ``[inputs, outputs]``."""
        with tf.GradientTape(persistent=True) as tape:
            point = tf.constant(x, tf.float64)
            tape.watch(point)
            y = self.in_tensorflow(point)
        found = tape.jacobian(y, point, experimental_use_pfor=False, unconnected_gradients="zero")
        return np.asarray(found.numpy()).T

    def differences(self, x: np.ndarray) -> np.ndarray:
        """The interpreter's own value, differenced: central, of fourth order, ``[inputs, outputs]``."""
        rows = []
        for k in range(x.size):
            h = 1e-3 * max(1.0, abs(x[k]))
            e = np.zeros_like(x)
            e[k] = h
            one, two = (self.value(x + n * e) - self.value(x - n * e) for n in (1, 2))
            rows.append((8 * one - two) / (12 * h))
        return np.asarray(rows)


def _flat(function: Callable[..., Any], shapes: Sequence[tuple[int, ...]], x: Any) -> Any:
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = [tf.reshape(part, shape) for part, shape in zip(tf.split(x, sizes), shapes, strict=True)]
    found = function(*parts)
    outputs = found if isinstance(found, (list, tuple)) else [found]
    flat = [tf.reshape(tf.cast(y, tf.float64), [-1]) for y in outputs if y is not None]
    return tf.concat(flat, 0)


def interpret(function: Callable[..., Any], *arrays: Any) -> tuple[Interpreted, np.ndarray]:
    """A function of tensors of these shapes, and these arrays as a point of it."""
    shapes = tuple(np.shape(a) for a in arrays)
    x = np.concatenate([np.ravel(np.asarray(a, np.float64)) for a in arrays])
    concrete = tf.function(lambda v: _flat(function, shapes, v), autograph=False).get_concrete_function(
        tf.TensorSpec([x.size], tf.float64)
    )
    graph = read(concrete)
    captured = [c if c.dtype == tf.resource else c.numpy() for c in graph.captured]
    program = Program(graph.main, Library(graph))
    return Interpreted(function, shapes, Differentiable(program, lambda run, jet: [jet, *captured]), captured), x


def check_value(function: Callable[..., Any], *arrays: Any, rtol: float = 1e-13, atol: float = 1e-14) -> None:
    """The interpreter's value is TensorFlow's, whether anything moves or not."""
    it, x = interpret(function, *arrays)
    expected = it.eager(x)
    np.testing.assert_allclose(it.value(x), expected, rtol=rtol, atol=atol)
    still = it.exact.program(Pass(0), [x, *it.captured])[0]
    np.testing.assert_allclose(still, expected, rtol=rtol, atol=atol)
    if x.size:
        np.testing.assert_allclose(it.slopes(x).value, expected, rtol=rtol, atol=atol)


def check_slopes(
    function: Callable[..., Any],
    *arrays: Any,
    rtol: float = 1e-11,
    differences: float = 1e-8,
    gradient: bool = True,
) -> None:
    """Off ties the slopes are TensorFlow's gradient and the differences of the interpreter's own value."""
    it, x = interpret(function, *arrays)
    found = it.slopes(x)
    assert np.isfinite(found.right).all()
    if gradient:
        expected = it.gradient(x)
        np.testing.assert_allclose(found.right, expected, rtol=rtol, atol=rtol * (1 + np.abs(expected).max(initial=0)))
    measured = it.differences(x)
    np.testing.assert_allclose(
        found.right, measured, rtol=differences, atol=differences * (1 + np.abs(measured).max(initial=0))
    )
    if not found.ties:
        assert found.left is found.right


def slopes(function: Callable[..., Any], *arrays: Any) -> Slopes:
    """Slopes at a point, along every input."""
    it, x = interpret(function, *arrays)
    return it.slopes(x)
