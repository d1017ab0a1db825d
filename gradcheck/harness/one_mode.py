"""One mode of a check: the comparison, the rules, and what the mode raises."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.operations import FIRST_NOT_FINITE
from gradcheck.errors import InputError
from gradcheck.execution.modes import Execution, OneByOne, execution
from gradcheck.graph.paths import moves_in_steps, what_cuts
from gradcheck.harness.at_corners import another_choice
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.comparison import Comparison, compare
from gradcheck.harness.confirming import confirmed
from gradcheck.harness.cross_check import CONTRADICTED, compare_engines, taken_back
from gradcheck.harness.empty_rows import EMPTY_ROW, has_an_empty_row
from gradcheck.harness.first_nonfinite import where_it_begins
from gradcheck.harness.rules import first_violated
from gradcheck.harness.rules.determinism import nondeterministic, nondeterministic_by_chance
from gradcheck.harness.weakness import weaknesses
from gradcheck.records.reasons import Reason
from gradcheck.records.results import ModeResult
from gradcheck.rendering.causes import BACKWARD, FORWARD_RUNS, cause_of, is_unsupported, reasons_of
from gradcheck.support.layout import Block, Layout
from gradcheck.support.patience import TooLongError
from gradcheck.verdicts import Verdict

__all__ = ["checked_mode"]


def checked_mode(baseline: Baseline, mode: str) -> tuple[Finding, ModeResult]:
    """Check one mode. What the subject raises becomes a finding.

    Raises:
        InputError: the arguments cannot be checked.
    """
    start = time.perf_counter()
    run: Execution = execution(baseline.problem, mode)
    comparison: Comparison | None = None
    try:
        if mode == "eager" and baseline.error is not None:
            raise baseline.error
        if mode == "eager" and baseline.again is not None and baseline.outputs is not None:
            finding = nondeterministic(baseline, "the outputs", baseline.outputs, baseline.again)
        else:
            finding, comparison = _checked(baseline, run)
    except InputError:
        raise
    except TooLongError as error:
        finding = Finding(Verdict.CRASH, str(error), scripted=False, reasons=(Reason.HUNG,))
    except Exception as error:
        finding = _of_its_gradient(baseline, run, _raised(mode, error))
    finding = _explained(baseline, finding, mode)
    engine = baseline.options.engine or "measured"
    result = ModeResult(
        mode=mode,
        verdict=finding.verdict,
        cause=finding.cause,
        entry=finding.entry,
        detail=finding.detail,
        changed=finding.changed,
        rule=finding.rule,
        reasons=finding.reasons,
        excess=None if comparison is None else comparison.excess,
        resolution=finding.resolution,
        engine=engine if comparison is None else comparison.engine,
        notes=(*finding.notes, *_notes(baseline, run, finding, comparison)),
        seconds=time.perf_counter() - start,
        weak=weaknesses(baseline, finding, None if comparison is None else comparison.found),
    )
    return finding, result


def _checked(baseline: Baseline, run: Execution) -> tuple[Finding, Comparison]:
    """The comparison of a mode, and the first rule that does not hold."""
    if baseline.outputs is None:
        # Eager mode raises on this batch and this mode may not: its own forward pass shows the outputs.
        size = run.forward(baseline.problem.x).size
        baseline.problem.outputs = Layout.of([Block("output", (size,), "float64")])
    alone = OneByOne(run)
    if baseline.options.engine == "reference":
        return _by_the_rules(baseline, alone)
    try:
        return _by_the_rules(baseline, run)
    except InputError:
        raise
    except Exception:
        if run.mode == "eager":
            raise
        # Some subjects run in the mode but not inside a loop in it. If they fail one by one too, they fail.
        finding, comparison = _by_the_rules(baseline, alone)
        comparison.notes.append("the subject does not run inside a loop, so every point took its own call")
        return finding, comparison


def _by_the_rules(baseline: Baseline, run: Execution) -> tuple[Finding, Comparison]:
    comparison = compare(baseline, run)
    finding = first_violated(comparison)
    finding = nondeterministic_by_chance(comparison, finding) or finding
    if not finding.verdict.fails:
        baseline.held.add(run.mode)
    finding = confirmed(run, baseline.x, finding)
    if taken_back(comparison, finding):
        # Without the reference slopes are measured.
        finding, comparison = _by_the_rules(replace(baseline, reference=None), run)
        comparison.notes.append(CONTRADICTED)
    return finding, comparison


def _explained(baseline: Baseline, finding: Finding, mode: str) -> Finding:
    """The finding, with what else is known of its cause."""
    if finding.verdict is Verdict.NONFINITE:
        row, column = finding.place or (0, None)
        # An output that is not finite has no input beside it.
        begins, overflows = where_it_begins(baseline.problem, None if column is None else row)
        reasons = (*((Reason.OVERFLOW,) if overflows else ()), *finding.reasons)
        told = not begins or FIRST_NOT_FINITE in finding.cause
        return replace(finding, cause=finding.cause if told else f"{finding.cause}; {begins}", reasons=reasons)
    if isinstance(baseline.error, Exception) and not finding.verdict.fails and mode != "eager":
        # Its gradient may well be right for what it computes; but that is not what the code says.
        detail = _raised("eager", baseline.error).detail
        cause = f"returns a result where eager mode raises: {cause_of(baseline.error, 'eager')}"
        return Finding(Verdict.DISAGREEMENT, cause, detail=detail, reasons=(Reason.EAGER_RAISES,))
    return finding


def _notes(baseline: Baseline, run: Execution, finding: Finding, comparison: Comparison | None) -> list[str]:
    notes: list[str] = []
    if comparison is not None:
        differ = compare_engines(comparison, finding)
        notes = [*comparison.notes, *([differ] if differ else []), *_silent_zeros(baseline, comparison.run, finding)]
    if finding.verdict in (Verdict.NONFINITE, Verdict.PADDING_LEAK) and has_an_empty_row(baseline):
        notes.append(EMPTY_ROW)
    if isinstance(baseline.error, TooLongError) and run.mode != "eager":
        notes.append(f"in eager mode {baseline.error}")
    notes += another_choice(baseline, run.mode, finding, None if comparison is None else comparison.found)
    return notes


def _silent_zeros(baseline: Baseline, run: Execution, finding: Finding) -> list[str]:
    """A gradient that is None where nothing moves is worth a note."""
    if finding.verdict in (Verdict.DISCONNECTED, Verdict.NONFINITE):
        return []
    notes = []
    for number in sorted(run.none_gradients):
        block = baseline.problem.plan.inputs.blocks[number]
        cut = what_cuts(baseline.problem, number)
        by = f" (the path is cut by {cut})" if cut else ""
        stands = "moving it moves no output here"
        if moves_in_steps(baseline.problem, number):
            stands = "moving it moves the outputs in steps if at all, between which they are flat"
        notes.append(f"the gradient w.r.t. {block.name} is None{by}, and {stands}")
    return notes


# Where this project computes, and calls no code of the subject's by itself.
_PACKAGE = Path(__file__).parents[1]
_OURS = ("numerics", "exact", "engines", "harness", "invariants", "graph", "diagnosis")
_COMPUTING = tuple(f"{_PACKAGE / name}{os.sep}" for name in _OURS)


def _raised(mode: str, error: Exception) -> Finding:
    unsupported = mode != "eager" and is_unsupported(error, mode)
    verdict = Verdict.UNSUPPORTED if unsupported else Verdict.ERROR
    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if _is_our_own(error):
        cause = f"gradcheck itself failed, which says nothing of the subject ({error!r}); please report it"
        return Finding(Verdict.ERROR, cause, detail=detail, reasons=(Reason.OUR_OWN,), scripted=False)
    return Finding(verdict, cause_of(error, mode), detail=detail, reasons=reasons_of(error, mode))


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
    if not succeeds:
        return finding
    return replace(finding, cause=FORWARD_RUNS + finding.cause, reasons=(*finding.reasons, Reason.FORWARD_RUNS))


def _is_our_own(error: Exception) -> bool:
    """Whether an error was raised where this project computes, by itself or through NumPy."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    numpy = f"{Path(np.__file__).parent}{os.sep}"
    last = next((file for file in reversed(files) if not file.startswith(numpy)), "")
    return last.startswith(_COMPUTING)
