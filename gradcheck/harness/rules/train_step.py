"""One call as users compile it for XLA gives what the program gives that computes many points in a loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.execution.modes import CompiledExecution
from gradcheck.harness.comparison import Comparison
from gradcheck.harness.rules.eager_agreement import differs_from_eager
from gradcheck.harness.rules.linearity import weighed_bound
from gradcheck.numerics import Status
from gradcheck.records.reasons import Reason
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["as_a_train_step"]

# Two programs may round in their own ways; by less than this many bounds, and this part of the terms, they are not
# called different.
_ROUNDED_APART = 100.0
_PART = 1e-4


def as_a_train_step(c: Comparison) -> Finding | None:
    """One call as users compile it for XLA, beside the program that computes many points in a loop.

    On the first batch of a subject, and on the first with several rows, steps and numbers; on every batch once it made
    a difference, which has to be met again to be shrunk. XLA may fuse in one program what it computes ahead of a loop
    in the other, and be wrong in one of them only: then that call is what counts.
    """
    baseline, run, found = c.baseline, c.run, c.found
    batch = baseline.problem.batch
    several = batch is not None and min(batch.values.shape[:2]) > 1 and len(np.unique(batch.values[batch.mask])) > 2
    key = ("a train step", several, baseline.problem.plan.variables and "variables", baseline.options.order)
    known, confirmed = ("a train step", "differs"), baseline.subject.confirmed
    if not isinstance(run, CompiledExecution) or run.mode != "xla" or (key in confirmed and known not in confirmed):
        return None
    if found.projected or c.separate or baseline.options.engine is not None or not baseline.problem.outputs.size:
        return None
    cotangent = baseline.cotangents(1)[0]
    try:
        center, row = run.unlooped(baseline.problem.x, cotangent)
    except Exception:  # a function of its own may be more than XLA can compile
        confirmed.add(key)
        return None
    differs = differs_from_eager(c, center, []) if center.size == found.center.size else None
    if differs is None and not (found.judgement.status == Status.KINK).any():
        differs = _another_gradient(c, cotangent, row)
    confirmed.add(key if differs is None else known)
    if differs is None:
        return None
    reasons = (Reason.COMPILED_ALONE, *differs.reasons)
    return replace(differs, cause=sentences.compiled_alone(differs.cause), reasons=reasons, scripted=False)


def _another_gradient(c: Comparison, cotangent: np.ndarray, row: np.ndarray) -> Finding | None:
    """MISMATCH where a weighed sum of the outputs has another gradient in a program of its own, ``row``."""
    baseline, found = c.baseline, c.found
    rows, columns = baseline.rows, baseline.columns
    jacobian = found.jacobian[np.ix_(rows, columns)]
    pulled, expected = row[columns], cotangent[rows] @ jacobian
    terms, rounding = weighed_bound(baseline, found, jacobian, cotangent[rows], pulled)
    with np.errstate(invalid="ignore"):
        beyond = ~(np.abs(pulled - expected) <= np.fmax(_ROUNDED_APART * rounding, _PART * terms))
    if not beyond.any() or not np.isfinite(expected).all():
        return None
    worst = int(np.argmax(np.where(beyond, np.nan_to_num(np.abs(pulled - expected), nan=np.inf), -1.0)))
    place = baseline.problem.plan.inputs.describe(int(columns[worst]))
    cause = sentences.other_sum(place, float(pulled[worst]), float(expected[worst]))
    return Finding(Verdict.MISMATCH, cause)
