"""Corners of several inputs at once: each entry of a gradient lies between its own slopes, and together they are wrong.

At a tie of two inputs `reduce_max` has a slope of 0 on one side and 1 on the other in each of them, so 1 for each looks
right; but moving both together moves the maximum by 1 and not by 2. So where an output has a corner in several inputs,
it is looked at once more along directions that move all of these.
"""

from __future__ import annotations

import numpy as np

from gradcheck import numerics
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import Examination, theoretical_jacobian
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline
from gradcheck.modes import Execution
from gradcheck.numerics import Status
from gradcheck.records.results import Entry
from gradcheck.verdicts import Verdict

__all__ = ["inconsistent_at_ties"]

# Outputs with corners in several inputs that are looked at; ties come in families that look alike.
_MOST_OUTPUTS = 4


def inconsistent_at_ties(
    baseline: Baseline, run: Execution, found: Examination, reference: Reference | None = None
) -> Finding | None:
    """A MISMATCH where the entries of a gradient at a tie cannot all be right together; None where they can.

    Args:
        baseline: what eager mode showed.
        run: the problem in a mode (the float64 twin for a subject in lower precision).
        found: its examination, entry by entry.
        reference: the exact derivative, where there is one; slopes are measured where there is none.
    """
    corners = found.judgement.status == Status.KINK  # [columns, rows]
    several = np.flatnonzero(corners.sum(axis=0) > 1)[:_MOST_OUTPUTS]
    x = baseline.x
    if not several.size or not np.isfinite(x).all():
        return None
    # A third in float32, three times, is not 1: the entries of the twin are the ones to add up.
    jacobian = found.jacobian if baseline.twin is None else theoretical_jacobian(run, x).jacobian
    directions, owners = [], []
    for number in several:
        places = found.columns[corners[:, number]]
        signs = np.sign(jacobian[found.rows[number], places])
        # As the gradient says the output grows most, and all of them alike.
        ways = [np.where(signs == 0, 1.0, signs), np.ones(places.size)]
        for way in ways[: 1 if (ways[0] == ways[1]).all() else 2]:
            direction = np.zeros(x.size)
            direction[places] = way
            directions.append(direction)
            owners.append(number)
    moved = np.stack(directions)
    outputs = found.rows[several]
    rows = jacobian[outputs]
    # A column that does not count holds no finite gradient, perhaps; no direction has a part there.
    slopes = np.where(np.isfinite(rows), rows, 0.0) @ moved.T  # [outputs, directions]
    eps = float(baseline.eps.max(initial=2.0**-52)) if baseline.twin is None else 2.0**-52
    if reference is not None:
        return _beside_reference(baseline, reference, moved, owners, several, outputs, slopes, rows, eps)
    judgement = numerics.compare(
        lambda points: run.evaluate(points)[:, outputs], x, slopes.T, directions=moved, eps=eps,
        **baseline.options.tolerance,
    )  # fmt: skip
    for which, number in enumerate(owners):
        output = int(np.flatnonzero(several == number)[0])
        if judgement.status[which, output] == Status.MISMATCH:
            theory = float(slopes[output, which])
            slope, bound = float(judgement.numerical[which, output]), float(judgement.bound[which, output])
            return _finding(baseline, moved[which], int(outputs[output]), theory, slope, bound)
    return None


def _beside_reference(
    baseline: Baseline,
    reference: Reference,
    moved: np.ndarray,
    owners: list[int],
    several: np.ndarray,
    outputs: np.ndarray,
    theory: np.ndarray,
    rows: np.ndarray,
    eps: float,
) -> Finding | None:
    """The same beside what the exact reference allows along these directions."""
    exact = reference.along(moved)
    bounds = numerics.SAFETY * 2 * eps * (np.abs(np.where(np.isfinite(rows), rows, 0.0)) @ np.abs(moved).T)
    for which, number in enumerate(owners):
        output = int(np.flatnonzero(several == number)[0])
        row, said, bound = int(outputs[output]), float(theory[output, which]), float(bounds[output, which])
        low, high = float(exact.low[which, row]), float(exact.high[which, row])
        jumps = np.isnan(exact.right[which, row]) or np.isnan(exact.left[which, row])
        if jumps:  # there is no slope along this direction
            continue
        if said < low - bound or said > high + bound:
            return _finding(baseline, moved[which], row, said, low if said < low else high, bound)
    return None


def _finding(
    baseline: Baseline,
    direction: np.ndarray,
    row: int,
    theory: float,
    slope: float,
    bound: float,
) -> Finding:
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    places = np.flatnonzero(direction)
    names = [("" if direction[place] > 0 else "-") + inputs.describe(int(place)) for place in places[:3]]
    more = f" and {places.size - 3} more" if places.size > 3 else ""
    cause = (
        f"a tie: {outputs.describe(row)} has a corner in {places.size} inputs at once, and the gradient's entries for "
        f"them are too much or too little together: moving {', '.join(names)}{more} by the same small step moves the "
        f"output by {slope:.6g} for each unit, and the entries add up to {theory:.6g}"
    )
    entry = Entry(
        outputs.describe(row),
        f"{', '.join(names)}{more} together",
        float(theory),
        slope,
        bound,
    )
    return Finding(Verdict.MISMATCH, cause, entry, scripted=False)
