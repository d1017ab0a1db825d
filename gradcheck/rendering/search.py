"""The text of a search: what was tried, and the smallest batch for each failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gradcheck.rendering.layout import paragraph
from gradcheck.rendering.text import headline, render_report
from gradcheck.report import ModeResult, Report
from gradcheck.verdicts import Verdict

__all__ = ["render_search"]


class Outcome(Protocol):
    """What a search found in one mode, as far as its text goes."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def ok(self) -> bool: ...
    @property
    def examples(self) -> int: ...
    @property
    def report(self) -> Report | None: ...


class Search(Protocol):
    """A search's result, as far as its text goes."""

    @property
    def subject(self) -> str: ...
    @property
    def modes(self) -> Mapping[str, Outcome]: ...


def _results(search: Search) -> dict[str, ModeResult]:
    """The worst result of each mode; a mode whose batches all passed may have no report."""
    results = {}
    for mode, outcome in search.modes.items():
        found = outcome.report.modes.get(mode) if outcome.report is not None else None
        results[mode] = found if found is not None else ModeResult(mode, outcome.verdict)
    return results


def _examples(search: Search) -> str:
    by_count: dict[int, list[str]] = {}
    for mode, outcome in search.modes.items():
        by_count.setdefault(outcome.examples, []).append(mode)
    if len(by_count) == 1:
        (count,) = by_count
        return f"{count} example{'s' if count != 1 else ''} in each mode"
    return "examples: " + "; ".join(f"{count} in {', '.join(modes)}" for count, modes in by_count.items())


def render_search(search: Search) -> str:
    """The text of a search for a terminal: verdicts by mode, then one report for each smallest failing batch.

    Modes that fail on the same smallest batch share its report.

    Args:
        search: what `gradcheck.search` returned.

    Returns:
        The text without a final line break.
    """
    results = _results(search)
    lines = [f"{search.subject}: {headline(results.values()) or 'no mode was run'}", *paragraph(_examples(search))]
    by_batch: dict[str, dict[str, ModeResult]] = {}
    reports: dict[str, Report] = {}
    for mode, outcome in search.modes.items():
        if outcome.ok:
            continue
        report = outcome.report
        batch = "" if report is None else report.arguments
        by_batch.setdefault(batch, {})[mode] = results[mode]
        if report is not None:
            reports.setdefault(batch, report)
    for batch, failing in by_batch.items():
        report = reports.get(batch) or Report(search.subject, failing)
        scripts = {
            mode: script
            for mode, outcome in search.modes.items()
            if mode in failing and outcome.report is not None
            for name, script in outcome.report.scripts.items()
            if name == mode
        }
        shared = Report(
            subject=f"smallest failing batch of {search.subject}",
            modes=failing,
            arguments=batch,
            versions=report.versions,
            wrt=report.wrt,
            scripts=scripts,
        )
        lines += ["", render_report(shared)]
    return "\n".join(lines)
