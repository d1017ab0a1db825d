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
from gradcheck.numerics import Status, default_resolution_limit, typical_slope
from gradcheck.numerics.noise import FINEST_INSIDE
from gradcheck.numerics.steps import FLOAT64_EPS

__all__ = ["within_own_rounding"]

# What is off by more than this, beside a slope of 1 or less, or relatively to a larger one, is not asked about. What
# XLA solves with a condition of a million is off by 1e-5 to 1e-3.
_TINY = 1e-2

# Points, and how far away: up to so many units in the last place.
_POINTS = 16
_UNITS = 16

# How many times its own scatter a gradient may be off by, and roundings of terms of size 1 in a low precision, which no
# such points can shake.
_SCATTERS = 4.0
_ROUNDINGS = 4.0

# Outputs that are asked about; where more are wrong they are no rounding errors.
_MOST_OUTPUTS = 64


def within_own_rounding(run: Execution, found: Examination, limit: float | None = None) -> Examination:
    """An examination in which entries that are off by rounding errors of the gradient itself are no mismatches.

    They pass, with a bound of what they are off by. Where that is more than the resolution asked for, and in a
    precision lower than float64, they are undecided.

    Args:
        run: the problem in a mode.
        found: what was examined in it.
        limit: the resolution asked for; that of float64 where None.
    """
    limit = default_resolution_limit(FLOAT64_EPS) if limit is None else limit
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
    parts = distance / np.maximum(size, usual)
    fine = excused & (parts <= limit)
    part = float(parts[fine].max(initial=0.0))
    status = np.where(excused, np.int8(Status.UNRESOLVED), status)
    judged = replace(
        judgement,
        status=np.where(fine, np.int8(Status.PASS), status),
        bound=np.where(excused, allowed, np.where(hidden, _ROUNDINGS * coarse, judgement.bound)),
        resolution=float(np.fmax(judgement.resolution, part)) if fine.any() else judgement.resolution,
    )
    return replace(found, judgement=judged)


def _scatter(run: Execution, found: Examination, asked: np.ndarray) -> np.ndarray:
    """How far the gradient of some outputs strays at points next to the batch, ``[len(columns), len(asked)]``."""
    x, random = run.problem.x, np.random.default_rng(0)
    units = random.integers(1, _UNITS + 1, (_POINTS, x.size)) * random.choice((-1, 1), (_POINTS, x.size))
    points = x * (1 + units * 2.0**-52)
    cotangents = np.zeros((asked.size, run.problem.outputs.size))
    cotangents[np.arange(asked.size), found.rows[asked]] = 1.0
    rows = np.stack([run.pullback(point, cotangents)[:, found.columns] for point in points])
    result = np.abs(rows - rows.mean(axis=0)).max(axis=0).T
    return np.where(np.isfinite(result), result, 0.0)
