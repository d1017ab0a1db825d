"""What is rounded or cast to an integer: whether a gradient of zero is right is a matter of how wide the steps are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck.verdicts import Verdict

POINTS = np.random.default_rng(5).normal(size=(4, 1, 3)) * 10.0 ** np.arange(-2, 2)[:, None, None]


def rounded(steps, cast):
    if cast:
        return lambda x: tf.cast(tf.cast(x * steps, tf.int64), x.dtype) / steps
    return lambda x: tf.floor(x * steps) / steps


@pytest.mark.parametrize("cast", [True, False])
@pytest.mark.parametrize(
    ("steps", "verdict"),
    [(1.0, Verdict.PASS), (20.0, Verdict.PASS), (255.0, Verdict.DISCONNECTED), (1e5, Verdict.DISCONNECTED)],
)
def test_the_width_of_the_steps_decides_and_nothing_else(steps, verdict, cast):
    """Wherever the batch lies: a ladder of steps sees a slope, steps, jumps or nothing, by chance."""
    subject = rounded(steps, cast)
    met = {gradcheck.check(subject, x, modes="graph")["graph"].verdict for x in POINTS}
    assert met == {verdict}


def test_a_gradient_of_zero_on_wide_steps_is_noted_with_what_cuts_it():
    note = "\n".join(gradcheck.check(rounded(10.0, cast=True), POINTS[2], modes="graph")["graph"].notes)
    assert "a cast to int64 (test_quantised.py:" in note
    assert "in steps if at all, between which they are flat" in note


def test_what_follows_the_input_in_steps_says_so_in_report_picture_and_script(tmp_path):
    subject = rounded(255.0, cast=True)
    report = gradcheck.check(subject, np.array([[0.3, 1.7]]), modes=("graph", "eager"))
    result = report["graph"]
    assert result.entry.numerical == pytest.approx(1.0, abs=0.05)
    assert result.entry.left is None
    assert "in steps so small that it follows: the path is cut by a cast to int64" in result.cause
    assert report["eager"].cause == result.cause
    numerical = np.array(report.evidence["graph"]["jacobian"]["numerical"])
    np.testing.assert_allclose(numerical, np.eye(2), atol=0.05)
    script = tmp_path / "shown.py"
    script.write_text(report.scripts["graph"])
    shown = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert "FAILURE REPRODUCED" in shown.stdout, shown.stdout + shown.stderr


def test_a_jump_exactly_at_the_point_stays_a_corner():
    assert gradcheck.check(rounded(4.0, cast=False), np.array([0.25]), modes="graph")["graph"].verdict is Verdict.KINK


def test_what_goes_up_and_down_again_follows_nothing():
    def triangle(x):
        return tf.math.floormod(tf.floor(x * 512.0), 8.0)

    assert gradcheck.check(triangle, np.array([0.3]), modes="graph")["graph"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    "subject",
    [
        lambda x: tf.floor(x * 4.0) + 1e-3 * tf.stop_gradient(x),  # a way beside the steps
        lambda x: tf.math.imag(tf.sign(tf.complex(tf.stop_gradient(x), x * 0 + 2.0))),  # the direction of a number
        lambda x: tf.numpy_function(lambda v: np.floor(v * 4.0) + 1e-3 * v, [x], tf.float64),  # steps nobody can see
    ],
)
def test_steps_excuse_nothing_that_moves_beside_them(subject):
    assert gradcheck.check(subject, np.array([0.3]), modes="graph")["graph"].verdict is Verdict.DISCONNECTED


def test_a_gradient_that_is_not_zero_on_steps_is_wrong():
    @tf.custom_gradient
    def straight_through(x):
        return tf.round(x), lambda upstream: upstream

    result = gradcheck.check(straight_through, np.array([0.3]), modes="graph")["graph"]
    assert result.verdict is Verdict.MISMATCH
    assert result.entry.numerical == 0.0


def test_variables_that_are_rounded_are_looked_at_too():
    class Quantized(tf.Module):
        def __init__(self, steps):
            super().__init__()
            self.steps = steps
            self.scale = tf.Variable([1.3, 0.7], dtype=tf.float64)

        def __call__(self, x):
            return x * tf.round(self.scale * self.steps) / self.steps

    x = np.array([[0.3, 1.7]])
    assert gradcheck.check(Quantized(4.0), x, modes="graph")["graph"].verdict is Verdict.PASS
    fine = gradcheck.check(Quantized(512.0), x, modes="graph")["graph"]
    assert fine.verdict is Verdict.DISCONNECTED
    assert "variable" in fine.cause


def test_an_index_beyond_its_table_leaves_the_verdict_to_the_ladder():
    def looked_up(x):
        return tf.gather(tf.constant([1.0, 2.0, 4.0], tf.float64), tf.cast(x * 20.0, tf.int32))

    result = gradcheck.check(looked_up, np.array([0.12]), modes="graph")["graph"]
    assert not result.verdict.fails, result
