"""A mode whose Jacobian is too large to form, or too slow: random directions, and halving down to a wrong entry."""

from __future__ import annotations

import numpy as np

from gradcheck.engines.comparison import Tolerance, judge_directions, precision_of
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import DIRECTIONS, Examination, certain, project, random_weights
from gradcheck.engines.locate import locate, locate_nonfinite
from gradcheck.findings import Finding, judged, nonfinite
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.confirming import confirmed
from gradcheck.harness.examining import as_interpreted, settled
from gradcheck.harness.rules import broken, differs_from_eager
from gradcheck.harness.state import ModeState
from gradcheck.modes import Execution
from gradcheck.numerics import Status
from gradcheck.verdicts import Verdict

__all__ = ["projected"]


def projected(baseline: Baseline, state: ModeState) -> ModeState:
    """Check a mode along random directions; fills in ``state.found`` and ``state.finding``."""
    run, x, options = state.run, baseline.problem.x, baseline.options.tolerance
    rows, columns, eps = baseline.rows, baseline.columns, baseline.eps
    level = float(eps.max(initial=2.0**-52))
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    center = run.evaluate(x[None])[0]
    if not np.isfinite(center[rows]).all():
        bad = nonfinite(center, np.zeros((center.size, 0)), inputs, outputs, rows, np.zeros(0, int))
        assert bad is not None
        state.finding = bad
        return state
    reference = baseline.reference
    if reference is not None and as_interpreted(baseline, reference, center):
        found = _along_reference(baseline, run, reference, center)
    else:
        found = project(run, x, eps=level, rows=rows, columns=columns, seed=baseline.seed, options=options)
    state.found = found
    bad = _gradient_not_finite(baseline, run, found)
    if bad is not None:
        state.finding = bad
        return state
    statuses = found.judgement.status
    state.notes.append(_sharpness(found))
    resolution = None if np.isnan(found.judgement.resolution) else float(found.judgement.resolution)
    if (statuses == Status.MISMATCH).any() or (statuses == Status.NONFINITE).any():
        single = locate(run, x, found, eps=eps, rows=rows, columns=columns, options=options)
        finding = Finding(Verdict.PASS) if single is None else judged(run, settled(baseline, run, single))
        if not finding.verdict.fails:
            cause = "random combinations of gradient entries are wrong, but no single entry is beyond its bound"
            finding = Finding(Verdict.UNRESOLVED, cause, resolution=resolution)
        state.finding = confirmed(run, x, finding)
        return state
    if (statuses == Status.UNRESOLVED).any():
        cause = "the slope along random directions could not be measured well enough"
        state.finding = Finding(Verdict.UNRESOLVED, cause, resolution=resolution)
    elif (statuses == Status.KINK).any():
        cause = "the function has a corner at this point; along random directions the gradient lies between the slopes"
        state.finding = Finding(Verdict.KINK, cause, resolution=resolution)
    else:
        state.finding = Finding(Verdict.PASS, resolution=resolution)
    differs = differs_from_eager(baseline, run, found, state.notes)
    if differs is not None:
        state.finding = differs
    if not state.finding.verdict.fails:
        state.finding = broken(baseline, state, found) or state.finding
    return state


def _along_reference(baseline: Baseline, run: Execution, reference: Reference, center: np.ndarray) -> Examination:
    """Random combinations of outputs along random directions, beside the exact reference."""
    random = np.random.default_rng(baseline.seed)
    x, rows, columns, eps = baseline.problem.x, baseline.rows, baseline.columns, baseline.eps
    directions = random_weights(random, DIRECTIONS, x.size, columns)
    cotangents = random_weights(random, DIRECTIONS, center.size, rows)
    pulled = run.pullback(x, cotangents)
    judgement = judge_directions(
        reference, pulled, cotangents, directions, columns=columns, eps=eps,
        tolerance=Tolerance(**baseline.options.tolerance),
    )  # fmt: skip
    slopes = reference.slopes(reference.columns)
    numbers = np.arange(DIRECTIONS)
    inside = precision_of(slopes, eps)
    return Examination(
        center, pulled, judgement, numbers, numbers, slopes.noise, inside, cotangents=cotangents, directions=directions
    )


def _gradient_not_finite(baseline: Baseline, run: Execution, found: Examination) -> Finding | None:
    """NONFINITE where a random combination of outputs has such a gradient, with the first output that has it."""
    assert found.cotangents is not None
    rows, columns = baseline.rows, baseline.columns
    bad = ~np.isfinite(found.jacobian[:, columns]).all(axis=1)
    if not bad.any():
        return None
    cotangent = found.cotangents[int(np.argmax(bad))]
    single = locate_nonfinite(run, baseline.problem.x, cotangent, rows=rows, columns=columns)
    if single is None:
        return None
    row, gradient = single
    # One row is known; a view repeats it, so that no Jacobian of the full size is ever held.
    jacobian = np.broadcast_to(gradient, (found.center.size, gradient.size))
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    return nonfinite(found.center, jacobian, inputs, outputs, np.array([row]), columns)


# The probability that a report speaks of.
_RARELY = 1e-6


def _sharpness(found: Examination) -> str:
    """What the random directions could have missed, in words."""
    assert found.directions is not None
    bounds = found.judgement.bound[np.isfinite(found.judgement.bound)]
    bound = float(np.max(bounds, initial=0.0))
    pairs = min(found.judgement.status.shape)
    many = certain(bound, probability=_RARELY, pairs=pairs)
    return (
        f"checked along {len(found.directions)} random directions, not entry by entry: one wrong entry is seen if its "
        f"error is {4 * bound:.1e} or more; a gradient that is wrong in many entries, by {many:.1e} or more in the "
        f"worst, passes with a probability of at most {_RARELY:g}"
    )
