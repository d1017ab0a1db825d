"""How long a failing batch is made smaller, and what is told before that."""

from __future__ import annotations

import time

import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st


@tf.custom_gradient
def _slow_and_wrong(values):
    time.sleep(0.05)
    return values * values, lambda upstream: 3.0 * values * upstream


def slow_and_wrong(values):
    return _slow_and_wrong(values)


@pytest.mark.parametrize("seconds", [0, 5])
def test_shrinking_ends_when_its_time_is_up(capsys, seconds):
    told = []
    result = gradcheck.search(
        slow_and_wrong,
        st.batches(features=2, min_value=1.0),
        modes="eager",
        seed=1,
        shrink_seconds=seconds,
        on_failure=lambda one: told.append((one.verdict, one.complete, one.counterexample, one.case is not None)),
    )
    found = result["eager"]
    assert found.verdict is Verdict.MISMATCH
    ((verdict, complete, first, kept),) = told
    assert (verdict, complete, kept) == (Verdict.MISMATCH, False, True)
    cut = any("was cut after 0 s" in note for note in found.result.notes)
    assert cut == (seconds == 0)
    if seconds == 0:
        assert repr(found.counterexample) == repr(first)
    out, err = capsys.readouterr()
    assert "@seed" not in out + err
    assert "REPORT" not in out + err


@pytest.mark.parametrize("wrong", [-1, "long"])
def test_a_wrong_time_is_refused(wrong):
    with pytest.raises(gradcheck.InputError, match="shrink_seconds must be a number of seconds"):
        gradcheck.search(slow_and_wrong, st.batches(), shrink_seconds=wrong)
