"""Theoretical against numerical Jacobian in one mode, then the rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import is_large, theoretical_jacobian
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
from gradcheck.verdicts import Verdict

__all__ = ["measured", "note_silent_zeros"]


def measured(
    baseline: Baseline, witnesses: Witnesses, state: ModeState, *, rules: bool = True, exact: bool = True
) -> ModeState:
    """Check a mode for itself: its gradient, determinism, eager mode's word, and the invariants.

    What it comes to is filled into ``state``; where nothing failed it becomes the witness.

    Args:
        baseline: what eager mode showed.
        witnesses: where a verified example is remembered.
        state: the mode.
        rules: False leaves the invariants and the engines alone, for a mode that nobody asked for.
        exact: whether the exact reference counts, where there is one; False where the mode computes something else.
    """
    run, x = state.run, baseline.problem.x
    rows, columns = baseline.rows, baseline.columns
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    large = is_large(x.size, outputs.size) and baseline.options.engine is None
    if state.engine == "projected" or large:
        state.engine = "projected"
        state = projected(baseline, state)
        state.finding = wavering(baseline, run, state.finding, state.found) or state.finding
        return state
    theory = theoretical_jacobian(run, x, rows)
    jacobian = alone_under_xla(run, theory.jacobian, rows, columns)
    alone = jacobian is not theory.jacobian
    if alone:
        theory = replace(theory, jacobian=jacobian)
        state.notes.append(
            "XLA computes NaN or Inf for a part of the gradient where one program computes several rows of it, and "
            "finite numbers where each row has a program of its own, as here: what 0 times infinity comes to depends "
            "on how it compiles"
        )
    if outputs.size == 0:
        if theory.again.any():
            cause = "the output is empty, yet its gradient is not zero"
            state.finding = Finding(Verdict.MISMATCH, cause)
        else:
            state.notes.append("the output is empty: its gradient is zero, as it must be")
        return state
    if baseline.outputs is not None and not np.isfinite(baseline.outputs[rows]).all():
        center = run.evaluate(x[None])[0]
    else:
        center = None
    if center is not None or not np.isfinite(jacobian[np.ix_(rows, columns)]).all():
        center = run.evaluate(x[None])[0] if center is None else center
        bad = nonfinite(center, jacobian, inputs, outputs, rows, columns)
        if bad is not None:
            state.finding = wavering(baseline, run, bad) or bad
            return state
    precise: Finding | None = None
    lost: Finding | None = None
    reference = baseline.reference if exact else None
    if reference is not None:
        center = run.evaluate(x[None])[0] if center is None else center
        reference = reference if as_interpreted(baseline, reference, center) else None
    if reference is not None and center is not None:
        found = beside_reference(baseline, reference, run, jacobian, center)
    elif baseline.twin is not None:
        found, precise = through_twin(baseline, run, jacobian)
    else:
        # What float64 says of the same computation is worth more than a search for stairs, and costs less.
        found = examined(baseline, run, jacobian, columns, swept=baseline.estranged is not None)
        if baseline.no_twin:
            state.notes.append(f"measured in low precision, so only coarse errors show: {baseline.no_twin}")
        found, lost = lost_on_the_way(baseline, run, found)
    state.found = found
    finding = (
        unstable(baseline, run, found, theory)
        or nonfinite(found.center, jacobian, inputs, outputs, rows, columns)
        or differs_from_eager(baseline, run, found, state.notes)
    )
    finding = finding or precise or judged(run, found)
    if reference is not None and finding.place is not None:
        finding = located(reference, finding, columns)
    if lost is not None and finding.verdict is Verdict.UNRESOLVED:
        finding = lost
    if reference is not None and finding.verdict.fails and not interpreted_nearby(baseline, reference, run):
        return measured(baseline, witnesses, state, rules=rules, exact=False)
    if finding.verdict is Verdict.MISMATCH:
        finding = in_the_last_digits(baseline, run, found, finding) or finding
    if not finding.verdict.fails:
        finding = nonlinear(baseline, found, theory) or finding
    if finding.verdict is Verdict.KINK:
        precise_run = run if baseline.twin is None else twin_execution(baseline, run)
        finding = inconsistent_at_ties(baseline, precise_run, found, reference) or finding
    finding = wavering(baseline, run, finding, found, theory) or finding
    wrong = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
    if reference is None and run.mode != "eager" and (wrong or not finding.verdict.fails):
        nearby = run.evaluate(baseline.nearby()[None])[0]
        witness = Witness(finding, found, nearby, run.none_gradients)
        if wrong:
            witnesses.suspect = witness
        else:
            witnesses.remember(witness)
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
