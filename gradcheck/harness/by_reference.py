"""A mode against the exact reference by a few random combinations of gradient rows: one forward and backward pass."""

from __future__ import annotations

import numpy as np

from gradcheck.agreement import combinations
from gradcheck.engines.comparison import Tolerance, judge_entries, judge_products, loses_digits, precision_of
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import FAINT, Examination, is_large
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline, searching
from gradcheck.harness.confirming import as_a_train_step
from gradcheck.harness.examining import as_interpreted
from gradcheck.harness.measuring import note_silent_zeros
from gradcheck.harness.rules import broken, differs_from_eager
from gradcheck.harness.state import ModeState
from gradcheck.verdicts import Verdict

__all__ = ["by_reference"]

# Sizes of what is passed back, one for each batch. Powers of two: what is linear gives the same digits.
_SIZES = (1.0, 8.0, FAINT)


def by_reference(baseline: Baseline, reference: Reference, state: ModeState) -> ModeState | None:
    """Check a mode by random combinations of its gradient's rows.

    Returns:
        None where every entry has to be looked at: outside of a search, on the first batch of each signature in a
        mode, at a tie, and where a combination is not the reference's.
    """
    run, problem = state.run, baseline.problem
    if not searching(problem.subject) or is_large(problem.x.size, problem.outputs.size):
        return None  # a check of one batch leaves nothing out
    key = (run.mode, problem.plan.key(dynamic=False))
    if key not in problem.subject.examined:
        problem.subject.examined.add(key)
        return None
    rows, columns, eps = baseline.rows, baseline.columns, baseline.eps
    slopes = reference.slopes(columns)
    if slopes.ties or not rows.size or loses_digits(slopes, rows, eps):
        return None
    pulled = baseline.pulled if run.mode == "eager" else None
    if pulled is not None:
        center, gradients, cotangents = baseline.outputs, pulled.gradients, pulled.cotangents
        run.none_gradients = pulled.none_gradients
        assert center is not None
    else:
        # A backward pass that clips, or drops what is small, shows where other sizes are passed back.
        cotangents = baseline.cotangents(combinations(eps)) * _SIZES[baseline.seed % len(_SIZES)]
        values, gradients = run.linearize(np.repeat(problem.x[None], len(cotangents), axis=0), cotangents)
        center = values[0]
    if not np.isfinite(center[rows]).all() or not np.isfinite(gradients[:, columns]).all():
        return None
    if not as_interpreted(baseline, reference, center):
        return None
    tolerance = Tolerance(**baseline.options.tolerance)
    same, resolution = judge_products(reference, gradients, cotangents, columns=columns, eps=eps, tolerance=tolerance)
    if not same or not resolution <= tolerance.limits(eps[rows]).min():
        return None
    jacobian = np.zeros((problem.outputs.size, problem.x.size))
    jacobian[:, columns] = slopes.right.T
    judgement = judge_entries(reference, jacobian, center, rows=rows, columns=columns, eps=eps, tolerance=tolerance)
    found = Examination(center, jacobian, judgement, rows, columns, slopes.noise, precision_of(slopes, eps))
    state.found = found
    differs = differs_from_eager(baseline, run, found, state.notes)
    state.finding = differs or Finding(Verdict.PASS, resolution=resolution)
    if not state.finding.verdict.fails and (run.mode != "eager" or baseline.in_full):
        leak = broken(baseline, state, found)
        if leak is None:
            baseline.held.add(run.mode)
        state.finding = leak or state.finding
    as_a_train_step(baseline, state, found)
    note_silent_zeros(baseline, state)
    return state
