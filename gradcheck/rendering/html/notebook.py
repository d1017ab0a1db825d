"""What notebooks show of a report or of a search: `Report._repr_html_` and `SearchResult._repr_html_`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gradcheck.records.report import ReportRecord
from gradcheck.records.results import ModeResult
from gradcheck.rendering.html import fragment
from gradcheck.rendering.text import limit_words
from gradcheck.results.rows import Detail, Row
from gradcheck.verdicts import Verdict

__all__ = ["report_fragment", "search_fragment"]


class Case(Protocol):
    """A case file's content."""

    def to_dict(self) -> dict[str, Any]: ...


class Outcome(Protocol):
    """What a search found in one mode, as far as a notebook shows it."""

    @property
    def result(self) -> ModeResult: ...
    @property
    def report(self) -> ReportRecord | None: ...
    @property
    def case(self) -> Case | None: ...
    @property
    def examples(self) -> int: ...


class Search(Protocol):
    """A search's result, as far as a notebook shows it."""

    @property
    def subject(self) -> str: ...
    @property
    def modes(self) -> Mapping[str, Outcome]: ...
    @property
    def versions(self) -> Mapping[str, str]: ...


def report_fragment(report: ReportRecord) -> str:
    """A report as a fragment of HTML, measuring the evidence of what failed."""
    details = {mode: _detail(report, mode) for mode in report.modes if report[mode].verdict is not Verdict.PASS}
    return fragment(_row(report.subject, report.modes, details, report.versions), _worth(report.modes.values()))


def search_fragment(search: Search) -> str:
    """A search as a fragment of HTML: each failing mode on its own smallest batch."""
    results = {mode: found.result for mode, found in search.modes.items()}
    details = {}
    for mode, found in search.modes.items():
        if found.report is not None and results[mode].verdict is not Verdict.PASS:
            case = None if found.case is None else found.case.to_dict()
            details[mode] = _detail(found.report, mode, case)
    counts = {mode: found.examples for mode, found in search.modes.items()}
    examples = ", ".join(f"{count} in {mode}" for mode, count in counts.items())
    told = [f"examples checked: {examples}", _worth(results.values())]
    return fragment(_row(search.subject, results, details, search.versions), "; ".join(filter(None, told)))


def _worth(results: Iterable[ModeResult]) -> str:
    """What the passes are worth: why they say little, where they do, and the detection limit."""
    passed = [result for result in results if result.verdict in (Verdict.PASS, Verdict.KINK)]
    weak = dict.fromkeys(words for result in passed for words in result.weak)
    return "; ".join([*(f"weak pass: {words}" for words in weak), *filter(None, [limit_words(passed)])])


def _row(
    subject: str, modes: Mapping[str, ModeResult], details: Mapping[str, Detail], versions: Mapping[str, str]
) -> Row:
    return Row(subject, versions.get("tensorflow", ""), modes, details, versions)


def _detail(report: ReportRecord, mode: str, case: Mapping[str, object] | None = None) -> Detail:
    try:
        script = report.scripts.get(mode, "")
    except Exception:  # a script that cannot be made must not cost the notebook its report
        script = ""
    return Detail(
        arguments=report.arguments,
        script=script,
        evidence=report.evidence.get(mode, None),
        case=case,
    )
