"""A mode's theoretical Jacobian entry by entry, beside the exact reference or measured slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.engines.comparison import Tolerance, judge_entries, precision_of
from gradcheck.engines.exact import Reference, reference_of
from gradcheck.engines.gradient_roundoff import own_roundoff
from gradcheck.engines.iterative import stopped_early
from gradcheck.engines.jacobians import Examination, examine
from gradcheck.engines.quantisation import on_quantised_paths
from gradcheck.execution.modes import Execution
from gradcheck.harness.baseline import Baseline, close
from gradcheck.numerics import Status, excused, typical_slope
from gradcheck.numerics.tolerance import output_bound

__all__ = ["as_interpreted", "entries_at", "interpreted_nearby", "measured", "settled", "with_reference"]


def with_reference(
    baseline: Baseline,
    reference: Reference,
    run: Execution,
    jacobian: np.ndarray,
    center: np.ndarray,
    eps: np.ndarray | None = None,
) -> Examination:
    """A mode's theoretical Jacobian beside the exact reference, entry by entry.

    Args:
        baseline: what eager mode showed.
        reference: the exact derivative on this batch.
        run: the problem in a mode.
        jacobian: theoretical, ``[y_size, x_size]``.
        center: the mode's outputs.
        eps: machine epsilon for each output; those of the baseline where omitted.
    """
    rows, columns, eps = baseline.rows, baseline.columns, baseline.eps if eps is None else eps
    tolerance = Tolerance(**baseline.options.tolerance)
    judgement = judge_entries(reference, jacobian, center, rows=rows, columns=columns, eps=eps, tolerance=tolerance)
    slopes = reference.slopes(columns)
    found = Examination(center, jacobian, judgement, rows, columns, slopes.noise, precision_of(slopes, eps))
    return settled(baseline, run, found)


def entries_at(
    baseline: Baseline,
    run: Execution,
    reference: Reference | None,
    jacobian: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
) -> Examination:
    """A few entries of a Jacobian too large to form, beside the reference or measured slopes."""
    tolerance, eps = baseline.options.tolerance, baseline.eps
    if reference is None:
        return examine(run, baseline.x, jacobian, eps=eps, rows=rows, columns=columns, options=tolerance)
    center = run.evaluate(baseline.x[None])[0]
    judgement = judge_entries(
        reference, jacobian, center, rows=rows, columns=columns, eps=eps, tolerance=Tolerance(**tolerance)
    )
    slopes = reference.slopes(columns)
    return Examination(center, jacobian, judgement, rows, columns, slopes.noise, precision_of(slopes, eps))


def as_interpreted(baseline: Baseline, reference: Reference, center: np.ndarray) -> bool:
    """Whether outputs that count are those of the interpreted graph, within rounding: only then is it a reference."""
    slopes = reference.slopes(reference.columns)
    if center.size != slopes.value.size:
        return False
    rows, eps = baseline.rows, baseline.eps
    bound = output_bound(center, slopes.noise, eps)
    return close(slopes.value[rows], center[rows], bound[rows])


# So many times the rounding errors at the point may two values differ by at a point nearby.
_NEARBY = 100.0


def interpreted_nearby(baseline: Baseline, reference: Reference, run: Execution) -> bool:
    """Whether a mode computes the interpreted graph's values at a point nearby as well.

    At zeros many functions have the same value. A number that was drawn while a mode was traced shows only off them.
    """
    near = baseline.nearby()
    try:
        mine, theirs = run.evaluate(near[None])[0], reference.function.value(near)
    except Exception:  # it refuses that point; then nothing is known of it
        return True
    noise = _NEARBY * reference.slopes(reference.columns).noise
    rows = baseline.rows
    return close(theirs[rows], mine[rows], output_bound(mine, noise, baseline.eps)[rows])


def measured(baseline: Baseline, run: Execution, jacobian: np.ndarray, eps: np.ndarray | None = None) -> Examination:
    """A mode's theoretical Jacobian beside measured slopes, entry by entry.

    Slopes convict nobody by themselves where there is an exact reference that does not: what only one of the two calls
    wrong is undecided.

    Args:
        baseline: what eager mode showed.
        run: the problem, or its twin, in a mode.
        jacobian: theoretical, ``[y_size, x_size]``.
        eps: machine epsilon for each output; those of the baseline where omitted.
    """
    eps, x, rows, columns = baseline.eps if eps is None else eps, baseline.x, baseline.rows, baseline.columns
    found = examine(run, x, jacobian, eps=eps, rows=rows, columns=columns, options=baseline.options.tolerance)
    found = settled(baseline, run, found)
    wrong = found.judgement.status == Status.MISMATCH
    reference = reference_of(run.problem, columns) if wrong.any() and np.isfinite(x).all() else ""
    if not isinstance(reference, Reference) or not as_interpreted(baseline, reference, found.center):
        return found
    exact = with_reference(baseline, reference, run, jacobian, found.center, eps)
    acquitted = wrong & (exact.judgement.status != Status.MISMATCH)
    status = np.where(acquitted, np.int8(Status.UNRESOLVED), found.judgement.status)
    return replace(found, judgement=replace(found.judgement, status=status))


def settled(baseline: Baseline, run: Execution, found: Examination) -> Examination:
    """A comparison after a look at quantised paths and, under XLA, at rounding errors of the gradient itself.

    A caller's own tolerance holds, whatever a gradient is off for.
    """
    found = on_quantised_paths(run, found)
    if run.mode != "xla" or baseline.options.own_bounds or found.projected or baseline.twin is not None:
        return found
    theory = found.jacobian[np.ix_(found.rows, found.columns)].T
    size = np.maximum(np.abs(theory), np.abs(found.judgement.numerical)).max(axis=0, keepdims=True, initial=0.0)
    size = np.maximum(size, typical_slope(run.problem.x[found.columns], found.center[found.rows])[np.newaxis])
    limit = float(Tolerance(**baseline.options.tolerance).limits(np.array([2.0**-52]))[0])
    for source in (own_roundoff, stopped_early):
        found = replace(found, judgement=excused(found.judgement, theory, source(run, found), size, limit))
    return found
