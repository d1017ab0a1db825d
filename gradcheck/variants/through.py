"""Eight ways in which the values themselves pass through a variable-length construct, so that the gradient
comes back through it.

Each function takes ``values`` ``[batch, time, features]`` (float32 or float64, valid steps first) and
``lengths`` ``[batch]`` (int32 or int64), keeps the first ``lengths[b]`` steps of row ``b``, transforms
each by ``tanh``, and returns ``[batch, width, features]`` of the same dtype, zeros after the end of each
row. ``width`` is ``max(lengths)``, or the whole time axis where the construct keeps it. :func:`scan_steps`
alone mixes steps: it returns a running state.

They are the constructs of :mod:`gradcheck.variants.constructs` with floats in place of positions, as
people write them. Nothing here imports gradcheck, so that each source can be pasted into a script.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = [
    "broadcast_rows",
    "map_fn_padded_rows",
    "map_fn_ragged_rows",
    "map_fn_rows",
    "ragged_rows",
    "scan_steps",
    "scatter_rows",
    "while_loop_rows",
]


def map_fn_rows(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over rows, each cut to its length: the results are stacked, so they fit only where all
    lengths are equal.
    """
    return tf.map_fn(lambda row: tf.tanh(row[0][: row[1]]), (values, lengths), fn_output_signature=values.dtype)


def map_fn_padded_rows(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over rows, each cut to its length and padded to the longest inside the mapped
    function.
    """
    longest = tf.reduce_max(lengths)

    def padded_row(row: Any) -> Any:
        steps, length = row
        return tf.pad(tf.tanh(steps[:length]), [[0, longest - length], [0, 0]])

    return tf.map_fn(padded_row, (values, lengths), fn_output_signature=values.dtype)


def while_loop_rows(values: Any, lengths: Any) -> Any:
    """A ``tf.while_loop`` that writes each cut and padded row to a ``TensorArray`` of floats, stacked at
    the end.
    """
    batch = tf.shape(lengths)[0]
    longest = tf.reduce_max(lengths)

    def write_row(row: Any, rows: Any) -> Any:
        steps = tf.tanh(values[row, : lengths[row]])
        return row + 1, rows.write(row, tf.pad(steps, [[0, longest - lengths[row]], [0, 0]]))

    rows = tf.TensorArray(values.dtype, size=batch, element_shape=[None, values.shape[2]])
    _, rows = tf.while_loop(lambda row, _: row < batch, write_row, (0, rows))
    return rows.stack()


def map_fn_ragged_rows(values: Any, lengths: Any) -> Any:
    """``tf.map_fn`` over rows, each cut to its length, with a ragged output signature, then made dense."""
    signature = tf.RaggedTensorSpec([None, values.shape[2]], values.dtype, ragged_rank=0)
    ragged = tf.map_fn(lambda row: tf.tanh(row[0][: row[1]]), (values, lengths), fn_output_signature=signature)
    return ragged.to_tensor()


def ragged_rows(values: Any, lengths: Any) -> Any:
    """A round trip by ``tf.RaggedTensor``: padding dropped, every step transformed, made dense again."""
    ragged = tf.RaggedTensor.from_tensor(values, lengths)
    return tf.ragged.map_flat_values(tf.tanh, ragged).to_tensor()


def scatter_rows(values: Any, lengths: Any) -> Any:
    """The valid steps gathered, transformed, and written back into zeros by ``tf.scatter_nd``."""
    longest = tf.reduce_max(lengths)
    steps = tf.where(tf.sequence_mask(lengths, longest))
    shape = tf.stack([tf.size(lengths, tf.int64), tf.cast(longest, tf.int64), tf.shape(values, tf.int64)[2]])
    return tf.scatter_nd(steps, tf.tanh(tf.gather_nd(values, steps)), shape)


def scan_steps(values: Any, lengths: Any) -> Any:
    """``tf.scan`` over the time axis of ``h ← tanh(x + h / 2)``; a padded step holds the state, gives zeros.

    One padded step is added and dropped again, because ``tf.scan`` cannot run over an empty axis.
    """
    batch, time, features = tf.unstack(tf.shape(values))
    steps = tf.transpose(tf.pad(values, [[0, 0], [0, 1], [0, 0]]), [1, 0, 2])
    valid = tf.cast(tf.range(time + 1), lengths.dtype)[:, tf.newaxis] < lengths
    steps = tf.where(valid[..., tf.newaxis], steps, tf.zeros_like(steps))

    def advance(state: Any, step: Any) -> Any:
        value, is_valid = step
        return tf.where(is_valid[:, tf.newaxis], tf.tanh(value + state / 2), state)

    states = tf.scan(advance, (steps, valid), initializer=tf.zeros([batch, features], values.dtype))
    states = tf.where(valid[..., tf.newaxis], states, tf.zeros_like(states))[:-1]
    return tf.transpose(states, [1, 0, 2])


def broadcast_rows(values: Any, lengths: Any) -> Any:
    """Padding replaced by zeros, then every step transformed: shapes never depend on the lengths."""
    steps = tf.cast(tf.range(tf.shape(values)[1]), lengths.dtype)
    valid = (steps < lengths[:, tf.newaxis])[..., tf.newaxis]
    # Replaced before tanh, which keeps zeros: replaced after it, a NaN in the padding would reach the
    # gradient.
    return tf.tanh(tf.where(valid, values, tf.zeros_like(values)))
