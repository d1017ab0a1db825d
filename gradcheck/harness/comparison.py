"""A mode's gradient beside what it must be, from the first source that there is.

The sources are, in order: the exact reference, by a few random combinations of gradient rows or entry by entry; the
float64 twin of a subject in few bits; slopes that are measured. A Jacobian too large to form is compared along random
directions. Whatever the source, the rules of `gradcheck.harness.rules` are the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.comparison import (
    Tolerance,
    judge_directions,
    judge_entries,
    judge_products,
    loses_digits,
    precision_of,
)
from gradcheck.engines.exact import FAILED, Reference
from gradcheck.engines.jacobians import (
    DIRECTIONS,
    Examination,
    Theoretical,
    is_large,
    random_weights,
    theoretical_jacobian,
)
from gradcheck.engines.projected import Halves, certain, halves_by_reference, halves_by_slopes, project
from gradcheck.execution.modes import CompiledExecution, Execution, OneByOne
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.entries import as_interpreted, interpreted_nearby, measured, with_reference
from gradcheck.harness.low_precision import through_twin
from gradcheck.harness.observation import searching
from gradcheck.numerics import Judgement, Kind, Status

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """A mode's gradient beside what it must be: what the rules are about.

    Attributes:
        baseline: what eager mode showed.
        run: the problem in the mode.
        found: the judgement of each entry, or of random combinations of them; the outputs and their noise.
        engine: where the numbers come from: ``exact``, ``measured``, ``projected`` or ``reference``.
        theory: the gradient, where all of it was formed.
        reference: the exact reference, where that is what the gradient was compared with.
        twin: what the comparison with the float64 twin came to, where that was it.
        separate: whether rows of the gradient had to be computed by programs of their own.
        notes: remarks for the report; rules may add some.
    """

    baseline: Baseline
    run: Execution
    found: Examination
    engine: str
    theory: Theoretical | None = None
    reference: Reference | None = None
    twin: Finding | None = None
    separate: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def resolution(self) -> float | None:
        """The smallest relative error of the gradient that would have been seen."""
        if self.twin is not None:
            return self.twin.resolution
        resolution = self.found.judgement.resolution
        return None if np.isnan(resolution) else float(resolution)

    @property
    def excess(self) -> float:
        """The largest discrepancy in units of what is allowed, corners left out."""
        judgement = self.found.judgement
        return float(np.where(judgement.status == Status.KINK, 0.0, judgement.excess).max(initial=0.0))

    def halves(self) -> Halves:
        """What tells which of two halves of a wrong combination is off the more."""
        baseline = self.baseline
        if self.reference is not None:
            return halves_by_reference(self.run, self.reference, baseline.columns)
        level = float(baseline.eps.max(initial=2.0**-52))
        return halves_by_slopes(
            self.run, baseline.x, level, baseline.rows, baseline.columns, baseline.options.tolerance
        )


def compare(baseline: Baseline, run: Execution) -> Comparison:
    """Compare a mode's gradient with the first source that there is."""
    engine, reference = baseline.options.engine, baseline.reference
    if reference is not None:
        found = _by_products(baseline, reference, run)
        if found is not None:
            return Comparison(baseline, run, found, "exact", reference=reference, notes=_measured_operations(reference))
    large = engine is None and is_large(baseline.x.size, baseline.problem.outputs.size)
    if engine == "projected" or large or (engine is None and reference is None and _too_slow(baseline, run)):
        return _along_directions(baseline, run)
    return _entry_by_entry(baseline, run)


def _entry_by_entry(baseline: Baseline, run: Execution) -> Comparison:
    """The whole theoretical Jacobian, entry by entry."""
    notes: list[str] = []
    theory, separate = _theoretical(baseline, run, notes)
    jacobian, reference = theory.jacobian, baseline.reference
    engine = "reference" if isinstance(run, OneByOne) else "measured"

    def comparison(found: Examination, used: Reference | None = None, twin: Finding | None = None) -> Comparison:
        notes.extend(_measured_operations(used) if used else [])
        return Comparison(baseline, run, found, "exact" if used else engine, theory, used, twin, separate, notes)

    center = run.evaluate(baseline.x[None])[0]
    rows, columns = baseline.rows, baseline.columns
    if not center.size or not (np.isfinite(center[rows]).all() and np.isfinite(jacobian[np.ix_(rows, columns)]).all()):
        return comparison(_not_compared(baseline, jacobian, center), reference)
    if reference is not None and as_interpreted(baseline, reference, center):
        found = with_reference(baseline, reference, run, jacobian, center)
        if not (found.judgement.status == Status.MISMATCH).any() or interpreted_nearby(baseline, reference, run):
            return comparison(found, reference)
    if baseline.twin is not None:
        found, twin = through_twin(baseline, run, jacobian)
        return comparison(found, twin=twin)
    if baseline.no_twin:
        notes.append(f"measured in low precision, so only coarse errors show: {baseline.no_twin}")
    if baseline.no_reference and (baseline.options.engine == "exact" or baseline.no_reference.startswith(FAILED)):
        notes.append(f"there is no exact reference ({baseline.no_reference}), so slopes were measured")
    return comparison(measured(baseline, run, jacobian))


def _measured_operations(reference: Reference) -> list[str]:
    opaque = reference.opaque()
    return [f"no exact rule is known for {opaque}: the slopes of that operation were measured"] if opaque else []


# Most rows of a gradient that are asked for once more, in a call each.
_MOST_ALONE = 32


def _theoretical(baseline: Baseline, run: Execution, notes: list[str]) -> tuple[Theoretical, bool]:
    """The theoretical Jacobian, and whether some of its rows had to be computed by programs of their own.

    What 0 times infinity comes to is left to XLA's optimizer: the same gradient can be NaN in a program that computes
    several rows and 0 in one that computes it alone. The latter is what users run.
    """
    theory = theoretical_jacobian(run, baseline.x, baseline.rows, measured=baseline.reference is None)
    if not isinstance(run, CompiledExecution) or run.mode != "xla":
        return theory, False
    rows, columns, jacobian = baseline.rows, baseline.columns, theory.jacobian
    doubtful = rows[~np.isfinite(jacobian[np.ix_(rows, columns)]).all(axis=1)]
    result = jacobian
    for row in doubtful[:_MOST_ALONE]:
        try:
            _, alone = run.unlooped(baseline.x, np.eye(1, len(jacobian), row)[0])
        except Exception:  # a function of its own may be more than XLA can compile
            break
        if not np.isfinite(alone[columns]).all():
            break  # the first row that is not finite either way ends the search
        result = result.copy() if result is jacobian else result
        result[row] = alone
    if result is jacobian:
        return theory, False
    notes.append(
        "XLA computes NaN or Inf for a part of the gradient where one program computes several rows of it, and "
        "finite numbers where each row has a program of its own, as here: what 0 times infinity comes to depends "
        "on how it compiles"
    )
    return replace(theory, jacobian=result), True


def _not_compared(baseline: Baseline, jacobian: np.ndarray, center: np.ndarray) -> Examination:
    """What is empty, or not finite: a rule says so, and there is nothing to compare."""
    shape = (baseline.columns.size, baseline.rows.size)
    theory = jacobian[np.ix_(baseline.rows, baseline.columns)].T
    status = np.where(np.isfinite(theory), np.int8(Status.PASS), np.int8(Status.NONFINITE))
    zeros, none = np.zeros(shape), np.full(shape, np.nan)
    kind = np.full(shape, Kind.SMOOTH, np.int8)
    judgement = Judgement(status, zeros, zeros, zeros, none, none, kind, float("nan"))
    noise = np.zeros(center.size)
    return Examination(center, jacobian, judgement, baseline.rows, baseline.columns, noise, baseline.eps)


# -- the exact reference ---------------------------------------------------------------------------------------------


def _by_products(baseline: Baseline, reference: Reference, run: Execution) -> Examination | None:
    """A few random combinations of gradient rows beside the reference: one forward and one backward pass.

    None where every entry has to be looked at: outside of a search, where accuracy is to be strict, on the first batch
    of each program of a mode (eager mode has none, and one batch is looked at), at a tie, and where a combination is
    not the reference's.
    """
    problem, rows, columns, eps = baseline.problem, baseline.rows, baseline.columns, baseline.eps
    if not searching(problem.subject) or is_large(problem.x.size, problem.outputs.size):
        return None  # a check of one batch leaves nothing out
    if baseline.options.accuracy == "strict":
        return None  # every entry counts relative to itself
    key = (run.mode, problem.plan.key(dynamic=run.mode == "eager"))
    if key not in problem.subject.examined:
        problem.subject.examined.add(key)
        return None
    slopes = reference.slopes(columns)
    if slopes.ties or not rows.size or loses_digits(slopes, rows, eps):
        return None
    pulled = baseline.pulled if run.mode == "eager" else None
    if pulled is not None and baseline.outputs is not None:
        center, gradients, cotangents = baseline.outputs, pulled.gradients, pulled.cotangents
        run.none_gradients = pulled.none_gradients
    else:
        cotangents = baseline.passed_back()
        values, gradients = run.linearize(np.repeat(problem.x[None], len(cotangents), axis=0), cotangents)
        center = values[0]
    if not np.isfinite(center[rows]).all() or not np.isfinite(gradients[:, columns]).all():
        return None
    if not as_interpreted(baseline, reference, center):
        return None
    tolerance = Tolerance(**baseline.options.tolerance)
    same, resolution = judge_products(reference, gradients, cotangents, columns=columns, eps=eps, tolerance=tolerance)
    if not same or not resolution <= tolerance.limits(eps[rows]).min():
        return None
    jacobian = np.zeros((problem.outputs.size, problem.x.size))
    jacobian[:, columns] = slopes.right.T
    judgement = judge_entries(reference, jacobian, center, rows=rows, columns=columns, eps=eps, tolerance=tolerance)
    judgement = replace(judgement, resolution=resolution)
    return Examination(center, jacobian, judgement, rows, columns, slopes.noise, precision_of(slopes, eps))


# Seconds that measuring eager mode entry by entry may take.
_MOST_SECONDS = 2.0


def _too_slow(baseline: Baseline, run: Execution) -> bool:
    """Whether each of a few calls in eager mode is slow: one alone may have been kept waiting by what else runs."""
    if run.mode != "eager" or baseline.twin is not None:
        return False
    for _ in range(4):
        start = time.perf_counter()
        run.forward(baseline.x)
        if (time.perf_counter() - start) * (40 + 6 * baseline.columns.size) <= _MOST_SECONDS:
            return False
    return True


# -- random directions -----------------------------------------------------------------------------------------------


def _along_directions(baseline: Baseline, run: Execution) -> Comparison:
    """Random combinations of outputs along random directions."""
    x, rows, columns, eps = baseline.x, baseline.rows, baseline.columns, baseline.eps
    center, reference = run.evaluate(x[None])[0], baseline.reference
    if not np.isfinite(center[rows]).all():
        nothing = np.zeros((0, x.size))
        found = _not_compared(baseline, np.zeros((center.size, x.size)), center)
        found = replace(found, jacobian=nothing, cotangents=np.zeros((0, center.size)), directions=nothing)
        return Comparison(baseline, run, found, "projected")
    if reference is not None and as_interpreted(baseline, reference, center):
        found = _directions_with_reference(baseline, run, reference, center)
    else:
        reference = None
        level, options = float(eps.max(initial=2.0**-52)), baseline.options.tolerance
        found = project(run, x, eps=level, rows=rows, columns=columns, seed=baseline.seed, options=options)
    return Comparison(baseline, run, found, "projected", reference=reference, notes=[_sharpness(found)])


def _directions_with_reference(
    baseline: Baseline, run: Execution, reference: Reference, center: np.ndarray
) -> Examination:
    random = np.random.default_rng(baseline.seed)
    x, rows, columns, eps = baseline.x, baseline.rows, baseline.columns, baseline.eps
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
