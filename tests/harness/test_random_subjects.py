"""Random subjects on batches so small that two draws are often the same one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict
from gradcheck.subject.adapter import subject_of

MODES = ("eager", "graph", "dynamic", "xla")
TIMES = 20


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Thousands of draws are judged here: what goes wrong once in a million runs should go wrong for everyone."""
    tf.random.set_seed(11)
    yield
    tf.random.set_seed(None)


def one_entry(value: float) -> Batch:
    return Batch(np.full((1, 1, 1), value), [1])


def dropped_out(values: Any) -> Any:
    return tf.nn.dropout(values, 0.5)


def rarely_dropped(values: Any) -> Any:
    return tf.nn.dropout(values, 0.1)


@pytest.mark.parametrize("value", [0.0, 0.5])
@pytest.mark.parametrize("mode", MODES)
def test_dropout_of_one_entry(mode: str, value: float) -> None:
    """A mask of one entry is the same twice in half of all cases, and at 0 the output is 0 whatever the mask."""
    subject = subject_of(dropped_out)
    verdicts: Counter[Verdict] = Counter()
    for _ in range(TIMES if mode != "eager" else TIMES // 3):
        # As in a new process: nothing that was seen before helps.
        subject.random = False
        verdicts[gradcheck.check(dropped_out, one_entry(value), modes=mode)[mode].verdict] += 1
    assert set(verdicts) == {Verdict.NONDETERMINISTIC}, verdicts


def test_rarely_dropped() -> None:
    """What is kept nine times of ten looks smooth to most samples, and yet not to all of them."""
    subject = subject_of(rarely_dropped)
    verdicts: Counter[Verdict] = Counter()
    for _ in range(TIMES):
        subject.random = False
        verdicts[gradcheck.check(rarely_dropped, one_entry(0.0), modes="graph")["graph"].verdict] += 1
    # One batch in a hundred and sixty draws the same number 48 times.
    assert verdicts[Verdict.NONDETERMINISTIC] >= TIMES - 1, verdicts


def test_seen_to_be_random_once() -> None:
    """From then on it is asked so often that a mask that hardly ever drops anything shows on one entry, too."""
    many = Batch(np.full((1, 8, 3), 0.5), [8])
    verdicts = {gradcheck.check(rarely_dropped, many, modes="graph")["graph"].verdict}
    for _ in range(TIMES):
        verdicts.add(gradcheck.check(rarely_dropped, one_entry(1.0), modes="graph")["graph"].verdict)
    assert verdicts == {Verdict.NONDETERMINISTIC}


def test_random_nearby_only() -> None:
    """At 0 neither the output nor its gradient is random, and yet no slope can be measured."""

    def squares(values: Any) -> Any:
        return values**2 * tf.cast(tf.random.uniform(tf.shape(values)) > 0.5, values.dtype)

    assert gradcheck.check(squares, one_entry(1.0), modes="graph")["graph"].verdict is Verdict.NONDETERMINISTIC
    result = gradcheck.check(squares, one_entry(0.0), modes="graph")["graph"]
    assert result.verdict is Verdict.NONDETERMINISTIC
    assert "next to this batch" in result.cause


@pytest.mark.parametrize("mode", MODES)
def test_wrong_and_not_random(mode: str) -> None:
    """What is always wrong in the same way stays what it is."""

    @tf.custom_gradient
    def doubled(x: Any) -> Any:
        return tf.sin(x), lambda upstream: 2 * upstream * tf.cos(x)

    for value in (0.0, 0.5):
        report = gradcheck.check(lambda values: doubled(values), one_entry(value), modes=mode)
        assert report[mode].verdict is Verdict.MISMATCH


def test_what_is_drawn_while_tracing_is_no_wrong_gradient():
    """Values and gradients have programs of their own, and each was traced with another number."""
    draws = np.random.default_rng(0)

    def drawn(values):
        return values * float(draws.uniform(0.5, 1.5))

    zeros = gradcheck.Batch(np.zeros((1, 1, 2)), np.array([1], np.int32))
    report = gradcheck.check(drawn, zeros)
    assert {mode: result.verdict for mode, result in report.modes.items()} == dict.fromkeys(
        report.modes, gradcheck.Verdict.NONDETERMINISTIC
    )


def test_seeded_numbers_that_xla_draws_in_its_own_way() -> None:
    def seeded(values: Any, alg: str = "auto_select") -> Any:
        return values * tf.random.stateless_uniform(tf.shape(values), [1, 2], dtype=values.dtype, alg=alg)

    batch = np.array([[1.0, 2.0]])
    report = gradcheck.check(seeded, batch)
    assert all(report[mode].ok for mode in ("eager", "graph", "dynamic"))
    if not report["xla"].ok:  # up to 2.12 XLA's choice is that of the other modes
        assert report["xla"].verdict is Verdict.DISAGREEMENT
        assert "draws random numbers from a seed (StatelessRandomUniformV2 (test_random_subjects.py:" in str(
            report["xla"].cause
        )
        assert 'Say which (alg="philox"' in str(report)
    assert gradcheck.check(lambda values: seeded(values, "philox"), batch).ok
