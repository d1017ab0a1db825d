"""Segment reductions, unsorted ones, and reductions of ragged tensors: three ways to reduce the steps of each row."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _flat(values: Any, lengths: Any) -> tuple[Any, Any]:
    """All steps `[batch · time, features]`, and the row of each; padding belongs to a last row of its own."""
    rows, time, features = tf.unstack(tf.shape(values))
    valid = tf.sequence_mask(lengths, time)
    numbers = tf.where(valid, tf.range(rows)[:, tf.newaxis], rows)
    return tf.reshape(values, [rows * time, features]), tf.reshape(numbers, [-1])


def _sorted_flat(values: Any) -> tuple[Any, Any]:
    """All steps `[batch · time, features]` and the row of each, without padding."""
    rows, time, features = tf.unstack(tf.shape(values))
    return tf.reshape(values, [rows * time, features]), tf.repeat(tf.range(rows), time)


def segment_sum(values: Any) -> Any:
    """``tf.math.segment_sum``."""
    return tf.math.segment_sum(*_sorted_flat(values))


def segment_mean(values: Any) -> Any:
    """``tf.math.segment_mean``."""
    return tf.math.segment_mean(*_sorted_flat(values))


def segment_max(values: Any) -> Any:
    """``tf.math.segment_max``."""
    return tf.math.segment_max(*_sorted_flat(values))


def segment_min(values: Any) -> Any:
    """``tf.math.segment_min``."""
    return tf.math.segment_min(*_sorted_flat(values))


def segment_prod(values: Any) -> Any:
    """``tf.math.segment_prod``."""
    return tf.math.segment_prod(*_sorted_flat(values))


def _unsorted(reduce: Any, values: Any, lengths: Any) -> Any:
    steps, numbers = _flat(values, lengths)
    rows = tf.shape(values)[0]
    reduced = reduce(steps, numbers, rows + 1)[:-1]
    # A row without a step is the neutral element, which for a maximum is the lowest number.
    return tf.where(lengths[:, tf.newaxis] > 0, reduced, tf.zeros_like(reduced))


def unsorted_segment_sum(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_sum``."""
    return _unsorted(tf.math.unsorted_segment_sum, values, lengths)


def unsorted_segment_mean(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_mean``."""
    return _unsorted(tf.math.unsorted_segment_mean, values, lengths)


def unsorted_segment_sqrt_n(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_sqrt_n``."""
    return _unsorted(tf.math.unsorted_segment_sqrt_n, values, lengths)


def unsorted_segment_max(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_max``."""
    return _unsorted(tf.math.unsorted_segment_max, values, lengths)


def unsorted_segment_min(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_min``."""
    return _unsorted(tf.math.unsorted_segment_min, values, lengths)


def unsorted_segment_prod(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_prod``."""
    return _unsorted(tf.math.unsorted_segment_prod, values, lengths)


def unsorted_segment_sum_dropping(values: Any, lengths: Any) -> Any:
    """``tf.math.unsorted_segment_sum`` that drops padding by negative segment numbers."""
    steps, numbers = _flat(values, lengths)
    rows = tf.shape(values)[0]
    return tf.math.unsorted_segment_sum(steps, tf.where(numbers < rows, numbers, -1), rows)


def ragged_sum(values: Any, lengths: Any) -> Any:
    """``tf.reduce_sum`` of a ragged tensor over its ragged axis."""
    return tf.reduce_sum(tf.RaggedTensor.from_tensor(values, lengths), axis=1)


def ragged_mean(values: Any, lengths: Any) -> Any:
    """``tf.reduce_mean`` of a ragged tensor over its ragged axis, no row empty."""
    return tf.reduce_mean(tf.RaggedTensor.from_tensor(values, lengths), axis=1)


def ragged_max(values: Any, lengths: Any) -> Any:
    """``tf.reduce_max`` of a ragged tensor over its ragged axis, no row empty."""
    return tf.reduce_max(tf.RaggedTensor.from_tensor(values, lengths), axis=1)


def ragged_prod(values: Any, lengths: Any) -> Any:
    """``tf.reduce_prod`` of a ragged tensor over its ragged axis."""
    return tf.reduce_prod(tf.RaggedTensor.from_tensor(values, lengths), axis=1)


def ragged_variance(values: Any, lengths: Any) -> Any:
    """``tf.math.reduce_variance`` of a ragged tensor over its ragged axis, no row empty."""
    return tf.math.reduce_variance(tf.RaggedTensor.from_tensor(values, lengths), axis=1)


def ragged_softmax(values: Any, lengths: Any) -> Any:
    """A softmax over the steps of each row, by the flat values of a ragged tensor."""
    ragged = tf.RaggedTensor.from_tensor(values, lengths)
    powers = tf.ragged.map_flat_values(tf.exp, ragged)
    totals = tf.expand_dims(tf.reduce_sum(powers, axis=1), axis=1)
    return (powers / totals).to_tensor(shape=tf.shape(values))


def ragged_argument(rows: Any) -> Any:
    """``tf.reduce_sum`` over the squares of a ragged tensor that is given as such."""
    return tf.reduce_sum(rows * rows, axis=1)


def ragged_concat(values: Any, lengths: Any) -> Any:
    """``tf.concat`` of two ragged tensors along their ragged axis, summed with weights by position."""
    ragged = tf.RaggedTensor.from_tensor(values, lengths)
    joined = tf.concat([ragged, tf.square(ragged)], axis=1).to_tensor()
    weights = tf.cast(tf.range(1, tf.shape(joined)[1] + 1), values.dtype)
    return tf.reduce_sum(joined * weights[:, tf.newaxis], axis=1)


def sparse_embedding(values: Any, lengths: Any) -> Any:
    """``tf.nn.safe_embedding_lookup_sparse`` with the valid numbers as weights of a fixed table."""
    table = tf.constant([[0.5, -1.25], [0.75, 1.5], [-0.25, 2.0]], values.dtype)
    valid = tf.where(tf.sequence_mask(lengths, tf.shape(values)[1]))
    shape = tf.shape(values, tf.int64)
    identifiers = tf.SparseTensor(valid, valid[:, 1] % 3, shape)
    weights = tf.SparseTensor(valid, tf.gather_nd(values, valid), shape)
    return tf.nn.safe_embedding_lookup_sparse(table, identifiers, weights, combiner="sum")
