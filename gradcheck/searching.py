"""Search for a batch on which a subject fails: Hypothesis draws, the harness checks, Hypothesis shrinks.

Each mode is searched by itself, from the same seed and so over the same examples, so that a failure in one mode shrinks
to the smallest batch for *that* mode. What shrinks is one failure, identified by subject, mode and verdict: a
smaller batch that fails in another way does not count.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from gradcheck import recording
from gradcheck._tensorflow import tensorflow, versions
from gradcheck.errors import InputError
from gradcheck.expectations import expected_verdicts
from gradcheck.harness import ORDER, check
from gradcheck.modes import parse_modes
from gradcheck.report import SCHEMA_VERSION, ModeResult, Report
from gradcheck.strategies import Batch, describe
from gradcheck.subject import Subject, subject_of
from gradcheck.verdicts import Verdict

__all__ = ["ModeSearch", "SearchResult", "search"]


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
    """

    mode: str
    verdict: Verdict
    counterexample: Any
    report: Report | None
    examples: int
    calls: int
    counts: Mapping[str, int]
    expected: tuple[Verdict, ...] = ()

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
            "examples": self.examples,
            "calls": self.calls,
            "counts": dict(self.counts),
            "counterexample": _case(self.counterexample),
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

    @property
    def ok(self) -> bool:
        """Whether every mode is as it should be."""
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
        """The report of the first mode that is not as it should be, else of the first mode."""
        failing = [result.report for result in self.modes.values() if not result.ok]
        return next((r for r in [*failing, *(m.report for m in self.modes.values())] if r is not None), None)

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

    def __str__(self) -> str:
        from gradcheck.rendering import render_search

        return render_search(self)


def search(
    subject: Any,
    strategy: SearchStrategy[Any],
    *,
    max_examples: int | None = None,
    modes: str | Sequence[str] | None = None,
    seed: int | None = None,
    expect: Any = None,
    on_example: Callable[[str, int, str], None] | None = None,
    **options: Any,
) -> SearchResult:
    """Search for failures of a subject and shrink what is found; one smallest counterexample for each failing mode.

    Args:
        subject: as for `gradcheck.check`.
        strategy: draws a `Batch`, an array, or a tuple of arguments.
        max_examples: examples a mode; 100 where omitted.
        modes: which modes; all where omitted.
        seed: makes the search repeatable. Where omitted the user's Hypothesis profile decides.
        expect: verdicts that are expected, by mode and version, as for `check`. Here a verdict is the worst of all
            examples.
        on_example: called as ``on_example(mode, examples, phase)`` after each example, ``phase`` being ``"search"`` or
            ``"shrink"``: for progress bars.
        **options: ``wrt``, ``engine``, ``call``, ``padding``, ``rtol``, ``atol``, ``resolution_limit`` of `check`.

    Raises:
        InputError: the strategy is not one, or a drawn example cannot be checked.
    """
    defaults = recording.defaults()
    if not isinstance(strategy, SearchStrategy):
        raise InputError(
            f"search needs a Hypothesis strategy, such as gradcheck.strategies.batches(features=3); got {strategy!r}. "
            "To check one batch use gradcheck.check"
        )
    examples = max_examples if max_examples is not None else defaults.get("max_examples") or 100
    if not isinstance(examples, int) or examples < 1:
        raise InputError(f"max_examples must be a whole number of at least 1; got {max_examples!r}")
    chosen = parse_modes(modes if modes is not None else defaults.get("modes"))
    tf = tensorflow()
    expect = expect if expect is not None else defaults.get("expect")
    adapter = subject_of(subject, options.pop("call", None))
    results: dict[str, ModeSearch] = {}
    # The examples that one mode verifies serve the others as they meet them: see `gradcheck.harness`.
    for mode in sorted(chosen, key=ORDER.index):
        expected = expected_verdicts(expect, mode, tf.__version__)
        one = _OneMode(adapter, mode, options, expected, on_example)
        results[mode] = one.search(strategy, examples, seed)
    result = SearchResult(adapter.name, {mode: results[mode] for mode in chosen}, seed, versions())
    recording.publish(_as_report(result))
    return result


def _as_report(result: SearchResult) -> Report:
    """The search as one report, for whoever listens: each mode's result on its own smallest batch."""
    modes = {mode: found.result for mode, found in result.modes.items()}
    shown = result.report
    scripts = {mode: found.script for mode, found in result.modes.items() if not found.ok and found.script}
    return Report(
        subject=result.subject,
        modes=modes,
        arguments="" if shown is None else shown.arguments,
        versions=result.versions,
        wrt="all" if shown is None else shown.wrt,
        scripts=scripts,
    )


# How many reports a search keeps for batches that it meets again.
_MOST_KEPT = 1000


class _Found(Exception):  # noqa: N818 - a signal, not an error
    """Tells Hypothesis that an example fails. It never leaves this module."""


class _OneMode:
    """The search of one mode."""

    def __init__(
        self,
        subject: Subject,
        mode: str,
        options: dict[str, Any],
        expected: tuple[Verdict, ...],
        on_example: Callable[[str, int, str], None] | None,
    ) -> None:
        self.subject, self.mode, self.options, self.expected = subject, mode, options, expected
        self.on_example = on_example
        self.counts: Counter[str] = Counter()
        self.calls = 0
        self.failing: Verdict | None = None
        self.smallest: Any = None
        self.report: Report | None = None
        self.undecided: tuple[Any, Report] | None = None
        self.flaky = False
        self.reports: dict[Any, Report] = {}
        self.resolution: float | None = None

    def search(self, strategy: SearchStrategy[Any], max_examples: int, seed: int | None) -> ModeSearch:
        def example(drawn: Any) -> None:
            self._example(drawn)

        # Hypothesis finds a test's saved failures by a digest of its source, which is the same for every search.
        example._hypothesis_internal_add_digest = self._digest(strategy)  # type: ignore[attr-defined]
        wrapped = given(drawn=strategy)(example)
        wrapped = settings(
            max_examples=max_examples,
            deadline=None,  # the first example of each shape compiles
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow],  # checking is slow; drawing is not
            print_blob=False,
            report_multiple_bugs=False,
        )(wrapped)
        if seed is not None:
            wrapped = hypothesis.seed(seed)(wrapped)
        try:
            wrapped()
        except _Found:
            pass
        except Flaky:
            self.flaky = True
        if self.failing is not None:
            # Once more, and not from memory: what decides may not be in the batch.
            args = self.smallest if isinstance(self.smallest, tuple) else (self.smallest,)
            again = check(self.subject, *args, modes=(self.mode,), **self.options)
            self.flaky |= again[self.mode].verdict is not self.failing
        return self._result()

    def _checked(self, drawn: Any, args: tuple[Any, ...]) -> Report:
        """The report of an example; while shrinking, Hypothesis reaches the same batch by many ways."""
        if not isinstance(drawn, Batch):
            self.calls += 1
            return check(self.subject, *args, modes=(self.mode,), **self.options)
        for class_met in describe(drawn):
            hypothesis.event(class_met)
        key = drawn.key()
        if key not in self.reports:
            self.calls += 1
            self.reports[key] = check(self.subject, drawn, modes=(self.mode,), **self.options)
            while len(self.reports) > _MOST_KEPT:
                self.reports.pop(next(iter(self.reports)))
        return self.reports[key]

    def _digest(self, strategy: SearchStrategy[Any]) -> bytes:
        text = f"{self.subject.name}\n{self.mode}\n{strategy!r}"
        return hashlib.sha384(text.encode()).digest()

    def _example(self, drawn: Any) -> None:
        args = drawn if isinstance(drawn, tuple) else (drawn,)
        report = self._checked(drawn, args)
        verdict, resolution = report[self.mode].verdict, report[self.mode].resolution
        if resolution is not None:
            self.resolution = max(self.resolution or 0.0, resolution)
        phase = "search" if self.failing is None else "shrink"
        if phase == "search":
            self.counts[verdict.value] += 1
        if self.on_example is not None:
            self.on_example(self.mode, sum(self.counts.values()), phase)
        if not verdict.fails:
            if self.failing is None:
                self.report = report
                if verdict is Verdict.UNRESOLVED:
                    self.undecided = (drawn, report)
            return
        if self.failing is None:
            self.failing = verdict
        if verdict is self.failing:
            self.smallest, self.report = drawn, report
            raise _Found(verdict.value)

    def _result(self) -> ModeSearch:
        verdict = self.failing or self._undecided_verdict()
        report = self.report
        if verdict is Verdict.UNRESOLVED and self.undecided is not None:
            self.smallest, report = self.undecided
        if verdict is Verdict.PASS and report is not None:
            # The last example's own verdict, a corner perhaps, is not that of the search.
            report = replace(report, modes={self.mode: self._passed()}, arguments="")
        if self.flaky and report is not None:
            note = (
                "this failure did not show every time the same batch was checked: something beside the batch decides, "
                "such as state that the subject keeps between calls"
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
        )

    def _passed(self) -> ModeResult:
        notes = []
        total = sum(self.counts.values())
        if self.counts[Verdict.KINK.value]:
            notes.append(
                f"{self.counts[Verdict.KINK.value]} of {total} examples stood at a corner of the function, where the "
                "gradient lay between the slopes of the two sides"
            )
        if self.counts[Verdict.UNRESOLVED.value]:
            notes.append(f"{self.counts[Verdict.UNRESOLVED.value]} of {total} examples could not be decided: no pass")
        return ModeResult(self.mode, Verdict.PASS, resolution=self.resolution, notes=tuple(notes))

    def _undecided_verdict(self) -> Verdict:
        # An undecided example is no pass; with passes beside it the counts tell.
        passed = self.counts[Verdict.PASS.value] + self.counts[Verdict.KINK.value]
        return Verdict.UNRESOLVED if self.counts[Verdict.UNRESOLVED.value] and not passed else Verdict.PASS


def _case(drawn: Any) -> Any:
    """A drawn example as JSON."""
    if drawn is None:
        return None
    if isinstance(drawn, Batch):
        return {"batch": drawn.to_dict()}
    import numpy as np

    from gradcheck.strategies._literals import array_to_dict

    arguments = drawn if isinstance(drawn, tuple) else (drawn,)
    encoded = [item.to_dict() if hasattr(item, "to_dict") else array_to_dict(np.asarray(item)) for item in arguments]
    return {"arguments": encoded}
