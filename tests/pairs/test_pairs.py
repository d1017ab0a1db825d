"""Every right subject stays silent, every wrong twin is found, by its own verdict and on a small batch."""

from __future__ import annotations

import numpy as np
import pytest

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st

from .subjects import PAIRS, Pair

# The least that a reader may rely on; searches by default draw more.
EXAMPLES = 60

# Of right subjects; benchmarks/false_alarms.py tries a thousand.
RIGHT_EXAMPLES = 20

# Reached only where the process dies, which is tested with isolated runs.
OUT_OF_PROCESS = {Verdict.CRASH}


@pytest.mark.parametrize(
    "pair", {id(pair.right): pair for pair in PAIRS}.values(), ids=lambda pair: pair.right.__name__
)
def test_right(pair: Pair) -> None:
    found = gradcheck.search(
        pair.right, st.batches(**pair.batch), modes=pair.right_modes, max_examples=RIGHT_EXAMPLES, seed=0
    )
    assert found.ok, str(found)
    for mode in found.modes.values():
        assert set(mode.counts) <= {"PASS", "KINK"}, (mode.mode, mode.counts)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_wrong_twin(pair: Pair) -> None:
    mode = pair.modes[0]
    found = gradcheck.search(pair.wrong, st.batches(**pair.batch), modes=mode, max_examples=EXAMPLES, seed=0)
    assert found[mode].verdict is pair.verdict, str(found)
    batch = found[mode].counterexample
    rows, steps = np.asarray(batch.values).shape[:2]
    assert rows <= pair.most_rows, repr(batch)
    assert steps <= pair.most_steps, repr(batch)


def test_corners_are_met() -> None:
    """The right twins of those that are wrong at corners only would prove little if no corner were drawn."""
    for name in ("relu at zero", "abs at zero", "clip at its bounds", "sort, only at ties"):
        pair = next(p for p in PAIRS if p.name == name)
        found = gradcheck.search(pair.right, st.batches(**pair.batch), modes="graph", max_examples=EXAMPLES, seed=0)
        assert found["graph"].counts.get("KINK", 0) > 0, (name, found["graph"].counts)


def test_every_verdict_is_in_the_table() -> None:
    # INACCURATE fails only where that is asked for: tests/harness/test_accuracy.py.
    undecided = {Verdict.PASS, Verdict.KINK, Verdict.UNRESOLVED, Verdict.INACCURATE}
    assert {pair.verdict for pair in PAIRS} == set(Verdict) - undecided - OUT_OF_PROCESS
