"""What other calls say: `tf.test.compute_gradient` on what would be reported, and once for each subject and mode on
ours; and, on a gradient that is not finite under XLA, a compiled function of its own, as users run it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.agreement import gradient_bound, noise_ratio, output_bound
from gradcheck.engines.jacobians import Examination
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.state import ModeState
from gradcheck.modes import CompiledExecution, EagerExecution, Execution, OneByOne
from gradcheck.rendering.hints import NOT_LINEAR
from gradcheck.verdicts import Verdict

__all__ = ["alone_under_xla", "compare_engines", "confirmed"]

# Most rows of a gradient that are asked for once more, in a call each.
_MOST_ALONE = 32


def confirmed(run: Execution, x: np.ndarray, finding: Finding) -> Finding:
    """Recompute the entry of a finding with `tf.test.compute_gradient`, in the mode."""
    confirmable = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
    if not confirmable or finding.entry is None or finding.place is None or finding.place[1] is None:
        return finding
    if finding.entry.reference is not None:
        return finding
    row, column = finding.place
    inner = run.inner if isinstance(run, OneByOne) else run
    pair = compute_gradient(inner, x, rows=np.array([row]), columns=np.array([column]))
    reference = (float(pair[0][0, 0]), float(pair[1][0, 0]))
    return replace(finding, entry=replace(finding.entry, reference=reference))


def alone_under_xla(run: Execution, jacobian: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A theoretical Jacobian with the rows that are not finite as XLA computes them in a function of their own.

    What 0 times infinity comes to is left to XLA's optimizer: the same gradient can be NaN in a program that computes
    several and 0 in one that computes it alone. The latter is what users run.

    Args:
        run: the problem in a mode; whatever is not XLA is left alone.
        jacobian: ``[y_size, x_size]``.
        rows, columns: what counts.

    Returns:
        The same array where nothing changed. The first row that is not finite either way ends the search.
    """
    if not isinstance(run, CompiledExecution) or run.mode != "xla":
        return jacobian
    doubtful = rows[~np.isfinite(jacobian[np.ix_(rows, columns)]).all(axis=1)]
    result = jacobian
    for row in doubtful[:_MOST_ALONE]:
        try:
            _, alone = run.unlooped(run.problem.x, np.eye(1, len(jacobian), row)[0])
        except Exception:  # a function of its own may be more than XLA can compile
            break
        if not np.isfinite(alone[columns]).all():
            break
        result = result.copy() if result is jacobian else result
        result[row] = alone
    return result


def compare_engines(baseline: Baseline, state: ModeState, found: Examination) -> None:
    """Both engines on the first batch of a (subject, mode): some rows and columns, each compared.

    A difference becomes a note in capitals of the state.
    """
    key = (state.run.mode, baseline.problem.plan.variables and "variables", baseline.options.order)
    if isinstance(state.run, (OneByOne, EagerExecution)) or key in baseline.subject.confirmed or found.projected:
        return
    if state.finding.verdict in (Verdict.NONDETERMINISTIC, Verdict.NONFINITE):
        return
    baseline.subject.confirmed.add(key)
    random = np.random.default_rng(baseline.seed)
    x = baseline.problem.x
    rows = np.sort(random.permutation(found.rows)[:4])
    columns = np.sort(random.permutation(found.columns)[:4])
    theoretical, numerical = compute_gradient(state.run, x, rows=rows, columns=columns)
    ours = found.jacobian[np.ix_(rows, columns)]
    points = np.repeat(x[None], 2 * columns.size, axis=0)
    for number, column in enumerate(columns):
        points[2 * number, column] += REFERENCE_STEP
        points[2 * number + 1, column] -= REFERENCE_STEP
    values = state.run.evaluate(points)[:, rows]
    slopes = ((values[0::2] - values[1::2]) / (2 * REFERENCE_STEP)).T
    eps = found.eps
    ratio = noise_ratio(found.center, found.noise, eps)
    level = float(eps.max(initial=2.0**-52))
    allowed = gradient_bound(np.abs(ours), ratio, level)
    rounding = output_bound(found.center, found.noise, eps)[rows][:, None] / REFERENCE_STEP
    # Of a backward pass that is not linear the gradient of a sum is no sum, which says nothing about the engines.
    linear = not state.finding.cause.startswith(NOT_LINEAR)
    if isinstance(state.run, CompiledExecution) and state.run.mode == "xla" and linear:
        # As users run it: a compiled function of its own, its arguments constants where XLA takes them for such.
        cotangent = np.zeros(found.center.size)
        cotangent[rows] = 1.0
        _, row = state.run.unlooped(x, cotangent)
        theoretical = np.concatenate([theoretical, row[None, columns]])
        ours = np.concatenate([ours, ours.sum(axis=0, keepdims=True)])
        allowed = np.concatenate([allowed, gradient_bound(np.abs(ours[:-1]).sum(axis=0)[None], ratio, level)])
    with np.errstate(invalid="ignore"):
        apart, off = np.abs(theoretical - ours), np.abs(numerical - slopes)
        # Where a step leaves the domain, both are NaN or infinite.
        apart[~np.isfinite(theoretical) & ~np.isfinite(ours)] = 0.0
        off[~np.isfinite(numerical) & ~np.isfinite(slopes)] = 0.0
        same = (apart <= allowed).all() and (off <= rounding).all()
    if not same:
        state.notes.append(
            "ENGINES DIFFER: tf.test.compute_gradient gives other numbers than the compiled engine on this batch "
            f"(theoretical by up to {apart.max():.3g}, numerical by up to {off.max():.3g}). "
            "The verdict of this mode is not to be trusted; please "
            "report it, and use engine='reference' meanwhile"
        )
