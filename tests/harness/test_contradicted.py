"""A rule of the exact reference that is wrong can blame nobody: the forward values are asked on which side they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
import gradcheck.exact.rules
from gradcheck.exact.jets import Jet
from gradcheck.exact.table import RULES

X = np.array([0.3, -0.6, 1.1])


@pytest.fixture
def doubled_atan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule of arctan gives the right values and twice the derivative."""
    entry = RULES["Atan"]

    def bind(node: Any) -> Any:
        bound = entry.bind(node)

        def run(p: Any, x: Any) -> Any:
            found = bound(p, x)
            return Jet(found.v, tuple(2.0 * c for c in found.d)) if isinstance(found, Jet) else found

        return run

    monkeypatch.setitem(RULES, "Atan", replace(entry, bind=bind))


@pytest.mark.usefixtures("doubled_atan")
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_a_right_gradient_is_not_blamed(mode: str) -> None:
    result = gradcheck.check(lambda x: tf.atan(x), X, modes=(mode,))[mode]
    assert result.verdict is gradcheck.Verdict.PASS
    assert any("ENGINES DIFFER: the forward values of this mode move as tf.test" in note for note in result.notes)


@pytest.mark.usefixtures("doubled_atan")
def test_a_wrong_gradient_that_the_wrong_rule_would_pass() -> None:
    @tf.custom_gradient
    def twice(x: Any) -> Any:
        return tf.atan(x), lambda upstream: 2.0 * upstream / (1.0 + x * x)

    result = gradcheck.check(twice, X, modes=("graph",))["graph"]
    assert any("ENGINES DIFFER" in note for note in result.notes)


@pytest.mark.parametrize(
    "subject",
    [
        lambda x: tf.sin(2.0**9 * np.pi * x),
        lambda x: tf.exp(-1e4 * tf.square(x)),
        lambda x: tf.sqrt(x + 0.6 + 1e-9),
        lambda x: tf.cast(tf.atan(tf.cast(x, tf.float32)), tf.float64),
    ],
)
def test_a_step_that_is_too_long_contradicts_nothing(subject: Any) -> None:
    report = gradcheck.check(subject, X, modes=("graph", "xla"))
    assert not any("ENGINES DIFFER" in note for result in report.modes.values() for note in result.notes)
