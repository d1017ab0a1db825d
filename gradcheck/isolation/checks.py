"""`gradcheck.check` in a process of its own: what kills that process is a finding, ``CRASH``, like any other.

A search whose checks are made here shrinks a crash as it shrinks any failure, one process for each batch that
kills it. How many there may be is bounded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck.cases.document import Case, case_of
from gradcheck.cases.encoding import class_names, decode, encode, with_classes
from gradcheck.errors import InputError
from gradcheck.execution.announcing import calls_announced
from gradcheck.isolation.environment import installed_versions
from gradcheck.isolation.limits import Limits, available_memory
from gradcheck.isolation.process import Worker
from gradcheck.isolation.tasks import Death, Task
from gradcheck.records.reasons import Reason
from gradcheck.records.results import ModeResult
from gradcheck.report import Report
from gradcheck.results.reading import mode_result
from gradcheck.strategies._literals import array_code
from gradcheck.subject.importing import load_object, module_of, spec_of
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.isolation.worker import Channel

__all__ = [
    "IsolatedChecks",
    "as_code",
    "calls_told",
    "check_in_worker",
    "crash_result",
    "describe_in_worker",
    "named",
    "report_from",
]

# A shrunk crash costs a process, with TensorFlow to load, for each step downwards. Of the searches that were tried the
# longest had 27 steps, and half of them 11. The first dozen is had however slow the machine is.
_MOST_DEATHS = 30
_DEATHS_ANYWAY = 12
_SHRINK_SECONDS = 180.0
_LEAST_PATIENCE = 10.0


class IsolatedChecks:
    """A subject in a worker process, to be checked batch by batch. A context manager.

    Args:
        subject: what to check, as ``"pkg.module:name"`` or ``"path/file.py:name"``, or an object that is found under
            such a name.
        call: how the subject is called, as `gradcheck.check` takes it; a name, or an object that has one, too.
        limits: what the process may use. Where no memory limit is given, half of the machine's.

    Attributes:
        name: of the subject.
        versions: as in a report.
        dead: how the process died while it loaded the subject; None where it did not.

    Raises:
        InputError: where the subject has no name that another process finds, or cannot be loaded.
    """

    def __init__(self, subject: Any, *, call: Any = None, limits: Limits | None = None) -> None:
        self.spec = named(subject, "subject")
        self.call = None if call is None else named(call, "call")
        limits = limits or Limits(task_seconds=None)
        if limits.memory is None:
            limits = replace(limits, memory=available_memory() // 2)
        self.worker = Worker(limits)
        self.dead: Death | None = None
        self.name = self.spec.rpartition(":")[2]
        self.versions: Mapping[str, str] = installed_versions()
        self._crashes: dict[str, Report] = {}  # by example, of the mode that is searched
        self._deaths = 0
        self._first_death = 0.0
        self._unconfirmed = 0
        self._mode = ""
        self._before = (0, 0)  # which process, and how many batches it was given
        self._slowest = 0.0  # seconds of a check that came back
        self._case: Case | None = None  # of what was last checked for good
        try:
            self._describe()
        except BaseException:
            self.worker.close()
            raise

    def __enter__(self) -> IsolatedChecks:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self.worker.close()

    def _describe(self) -> None:
        task = Task(f"{__name__}:describe_in_worker", {"subject": self.spec, "call": self.call})
        outcome = self.worker.run(task)
        if outcome.refusal:
            raise InputError(outcome.refusal)
        if outcome.error:
            raise InputError(f"subject {self.spec!r}: loading it failed:\n{outcome.error}")
        if outcome.death is not None:
            self.dead = outcome.death
            return
        self.name, self.versions = outcome.value["name"], outcome.value["versions"]

    def check(self, args: tuple[Any, ...], mode: str, options: Mapping[str, Any], *, again: bool = False) -> Report:
        """The report of one example in one mode.

        Args:
            args: the batch, or the arguments.
            mode: the mode.
            options: options of `gradcheck.check`, as JSON can hold them.
            again: check it once more, for good: in a process of its own where it killed one, and with the script that
                shows what fails.

        Raises:
            InputError: where the example cannot be checked, or cannot be carried to another process.
        """
        if self.dead is not None:
            return self._report(args, crash_result(mode, self.dead))
        arguments = [encode(argument) for argument in args]
        if mode != self._mode:
            self._mode, self._crashes, self._deaths, self._unconfirmed = mode, {}, 0, 0
        key = json.dumps(arguments)
        if not again:
            if key in self._crashes:
                return self._crashes[key]
            if self._tired:
                return self._report(args, ModeResult(mode, Verdict.UNRESOLVED, "not tried: a crash takes too long"))
        elif key in self._crashes:
            self.worker.discard()
        report, death = self._try(args, arguments, mode, options, final=again)
        if death is None:
            return report
        if death.kind == "stopped":
            raise KeyboardInterrupt
        if self._before[1] > 1 and not self._crashes and not again:
            # It had checked other batches before; what they left behind must not be blamed on this one.
            alone, second = self._try(args, arguments, mode, options)
            if second is None:
                self._unconfirmed += 1
                if self._unconfirmed < 2 or death.kind == "memory" or death.signal == "SIGKILL":
                    note = f"{death}, once, after it had checked other batches; on this batch alone it did not"
                    return _with_note(alone, mode, note)
                note = "the process died twice, each time after several batches and not on the last one alone"
                report = _with_note(report, mode, note)
                self._deaths = _MOST_DEATHS  # there is no smaller batch to look for
            else:
                report = alone
        if not again:
            self._first_death = self._first_death if self._crashes else time.monotonic()
            self._deaths += 1
            self._crashes[key] = report
        return report

    def together(self, modes: Sequence[str]) -> AbstractContextManager[None]:
        """Nothing is shared between the modes of a search: any of them may kill the process."""
        return nullcontext()

    @property
    def _tired(self) -> bool:
        """Whether a crash is known and what it may cost is spent."""
        late = self._deaths >= _DEATHS_ANYWAY and time.monotonic() - self._first_death > _SHRINK_SECONDS
        return bool(self._crashes) and (self._deaths >= _MOST_DEATHS or late)

    def _try(
        self, args: tuple[Any, ...], arguments: list[Any], mode: str, options: Mapping[str, Any], final: bool = False
    ) -> tuple[Report, Death | None]:
        task = Task(
            f"{__name__}:check_in_worker",
            {
                "subject": self.spec,
                "call": self.call,
                "arguments": arguments,
                "classes": class_names(args),
                "code": as_code(args),
                "mode": mode,
                "options": dict(options),
                "final": final,
            },
            key="check",
        )
        number = self.worker.number
        self._before = (number, self._before[1] + 1 if self._before[0] == number else 1)
        outcome = self.worker.run(task, batch_seconds=None if final else self._patience())
        if outcome.refusal:
            raise InputError(outcome.refusal)
        if outcome.error:
            raise RuntimeError(f"gradcheck failed on {self.name} in mode {mode}:\n{outcome.error}")
        self._case = None
        if outcome.death is None:
            self._slowest = max(self._slowest, outcome.seconds)
            if outcome.value["case"] is not None:
                self._case = replace(Case.from_dict(outcome.value["case"]), own=True)
            return report_from(outcome.value["report"]), None
        return self._report(args, crash_result(mode, outcome.death)), outcome.death

    def _patience(self) -> float | None:
        """The limit for one batch: once a batch hangs for certain, smaller ones need not be waited for as long. The
        last of them is then checked with the full limit.
        """
        limit = self.worker.limits.batch_seconds
        if limit is None or not self._crashes:
            return limit
        return min(limit, max(_LEAST_PATIENCE, 10 * self._slowest))

    def case(self, args: tuple[Any, ...], result: ModeResult, options: Mapping[str, Any]) -> Case:
        """The case of a failure that was just checked for good: as the worker wrote it, or of its death."""
        if self._case is not None:
            return self._case
        is_file = self.spec.rpartition(":")[0].endswith(".py")
        return Case(
            name=self.name,
            subject=None if is_file else self.spec,
            file=self.spec if is_file else None,
            call=self.call,
            called=self.call is not None,
            arguments=args,
            mode=result.mode,
            verdict=result.verdict,
            cause=result.cause,
            options=dict(options),
            weights=None,  # they died with the process
            versions=self.versions,
            own=True,
        )

    def _report(self, args: tuple[Any, ...], result: ModeResult) -> Report:
        return Report(self.name, {result.mode: result}, as_code(args), self.versions)


def named(thing: Any, what: str) -> str:
    """The name under which another process finds a thing; a text is one already.

    Raises:
        InputError: where there is none.
    """
    if isinstance(thing, str):
        return thing
    for spec in spec_of(thing):
        if spec is not None:
            return spec
    raise InputError(
        f"{what} {thing!r} cannot be found by another process: {_why_unnamed(thing)}. "
        "Give it as text, 'pkg.module:name' or 'path/file.py:name'; a layer by the name of a function that makes it"
    )


def _why_unnamed(thing: Any) -> str:
    if getattr(thing, "__name__", "") == "<lambda>":
        return "a lambda has no name (def layer(): return Layer(units=2) at the top level of a module has one)"
    return "it was made inside a function, or no module holds it"


def as_code(args: Sequence[Any]) -> str:
    """Arguments as code that can be pasted, as reports show them."""
    return ", ".join(
        array_code(np.asarray(argument)) if isinstance(argument, (np.ndarray, np.generic)) else repr(argument)
        for argument in args
    )


def calls_told(channel: Channel) -> AbstractContextManager[None]:
    """Inside it every call of a subject with other arguments is on disk before it is made."""
    return calls_announced(lambda called: channel.calls_with(as_code(called)))


def crash_result(mode: str, death: Death) -> ModeResult:
    """A death as the result of a mode."""
    text = f"{death.text} {'on this batch' if death.example is not None else 'while the subject was loaded'}"
    if death.example is not None and death.example.get("call"):
        other = " ".join(death.example["call"].split())
        text = f"{death.text} on another batch that this one is compared with, {other}"
    return ModeResult(
        mode,
        Verdict.CRASH,
        cause=f"{text}: {death.message}" if death.message else text,
        detail="\n".join(death.stderr),
        reasons=(_REASONS.get(death.kind, Reason.OUT_OF_MEMORY if death.signal == "SIGKILL" else Reason.DIED),),
    )


# Why a process died, by the kind of its death. What kills a process that nobody stopped is a kernel without memory.
_REASONS = {"batch time": Reason.HUNG, "task time": Reason.HUNG, "memory": Reason.OUT_OF_MEMORY}


def report_from(data: Mapping[str, Any]) -> Report:
    """Inverse of `Report.to_dict`."""
    return Report(
        data["subject"],
        {mode: mode_result(mode, result) for mode, result in data["modes"].items()},
        data["arguments"],
        data["versions"],
        data["wrt"],
        data["scripts"],
        data["evidence"],
    )


def _with_note(report: Report, mode: str, note: str) -> Report:
    result = report[mode]
    return replace(report, modes={**report.modes, mode: replace(result, notes=(*result.notes, note))})


_loaded: dict[tuple[str, str | None], Any] = {}


def _subject(arguments: Mapping[str, Any]) -> Any:
    """The subject, once for each process, so that what was compiled for it is used again."""
    from gradcheck.subject.adapter import subject_of

    key = (arguments["subject"], arguments["call"])
    if key not in _loaded:
        call = None if key[1] is None else load_object(key[1], "call")
        _loaded[key] = subject_of(load_object(key[0], "subject"), call)
    return _loaded[key]


def describe_in_worker(arguments: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """Load a subject; its name and the versions that are loaded."""
    from gradcheck._tensorflow import versions

    return {"name": _subject(arguments).name, "versions": versions()}


def check_in_worker(arguments: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """Check one example in one mode; ``final``: with its script and case, which take time to write."""
    from gradcheck.harness.afresh import checked_afresh
    from gradcheck.harness.checking import check

    subject = _subject(arguments)
    channel.begin({key: arguments[key] for key in ("mode", "arguments", "code")})
    # Drawn by the process that sends them, so their classes may be imported: it has done so.
    modules = [module for name in arguments["classes"] if (module := module_of(load_object(name, "named tuple")))]
    args = tuple(with_classes(decode(argument), modules) for argument in arguments["arguments"])
    mode, options = arguments["mode"], arguments["options"]
    with calls_told(channel):
        report = check(subject, *args, modes=(mode,), **options)
    if not arguments["final"]:
        # Scripts and pictures take time to make, and while a failure shrinks nobody wants them.
        return {"report": replace(report, scripts={}, evidence={}).to_dict(), "case": None}
    report = checked_afresh(subject, args, report, mode, options, scripts=False)
    case = case_of(subject, args, report[mode], **options) if report[mode].verdict.fails else None
    return {"report": report.to_dict(), "case": None if case is None else case.to_dict()}
