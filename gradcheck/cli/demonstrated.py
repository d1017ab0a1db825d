"""The two layers of ``gradcheck demo``, which shows their code: one whose gradient is NaN under XLA, and its remedy."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["direction", "repaired"]


def direction(values: Any, lengths: Any) -> Any:
    """The direction of the sum of each row's valid steps; 0 for an empty row."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(values * mask, axis=1)
    return tf.math.divide_no_nan(total, tf.norm(total, axis=-1, keepdims=True))


def repaired(values: Any, lengths: Any) -> Any:
    """The same with a norm that has a slope at 0."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(values * mask, axis=1)
    return tf.math.l2_normalize(total, axis=-1)
