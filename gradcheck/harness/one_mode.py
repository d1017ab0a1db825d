"""One mode of a check: beside the witness where it does the same, measured for itself where not, and what it raises."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradcheck.engines.jacobians import beside, theoretical_jacobian
from gradcheck.errors import InputError
from gradcheck.findings import Finding, judged, nonfinite
from gradcheck.harness.asking_again import nondeterministic, wavering
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.by_reference import by_reference
from gradcheck.harness.confirming import as_a_train_step, compare_engines, confirmed
from gradcheck.harness.examining import examined
from gradcheck.harness.first_nonfinite import where_it_begins
from gradcheck.harness.measuring import measured, note_silent_zeros
from gradcheck.harness.rules import broken, nonlinear, unstable
from gradcheck.harness.state import ModeState
from gradcheck.harness.witness import Witness, Witnesses, agreement, unsettled
from gradcheck.modes import Execution, OneByOne, execution
from gradcheck.rendering.causes import BACKWARD, FORWARD_RUNS, cause_of, is_unsupported
from gradcheck.support.layout import Block, Layout
from gradcheck.verdicts import Verdict

__all__ = ["call_witness", "checked_mode"]


def checked_mode(baseline: Baseline, witnesses: Witnesses, mode: str) -> ModeState:
    """Check one mode. What the subject raises becomes a finding.

    Raises:
        InputError: the arguments cannot be checked.
    """
    run: Execution = execution(baseline.problem, mode)
    try:
        if mode == "eager" and baseline.error is not None:
            raise baseline.error
        state = _checked(baseline, witnesses, run)
    except InputError:
        raise
    except Exception as error:
        return ModeState(run, _of_its_gradient(baseline, run, _raised(mode, error)))
    if state.finding.verdict is Verdict.NONFINITE and (begins := where_it_begins(baseline.problem)):
        state.finding = replace(state.finding, cause=f"{state.finding.cause}; {begins}")
    if state.finding.verdict in (Verdict.NONFINITE, Verdict.PADDING_LEAK) and _has_an_empty_row(baseline):
        state.notes.append("this batch has a row of length 0; who never has one draws none (min_length=1)")
    if baseline.error is not None and not state.finding.verdict.fails:
        # Its gradient may well be right for what it computes; but that is not what the code says.
        detail = _raised("eager", baseline.error).detail
        cause = f"returns a result where eager mode raises: {cause_of(baseline.error, 'eager')}"
        state.finding = Finding(Verdict.DISAGREEMENT, cause, detail=detail)
    return state


def _has_an_empty_row(baseline: Baseline) -> bool:
    mask = baseline.mask
    return mask is not None and not mask.any(axis=1).all()


def call_witness(baseline: Baseline, witnesses: Witnesses) -> None:
    """Measure a compiled mode that nobody asked for, so that eager mode need not be measured entry by entry.

    Dynamic mode is traced just once, whatever is drawn. A subject that it cannot run has no witness.
    """
    if baseline.options.engine is None and baseline.error is None:
        state = ModeState(execution(baseline.problem, "dynamic"), Finding(Verdict.ERROR), engine="measured")
        with contextlib.suppress(Exception):
            measured(baseline, witnesses, state, rules=False)


# Where this project computes, and calls no code of the subject's by itself.
_PACKAGE = Path(__file__).parents[1]
_COMPUTING = tuple(f"{_PACKAGE / name}{os.sep}" for name in ("numerics", "engines", "harness", "invariants", "graph"))


def _raised(mode: str, error: Exception) -> Finding:
    unsupported = mode != "eager" and is_unsupported(error, mode)
    verdict = Verdict.UNSUPPORTED if unsupported else Verdict.ERROR
    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if _is_our_own(error):
        cause = f"gradcheck itself failed, which says nothing of the subject ({error!r}); please report it"
        return Finding(Verdict.ERROR, cause, detail=detail, scripted=False)
    return Finding(verdict, cause_of(error, mode), detail=detail)


def _of_its_gradient(baseline: Baseline, run: Execution, finding: Finding) -> Finding:
    """The finding of an error, and in its cause that it is the gradient's where the forward pass alone raises none.

    Who expects a mode to be unsupported should know that the model still predicts in it, and only does not train.
    """
    if not finding.scripted or finding.cause.startswith(BACKWARD):
        return finding
    if run.mode == "eager":
        succeeds = baseline.error is None
    else:
        try:
            run.forward(baseline.problem.x)
            succeeds = True
        except Exception:
            succeeds = False
    return replace(finding, cause=FORWARD_RUNS + finding.cause) if succeeds else finding


def _is_our_own(error: Exception) -> bool:
    """Whether an error was raised where this project computes, by itself or through NumPy."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    numpy = f"{Path(np.__file__).parent}{os.sep}"
    last = next((file for file in reversed(files) if not file.startswith(numpy)), "")
    return last.startswith(_COMPUTING)


def _checked(baseline: Baseline, witnesses: Witnesses, run: Execution) -> ModeState:
    """One mode: beside the witness, or measured for itself."""
    problem, engine = baseline.problem, baseline.options.engine
    state = ModeState(run, Finding(Verdict.PASS), engine=engine or "measured")
    if baseline.outputs is None:
        # Eager mode raises on this batch and this mode may not: its own forward pass shows the outputs.
        size = run.forward(problem.x).size
        problem.outputs = Layout.of([Block("output", (size,), "float64")])
    elif run.mode == "eager" and baseline.again is not None:
        state.finding = nondeterministic(baseline, "the outputs", baseline.outputs, baseline.again)
        return state
    if engine == "reference":
        state.run = OneByOne(run)
    try:
        if engine == "exact" and baseline.no_reference:
            state.engine = "measured"
            state.notes.append(f"there is no exact reference ({baseline.no_reference}), so slopes were measured")
        if baseline.reference is not None:
            state.engine = "exact"
            opaque = baseline.reference.opaque()
            if opaque:
                state.notes.append(f"no exact rule is known for {opaque}: the slopes of that operation were measured")
            return by_reference(baseline, baseline.reference, state) or measured(baseline, witnesses, state)
        witness = witnesses.current
        if witness is not None and engine is None:
            same = agreement(baseline, run, witness)
            if same.outputs and same.gradient:
                return _beside(baseline, state, witness)
            if same.outputs and run.mode == "eager" and baseline.twin is None:
                part = _in_part(baseline, state, witness)
                if part is not None:
                    return part
        if run.mode == "eager" and engine is None:
            suspect = witnesses.suspect
            if witness is None and suspect is not None and baseline.twin is None:
                part = _beside_suspect(baseline, state, suspect)
                if part is not None:
                    return part
            if _too_slow(baseline, run, problem.x.size):
                state.engine = "projected"
        return measured(baseline, witnesses, state)
    except InputError:
        raise
    except Exception:
        if run.mode == "eager" or isinstance(state.run, OneByOne):
            raise
        # Some subjects run in the mode but not inside a loop in it. If they fail one by one too, they fail.
        state.run, state.engine = OneByOne(run), "reference"
        state.notes = [*state.notes, "the subject does not run inside a loop, so every point took its own call"]
        return measured(baseline, witnesses, state)


def _beside(baseline: Baseline, state: ModeState, witness: Witness) -> ModeState:
    """The mode does what the witness does: its entries hold; the invariants are held in the mode itself."""
    state.found = witness.found
    leak = broken(baseline, state, witness.found) if state.run.mode != "eager" or baseline.in_full else None
    if leak is None:
        baseline.held.add(state.run.mode)
    state.finding = leak or replace(witness.finding, notes=())
    compare_engines(baseline, state, witness.found)
    as_a_train_step(baseline, state, witness.found)
    note_silent_zeros(baseline, state)
    return state


def _in_part(baseline: Baseline, state: ModeState, witness: Witness) -> ModeState | None:
    """Eager mode where its outputs are the witness's and its gradient is not: the slopes of the witness are its own.

    So they are compared with its own gradient, and only inputs at which that does not settle the matter are measured in
    eager mode. An ill-conditioned gradient, whose rounding errors differ from mode to mode, is settled like that.

    Returns:
        None where too much would be left to measure.
    """
    run, x = state.run, baseline.problem.x
    theory = theoretical_jacobian(run, x, baseline.rows)
    jacobian = theory.jacobian
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    columns = unsettled(witness, jacobian)
    if _too_slow(baseline, run, columns.size):
        return None
    if columns.size:
        found = examined(baseline, run, jacobian, columns)
        own = nonfinite(found.center, jacobian, inputs, outputs, baseline.rows, baseline.columns) or judged(run, found)
        finding = witness.finding if own.verdict is Verdict.PASS else own
    else:
        found, finding = replace(witness.found, jacobian=jacobian), witness.finding
    state.found = found
    finding = unstable(baseline, run, found, theory) or replace(finding, notes=())
    if not finding.verdict.fails:
        finding = nonlinear(baseline, found, theory) or finding
    finding = wavering(baseline, run, finding, found if columns.size else None, theory) or finding
    if not finding.verdict.fails:
        finding = broken(baseline, state, found) or finding
    state.finding = confirmed(run, x, finding)
    note_silent_zeros(baseline, state)
    return state


def _beside_suspect(baseline: Baseline, state: ModeState, suspect: Witness) -> ModeState | None:
    """Eager mode where outputs and gradient are those of a compiled mode whose gradient is wrong.

    What moves the worst entry is measured in eager mode itself, and the slopes of the others are the compiled mode's.
    Every step of shrinking comes here, and an evaluation takes milliseconds in eager mode.

    Returns:
        None where eager mode does not do the same, or its own slope does not show the same.
    """
    run, x = state.run, baseline.problem.x
    same = agreement(baseline, run, suspect)
    if not (same.outputs and same.gradient):
        return None
    theory = theoretical_jacobian(run, x, baseline.rows)
    found = replace(suspect.found, jacobian=theory.jacobian)
    wrong = judged(run, found)
    if wrong.place is None or wrong.place[1] is None or wrong.verdict is not suspect.finding.verdict:
        return None
    column = np.array([wrong.place[1]])
    own = examined(baseline, run, theory.jacobian, column, swept=True)
    if judged(run, own).verdict is not wrong.verdict:
        return None
    state.found = found = beside(found, own)
    finding = unstable(baseline, run, found, theory) or judged(run, found)
    finding = wavering(baseline, run, finding, found, theory) or finding
    state.finding = confirmed(run, x, finding)
    note_silent_zeros(baseline, state)
    return state


# Seconds that measuring eager mode entry by entry may take.
_MOST_SECONDS = 2.0


def _too_slow(baseline: Baseline, run: Execution, columns: int) -> bool:
    """Whether every one of a few calls is slow: a single one may have been kept waiting by whatever else runs here."""
    for _ in range(4):
        start = time.perf_counter()
        run.forward(baseline.problem.x)
        if (time.perf_counter() - start) * (40 + 6 * columns) <= _MOST_SECONDS:
            return False
    return True
