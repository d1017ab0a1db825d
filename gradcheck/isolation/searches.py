"""Searches as tasks: many subjects in worker processes, every mode of each with a verdict, whatever dies on the way.

A task is first searched as a whole in a worker that it shares with others. Where that worker dies, what was finished
is kept, the mode in which it died is searched once more with every check in a process of its own
(`gradcheck.isolation.checks`), which confirms and shrinks the crash or shows that there is none, and the other modes go
on by themselves.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gradcheck.cases.encoding import encode
from gradcheck.errors import InputError
from gradcheck.isolation.checks import IsolatedChecks, as_code, calls_told, crash_result
from gradcheck.isolation.environment import installed_versions
from gradcheck.isolation.journal import Journal
from gradcheck.isolation.limits import Limits
from gradcheck.isolation.pool import Pool
from gradcheck.isolation.tasks import Death, Outcome, Task, key_of
from gradcheck.mode_names import MODES
from gradcheck.records.results import SCHEMA_VERSION, ModeResult
from gradcheck.report import Report
from gradcheck.results.reading import mode_result
from gradcheck.subject.importing import load_object, load_strategy
from gradcheck.support.build import build
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from hypothesis.database import ExampleDatabase

    from gradcheck.isolation.worker import Channel
    from gradcheck.searching.searches import ModeSearch, SearchResult

__all__ = [
    "FUNCTIONS",
    "SearchOutcome",
    "SearchTask",
    "run_searches",
    "search_carefully_in_worker",
    "search_in_worker",
    "unfinished_document",
]

FUNCTIONS = (f"{__name__}:search_in_worker", f"{__name__}:search_carefully_in_worker")


@dataclass(frozen=True)
class SearchTask:
    """One call of `gradcheck.search`, as JSON can hold it.

    Attributes:
        subject: ``"pkg.module:name"`` or ``"path/file.py:name"``.
        strategy: likewise, of a strategy or a function that makes one; or arguments of `strategies.batches`.
        modes: which modes.
        max_examples: examples a mode.
        seed: of the search. There is always one: what killed a process must be met again.
        expect: expected verdicts by mode.
        options: further arguments of `gradcheck.search`: ``wrt``, ``engine``, ``padding``, ``rtol``, ``atol``,
            ``resolution_limit``, and ``call`` as a name.
        name: of the subject in results; the one that the subject has where empty.
        database: where Hypothesis keeps failing examples and finds those of others: a folder or
            ``redis://host:port/number``; nowhere where empty. It is not part of `key`.
        group: tasks of one group go to the same worker where that keeps nobody waiting; those of one subject where
            empty.
    """

    subject: str
    strategy: str | Mapping[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = MODES
    max_examples: int = 100
    seed: int = 0
    expect: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    database: str = ""
    group: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        strategy = self.strategy if isinstance(self.strategy, str) else dict(self.strategy)
        return {
            "subject": self.subject,
            "strategy": strategy,
            "modes": list(self.modes),
            "max_examples": self.max_examples,
            "seed": self.seed,
            "expect": {mode: list(verdicts) for mode, verdicts in self.expect.items()},
            "options": dict(self.options),
            "name": self.name,
            "database": self.database,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SearchTask:
        """Inverse of `to_dict`."""
        expect = {mode: tuple(verdicts) for mode, verdicts in data["expect"].items()}
        return cls(**{**data, "modes": tuple(data["modes"]), "expect": expect})

    @property
    def key(self) -> str:
        """Names the task: the same for the same search by the same build under the same versions, on any machine."""
        return key_of({**self.to_dict(), "database": ""}, dict(installed_versions()), build())


@dataclass(frozen=True)
class SearchOutcome:
    """What became of a `SearchTask`.

    Attributes:
        task: the task.
        document: what was found, a document of kind ``search``; each mode in it has, beside what
            `SearchResult.to_dict` writes, ``result`` (as `ModeResult.to_dict`), ``arguments`` (the counterexample as
            code), ``script`` and ``case``. Empty where there was an error.
        error: traceback of an error of the harness itself, or the message of an `InputError`; empty where there
            was none.
        deaths: of workers, on the way to this result.
        seconds: wall-clock time that workers spent on it.
    """

    task: SearchTask
    document: Mapping[str, Any]
    error: str = ""
    deaths: tuple[Death, ...] = ()
    seconds: float = 0.0

    def result(self, mode: str) -> ModeResult:
        """What a mode came to."""
        return mode_result(mode, self.document["modes"][mode]["result"])

    def evidence(self, mode: str) -> Mapping[str, Any] | None:
        """What the pictures of a mode are made from; None where it passed, or its process did not outlive it."""
        report = self.document["modes"][mode].get("report") or {}
        found: Mapping[str, Any] | None = report.get("evidence", {}).get(mode)
        return found


def run_searches(
    tasks: Iterable[SearchTask],
    workers: int | None = None,
    *,
    limits: Limits | None = None,
    journal: Journal | None = None,
    python: str | None = None,
    on_mode: Callable[[SearchTask, str], None] | None = None,
    pool: Pool | None = None,
    functions: tuple[str, str] = FUNCTIONS,
) -> Generator[SearchOutcome, None, None]:
    """Run searches in worker processes and give each outcome as it comes. Closing the generator ends the workers.

    Args:
        tasks: what to search. Tasks of the same subject go to the same worker where that keeps nobody waiting.
        workers: how many; one for each processor where None.
        limits: what each worker may use. Where no memory limit is given, its share of 0.8 of the machine's.
        journal: what was finished in an earlier run is taken from it.
        python: the workers' interpreter; this one where None.
        on_mode: called as ``on_mode(task, mode)`` when a mode of a task is done, from several threads.
        pool: workers to use and to leave open, in place of new ones.
        functions: what searches in a worker, and what does so with every check in a process of its own.
    """
    searches = {task.key: _Search(task, functions) for task in tasks}

    def on_part(task: Task, name: str, value: Any) -> None:
        if on_mode is not None:
            on_mode(searches[task.key.partition("/")[0]].task, name)

    with contextlib.ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(Pool(workers, limits=limits, journal=journal, python=python))
        pool.on_part = on_part
        pool.limits = pool.limits.shared_by(pool.size)
        for search in searches.values():
            pool.submit(*search.begin(pool.limits))
        for outcome in pool.outcomes():
            key = outcome.key.partition("/")[0]
            pool.submit(*searches[key].take(outcome))
            if searches[key].finished:
                yield searches.pop(key).outcome()


class _Search:
    """A `SearchTask` on its way to a verdict in every mode. What it does depends on outcomes only, so that a journal
    of them leads back to where it was.
    """

    def __init__(self, task: SearchTask, functions: tuple[str, str]) -> None:
        self.task, self.key, self.functions = task, task.key, functions
        self.modes: dict[str, Any] = {}
        self.about: dict[str, Any] = {}  # the subject's name and the versions
        self.deaths: list[Death] = []
        self.suspected: dict[str, Death] = {}  # the first death of each mode that may be to blame
        self.attempts: dict[str, int] = {}  # with every check in a process of its own, by modes
        self.errors: list[str] = []
        self.seconds = 0.0
        self.open: dict[str, tuple[str, ...]] = {}  # modes by key of what is under way
        self.limits = Limits()

    @property
    def finished(self) -> bool:
        return not self.open

    def begin(self, limits: Limits) -> list[Task]:
        self.limits = limits
        return [self._whole(self.task.modes)]

    def take(self, outcome: Outcome) -> list[Task]:
        """Take what became of a task; the tasks that this calls for."""
        modes = self.open.pop(outcome.key)
        self.seconds += outcome.seconds
        careful = "/careful/" in outcome.key
        for mode, found in outcome.parts.items():
            self.modes[mode] = found["mode"]
            self.about = found["about"]
        if outcome.error:
            self.errors.append(outcome.refusal or outcome.error)
            return []
        if outcome.death is None:
            return []
        return self._after(outcome.death, tuple(mode for mode in modes if mode not in self.modes), careful)

    def _after(self, death: Death, left: tuple[str, ...], careful: bool) -> list[Task]:
        self.deaths.append(death)
        if not left:  # it died when everything was done
            return []
        met = None if death.example is None else death.example.get("mode")
        suspects = (met,) if met in left else left
        others = tuple(mode for mode in left if mode not in suspects)
        for mode in suspects:
            self.suspected.setdefault(mode, death)
        if death.kind == "task time":
            for mode in suspects[:1]:
                self._settle(ModeResult(mode, Verdict.UNRESOLVED, f"{death.text} before the search had come to an end"))
            others = left[1:] if suspects == left else others
        elif not careful or self.attempts["+".join(suspects)] < 2:
            # A worker that others kill says nothing about the subject, so it is given another one.
            return [self._careful(suspects), *([self._whole(others)] if others else [])]
        else:
            for mode in suspects:
                self._settle(crash_result(mode, death))
        return [self._whole(others)] if others else []

    def _whole(self, modes: tuple[str, ...]) -> Task:
        key = self.key if modes == self.task.modes else f"{self.key}/{'+'.join(modes)}"
        task = {"task": self.task.to_dict(), "modes": list(modes)}
        self.open[key] = modes
        return Task(self.functions[0], task, key=key, group=self.task.group or self.task.subject)

    def _careful(self, modes: tuple[str, ...]) -> Task:
        joined = "+".join(modes)
        self.attempts[joined] = self.attempts.get(joined, 0) + 1
        key = f"{self.key}/careful/{joined}/{self.attempts[joined]}"
        arguments = {"task": self.task.to_dict(), "modes": list(modes), "limits": self.limits.to_dict()}
        self.open[key] = modes
        return Task(self.functions[1], arguments, key=key, watched=False)

    def _settle(self, result: ModeResult) -> None:
        """A mode that did not come to an end, as a search would have written it."""
        code = (self.deaths[-1].example or {}).get("code", "")
        document = unfinished_document(self.task, result, code, self.about.get("versions"))
        self.modes[result.mode] = document["modes"][result.mode]

    def _noted(self, mode: str) -> dict[str, Any]:
        """What a mode came to, with a note where it was suspected of a worker's death and acquitted."""
        found: dict[str, Any] = self.modes[mode]
        if mode not in self.suspected or found["verdict"] in (Verdict.CRASH.value, Verdict.UNRESOLVED.value):
            return found
        death = self.suspected[mode]
        note = f"a worker was lost in this search ({death}); in a process of its own it did not happen again"
        return {**found, "result": {**found["result"], "notes": [*found["result"]["notes"], note]}}

    def outcome(self) -> SearchOutcome:
        if self.errors:
            return SearchOutcome(self.task, {}, "\n".join(self.errors), tuple(self.deaths), self.seconds)
        modes = {mode: self._noted(mode) for mode in self.task.modes}
        document = _document(self.task, modes, self.about.get("subject"), self.about.get("versions"))
        return SearchOutcome(self.task, document, "", tuple(self.deaths), self.seconds)


def _document(
    task: SearchTask, modes: Mapping[str, Any], name: str | None, versions: Mapping[str, str] | None
) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "kind": "search",
        "subject": task.name or name or task.subject.rpartition(":")[2],
        "ok": all(found["ok"] for found in modes.values()),
        "seed": task.seed,
        "versions": dict(versions or installed_versions()),
        "modes": dict(modes),
    }


def unfinished_document(
    task: SearchTask, result: ModeResult, code: str = "", versions: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A search of one mode that did not come to an end, as one that did would have been written.

    Args:
        task: the search.
        result: what is known of the mode.
        code: the batch in progress as code.
        versions: those that the search ran under; those installed here where None.
    """
    expected = tuple(Verdict[name] for name in task.expect.get(result.mode, ()))
    result = replace(result, expected=expected)
    name = task.name or task.subject.rpartition(":")[2]
    report = Report(name, {result.mode: result}, code, dict(versions or installed_versions()))
    mode = {
        "mode": result.mode,
        "verdict": result.verdict.value,
        "ok": result.ok,
        "expected": [verdict.value for verdict in expected],
        "cause": result.cause,
        "examples": 0,
        "calls": 0,
        "counts": {},
        "counterexample": None,
        "report": report.to_dict(),
        "result": result.to_dict(),
        "arguments": code,
        "script": "",
        "case": None,
    }
    return _document(task, {result.mode: mode}, None, versions)


def search_in_worker(arguments: Mapping[str, Any], channel: Channel) -> None:
    """Search the modes of a task one after the other; each is sent when it is done."""
    from gradcheck.searching.searches import LocalChecks, search_with

    task = SearchTask.from_dict(arguments["task"])
    options = dict(task.options)
    call = options.pop("call", None)
    checks = _Announced(
        channel,
        LocalChecks(load_object(task.subject, "subject"), None if call is None else load_object(call, "call")),
    )
    _search_modes(arguments["modes"], task, checks, options, channel, search_with)


def search_carefully_in_worker(arguments: Mapping[str, Any], channel: Channel) -> None:
    """As `search_in_worker`, with every check in a process of its own: this one outlives the subject."""
    from gradcheck.searching.searches import search_with

    task = SearchTask.from_dict(arguments["task"])
    options = dict(task.options)
    limits = Limits.from_dict(arguments["limits"])
    with IsolatedChecks(
        task.subject, call=options.pop("call", None), limits=replace(limits, task_seconds=None)
    ) as checks:
        _search_modes(arguments["modes"], task, checks, options, channel, search_with)


def _search_modes(
    modes: Iterable[str],
    task: SearchTask,
    checks: Any,
    options: Mapping[str, Any],
    channel: Channel,
    search_with: Callable[..., SearchResult],
) -> None:
    strategy = load_strategy(task.strategy)
    database = _database(task.database)
    for mode in modes:
        started = time.perf_counter()
        signature = (task.subject, json.dumps(task.to_dict()["strategy"]), mode)
        cold = signature not in _met
        _met.add(signature)
        found = search_with(
            checks,
            strategy,
            modes=(mode,),
            max_examples=task.max_examples,
            seed=task.seed,
            expect={mode: tuple(verdicts) for mode, verdicts in task.expect.items()} or None,
            database=database,
            **options,
        )
        about = {"subject": found.subject, "versions": dict(found.versions)}
        cost = {"seconds": round(time.perf_counter() - started, 3), "cold": cold}
        channel.part(mode, {"mode": {**_mode_document(found[mode]), **cost}, "about": about})


# What this process has searched before, and so compiled.
_met: set[tuple[str, str, str]] = set()


def _database(place: str) -> ExampleDatabase | None:
    """Where Hypothesis keeps failing examples and looks for known ones: in a folder or on a Redis server."""
    if not place:
        return None
    from hypothesis.database import DirectoryBasedExampleDatabase

    if place.startswith(("redis://", "rediss://", "unix://")):
        try:
            from hypothesis.extra.redis import RedisExampleDatabase
            from redis import Redis
        except ImportError as error:
            raise InputError(
                f"--database {place} needs the package redis, which is not installed here: "
                "pip install 'tf-gradcheck[redis]'"
            ) from error
        return RedisExampleDatabase(Redis.from_url(place))
    return DirectoryBasedExampleDatabase(place)


def _mode_document(found: ModeSearch) -> dict[str, Any]:
    from gradcheck.searching.searches import as_arguments

    result = replace(found.result, verdict=found.verdict, cause=found.cause)
    return {
        **found.to_dict(),
        # The search may have met its verdict on another batch than the one that its report is of.
        "result": result.to_dict(),
        "arguments": "" if found.counterexample is None else as_code(as_arguments(found.counterexample)),
        "script": found.script or "",
        "case": None if found.case is None else found.case.to_dict(),
    }


class _Announced:
    """Checks in this process, each batch on disk before it runs."""

    def __init__(self, channel: Channel, checks: Any) -> None:
        self._channel, self._checks = channel, checks
        self.name, self.versions = checks.name, checks.versions
        self.case, self.together = checks.case, checks.together

    def check(self, args: tuple[Any, ...], mode: str, options: Mapping[str, Any], *, again: bool = False) -> Report:
        try:
            arguments = [encode(argument) for argument in args]
        except InputError:  # it can be checked here all the same; what kills the process is then known as code only
            arguments = None
        self._channel.begin({"mode": mode, "arguments": arguments, "code": as_code(args)})
        with calls_told(self._channel):
            report: Report = self._checks.check(args, mode, options, again=again)
        return report
