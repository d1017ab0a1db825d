"""For each invariant a subject that keeps it and one that does not, which is otherwise the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradcheck.verdicts import Verdict


def _mask(values: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]


def mean(values: Any, lengths: Any) -> Any:
    """Mean of the valid steps; 0 for an empty row."""
    mask = _mask(values, lengths)
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask, 1), tf.reduce_sum(mask, 1))


def masked(values: Any, mask: Any = None) -> Any:
    """Weighted by softmax over the valid steps."""
    scores = tf.reduce_sum(values, -1)
    if mask is None:
        return tf.einsum("bt,btf->bf", tf.nn.softmax(scores, -1), values)
    weights = tf.nn.softmax(tf.where(mask, scores, tf.constant(-1e9, scores.dtype)), -1) * tf.cast(mask, scores.dtype)
    return tf.einsum("bt,btf->bf", weights, values)


def masked_and_scaled(values: Any, mask: Any = None) -> Any:
    """Takes another way without a mask."""
    return masked(values, mask) if mask is not None else 1.5 * masked(values)


def optional_lengths(values: Any, lengths: Any = None) -> Any:
    return tf.reduce_sum(values, 1) if lengths is None else tf.reduce_sum(values * _mask(values, lengths), 1)


def mean_without_lengths(values: Any, lengths: Any = None) -> Any:
    return tf.reduce_mean(values, 1) if lengths is None else tf.reduce_sum(values * _mask(values, lengths), 1)


def cumulated(values: Any, lengths: Any) -> Any:
    """Running sums, valid steps only: outputs with a time axis."""
    mask = _mask(values, lengths)
    return tf.cumsum(values * mask, 1) * mask


def by_the_longest(values: Any, lengths: Any) -> Any:
    """Divides every row by the length of the longest."""
    longest = tf.cast(tf.maximum(tf.reduce_max(lengths), 1), values.dtype)
    return tf.reduce_sum(values * _mask(values, lengths), 1) / longest


def by_the_place(values: Any, lengths: Any) -> Any:
    """Weighs a row by its number."""
    rows = tf.cast(tf.range(tf.shape(values)[0]), values.dtype)[:, tf.newaxis]
    return tf.reduce_sum(values * _mask(values, lengths), 1) * (1 + rows)


def sum_of_squares(values: Any, lengths: Any) -> Any:
    """One number for the whole batch."""
    return tf.reduce_sum(tf.square(values * _mask(values, lengths)))


def centred(values: Any, lengths: Any) -> Any:
    """Less the mean over the rows."""
    means = mean(values, lengths)
    return means - tf.reduce_mean(means, 0, keepdims=True)


def logarithm_of_length(values: Any, lengths: Any) -> Any:
    """Infinite for an empty row."""
    size = tf.math.log(tf.cast(lengths, values.dtype))[:, tf.newaxis]
    return mean(values, lengths) * size


def norm(values: Any, lengths: Any) -> Any:
    """The gradient of an empty row's norm is 0/0."""
    total = tf.reduce_sum(values * _mask(values, lengths), 1)
    return tf.sqrt(tf.reduce_sum(tf.square(total), -1))


def guarded_norm(values: Any, lengths: Any) -> Any:
    return tf.sqrt(1 + tf.square(norm_of_sum(values, lengths)))


def norm_of_sum(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(values * _mask(values, lengths), [1, 2])


def refuses_empty(values: Any, lengths: Any) -> Any:
    tf.debugging.assert_positive(lengths)
    return mean(values, lengths)


def everything(values: Any, lengths: Any) -> Any:
    """Forgets the lengths."""
    return tf.reduce_sum(values, 1) + 0 * tf.cast(lengths, values.dtype)[:, tf.newaxis]


def counts_zeros(values: Any, lengths: Any) -> Any:
    """Takes every step that is not zero for a valid one when it counts them."""
    steps = tf.reduce_sum(tf.cast(tf.reduce_any(values != 0, -1, keepdims=True), values.dtype), 1)
    return tf.reduce_sum(values * _mask(values, lengths), 1) / (1 + steps)


def by_the_time_axis(values: Any, lengths: Any) -> Any:
    """Masks the content and divides by the size of the time axis."""
    return tf.reduce_sum(values * _mask(values, lengths), 1) / tf.cast(tf.shape(values)[1], values.dtype)


def multiplied(values: Any, lengths: Any) -> Any:
    """Right but where the padding holds NaN or Inf: 0 · NaN is NaN."""
    return tf.reduce_sum(tf.square(values) * _mask(values, lengths), 1)


def selected_late(values: Any, lengths: Any) -> Any:
    """Selects after squaring: the output is right, the backward pass multiplies 0 by NaN at padded inputs."""
    mask = tf.cast(_mask(values, lengths), bool)
    return tf.reduce_sum(tf.where(mask, tf.square(values), tf.zeros_like(values)), 1)


class Weighted(tf.Module):
    """Multiplies every step by weights, then selects: the gradient of the weights meets what the padding holds."""

    def __init__(self) -> None:
        super().__init__("weighted")
        self.weights = tf.Variable([[1.0, 2.0], [0.5, -1.0]], dtype=tf.float64)

    def __call__(self, values: Any, lengths: Any) -> Any:
        mask = tf.cast(_mask(values, lengths), bool)
        return tf.reduce_sum(tf.where(mask, values @ self.weights, tf.zeros_like(values)), 1)


def selected_early(values: Any, lengths: Any) -> Any:
    mask = tf.cast(_mask(values, lengths), bool)
    return tf.reduce_sum(tf.square(tf.where(mask, values, tf.zeros_like(values))), 1)


@dataclass(frozen=True)
class Pair:
    """A name, the subject that keeps it, the one that does not, what comes out, and the least batch that shows it."""

    name: str
    right: Any
    wrong: Any
    words: tuple[str, ...]
    verdict: Verdict = Verdict.PADDING_LEAK
    most_rows: int = 1
    most_steps: int = 1
    batch: dict[str, Any] = field(default_factory=dict)


FILLED = {"min_length": 1}
AWAY = {"min_length": 1, "sides": ("post",), "domain": "positive", "singular": False}

PAIRS = [
    Pair("padding_gradient", mean, everything, ("depends on values[row 0, time", "which is padding")),
    Pair(
        "padding_content",
        mean,
        counts_zeros,
        ("what the padding holds was replaced", "went from"),
        most_steps=2,
        batch=AWAY,
    ),
    Pair("padding_amount", mean, by_the_time_axis, ("2 more padded columns", "went from")),
    Pair("all_true_mask", masked, masked_and_scaled, ("a mask that is true everywhere was left out", "went from")),
    Pair(
        "all_true_mask",
        optional_lengths,
        mean_without_lengths,
        ("lengths that are all full were left out",),
        most_steps=2,
    ),
    Pair("row_alone", cumulated, by_the_longest, ("row 0 was taken alone",), most_rows=2, most_steps=2),
    Pair("permutation", cumulated, by_the_place, ("the rows were put in the order 1, 0", "went from"), most_rows=2),
    Pair("permutation", sum_of_squares, by_the_place, ("the rows were put in the order 1, 0",), most_rows=2),
    Pair("rows_independent", cumulated, centred, ("which is in another row", "should be 0"), most_rows=2),
    Pair(
        "rows_independent", mean, by_the_longest, ("the length of row", "became at most 1"), most_rows=2, most_steps=2
    ),
    Pair(
        "empty_row",
        mean,
        logarithm_of_length,
        ("row 0 was made empty (length 0)", "is nan"),
        Verdict.NONFINITE,
        batch=FILLED,
    ),
    Pair(
        "empty_row",
        guarded_norm,
        norm,
        ("row 0 was made empty", "the gradient of output[row 0]"),
        Verdict.NONFINITE,
        batch=AWAY,
    ),
    Pair("empty_row", mean, refuses_empty, ("row 0 was made empty", "raises"), Verdict.ERROR, batch=FILLED),
]
