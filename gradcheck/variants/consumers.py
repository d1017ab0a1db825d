"""What a padded range is for: three layers, differentiable in their values.

A range of integers carries no gradient, so each way of making one is checked through a layer that uses it.
All take

* ``values``: float32 or float64 ``[batch, time, features]``, valid steps first (post-padding);
* ``lengths``: int32 or int64 ``[batch]``, each between 0 and ``time``;
* ``positions``: the padded range, ``[batch, width]`` with ``max(lengths) <= width <= time``.

They take the range at its word: a step is valid where the range says its own column. The one thing a
padded range cannot say is whether a row is empty or one step long, for both are all zeros; that alone is
taken from ``lengths``. Padding is replaced before it is used, not multiplied by zero afterwards (``0 ·
NaN`` is NaN): what it holds does not matter, and its gradient is exactly zero. An empty row gives zeros,
with zero gradients.

Nothing here imports gradcheck, so that each source can be pasted into a script.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

__all__ = ["masked_attention", "masked_recurrence", "valid_steps", "weighted_pooling", "widen"]


def widen(rows: Any, time: Any) -> Any:
    """``rows`` ``[batch, width, …]`` padded with zeros to ``[batch, time, …]``: the longest row may be
    shorter than the time axis.
    """
    paddings = [[0, 0], [0, time - tf.shape(rows)[1]]] + [[0, 0]] * (rows.shape.rank - 2)
    return tf.pad(rows, paddings)


def valid_steps(positions: Any, lengths: Any) -> Any:
    """Boolean ``[batch, time]``: true where ``positions`` holds its own column and the row is not empty."""
    columns = tf.cast(tf.range(tf.shape(positions)[1]), positions.dtype)
    return tf.logical_and(tf.equal(positions, columns), lengths[:, tf.newaxis] > 0)


def weighted_pooling(values: Any, lengths: Any, positions: Any) -> Any:
    """Mean of the valid steps, the step at position p weighted by p + 1: ``[batch, features]``."""
    positions = widen(positions, tf.shape(values)[1])
    valid = valid_steps(positions, lengths)
    weights = tf.cast(tf.where(valid, positions + 1, tf.zeros_like(positions)), values.dtype)[..., tf.newaxis]
    values = tf.where(valid[..., tf.newaxis], values, tf.zeros_like(values))
    return tf.reduce_sum(weights * values, axis=1) / tf.maximum(tf.reduce_sum(weights, axis=1), 1)


def masked_attention(values: Any, lengths: Any, positions: Any) -> Any:
    """Scaled dot-product self-attention over the valid steps: ``[batch, time, features]``, zeros at padding.

    Masked scores are half the dtype's lowest number and not -inf: a row without a valid step has finite
    scores still.
    """
    valid = valid_steps(widen(positions, tf.shape(values)[1]), lengths)
    values = tf.where(valid[..., tf.newaxis], values, tf.zeros_like(values))
    scale = tf.math.rsqrt(tf.cast(tf.shape(values)[2], values.dtype))
    scores = scale * tf.matmul(values, values, transpose_b=True)
    lowest = tf.constant(values.dtype.min / 2, values.dtype)
    scores = tf.where(valid[:, tf.newaxis, :], scores, lowest)
    attended = tf.matmul(tf.nn.softmax(scores), values)
    return tf.where(valid[..., tf.newaxis], attended, tf.zeros_like(attended))


def masked_recurrence(values: Any, lengths: Any, positions: Any) -> Any:
    """The last state of ``h ← tanh(x + h / 2)``, held where a step is padding: ``[batch, features]``.

    ``maximum_iterations`` is what lets XLA compile the gradient: it keeps every step's state, and must
    know how many there can be. One padded step is added, which holds the state like any other: XLA cannot
    compile a loop over an empty axis.
    """
    values = tf.pad(values, [[0, 0], [0, 1], [0, 0]])
    batch, time, features = tf.unstack(tf.shape(values))
    # A range from a loop may not know its number of rows, and a loop must not change the shape of its state.
    valid = tf.ensure_shape(valid_steps(widen(positions, time), lengths), values.shape[:2])
    values = tf.where(valid[..., tf.newaxis], values, tf.zeros_like(values))

    def advance(step: Any, state: Any) -> Any:
        moved = tf.tanh(values[:, step] + state / 2)
        return step + 1, tf.where(valid[:, step, tf.newaxis], moved, state)

    start = tf.zeros([batch, features], values.dtype)
    _, state = tf.while_loop(lambda step, _: step < time, advance, (0, start), maximum_iterations=time)
    return state
