"""Modes that choose another slope of the same corner: each is right by itself, and a model trains otherwise in them."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import Examination
from gradcheck.harness.baseline import Baseline
from gradcheck.numerics import Status
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["MODES_DIFFER", "another_choice"]

MODES_DIFFER = "the modes differ at this corner: "
"""How the note starts of a mode whose gradient at a corner is another one than in a mode that ran before it."""

# Gradients that lie this close together, relatively, are the same choice.
_SAME = 1e-3


def another_choice(baseline: Baseline, mode: str, finding: Finding, found: Examination | None) -> list[str]:
    """A note on a mode that chose another slope of a corner than one that ran before it on this batch; else none."""
    if finding.verdict is not Verdict.KINK or found is None or found.projected:
        return []
    cornered = (found.judgement.status == Status.KINK).T
    mine = np.full((baseline.problem.outputs.size, baseline.problem.x.size), np.nan)
    chosen = found.jacobian[np.ix_(found.rows, found.columns)]
    mine[np.ix_(found.rows, found.columns)] = np.where(cornered, chosen, np.nan)
    before = [(other, theirs) for other, theirs in baseline.choices.items() if other != mode]
    baseline.choices[mode] = mine
    for other, theirs in before:
        if theirs.shape != mine.shape:
            continue
        with np.errstate(invalid="ignore"):
            gap = np.abs(mine - theirs)
            beyond = gap > _SAME * np.fmax(np.abs(mine), np.abs(theirs))
        if beyond.any():
            row, column = np.unravel_index(int(np.argmax(np.where(beyond, gap, -1.0))), gap.shape)
            here, there = precise_pair(float(mine[row, column]), float(theirs[row, column]))
            where = baseline.problem.outputs.describe(int(row)), baseline.problem.plan.inputs.describe(int(column))
            return [
                f"{MODES_DIFFER}the gradient of {where[0]} w.r.t. {where[1]} is {here} in {mode} and {there} in "
                f"{other}. Both lie between the slopes of the two sides"
            ]
    return []
