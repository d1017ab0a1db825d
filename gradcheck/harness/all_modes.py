"""All modes of one check, in the order that serves them best, with the subject's variables put back afterwards."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcheck.diagnosis.evidence import Scene, evidence_of
from gradcheck.diagnosis.findings import Finding
from gradcheck.diagnosis.script import script_for, second_order_shown
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.dtype_taken import as_taken, find_dtype_taken
from gradcheck.harness.observation import observe
from gradcheck.harness.one_mode import checked_mode
from gradcheck.harness.options import Options
from gradcheck.records.evidence import Evidence
from gradcheck.records.results import ModeResult
from gradcheck.subject.adapter import Subject
from gradcheck.subject.restoring import preserved
from gradcheck.verdicts import Verdict

__all__ = ["ORDER", "Scripts", "evidence_by_mode", "run_modes"]

# XLA evaluates many points the fastest by far. Eager goes last: what the others show of a batch it need not show again.
ORDER = ("xla", "graph", "dynamic", "eager")


def run_modes(
    subject: Subject, args: Sequence[Any], modes: Sequence[str], options: Options
) -> tuple[Baseline, dict[str, ModeResult], dict[str, Finding]]:
    """Check a subject on one batch in some modes.

    Returns:
        What eager mode showed, and the result and the finding of every mode, in the order in which they ran.

    Raises:
        InputError: the arguments cannot be checked.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(subject.own_numpy_errors())
        stack.enter_context(preserved(subject.every_variable()))
        args, cast = as_taken(subject, args)
        baseline = observe(subject, args, options)
        if isinstance(baseline.error, Exception) and find_dtype_taken(subject, args, baseline.error):
            args, cast = as_taken(subject, args)
            baseline = observe(subject, args, options)
        for variable, value in zip(baseline.problem.plan.state, baseline.problem.state_values, strict=False):
            variable.assign(value)
        if subject.first_arguments is None:
            subject.first_arguments = tuple(baseline.problem.bound_to)
        results, findings = {}, {}
        for mode in sorted(modes, key=ORDER.index):
            findings[mode], result = checked_mode(baseline, mode)
            results[mode] = replace(result, notes=(*result.notes, cast)) if cast else result
        return baseline, results, findings


class Scripts(Mapping[str, str]):
    """Reproduction scripts by failing mode, written when someone asks: extracting sources takes time."""

    def __init__(self, baseline: Baseline, results: Mapping[str, ModeResult], findings: Mapping[str, Finding]) -> None:
        self._baseline, self._findings = baseline, findings
        # A script looks at one entry; what cannot be shown so has none.
        self._results = {
            mode: result
            for mode, result in results.items()
            if not result.ok
            and result.verdict.fails
            and findings[mode].scripted
            and (baseline.options.order == 1 or second_order_shown(baseline.problem, findings[mode]))
        }
        self._texts: dict[str, str] = {}

    def __getitem__(self, mode: str) -> str:
        if mode not in self._texts:
            result, baseline = self._results[mode], self._baseline
            self._texts[mode] = script_for(baseline.subject, baseline.problem, result, self._findings[mode])
        return self._texts[mode]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def evidence_by_mode(
    baseline: Baseline, results: Mapping[str, ModeResult], findings: Mapping[str, Finding]
) -> Evidence:
    """What the pictures of the modes that did not simply pass are made from; measured when someone looks."""

    def measure(mode: str) -> dict[str, Any]:
        scene = Scene(
            problem=baseline.problem,
            result=results[mode],
            finding=findings[mode],
            twin=baseline.twin,
            eager_outputs=baseline.outputs,
            options=baseline.options.tolerance,
        )
        with baseline.subject.own_numpy_errors():
            return evidence_of(scene)

    notable = [mode for mode, result in results.items() if result.verdict is not Verdict.PASS]
    return Evidence({mode: functools.partial(measure, mode) for mode in notable})
