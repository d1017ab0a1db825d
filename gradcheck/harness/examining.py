"""An examination as the harness takes it: measured, and with what only the subject itself can tell."""

from __future__ import annotations

import numpy as np

from gradcheck.engines.jacobians import Examination, examine
from gradcheck.harness.baseline import Baseline
from gradcheck.modes import Execution
from gradcheck.own_rounding import within_own_rounding
from gradcheck.treads import on_treads

__all__ = ["examined", "settled"]


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
