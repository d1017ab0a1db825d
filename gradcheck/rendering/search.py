"""The text of a search: what was tried, and the smallest batch for each failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gradcheck.records.evidence import Evidence
from gradcheck.records.report import ReportRecord
from gradcheck.records.results import ModeResult
from gradcheck.rendering.layout import paragraph
from gradcheck.rendering.text import Access, failing, headline, passing
from gradcheck.support.outgoing import for_terminal
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
    def report(self) -> ReportRecord | None: ...


class Search(Protocol):
    """A search's result, as far as its text goes."""

    @property
    def subject(self) -> str: ...
    @property
    def modes(self) -> Mapping[str, Outcome]: ...


_ACCESS = Access(
    script='result["MODE"].script',
    detail='result["MODE"].report["MODE"].detail',
    arguments='result["MODE"].report.arguments',
    origin="what gradcheck.search returned",
)


def _results(search: Search) -> dict[str, ModeResult]:
    """The worst result of each mode; a mode whose batches all passed may have no report."""
    results = {}
    for mode, outcome in search.modes.items():
        found = outcome.report.modes.get(mode) if outcome.report is not None else None
        results[mode] = found if found is not None else ModeResult(mode, outcome.verdict)
    return results


def _examples(search: Search) -> str:
    extents: dict[str, list[str]] = {}
    for mode, outcome in search.modes.items():
        count = outcome.examples
        extent = f"{count} example{'s' if count != 1 else ''}"
        extents.setdefault(f"found at example {count}" if outcome.verdict.fails else extent, []).append(mode)
    if len(extents) == 1:
        return next(iter(extents)) + (" in each mode" if len(search.modes) > 1 else "")
    return "; ".join(f"{extent} in {', '.join(modes)}" for extent, modes in extents.items())


def render_search(search: Search, access: Access | None = None) -> str:
    """The text of a search for a terminal: verdicts by mode, then a section for each smallest failing batch.

    Modes that fail on the same smallest batch share it.

    Args:
        search: what `gradcheck.search` returned.
        access: how a reader gets at what is not printed; through ``result`` where omitted.

    Returns:
        The text without a final line break.
    """
    results = _results(search)
    lines = [f"{search.subject}: {headline(results.values()) or 'no mode was run'}", *paragraph(_examples(search))]
    lines += passing(ReportRecord(search.subject, {mode: result for mode, result in results.items() if result.ok}))
    by_batch: dict[str, list[str]] = {}
    for mode, outcome in search.modes.items():
        if not outcome.ok:
            by_batch.setdefault(outcome.report.arguments if outcome.report is not None else "", []).append(mode)
    for batch, modes in by_batch.items():
        reports = {mode: report for mode in modes if (report := search.modes[mode].report) is not None}
        shared = ReportRecord(
            subject=search.subject,
            modes={mode: results[mode] for mode in modes},
            arguments=batch,
            versions=next((report.versions for report in reports.values()), {}),
            # Only which there are: a script is written when it is looked up, which takes time.
            scripts={mode: "" for mode, report in reports.items() if mode in list(report.scripts)},
            evidence=Evidence.joined(reports),
        )
        lines += failing(shared, access or _ACCESS)
    return for_terminal("\n".join(lines))
