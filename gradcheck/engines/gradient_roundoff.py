"""A gradient that is off by its own rounding errors, and by nothing else.

What XLA solves, or decomposes, loses more digits than the operations of the graph do, and no bound from their types
knows of it. But rounding errors scatter: a few units in the last place away from the batch the gradient has others,
while a wrong formula is wrong there by as much. So where a gradient is off by a tiny number, it is asked for there.
"""

from __future__ import annotations

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.execution.modes import Execution
from gradcheck.numerics import Status

__all__ = ["own_roundoff"]

# What is off by more than this, beside a slope of 1 or less, or relatively to a larger one, is not asked about. What
# XLA solves with a condition of a million is off by 1e-5 to 1e-3.
_TINY = 1e-2

# Points, and how far away: up to so many units in the last place.
_POINTS = 16
_UNITS = 16

# How many times its own scatter a gradient may be off by.
_SCATTERS = 4.0

# Outputs that are asked about; where more are wrong they are no rounding errors.
_MOST_OUTPUTS = 64


def own_roundoff(run: Execution, found: Examination) -> np.ndarray:
    """What the gradient's own rounding errors explain of mismatches that are tiny, ``[columns, rows]``; else 0.

    Args:
        run: the problem in a mode.
        found: what was found of its gradient.
    """
    wrong = found.judgement.status == Status.MISMATCH
    allowed = np.zeros(wrong.shape)
    theory = found.jacobian[np.ix_(found.rows, found.columns)].T
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.abs(theory), np.abs(found.judgement.numerical)).max(axis=0, keepdims=True, initial=0.0)
        tiny = wrong & (np.abs(theory - found.judgement.numerical) <= _TINY * np.maximum(size, 1.0))
    asked = np.flatnonzero(tiny.any(axis=0))
    if 0 < asked.size <= _MOST_OUTPUTS:
        allowed[:, asked] = np.where(tiny[:, asked], _SCATTERS * _scatter(run, found, asked), 0.0)
    return allowed


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
