"""Normalisations of sequences."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers
_STEPS = np.zeros([1, 2, 2])


def layer_normalization() -> Any:
    """``LayerNormalization`` of each step."""
    return with_weights(_LAYERS.LayerNormalization(dtype="float64"), _STEPS)


def layer_normalization_float32() -> Any:
    """The same in float32, the dtype that is used in practice."""
    return with_weights(_LAYERS.LayerNormalization(), _STEPS.astype(np.float32))


def batch_normalization() -> Any:
    """``BatchNormalization`` with its moving averages, as in inference."""
    return with_weights(_LAYERS.BatchNormalization(dtype="float64"), _STEPS)


def batch_normalization_training() -> Callable[..., Any]:
    """``BatchNormalization`` in training: the statistics of the batch, and the moving averages move."""
    layer = with_weights(_LAYERS.BatchNormalization(epsilon=0.1, dtype="float64"), _STEPS)

    def normalize(values: Any) -> Any:
        return layer(values, training=True)

    return normalize


def batch_normalization_masked() -> Callable[..., Any]:
    """``BatchNormalization`` in training with a mask, which Keras 3 leaves out of the statistics."""
    layer = with_weights(_LAYERS.BatchNormalization(epsilon=0.1, dtype="float64"), _STEPS)
    if "mask" not in inspect.signature(layer.call).parameters:
        raise NotImplementedError("BatchNormalization takes no mask before Keras 3")

    def normalize(values: Any, mask: Any) -> Any:
        return layer(values, training=True, mask=mask)

    return normalize


def group_normalization() -> Any:
    """``GroupNormalization(groups=1)``: statistics over all steps and features of a row."""
    return with_weights(_LAYERS.GroupNormalization(groups=1, epsilon=0.1, dtype="float64"), _STEPS)


def unit_normalization() -> Any:
    """``UnitNormalization``: each step by its length, steps of zeros among them."""
    return _LAYERS.UnitNormalization(dtype="float64")


def l2_normalize(values: Any) -> Any:
    """``tf.math.l2_normalize`` of each step."""
    return tf.math.l2_normalize(values, axis=-1)


def moments(values: Any) -> Any:
    """``tf.nn.moments`` over the time axis."""
    mean, variance = tf.nn.moments(values, axes=[1])
    return tf.concat([mean, variance], axis=-1)


def weighted_moments(values: Any, lengths: Any) -> Any:
    """``tf.nn.weighted_moments`` over the valid steps, no row empty."""
    weights = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[:, :, tf.newaxis]
    mean, variance = tf.nn.weighted_moments(values, axes=[1], frequency_weights=weights)
    return tf.concat([mean, variance], axis=-1)


def standardize(values: Any) -> Any:
    """``tf.image.per_image_standardization`` of a sequence as an image of one channel."""
    return tf.image.per_image_standardization(values[..., tf.newaxis])[..., 0]
