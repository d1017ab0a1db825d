"""Formulas that are right and lose all their digits: a note, or a failure where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict

TAILS = {
    "tanh": (lambda x: tf.tanh(x), [0.5, 20.0], "Tanh"),
    "one minus sigmoid": (lambda x: 1.0 - tf.sigmoid(x), [0.5, 38.0], "Sigmoid"),
}


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("name", TAILS)
def test_a_tail_is_a_note_and_a_failure_where_asked(name: str, mode: str) -> None:
    subject, x, operation = TAILS[name]
    usual = gradcheck.check(subject, np.array(x), modes=(mode,))[mode]
    assert usual.verdict is Verdict.PASS
    assert any("the formula is right and the number is not" in note for note in usual.notes)
    strict = gradcheck.check(subject, np.array(x), modes=(mode,), accuracy="strict")[mode]
    assert strict.verdict is Verdict.INACCURATE
    assert strict.verdict.fails
    assert f"the gradient of {operation} " in strict.cause


@pytest.mark.parametrize(
    ("subject", "x"),
    [
        (lambda x: tf.tanh(x), [0.5, -3.0, 1e-200]),
        (lambda x: tf.exp(-x), [0.5, 300.0]),
        (lambda x: tf.nn.softplus(-x), [0.5, 300.0]),
        (lambda x: tf.math.log_sigmoid(x), [0.5, 40.0]),
        (lambda x: 1.0 / tf.cosh(x), [0.5, 200.0]),
    ],
)
def test_what_keeps_its_digits_passes_strictly(subject: Callable[..., Any], x: Any) -> None:
    result = gradcheck.check(subject, np.array(x), modes=("graph",), accuracy="strict")["graph"]
    assert result.verdict is Verdict.PASS, result.cause
    assert not result.notes


def test_a_tail_that_underflows() -> None:
    x = np.array([0.5, 15.0], np.float32)
    usual = gradcheck.check(lambda x: tf.exp(-tf.square(x)), x, modes=("graph",))["graph"]
    assert usual.verdict is Verdict.PASS
    assert any("it is less than the smallest normal number of its type" in note for note in usual.notes)
    strict = gradcheck.check(lambda x: tf.exp(-tf.square(x)), x, modes=("graph",), accuracy="strict")["graph"]
    assert strict.verdict is Verdict.INACCURATE


def test_a_wrong_formula_is_no_matter_of_accuracy() -> None:
    @tf.custom_gradient
    def half(x: Any) -> Any:
        y = tf.tanh(x)
        return y, lambda upstream: 0.5 * upstream * (1.0 - y * y)

    result = gradcheck.check(half, np.array([0.5, 20.0]), modes=("graph",), accuracy="strict")["graph"]
    assert result.verdict is Verdict.MISMATCH


def test_a_search_asks_every_entry_of_every_batch() -> None:
    found = gradcheck.search(
        lambda values: tf.tanh(values),
        gradcheck.strategies.batches(features=2, min_value=-30.0, max_value=30.0),
        modes=("graph",),
        max_examples=30,
        seed=1,
        accuracy="strict",
    )
    assert found["graph"].verdict is Verdict.INACCURATE


def test_no_other_word() -> None:
    with pytest.raises(gradcheck.InputError, match="accuracy must be 'strict', or be left out; got 'exact'"):
        gradcheck.check(lambda x: x, np.ones(2), accuracy="exact")
