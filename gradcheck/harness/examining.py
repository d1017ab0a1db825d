"""An examination as the harness takes it: measured, and with what only the subject itself can tell."""

from __future__ import annotations

import numpy as np

from gradcheck.agreement import output_bound
from gradcheck.engines.comparison import Tolerance, judge_entries, precision_of
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import Examination, examine
from gradcheck.harness.baseline import Baseline, close
from gradcheck.modes import Execution
from gradcheck.own_rounding import within_own_rounding
from gradcheck.treads import on_treads

__all__ = ["as_interpreted", "beside_reference", "examined", "interpreted_nearby", "settled"]


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


def beside_reference(
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
    inside = precision_of(slopes, eps)
    found = on_treads(run, Examination(center, jacobian, judgement, rows, columns, slopes.noise, inside))
    # XLA's solvers lose more digits than the operations of the graph do: what its gradient scatters by is measured.
    own = run.mode == "xla" and not tolerance.given
    return within_own_rounding(run, found, tolerance.resolution_limit) if own else found


def as_interpreted(baseline: Baseline, reference: Reference, center: np.ndarray) -> bool:
    """Whether outputs that count are those of the interpreted graph, within rounding: only then is it a reference."""
    slopes = reference.slopes(reference.columns)
    if center.size != slopes.value.size:
        return False
    rows, eps = baseline.rows, baseline.eps
    bound = output_bound(center, slopes.noise, eps)
    return close(slopes.value[rows], center[rows], bound[rows])


def examined(
    baseline: Baseline,
    run: Execution,
    jacobian: np.ndarray,
    columns: np.ndarray,
    eps: np.ndarray | None = None,
    *,
    swept: bool = False,
) -> Examination:
    """A mode's theoretical Jacobian beside its numerical one, at the outputs that count and some inputs.

    Args:
        baseline: what eager mode showed.
        run: the problem, or its twin, in a mode.
        jacobian: theoretical, ``[y_size, x_size]``.
        columns: the inputs.
        eps: machine epsilon for each output; those of the baseline where omitted.
        swept: stairs need not be looked for: another mode, whose outputs are the same, was asked for them, or there is
            a better way to tell.
    """
    eps = baseline.eps if eps is None else eps
    options = {**baseline.options.tolerance, "swept": swept}
    x = baseline.problem.x
    found = examine(run, x, jacobian, eps=eps, rows=baseline.rows, columns=columns, options=options)
    return settled(baseline, run, found)


def settled(baseline: Baseline, run: Execution, found: Examination) -> Examination:
    """An examination after a look at paths of steps, and at rounding errors of the gradient itself.

    A caller's own tolerance holds, whatever a gradient is off for.
    """
    found = on_treads(run, found)
    tolerance = baseline.options.tolerance
    given = tolerance.get("rtol") is not None or tolerance.get("atol") is not None
    return found if given else within_own_rounding(run, found, tolerance.get("resolution_limit"))
