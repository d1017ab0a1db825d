"""The variants as layers: every construct with every consumer, ``subject(values, lengths)``.

Written out, one function each, so that each can be named (``gradcheck search
gradcheck.variants.subjects:scatter_range_pooling``), read, and copied into a script as it stands.
Arguments are those of :mod:`gradcheck.variants.consumers`: ``values`` ``[batch, time, features]``, float32
or float64, and ``lengths`` ``[batch]``, int32 or int64. Pooling and recurrence give ``[batch, features]``,
attention ``[batch, time, features]``, all of the dtype of ``values``.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from gradcheck.variants.constructs import (
    broadcast_range,
    map_fn_padded_range,
    map_fn_ragged_range,
    map_fn_range,
    ragged_range,
    scatter_range,
    while_loop_tensor_array,
)
from gradcheck.variants.consumers import masked_attention, masked_recurrence, weighted_pooling, widen
from gradcheck.variants.through import (
    broadcast_rows,
    map_fn_padded_rows,
    map_fn_ragged_rows,
    map_fn_rows,
    ragged_rows,
    scan_steps,
    scatter_rows,
    while_loop_rows,
)

# Family one: the range is made, and used.


def map_fn_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``map_fn_range``."""
    return weighted_pooling(values, lengths, map_fn_range(lengths))


def map_fn_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``map_fn_range``."""
    return masked_attention(values, lengths, map_fn_range(lengths))


def map_fn_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``map_fn_range``."""
    return masked_recurrence(values, lengths, map_fn_range(lengths))


def map_fn_padded_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``map_fn_padded_range``."""
    return weighted_pooling(values, lengths, map_fn_padded_range(lengths))


def map_fn_padded_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``map_fn_padded_range``."""
    return masked_attention(values, lengths, map_fn_padded_range(lengths))


def map_fn_padded_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``map_fn_padded_range``."""
    return masked_recurrence(values, lengths, map_fn_padded_range(lengths))


def while_loop_tensor_array_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``while_loop_tensor_array``."""
    return weighted_pooling(values, lengths, while_loop_tensor_array(lengths))


def while_loop_tensor_array_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``while_loop_tensor_array``."""
    return masked_attention(values, lengths, while_loop_tensor_array(lengths))


def while_loop_tensor_array_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``while_loop_tensor_array``."""
    return masked_recurrence(values, lengths, while_loop_tensor_array(lengths))


def map_fn_ragged_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``map_fn_ragged_range``."""
    return weighted_pooling(values, lengths, map_fn_ragged_range(lengths))


def map_fn_ragged_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``map_fn_ragged_range``."""
    return masked_attention(values, lengths, map_fn_ragged_range(lengths))


def map_fn_ragged_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``map_fn_ragged_range``."""
    return masked_recurrence(values, lengths, map_fn_ragged_range(lengths))


def ragged_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``ragged_range``."""
    return weighted_pooling(values, lengths, ragged_range(lengths))


def ragged_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``ragged_range``."""
    return masked_attention(values, lengths, ragged_range(lengths))


def ragged_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``ragged_range``."""
    return masked_recurrence(values, lengths, ragged_range(lengths))


def scatter_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``scatter_range``."""
    return weighted_pooling(values, lengths, scatter_range(lengths))


def scatter_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``scatter_range``."""
    return masked_attention(values, lengths, scatter_range(lengths))


def scatter_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``scatter_range``."""
    return masked_recurrence(values, lengths, scatter_range(lengths))


def broadcast_range_pooling(values: Any, lengths: Any) -> Any:
    """Pooling weighted by the range of ``broadcast_range``."""
    return weighted_pooling(values, lengths, broadcast_range(lengths, tf.shape(values)[1]))


def broadcast_range_attention(values: Any, lengths: Any) -> Any:
    """Attention masked by the range of ``broadcast_range``."""
    return masked_attention(values, lengths, broadcast_range(lengths, tf.shape(values)[1]))


def broadcast_range_recurrence(values: Any, lengths: Any) -> Any:
    """A recurrence masked by the range of ``broadcast_range``."""
    return masked_recurrence(values, lengths, broadcast_range(lengths, tf.shape(values)[1]))


# Family two: the values pass through the construct, and the gradient comes back through it.


def map_fn_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def map_fn_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def map_fn_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def map_fn_padded_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_padded_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_padded_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def map_fn_padded_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_padded_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_padded_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def map_fn_padded_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_padded_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_padded_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def while_loop_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``while_loop_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(while_loop_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def while_loop_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``while_loop_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(while_loop_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def while_loop_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``while_loop_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(while_loop_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def map_fn_ragged_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_ragged_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_ragged_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def map_fn_ragged_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_ragged_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_ragged_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def map_fn_ragged_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``map_fn_ragged_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(map_fn_ragged_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def ragged_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``ragged_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(ragged_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def ragged_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``ragged_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(ragged_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def ragged_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``ragged_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(ragged_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def scatter_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``scatter_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(scatter_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def scatter_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``scatter_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(scatter_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def scatter_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``scatter_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(scatter_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def scan_steps_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``scan_steps``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(scan_steps(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def scan_steps_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``scan_steps``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(scan_steps(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def scan_steps_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``scan_steps``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(scan_steps(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))


def broadcast_rows_pooling(values: Any, lengths: Any) -> Any:
    """The rows of ``broadcast_rows``, pooled."""
    time = tf.shape(values)[1]
    rows = widen(broadcast_rows(values, lengths), time)
    return weighted_pooling(rows, lengths, broadcast_range(lengths, time))


def broadcast_rows_attention(values: Any, lengths: Any) -> Any:
    """The rows of ``broadcast_rows``, attended to."""
    time = tf.shape(values)[1]
    rows = widen(broadcast_rows(values, lengths), time)
    return masked_attention(rows, lengths, broadcast_range(lengths, time))


def broadcast_rows_recurrence(values: Any, lengths: Any) -> Any:
    """The rows of ``broadcast_rows``, run through a recurrence."""
    time = tf.shape(values)[1]
    rows = widen(broadcast_rows(values, lengths), time)
    return masked_recurrence(rows, lengths, broadcast_range(lengths, time))
