"""A call that takes a thousand times as long as the first is given up, and said to be, also without isolation."""

from __future__ import annotations

import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import cancellation

import gradcheck
from gradcheck import Verdict
from gradcheck.support import patience

X = np.array([[1.0, 2.0], [0.5, -1.0]])


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(patience, "_LEAST_SECONDS", 3.0)
    monkeypatch.setattr(patience, "_LATER_SECONDS", 1.0)
    monkeypatch.setattr(patience, "_TIMES_THE_FIRST", 1.0)
    monkeypatch.setattr(patience, "_LATER_TIMES", 1.0)


class Waits:
    """Is quick at first, and then never comes back."""

    def __init__(self):
        self.calls = 0

    def __call__(self, values):
        self.calls += 1
        while self.calls > 3 and tf.executing_eagerly():
            time.sleep(0.01)
        return values * values


def loops_for_ever(values):
    """Comes back in eager mode, and under tf.function does not."""
    if tf.executing_eagerly():
        return values * values
    return tf.while_loop(lambda v: tf.reduce_all(tf.abs(v) >= 0.0), lambda v: (tf.sin(v),), (values,))[0]


def over_a_dataset(values):
    """Slow in eager mode, and cut off: a data set hands on no gradient."""
    total = tf.zeros_like(values[0])
    for row in tf.data.Dataset.from_tensor_slices(values):
        total = total + row * row
    return total


def test_python_that_does_not_come_back(hurried):
    found = gradcheck.check(Waits(), X, modes="eager")["eager"]
    assert found.verdict is Verdict.CRASH
    assert "did not come back within" in found.cause
    assert "the first took" in found.cause


@pytest.mark.skipif(not hasattr(cancellation, "CancellationManagerContext"), reason="this TensorFlow cancels nothing")
def test_a_graph_that_does_not_come_back(hurried):
    start = time.monotonic()
    report = gradcheck.check(loops_for_ever, X, modes=("eager", "graph"))
    assert time.monotonic() - start < 60
    assert report["graph"].verdict is Verdict.CRASH, str(report)
    assert "did not come back within" in report["graph"].cause
    assert report["eager"].verdict is Verdict.PASS
    assert "loop that does not end" in " ".join(str(report).split())


def test_eager_mode_is_not_measured_where_that_is_slow():
    report = gradcheck.check(over_a_dataset, np.ones((1, 1)), modes=("eager", "graph"))
    assert {report[mode].verdict for mode in report} == {Verdict.DISCONNECTED}, str(report)


def test_what_is_quick_is_left_alone(hurried):
    report = gradcheck.check(lambda values: tf.sin(values), X)
    assert report.ok
    time.sleep(1.2)  # longer than the watch takes to look
