"""Subjects that take their process along, and one that does not."""

from __future__ import annotations

import os
import sys

import tensorflow as tf


def right(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)
    return tf.reduce_sum(values * values * mask[..., tf.newaxis], axis=1)


def aborts(values, lengths):
    """In every mode, for every eager execution comes first."""
    if tf.executing_eagerly():
        print("F ops.cc:7] Check failed: rows < 1 (1 vs. 1)", file=sys.stderr, flush=True)
        os.abort()
    return right(values, lengths)


def aborts_with_more_padding(values, lengths):
    """Right for up to three columns; the rule about the amount of padding calls it with more."""
    if tf.executing_eagerly() and values.shape[1] > 3:
        os.abort()
    return right(values, lengths)
