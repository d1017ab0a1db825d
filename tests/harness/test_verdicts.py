"""Every verdict that a check can give in process: a subject that earns it, beside a twin that does not."""

from __future__ import annotations

import numpy as np
import pytest

import gradcheck
from gradcheck import Batch, Verdict

from . import subjects
from .subjects import BATCH

EMPTY_ROW = Batch(np.array([[[0.5, 1.0], [2.0, 0.25]], [[3.0, 3.0], [3.0, 3.0]]]), np.array([2, 0], np.int32))
ZEROS = Batch(np.zeros((2, 2, 2)), np.array([2, 1], np.int32))
ALL = set(gradcheck.MODES)
TRACED = ALL - {"eager"}

# subject, batch, verdict, modes in which it is found; the other modes pass (or see a corner)
WRONG = [
    (subjects.scaled(1.00001), BATCH, Verdict.MISMATCH, ALL),
    (subjects.scaled(-1.0), BATCH, Verdict.MISMATCH, ALL),
    (subjects.longest_rows_wrong, BATCH, Verdict.MISMATCH, ALL),
    (subjects.wrong_in_graphs, BATCH, Verdict.MISMATCH, TRACED),
    (subjects.mask_dropped_in_gradient, BATCH, Verdict.MISMATCH, ALL),
    (subjects.wrong_relu_mean, BATCH, Verdict.MISMATCH, ALL),
    (subjects.stopped, BATCH, Verdict.DISCONNECTED, ALL),
    (subjects.through_integers, BATCH, Verdict.DISCONNECTED, ALL),
    (subjects.plain_mean, BATCH, Verdict.PADDING_LEAK, ALL),
    (subjects.divided_by_time, BATCH, Verdict.PADDING_LEAK, {"eager", "dynamic", "graph", "xla"}),
    (subjects.divided_by_length, EMPTY_ROW, Verdict.NONFINITE, ALL),
    (subjects.norm, ZEROS, Verdict.NONFINITE, ALL),
    (subjects.other_in_graphs, BATCH, Verdict.DISAGREEMENT, TRACED),
    (subjects.dropout, BATCH, Verdict.NONDETERMINISTIC, ALL),
    (subjects.raises_on_empty_rows, EMPTY_ROW, Verdict.ERROR, ALL - {"xla"}),
    (subjects.python_only, BATCH, Verdict.UNSUPPORTED, TRACED),
]


@pytest.mark.parametrize(("subject", "batch", "verdict", "modes"), WRONG, ids=lambda v: getattr(v, "__name__", None))
def test_found_in_every_mode_that_has_it(subject, batch, verdict, modes):
    report = gradcheck.check(subject, batch)
    found = {mode for mode, result in report.modes.items() if result.verdict is verdict}
    assert found == modes, {mode: (result.verdict, result.cause) for mode, result in report.modes.items()}
    quiet = {mode: result for mode, result in report.modes.items() if mode not in modes}
    if subject is subjects.raises_on_empty_rows:
        # XLA drops assertions: a result where eager mode raises.
        assert quiet.pop("xla").verdict is Verdict.DISAGREEMENT
    assert not any(result.verdict.fails for result in quiet.values())
    for mode in modes:
        assert report[mode].cause


RIGHT = [
    (subjects.masked_mean, BATCH, Verdict.PASS),
    (subjects.scaled(1.0), BATCH, Verdict.PASS),
    (subjects.masked_mean, EMPTY_ROW, Verdict.PASS),
    (subjects.safe_norm, BATCH, Verdict.PASS),
    (subjects.relu_mean, BATCH, Verdict.KINK),
    (subjects.raises_on_empty_rows, BATCH, Verdict.PASS),
]


@pytest.mark.parametrize(("subject", "batch", "verdict"), RIGHT)
def test_right_subjects_are_not_blamed(subject, batch, verdict):
    report = gradcheck.check(subject, batch)
    assert report.ok
    assert {result.verdict for result in report.modes.values()} == {verdict}, str(report)


def test_pass_says_how_small_an_error_it_would_have_seen():
    report = gradcheck.check(subjects.masked_mean, BATCH)
    for result in report.modes.values():
        assert result.resolution is not None
        assert 0 < result.resolution < 1e-6
    # ... and means it: an error of a hundred times that, in every entry, is found.
    error = 100 * max(result.resolution for result in report.modes.values())
    assert gradcheck.check(subjects.scaled(1 + error), BATCH)["graph"].verdict is Verdict.MISMATCH


def test_entry_is_named_in_words_and_confirmed():
    result = gradcheck.check(subjects.scaled(1.001), BATCH, modes="graph")["graph"]
    entry = result.entry
    assert entry is not None
    assert entry.output == "output[row 1, feature 1]"
    assert entry.input == "values[row 1, time 0, feature 1]"
    assert entry.theoretical == pytest.approx(1.001 * entry.numerical, rel=1e-6)
    assert entry.reference is not None
    assert entry.reference[0] == entry.theoretical
    assert entry.reference[1] == pytest.approx(entry.numerical, rel=1e-5)
    assert "1.001 times the slope" in result.cause


def test_none_gradient_without_effect_is_a_note():
    def ignores_values(values, lengths):
        import tensorflow as tf

        return tf.ones([tf.shape(values)[0], 1], values.dtype)

    report = gradcheck.check(ignores_values, BATCH)
    assert report.ok, str(report)
    assert any("None" in note for note in report["graph"].notes)


def test_a_fault_of_this_project_is_not_put_on_the_subject(monkeypatch):
    from gradcheck.harness import one_mode

    monkeypatch.setattr(one_mode, "first_violated", None)  # what is called there then raises a TypeError
    report = gradcheck.check(subjects.masked_mean, BATCH, modes="graph")
    assert report["graph"].verdict is Verdict.ERROR
    assert "gradcheck itself failed, which says nothing of the subject (TypeError" in report["graph"].cause
    assert "harness/one_mode.py" in report["graph"].detail


def test_an_error_in_numpy_that_the_subject_calls_is_the_subjects():
    def subject(values):
        return values * np.zeros((2, 3)).reshape(5)

    report = gradcheck.check(subject, np.ones((2, 3)), modes="eager")
    assert report["eager"].verdict is Verdict.ERROR
    assert "reshape" in report["eager"].cause
    assert "gradcheck itself" not in report["eager"].cause
