"""Pooling over the time axis: the layers of Keras and the operations below them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_LAYERS = tf.keras.layers


def global_average() -> Any:
    """``GlobalAveragePooling1D`` with a mask."""
    return _LAYERS.GlobalAveragePooling1D(dtype="float64")


def global_average_keepdims() -> Any:
    """``GlobalAveragePooling1D(keepdims=True)`` with a mask, no row empty."""
    return _LAYERS.GlobalAveragePooling1D(keepdims=True, dtype="float64")


def global_max() -> Any:
    """``GlobalMaxPooling1D``, which knows no mask."""
    return _LAYERS.GlobalMaxPooling1D(dtype="float64")


def average() -> Any:
    """``AveragePooling1D(2, padding="same")``."""
    return _LAYERS.AveragePooling1D(2, padding="same", dtype="float64")


def maximum() -> Any:
    """``MaxPooling1D(2, strides=1)``."""
    return _LAYERS.MaxPooling1D(2, strides=1, dtype="float64")


def max_pool1d(values: Any) -> Any:
    """``tf.nn.max_pool1d`` with padding at the ends."""
    return tf.nn.max_pool1d(values, 3, 2, "SAME")


def avg_pool1d(values: Any) -> Any:
    """``tf.nn.avg_pool1d`` with padding at the ends."""
    return tf.nn.avg_pool1d(values, 3, 2, "SAME")
