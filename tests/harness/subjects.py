"""Subjects for the tests of the harness: right ones, and twins with one thing wrong."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gradcheck import Batch

BATCH = Batch(
    np.array([[[0.5, 1.25], [2.0, -1.0], [0.75, 0.125]], [[1.5, 0.25], [9.0, 9.0], [9.0, 9.0]]]),
    np.array([3, 1], np.int32),
)


def mask_of(values, lengths):
    return tf.cast(tf.sequence_mask(lengths, tf.shape(values)[1]), values.dtype)[..., tf.newaxis]


def masked_mean(values, lengths):
    mask = mask_of(values, lengths)
    return tf.reduce_sum(tf.tanh(values) * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1)


def scaled(factor):
    """A masked mean of doubled values whose gradient is off by a factor."""

    @tf.custom_gradient
    def double(x):
        return 2 * x, lambda upstream: tf.constant(2 * factor, upstream.dtype) * upstream

    def subject(values, lengths):
        return masked_mean(double(values), lengths)

    return subject


def longest_rows_wrong(values, lengths):
    """Wrong in the rows that are as long as the longest, where another is shorter."""
    longest = tf.equal(lengths, tf.reduce_max(lengths)) & (tf.reduce_min(lengths) < tf.reduce_max(lengths))
    factor = 1 + 0.001 * tf.cast(longest, values.dtype)[:, tf.newaxis, tf.newaxis]

    @tf.custom_gradient
    def double(x):
        return 2 * x, lambda upstream: 2 * factor * upstream

    return masked_mean(double(values), lengths)


def wrong_in_graphs(values, lengths):
    """Right in eager mode, wrong wherever it is traced."""

    @tf.custom_gradient
    def double(x):
        factor = 2.0 if tf.executing_eagerly() else 2.002
        return 2 * x, lambda upstream: factor * upstream

    return masked_mean(double(values), lengths)


def mask_dropped_in_gradient(values, lengths):
    mask = mask_of(values, lengths)

    @tf.custom_gradient
    def masked(x):
        return x * mask, lambda upstream: upstream

    return tf.reduce_sum(masked(values), 1)


def stopped(values, lengths):
    return masked_mean(tf.stop_gradient(values), lengths)


def through_integers(values, lengths):
    return masked_mean(tf.cast(tf.cast(values * 1024, tf.int64), values.dtype) / 1024, lengths)


def plain_mean(values, lengths):
    """Forgets the lengths: the padding leaks."""
    return tf.reduce_mean(values, 1) + 0 * tf.cast(lengths, values.dtype)[:, tf.newaxis]


def divided_by_time(values, lengths):
    """Masks the content and divides by the size of the time axis: only the amount of padding leaks."""
    return tf.reduce_sum(values * mask_of(values, lengths), 1) / tf.cast(tf.shape(values)[1], values.dtype)


def divided_by_length(values, lengths):
    """NaN for a row of length 0."""
    return tf.reduce_sum(values * mask_of(values, lengths), 1) / tf.cast(lengths, values.dtype)[:, tf.newaxis]


def norm(values, lengths):
    """Its gradient is NaN where a row is zero."""
    return tf.norm(values * mask_of(values, lengths), axis=[1, 2])


def safe_norm(values, lengths):
    squares = tf.reduce_sum(tf.square(values * mask_of(values, lengths)), [1, 2])
    return tf.where(squares > 0, tf.sqrt(tf.where(squares > 0, squares, 1)), 0)


def other_in_graphs(values, lengths):
    """Another function where it is traced, with a gradient that fits it."""
    return masked_mean(values * (1.0 if tf.executing_eagerly() else 1.0001), lengths)


def dropout(values, lengths):
    return masked_mean(tf.nn.dropout(values, 0.5), lengths)


def raises_on_empty_rows(values, lengths):
    with tf.control_dependencies([tf.debugging.assert_positive(lengths, message="empty row")]):
        return masked_mean(tf.identity(values), lengths)


def relu_mean(values, lengths):
    return masked_mean(tf.nn.relu(values - 0.5), lengths)


def wrong_relu_mean(values, lengths):
    @tf.custom_gradient
    def relu(x):
        return tf.nn.relu(x), lambda upstream: tf.where(x == 0, 2 * upstream, tf.where(x > 0, upstream, 0))

    return masked_mean(relu(values - 0.5), lengths)


def python_only(values, lengths):
    """Needs the numbers while it is traced."""
    return masked_mean(values, lengths) * float(np.max(lengths.numpy()))
