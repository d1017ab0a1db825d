"""Theoretical against numerical Jacobian in one mode, then the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import Examination, Theoretical, is_large, theoretical_jacobian
from gradcheck.findings import Finding, judged, nonfinite
from gradcheck.graph.paths import moves_in_steps, what_cuts
from gradcheck.harness.asking_again import wavering
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.confirming import alone_under_xla, as_a_train_step, compare_engines, confirmed
from gradcheck.harness.examining import as_interpreted, beside_reference, examined, interpreted_nearby
from gradcheck.harness.last_digits import in_the_last_digits
from gradcheck.harness.low_precision import lost_on_the_way, through_twin, twin_execution
from gradcheck.harness.projecting import projected
from gradcheck.harness.rules import broken, differs_from_eager, nonlinear, unstable
from gradcheck.harness.state import ModeState
from gradcheck.harness.ties import inconsistent_at_ties
from gradcheck.harness.witness import Witness, Witnesses
from gradcheck.modes import Execution
from gradcheck.verdicts import Verdict

__all__ = ["measured", "note_silent_zeros"]


def measured(
    baseline: Baseline, witnesses: Witnesses, state: ModeState, *, rules: bool = True, exact: bool = True
) -> ModeState:
    """Check a mode entry by entry: its gradient, determinism, eager mode's word, and the invariants.

    What it comes to is filled into ``state``. A mode whose slopes were measured becomes the witness of others.

    Args:
        baseline: what eager mode showed.
        witnesses: where a verified example is remembered.
        state: the mode.
        rules: False leaves the invariants and the engines alone, for a mode that nobody asked for.
        exact: whether the exact reference counts, where there is one; False where the mode computes something else.
    """
    run, x = state.run, baseline.problem.x
    if state.engine == "projected" or (is_large(x.size, baseline.problem.outputs.size) and not baseline.options.engine):
        state.engine = "projected"
        state = projected(baseline, state)
        state.finding = wavering(baseline, run, state.finding, state.found) or state.finding
        return state
    theory, alone = _theory(baseline, state)
    early = _empty(baseline, state, theory) or _not_finite(baseline, run, theory.jacobian)
    if early is not None:
        state.finding = early
        return state
    compared = _compared(baseline, state, theory.jacobian, exact)
    found, reference = compared.found, compared.reference
    state.found = found
    finding = _first_finding(baseline, state, compared, theory)
    if reference is not None and finding.verdict.fails and not interpreted_nearby(baseline, reference, run):
        return measured(baseline, witnesses, state, rules=rules, exact=False)
    if finding.verdict is Verdict.MISMATCH:
        finding = in_the_last_digits(baseline, run, found, finding) or finding
    if not finding.verdict.fails:
        finding = nonlinear(baseline, found, theory) or finding
    if finding.verdict is Verdict.KINK:
        precise = run if baseline.twin is None else twin_execution(baseline, run)
        finding = inconsistent_at_ties(baseline, precise, found, reference) or finding
    finding = wavering(baseline, run, finding, found, theory) or finding
    if reference is None:
        _remember(baseline, witnesses, run, found, finding)
    if not rules:
        state.finding = finding
        return state
    if not finding.verdict.fails:
        leak = broken(baseline, state, found)
        if leak is None:
            baseline.held.add(run.mode)
        finding = leak or finding
    state.finding = confirmed(run, x, finding)
    if not alone:
        compare_engines(baseline, state, found)
        as_a_train_step(baseline, state, found)
    note_silent_zeros(baseline, state)
    return state


@dataclass(frozen=True)
class _Compared:
    """A mode's gradient beside what it was compared with.

    Attributes:
        found: the comparison.
        reference: the exact reference, where that was it.
        precise: what the float64 twin came to, where that was asked.
        lost: what is undecided because digits are lost on the way.
    """

    found: Examination
    reference: Reference | None = None
    precise: Finding | None = None
    lost: Finding | None = None


def _theory(baseline: Baseline, state: ModeState) -> tuple[Theoretical, bool]:
    """The theoretical Jacobian, and whether some of its rows had to be computed by programs of their own."""
    theory = theoretical_jacobian(state.run, baseline.problem.x, baseline.rows)
    jacobian = alone_under_xla(state.run, theory.jacobian, baseline.rows, baseline.columns)
    if jacobian is theory.jacobian:
        return theory, False
    state.notes.append(
        "XLA computes NaN or Inf for a part of the gradient where one program computes several rows of it, and "
        "finite numbers where each row has a program of its own, as here: what 0 times infinity comes to depends "
        "on how it compiles"
    )
    return replace(theory, jacobian=jacobian), True


def _empty(baseline: Baseline, state: ModeState, theory: Theoretical) -> Finding | None:
    """The finding of an empty output; None where there is an output."""
    if baseline.problem.outputs.size:
        return None
    if theory.again.any():
        return Finding(Verdict.MISMATCH, "the output is empty, yet its gradient is not zero")
    state.notes.append("the output is empty: its gradient is zero, as it must be")
    return state.finding


def _not_finite(baseline: Baseline, run: Execution, jacobian: np.ndarray) -> Finding | None:
    """NaN or Inf in what counts, which ends a check before anything is compared."""
    rows, columns, problem = baseline.rows, baseline.columns, baseline.problem
    outputs_finite = baseline.outputs is None or np.isfinite(baseline.outputs[rows]).all()
    if outputs_finite and np.isfinite(jacobian[np.ix_(rows, columns)]).all():
        return None
    center = run.evaluate(problem.x[None])[0]
    bad = nonfinite(center, jacobian, problem.plan.inputs, problem.outputs, rows, columns)
    return None if bad is None else wavering(baseline, run, bad) or bad


def _compared(baseline: Baseline, state: ModeState, jacobian: np.ndarray, exact: bool) -> _Compared:
    """The theoretical Jacobian beside the exact reference, the float64 twin, or measured slopes: the first there is."""
    run, reference = state.run, baseline.reference
    if exact and reference is not None:
        center = run.evaluate(baseline.problem.x[None])[0]
        if as_interpreted(baseline, reference, center):
            return _Compared(beside_reference(baseline, reference, run, jacobian, center), reference)
    if baseline.twin is not None:
        found, precise = through_twin(baseline, run, jacobian)
        return _Compared(found, precise=precise)
    # What float64 says of the same computation is worth more than a search for stairs, and costs less.
    found = examined(baseline, run, jacobian, baseline.columns, swept=baseline.estranged is not None)
    if baseline.no_twin:
        state.notes.append(f"measured in low precision, so only coarse errors show: {baseline.no_twin}")
    found, lost = lost_on_the_way(baseline, run, found)
    return _Compared(found, lost=lost)


def _first_finding(baseline: Baseline, state: ModeState, compared: _Compared, theory: Theoretical) -> Finding:
    """The first rule that does not hold: determinism, finite numbers, eager mode's outputs, the gradient itself."""
    run, found, problem = state.run, compared.found, baseline.problem
    finding = (
        unstable(baseline, run, found, theory)
        or nonfinite(
            found.center, theory.jacobian, problem.plan.inputs, problem.outputs, baseline.rows, baseline.columns
        )
        or differs_from_eager(baseline, run, found, state.notes)
        or compared.precise
        or judged(run, found)
    )
    if compared.reference is not None and finding.place is not None:
        return located(compared.reference, finding, baseline.columns)
    if compared.lost is not None and finding.verdict is Verdict.UNRESOLVED:
        return compared.lost
    return finding


def _remember(baseline: Baseline, witnesses: Witnesses, run: Execution, found: Examination, finding: Finding) -> None:
    """Keep a compiled mode whose slopes were measured, for the modes that do what it does."""
    wrong = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
    if run.mode == "eager" or not (wrong or not finding.verdict.fails):
        return
    nearby = run.evaluate(baseline.nearby()[None])[0]
    witness = Witness(finding, found, nearby, run.none_gradients)
    if wrong:
        witnesses.suspect = witness
    else:
        witnesses.remember(witness)


def located(reference: Reference, finding: Finding, columns: np.ndarray) -> Finding:
    """What is undecided or a kink, with the operation that makes it so."""
    assert finding.place is not None
    row = finding.place[0]
    if finding.verdict is Verdict.UNRESOLVED:
        operation = reference.where_digits_are_lost(row)
        entry = finding.entry
        if operation and entry is not None and entry.theoretical is not None:
            left = "no digit is left" if entry.bound is None or not np.isfinite(entry.bound) else f"±{entry.bound:.2g}"
            cause = (
                f"rounding hides the gradient of {entry.output} w.r.t. {entry.input}: its digits are lost in "
                f"{operation}. "
                f"The exact value is {entry.numerical:.6g} ({left}), the gradient says {entry.theoretical:.6g}"
            )
            return replace(finding, cause=cause)
    if finding.verdict is Verdict.KINK:
        operation = reference.where_it_ties(columns)
        if operation:
            return replace(finding, cause=f"{finding.cause}; {operation} decides there")
    return finding


def note_silent_zeros(baseline: Baseline, state: ModeState) -> None:
    """A gradient that is None where nothing moves is worth a note."""
    if state.finding.verdict is Verdict.DISCONNECTED:
        return
    for number in sorted(state.run.none_gradients):
        block = baseline.problem.plan.inputs.blocks[number]
        cut = what_cuts(baseline.problem, number)
        by = f" (the path is cut by {cut})" if cut else ""
        stands = "moving it moves no output here"
        if moves_in_steps(baseline.problem, number):
            stands = "moving it moves the outputs in steps if at all, between which they are flat"
        state.notes.append(f"the gradient w.r.t. {block.name} is None{by}, and {stands}")
