"""Checks against the exact reference: what it decides that measured slopes cannot, and when it steps aside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict, strategies

X = np.array([[0.3, -1.2, 0.7]])


def planted(factor: float) -> Any:
    """A sine whose gradient is off by a factor."""

    @tf.custom_gradient
    def subject(x: Any) -> Any:
        return tf.sin(x), lambda upstream: upstream * tf.cos(x) * tf.constant(factor, x.dtype)

    return subject


@pytest.mark.parametrize("mode", ["eager", "graph", "dynamic", "xla"])
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-5)])
def test_an_error_of_a_hundred_roundings_is_found(mode: str, dtype: str, error: float) -> None:
    x = X.astype(dtype)
    wrong = gradcheck.check(planted(1 + error), x, modes=mode)[mode]
    assert wrong.verdict is Verdict.MISMATCH, wrong
    right = gradcheck.check(planted(1.0), x, modes=mode)[mode]
    assert right.verdict is Verdict.PASS, right
    assert right.engine == "exact"
    assert right.resolution < error


def test_a_kink_names_the_operation_and_the_line() -> None:
    result = gradcheck.check(lambda x: tf.nn.relu(x), np.array([0.0, 1.0]), modes="graph")["graph"]
    assert result.verdict is Verdict.KINK
    assert "Relu (test_exact.py:" in result.cause


def test_a_gradient_outside_every_convention_is_wrong() -> None:
    @tf.custom_gradient
    def relu(x: Any) -> Any:
        return tf.nn.relu(
            x
        ), lambda upstream: upstream * tf.where(x == 0, 1.5 * tf.ones_like(x), tf.cast(x > 0, x.dtype))

    result = gradcheck.check(relu, np.array([0.0, 1.0]), modes="graph")["graph"]
    assert result.verdict is Verdict.MISMATCH, result


def test_a_gradient_by_convention_is_a_kink_where_there_is_a_corner() -> None:
    """The slopes of abs(x) + relu(x) at 0 are -1 and 2. TensorFlow's 0 lies within."""
    result = gradcheck.check(lambda x: tf.abs(x) + tf.nn.relu(x), np.array([0.0, 1.0]), modes="graph")["graph"]
    assert result.verdict is Verdict.KINK, result


def test_ties_that_float32_makes_blame_nobody() -> None:
    x = np.array([[[0.0], [9.5e-7], [0.0], [0.0]]], np.float32)
    for subject in (
        lambda v: tf.reduce_max(v + 1000.0, axis=1),
        lambda v: tf.nn.relu((v + 1000.0) - 1000.0),
        lambda v: tf.sort(v + 1000.0, axis=1),
    ):
        report = gradcheck.check(subject, x)
        assert report.ok, str(report)


def test_digits_that_are_lost_are_named_with_the_operation() -> None:
    def absorbed(x: Any) -> Any:
        return tf.nn.softmax(x - 1e9)

    result = gradcheck.check(absorbed, X.astype(np.float32), modes="graph")["graph"]
    assert result.verdict is Verdict.UNRESOLVED
    assert "its digits are lost in Sub (test_exact.py:" in result.cause


def test_a_subject_that_draws_has_no_exact_reference() -> None:
    def noisy(x: Any) -> Any:
        return x * tf.random.uniform([], dtype=x.dtype)

    result = gradcheck.check(noisy, X, modes="graph", engine="exact")["graph"]
    assert any("there is no exact reference" in note for note in result.notes)


@pytest.mark.parametrize(("asked", "used"), [("measured", "measured"), ("compiled", "measured"), ("exact", "exact")])
def test_engines_by_name(asked: str, used: str) -> None:
    assert gradcheck.check(tf.sin, X, modes="graph", engine=asked)["graph"].engine == used


def test_variables_and_state_are_interpreted() -> None:
    weight, calls = tf.Variable([2.0, 3.0, 4.0], dtype=tf.float64), tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def subject(x: Any) -> Any:
        calls.assign_add(1.0)
        return tf.tanh(x * weight) * calls

    report = gradcheck.check(subject, X, modes=("eager", "graph"))
    assert {result.engine for result in report.modes.values()} == {"exact"}, str(report)
    assert report.ok, str(report)


def test_loops_branches_and_calls_are_interpreted() -> None:
    @tf.function
    def inner(x: Any) -> Any:
        return tf.sin(x) * 2.0

    def subject(x: Any) -> Any:
        total = tf.zeros_like(x)
        for _ in tf.range(3):
            total = total + inner(x) if tf.reduce_sum(total) < 10.0 else total
        return total

    report = gradcheck.check(subject, X, modes=("graph", "xla"))
    assert {(result.verdict, result.engine) for result in report.modes.values()} == {(Verdict.PASS, "exact")}


def test_an_operation_without_a_rule_is_named() -> None:
    @tf.custom_gradient
    def cubed(x: Any) -> Any:
        y = tf.numpy_function(lambda v: v**3, [x], tf.float64)
        return tf.ensure_shape(y, x.shape), lambda upstream: upstream * 3 * x**2

    result = gradcheck.check(cubed, X, modes="graph")["graph"]
    assert (result.verdict, result.engine) == (Verdict.PASS, "exact"), result
    assert any("no exact rule is known for PyFunc (test_exact.py:" in note for note in result.notes)


def test_a_gradient_that_is_clipped_is_found_on_other_batches_than_the_first() -> None:
    @tf.custom_gradient
    def subject(x: Any) -> Any:
        return (
            tf.sin(x),
            lambda upstream: (
                tf.cos(x) * tf.where(tf.reduce_max(x) > 2.0, tf.clip_by_value(upstream, -2.0, 2.0), upstream)
            ),
        )

    found = gradcheck.search(subject, strategies.batches(features=2), modes="graph", max_examples=60, seed=1)["graph"]
    assert found.verdict is Verdict.MISMATCH, found


def _gram(v: Any) -> Any:
    return tf.matmul(v, v, transpose_a=True) + tf.eye(3, dtype=v.dtype)


@pytest.mark.parametrize(
    ("subject", "x"),
    [
        # An entry of 1.5e-36, beside cofactors of 1.
        (lambda v: tf.linalg.det(_gram(v)), np.array([[[0.0, 0.0, 2.0**-40], [2.0**-40, 0.0, 2.0**-40]]])),
        # What stands below the diagonal of r is 0, and its gradient 2e-17.
        (lambda v: tf.linalg.qr(_gram(v))[1], -np.ones((1, 2, 3))),
        # 1/3 - 1/3 of a softmax, in two ways of rounding.
        (
            lambda v: tf.nn.softmax_cross_entropy_with_logits(labels=tf.ones_like(v) / 3, logits=v),
            np.zeros((1, 1, 3)),
        ),
    ],
)
def test_rounding_relative_to_more_than_the_entry_blames_nobody(subject: Any, x: Any) -> None:
    report = gradcheck.check(subject, x, modes=("eager", "graph"))
    assert report.ok, str(report)
