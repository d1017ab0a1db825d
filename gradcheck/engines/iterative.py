"""A gradient that is right but for its last digits under XLA: decompositions are iterations that stop early there."""

from __future__ import annotations

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.execution.modes import EagerExecution, Execution
from gradcheck.graph.operations import holds
from gradcheck.numerics import Status

__all__ = ["LAST_DIGITS", "stopped_early"]

LAST_DIGITS = 5e-7
"""Where XLA's eigenvalue and singular value decompositions stop, as a part of the result, in float64 too. A difference
between modes below this part of the largest number beside it is theirs, and no bug's."""

# Iterations under XLA; in other modes they are LAPACK's. And how far off their gradient may be, which is what they are
# off by, divided by what separates the eigenvalues.
_DECOMPOSITIONS = frozenset({"Eig", "SelfAdjointEigV2", "Svd", "XlaSelfAdjointEig", "XlaSvd"})
_DECOMPOSED = 1e-4


def stopped_early(run: Execution, found: Examination) -> np.ndarray:
    """What such an iteration explains of mismatches, ``[columns, rows]``; else 0.

    No entry may be off by more than half a millionth of the largest for the same output, a ten-thousandth where the
    subject decomposes; and eager mode's own gradient must be right.

    Args:
        run: the problem under XLA.
        found: what was found of its gradient.
    """
    judgement, block = found.judgement, found.jacobian[np.ix_(found.rows, found.columns)].T
    wrong, none = judgement.status == Status.MISMATCH, np.zeros(judgement.status.shape)
    size = np.maximum(np.abs(block), np.abs(judgement.numerical)).max(axis=0, keepdims=True, initial=0.0)
    with np.errstate(invalid="ignore"):
        distance = np.where(wrong, np.abs(block - judgement.numerical), 0.0)
        part = float((distance / np.maximum(size, 1e-300)).max(initial=0.0))
    if not wrong.any() or not part <= _DECOMPOSED:
        return none
    if part > LAST_DIGITS and not holds(run.problem, _DECOMPOSITIONS):
        return none
    outputs = np.flatnonzero(wrong.any(axis=0))
    cotangents = np.zeros((outputs.size, run.problem.outputs.size))
    cotangents[np.arange(outputs.size), found.rows[outputs]] = 1.0
    eager = EagerExecution(run.problem).pullback(run.problem.x, cotangents)[:, found.columns].T
    nearer = np.abs(eager - judgement.numerical[:, outputs]) <= np.maximum(
        judgement.bound[:, outputs], 0.1 * distance[:, outputs]
    )
    return distance if nearer[wrong[:, outputs]].all() else none
