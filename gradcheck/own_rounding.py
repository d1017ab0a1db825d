"""A gradient that is off by its own rounding errors, and by nothing else.

The gradient of a cosine, a norm or a huber loss is what is left of terms that cancel, and these may be a million times
as large. No bound from the gradient's size knows of them, and none from the outputs. But rounding errors scatter: a few
units in the last place away from the batch the gradient has others, while a wrong formula is wrong there by as much.
So where a gradient is off by a tiny number, it is asked for at such points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.modes import Execution
from gradcheck.numerics import Status, typical_slope
from gradcheck.numerics.noise import FINEST_INSIDE

__all__ = ["within_own_rounding"]

# What is off by more than this, beside a slope of 1 or less, or relatively to a larger one, is not asked about.
_TINY = 1e-6

# Points, and how far away: up to so many units in the last place.
_POINTS = 16
_UNITS = 16

# How many times its own scatter a gradient may be off by, and roundings of terms of size 1 in a low precision, which no
# such points can shake.
_SCATTERS = 4.0
_ROUNDINGS = 4.0

# Outputs that are asked about; where more are wrong they are no rounding errors.
_MOST_OUTPUTS = 8


def within_own_rounding(run: Execution, found: Examination) -> Examination:
    """An examination in which entries that are off by rounding errors of the gradient itself are no mismatches.

    They pass, with a bound of what they are off by; in a precision lower than float64 they are undecided.
    """
    judgement = found.judgement
    theory = found.jacobian[np.ix_(found.rows, found.columns)].T
    wrong = judgement.status == Status.MISMATCH
    if not wrong.any():
        return found
    with np.errstate(invalid="ignore"):
        distance = np.abs(theory - judgement.numerical)
        size = np.maximum(np.abs(theory), np.abs(judgement.numerical)).max(axis=0, keepdims=True)
        tiny = wrong & (distance <= _TINY * np.maximum(size, 1.0))
    coarse = found.eps[found.rows][np.newaxis]
    hidden = tiny & (coarse > FINEST_INSIDE) & (distance <= _ROUNDINGS * coarse)
    status = np.where(hidden, np.int8(Status.UNRESOLVED), judgement.status)
    asked = np.flatnonzero((tiny & ~hidden).any(axis=0))
    allowed = np.zeros(theory.shape)
    if 0 < asked.size <= _MOST_OUTPUTS:
        allowed[:, asked] = _SCATTERS * _scatter(run, found, asked)
    excused = tiny & ~hidden & (distance <= allowed)
    if not (excused.any() or hidden.any()):
        return found
    usual = typical_slope(run.problem.x[found.columns], found.center[found.rows])[np.newaxis]
    part = float((distance / np.maximum(size, usual))[excused].max(initial=0.0))
    judged = replace(
        judgement,
        status=np.where(excused, np.int8(Status.PASS), status),
        bound=np.where(excused, allowed, np.where(hidden, _ROUNDINGS * coarse, judgement.bound)),
        resolution=float(np.fmax(judgement.resolution, part)) if excused.any() else judgement.resolution,
    )
    return replace(found, judgement=judged)


def _scatter(run: Execution, found: Examination, asked: np.ndarray) -> np.ndarray:
    """How far the gradient of some outputs strays at points next to the batch, ``[len(columns), len(asked)]``."""
    x, random = run.problem.x, np.random.default_rng(0)
    units = random.integers(1, _UNITS + 1, (_POINTS, x.size)) * random.choice((-1, 1), (_POINTS, x.size))
    points = x * (1 + units * 2.0**-52)
    result = np.zeros((found.columns.size, asked.size))
    for place, number in enumerate(asked):
        cotangents = np.zeros((1, run.problem.outputs.size))
        cotangents[0, found.rows[number]] = 1.0
        rows = np.concatenate([run.pullback(point, cotangents) for point in points])[:, found.columns]
        result[:, place] = np.abs(rows - rows.mean(axis=0)).max(axis=0)
    return np.where(np.isfinite(result), result, 0.0)
