"""What must be true of a mode besides its gradient being right: the same twice, as in eager mode, the invariants.

Every rule returns a `Finding`, or None where it is kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.agreement import (
    FEW_BITS,
    gradient_bound,
    lost_below,
    noise_ratio,
    output_bound,
    output_terms,
    squares_bound,
)
from gradcheck.engines.jacobians import FAINT, Examination, Theoretical
from gradcheck.findings import Finding
from gradcheck.graph.random_operations import drawn_from_a_seed, why_it_varies
from gradcheck.harness.asking_again import nondeterministic, wavering
from gradcheck.harness.baseline import NEARBY, Baseline, close
from gradcheck.harness.state import ModeState
from gradcheck.invariants.comparing import Example
from gradcheck.invariants.holding import broken_invariant
from gradcheck.modes import EagerExecution, Execution
from gradcheck.numerics import Kind
from gradcheck.records.results import Entry
from gradcheck.rendering.hints import ALL_OUTPUTS, NOT_LINEAR
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["LAST_DIGITS", "broken", "differs_from_eager", "nonlinear", "unstable"]

# Decompositions under XLA (eigenvalues, singular values) are iterations that stop at some 1e-7 of the result, in
# float64 too. A difference between modes below this part of the largest number beside it is theirs, and no bug's.
LAST_DIGITS = 5e-7


def unstable(baseline: Baseline, run: Execution, found: Examination, theory: Theoretical) -> Finding | None:
    """The same call twice gives the same result."""
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


def nonlinear(baseline: Baseline, found: Examination, theory: Theoretical) -> Finding | None:
    """The backward pass is linear in what is passed back to it.

    Unit cotangents do not meet a gradient that is clipped at 1, and a loss in training is no unit cotangent.
    """
    rows, columns, eps = baseline.rows, baseline.columns, found.eps
    jacobian = theory.jacobian[np.ix_(rows, columns)]
    weights, weighed = theory.weights[rows], theory.weighed[columns]
    if not (np.isfinite(jacobian).all() and np.isfinite(weighed).all()):
        return None
    expected = weights @ jacobian
    level = float(eps.max(initial=2.0**-52))
    terms, allowed = weighed_bound(baseline, found, jacobian, weights, weighed)
    passed_back = [(weighed, expected, allowed, "4 to 11")]
    if level < FEW_BITS:  # in fewer, a part of what is passed back is lost where that is small
        least = FAINT * allowed + lost_below(terms, level)
        passed_back.append((theory.faint[columns], FAINT * expected, least, "0.004 to 0.011"))
    for pulled, added, bound, numbers in passed_back:
        with np.errstate(invalid="ignore"):
            beyond = ~(np.abs(pulled - added) <= bound)
        if beyond.any():
            worst = int(np.argmax(np.where(beyond, np.abs(pulled - added), -1.0)))
            place = baseline.problem.plan.inputs.describe(int(columns[worst]))
            together, apart = float(pulled[worst]) + 0.0, float(added[worst]) + 0.0  # no -0
            cause = (
                f"{NOT_LINEAR}, as where the backward pass clips or normalises it: of several outputs at once, weighed "
                f"by numbers from {numbers}, it is {together:.6g} for {place}; their gradients one at a time, weighed "
                f"by the same numbers, add up to {apart:.6g}"
            )
            entry = Entry(ALL_OUTPUTS, place, together, apart, float(bound[worst]))
            return Finding(Verdict.MISMATCH, cause, entry, scripted=False)
    return None


def weighed_bound(
    baseline: Baseline, found: Examination, jacobian: np.ndarray, weights: np.ndarray, weighed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The size of what the gradient of a weighed sum of outputs adds up, and what rounding explains, ``[columns]``.

    Args:
        baseline: the batch.
        found: what was measured.
        jacobian: of the rows and columns that count.
        weights: of these rows.
        weighed: that gradient at these columns, as it was pulled back.
    """
    rows, columns = baseline.rows, baseline.columns
    ratio = noise_ratio(found.center, found.noise, found.eps)
    level = float(found.eps.max(initial=2.0**-52))
    sizes = np.abs(weights)
    terms = sizes @ np.abs(jacobian) + output_terms(sizes, found.center[rows], baseline.x[columns])
    # Where the gradient and the outputs are 0 because their terms cancel, as those of a divergence of equal
    # distributions, only rounding errors are left. A clip takes away as much as the gradient is, or more.
    allowed = gradient_bound(terms, ratio, level) + gradient_bound(sizes.sum()[None], 1.0, level)
    # Such terms are as large as an output is beside a small input, as in the cosine of a short vector with itself.
    reach = np.abs(baseline.x[columns])
    shortest = min(1.0, float(reach[reach > 0].min(initial=1.0)))
    inner = float(sizes @ np.abs(found.center[rows])) / shortest
    # What padding holds may be as large as numbers are: inputs without a gradient have no say.
    counts = baseline.x[columns][(jacobian != 0).any(axis=0) | (weighed != 0)]
    allowed = allowed + gradient_bound(np.array([inner]), ratio, level) + squares_bound(terms, counts, level)
    return terms, allowed


# In types of few bits an output of terms that cancel stands still close by, and shows no noise there. So many times
# what eager mode is off further away is rounding; that is asked at so many points.
_ERRORS = 8.0
_POINTS = 8


def _eager_errors(baseline: Baseline) -> np.ndarray:
    """How far rounding may move low-precision outputs, by the float64 twin ``[y_size]``; 0 where there is none."""
    none = np.zeros(baseline.problem.outputs.size)
    if baseline.twin is None:
        return none
    low, wide = EagerExecution(baseline.problem), EagerExecution(baseline.twin)
    try:
        errors = [low.forward(x) - wide.forward(x) for x in baseline.held_exactly(_POINTS, zeros=True)]
    except Exception:  # a point that the subject refuses says nothing
        return none
    with np.errstate(invalid="ignore", over="ignore"):
        typical = np.sqrt(np.mean(np.square(errors), axis=0))
    return np.where(np.isfinite(typical), _ERRORS * typical, 0.0)


def differs_from_eager(baseline: Baseline, run: Execution, found: Examination, notes: list[str]) -> Finding | None:
    """The outputs are eager mode's, up to rounding; a difference in the last digits only is added to ``notes``."""
    reference = baseline.outputs
    if reference is None or run.mode == "eager" or not baseline.deterministic:
        return None
    rows = baseline.rows
    if found.center.size != reference.size:
        cause = f"the output has {found.center.size} elements here and {reference.size} in eager mode"
        return Finding(Verdict.DISAGREEMENT, cause)
    difference = np.abs(found.center - reference)
    bound = output_bound(found.center, found.noise, found.eps)
    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(~(difference <= bound))
    beyond = np.intersect1d(beyond, rows)
    if not found.projected and beyond.size:
        # At a tie the modes may choose differently, and both be right.
        kinds = found.judgement.kind
        cornered = ((kinds == Kind.JUMP) | (kinds == Kind.KINK)).any(axis=0)
        beyond = np.setdiff1d(beyond, found.rows[cornered])
    if beyond.size:
        size = np.concatenate([_largest(found.center[b.start : b.stop]) for b in baseline.problem.outputs.blocks])
        slight = beyond[difference[beyond] <= LAST_DIGITS * size[beyond]]
        if slight.size:
            part = float((difference[slight] / size[slight]).max())
            notes.append(
                f"outputs differ from eager mode's in their last digits, by {part:.1g} of the largest: more than "
                "rounding, as where an iteration stops early (decompositions under XLA do), and too little to be a bug"
            )
        beyond = np.setdiff1d(beyond, slight)
    if beyond.size and found.center.size and float(baseline.eps.max()) > FEW_BITS:
        beyond = beyond[difference[beyond] > _eager_errors(baseline)[beyond]]
    if not beyond.size:
        return None
    row = int(beyond[np.argmax(np.where(np.isfinite(difference[beyond]), difference[beyond], np.inf))])
    where = baseline.problem.outputs.describe(row)
    here, eager = precise_pair(found.center[row], reference[row])
    cause = (
        f"{where} is {here} here and {eager} in eager mode; rounding explains "
        f"{bound[row]:.2g} ({beyond.size} of {found.center.size} outputs differ)"
    )
    seeded = drawn_from_a_seed(baseline.problem) if run.mode == "xla" else ""
    if seeded:
        cause += f"; the subject draws random numbers from a seed ({seeded}), which XLA may draw in its own way"
    return Finding(Verdict.DISAGREEMENT, cause, place=(row, None))


def _largest(block: np.ndarray) -> np.ndarray:
    """The largest finite size in a block, once for each of its elements."""
    return np.full(block.size, np.abs(np.where(np.isfinite(block), block, 0.0)).max(initial=0.0))


def broken(baseline: Baseline, state: ModeState, found: Examination) -> Finding | None:
    """The invariants that were chosen; what they remark becomes a note of the state."""
    # What a loss over padded outputs passes back to the weights is no leak: the rules are ones for first derivatives.
    if baseline.batch is None or baseline.outputs is None or baseline.options.order > 1:
        return None
    example = Example(
        run=state.run,
        problem=baseline.problem,
        batch=baseline.batch,
        center=found.center,
        noise=found.noise,
        eps=found.eps,
        bind=baseline.rebound,
        jacobian=None if found.projected else found.jacobian,
        asked=baseline.options.invariants.asked,
        notes=state.notes,
    )
    finding = broken_invariant(example, baseline.options.invariants)
    if finding is None:
        return None
    # It rests on draws of other calls too. Those are made once more: what is true is found twice.
    unsteady = wavering(baseline, state.run, finding)
    if unsteady is not None:
        return unsteady
    again = broken_invariant(replace(example, notes=[]), baseline.options.invariants)
    if again is None or again.rule != finding.rule:
        baseline.subject.random = True
        why = why_it_varies(baseline.problem, forward=True)
        cause = (
            f"the same call twice gives two different results: {finding.cause}; once more, and it did not"
            f"{why and f'; {why}'}"
        )
        return Finding(Verdict.NONDETERMINISTIC, cause, scripted=False)
    return _another_function(baseline, state.run, found, finding) or finding


def _another_function(baseline: Baseline, run: Execution, found: Examination, leak: Finding) -> Finding | None:
    """DISAGREEMENT where a mode that leaks computes something else than eager mode next to the batch.

    Outputs that are 0 are the same in every mode, whatever is computed: a size that was taken while the function was
    traced, as in dynamic mode an unknown one, looks like a leak of the padding there.
    """
    if run.mode == "eager" or not baseline.deterministic or baseline.twin is not None:
        return None
    near = baseline.nearby()
    mine = run.evaluate(near[None])[0]
    try:
        theirs = EagerExecution(baseline.problem).forward(near)
    except Exception:  # it refuses that point; then nothing is known of it
        return None
    if mine.size != theirs.size:
        return None
    bound = np.fmax(output_bound(mine, found.noise, found.eps), LAST_DIGITS * np.abs(mine).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        beyond = np.intersect1d(np.flatnonzero(np.abs(mine - theirs) > 100 * bound), baseline.rows)
    if not beyond.size:
        return None
    row = int(beyond[np.argmax(np.abs(mine - theirs)[beyond])])
    where = baseline.problem.outputs.describe(row)
    here, eager = precise_pair(mine[row], theirs[row])
    cause = f"{NEARBY} {where} is {here} here and {eager} in eager mode; on the batch itself {leak.cause}"
    return Finding(Verdict.DISAGREEMENT, cause, scripted=False)
