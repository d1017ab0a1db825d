"""What one test checked: kept while it runs, put on its report afterwards as builtins that JSON can hold.

Inside ``@given`` a check is made for each example, the failing ones of shrinking included. Of a test that
passes, the recorder keeps for each subject and mode how often each verdict came; of one that fails, the
reports that the failure carries, which Hypothesis made last and are the smallest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.harness import session as recording
from gradcheck.plugin import artifacts
from gradcheck.plugin.settings import MARKER, Settings, settings_of, without_mode
from gradcheck.records.results import jsonable
from gradcheck.support.naming import unnumbered
from gradcheck.support.outgoing import for_terminal, for_xml
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.harness.gradient_error import GradientError
    from gradcheck.records.results import ModeResult
    from gradcheck.report import Report

__all__ = ["Recorder", "announce", "current_settings", "recorder_of"]

_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_current: ContextVar[Settings | None] = ContextVar("gradcheck_settings", default=None)


def recorder_of(item: pytest.Item) -> Recorder:
    """The recorder of an item, made when first asked for."""
    return item.stash.setdefault(_RECORDER, Recorder(item))


def current_settings() -> Settings:
    """The settings of the test that is running in this context."""
    return _current.get() or Settings()


def announce(item: pytest.Item, report: pytest.TestReport) -> None:
    """Say on the report of a test's set-up that it checks gradients.

    Where a worker of pytest-xdist dies in a test, this is all that the controller knows of it.
    """
    if not _checks_gradients(item):
        return
    try:
        modes = settings_of(item).modes_to_run()
    except pytest.UsageError:  # told by the test's set-up, which fails
        modes = ()
    from gradcheck.isolation.environment import installed_versions

    about = {**_test_of(item), "versions": dict(installed_versions())}
    vars(report)["gradcheck_announced"] = {**about, "modes": list(modes)}


def _checks_gradients(item: pytest.Item) -> bool:
    """Whether a test says by its marker or a fixture that it does; any other may, too."""
    return item.get_closest_marker(MARKER) is not None or "gradcheck" in getattr(item, "fixturenames", ())


def _test_of(item: pytest.Item) -> dict[str, Any]:
    """What tells which test a row is from: id, the id without the mode, and the place in the source."""
    path, line, _ = item.location
    return {"nodeid": item.nodeid, "test": without_mode(item), "file": str(path), "line": (line or 0) + 1}


class Recorder:
    """Collects the reports that the harness publishes while one test runs."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.settings = Settings()
        self._forget()

    def _forget(self) -> None:
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        self._worst: dict[str, dict[str, ModeResult]] = {}
        self._limits: dict[str, dict[str, list[tuple[float, float]]]] = {}  # detection limits, median and worst
        self._last: dict[str, Report] = {}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record inside the block, with the test's settings as defaults of every check in it."""
        self._forget()  # pytest-rerunfailures runs an item again
        self.settings = settings_of(self.item)
        token = _current.set(self.settings)
        recording.subscribe(self._take)
        try:
            with recording.use_defaults(self.settings.as_defaults(), self.settings.restricted):
                yield
        finally:
            recording.unsubscribe(self._take)
            _current.reset(token)

    def _take(self, report: Report) -> None:
        subject = unnumbered(report.subject)
        counts = self._counts.setdefault(subject, {})
        worst = self._worst.setdefault(subject, {})
        limits = self._limits.setdefault(subject, {})
        self._last[subject] = report
        for mode, result in report.modes.items():
            counts.setdefault(mode, Counter()).update(report.counts.get(mode) or [result.verdict.value])
            if result.resolution and result.verdict in (Verdict.PASS, Verdict.KINK):
                middle = result.resolution if result.typical is None else result.typical
                limits.setdefault(mode, []).append((middle, result.resolution))
            seen = worst.get(mode)
            if seen is None or _rank(result) > _rank(seen):
                worst[mode] = result
            elif result.verdict is seen.verdict is Verdict.PASS:
                # What is weak on one example need not be on another.
                worst[mode] = replace(seen, weak=tuple(words for words in seen.weak if words in result.weak))

    def fail_where_unresolved(self) -> None:
        """With ``--gradcheck-unresolved=fail``, fail a test that passed and left something undecided."""
        if self.settings.unresolved != "fail":
            return
        undecided = [
            f"{subject}, mode {mode}: {result.cause or result.verdict.meaning}"
            for subject, modes in self._worst.items()
            for mode, result in modes.items()
            if result.verdict is Verdict.UNRESOLVED and not result.expected
        ]
        if undecided:
            pytest.fail("undecided, and --gradcheck-unresolved=fail:\n  " + "\n  ".join(undecided), pytrace=False)

    def attach_to(self, report: pytest.TestReport, error: BaseException | None) -> None:
        """Put rows, sections and JUnit properties on ``report``."""
        failing = {unnumbered(found.report.subject): found for found in _errors_in(error)}
        rows = [self._row(subject, failing.get(subject)) for subject in {**self._last, **failing}]
        if report.failed and error is not None and not failing:
            self._tell_failure(report, rows, error)
        if not rows:
            return
        vars(report)["gradcheck"] = rows  # xdist sends a report's attributes, so this reaches the controller
        for row in rows:
            for mode, cell in row["modes"].items():
                # On the item: JUnit takes them from the report of the tear-down, which is made from it later.
                name = for_xml(f"gradcheck: {row['subject']}: {mode}")
                self.item.user_properties.append((name, cell["verdict"]))
        lines = [f"{row['subject']}: {row['problem']}" for row in rows if row["problem"]]
        if lines:
            report.sections.append(("gradcheck", for_terminal("\n".join(lines))))

    def _tell_failure(self, report: pytest.TestReport, rows: list[dict[str, Any]], error: BaseException) -> None:
        """Say that the test failed although no check of it did, or before it made one: that is no pass."""
        from gradcheck.errors import InputError

        if rows or _checks_gradients(self.item) or isinstance(error, InputError):
            said = str(error).strip() or type(error).__name__
            why = f"the test failed: {type(error).__name__}: {said.splitlines()[0]}"
            vars(report)["gradcheck_failed"] = why
            for row in rows:
                row["failed"] = why

    def _row(self, subject: str, error: GradientError | None) -> dict[str, Any]:
        last = self._last.get(subject)
        results: dict[str, ModeResult] = dict(self._worst[subject] if error is None or last is None else last.modes)
        counts = self._counts[subject] if error is None else {}
        limits = self._limits.get(subject, {})
        batches = {}
        if error is not None:
            results.update(error.report.modes)
            for part in error.parts:
                results.update(part.modes)
                batches.update(dict.fromkeys(part.modes, part.arguments))
        cells: dict[str, dict[str, Any]] = {}
        for mode, result in results.items():
            cells[mode] = {
                "verdict": result.verdict.value,
                "ok": bool(result.ok),
                "cause": str(result.cause),
                "expected": [verdict.value for verdict in result.expected],
                "counts": dict(counts.get(mode, {})),
                "arguments": batches.get(mode, "") if not result.ok else "",
            }
            if error is None and mode in limits:
                cells[mode]["resolution"] = jsonable(max(worst for _, worst in limits[mode]))
                cells[mode]["typical"] = jsonable(statistics.median(middle for middle, _ in limits[mode]))
            if error is None and result.weak:
                cells[mode]["weak"] = list(result.weak)
        versions = last.versions if error is None and last is not None else error.report.versions if error else {}
        return {
            **_test_of(self.item),
            "subject": subject,
            "versions": {str(name): str(version) for name, version in versions.items()},
            "modes": cells,
            "arguments": error.report.arguments if error is not None else "",
            **self._left_behind(error),
        }

    def _left_behind(self, error: GradientError | None) -> dict[str, Any]:
        """The report as JSON, the paths of the files that were written, and what went wrong with them."""
        if error is None:
            return {"scripts": {}, "cases": {}, "obstacles": {}, "problem": "", "report": None}
        try:
            return {
                "scripts": artifacts.write_scripts(self.item, error.report),
                "cases": artifacts.write_cases(self.item, error),
                "obstacles": dict(error.obstacles),
                "problem": "",
                "report": error.report.to_dict(),
            }
        except Exception as failed:  # a script that cannot be made must not cost the run its results
            return {
                "scripts": {},
                "cases": {},
                "obstacles": {},
                "problem": f"no script: {type(failed).__name__}: {failed}",
                "report": dataclasses.replace(error.report, scripts={}).to_dict(),
            }


def _rank(result: ModeResult) -> tuple[bool, int]:
    return (not result.ok, result.verdict.severity)


def _errors_in(error: BaseException | None, depth: int = 0) -> Iterator[GradientError]:
    """Every `GradientError` in ``error``: itself, or the parts of an exception group."""
    from gradcheck.harness.gradient_error import GradientError

    if error is None or depth > 10:
        return
    if isinstance(error, GradientError):
        yield error
    for part in getattr(error, "exceptions", ()):
        yield from _errors_in(part, depth + 1)
