"""TensorFlow's loops over steps and rows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _valid(values: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(values)[1])


def scan(values: Any, lengths: Any) -> Any:
    """``tf.scan`` over the time axis of a state that padding holds."""
    steps, valid = tf.transpose(values, [1, 0, 2]), tf.transpose(_valid(values, lengths))

    def advance(state: Any, step: Any) -> Any:
        value, is_valid = step
        return tf.where(is_valid[:, tf.newaxis], tf.tanh(value + state / 2), state)

    states = tf.scan(advance, (steps, valid), initializer=tf.zeros_like(values[:, 0]))
    return tf.transpose(states, [1, 0, 2])


def foldl(values: Any, lengths: Any) -> Any:
    """``tf.foldl`` over the time axis of a state that padding holds."""
    return _folded(tf.foldl, values, lengths)


def foldr(values: Any, lengths: Any) -> Any:
    """``tf.foldr`` over the time axis, from its end, of a state that padding holds."""
    return _folded(tf.foldr, values, lengths)


def _folded(fold: Any, values: Any, lengths: Any) -> Any:
    steps, valid = tf.transpose(values, [1, 0, 2]), tf.transpose(_valid(values, lengths))

    def advance(state: Any, step: Any) -> Any:
        value, is_valid = step
        return tf.where(is_valid[:, tf.newaxis], tf.tanh(value + state / 2), state)

    return fold(advance, (steps, valid), initializer=tf.zeros_like(values[:, 0]))


def map_fn(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over whole rows, the padding masked inside."""

    def row(inputs: Any) -> Any:
        steps, length = inputs
        weights = tf.cast(tf.range(tf.shape(steps)[0]) < length, steps.dtype)
        return tf.reduce_sum(tf.tanh(steps) * weights[:, tf.newaxis], axis=0)

    return tf.map_fn(row, (values, lengths), fn_output_signature=values.dtype)


def map_fn_cut_rows(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over rows cut to their length, each reduced to one vector of the same size."""

    def row(inputs: Any) -> Any:
        steps, length = inputs
        return tf.reduce_sum(tf.tanh(steps[:length]), axis=0)

    return tf.map_fn(row, (values, lengths), fn_output_signature=values.dtype)


def map_fn_stacked_cut_rows(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` that gives rows cut to their length, which are stacked, and summed over time."""
    rows = tf.map_fn(lambda row: tf.tanh(row[0][: row[1]]), (values, lengths), fn_output_signature=values.dtype)
    return tf.reduce_sum(rows, axis=1)


def map_fn_ragged(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over the rows of a ragged tensor."""
    ragged = tf.RaggedTensor.from_tensor(values, lengths)
    return tf.map_fn(lambda row: tf.reduce_sum(tf.tanh(row), axis=0), ragged, fn_output_signature=values.dtype)


def vectorized_map(values: Any, lengths: Any) -> Any:
    """``tf.vectorized_map`` over whole rows, the padding masked inside."""

    def row(inputs: Any) -> Any:
        steps, length = inputs
        weights = tf.cast(tf.range(tf.shape(steps)[0]) < length, steps.dtype)
        return tf.reduce_sum(tf.tanh(steps) * weights[:, tf.newaxis], axis=0)

    return tf.vectorized_map(row, (values, lengths))


def while_loop(values: Any, lengths: Any) -> Any:
    """``tf.while_loop`` over as many steps as the longest row has."""
    valid = _valid(values, lengths)

    def advance(step: Any, state: Any) -> Any:
        moved = tf.tanh(tf.gather(values, step, axis=1) + state / 2)
        return step + 1, tf.where(tf.gather(valid, step, axis=1)[:, tf.newaxis], moved, state)

    longest = tf.reduce_max(lengths)
    return tf.while_loop(lambda step, _: step < longest, advance, (0, tf.zeros_like(values[:, 0])))[1]


def while_loop_bounded(values: Any, lengths: Any) -> Any:
    """The same with ``maximum_iterations``, the whole time axis."""
    valid = _valid(values, lengths)

    def advance(step: Any, state: Any) -> Any:
        moved = tf.tanh(tf.gather(values, step, axis=1) + state / 2)
        return step + 1, tf.where(tf.gather(valid, step, axis=1)[:, tf.newaxis], moved, state)

    time = tf.shape(values)[1]
    state = (0, tf.zeros_like(values[:, 0]))
    return tf.while_loop(lambda step, _: step < time, advance, state, maximum_iterations=time)[1]


def tensor_array(values: Any, lengths: Any) -> Any:
    """A running sum written to a ``tf.TensorArray`` step by step and stacked."""
    time = tf.shape(values)[1]
    weights = tf.cast(_valid(values, lengths), values.dtype)[:, :, tf.newaxis]
    steps = tf.transpose(tf.sin(values) * weights, [1, 0, 2])
    array = tf.TensorArray(values.dtype, size=time, element_shape=[None, values.shape[2]])

    def write(step: Any, total: Any, sums: Any) -> Any:
        total = total + steps[step]
        return step + 1, total, sums.write(step, total)

    _, _, sums = tf.while_loop(
        lambda step, *_: step < time, write, (0, tf.zeros_like(values[:, 0]), array), maximum_iterations=time
    )
    return tf.transpose(sums.stack(), [1, 0, 2])


def cond(values: Any, lengths: Any) -> Any:
    """``tf.cond`` on the lengths."""
    weights = tf.cast(_valid(values, lengths), values.dtype)[:, :, tf.newaxis]
    odd = tf.reduce_sum(lengths) % 2 == 1
    return tf.cond(odd, lambda: tf.sin(values * weights), lambda: tf.cos(values * weights) - 1)
