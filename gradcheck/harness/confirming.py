"""What other calls say: `tf.test.compute_gradient` on what would be reported, and once for each subject and mode on
ours; and, on a gradient that is not finite under XLA, a compiled function of its own, as users run it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.agreement import FEW_BITS, gradient_bound, noise_ratio, output_bound
from gradcheck.engines.jacobians import Examination, eps_of
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.rules import differs_from_eager, weighed_bound
from gradcheck.harness.state import ModeState
from gradcheck.modes import CompiledExecution, EagerExecution, Execution, OneByOne
from gradcheck.numerics import Status
from gradcheck.rendering.hints import BY_ITSELF
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["alone_under_xla", "as_a_train_step", "compare_engines", "confirmed"]

# Most rows of a gradient that are asked for once more, in a call each.
_MOST_ALONE = 32


def confirmed(run: Execution, x: np.ndarray, finding: Finding) -> Finding:
    """Recompute the entry of a finding with `tf.test.compute_gradient`, in the mode."""
    confirmable = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
    if not confirmable or finding.entry is None or finding.place is None or finding.place[1] is None:
        return finding
    if finding.entry.reference is not None:
        return finding
    blocks = [*run.problem.plan.inputs.blocks, *run.problem.outputs.blocks]
    if max((eps_of(block.dtype) for block in blocks), default=0.0) > FEW_BITS:
        return finding  # its steps of 2⁻¹⁰ are lost in such a type
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
    with np.errstate(invalid="ignore"):
        apart, off = np.abs(theoretical - ours), np.abs(numerical - slopes)
        # Where a step leaves the domain, both are NaN or infinite.
        apart[~np.isfinite(theoretical) & ~np.isfinite(ours)] = 0.0
        off[~np.isfinite(numerical) & ~np.isfinite(slopes)] = 0.0
        same = (apart <= allowed).all() and (off <= rounding).all()
    if not same:
        state.notes.append(
            "ENGINES DIFFER: tf.test.compute_gradient gives other numbers on this batch "
            f"(theoretical by up to {apart.max():.3g}, numerical by up to {off.max():.3g}). "
            "The verdict of this mode is not to be trusted; please "
            "report it, and use engine='reference' meanwhile"
        )


# Two programs may round in their own ways; by less than this many bounds, and this part of the terms, they are not
# called different.
_ROUNDED_APART = 100.0
_PART = 1e-4


def as_a_train_step(baseline: Baseline, state: ModeState, found: Examination) -> None:
    """One call as users compile it for XLA, beside the program that computes many points in a loop.

    On the first batch of a subject, and on the first with several rows, steps and numbers; on every batch once it made
    a difference, which has to be met again to be shrunk. XLA may fuse in one program what it computes ahead of a loop
    in the other, and be wrong in one of them only: then that call is what counts.

    Args:
        baseline: the batch.
        state: the mode, whose finding changes where the call gives other numbers.
        found: what was measured in the mode, or in the one that it agrees with.
    """
    run, batch = state.run, baseline.problem.batch
    several = batch is not None and min(batch.values.shape[:2]) > 1 and len(np.unique(batch.values[batch.mask])) > 2
    key = ("a train step", several, baseline.problem.plan.variables and "variables", baseline.options.order)
    known, confirmed = ("a train step", "differs"), baseline.subject.confirmed
    if not isinstance(run, CompiledExecution) or run.mode != "xla" or (key in confirmed and known not in confirmed):
        return
    if state.finding.verdict.fails or found.projected or baseline.options.engine is not None:
        return
    rows, columns = baseline.rows, baseline.columns
    cotangent = baseline.cotangents(1)[0]
    try:
        center, row = run.unlooped(baseline.problem.x, cotangent)
    except Exception:  # a function of its own may be more than XLA can compile
        confirmed.add(key)
        return
    seen = replace(found, center=center)
    differs = differs_from_eager(baseline, run, seen, []) if center.size == found.center.size else None
    if differs is None and not (found.judgement.status == Status.KINK).any():
        jacobian = found.jacobian[np.ix_(rows, columns)]
        pulled, expected = row[columns], cotangent[rows] @ jacobian
        terms, rounding = weighed_bound(baseline, found, jacobian, cotangent[rows], pulled)
        with np.errstate(invalid="ignore"):
            beyond = ~(np.abs(pulled - expected) <= np.fmax(_ROUNDED_APART * rounding, _PART * terms))
        if beyond.any() and np.isfinite(expected).all():
            worst = int(np.argmax(np.where(beyond, np.nan_to_num(np.abs(pulled - expected), nan=np.inf), -1.0)))
            place = baseline.problem.plan.inputs.describe(int(columns[worst]))
            mine, other = precise_pair(pulled[worst], expected[worst])
            cause = f"the gradient of a weighed sum of all outputs w.r.t. {place} is {mine} and should be {other}"
            differs = Finding(Verdict.MISMATCH, cause)
    confirmed.add(key if differs is None else known)
    if differs is not None:
        cause = f"{BY_ITSELF}, {differs.cause}; in a loop over many points it is right"
        state.finding = replace(differs, cause=cause, scripted=False)
