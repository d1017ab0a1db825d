"""Sorting, the greatest, and running totals along time."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _masked(values: Any, lengths: Any, instead: float) -> Any:
    mask = tf.sequence_mask(lengths, tf.shape(values)[1])[:, :, tf.newaxis]
    return tf.where(mask, values, tf.constant(instead, values.dtype))


def sort(values: Any) -> Any:
    """``tf.sort`` along time."""
    return tf.sort(values, axis=1)


def sort_descending(values: Any, lengths: Any) -> Any:
    """``tf.sort(direction="DESCENDING")`` along time with padding last, and the sum of the first."""
    ordered = tf.sort(_masked(values, lengths, -1e6), axis=1, direction="DESCENDING")
    return tf.where(lengths[:, tf.newaxis] > 0, ordered[:, 0], tf.zeros_like(ordered[:, 0]))


def argsort_gather(values: Any) -> Any:
    """``tf.argsort`` along time, and the steps gathered in that order."""
    order = tf.argsort(values[..., 0], axis=1)
    return tf.gather(values, order, axis=1, batch_dims=1)


def top_k(values: Any) -> Any:
    """``tf.math.top_k`` of two features of each step."""
    return tf.math.top_k(values, 2).values


def greatest_by_top_k(values: Any, lengths: Any) -> Any:
    """The greatest valid number of each feature by ``tf.math.top_k`` along time; zeros for an empty row."""
    greatest = tf.math.top_k(tf.transpose(_masked(values, lengths, -1e6), [0, 2, 1]), 1).values[..., 0]
    return tf.where(lengths[:, tf.newaxis] > 0, greatest, tf.zeros_like(greatest))


def reduce_max(values: Any, lengths: Any) -> Any:
    """``tf.reduce_max`` over the valid steps; zeros for an empty row."""
    greatest = tf.reduce_max(_masked(values, lengths, -1e6), axis=1)
    return tf.where(lengths[:, tf.newaxis] > 0, greatest, tf.zeros_like(greatest))


def reduce_prod(values: Any, lengths: Any) -> Any:
    """``tf.reduce_prod`` over the valid steps."""
    return tf.reduce_prod(_masked(values, lengths, 1.0), axis=1)


def logsumexp(values: Any, lengths: Any) -> Any:
    """``tf.reduce_logsumexp`` over the valid steps; zeros for an empty row."""
    total = tf.reduce_logsumexp(_masked(values, lengths, -1e9), axis=1)
    return tf.where(lengths[:, tf.newaxis] > 0, total, tf.zeros_like(total))


def norm(values: Any) -> Any:
    """``tf.norm`` of each row over time, rows of zeros among them."""
    return tf.norm(values, axis=1)


def masked_softmax(values: Any, lengths: Any) -> Any:
    """``tf.nn.softmax`` over the valid steps."""
    return tf.nn.softmax(_masked(values, lengths, -1e9), axis=1)


def log_softmax(values: Any) -> Any:
    """``tf.nn.log_softmax`` over time."""
    return tf.nn.log_softmax(values, axis=1)


def cumsum(values: Any) -> Any:
    """``tf.cumsum`` along time."""
    return tf.cumsum(tf.sin(values), axis=1)


def cumsum_reverse_exclusive(values: Any, lengths: Any) -> Any:
    """``tf.cumsum(reverse=True, exclusive=True)`` of the valid steps."""
    return tf.cumsum(_masked(values, lengths, 0.0), axis=1, reverse=True, exclusive=True)


def cumprod(values: Any) -> Any:
    """``tf.math.cumprod`` along time, zeros included."""
    return tf.math.cumprod(values, axis=1)


def cumprod_nonzero(values: Any) -> Any:
    """``tf.math.cumprod`` along time of positive numbers."""
    return tf.math.cumprod(values, axis=1)


def cumulative_logsumexp(values: Any) -> Any:
    """``tf.math.cumulative_logsumexp`` along time."""
    return tf.math.cumulative_logsumexp(values, axis=1)


def divide_no_nan(values: Any) -> Any:
    """``tf.math.divide_no_nan`` of each step by the next, zeros included."""
    return tf.math.divide_no_nan(values, tf.roll(values, 1, axis=1) + 4)


def xlogy(values: Any) -> Any:
    """``tf.math.xlogy`` of positive numbers with themselves: the entropy."""
    return -tf.reduce_sum(tf.math.xlogy(values, values), axis=1)


def xdivy(values: Any) -> Any:
    """``tf.math.xdivy`` of each step by a positive number made of the next, zeros included."""
    return tf.math.xdivy(values, tf.square(tf.roll(values, 1, axis=1)) + 1)


def multiply_no_nan(values: Any, lengths: Any) -> Any:
    """``tf.math.multiply_no_nan`` by the mask."""
    weights = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[:, :, tf.newaxis]
    return tf.math.multiply_no_nan(values, tf.broadcast_to(weights, tf.shape(values)))


def clip_by_norm(values: Any) -> Any:
    """``tf.clip_by_norm`` of each step to length 1, zeros included."""
    return tf.clip_by_norm(values, 1.0, axes=[2])
