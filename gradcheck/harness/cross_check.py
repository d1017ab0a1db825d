"""Our numbers beside those of `tf.test.compute_gradient`, once for each subject and mode."""

from __future__ import annotations

import numpy as np

from gradcheck.agreement import gradient_bound, noise_ratio, output_bound
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.findings import Finding
from gradcheck.harness.comparison import Comparison
from gradcheck.modes import EagerExecution, OneByOne
from gradcheck.verdicts import Verdict

__all__ = ["compare_engines"]


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
        points = np.repeat(x[None], 2 * columns.size, axis=0)
        for number, column in enumerate(columns):
            points[2 * number, column] += REFERENCE_STEP
            points[2 * number + 1, column] -= REFERENCE_STEP
        values = run.evaluate(points)[:, rows]
    except Exception:  # it refuses a point nearby; then nothing was compared
        return ""
    slopes = ((values[0::2] - values[1::2]) / (2 * REFERENCE_STEP)).T
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
        return ""
    return (
        "ENGINES DIFFER: tf.test.compute_gradient gives other numbers on this batch "
        f"(theoretical by up to {apart.max():.3g}, numerical by up to {off.max():.3g}). "
        "The verdict of this mode is not to be trusted; please "
        "report it, and use engine='reference' meanwhile"
    )
