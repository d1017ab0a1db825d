"""What the modes of one search share: eager mode runs little, and what it alone does wrong is found all the same."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict, strategies
from gradcheck.subject.adapter import subject_of

from .subjects import masked_mean

BATCHES = strategies.batches(features=1)
FAILING = {Verdict.PADDING_LEAK, Verdict.DISAGREEMENT, Verdict.MISMATCH}


def test_eager_mode_is_called_about_twice_for_each_batch():
    """One call before any mode, which is pulled back, too; the first batches and one in four have some more."""
    calls = []

    def subject(values, lengths):
        if tf.executing_eagerly():
            calls.append(1)
        return tf.tanh(masked_mean(values, lengths))

    result = gradcheck.search(subject, BATCHES, modes=("dynamic", "eager"), max_examples=40, seed=1)
    assert result.ok
    assert result["eager"].examples == 40
    assert 40 < len(calls) <= 3 * 40


@tf.custom_gradient
def _too_much(x):
    return tf.identity(x), lambda upstream: 1.001 * upstream


def _wrong_gradient(values, lengths):
    return masked_mean(_too_much(values) if tf.executing_eagerly() else values, lengths)


def _leak(values, lengths):
    """Sees the padding where that is no zero, in eager mode."""
    mean = masked_mean(values, lengths)
    if not tf.executing_eagerly():
        return mean
    padding = 1.0 - tf.cast(tf.sequence_mask(lengths, tf.shape(values)[1]), values.dtype)
    return mean + 1e-3 * tf.reduce_sum(values * padding[..., None], axis=1)


def _leak_of_the_amount(values, lengths):
    """Sees how much padding there is, in eager mode; padding that the search did not draw."""
    mean = masked_mean(values, lengths)
    behind = tf.shape(values)[1] - tf.reduce_max(lengths)
    return mean * (1.001 if tf.executing_eagerly() and int(behind) >= 2 else 1.0)


@pytest.mark.parametrize("wrong", [_wrong_gradient, _leak, _leak_of_the_amount])
def test_what_eager_mode_alone_does_wrong_is_found(wrong):
    small = strategies.batches(features=1, max_batch=2, max_length=3)  # eager mode shrinks slowly
    result = gradcheck.search(wrong, small, modes=("dynamic", "eager"), max_examples=30, seed=1)
    assert not result.ok
    failing = {mode: found.verdict for mode, found in result.modes.items() if not found.ok}
    assert set(failing.values()) <= FAILING
    assert result.counterexample.size == 1


def test_outputs_whose_size_follows_the_lengths_are_no_leak():
    """Arguments of the same shapes give outputs of other shapes: what was laid out once does not hold for all."""

    def cut(values, lengths):
        longest = tf.reduce_max(lengths)
        kept = values[:, :longest] * tf.cast(tf.sequence_mask(lengths, longest), values.dtype)[..., None]
        return tf.sin(kept)

    result = gradcheck.search(cut, BATCHES, modes=("dynamic", "eager"), max_examples=60, seed=2)
    assert result.ok, str(result)


def test_a_check_of_one_batch_leaves_nothing_out():
    """Sharing is for searches: four modes on one batch are each checked in full."""
    calls = []

    def subject(values, lengths):
        if tf.executing_eagerly():
            calls.append(values.numpy().tobytes())
        return tf.tanh(masked_mean(values, lengths))

    batch = gradcheck.Batch(np.linspace(-1, 1, 12).reshape(2, 3, 2), [2, 1])
    assert gradcheck.check(subject, batch).ok
    assert len(set(calls)) >= 3  # the batch, nearby, other padding


def test_what_one_mode_made_smaller_is_tried_first_in_the_others():
    def subject(values, lengths):
        return masked_mean(_too_much(values), lengths)

    result = gradcheck.search(subject, BATCHES, seed=1)
    assert {found.verdict for found in result.modes.values()} == {Verdict.MISMATCH}
    assert len({found.counterexample.key() for found in result.modes.values()}) == 1
    assert result["xla"].calls > result["xla"].examples + 1, "the first one shrinks"
    for mode in ("graph", "dynamic", "eager"):
        assert result[mode].calls == result[mode].examples + 1
        assert result[mode].report.modes[mode].entry.reference is not None, "confirmed in the mode itself"
        assert not any("was cut" in note for note in result[mode].result.notes)


def test_a_failure_of_another_kind_shrinks_for_itself():
    """Where the smaller batch of a mode before shows nothing the mode goes its own way."""

    def subject(values, lengths):
        small = tf.shape(values)[0] * tf.shape(values)[1] < 4
        factor = tf.where(small & tf.constant(tf.executing_eagerly()), 1.0, 1.001)
        return masked_mean(_by(values, tf.cast(factor, values.dtype)), lengths)

    result = gradcheck.search(subject, BATCHES, modes=("graph", "eager"), seed=1)
    assert {found.verdict for found in result.modes.values()} == {Verdict.MISMATCH}
    graph, eager = (result[mode].counterexample.values for mode in ("graph", "eager"))
    assert graph.shape[0] * graph.shape[1] < 4 <= eager.shape[0] * eager.shape[1]


@tf.custom_gradient
def _by(x, factor):
    return tf.identity(x), lambda upstream: (upstream * factor, None)


@pytest.mark.parametrize("mode", ["graph", "dynamic", "xla"])
def test_compute_gradient_takes_values_and_gradients_from_one_program(mode):
    def subject(values, lengths):
        return tf.tanh(masked_mean(values, lengths))

    batch = gradcheck.Batch(np.linspace(-1, 1, 12).reshape(2, 3, 2), [2, 1])
    assert gradcheck.check(subject, batch, modes=mode).ok
    first = next(programs for (other, _), programs in subject_of(subject).programs.items() if other == mode)
    assert first.traces == {"linearize": 1, "gradient": 1}
