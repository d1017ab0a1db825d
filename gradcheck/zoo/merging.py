"""Layers that merge two sequences, and what becomes of their masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers


def _merged(layer: Any) -> Callable[..., Any]:
    def merge(first: Any, second: Any) -> Any:
        return layer([first, second])

    return merge


def add() -> Callable[..., Any]:
    """``Add`` of two sequences."""
    return _merged(_LAYERS.Add(dtype="float64"))


def subtract() -> Callable[..., Any]:
    """``Subtract`` of two sequences."""
    return _merged(_LAYERS.Subtract(dtype="float64"))


def multiply() -> Callable[..., Any]:
    """``Multiply`` of two sequences."""
    return _merged(_LAYERS.Multiply(dtype="float64"))


def average() -> Callable[..., Any]:
    """``Average`` of two sequences."""
    return _merged(_LAYERS.Average(dtype="float64"))


def maximum() -> Callable[..., Any]:
    """``Maximum`` of two sequences."""
    return _merged(_LAYERS.Maximum(dtype="float64"))


def minimum() -> Callable[..., Any]:
    """``Minimum`` of two sequences."""
    return _merged(_LAYERS.Minimum(dtype="float64"))


def concatenate() -> Callable[..., Any]:
    """``Concatenate`` of two sequences along time."""
    return _merged(_LAYERS.Concatenate(axis=1, dtype="float64"))


def dot() -> Callable[..., Any]:
    """``Dot`` of every step of one sequence with every step of another."""
    return _merged(_LAYERS.Dot(axes=2, dtype="float64"))


def dot_normalized() -> Callable[..., Any]:
    """``Dot(normalize=True)``, the cosine, steps of zeros among them."""
    return _merged(_LAYERS.Dot(axes=2, normalize=True, dtype="float64"))


def _then_lstm(layer: Any, features: int) -> Callable[..., Any]:
    lstm = with_weights(_LAYERS.LSTM(2, dtype="float64"), np.zeros([1, 2, features]))

    def run(values: Any, mask: Any) -> Any:
        pair = [values, tf.square(values)]
        return lstm(layer(pair), mask=layer.compute_mask(pair, [mask, mask]))

    return run


def concatenate_lstm() -> Callable[..., Any]:
    """``Concatenate`` of the features of two masked sequences, its mask given to an ``LSTM``."""
    return _then_lstm(_LAYERS.Concatenate(dtype="float64"), 4)


def add_lstm() -> Callable[..., Any]:
    """``Add`` of two masked sequences, its mask given to an ``LSTM``."""
    return _then_lstm(_LAYERS.Add(dtype="float64"), 2)
