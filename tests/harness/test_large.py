"""Jacobians too large to form: random directions find one wrong entry among millions, and name it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict

SIZE = 30_000
X = np.linspace(-1.0, 1.0, SIZE)


def smooth(x):
    return tf.sin(x) + tf.reduce_mean(x)


def one_entry_wrong(x):
    @tf.custom_gradient
    def sine(x):
        error = tf.one_hot(12_345, SIZE, dtype=x.dtype) * 1e-4
        return tf.sin(x), lambda upstream: upstream * (tf.cos(x) + error)

    return sine(x) + tf.reduce_mean(x)


def test_right_and_wrong():
    report = gradcheck.check(smooth, X, modes=("eager", "graph"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    assert {result.engine for result in report.modes.values()} == {"projected"}
    report = gradcheck.check(one_entry_wrong, X, modes=("graph", "xla"))
    for result in report.modes.values():
        assert result.verdict is Verdict.MISMATCH, str(report)
        assert result.entry.output == "output[12345]"
        assert result.entry.input == "x[12345]"


@tf.custom_gradient
def nan_behind_one_output(x):
    """Finite outputs; the gradient of the one in the middle is NaN."""
    middle = tf.equal(tf.range(tf.size(x)), tf.size(x) // 2)

    def gradient(upstream):
        nan = tf.cast(float("nan"), x.dtype)
        return tf.where(middle & (upstream != 0), nan, upstream * tf.cos(x))

    return tf.sin(x), gradient


@pytest.mark.parametrize(("size", "engine"), [(30_000, None), (20, "projected")])
def test_a_gradient_of_nan_is_found_along_random_directions(size, engine):
    report = gradcheck.check(nan_behind_one_output, np.linspace(-1.0, 1.0, size), engine=engine)
    for result in report.modes.values():
        assert (result.verdict, result.engine) == (Verdict.NONFINITE, "projected"), str(report)
        assert result.entry.output == f"output[{size // 2}]"
        assert f"x[{size // 2}] is nan" in result.cause


def test_projected_by_hand():
    small = X[::1000]
    assert gradcheck.check(lambda x: tf.sin(x), small, engine="projected", modes="graph").ok


def test_a_check_of_very_many_numbers_says_that_it_is_long(caplog, monkeypatch):
    from gradcheck.harness import checking

    monkeypatch.setattr(checking, "_LONG", 100)
    gradcheck.check(lambda x: 2 * x, np.ones(100), modes="eager")
    assert not caplog.records
    gradcheck.check(lambda x: 2 * x, np.ones(101), modes="eager")
    (record,) = caplog.records
    assert "the arguments have 101 numbers, so this check in eager takes minutes" in record.getMessage()
