"""A function of TensorFlow, traced and given to the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import gradcheck.exact.rules  # noqa: F401  (fills the table)
from gradcheck.exact.graph import read
from gradcheck.exact.interpreter import Library, Program
from gradcheck.exact.reference import Differentiable, Slopes


def differentiable(function: Callable[[Any], Any], shape: tuple[int, ...]) -> Differentiable:
    """A function of one float64 tensor, as one of a flat vector."""

    def flat(x: Any) -> Any:
        return tf.cast(tf.reshape(function(tf.reshape(x, shape)), [-1]), tf.float64)

    size = int(np.prod(shape, dtype=int))
    traced = tf.function(flat, autograph=False).get_concrete_function(tf.TensorSpec([size], tf.float64))
    graph = read(traced)
    captured = [item if item.dtype == tf.resource else item.numpy() for item in graph.captured]
    found = Differentiable(Program(graph.main, Library(graph)), lambda run, x: [x, *captured])
    found.kept = traced  # type: ignore[attr-defined]
    return found


def slopes_of(function: Callable[[Any], Any], x: np.ndarray, directions: np.ndarray | None = None) -> Slopes:
    """Slopes w.r.t. every input, or along directions."""
    ways = np.eye(x.size) if directions is None else directions
    return differentiable(function, x.shape).slopes(x.reshape(-1), ways)
