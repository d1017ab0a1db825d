"""Planted errors are found and shrunk to the smallest batch; right subjects stay silent."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import gradcheck
from gradcheck import Batch, GradientError, Verdict, strategies
from gradcheck.harness import session as recording

from . import subjects
from .subjects import BATCH, masked_mean, scaled

BATCHES = strategies.batches(features=2)
SMALL = strategies.batches(features=2, max_batch=2, max_length=2)


def test_a_factor_shrinks_to_one_row_of_length_one():
    result = gradcheck.search(scaled(1.001), BATCHES, modes=("graph", "xla"), seed=1)
    assert not result.ok
    for mode in ("graph", "xla"):
        found = result[mode]
        assert found.verdict is Verdict.MISMATCH
        assert found.counterexample.values.shape == (1, 1, 2)
        assert found.counterexample.lengths.tolist() == [1]
        assert found.examples <= 100


@pytest.mark.parametrize("seed", range(4))
def test_lengths_say_nothing_of_a_side(seed):
    """A subject that is told only lengths is given the valid steps first, whatever was drawn, and shown so."""
    given = []

    def wrong(values, lengths):
        if tf.executing_eagerly():
            given.append((values.numpy(), lengths.numpy()))
        return scaled(1.001)(values, lengths)

    found = gradcheck.search(wrong, BATCHES, modes="dynamic", max_examples=25, seed=seed)["dynamic"]
    assert found.verdict is Verdict.MISMATCH
    assert found.counterexample.values.shape[:2] == (1, 1)
    assert found.counterexample.lengths.tolist() == [1]
    given.clear()
    batch = Batch([[[8.0, 8.0], [1.0, 2.0]]], [1], strategies.Padding("pre"))
    report = gradcheck.check(wrong, batch, modes="eager")
    assert given[0][0].tolist() == [[[1.0, 2.0], [8.0, 8.0]]]
    assert repr(batch.with_side("post")) == report.arguments


def test_what_is_mostly_undecided_is_no_pass():
    """And what was remarked of most examples is said of the search."""

    def halves(values):
        return tf.cast(tf.tanh(tf.cast(values, tf.bfloat16)), values.dtype)

    found = gradcheck.search(halves, BATCHES, modes="graph", max_examples=20, seed=1)["graph"]
    assert found.counts["UNRESOLVED"] > found.counts.get("PASS", 0)
    assert found.verdict is Verdict.UNRESOLVED

    def through_integers(values):
        return tf.cast(tf.cast(values * 0, tf.int32), values.dtype)

    found = gradcheck.search(through_integers, BATCHES, modes="graph", max_examples=10, seed=1)["graph"]
    assert found.verdict is Verdict.PASS
    assert any("is None (the path is cut by a cast to int32" in note for note in found.result.notes)


def test_a_batch_that_is_drawn_again_counts_once():
    """Fifteen of twenty draws are one batch that cannot be decided; the other five are not outvoted by it."""
    undecided = Batch(np.full((1, 1, 2), 8.0), [1])
    others = [Batch(np.full((1, 1, 2), value), [1]) for value in (0.5, 1.0, 1.5, 2.0, 3.0)]

    def fast(values):
        big = tf.cast(values > 5.0, values.dtype)
        return values + big * tf.sin(1e12 * values)

    strategy = st.sampled_from([*others, *[undecided] * 15])
    found = gradcheck.search(fast, strategy, modes="graph", max_examples=40, seed=3)["graph"]
    assert found.counts == {"UNRESOLVED": 1, "PASS": 5}
    assert found.calls == found.examples == 6
    assert found.verdict is Verdict.PASS
    said = "1 of 6 examples could not be decided (UNRESOLVED): counted neither as passed nor as failed"
    (note,) = found.result.notes
    assert note.startswith(f"{said}; on the smallest of them, Batch(values=np.array([[[8.0, 8.0]]]), lengths=")
    assert "rounding hides the gradient of output[row 0, time 0, feature 0] w.r.t. values[row 0, time 0, " in note


@pytest.mark.parametrize("tupled", [False, True])
def test_shrinking_ends_with_its_budget_and_keeps_what_it_has(monkeypatch, tupled):
    monkeypatch.setattr("gradcheck.searching.searches._MOST_SHRINKING", 5)
    strategy = BATCHES.map(lambda batch: (batch.values, batch.lengths)) if tupled else BATCHES
    found = gradcheck.search(subjects.longest_rows_wrong, strategy, modes="dynamic", seed=1)["dynamic"]
    assert found.verdict is Verdict.MISMATCH
    assert not any("did not show every time" in note for note in found.result.notes)
    if not tupled:  # what Hypothesis meets again of these is checked again
        assert found.calls - found.examples == 5


def test_an_error_in_the_longest_rows_shrinks_to_two_rows():
    result = gradcheck.search(subjects.longest_rows_wrong, BATCHES, modes="dynamic", seed=1)
    batch = result["dynamic"].counterexample
    assert sorted(batch.lengths.tolist()) == [0, 1]
    assert batch.values.shape == (2, 1, 2)


def test_an_error_in_one_mode_is_found_in_that_mode():
    result = gradcheck.search(subjects.wrong_in_graphs, SMALL, modes=("eager", "graph"), max_examples=8, seed=1)
    assert result["eager"].verdict is Verdict.PASS
    assert result["eager"].examples == 8
    assert result["graph"].verdict is Verdict.MISMATCH


def test_a_right_subject_stays_silent():
    result = gradcheck.search(masked_mean, BATCHES, max_examples=60, seed=2)
    assert result.ok
    assert {found.verdict for found in result.modes.values()} == {Verdict.PASS}
    assert result.counterexample is None
    assert result["eager"].script is None


def test_the_same_seed_gives_the_same_search():
    one, two = (gradcheck.search(scaled(1.001), BATCHES, modes="dynamic", seed=5) for _ in range(2))
    assert repr(one.counterexample) == repr(two.counterexample)
    assert (one.examples, one["dynamic"].calls) == (two.examples, two["dynamic"].calls)


def test_shrinking_keeps_the_verdict():
    # Leaks and, for rows of length 0, NaN: whichever is found first is what shrinks.
    def subject(values, lengths):
        import tensorflow as tf

        return tf.reduce_sum(values, 1) / tf.cast(lengths, values.dtype)[:, tf.newaxis]

    result = gradcheck.search(subject, BATCHES, modes="dynamic", seed=4)
    found = result["dynamic"]
    assert found.verdict in (Verdict.PADDING_LEAK, Verdict.NONFINITE)
    assert gradcheck.check(subject, found.counterexample, modes="dynamic")["dynamic"].verdict is found.verdict


def test_expected_verdicts():
    options = {"modes": "dynamic", "max_examples": 10, "seed": 1}
    assert gradcheck.search(scaled(1.001), BATCHES, expect="MISMATCH", **options).ok
    gone = gradcheck.search(masked_mean, BATCHES, expect={"dynamic": "MISMATCH"}, **options)
    assert not gone.ok
    assert gone["dynamic"].verdict is Verdict.PASS


def test_state_between_calls_is_said_and_does_not_crash_the_search():
    calls = []

    def subject(values, lengths):
        import tensorflow as tf

        if tf.executing_eagerly():
            calls.append(1)
            if 30 <= len(calls) < 33:
                raise RuntimeError("for a while")
        return masked_mean(values, lengths)

    result = gradcheck.search(subject, BATCHES, modes="eager", max_examples=40, seed=1)
    assert result["eager"].verdict is Verdict.ERROR
    assert any("did not show every time" in note for note in result["eager"].report["eager"].notes)


def test_arrays_and_tuples_are_searched_too():
    array = strategies.values(shape=(2, 2))
    assert gradcheck.search(lambda x: x**2, array, modes="graph", max_examples=5, seed=1).ok
    from hypothesis import strategies as st

    pair = st.tuples(array, array)
    assert gradcheck.search(lambda x, y: x * y, pair, modes="graph", max_examples=5, seed=1).ok


def test_results_are_json():
    result = gradcheck.search(scaled(1.001), SMALL, modes="graph", seed=1)
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    case = data["modes"]["graph"]["counterexample"]["batch"]
    again = Batch.from_dict(case)
    assert gradcheck.check(scaled(1.001), again, modes="graph")["graph"].verdict is Verdict.MISMATCH
    report = gradcheck.check(scaled(1.001), BATCH)
    json.dumps(report.to_dict(), allow_nan=False)


def test_progress_is_told():
    told = []
    gradcheck.search(
        masked_mean,
        BATCHES,
        modes="dynamic",
        max_examples=5,
        seed=1,
        on_example=lambda mode, count, phase: told.append((mode, count, phase)),
    )
    assert told == [("dynamic", count, "search") for count in range(1, 6)]


def test_assert_gradients():
    assert gradcheck.assert_gradients(masked_mean, BATCH).ok
    with pytest.raises(GradientError) as caught:
        gradcheck.assert_gradients(scaled(1.001), BATCH, modes="graph")
    assert "1.001 times the slope" in str(caught.value)
    assert not caught.value.report.ok


def test_listeners_hear_of_checks_and_searches():
    heard = []
    recording.subscribe(heard.append)
    try:
        gradcheck.assert_gradients(masked_mean, BATCH, modes="graph")
        gradcheck.check(masked_mean, BATCH, modes="graph")  # asks, asserts nothing
        gradcheck.search(masked_mean, BATCHES, modes="graph", max_examples=3, seed=1)
    finally:
        recording.unsubscribe(heard.append)
    assert [report.subject for report in heard] == ["masked_mean", "masked_mean"]
