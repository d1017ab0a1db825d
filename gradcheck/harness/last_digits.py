"""A gradient that is right but for its last digits, in a compiled mode only: an iteration that stops early."""

from __future__ import annotations

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.findings import Finding
from gradcheck.graph.operations import holds
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.rules import LAST_DIGITS
from gradcheck.modes import EagerExecution, Execution
from gradcheck.numerics import Status
from gradcheck.verdicts import Verdict

__all__ = ["in_the_last_digits"]

# Iterations under XLA; in other modes they are LAPACK's. And how far off their gradient may be.
_DECOMPOSITIONS = frozenset({"Eig", "SelfAdjointEigV2", "Svd", "XlaSelfAdjointEig", "XlaSvd"})
_DECOMPOSED = 1e-4


def in_the_last_digits(baseline: Baseline, run: Execution, found: Examination, finding: Finding) -> Finding | None:
    """What a MISMATCH of a compiled mode comes to where eager mode's gradient is right; None where it stays one.

    XLA's eigenvalue and singular value decompositions stop at some 1e-7, in float64 too, and the gradient has that
    error without being wrong, divided by what separates the eigenvalues. So where no entry is off by more than half a
    millionth of the largest for the same output, a ten-thousandth where the subject decomposes, and eager mode's own
    gradient is right, the check has passed with a resolution of what it is off by.

    Args:
        baseline: what eager mode showed.
        run: the problem in the mode.
        found: its examination.
        finding: the mismatch.
    """
    if run.mode == "eager" or baseline.outputs is None or baseline.twin is not None or found.projected:
        return None
    judgement, block = found.judgement, found.jacobian[np.ix_(found.rows, found.columns)].T
    wrong = judgement.status == Status.MISMATCH
    size = np.maximum(np.abs(block), np.abs(judgement.numerical)).max(axis=0, keepdims=True)
    with np.errstate(invalid="ignore"):
        off = np.where(wrong, np.abs(block - judgement.numerical), 0.0) / np.maximum(size, 1e-300)
    part = float(off.max(initial=0.0))
    if not wrong.any() or not part <= _DECOMPOSED:
        return None
    if part > LAST_DIGITS and not holds(baseline.problem, _DECOMPOSITIONS):
        return None
    outputs = np.flatnonzero(wrong.any(axis=0))
    cotangents = np.zeros((outputs.size, baseline.problem.outputs.size))
    cotangents[np.arange(outputs.size), found.rows[outputs]] = 1.0
    eager = EagerExecution(baseline.problem).pullback(baseline.x, cotangents)[:, found.columns].T
    nearer = np.abs(eager - judgement.numerical[:, outputs]) <= np.maximum(
        judgement.bound[:, outputs], 0.1 * np.abs(block - judgement.numerical)[:, outputs]
    )
    if not nearer[wrong[:, outputs]].all():
        return None
    resolution = max(part, finding.resolution or 0.0)
    note = (
        f"the gradient is right to {part:.1g} of the largest entry and no further; eager mode's is. Under XLA "
        "decompositions are iterations that stop there"
    )
    return Finding(Verdict.PASS, resolution=resolution, notes=(note,))
