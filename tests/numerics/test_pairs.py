"""A right function beside a wrong twin, for every status."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import numerics
from gradcheck.numerics import Status

from .functions import PAIRS, Pair


def judge(pair: Pair, theoretical: float) -> numerics.Judgement:
    with np.errstate(all="ignore"):
        return numerics.compare(pair.function, np.array([pair.x]), np.array([[theoretical]]), **pair.options)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_right(pair: Pair) -> None:
    found = judge(pair, pair.right)
    assert Status(found.status[0, 0]) is pair.status, found
    assert np.isfinite(found.numerical).all()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_wrong_twin(pair: Pair) -> None:
    found = judge(pair, pair.wrong)
    assert Status(found.status[0, 0]) is pair.wrong_status, found
    if pair.wrong_status is Status.MISMATCH:
        assert found.excess[0, 0] > 1


def test_every_status_is_in_the_table() -> None:
    assert {p.status for p in PAIRS} | {p.wrong_status for p in PAIRS} == set(Status)


def test_pairs_also_hold_among_other_outputs_and_inputs() -> None:
    """One pair an input and an output: neighbours must not lend each other their scale or their noise."""
    chosen = [p for p in PAIRS if p.status in (Status.PASS, Status.KINK) and "float32" not in p.name]
    chosen = [p for p in chosen if 1e-9 < max(abs(p.right), 1e-3) < 1e7]
    x = np.array([p.x for p in chosen])

    def evaluate(points: np.ndarray) -> np.ndarray:
        return np.stack([p.function(points[:, k]) for k, p in enumerate(chosen)], axis=1)

    found_out = 0
    for wrong in (None, *range(len(chosen))):
        values = [p.wrong if k == wrong else p.right for k, p in enumerate(chosen)]
        with np.errstate(all="ignore"):
            found = numerics.compare(evaluate, x, np.diag(values))
        mismatches = [chosen[k].name for k in np.flatnonzero((found.status == Status.MISMATCH).any(axis=1))]
        expected = wrong is not None and chosen[wrong].wrong_status is Status.MISMATCH
        if not expected:
            assert mismatches == []
        else:
            assert set(mismatches) <= {chosen[wrong].name}
            found_out += len(mismatches)
    # Among outputs of another size a wrong one may be undecided.
    assert found_out >= 0.9 * sum(pair.wrong_status is Status.MISMATCH for pair in chosen)
