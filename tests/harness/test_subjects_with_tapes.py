"""Subjects that differentiate on their way: scores, forces, physics-informed losses, Jacobians and Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict

X = np.array([[1.0, 2.0], [0.5, -0.25]])


def score(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x * x)
    return tape.gradient(y, x)


def nested(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(tf.sin(x) * x)
        gradient = inner.gradient(y, x)
    return outer.gradient(gradient, x)


def persistent(x):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x)
        z = tf.reduce_sum(tf.sin(x))
    return tape.gradient(y, x) * tape.gradient(z, x)


def jacobian(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sin(x) * tf.reduce_sum(x)
    return tape.jacobian(y, x)


def batch_jacobian(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sin(x) * tf.reduce_sum(x, axis=1, keepdims=True)
    return tape.batch_jacobian(y, x)


def forward_mode(x):
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        y = tf.sin(x) * x
    return accumulator.jvp(y)


def hessian_row_by_row(x):
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(tf.sin(x) * tf.reduce_sum(x))
        parts = tf.unstack(inner.gradient(y, x), num=x.shape[-1], axis=-1)
    return tf.stack([outer.gradient(part, x) for part in parts])


class Force(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([[1.0, 2.0], [0.5, -1.0]], dtype=tf.float64)

    def __call__(self, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            energy = tf.reduce_sum(tf.tanh(x @ self.weight))
        return -tape.gradient(energy, x)


@pytest.mark.parametrize(
    "subject",
    [score, nested, persistent, jacobian, batch_jacobian, forward_mode, hessian_row_by_row, Force],
    ids=lambda subject: subject.__name__,
)
def test_subjects_that_differentiate_pass_in_every_mode(subject):
    report = gradcheck.check(subject, X)
    assert {mode: result.verdict for mode, result in report.modes.items()} == dict.fromkeys(
        ("eager", "graph", "dynamic", "xla"), Verdict.PASS
    ), str(report)


def test_the_second_derivative_of_such_a_subject():
    assert gradcheck.check(score, X, order=2).ok


def test_a_wrong_one_is_found_and_shown_by_compute_gradient_too():
    def stopped(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x * x * x)
        return tape.gradient(y, x) + tf.stop_gradient(x)

    report = gradcheck.check(stopped, X)
    for mode, result in report.modes.items():
        assert result.verdict is Verdict.MISMATCH, mode
        theoretical, numerical = result.entry.reference
        np.testing.assert_allclose(numerical - theoretical, 1.0, atol=1e-6, err_msg=mode)
