"""Steps picked out, put elsewhere, and turned round."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _weights(values: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[:, :, tf.newaxis]


def reverse_sequence(values: Any, lengths: Any) -> Any:
    """``tf.reverse_sequence`` of the valid steps."""
    return tf.reverse_sequence(values, lengths, seq_axis=1)


def sequence_mask_mean(values: Any, lengths: Any) -> Any:
    """The mean of the valid steps by ``tf.sequence_mask`` and ``tf.math.divide_no_nan``."""
    weights = _weights(values, lengths)
    return tf.math.divide_no_nan(tf.reduce_sum(values * weights, 1), tf.reduce_sum(weights, 1))


def boolean_mask(values: Any, mask: Any) -> Any:
    """``tf.boolean_mask`` of the valid steps, then their sum over the whole batch."""
    return tf.reduce_sum(tf.tanh(tf.boolean_mask(values, mask)), axis=0)


def gather_last(values: Any, lengths: Any) -> Any:
    """The last valid step of each row by ``tf.gather_nd``, no row empty."""
    rows = tf.range(tf.shape(values)[0])
    return tf.gather_nd(values, tf.stack([rows, lengths - 1], axis=1))


def gather_last_batched(values: Any, lengths: Any) -> Any:
    """The last valid step of each row by ``tf.gather(batch_dims=1)``, no row empty."""
    return tf.gather(values, lengths - 1, axis=1, batch_dims=1)


def gather_repeated(values: Any) -> Any:
    """``tf.gather`` of the first step twice and the last once: gradients must be added up."""
    last = tf.shape(values)[1] - 1
    return tf.gather(values, tf.stack([0, last, 0]), axis=1)


def scatter_nd(values: Any, lengths: Any) -> Any:
    """``tf.scatter_nd`` of every step to the row of a total, padding to a row that is dropped."""
    rows, time = tf.shape(values)[0], tf.shape(values)[1]
    places = tf.where(tf.sequence_mask(lengths, time), tf.range(rows)[:, tf.newaxis], rows)
    shape = tf.stack([rows + 1, tf.shape(values)[2]])
    return tf.scatter_nd(places[..., tf.newaxis], tf.sin(values), shape)[:-1]


def scatter_add(values: Any, lengths: Any) -> Any:
    """``tf.tensor_scatter_nd_add`` of each row's first step to its last valid one, no row empty."""
    return tf.tensor_scatter_nd_add(values * _weights(values, lengths), _last(lengths), tf.sin(values[:, 0]))


def scatter_update(values: Any, lengths: Any) -> Any:
    """``tf.tensor_scatter_nd_update`` of each row's last valid step, no row empty."""
    return tf.tensor_scatter_nd_update(values * _weights(values, lengths), _last(lengths), tf.sin(values[:, 0]))


def scatter_max(values: Any, lengths: Any) -> Any:
    """``tf.tensor_scatter_nd_max`` at each row's last valid step, no row empty."""
    return tf.tensor_scatter_nd_max(values * _weights(values, lengths), _last(lengths), tf.sin(values[:, 0]))


def _last(lengths: Any) -> Any:
    return tf.stack([tf.range(tf.shape(lengths)[0]), lengths - 1], axis=1)


def partition_and_stitch(values: Any, lengths: Any) -> Any:
    """``tf.dynamic_partition`` into valid steps and padding, and ``tf.dynamic_stitch`` of the transformed parts."""
    rows, time, features = tf.unstack(tf.shape(values))
    steps = tf.reshape(values, [rows * time, features])
    part = tf.reshape(tf.cast(tf.sequence_mask(lengths, time), tf.int32), [-1])
    places = tf.dynamic_partition(tf.range(rows * time), part, 2)
    padding, valid = tf.dynamic_partition(steps, part, 2)
    return tf.reshape(tf.dynamic_stitch(places, [padding * 0, tf.sin(valid)]), tf.shape(values))


def roll(values: Any) -> Any:
    """``tf.roll`` along time, by one step more than there are."""
    return tf.roll(values, tf.shape(values)[1] + 1, axis=1)


def repeat_steps(values: Any, lengths: Any) -> Any:
    """``tf.repeat`` of each row's first step as often as the row is long, then the sum."""
    return tf.reduce_sum(tf.sin(tf.repeat(values[:, 0], lengths, axis=0)), axis=0)


def strided_slice(values: Any) -> Any:
    """Every second step from behind."""
    return values[:, ::-2]


def mirror_pad(values: Any) -> Any:
    """``tf.pad(mode="SYMMETRIC")`` along time."""
    return tf.pad(tf.sin(values), [[0, 0], [1, 1], [0, 0]], mode="SYMMETRIC")


def where_replaced(values: Any, lengths: Any) -> Any:
    """``tf.where`` that replaces padding before a logarithm, the safe order."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1])[:, :, tf.newaxis]
    return tf.math.log(tf.where(mask, tf.square(values) + 1, tf.ones_like(values)))


def one_hot_select(values: Any, lengths: Any) -> Any:
    """The last valid step by a product with ``tf.one_hot``; zeros for an empty row."""
    return tf.einsum("btf,bt->bf", values, tf.one_hot(lengths - 1, tf.shape(values)[1], dtype=values.dtype))


def frame(values: Any) -> Any:
    """``tf.signal.frame`` along time, the end padded."""
    return tf.signal.frame(tf.sin(values), 2, 1, pad_end=True, axis=1)


def overlap_and_add(values: Any) -> Any:
    """``tf.signal.overlap_and_add`` of steps as frames."""
    return tf.signal.overlap_and_add(tf.sin(values), 1)


def fourier(values: Any) -> Any:
    """``tf.signal.rfft`` over time, its squared size."""
    spectrum = tf.signal.rfft(tf.transpose(values, [0, 2, 1]))
    return tf.math.real(spectrum * tf.math.conj(spectrum))
