"""Our numbers beside those of `tf.test.compute_gradient`, once for each subject and mode."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import examine
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.execution.modes import EagerExecution, Execution, OneByOne
from gradcheck.harness.comparison import Comparison
from gradcheck.numerics import Status
from gradcheck.numerics.tolerance import gradient_bound, noise_ratio, output_bound
from gradcheck.verdicts import Verdict

__all__ = ["CONTRADICTED", "compare_engines", "taken_back"]

CONTRADICTED = (
    "ENGINES DIFFER: the forward values of this mode move as tf.test.compute_gradient says, and not as the exact "
    "reference does. Please report it, and use engine='measured' meanwhile"
)
"""A note on a reference that is wrong itself."""

# So many times what two steps differ by may a slope measured with the shorter one be off, and this part of itself.
_TRUNCATED = 4.0
_COARSE = 1e-5


def compare_engines(c: Comparison, finding: Finding) -> str:
    """Both engines on the first batch of a (subject, mode): some rows and columns, each compared.

    Returns:
        A note in capitals where they differ; empty where they do not, or nothing was compared.
    """
    baseline, run, found = c.baseline, c.run, c.found
    key = (run.mode, baseline.problem.plan.variables and "variables", baseline.options.order)
    if isinstance(run, (OneByOne, EagerExecution)) or key in baseline.subject.confirmed or c.theory is None:
        return ""
    if c.separate or finding.verdict in (Verdict.NONDETERMINISTIC, Verdict.NONFINITE) or not found.center.size:
        return ""
    baseline.subject.confirmed.add(key)
    random = np.random.default_rng(baseline.seed)
    x = baseline.problem.x
    rows = np.sort(random.permutation(found.rows)[:4])
    columns = np.sort(random.permutation(found.columns)[:4])
    try:
        theoretical, numerical = compute_gradient(run, x, rows=rows, columns=columns)
        ours = found.jacobian[np.ix_(rows, columns)]
        slopes = _central(x, run, rows, columns, REFERENCE_STEP)
    except Exception:  # it refuses a point nearby; then nothing was compared
        return ""
    eps = found.eps
    ratio = noise_ratio(found.center, found.noise, eps)
    level = float(eps.max(initial=2.0**-52))
    allowed = gradient_bound(np.abs(ours), ratio, level)
    rounding = output_bound(found.center, found.noise, eps)[rows][:, None] / REFERENCE_STEP
    with np.errstate(invalid="ignore"):
        apart, off = np.abs(theoretical - ours), np.abs(numerical - slopes)
        # Where a step leaves the domain, both are NaN or infinite.
        apart[~np.isfinite(theoretical) & ~np.isfinite(ours)] = 0.0
        off[~np.isfinite(numerical) & ~np.isfinite(slopes)] = 0.0
        same = (apart <= allowed).all() and (off <= rounding).all()
    if same:
        silent = c.reference is None or finding.verdict.fails
        return "" if silent or _as_the_reference(c, rows, columns, slopes, rounding) else CONTRADICTED
    return (
        "ENGINES DIFFER: tf.test.compute_gradient gives other numbers on this batch "
        f"(theoretical by up to {apart.max():.3g}, numerical by up to {off.max():.3g}). "
        "The verdict of this mode is not to be trusted; please "
        "report it, and use engine='reference' meanwhile"
    )


def taken_back(c: Comparison, finding: Finding) -> bool:
    """Whether the forward values side with a gradient that the exact reference calls wrong."""
    entry, place = finding.entry, finding.place
    if c.reference is None or finding.verdict is not Verdict.MISMATCH or entry is None or entry.reference is None:
        return False
    if place is None or place[1] is None or entry.theoretical is None or entry.numerical is None:
        return False
    seen = entry.reference[1]
    if not abs(seen - entry.theoretical) < abs(seen - entry.numerical):
        return False
    return _contradicted(c, np.array([place[0]]), np.array([place[1]]), np.array([[entry.numerical]]))


def _contradicted(c: Comparison, rows: np.ndarray, columns: np.ndarray, expected: np.ndarray) -> bool:
    """Whether forward values do not move as the exact reference says: the ladder of step sizes decides.

    Args:
        c: the mode.
        rows, columns: outputs and inputs.
        expected: slopes by the reference, ``[len(rows), len(columns)]``.
    """
    baseline = c.baseline
    jacobian = np.zeros((baseline.problem.outputs.size, baseline.x.size))
    jacobian[np.ix_(rows, columns)] = expected
    found = examine(c.run, baseline.x, jacobian, eps=baseline.eps, rows=rows, columns=columns, options={})
    return bool((found.judgement.status == Status.MISMATCH).any())


def _as_the_reference(
    c: Comparison, rows: np.ndarray, columns: np.ndarray, slopes: np.ndarray, rounding: np.ndarray
) -> bool:
    """Whether slopes measured with `REFERENCE_STEP`, ``[len(rows), len(columns)]``, are those of the exact reference.

    That step is long. Where it says something else, twice the step says by how much it may be off; then the ladder.
    """
    assert c.reference is not None
    exact = c.reference.slopes(c.baseline.columns)
    if exact.ties:
        return True
    expected = exact.right[np.searchsorted(c.baseline.columns, columns)][:, rows].T
    longer = _central(c.baseline.x, c.run, rows, columns, 2 * REFERENCE_STEP)
    with np.errstate(invalid="ignore"):
        off = _TRUNCATED * np.abs(longer - slopes) + _COARSE * (1 + np.abs(expected)) + rounding
        near = np.abs(slopes - expected) <= off
    return bool(near.all()) or not _contradicted(c, rows, columns, expected)


def _central(x: np.ndarray, run: Execution, rows: np.ndarray, columns: np.ndarray, step: float) -> np.ndarray:
    """Central differences ``[len(rows), len(columns)]``."""
    points = np.repeat(x[None], 2 * columns.size, axis=0)
    for number, column in enumerate(columns):
        points[2 * number, column] += step
        points[2 * number + 1, column] -= step
    values = run.evaluate(points)[:, rows]
    return np.asarray(((values[0::2] - values[1::2]) / (2 * step)).T)
