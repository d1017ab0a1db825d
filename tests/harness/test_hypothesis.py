"""Searches and Hypothesis: the user's profile and database, statistics, targets, one counterexample for one cause."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import Phase, Verbosity, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase, InMemoryExampleDatabase

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st
from gradcheck.harness import comparison
from gradcheck.report import ModeResult, Report
from gradcheck.searching.searches import LocalChecks, search_with

from .subjects import masked_mean, scaled

BATCHES = st.batches(features=2)


@pytest.fixture
def profile():
    """``profile(max_examples=7)`` loads a profile with these settings; afterwards the old one is back."""
    before = settings()

    def load(**values) -> None:
        settings.register_profile("of the test", parent=before, **values)
        settings.load_profile("of the test")

    yield load
    settings.register_profile("before the test", parent=before)
    settings.load_profile("before the test")


def test_the_number_of_examples_of_the_profile(profile) -> None:
    profile(max_examples=7)
    assert gradcheck.search(masked_mean, BATCHES, modes="dynamic")["dynamic"].examples <= 7
    assert gradcheck.search(masked_mean, BATCHES, modes="dynamic", max_examples=9, seed=1).examples == 9


def test_the_phases_of_the_profile(profile) -> None:
    shrunk = gradcheck.search(scaled(1.001), BATCHES, modes="dynamic", seed=1)
    profile(phases=[Phase.generate])
    found = gradcheck.search(scaled(1.001), BATCHES, modes="dynamic", seed=1)
    assert found["dynamic"].verdict is Verdict.MISMATCH
    assert found["dynamic"].calls < shrunk["dynamic"].calls


def test_derandomized_profiles_repeat(profile) -> None:
    profile(derandomize=True, database=None, max_examples=20)
    one, two = (gradcheck.search(scaled(1.001), BATCHES, modes="dynamic") for _ in range(2))
    assert one["dynamic"].examples == two["dynamic"].examples
    assert repr(one.counterexample) == repr(two.counterexample)


def test_the_verbosity_of_the_profile(profile, capsys) -> None:
    profile(verbosity=Verbosity.verbose, max_examples=2)
    gradcheck.search(masked_mean, BATCHES, modes="dynamic", seed=0)
    assert "Batch(values=" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_a_failure_is_found_again_from_the_database(profile, tmp_path: Path, mode: str) -> None:
    profile(database=DirectoryBasedExampleDatabase(tmp_path), max_examples=30)
    first = gradcheck.search(_wrong_in_long_rows, BATCHES, modes=mode)[mode]
    assert first.verdict is Verdict.MISMATCH
    again = gradcheck.search(_wrong_in_long_rows, BATCHES, modes=mode)[mode]
    assert again.examples == 1
    assert repr(again.counterexample) == repr(first.counterexample)
    # Nothing of it is met in a search of something else.
    assert gradcheck.search(masked_mean, BATCHES, modes=mode, max_examples=2).ok


def test_no_database_where_the_profile_has_none(profile) -> None:
    database = InMemoryExampleDatabase()
    profile(database=None)
    gradcheck.search(scaled(1.001), BATCHES, modes="dynamic", max_examples=10)
    profile(database=database)
    assert database.data == {}
    gradcheck.search(scaled(1.001), BATCHES, modes="dynamic", max_examples=10)
    assert database.data


def _wrong_in_long_rows(values, lengths):
    """Off by 1 % where a row has three steps or more."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]

    @tf.custom_gradient
    def total(x):
        factor = tf.where(tf.reduce_any(lengths > 2), 1.01, 1.0)
        return tf.reduce_sum(x * mask, 1), lambda dy: dy[:, tf.newaxis] * mask * tf.cast(factor, x.dtype)

    return total(values)


# -- statistics and targets ------------------------------------------------------------------------------------------


def test_events_of_tests_and_of_searches(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import gradcheck, tensorflow as tf
        from gradcheck import strategies as st
        from hypothesis import given, settings

        def absolute(values):
            return tf.abs(values)

        @settings(max_examples=30, deadline=None, database=None, derandomize=True)
        @given(st.batches(features=1))
        def test_given(batch):
            gradcheck.assert_gradients(absolute, batch, modes="dynamic")
            gradcheck.assert_gradients(absolute, batch, modes="dynamic")

        def test_search():
            gradcheck.search(absolute, st.batches(features=1), modes=("dynamic", "eager"), max_examples=20, seed=0)
        """
    )
    result = pytester.runpytest_subprocess("--hypothesis-show-statistics", "-p", "no:cacheprovider")
    text = result.stdout.str()
    result.assert_outcomes(passed=2)
    for words in ("verdict: KINK in dynamic", "verdict: PASS in dynamic", "lengths: has 0", "padding: pre"):
        assert text.count(words) >= 2, text
    assert "test_events_of_tests_and_of_searches.py::test_search, search of absolute in dynamic:" in text
    assert "search of absolute in eager:" in text


def test_what_is_nearly_wrong_is_climbed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("hypothesis.target", lambda value, label: seen.append((value, label)))
    near = scaled(1.0000001)
    report = gradcheck.check(near, gradcheck.Batch([[[1.0, 2.0]]], [1]), modes="dynamic", atol=1e-3)
    assert report["dynamic"].verdict is Verdict.PASS
    assert 0 < report["dynamic"].excess < 1
    gradcheck.search(near, BATCHES, modes="dynamic", seed=0, max_examples=20, rtol=3e-7, atol=1e-9)
    assert seen
    assert all(0.1 <= value <= 1 and label == "subject in dynamic: discrepancy / allowed" for value, label in seen)
    seen.clear()
    gradcheck.search(masked_mean, BATCHES, modes="dynamic", seed=0, max_examples=20)
    assert not seen  # rounding is no trace to follow


# -- one counterexample for one cause ---------------------------------------------------------------------------------


def test_modes_that_fail_alike_share_the_smallest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """One mode whose shrinking stops early is shown on the batch of the other."""
    wrong = scaled(1.001)
    whole = LocalChecks.check

    def unwilling(self, args, mode, options, *, again=False):
        report = whole(self, args, mode, options, again=again)
        if mode == "graph" and not again and args[0].size == 1:
            return Report(report.subject, {mode: ModeResult(mode, Verdict.PASS)})
        return report

    monkeypatch.setattr(LocalChecks, "check", unwilling)
    result = gradcheck.search(wrong, BATCHES, modes=("graph", "dynamic"), seed=1)
    assert {repr(found.counterexample) for found in result.modes.values()} == {repr(result["dynamic"].counterexample)}
    assert result["graph"].counterexample.size == 1
    assert result["graph"].case.arguments == (result["graph"].counterexample,)
    assert str(result).count("on this batch:") == 1


def test_different_causes_keep_their_own() -> None:
    def subject(values, lengths):
        total = masked_mean(values, lengths)
        if not tf.executing_eagerly():
            return total * float("nan")
        return scaled(1.001)(values, lengths)

    small = st.batches(features=1, max_batch=1, max_length=1)  # no mode has right slopes for eager mode to borrow
    result = gradcheck.search(subject, small, modes=("eager", "graph"), seed=1, max_examples=10)
    assert (result["eager"].verdict, result["graph"].verdict) == (Verdict.MISMATCH, Verdict.NONFINITE)
    assert str(result).count("on this batch:") == 2


@pytest.mark.parametrize("derandomize", [False, True])
def test_modes_meet_the_same_batches_without_a_seed_too(profile, derandomize: bool) -> None:
    """What eager mode and the reference show of a batch is computed once for all modes."""
    profile(derandomize=derandomize, database=None)
    met: dict[str, list] = {"graph": [], "dynamic": []}

    class Noting(LocalChecks):
        def check(self, args, mode, options, *, again=False):
            met[mode].append(args[0].key())
            return super().check(args, mode, options, again=again)

    assert search_with(Noting(masked_mean), BATCHES, modes=tuple(met), max_examples=8).ok
    assert len(met["graph"]) >= 8
    assert met["graph"] == met["dynamic"]


def test_settings_to_import(profile) -> None:
    profile(max_examples=7, database=None)
    made = gradcheck.hypothesis_settings()
    assert (made.max_examples, made.deadline, made.database) == (7, None, None)
    assert Phase.shrink in made.phases
    assert Phase.explain not in made.phases
    assert gradcheck.hypothesis_settings(3, derandomize=True).max_examples == 3
    assert gradcheck.hypothesis_settings(phases=[Phase.explain]).phases == (Phase.explain,)


def test_an_example_of_a_given_test_costs_what_one_of_a_search_costs(monkeypatch) -> None:
    """Every entry is looked at on the first batch of a program; later ones pull back one combination of rows."""
    formed = []
    original = comparison.theoretical_jacobian
    monkeypatch.setattr(
        comparison,
        "theoretical_jacobian",
        lambda run, *args, **kwargs: formed.append(run.mode) or original(run, *args, **kwargs),
    )

    def subject(values, lengths):
        return tf.tanh(masked_mean(values, lengths))

    one_shape = st.batches(features=1, min_batch=2, max_batch=2, min_time=3, max_length=3, max_extra=0, singular=False)

    @gradcheck.hypothesis_settings(12, database=None, derandomize=True)
    @given(one_shape)
    def test(batch) -> None:
        gradcheck.assert_gradients(subject, batch, modes=("graph", "eager"))

    test()
    assert sorted(formed) == ["eager", "graph"]
