"""Corners of several inputs at once: each entry of a gradient lies between its own slopes, and together they are wrong.

At a tie of two inputs `reduce_max` has a slope of 0 on one side and 1 on the other in each of them, so 1 for each looks
right; but moving both together moves the maximum by 1 and not by 2. So where an output has a corner in several inputs,
it is looked at once more along directions that move all of these.
"""

from __future__ import annotations

import numpy as np

from gradcheck import numerics
from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import Examination
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.comparison import Comparison
from gradcheck.numerics import Status
from gradcheck.records.reasons import Reason
from gradcheck.records.results import Entry
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["consistent_at_ties"]

# Outputs with corners in several inputs that are looked at; ties come in families that look alike.
_MOST_OUTPUTS = 4


def consistent_at_ties(c: Comparison) -> Finding | None:
    """The entries of a gradient at a tie can all be right together; MISMATCH where they cannot."""
    reference, found, x = c.reference, c.found, c.baseline.x
    if reference is None or found.projected or not np.isfinite(x).all():
        return None
    corners = found.judgement.status == Status.KINK  # [columns, rows]
    if not corners.any() or (found.judgement.status == Status.UNRESOLVED).any():
        return None
    several = np.flatnonzero(corners.sum(axis=0) > 1)[:_MOST_OUTPUTS]
    if not several.size:
        return None
    directions, owners = _directions(found, corners, several, x.size)
    outputs = found.rows[several]
    rows = found.jacobian[outputs]
    rows = np.where(np.isfinite(rows), rows, 0.0)  # what does not count holds no finite gradient, perhaps
    theory = rows @ directions.T  # [outputs, directions]
    exact = reference.along(directions)
    bounds = numerics.SAFETY * 2 * float(c.baseline.eps.max(initial=2.0**-52)) * (np.abs(rows) @ np.abs(directions).T)
    for which, number in enumerate(owners):
        output = int(np.flatnonzero(several == number)[0])
        row, said, bound = int(outputs[output]), float(theory[output, which]), float(bounds[output, which])
        low, high = float(exact.low[which, row]), float(exact.high[which, row])
        if np.isnan(exact.right[which, row]) or np.isnan(exact.left[which, row]):
            continue  # it jumps, and there is no slope along this direction
        if said < low - bound or said > high + bound:
            return _finding(c.baseline, directions[which], row, said, low if said < low else high, bound)
    return None


def _directions(
    found: Examination, corners: np.ndarray, several: np.ndarray, size: int
) -> tuple[np.ndarray, list[int]]:
    """Directions that move all inputs in which an output has a corner, and the number of that output for each."""
    directions, owners = [], []
    for number in several:
        places = found.columns[corners[:, number]]
        signs = np.sign(found.jacobian[found.rows[number], places])
        # As the gradient says the output grows most, and all of them alike.
        ways = [np.where(signs == 0, 1.0, signs), np.ones(places.size)]
        for way in ways[: 1 if (ways[0] == ways[1]).all() else 2]:
            direction = np.zeros(size)
            direction[places] = way
            directions.append(direction)
            owners.append(int(number))
    return np.stack(directions), owners


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
    entry = Entry(
        outputs.describe(row),
        f"{', '.join(names)}{more} together",
        float(theory),
        slope,
        bound,
    )
    cause = sentences.tie(entry, places.size)
    return Finding(Verdict.MISMATCH, cause, entry, reasons=(Reason.TIE,), scripted=False)
