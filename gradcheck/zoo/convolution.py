"""Convolutions along the time axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers
_STEPS = np.zeros([1, 4, 2])


def _ignoring_lengths(layer: Any) -> Callable[..., Any]:
    """A layer that never looks ahead: with padding behind, its valid outputs depend on valid steps only."""
    convolution = with_weights(layer, _STEPS)

    def convolve(values: Any, lengths: Any) -> Any:
        return convolution(values)

    return convolve


def causal() -> Callable[..., Any]:
    """``Conv1D(padding="causal")``, padding behind."""
    return _ignoring_lengths(_LAYERS.Conv1D(2, 3, padding="causal", dtype="float64"))


def causal_dilated() -> Callable[..., Any]:
    """``Conv1D(padding="causal", dilation_rate=2)``, padding behind."""
    return _ignoring_lengths(_LAYERS.Conv1D(2, 2, padding="causal", dilation_rate=2, dtype="float64"))


def separable_causal() -> Callable[..., Any]:
    """``SeparableConv1D(padding="causal")``, padding behind; Keras 3 has it no more."""
    return _ignoring_lengths(_LAYERS.SeparableConv1D(2, 2, padding="causal", dtype="float64"))


def same_strided() -> Any:
    """``Conv1D(padding="same", strides=2)``."""
    return with_weights(_LAYERS.Conv1D(2, 3, padding="same", strides=2, dtype="float64"), _STEPS)


def transpose() -> Any:
    """``Conv1DTranspose(strides=2)``."""
    return with_weights(_LAYERS.Conv1DTranspose(2, 3, strides=2, dtype="float64"), _STEPS)


def depthwise() -> Any:
    """``DepthwiseConv1D(depth_multiplier=2)``."""
    return with_weights(_LAYERS.DepthwiseConv1D(2, depth_multiplier=2, padding="same", dtype="float64"), _STEPS)
