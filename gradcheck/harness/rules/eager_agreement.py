"""A mode's outputs are those of eager mode, up to rounding."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.iterative import LAST_DIGITS
from gradcheck.execution.modes import EagerExecution
from gradcheck.graph.random_operations import drawn_from_a_seed
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.comparison import Comparison
from gradcheck.numerics import Kind
from gradcheck.numerics.tolerance import FEW_BITS, output_bound
from gradcheck.records.reasons import Reason
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["as_in_eager_mode", "differs_from_eager"]

# In types of few bits an output of terms that cancel stands still close by, and shows no noise there. So many times
# what eager mode is off further away is rounding; that is asked at so many points.
_ERRORS = 8.0
_POINTS = 8


def _eager_errors(baseline: Baseline) -> np.ndarray:
    """How far rounding may move low-precision outputs, by the float64 twin ``[y_size]``; 0 where there is none."""
    none = np.zeros(baseline.problem.outputs.size)
    if baseline.twin is None:
        return none
    low, wide = EagerExecution(baseline.problem), EagerExecution(baseline.twin)
    try:
        errors = [low.forward(x) - wide.forward(x) for x in baseline.held_exactly(_POINTS, zeros=True)]
    except Exception:  # a point that the subject refuses says nothing
        return none
    with np.errstate(invalid="ignore", over="ignore"):
        typical = np.sqrt(np.mean(np.square(errors), axis=0))
    return np.where(np.isfinite(typical), _ERRORS * typical, 0.0)


def as_in_eager_mode(c: Comparison) -> Finding | None:
    """The outputs are eager mode's; a difference in the last digits only is noted."""
    return differs_from_eager(c, c.found.center, c.notes)


def differs_from_eager(c: Comparison, center: np.ndarray, notes: list[str]) -> Finding | None:
    """DISAGREEMENT where outputs are not eager mode's; a difference in the last digits is added to ``notes``."""
    baseline, run, found = c.baseline, c.run, c.found
    reference = baseline.outputs
    if reference is None or run.mode == "eager" or not baseline.deterministic:
        return None
    rows = baseline.rows
    if center.size != reference.size:
        cause = f"the output has {center.size} elements here and {reference.size} in eager mode"
        return Finding(Verdict.DISAGREEMENT, cause, reasons=(Reason.OTHER_OUTPUT,))
    difference = np.abs(center - reference)
    bound = output_bound(center, found.noise, found.eps)
    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(~(difference <= bound))
    beyond = np.intersect1d(beyond, rows)
    if not found.projected and beyond.size:
        # At a tie the modes may choose differently, and both be right.
        kinds = found.judgement.kind
        cornered = ((kinds == Kind.JUMP) | (kinds == Kind.KINK)).any(axis=0)
        beyond = np.setdiff1d(beyond, found.rows[cornered])
    if beyond.size:
        size = np.concatenate([_largest(center[b.start : b.stop]) for b in baseline.problem.outputs.blocks])
        slight = beyond[difference[beyond] <= LAST_DIGITS * size[beyond]]
        if slight.size:
            part = float((difference[slight] / size[slight]).max())
            notes.append(
                f"outputs differ from eager mode's in their last digits, by {part:.1g} of the largest: more than "
                "rounding, as where an iteration stops early (decompositions under XLA do), and too little to be a bug"
            )
        beyond = np.setdiff1d(beyond, slight)
    if beyond.size and center.size and float(baseline.eps.max()) > FEW_BITS:
        beyond = beyond[difference[beyond] > _eager_errors(baseline)[beyond]]
    if not beyond.size:
        return None
    row = int(beyond[np.argmax(np.where(np.isfinite(difference[beyond]), difference[beyond], np.inf))])
    where = baseline.problem.outputs.describe(row)
    seeded = drawn_from_a_seed(baseline.problem) if run.mode == "xla" else ""
    cause = sentences.other_output(where, center[row], reference[row], bound[row], beyond.size, center.size, seeded)
    reasons = (Reason.SEEDED, Reason.OTHER_OUTPUT) if seeded else (Reason.OTHER_OUTPUT,)
    return Finding(Verdict.DISAGREEMENT, cause, place=(row, None), reasons=reasons)


def _largest(block: np.ndarray) -> np.ndarray:
    """The largest finite size in a block, once for each of its elements."""
    return np.full(block.size, np.abs(np.where(np.isfinite(block), block, 0.0)).max(initial=0.0))
