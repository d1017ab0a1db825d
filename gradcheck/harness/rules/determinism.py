"""The same call, made often: whether what a mode came to is a fault of the subject, or one random draw of it.

Two calls of a random function agree by chance, and on a small batch often: a dropout mask of one entry is the same
twice in half of all cases, and where the inputs are 0 the outputs are 0 whatever the mask. Hypothesis shrinks to just
such batches, where one draw then looks like a wrong gradient. So whatever a random function could be behind is asked
for again: the outputs and the gradient here, and at a point nearby where no input is 0.

How often. Say that a draw is one value with probability q and another one otherwise. A wrong finding rests on two draws
that differ, and each is compared with `_TIMES` further ones: that none of these differs from its own has a probability
of at most (q·(1-q))^24, or 2^-48, whatever q is. A finding in which nothing differs (an undecided one) is taken for
that of a function with a fixed result with a probability of some q^48 (two points), which is 2^-48 for q = ½ and more
for a rare draw. A subject that was seen to be random once is therefore asked more often, and always.

Where a mode was measured entry by entry, and its outputs are as smooth as their precision allows, a hundred draws of
the outputs have been seen already, and all alike. There only the gradient can be random, and fewer calls will do.
"""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.execution.modes import CompiledExecution, EagerExecution, Execution
from gradcheck.graph.random_operations import why_it_varies
from gradcheck.harness.baseline import NEARBY, Baseline, close
from gradcheck.harness.comparison import Comparison
from gradcheck.numerics.tolerance import gradient_bound, noise_ratio, output_bound
from gradcheck.rendering import sentences
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["deterministic", "nondeterministic", "nondeterministic_by_chance"]

# How often everything is asked for: in three calls, since what is drawn once a call does not vary within it.
_TIMES = (2, 6, 16)

# And of a subject that is known to be random. A loop in a compiled mode costs microseconds, a call in eager mode
# milliseconds.
_OFTEN = (240,)
_OFTEN_EAGERLY = (24,)

# Verdicts that a random function can come to without noise in its outputs.
_BY_CHANCE = frozenset(
    {
        Verdict.MISMATCH,
        Verdict.DISAGREEMENT,
        Verdict.PADDING_LEAK,
        Verdict.DISCONNECTED,
        Verdict.NONFINITE,
        Verdict.UNRESOLVED,
    }
)


def deterministic(c: Comparison) -> Finding | None:
    """The same call twice gives the same result."""
    baseline, run, found, theory = c.baseline, c.run, c.found, c.theory
    if theory is None or not theory.jacobian.size:
        return None
    x, eps = baseline.problem.x, found.eps
    bound = output_bound(found.center, found.noise, eps)
    twice = run.evaluate(x[None])[0]
    # The noise of a random function is as large as its values and would excuse anything: a second, fixed bound.
    doubtful = not baseline.deterministic or not close(twice, found.center, bound)
    if doubtful and not close(twice, found.center, baseline.loose(found.center)):
        return nondeterministic(baseline, "the outputs", found.center, twice)
    first, again = theory.jacobian[0], theory.again
    ratio = noise_ratio(found.center, found.noise, eps)
    allowed = gradient_bound(np.abs(first)[None], ratio, float(eps.max(initial=2.0**-52)))[0]
    if np.isfinite(first).all() and np.isfinite(again).all() and not close(first, again, allowed):
        return nondeterministic(baseline, "the gradient", first, again, row=0)
    return None


def nondeterministic_by_chance(c: Comparison, finding: Finding, *, asked_anew: bool = False) -> Finding | None:
    """NONDETERMINISTIC where the same call does not always give the same; None where it does.

    A subject whose gradient passes or lies between the slopes of a corner, and whose outputs are as smooth as their
    precision allows, is not asked: that many draws do not fall on one smooth curve by chance.

    Args:
        c: the comparison that the finding rests on.
        finding: what the mode came to.
        asked_anew: whether it rests on other calls as well, so that what the comparison saw is not enough.
    """
    baseline, run = c.baseline, c.run
    own = not asked_anew and c.theory is not None
    found, theory = (c.found, c.theory) if own else (None, None)
    known = baseline.subject.random
    grainy = found is not None and found.grainy
    smooth = finding.verdict in (Verdict.PASS, Verdict.KINK)
    if not (finding.verdict in _BY_CHANCE or (smooth and (known or grainy))):
        return None
    outputs = baseline.problem.outputs
    if not outputs.size:
        return None
    x, near = baseline.x, baseline.nearby()
    first = int(baseline.rows[0]) if baseline.rows.size else 0
    row = first if finding.place is None else finding.place[0]
    unit = np.eye(1, outputs.size, row)[0]
    weights = np.ones(outputs.size) if theory is None else theory.weights
    points = np.stack([x, x, near])
    cotangents = np.stack([unit, weights, unit])
    # What was seen first: a draw that differs from it is as good as two that differ from each other.
    seen = [None if found is None else found.center, None, None]
    seen[1] = seen[0]
    if found is not None and baseline.twin is None and isinstance(run, CompiledExecution):
        # Values have a program of their own. What was drawn in Python while it was traced is another draw there.
        seen[2] = run.evaluate(near[None])[0]
    pulled = [None, None, None] if theory is None else [theory.jacobian[row], theory.weighed, None]
    often = _OFTEN if isinstance(run, CompiledExecution) else _OFTEN_EAGERLY
    best: tuple[int, Finding] | None = None
    # Where the outputs are smooth the gradient alone can be random.
    few = found is not None and not found.grainy and not known
    for times in _TIMES[:-1] if few else (*_TIMES, *(often if known else ())):
        for values, rows in _draws(run, points, cotangents, times):
            best = _better(best, _compared(baseline, row, seen, pulled, values, rows))
        if best is not None and best[0] < _WORSE:
            return best[1]
    if best is not None:
        return best[1]
    if finding.verdict is Verdict.DISAGREEMENT and baseline.outputs is not None and run.mode != "eager":
        # The other side of the comparison may have been a rare draw.
        other = EagerExecution(baseline.problem)
        for _ in range(sum(_TIMES) // 2):
            again_eager = other.forward(x)
            if _differ(again_eager, baseline.outputs, baseline.eps):
                return nondeterministic(baseline, "the outputs", baseline.outputs, again_eager)
    return None


def _draws(
    run: Execution, points: np.ndarray, cotangents: np.ndarray, times: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outputs and gradients of some points, each of them ``times`` times."""
    if not isinstance(run, CompiledExecution):
        return [run.linearize(points, cotangents) for _ in range(times)]
    values, rows = run.linearize(np.tile(points, (times, 1)), np.tile(cotangents, (times, 1)))
    return list(zip(np.split(values, times), np.split(rows, times), strict=True))


# From here on a finding is harder to see in a script: of several outputs together, or of a point nearby.
_WORSE = 2


def _better(one: tuple[int, Finding] | None, two: tuple[int, Finding] | None) -> tuple[int, Finding] | None:
    return two if one is None or (two is not None and two[0] < one[0]) else one


def _compared(
    baseline: Baseline,
    row: int,
    seen: list[np.ndarray | None],
    pulled: list[np.ndarray | None],
    values: np.ndarray,
    rows: np.ndarray,
) -> tuple[int, Finding] | None:
    """One draw beside what was seen first, which it becomes where nothing was: the clearest difference, if any."""
    eps, level = baseline.eps, baseline.eps.max(initial=2.0**-52)
    best: tuple[int, Finding] | None = None
    for number in range(len(values)):
        near, of = number == 2, None if number == 1 else row
        first, gradient = seen[number], pulled[number]
        if first is None:
            seen[number] = values[number]
        elif _differ(values[number], first, eps):
            finding = nondeterministic(baseline, "the outputs", first, values[number], near=near)
            best = _better(best, (3 if near else 0, finding))
        if gradient is None:
            pulled[number] = rows[number]
        elif _differ(rows[number], gradient, np.full(gradient.size, level)):
            finding = nondeterministic(baseline, "the gradient", gradient, rows[number], row=of, near=near)
            best = _better(best, (4 if near else 2 if of is None else 1, finding))
    return best


def _differ(one: np.ndarray, two: np.ndarray, eps: np.ndarray) -> bool:
    """Whether two results of the same call differ by more than another order of summation may bring about."""
    if one.size != two.size:
        return True
    finite = np.where(np.isfinite(two), np.abs(two), 0.0)
    # 1e4 roundings, as for the outputs of two calls in eager mode; of numbers with three digits that would be anything.
    allowed = np.maximum(64 * eps, np.minimum(1e4 * eps, 2.0**-10)) * finite.max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return bool(~((one == two) | (np.isnan(one) & np.isnan(two)) | (np.abs(one - two) <= allowed)).any())


def nondeterministic(
    baseline: Baseline, what: str, one: np.ndarray, two: np.ndarray, *, row: int | None = None, near: bool = False
) -> Finding:
    """The finding that two results of the same call differ. The subject is remembered as a random one.

    Args:
        baseline: what eager mode showed.
        what: ``"the outputs"`` or ``"the gradient"``.
        one, two: the results, of one size.
        row: the output whose gradient it is; None where it is that of several.
        near: whether the call was made close to the batch.
    """
    problem = baseline.problem
    problem.subject.random = True
    outputs = what == "the outputs"
    layout = problem.outputs if outputs else problem.plan.inputs
    words, of, worst = "", "", 0
    if one.size == two.size:
        with np.errstate(invalid="ignore"):
            difference = np.where((one == two) | (np.isnan(one) & np.isnan(two)), 0.0, np.abs(one - two))
        worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        of = "" if outputs or row is None else f" of {problem.outputs.describe(row)}"
        words = f"{layout.describe(worst)} is {', then '.join(precise_pair(one[worst], two[worst]))}"
    place: tuple[int, int | None] | None = (worst, None) if outputs else None if row is None else (row, worst)
    where = f"{NEARBY} " if near else ""
    why, reasons = why_it_varies(problem, forward=outputs)
    cause = sentences.several_results(where, what, of, words, why)
    return Finding(Verdict.NONDETERMINISTIC, cause, place=None if near else place, reasons=reasons, scripted=not near)
