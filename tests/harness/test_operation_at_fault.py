"""A wrong gradient, and one that is not finite, is put down to the operation that passes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck

X = np.array([0.3, -0.6, 1.1])


@tf.custom_gradient
def _half(x: Any) -> Any:
    return tf.sin(x), lambda upstream: 0.5 * upstream * tf.cos(x)


@tf.custom_gradient
def _right(x: Any) -> Any:
    return tf.sin(x), lambda upstream: upstream * tf.cos(x)


WEIGHT = tf.Variable(X)


@tf.custom_gradient
def _wrong_weight(x: Any) -> Any:
    def backward(upstream: Any, variables: Any = None) -> Any:
        return upstream * WEIGHT, [2.0 * upstream * x]

    return x * WEIGHT, backward


def _line(of: str) -> str:
    """Where the one line of this file stands that contains a text."""
    with open(__file__) as file:
        (number,) = (k for k, line in enumerate(file, 1) if of in line and "_line(" not in line)
    return f"(test_operation_at_fault.py:{number})"


def after_others(x: Any) -> Any:
    between = _right(x) * tf.exp(x)
    return tf.tanh(_half(between))  # the one after others


def with_a_weight(x: Any) -> Any:
    return tf.exp(_wrong_weight(x))  # the one with a weight


@tf.function
def _inner(x: Any) -> Any:
    return tf.exp(_half(x))


def in_a_call(x: Any) -> Any:
    return 2.0 * _inner(x)  # the one in a call


def in_a_loop(x: Any) -> Any:
    return tf.while_loop(lambda k, a: k < 3, lambda k, a: (k + 1, _half(a) * x), (0, x))[1]  # the one in a loop


def _cause(subject: Callable[..., Any], *args: Any, mode: str = "graph") -> gradcheck.ModeResult:
    return gradcheck.check(subject, *args, modes=(mode,))[mode]


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_a_custom_gradient(mode: str) -> None:
    result = _cause(after_others, X, mode=mode)
    assert result.verdict is gradcheck.Verdict.MISMATCH
    assert f"the custom gradient {_line('# the one after others')} is wrong" in result.cause


def test_a_custom_gradient_of_a_variable() -> None:
    result = _cause(with_a_weight, X)
    assert f"the custom gradient {_line('# the one with a weight')} is wrong" in result.cause


@pytest.mark.parametrize("subject", [in_a_call, in_a_loop])
def test_a_custom_gradient_out_of_reach_is_what_is_left(subject: Callable[..., Any]) -> None:
    where = _line(f"# the one {subject.__name__.replace('_', ' ')}")
    assert f"which leaves the custom gradient {where}" in _cause(subject, X).cause


def test_a_gradient_of_tensorflow_itself() -> None:
    """A row that is overwritten gets a gradient all the same."""

    def stitched(x: Any) -> Any:
        return tf.sin(tf.dynamic_stitch([[0, 1], [1]], [x[:2], x[2:]]))

    result = _cause(stitched, X)
    assert result.verdict is gradcheck.Verdict.MISMATCH
    assert "the gradient of DynamicStitch (test_operation_at_fault.py" in result.cause


def test_the_first_gradient_that_is_not_finite() -> None:
    def distance(x: Any) -> Any:
        square = tf.reduce_sum(tf.square(x))
        return tf.where(square > 0, tf.pow(square, 0.5), 0.0)

    result = _cause(distance, np.zeros(2))
    assert result.verdict is gradcheck.Verdict.NONFINITE
    assert "the gradient of Pow (test_operation_at_fault.py" in result.cause


def test_what_is_right_by_itself_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode that is wrong as a whole: no operation is named."""
    from gradcheck.execution.modes import CompiledExecution

    linearize = CompiledExecution.linearize

    def doubled(self: Any, *args: Any) -> Any:
        values, gradients = linearize(self, *args)
        return values, 2.0 * gradients

    monkeypatch.setattr(CompiledExecution, "linearize", doubled)

    def right(x: Any) -> Any:
        return tf.nn.softmax(tf.sin(x) * _right(x))

    report = gradcheck.check(right, X, modes=("graph",))
    assert report["graph"].verdict is gradcheck.Verdict.MISMATCH
    assert "gradient of" not in report["graph"].cause
    assert any("each operation's own gradient is right" in note for note in report["graph"].notes)


@pytest.mark.parametrize(
    "subject",
    [
        lambda x: tf.nn.weighted_cross_entropy_with_logits(tf.constant([1.0, 0.0, 0.5], tf.float64), x, 2.0),
        lambda x: tf.maximum(x[0], x[1]) + tf.minimum(x[0], x[1]),
        lambda x: tf.nn.relu(x) - 0.3 * x + tf.math.log1p(tf.exp(-tf.abs(x))),
    ],
)
def test_corners_that_cancel_leave_one_slope(subject: Callable[..., Any]) -> None:
    """The function is smooth, so no convention excuses another gradient."""
    result = _cause(subject, np.zeros(3))
    assert result.verdict is gradcheck.Verdict.MISMATCH
    assert "cancels in the function, and not in its gradient" in result.cause


@pytest.mark.parametrize(
    ("subject", "x"),
    [
        (lambda x: tf.nn.relu(x), np.zeros(2)),
        (lambda x: tf.abs(tf.sort(x) - x), np.array([-1.0, 0.0, 0.0, 1.0, -1.0])),
        (lambda x: tf.sort(x)[1], np.zeros(3)),
        (lambda x: tf.abs(x) * tf.abs(x), np.zeros(2)),
        (lambda x: tf.reduce_sum(tf.sort(x)), np.zeros(3)),
        (lambda x: tf.nn.sigmoid_cross_entropy_with_logits(tf.constant([0.0, 0.5, 1.0], tf.float64), x), np.zeros(3)),
        (lambda x: tf.nn.relu((x + 1000.0) - 1000.0), np.full(2, 1e-9, np.float32)),
    ],
)
def test_corners_that_stay_or_are_gone_through_rightly_do_not_fail(subject: Callable[..., Any], x: Any) -> None:
    assert not _cause(subject, x).verdict.fails
