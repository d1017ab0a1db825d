"""Seven ways in which people turn a length vector into a padded range.

Each function takes ``lengths``, an int32 or int64 vector ``[batch]`` with at least one entry, none of them
negative, and returns ``[batch, longest]`` of the same dtype: row ``b`` is ``0 … lengths[b] - 1``, then
zeros, where ``longest`` is ``max(lengths)``. (:func:`broadcast_range` takes the width from its caller;
that is what makes it compile.)

They are written the way they are met in forum answers and layers, on purpose: some do not work, and which,
where and why is what the variants are there to measure. Nothing here imports gradcheck, so that each
source can be pasted into a script. This module imports TensorFlow; ``gradcheck.variants`` loads it on
first use only.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = [
    "broadcast_range",
    "map_fn_padded_range",
    "map_fn_ragged_range",
    "map_fn_range",
    "ragged_range",
    "scatter_range",
    "while_loop_tensor_array",
]


def map_fn_range(lengths: Any) -> Any:
    """``tf.map_fn`` of ``tf.range``: the results are stacked, so they fit only where all lengths are
    equal.
    """
    return tf.map_fn(tf.range, lengths)


def map_fn_padded_range(lengths: Any) -> Any:
    """``tf.map_fn`` of ``tf.range``, each range padded to the longest length inside the mapped function."""
    longest = tf.reduce_max(lengths)

    def padded_range(length: Any) -> Any:
        return tf.pad(tf.range(length), [[0, longest - length]])

    return tf.map_fn(padded_range, lengths)


def while_loop_tensor_array(lengths: Any) -> Any:
    """A ``tf.while_loop`` that writes each padded range to a ``TensorArray``, stacked at the end."""
    batch = tf.shape(lengths)[0]
    longest = tf.reduce_max(lengths)

    def write_row(row: Any, ranges: Any) -> Any:
        padded_range = tf.pad(tf.range(lengths[row]), [[0, longest - lengths[row]]])
        return row + 1, ranges.write(row, padded_range)

    ranges = tf.TensorArray(lengths.dtype, size=batch, element_shape=[None])
    _, ranges = tf.while_loop(lambda row, _: row < batch, write_row, (0, ranges))
    return ranges.stack()


def map_fn_ragged_range(lengths: Any) -> Any:
    """``tf.map_fn`` of ``tf.range`` with a ragged output signature, then made dense."""
    ragged = tf.map_fn(tf.range, lengths, fn_output_signature=tf.RaggedTensorSpec([None], lengths.dtype))
    return ragged.to_tensor()


def ragged_range(lengths: Any) -> Any:
    """``tf.ragged.range``, then made dense."""
    return tf.ragged.range(lengths).to_tensor()


def scatter_range(lengths: Any) -> Any:
    """The positions of the valid steps, written into zeros by ``tf.scatter_nd``."""
    longest = tf.reduce_max(lengths)
    steps = tf.where(tf.sequence_mask(lengths, longest))
    shape = tf.stack([tf.size(lengths, tf.int64), tf.cast(longest, tf.int64)])
    return tf.scatter_nd(steps, tf.cast(steps[:, 1], lengths.dtype), shape)


def broadcast_range(lengths: Any, width: Any) -> Any:
    """One range of ``width`` steps, compared with every length.

    ``width`` (an integer scalar, the size of a time axis) replaces ``max(lengths)``: it is known from
    shapes alone, so XLA can compile this. The result is ``[batch, width]``; a length beyond ``width`` is
    cut off.
    """
    steps = tf.cast(tf.range(width), lengths.dtype)
    return tf.where(steps < lengths[:, tf.newaxis], steps, tf.zeros_like(steps))
