"""A right subject beside a wrong twin of it, for every verdict that a check in this process can reach.

Each wrong twin holds a mistake found in the wild, or the class of one: see `PAIRS`. Written with TensorFlow's public
functions only, so that what is wrong is wrong for the reason that the pair names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from gradcheck import Verdict

ALL = ("eager", "graph", "dynamic", "xla")


@dataclass(frozen=True)
class Pair:
    """A right subject and a wrong twin.

    Attributes:
        name: of the pair, by what the wrong one gets wrong.
        right, wrong: the subjects. ``right`` is None where the mistake has no right twin of its own.
        verdict: of the wrong one.
        modes: where it shows; the wrong one is searched in the first of them.
        batch: arguments of `gradcheck.strategies.batches` beyond its defaults.
        most_rows, most_steps: the shrunk batch is no larger.
        right_modes: modes in which the right one is searched; XLA is left out where it cannot compile the subject.
    """

    name: str
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    verdict: Verdict
    modes: tuple[str, ...] = ("graph",)
    batch: Mapping[str, Any] = field(default_factory=dict)
    most_rows: int = 1
    most_steps: int = 1
    right_modes: tuple[str, ...] = ("graph",)


def _mask(values: Any, lengths: Any) -> Any:
    return tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)[:, :, None]


def _with_gradient(value: Callable[..., Any], factor: Callable[..., Any]) -> Callable[..., Any]:
    """``value`` with its gradient multiplied by ``factor(values, lengths)``: a planted mistake."""

    def subject(values: Any, lengths: Any) -> Any:
        @tf.custom_gradient
        def planted(x: Any) -> Any:
            def gradient(dy: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = value(x, lengths)
                return tape.gradient(y, x, output_gradients=dy) * factor(x, lengths)

            return value(x, lengths), gradient

        return planted(values)

    return subject


# -- planted factors: MISMATCH ---------------------------------------------------------------------------------


def masked_sum(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(tf.sin(values) * _mask(values, lengths), axis=1)


def one_factor(values: Any, lengths: Any) -> Any:
    """1 everywhere, and 1 + 1e-5 for the first feature of the first step of the first row."""
    first = tf.scatter_nd([[0, 0, 0]], tf.constant([1e-5], values.dtype), tf.shape(values))
    return 1 + first


def sign(values: Any, lengths: Any) -> Any:
    return -tf.ones_like(values)


def at_longest(values: Any, lengths: Any) -> Any:
    """Wrong by a factor in rows whose length equals the longest, where there are several rows."""
    longest = (lengths == tf.reduce_max(lengths)) & (tf.size(lengths) > 1)
    return tf.where(longest[:, None, None], tf.constant(1.001, values.dtype), tf.ones_like(values))


def at_zero(values: Any, lengths: Any) -> Any:
    return tf.where(values == 0, tf.constant(2.0, values.dtype), tf.ones_like(values))


def in_full_rows(values: Any, lengths: Any) -> Any:
    full = (lengths == tf.shape(values)[1])[:, None, None]
    return tf.where(full, tf.constant(0.5, values.dtype), tf.ones_like(values))


def mean_or_first(values: Any, lengths: Any) -> Any:
    """Mean of the valid steps. An empty row gives the mean of a learned-looking constant and the first row's sum."""
    mask = _mask(values, lengths)
    count = tf.maximum(tf.reduce_sum(mask, axis=1), 1)
    mean = tf.reduce_sum(values * mask, axis=1) / count
    everything = tf.reduce_sum(values * mask, axis=[0, 1])
    return tf.where((lengths == 0)[:, None], tf.sin(everything)[None, :], mean)


def beside_empty_rows(values: Any, lengths: Any) -> Any:
    empty = tf.reduce_any(lengths == 0)
    return tf.where(empty, tf.constant(0.5, values.dtype), tf.constant(1.0, values.dtype)) * tf.ones_like(values)


def _dropped_mask(values: Any, lengths: Any) -> Any:
    @tf.custom_gradient
    def planted(x: Any) -> Any:
        return tf.reduce_sum(tf.sin(x) * _mask(x, lengths), axis=1), lambda dy: dy[:, None, :] * tf.cos(x)

    return planted(values)


def only_when_traced(values: Any, lengths: Any) -> Any:
    return tf.ones_like(values) * (1.0 if tf.executing_eagerly() else 1.001)


def highest(values: Any, lengths: Any) -> Any:
    """The greatest feature of every valid step."""
    return tf.reduce_max(values, axis=2) * _mask(values, lengths)[:, :, 0]


def at_ties(values: Any, lengths: Any) -> Any:
    tied = tf.reduce_sum(tf.cast(values == tf.reduce_max(values, 2, keepdims=True), tf.int32), 2, keepdims=True) > 1
    # Tied inputs share the gradient, three of them at most: each gets more than the 1 of the steeper side.
    return tf.where(tied, tf.constant(7.0, values.dtype), tf.ones_like(values))


def sorted_steps(values: Any) -> Any:
    return tf.sort(values, axis=1)


def sorted_twice_at_ties(values: Any) -> Any:
    @tf.custom_gradient
    def planted(x: Any) -> Any:
        def gradient(dy: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.sort(x, axis=1)
            tied = tf.reduce_any(y[:, 1:] == y[:, :-1])
            right = tape.gradient(y, x, output_gradients=dy)
            return tf.where(tied, 2 * right, right)

        return tf.sort(x, axis=1), gradient

    return planted(values)


def products(values: Any) -> Any:
    """Running products, by multiplication."""
    steps = tf.unstack(values, num=3, axis=2)
    return tf.stack([steps[0], steps[0] * steps[1], steps[0] * steps[1] * steps[2]], axis=2)


def library_products(values: Any) -> Any:
    """`tf.math.cumprod`, whose gradient TensorFlow computes by a division that it answers with 0 where x is 0."""
    return tf.math.cumprod(values, axis=2)


# -- DISCONNECTED ----------------------------------------------------------------------------------------------


def weighted(values: Any) -> Any:
    return values * tf.sigmoid(values[..., :1])


def weighted_stopped(values: Any) -> Any:
    return tf.stop_gradient(values * tf.sigmoid(values[..., :1]))


def thousandths(values: Any) -> Any:
    return tf.math.round(values * 0) + values * 0.001


def through_integers(values: Any) -> Any:
    return tf.cast(tf.cast(values * 1e9, tf.int64), values.dtype) * 1e-9


def through_numpy(values: Any) -> Any:
    result = tf.numpy_function(lambda x: x * 0.001, [values], values.dtype)
    result.set_shape(values.shape)
    return result


# -- NONFINITE -------------------------------------------------------------------------------------------------


def norm_guarded(values: Any) -> Any:
    squares = tf.reduce_sum(values**2, axis=-1)
    some = squares > 0
    return tf.where(some, tf.sqrt(tf.where(some, squares, tf.ones_like(squares))), tf.zeros_like(squares))


def norm_plain(values: Any) -> Any:
    return tf.sqrt(tf.reduce_sum(values**2, axis=-1))


def quotient_guarded(values: Any) -> Any:
    some = values > 0.25
    return tf.where(some, tf.sqrt(tf.where(some, values, tf.ones_like(values)) - 0.25), tf.zeros_like(values))


def log_guarded(values: Any, lengths: Any) -> Any:
    mask = _mask(values, lengths) > 0
    # A square, not a size: a number drawn at 1e-12 would stand too close to a corner for its slope to be measured.
    return tf.where(
        mask, tf.math.log(tf.where(mask, tf.square(values) + 0.5, tf.ones_like(values))), tf.zeros_like(values)
    )


def log_masked_behind(values: Any, lengths: Any) -> Any:
    """The mask comes behind the logarithm, so 0 times infinity is in the gradient at padding that holds 0."""
    mask = _mask(values, lengths)
    result = tf.math.log(tf.abs(values * mask))
    return tf.where(mask > 0, tf.math.log(tf.abs(values) + 0.5), tf.where(mask > 0, result, tf.zeros_like(result)))


def softplus_stable(values: Any) -> Any:
    return tf.where(values > 40, values, tf.math.log1p(tf.exp(tf.minimum(values, 40.0))))


def softplus_overflowing(values: Any) -> Any:
    return tf.where(values > 40, values, tf.math.log1p(tf.exp(values * 16)) / 16)


def mean_guarded(values: Any, lengths: Any) -> Any:
    mask = _mask(values, lengths)
    return tf.reduce_sum(values * mask, axis=1) / tf.maximum(tf.reduce_sum(mask, axis=1), 1)


def mean_of_nothing(values: Any, lengths: Any) -> Any:
    mask = _mask(values, lengths)
    return tf.reduce_sum(values * mask, axis=1) / tf.reduce_sum(mask, axis=1)


# -- DISAGREEMENT, NONDETERMINISTIC, ERROR, UNSUPPORTED --------------------------------------------------------


def scaled(values: Any, lengths: Any) -> Any:
    return tf.tanh(values) * _mask(values, lengths)


def scaled_when_traced(values: Any, lengths: Any) -> Any:
    return tf.tanh(values) * _mask(values, lengths) * (1.0 if tf.executing_eagerly() else 1 + 1e-6)


def kept(values: Any) -> Any:
    return values * 0.5


def dropped_out(values: Any) -> Any:
    return tf.nn.dropout(values, 0.5)


def noisy(values: Any) -> Any:
    return values + 1e-7 * tf.random.uniform(tf.shape(values), dtype=values.dtype)


def last_step(values: Any, lengths: Any) -> Any:
    last = tf.gather(values, tf.maximum(lengths - 1, 0), axis=1, batch_dims=1)
    return last * tf.cast(lengths > 0, values.dtype)[:, None]


def last_step_unguarded(values: Any, lengths: Any) -> Any:
    tf.debugging.assert_positive(lengths)
    return tf.gather(values, lengths - 1, axis=1, batch_dims=1)


def summed_with_mask(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(values * _mask(values, lengths), axis=1)


def summed_ragged(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(tf.RaggedTensor.from_tensor(values, lengths=lengths), axis=1)


# -- PADDING_LEAK ----------------------------------------------------------------------------------------------


def mean_over_axis(values: Any, lengths: Any) -> Any:
    """Divides by the time axis and not by the length, though what is summed is masked: the amount of padding shows."""
    return tf.reduce_sum(values * _mask(values, lengths), axis=1) / tf.cast(tf.shape(values)[1], values.dtype)


def mean_of_everything(values: Any, lengths: Any) -> Any:
    return tf.reduce_mean(values, axis=1)


def attention_pooled(values: Any, lengths: Any) -> Any:
    mask = _mask(values, lengths)
    scores = tf.where(mask > 0, values, tf.constant(-1e9, values.dtype))
    return tf.reduce_sum(tf.nn.softmax(scores, axis=1) * values * mask, axis=1)


def attention_pooled_unmasked(values: Any, lengths: Any) -> Any:
    return tf.reduce_sum(tf.nn.softmax(values, axis=1) * values * _mask(values, lengths), axis=1)


def normalised(values: Any, lengths: Any) -> Any:
    """Layer normalisation over features."""
    mean, variance = tf.nn.moments(values, [2], keepdims=True)
    return (values - mean) * tf.math.rsqrt(variance + 1e-3)


def normalised_over_time(values: Any, lengths: Any) -> Any:
    mean, variance = tf.nn.moments(values, [1], keepdims=True)
    return (values - mean) * tf.math.rsqrt(variance + 1e-3) * _mask(values, lengths)


def convolved(values: Any, lengths: Any) -> Any:
    padded = tf.pad(values, [[0, 0], [1, 0], [0, 0]])
    return values + 0.5 * padded[:, :-1]


def convolved_forwards(values: Any, lengths: Any) -> Any:
    """Looks one step ahead, over the end of the row."""
    padded = tf.pad(values, [[0, 0], [0, 1], [0, 0]])
    return values + 0.5 * padded[:, 1:]


def greatest(values: Any, lengths: Any) -> Any:
    lowest = tf.constant(-1e9, values.dtype)
    best = tf.reduce_max(tf.where(_mask(values, lengths) > 0, values, lowest), axis=1)
    return tf.where((lengths > 0)[:, None], best, tf.zeros_like(best))


def greatest_with_zeros(values: Any, lengths: Any) -> Any:
    """Masks by multiplying, so the zeros of the padding win where all valid values are negative: no leak of content,
    but of the amount."""
    return tf.reduce_max(values * _mask(values, lengths), axis=1)


# -- KINK: right at corners, and wrong there -------------------------------------------------------------------


def _cornered(value: Callable[..., Any], at_corner: float) -> Callable[..., Any]:
    """``value``, with ``at_corner`` as its gradient where x is 0."""

    def subject(values: Any) -> Any:
        @tf.custom_gradient
        def planted(x: Any) -> Any:
            def gradient(dy: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = value(x)
                right = tape.gradient(y, x)
                return dy * tf.where(x == 0, tf.constant(at_corner, x.dtype), right)

            return value(x), gradient

        return planted(values)

    return subject


def clipped(values: Any) -> Any:
    return tf.clip_by_value(values, -1.0, 1.0)


def clipped_wrong_at_bound(values: Any) -> Any:
    @tf.custom_gradient
    def planted(x: Any) -> Any:
        inside = tf.cast(tf.abs(x) < 1, x.dtype)
        at_bound = tf.cast(tf.abs(x) == 1, x.dtype)
        return tf.clip_by_value(x, -1.0, 1.0), lambda dy: dy * (inside - at_bound)

    return planted(values)


def _hole_filled(filling: Callable[[Any], Any]) -> Callable[..., Any]:
    """(x² - 1) / (x - 1), which has no value at 1, with ``filling(x)`` there. Next to 1 numbers cancel."""

    def subject(values: Any) -> Any:
        hole = tf.equal(values, 1)
        apart = tf.where(hole, tf.zeros_like(values), values)
        return tf.where(hole, filling(values), (apart**2 - 1) / (apart - 1))

    return subject


hole_filled, hole_filled_by_a_constant = _hole_filled(lambda x: x + 1), _hole_filled(lambda x: 2 * tf.ones_like(x))

# -- the table -------------------------------------------------------------------------------------------------

_planted = functools.partial(_with_gradient, masked_sum)
MISMATCH, DISCONNECTED, NONFINITE = Verdict.MISMATCH, Verdict.DISCONNECTED, Verdict.NONFINITE
LEAK, ERROR = Verdict.PADDING_LEAK, Verdict.ERROR
DISAGREEMENT, UNSUPPORTED = Verdict.DISAGREEMENT, Verdict.UNSUPPORTED

PAIRS = (
    Pair("one entry by 1e-5", masked_sum, _planted(one_factor), MISMATCH, right_modes=ALL),
    Pair("sign", masked_sum, _planted(sign), MISMATCH, modes=("xla",)),
    Pair("dropped mask", masked_sum, _dropped_mask, MISMATCH, modes=("dynamic",)),
    Pair("only where a length equals the longest", masked_sum, _planted(at_longest), MISMATCH, most_rows=2),
    Pair("only in full rows", masked_sum, _planted(in_full_rows), MISMATCH),
    Pair("only when traced", masked_sum, _planted(only_when_traced), MISMATCH, modes=("graph",)),
    Pair("only at zero", masked_sum, _planted(at_zero), MISMATCH),
    Pair("only beside empty rows", mean_or_first, _with_gradient(mean_or_first, beside_empty_rows), MISMATCH,
         most_rows=2),
    Pair("only at ties", highest, _with_gradient(highest, at_ties), MISMATCH),
    Pair("sort, only at ties", sorted_steps, sorted_twice_at_ties, MISMATCH, most_steps=2),
    Pair("constant in a hole", hole_filled, hole_filled_by_a_constant, MISMATCH),
    Pair("cumprod at zero", products, library_products, DISCONNECTED),
    Pair("stopped", weighted, weighted_stopped, DISCONNECTED, modes=("xla",)),
    Pair("cast to integers", thousandths, through_integers, DISCONNECTED),
    Pair("NumPy call", thousandths, through_numpy, DISCONNECTED),
    Pair("norm of a zero row", norm_guarded, norm_plain, NONFINITE, modes=("dynamic",)),
    Pair("log of zero behind where", log_guarded, log_masked_behind, NONFINITE),
    Pair("overflow behind where", softplus_stable, softplus_overflowing, NONFINITE),
    Pair("mean of an empty row", mean_guarded, mean_of_nothing, NONFINITE, modes=("xla",)),
    Pair("forward differs when traced", scaled, scaled_when_traced, DISAGREEMENT, most_steps=2, right_modes=ALL),
    Pair("dropout", kept, dropped_out, Verdict.NONDETERMINISTIC),
    Pair("slight noise", kept, noisy, Verdict.NONDETERMINISTIC),
    Pair("last step of an empty row", last_step, last_step_unguarded, ERROR),
    Pair("ragged under XLA", summed_with_mask, summed_ragged, UNSUPPORTED, modes=("xla",), right_modes=("xla",)),
    Pair("mean of everything", mean_guarded, mean_of_everything, LEAK),
    Pair("mean by the time axis", mean_guarded, mean_over_axis, LEAK, modes=("dynamic",), most_steps=2),
    Pair("softmax without mask", attention_pooled, attention_pooled_unmasked, LEAK, most_steps=2),
    Pair("normalised over time", normalised, normalised_over_time, LEAK, most_steps=2),
    Pair("one step ahead", convolved, convolved_forwards, LEAK, most_steps=2),
    Pair("greatest, masked by zeros", greatest, greatest_with_zeros, LEAK, modes=("dynamic",), most_steps=2),
    Pair("relu at zero", tf.nn.relu, _cornered(tf.nn.relu, 1.5), MISMATCH),
    Pair("abs at zero", tf.abs, _cornered(tf.abs, -1.25), MISMATCH, modes=("xla",)),
    Pair("clip at its bounds", clipped, clipped_wrong_at_bound, MISMATCH),
)  # fmt: skip
