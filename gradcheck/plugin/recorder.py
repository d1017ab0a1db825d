"""What one test checked: kept while it runs, put on its report afterwards as builtins that JSON can hold.

Inside ``@given`` a check is made for each example, the failing ones of shrinking included. Of a test that
passes, the recorder keeps for each subject and mode how often each verdict came; of one that fails, the
report that the failure carries, which Hypothesis made last and is the smallest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck import recording
from gradcheck.plugin.settings import Settings, settings_of
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.report import ModeResult, Report

__all__ = ["Recorder", "current_settings", "recorder_of"]

_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_current: ContextVar[Settings | None] = ContextVar("gradcheck_settings", default=None)


def recorder_of(item: pytest.Item) -> Recorder:
    """The recorder of an item, made when first asked for."""
    return item.stash.setdefault(_RECORDER, Recorder(item))


def current_settings() -> Settings:
    """The settings of the test that is running in this context."""
    return _current.get() or Settings()


class Recorder:
    """Collects the reports that the harness publishes while one test runs."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.settings = Settings()
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        self._worst: dict[str, dict[str, ModeResult]] = {}
        self._last: dict[str, Report] = {}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Record inside the block, with the test's settings as defaults of every check in it."""
        self._counts, self._worst, self._last = {}, {}, {}  # pytest-rerunfailures runs an item again
        self.settings = settings_of(self.item)
        token = _current.set(self.settings)
        recording.subscribe(self._take)
        try:
            with recording.use_defaults(self.settings.as_defaults()):
                yield
        finally:
            recording.unsubscribe(self._take)
            _current.reset(token)

    def _take(self, report: Report) -> None:
        counts = self._counts.setdefault(report.subject, {})
        worst = self._worst.setdefault(report.subject, {})
        self._last[report.subject] = report
        for mode, result in report.modes.items():
            counts.setdefault(mode, Counter())[result.verdict.value] += 1
            seen = worst.get(mode)
            if seen is None or _rank(result) > _rank(seen):
                worst[mode] = result

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
        failing = {found.subject: found for found in _reports_in(error)}
        rows = [self._row(subject, failing.get(subject)) for subject in {**self._last, **failing}]
        if not rows:
            return
        vars(report)["gradcheck"] = rows  # xdist sends a report's attributes, so this reaches the controller
        for row in rows:
            for mode, cell in row["modes"].items():
                # On the item: JUnit takes them from the report of the tear-down, which is made from it later.
                name = f"gradcheck: {row['subject']}: {mode}"
                self.item.user_properties.append((name, cell["verdict"]))
        lines = [
            f"{row['subject']}, mode {mode}: script that shows it with plain TensorFlow: {path}"
            for row in rows
            for mode, path in row["scripts"].items()
        ]
        lines += [f"{row['subject']}: {row['problem']}" for row in rows if row["problem"]]
        if lines:
            report.sections.append(("gradcheck", "\n".join(lines)))

    def _row(self, subject: str, failing: Report | None) -> dict[str, Any]:
        if failing is not None:
            results = dict(failing.modes)
            counts: dict[str, Counter[str]] = {}
            document, scripts, problem = self._documented(failing)
        else:
            results = self._worst[subject]
            counts = self._counts[subject]
            document, scripts, problem = None, {}, ""
        cells = {}
        for mode, result in results.items():
            cells[mode] = {
                "verdict": result.verdict.value,
                "ok": bool(result.ok),
                "cause": str(result.cause),
                "expected": [verdict.value for verdict in result.expected],
                "counts": dict(counts.get(mode, {})),
            }
        versions = (failing or self._last[subject]).versions
        return {
            "nodeid": self.item.nodeid,
            "subject": subject,
            "versions": {str(name): str(version) for name, version in versions.items()},
            "modes": cells,
            "arguments": failing.arguments if failing is not None else "",
            "scripts": scripts,
            "problem": problem,
            "report": document,
        }

    def _documented(self, failing: Report) -> tuple[dict[str, Any], dict[str, str], str]:
        """The report as JSON, its scripts' paths, and what went wrong with the scripts."""
        try:
            return failing.to_dict(), self._write_scripts(failing), ""
        except Exception as error:  # a script that cannot be made must not cost the run its results
            problem = f"no script: {type(error).__name__}: {error}"
            return dataclasses.replace(failing, scripts={}).to_dict(), {}, problem

    def _write_scripts(self, failing: Report) -> dict[str, str]:
        """Write the failing modes' scripts below pytest's cache; nowhere, if the cache is turned off."""
        cache = getattr(self.item.config, "cache", None)
        if cache is None or not failing.scripts:
            return {}
        folder = Path(str(cache.mkdir("gradcheck")))
        # Two tests may check the same subject, also at the same time in two workers.
        digest = hashlib.sha256(self.item.nodeid.encode()).hexdigest()[:8]
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", failing.subject)[:60]
        written = {}
        for mode in failing.scripts:
            path = folder / f"{stem}-{mode}-{digest}.py"
            path.write_text(failing.scripts[mode], encoding="utf-8")
            written[str(mode)] = str(path)
        return written


def _rank(result: ModeResult) -> tuple[bool, int]:
    return (not result.ok, result.verdict.severity)


def _reports_in(error: BaseException | None, depth: int = 0) -> Iterator[Report]:
    """The reports of every `GradientError` in ``error``: itself, or the parts of an exception group."""
    from gradcheck.errors import GradientError

    if error is None or depth > 10:
        return
    if isinstance(error, GradientError):
        yield error.report
    for part in getattr(error, "exceptions", ()):
        yield from _reports_in(part, depth + 1)
