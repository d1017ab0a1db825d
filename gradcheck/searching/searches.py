"""Search for a batch on which a subject fails: Hypothesis draws, the harness checks, Hypothesis shrinks.

Each mode is searched by itself, from the same seed and so over the same examples, so that a failure in one mode shrinks
to the smallest batch for *that* mode; modes that fail in the same way are then shown on one batch. What shrinks is one
failure, identified by subject, mode, verdict and, where an invariant does not hold, its name: a smaller batch that
fails in another way does not count.
"""

from __future__ import annotations

import hashlib
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import hypothesis
import numpy as np
from hypothesis import core, given, settings
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from gradcheck._tensorflow import versions
from gradcheck.cases.document import NOT_JSON, Case, case_of
from gradcheck.cases.encoding import encode
from gradcheck.errors import InputError, in_words, only_input_errors, shown, their_own
from gradcheck.harness import ORDER, check
from gradcheck.harness import session as recording
from gradcheck.harness.afresh import checked_afresh
from gradcheck.harness.at_corners import MODES_DIFFER
from gradcheck.harness.checking import require_options
from gradcheck.harness.empty_rows import EMPTY_ROW
from gradcheck.harness.gradient_error import GradientError, access_in_an_error
from gradcheck.harness.hypothesis_feedback import named_statistics, search_settings, tell_hypothesis
from gradcheck.harness.neighbours import what_matters
from gradcheck.harness.observation import observing_anew, observing_once
from gradcheck.harness.weakness import COARSE, detection_words
from gradcheck.invariants.holding import AMOUNT_NOT_VARIED, PADDING_NOT_HELD
from gradcheck.mode_names import parse_modes
from gradcheck.records.evidence import Evidence
from gradcheck.records.expectations import expected_verdicts, require_expectations
from gradcheck.records.results import SCHEMA_VERSION, ModeResult
from gradcheck.report import Report
from gradcheck.searching.shape_budget import ShapeBudget
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import subject_of
from gradcheck.subject.restoring import preserved
from gradcheck.support.naming import unnumbered
from gradcheck.support.signals import end_if_told
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.isolation.checks import IsolatedChecks
    from gradcheck.isolation.limits import Limits

__all__ = [
    "Checks",
    "LocalChecks",
    "ModeSearch",
    "SearchResult",
    "as_arguments",
    "search",
    "search_with",
]


class Checks(Protocol):
    """Where the examples of a search are checked: `LocalChecks`, or `gradcheck.isolation.checks.IsolatedChecks`.

    Attributes:
        name: of the subject.
        versions: as in a report.
    """

    name: str
    versions: Mapping[str, str]

    def check(self, args: tuple[Any, ...], mode: str, options: Mapping[str, Any], *, again: bool = False) -> Report:
        """The report of one example in one mode; ``again``: checked once more, for good, and on a new subject."""
        ...

    def together(self, modes: Sequence[str]) -> AbstractContextManager[None]:
        """A context in which the modes of one search are checked, one after the other, on the same examples."""
        ...

    def case(self, args: tuple[Any, ...], result: ModeResult, options: Mapping[str, Any]) -> Case:
        """The case of a failure that was just checked for good."""
        ...


class LocalChecks:
    """Checks in this process."""

    def __init__(self, subject: Any, call: Any = None) -> None:
        self.versions: Mapping[str, str] = versions()
        self.subject = subject_of(subject, call)
        self.name = self.subject.name

    def check(self, args: tuple[Any, ...], mode: str, options: Mapping[str, Any], *, again: bool = False) -> Report:
        if not again:
            return check(self.subject, *args, modes=(mode,), **options)
        with observing_anew(self.subject):
            report = check(self.subject, *args, modes=(mode,), **options)
        with preserved(self.subject.every_variable()):
            return checked_afresh(self.subject, args, report, mode, options)

    def together(self, modes: Sequence[str]) -> AbstractContextManager[None]:
        return observing_once(self.subject, modes)

    def case(self, args: tuple[Any, ...], result: ModeResult, options: Mapping[str, Any]) -> Case:
        return case_of(self.subject, args, result, **options)


@dataclass(frozen=True)
class ModeSearch:
    """What the search of one mode came to.

    Attributes:
        mode: the mode.
        verdict: the worst verdict met; ``PASS`` where every example passed or was undecided for a corner.
        counterexample: the smallest batch found that gives the verdict, as the strategy drew it; None for a pass.
        report: the report of that batch; where nothing failed one without a batch, its resolution the coarsest met.
        examples: how many examples were checked before the first failure, or in all; shrinking is not counted.
        calls: how many different batches were checked in all.
        counts: how often each verdict was met before shrinking.
        expected: the verdicts that the caller expected.
        case: the failing example as `gradcheck.cases` writes it to a file; None where nothing failed.
        complete: False where the search was interrupted: this is what it had come to until then.
    """

    mode: str
    verdict: Verdict
    counterexample: Any
    report: Report | None
    examples: int
    calls: int
    counts: Mapping[str, int]
    expected: tuple[Verdict, ...] = ()
    case: Case | None = None
    complete: bool = True

    @property
    def ok(self) -> bool:
        """True where the verdict is no failure, or is one of those expected (and only then, if any was)."""
        return self.verdict in self.expected if self.expected else not self.verdict.fails

    @property
    def result(self) -> ModeResult:
        """The mode's part of the report."""
        if self.report is not None and self.mode in self.report.modes:
            return self.report.modes[self.mode]
        return ModeResult(self.mode, self.verdict, expected=self.expected)

    @property
    def cause(self) -> str:
        """One line on what happened; empty where nothing failed."""
        return self.result.cause if self.verdict is not Verdict.PASS else ""

    @property
    def script(self) -> str | None:
        """A script that shows the failure with plain TensorFlow and NumPy; None where nothing failed."""
        return None if self.report is None else self.report.scripts.get(self.mode)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        failing = self.counterexample is not None
        return {
            "mode": self.mode,
            "verdict": self.verdict.value,
            "ok": self.ok,
            "expected": [verdict.value for verdict in self.expected],
            "cause": self.cause,
            "complete": self.complete,
            "examples": self.examples,
            "calls": self.calls,
            "counts": dict(self.counts),
            "counterexample": _drawn_as_json(self.counterexample),
            "case": None if self.case is None else self.case.to_dict(),
            "report": self.report.to_dict() if failing and self.report is not None else None,
        }


@dataclass(frozen=True)
class SearchResult:
    """What `search` returns: one `ModeSearch` a mode.

    Attributes:
        subject: name of the subject.
        modes: results by mode.
        seed: of the search; None where Hypothesis chose.
    """

    subject: str
    modes: Mapping[str, ModeSearch]
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, mode: str) -> ModeSearch:
        try:
            return self.modes[mode]
        except KeyError:
            raise KeyError(f"mode {mode!r} was not searched; the modes: {', '.join(self.modes)}") from None

    def __iter__(self) -> Iterator[str]:
        """The modes that were searched, in the order in which they were asked for."""
        return iter(self.modes)

    def __contains__(self, mode: object) -> bool:
        return mode in self.modes

    @property
    def ok(self) -> bool:
        """Whether no mode failed, or only as expected."""
        return all(result.ok for result in self.modes.values())

    @property
    def counterexample(self) -> Any:
        """The smallest batch of the first failing mode; None where nothing failed."""
        return next((r.counterexample for r in self.modes.values() if r.counterexample is not None), None)

    @property
    def examples(self) -> int:
        """Examples checked, over all modes."""
        return sum(result.examples for result in self.modes.values())

    @property
    def report(self) -> Report | None:
        """The report of the first mode that failed, else of the first mode."""
        failing = [result.report for result in self.modes.values() if not result.ok]
        return next((r for r in [*failing, *(m.report for m in self.modes.values())] if r is not None), None)

    @property
    def error(self) -> GradientError | None:
        """The exception for a test to raise; None where no mode failed."""
        failing = [found for found in self.modes.values() if not found.ok and found.report is not None]
        if not failing:
            return None
        parts = tuple(found.report for found in failing if found.report is not None)
        cases = {found.mode: found.case or NOT_JSON for found in failing if found.verdict.fails}
        from gradcheck.rendering import render_search

        access = access_in_an_error(lambda: error)
        error = GradientError(
            self.as_report(), parts=parts, cases=lambda: cases, text=lambda: render_search(self, access())
        )
        return error

    def of(self, mode: str) -> SearchResult:
        """What one mode came to, as if it had been searched alone."""
        return replace(self, modes={mode: self[mode]})

    def as_report(self) -> Report:
        """The search as one report, for whoever listens: each mode's result on its own smallest batch."""
        shown = self.report
        scripts = {mode: found.script for mode, found in self.modes.items() if not found.ok and found.script}
        reports = {mode: found.report for mode, found in self.modes.items() if found.report is not None}
        return Report(
            subject=self.subject,
            modes={mode: found.result for mode, found in self.modes.items()},
            arguments="" if shown is None else shown.arguments,
            versions=self.versions,
            wrt="all" if shown is None else shown.wrt,
            scripts=scripts,
            evidence=Evidence.joined(reports),
            counts={mode: found.counts for mode, found in self.modes.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "schema": SCHEMA_VERSION,
            "kind": "search",
            "subject": self.subject,
            "ok": self.ok,
            "seed": self.seed,
            "versions": dict(self.versions),
            "modes": {mode: result.to_dict() for mode, result in self.modes.items()},
        }

    def _repr_html_(self) -> str:
        """What notebooks show: verdicts, and pictures of what failed on the smallest batches."""
        from gradcheck.rendering.html.notebook import search_fragment

        return search_fragment(self)

    def __str__(self) -> str:
        from gradcheck.rendering import render_search

        return render_search(self)


@only_input_errors("a search")
def search(
    subject: Any,
    strategy: SearchStrategy[Any],
    *,
    max_examples: int | None = None,
    modes: str | Sequence[str] | None = None,
    seed: int | None = None,
    expect: Any = None,
    on_example: Callable[[str, int, str], None] | None = None,
    on_mode: Callable[[ModeSearch], None] | None = None,
    on_failure: Callable[[ModeSearch], None] | None = None,
    shrink_seconds: float | None = None,
    isolate: bool | Limits | IsolatedChecks = False,
    **options: Any,
) -> SearchResult:
    """Search for failures of a subject and shrink what is found; one smallest counterexample for each failing mode.

    Args:
        subject: as for `gradcheck.check`.
        strategy: draws a `Batch`, an array, or a tuple of arguments.
        max_examples: examples a mode; where omitted those of the user's Hypothesis profile, 100 by default.
        modes: which modes; all where omitted.
        seed: makes the search repeatable. Where omitted the user's Hypothesis profile decides.
        expect: verdicts that are expected, by mode and version, as for `check`. Here a verdict is the worst of all
            examples.
        on_example: called as ``on_example(mode, examples, phase)`` after each example, ``phase`` being ``"search"`` or
            ``"shrink"``: for progress bars.
        on_mode: called with what each mode came to as soon as it is known, and, where the search is interrupted from
            the keyboard, with what the mode in progress had come to (``complete`` is False there).
        on_failure: called with the first failing batch of a mode as soon as it is met, before it is made smaller
            (``complete`` is False there).
        shrink_seconds: how long a failing batch of each mode may be made smaller; 60 where omitted. The report says
            where that was cut.
        isolate: whether every check is made in another process, so that a batch on which the subject aborts, hangs or
            eats the memory is a ``CRASH``, shrunk like any failure, and the search of the other modes goes on. The
            subject (and ``call``) must then be a name, ``"pkg.module:name"``, or something that is found under one.
            `gradcheck.isolation.Limits` say what hanging and eating is; where True their defaults, and half of the
            machine's memory. An `gradcheck.isolation.checks.IsolatedChecks` is used and left open.
        **options: ``wrt``, ``engine``, ``call``, ``padding``, ``invariants``, ``order``, ``rtol``, ``atol``,
            ``resolution_limit``, ``accuracy`` of `check`.

    Raises:
        InputError: the strategy is not one, or a drawn example cannot be checked.
    """
    arguments: dict[str, Any] = {
        "max_examples": max_examples,
        "modes": modes,
        "seed": seed,
        "expect": expect,
        "on_example": on_example,
        "on_mode": on_mode,
        "on_failure": on_failure,
        "shrink_seconds": shrink_seconds,
    }
    _require_strategy(strategy)
    for name in _LISTENERS:
        if callable(arguments[name]):
            arguments[name] = their_own(arguments[name])
    _require_arguments(**arguments, **{name: value for name, value in options.items() if name in _CHECKED})
    if isolate is False:
        return search_with(LocalChecks(subject, options.pop("call", None)), strategy, **arguments, **options)
    from gradcheck.isolation.checks import IsolatedChecks
    from gradcheck.isolation.limits import Limits

    if isolate is not True and not isinstance(isolate, (Limits, IsolatedChecks)):
        raise InputError(
            f"isolate must be True, False, a gradcheck.isolation.Limits or an IsolatedChecks; got {shown(isolate)}"
        )
    if isinstance(isolate, IsolatedChecks):
        return search_with(isolate, strategy, **arguments, **options)
    limits = isolate if isinstance(isolate, Limits) else None
    with IsolatedChecks(subject, call=options.pop("call", None), limits=limits) as checks:
        return search_with(checks, strategy, **arguments, **options)


def _require_strategy(strategy: Any) -> None:
    if not isinstance(strategy, SearchStrategy):
        raise InputError(
            "search needs a Hypothesis strategy, such as gradcheck.strategies.batches(features=3); "
            f"got {shown(strategy)}. "
            "To check one batch use gradcheck.check"
        )


def _require_arguments(*, max_examples: Any, modes: Any, seed: Any, expect: Any, **options: Any) -> None:
    """Check what a search is asked for before it begins.

    Raises:
        InputError: for an argument that is not what it may be, with the value and what it may be.
    """
    listeners = {name: options.pop(name, None) for name in _LISTENERS}
    options.pop("shrink_seconds", None)
    require_options(**{name: value for name, value in options.items() if value is not None})
    chosen = None if modes is None else parse_modes(modes)
    require_expectations(expect, chosen)
    if seed is not None and not _is_whole(seed):
        raise InputError(f"seed must be a whole number, or None; got {shown(seed)}")
    if seed is not None and not -(2**63) <= seed < 2**63:
        raise InputError("seed must be from -2**63 to 2**63 - 1, which files and stores can hold; got a longer number")
    if max_examples is not None and not (_is_whole(max_examples) and max_examples >= 1):
        raise InputError(f"max_examples must be a whole number of at least 1; got {shown(max_examples)}")
    for name, listener in listeners.items():
        if listener is not None and not callable(listener):
            raise InputError(f"{name} must be callable, or None; got {shown(listener)}")


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)


def _is_number(number: Any) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool)


_LISTENERS = ("on_example", "on_mode", "on_failure")

# What `require_options` looks at.
_CHECKED = ("wrt", "engine", "order", "padding")

# What a search hands on to each check.
_OPTIONS = (
    "wrt", "engine", "call", "padding", "invariants", "order", "rtol", "atol", "resolution_limit", "accuracy",
)  # fmt: skip


def search_with(
    checks: Checks,
    strategy: SearchStrategy[Any],
    *,
    max_examples: int | None = None,
    modes: str | Sequence[str] | None = None,
    seed: int | None = None,
    expect: Any = None,
    on_example: Callable[[str, int, str], None] | None = None,
    on_mode: Callable[[ModeSearch], None] | None = None,
    on_failure: Callable[[ModeSearch], None] | None = None,
    shrink_seconds: float | None = None,
    database: ExampleDatabase | None = None,
    **options: Any,
) -> SearchResult:
    """As `search`, with the examples checked by ``checks``.

    With a ``database`` the failing examples in it are tried first, whatever the seed, and new ones are kept there.
    """
    defaults = recording.defaults()
    _require_strategy(strategy)
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise InputError(
            f"unknown option {unknown[0]!r} of a search; it takes {', '.join(_OPTIONS)} of gradcheck.check"
        )
    options = recording.filled(options)
    examples = max_examples if max_examples is not None else defaults.get("max_examples") or settings().max_examples
    if not _is_whole(examples) or examples < 1:
        raise InputError(f"max_examples must be a whole number of at least 1; got {shown(examples)}")
    if database is not None and not isinstance(database, ExampleDatabase):
        raise InputError(f"database must be one of Hypothesis's example databases, or None; got {shown(database)}")
    shrink_seconds = shrink_seconds if shrink_seconds is not None else defaults.get("shrink_seconds")
    if shrink_seconds is not None and not (_is_number(shrink_seconds) and shrink_seconds >= 0):
        raise InputError(f"shrink_seconds must be a number of seconds, 0 or more; got {shown(shrink_seconds)}")
    chosen = recording.restricted(parse_modes(modes if modes is not None else defaults.get("modes")))
    expect = expect if expect is not None else defaults.get("expect")
    examples = int(examples)  # Hypothesis takes no NumPy integer
    drawn = _drawn(checks, strategy, seed, database)
    results: dict[str, ModeSearch] = {}
    # The examples that one mode verifies serve the others as they meet them: see `gradcheck.harness`. Which modes the
    # test run is about is settled: shrinking looks at others too.
    with recording.use_defaults(defaults), checks.together(chosen):
        for mode in sorted(chosen, key=ORDER.index):
            expected = expected_verdicts(expect, mode, checks.versions["tensorflow"])
            one = _OneMode(checks, mode, options, expected, on_example, drawn)
            one.on_failure = on_failure
            one.shown = [(_identity(found.result), found.counterexample) for found in results.values()]
            if shrink_seconds is not None:
                one.shrink_seconds = shrink_seconds
            try:
                results[mode] = one.search(strategy, examples)
            except KeyboardInterrupt:
                if on_mode is not None and (partial := one.partial()) is not None:
                    on_mode(partial)
                raise
            if on_mode is not None:
                on_mode(results[mode])
        result = SearchResult(checks.name, {mode: results[mode] for mode in chosen}, seed, checks.versions)
        result = _with_shared_counterexamples(result, checks, options)
    recording.publish(result.as_report())
    return result


def _with_shared_counterexamples(result: SearchResult, checks: Checks, options: dict[str, Any]) -> SearchResult:
    """Each mode was searched for itself, and a shrinker may come to rest at different batches for one cause."""
    modes = dict(result.modes)
    failing = {mode: found for mode, found in modes.items() if found.verdict.fails and found.report is not None}
    for mode, found in failing.items():
        if found.verdict is Verdict.CRASH:
            continue
        own = _size(found.counterexample)
        others = {
            _size(other.counterexample): other.counterexample
            for other in failing.values()
            if _identity(other.result) == _identity(found.result)
        }
        smallest = min(others)
        if smallest >= own:
            continue
        args = as_arguments(others[smallest])
        report = checks.check(args, mode, options, again=True)
        if _identity(report[mode]) != _identity(found.result):
            continue
        report = replace(report, modes={mode: replace(report[mode], expected=found.expected)})
        case = _case_or_none(checks, args, report[mode], options)
        modes[mode] = replace(found, counterexample=others[smallest], report=report, case=case)
    return replace(result, modes=modes)


def as_arguments(drawn: Any) -> tuple[Any, ...]:
    """What a strategy drew, as positional arguments: a tuple is several, anything else one."""
    return drawn if isinstance(drawn, tuple) else (drawn,)


def _size(drawn: Any) -> tuple[Any, ...]:
    """What makes an example larger than another: rows, steps, valid steps, numbers that are not 0; then its text."""
    if isinstance(drawn, Batch):
        return drawn.size, drawn.time, int(drawn.lengths.sum()), int((drawn.values != 0).sum()), repr(drawn)
    text = repr(drawn)
    return 0, 0, 0, len(text), text


def _case_or_none(checks: Checks, args: tuple[Any, ...], result: ModeResult, options: Mapping[str, Any]) -> Case | None:
    try:
        return checks.case(args, result, options)
    except InputError:  # an argument that JSON cannot hold, such as a Python object of one's own
        return None


# How many reports a search keeps for batches that it meets again.
_MOST_KEPT = 1000

# Checks that shrinking may take; fifty are usual. What is random fails on a batch now and not then, so there is always
# a smaller one to be found, and Hypothesis would go on for its five minutes.
_MOST_SHRINKING = 400
_SHRINK_SECONDS = 60.0
_MOST_SHRINKING_OF_CHANCE = 40

# Strategies are told apart by so many characters.
_WHOLE = 100_000
# What ends the process, and what fails by chance, is made smaller in each mode for itself.
_NOT_SHARED = (Verdict.CRASH, Verdict.NONDETERMINISTIC)

# So many characters of code in a note are read.
_READABLE = 200


class _Found(Exception):
    """Tells Hypothesis that an example fails. It never leaves this module."""


@dataclass(frozen=True)
class _Drawn:
    """How Hypothesis draws the examples of every mode of a search.

    Attributes:
        seed: of each mode; None where Hypothesis has one of its own for all of them.
        settings: beyond those of a search.
    """

    seed: int | None
    settings: Mapping[str, Any] = field(default_factory=dict)


def _drawn(checks: Checks, strategy: SearchStrategy[Any], seed: int | None, database: ExampleDatabase | None) -> _Drawn:
    """One seed for all modes, so that they meet the same examples: what is known of one serves the others."""
    # A seed puts the database aside, for a repeatable search. Who names one wants what others have found.
    chosen = {"database": database} if database is not None or seed is not None else {}
    if seed is None and core.global_force_seed is None:  # pytest's --hypothesis-seed is for all modes as it is
        text = f"{unnumbered(checks.name)}\n{shown(strategy, _WHOLE)}"
        digest = int.from_bytes(hashlib.sha384(text.encode()).digest()[:8], "big")
        seed = digest if settings().derandomize else secrets.randbits(64)
    return _Drawn(seed, chosen)


class _OneMode:
    """The search of one mode."""

    def __init__(
        self,
        checks: Checks,
        mode: str,
        options: dict[str, Any],
        expected: tuple[Verdict, ...],
        on_example: Callable[[str, int, str], None] | None,
        drawn: _Drawn,
        *,
        foresee: bool = True,
    ) -> None:
        self.checks, self.mode, self.options, self.expected = checks, mode, options, expected
        self.on_example = on_example
        self.drawn, self.foresee = drawn, foresee
        self.foreseen: set[Any] = set()  # batches on which the failure was seen in dynamic mode in place of this one
        self.shapes = ShapeBudget(mode)
        self.first: tuple[Any, Report] | None = None
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self.failing: tuple[Verdict, str] | None = None  # the verdict, and the invariant that does not hold
        self.smallest: Any = None
        self.report: Report | None = None
        self.undecided: tuple[Any, Report] | None = None
        self.on_failure: Callable[[ModeSearch], None] | None = None
        self.shrink_seconds = _SHRINK_SECONDS
        self.shown: list[tuple[Any, Any]] = []  # failures of the modes before, each with its smallest batch
        self.settled = False  # whether one of them is the smallest batch of this mode, too
        self.failed_at = 0.0  # when the first failing example was met
        self.cut = False  # whether the time to make it smaller was up
        self.flaky = False
        self.notes: Counter[str] = Counter()  # of examples that passed
        self.reports: dict[Any, Report | None] = {}
        self.weak: Counter[str] = Counter()  # why passes said little
        self.resolutions: list[float] = []

    def search(self, strategy: SearchStrategy[Any], max_examples: int) -> ModeSearch:
        ours: list[BaseException] = []

        def example(drawn: Any) -> None:
            try:
                end_if_told()
                self._example(drawn)
            except BaseException as error:
                ours.append(error)
                raise

        # Hypothesis finds a test's saved failures by a digest of its source, which is the same for every search.
        example._hypothesis_internal_add_digest = self._digest(strategy)  # type: ignore[attr-defined]
        wrapped = given(drawn=strategy)(example)
        if self.drawn.seed is not None:
            wrapped = hypothesis.seed(self.drawn.seed)(wrapped)
        wrapped = settings(search_settings(max_examples), **self.drawn.settings)(wrapped)
        try:
            with named_statistics(f"{self.checks.name} in {self.mode}"):
                wrapped()
        except _Found:
            pass
        except Flaky:
            self.flaky = True
        except Unsatisfiable as error:
            raise InputError(f"the strategy draws no example: {error}") from error
        except Exception as error:
            if ours and error is ours[-1]:
                raise
            # It comes from the strategy, which is the caller's.
            raise InputError(f"the strategy cannot draw examples: {in_words(error)}") from error
        if self.failing is not None:
            # Once more, and not from memory: what decides may not be in the batch.
            args = as_arguments(self.smallest)
            again = self.checks.check(args, self.mode, self.options, again=True)
            holds = _identity(again[self.mode]) == self.failing
            if isinstance(self.smallest, Batch) and self.smallest.key() in self.foreseen:
                if not holds:
                    return self._unforeseen(strategy, max_examples)
                self.report = again
            self.flaky |= not holds
            if not self.flaky:
                self.report = again  # the same, with its script, and with what a newly made subject does
                self._ask_neighbours()
        return self._result()

    def _ask_neighbours(self) -> None:
        """Say what about the smallest batch matters, where shrinking it left time for that."""
        failing, report = self.failing, self.report
        if self.cut or failing is None or report is None or not isinstance(self.smallest, Batch):
            return

        def fails(other: Batch) -> bool:
            return self.checks.check((other,), self.mode, self.options)[self.mode].verdict is failing[0]

        told = what_matters(self.smallest, failing[0], fails)
        if told:
            result = report[self.mode]
            notes = (*(note for note in result.notes if note != EMPTY_ROW), told)
            self.report = replace(report, modes={**report.modes, self.mode: replace(result, notes=notes)})

    def partial(self) -> ModeSearch | None:
        """What the search had come to when it was interrupted; None where not one example was checked."""
        return replace(self._result(), complete=False) if self.counts else None

    def _unforeseen(self, strategy: SearchStrategy[Any], max_examples: int) -> ModeSearch:
        """Dynamic mode fails where this mode does not: search again, and look at this mode only."""
        again = _OneMode(
            self.checks, self.mode, self.options, self.expected, self.on_example, self.drawn, foresee=False
        )
        again.shrink_seconds = self.shrink_seconds
        found = again.search(strategy, max_examples)
        if found.verdict.fails or self.first is None:
            return found
        self.smallest, self.report = self.first  # not met again, as without a seed may be
        return self._result()

    def _report_of(self, batch: Batch) -> Report | None:
        """The report of a batch; None where shrinking must not compile its shape."""
        if self.failing is not None and not self.shapes.knows(batch):
            if self.foresee and self.failing[0] is not Verdict.CRASH:
                seen = self.checks.check((batch,), "dynamic", self.options)
                if _identity(seen["dynamic"]) == self.failing:
                    self.foreseen.add(batch.key())
                    return replace(seen, modes={self.mode: replace(seen["dynamic"], mode=self.mode)})
            if not self.shapes.affords(batch):
                return None
        self.shapes.add(batch)
        return self.checks.check((batch,), self.mode, self.options)

    def _checked(self, drawn: Any, args: tuple[Any, ...]) -> tuple[Report | None, bool]:
        """The report of an example, and whether it is the first of its kind.

        Hypothesis reaches the same batch by many ways, while shrinking above all.
        """
        if not isinstance(drawn, Batch):
            if self.settled and self.first is not None and repr(drawn) == repr(self.first[0]):
                return self.first[1], True  # Hypothesis, which knows of no smaller one, looks at it once more
            if self._shrunk_enough() and repr(drawn) != repr(self.smallest):
                return None, True
            self.calls += 1
            return self.checks.check(args, self.mode, self.options), True
        key = drawn.key()
        new = key not in self.reports
        if new:
            if self._shrunk_enough():
                return None, True
            self.calls += 1
            self.reports[key] = self._report_of(drawn)
            while len(self.reports) > _MOST_KEPT:
                self.reports.pop(next(iter(self.reports)))
        return self.reports[key], new

    def _shrunk_enough(self) -> bool:
        if self.failing is None:
            return False
        if self.settled:
            return True
        if self.cut or time.monotonic() - self.failed_at > self.shrink_seconds:
            self.cut = True
            return True
        chance = self.failing[0] is Verdict.NONDETERMINISTIC
        shrinking = self.calls - sum(self.counts.values())  # each call before was an example
        return shrinking >= (_MOST_SHRINKING_OF_CHANCE if chance else _MOST_SHRINKING)

    def _digest(self, strategy: SearchStrategy[Any]) -> bytes:
        text = f"{unnumbered(self.checks.name)}\n{self.mode}\n{shown(strategy, _WHOLE)}"
        return hashlib.sha384(text.encode()).digest()

    def _example(self, drawn: Any) -> None:
        args = as_arguments(drawn)
        report, new = self._checked(drawn, args)
        if report is None:
            return
        if not new and self.failing is None:
            hypothesis.reject()  # it says nothing new, and must not be counted twice
        tell_hypothesis(report, args)
        verdict, resolution = report[self.mode].verdict, report[self.mode].resolution
        if resolution and verdict in (Verdict.PASS, Verdict.KINK):  # 0 where there is nothing to compare
            self.resolutions.append(resolution)
        phase = "search" if self.failing is None else "shrink"
        if phase == "search":
            self.counts[verdict.value] += 1
        if self.on_example is not None:
            self.on_example(self.mode, sum(self.counts.values()), phase)
        if not verdict.fails:
            if self.failing is None:
                self.report = report
                self.notes.update(report[self.mode].notes)
                self.weak.update(report[self.mode].weak)
                if verdict is Verdict.UNRESOLVED and (
                    self.undecided is None or _size(drawn) < _size(self.undecided[0])
                ):
                    self.undecided = (drawn, report)
            return
        identity = _identity(report[self.mode])
        if self.failing is None:
            self.failing = identity
            self.first = (drawn, report)
            self.smallest, self.report = drawn, report
            if self.on_failure is not None:
                self.on_failure(replace(self._result(), complete=False))
            self.failed_at = time.monotonic()
            self._settle(drawn)
        if identity == self.failing:
            if not self.settled:
                self.smallest, self.report = drawn, report
            raise _Found(verdict.value)

    def _settle(self, drawn: Any) -> None:
        """Look whether the same failure, made smaller in another mode, shows here as well. Then nothing shrinks."""
        for identity, smaller in self.shown:
            if identity != self.failing or identity[0] in _NOT_SHARED or not _size(smaller) < _size(drawn):
                continue
            self.calls += 1
            if isinstance(smaller, Batch):
                self.shapes.add(smaller)
            report = self.checks.check(as_arguments(smaller), self.mode, self.options)
            if _identity(report[self.mode]) == identity:
                self.smallest, self.report, self.settled = smaller, report, True
                return

    def _result(self) -> ModeSearch:
        verdict = self.failing[0] if self.failing else self._undecided_verdict()
        report = self.report
        if verdict is Verdict.UNRESOLVED and self.undecided is not None:
            self.smallest, report = self.undecided
        if verdict is Verdict.PASS and report is not None:
            # The last example's own verdict, a corner perhaps, is not that of the search.
            report = replace(report, modes={self.mode: self._passed()}, arguments="", evidence={})
        if self.flaky and report is not None:
            note = (
                "this failure did not show every time the same batch was checked: something beside the batch decides, "
                "such as state that the subject keeps between calls"
            )
            noted = {mode: replace(result, notes=(*result.notes, note)) for mode, result in report.modes.items()}
            report = replace(report, modes=noted)
        if self.cut and report is not None:
            note = (
                f"making this batch smaller was cut after {self.shrink_seconds:g} s, so a smaller one may fail as well "
                "(shrink_seconds; --shrink-seconds; of pytest --gradcheck-shrink-seconds)"
            )
            noted = {mode: replace(result, notes=(*result.notes, note)) for mode, result in report.modes.items()}
            report = replace(report, modes=noted)
        if report is not None:
            expected = {mode: replace(result, expected=self.expected) for mode, result in report.modes.items()}
            report = replace(report, modes=expected)
        return ModeSearch(
            mode=self.mode,
            verdict=verdict,
            counterexample=self.smallest,
            report=report,
            examples=sum(self.counts.values()),
            calls=self.calls,
            counts=dict(self.counts),
            expected=self.expected,
            case=self._case(),
        )

    def _case(self) -> Case | None:
        if self.failing is None or self.report is None:
            return None
        args = as_arguments(self.smallest)
        return _case_or_none(self.checks, args, self.report[self.mode], self.options)

    def _passed(self) -> ModeResult:
        notes = []
        total = sum(self.counts.values())
        if self.counts[Verdict.KINK.value]:
            notes.append(
                f"{self.counts[Verdict.KINK.value]} of {total} examples stood at a corner of the function, where the "
                "gradient lay between the slopes of the two sides"
            )
        if self.counts[Verdict.UNRESOLVED.value]:
            undecided = self.counts[Verdict.UNRESOLVED.value]
            notes.append(
                f"{undecided} of {total} examples could not be decided (UNRESOLVED): counted neither as passed nor as "
                f"failed{self._smallest_undecided()}"
            )
        # What was remarked of most of them is true of the subject.
        notes += [
            note if n == total else f"{note} (said of {n} of {total} examples)"
            for note, n in self.notes.items()
            if 2 * n > total and note not in (AMOUNT_NOT_VARIED, PADDING_NOT_HELD) and not note.startswith(MODES_DIFFER)
        ]
        # Corners are met seldom, and each has its own numbers.
        differing = {note: n for note, n in self.notes.items() if note.startswith(MODES_DIFFER)}
        if differing:
            notes.append(f"{next(iter(differing))} (the first of {sum(differing.values())} such examples)")
        if self.notes[PADDING_NOT_HELD]:
            notes.append(PADDING_NOT_HELD)
        # One example is enough to say that it was varied: each costs a compilation.
        if self.notes[AMOUNT_NOT_VARIED] == total:
            notes.append(AMOUNT_NOT_VARIED)
        middle = statistics.median(self.resolutions) if self.resolutions else None
        # What was true of every example that passed, corners left out, is true of the pass.
        passed = self.counts[Verdict.PASS.value]
        weak = [words for words, n in self.weak.items() if n == passed == total]
        if middle is not None and middle > COARSE:
            weak.append(f"{detection_words(middle)} in half of the examples")
        return ModeResult(
            self.mode,
            Verdict.PASS,
            resolution=max(self.resolutions, default=None),
            typical=middle,
            notes=tuple(notes),
            weak=tuple(weak),
        )

    def _smallest_undecided(self) -> str:
        """Why the smallest of the undecided examples is, and which it is where that can be read."""
        if self.undecided is None:
            return ""
        report = self.undecided[1]
        code = " ".join(report.arguments.split())
        where = f", {code}" if len(code) <= _READABLE else ""
        return f"; on the smallest of them{where}: {report[self.mode].cause}"

    def _undecided_verdict(self) -> Verdict:
        # An undecided example is no pass. Where they are the fewer, the counts tell.
        passed = self.counts[Verdict.PASS.value] + self.counts[Verdict.KINK.value]
        return Verdict.UNRESOLVED if self.counts[Verdict.UNRESOLVED.value] > passed else Verdict.PASS


def _identity(result: ModeResult) -> tuple[Verdict, str]:
    """What stays the same while a failure shrinks."""
    return result.verdict, result.rule


def _drawn_as_json(drawn: Any) -> Any:
    if drawn is None:
        return None
    if isinstance(drawn, Batch):
        return {"batch": drawn.to_dict()}
    return {"arguments": [encode(argument) for argument in as_arguments(drawn)]}
