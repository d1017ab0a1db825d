"""Replays in a process of their own: a case that kills it is a ``CRASH``, and the cases after it are replayed all the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gradcheck.cases.document import Case
from gradcheck.errors import InputError
from gradcheck.harness.replay import replay
from gradcheck.isolation.checks import as_code, calls_told, crash_result, report_from
from gradcheck.isolation.environment import installed_versions
from gradcheck.isolation.limits import Limits, available_memory
from gradcheck.isolation.process import Worker
from gradcheck.isolation.tasks import Task
from gradcheck.report import Report
from gradcheck.subject.importing import load_object

if TYPE_CHECKING:
    from gradcheck.isolation.worker import Channel

__all__ = ["IsolatedReplays", "replay_in_worker"]


class IsolatedReplays:
    """A worker process for replays, started with the first. A context manager.

    Args:
        limits: what the process may use. Where no memory limit is given, half of the machine's.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits(task_seconds=None)
        if limits.memory is None:
            limits = replace(limits, memory=available_memory() // 2)
        self.worker = Worker(limits)

    def __enter__(self) -> IsolatedReplays:
        return self

    def __exit__(self, *exception: object) -> None:
        self.worker.close()

    def replay(
        self, case: Case, *, subject: str, call: str | None = None, modes: Sequence[str] | None = None
    ) -> Report:
        """`gradcheck.cases.document.replay`, each mode a task: one that kills the process costs the others nothing.

        Args:
            case: the case. Nothing that it names is imported.
            subject: the name of the subject, which is imported.
            call: the name of the ``call=``, likewise.
            modes: which modes; the case's own where omitted.

        Raises:
            InputError: where the subject cannot be imported.
        """
        reports = [self._one(case, mode, subject, call) for mode in modes or (case.mode,)]
        return replace(
            next((report for report in reports if report.evidence or report.scripts), reports[0]),
            modes={mode: result for report in reports for mode, result in report.modes.items()},
            scripts={mode: script for report in reports for mode, script in report.scripts.items()},
            evidence={mode: evidence for report in reports for mode, evidence in report.evidence.items()},
        )

    def _one(self, case: Case, mode: str, subject: str, call: str | None) -> Report:
        code = as_code(case.arguments)
        arguments = {"case": case.to_dict(), "mode": mode, "subject": subject, "call": call, "code": code}
        outcome = self.worker.run(Task(f"{__name__}:replay_in_worker", arguments, key="replay"))
        if outcome.refusal:
            raise InputError(outcome.refusal)
        if outcome.error:
            raise RuntimeError(f"gradcheck failed on {case.name} in mode {mode}:\n{outcome.error}")
        if outcome.death is None:
            return report_from(outcome.value)
        if outcome.death.kind == "stopped":
            raise KeyboardInterrupt
        result = crash_result(mode, outcome.death)
        return Report(case.name, {mode: result}, as_code(case.arguments), dict(installed_versions()))


def replay_in_worker(arguments: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """One case in one mode; its report."""
    case, mode = Case.from_dict(arguments["case"]), arguments["mode"]
    subject = load_object(arguments["subject"], "subject")
    call = None if arguments["call"] is None else load_object(arguments["call"], "call")
    channel.begin({"mode": mode, "arguments": arguments["case"]["arguments"], "code": arguments["code"]})
    with calls_told(channel):
        return replay(case, modes=mode, subject=subject, call=call).to_dict()
