"""Each failure is printed once: one block for all modes of a test that fail alike, in the order of the files.

pytest prints a block for each failing test, and a test of a suite is one mode. What is the same is known when all tests
are done, and where several workers ran them only to the process that prints. So repeated reports are taken out while
pytest prints the failures, and put back for the counts and the short summary.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck.harness.gradient_error import access_elsewhere
from gradcheck.mode_names import mode_order
from gradcheck.records.results import ModeResult
from gradcheck.rendering.alike import group_key
from gradcheck.rendering.text import render_report, same_failure
from gradcheck.report import Report
from gradcheck.results.reading import mode_result

__all__ = ["Once"]


class Once:
    """Has a terminal reporter print what fails alike once, until `undo`.

    Args:
        terminalreporter: pytest's.
        rows: what was checked, in the order in which it is to be told.
    """

    def __init__(self, terminalreporter: pytest.TerminalReporter, rows: list[dict[str, Any]]) -> None:
        self._stats = terminalreporter.stats
        self._whole: list[Any] | None = self._stats.get("failed")
        self._changed: list[tuple[pytest.TestReport, Any, list[tuple[str, str]]]] = []
        if self._whole:
            self._stats["failed"] = self._told(self._whole, rows)

    def undo(self) -> None:
        """Have it know of every failure again."""
        if self._whole is not None:
            self._stats["failed"] = self._whole
            self._whole = None
        for report, longrepr, sections in self._changed:
            report.longrepr, report.sections = longrepr, sections
        self._changed = []

    def _told(self, reports: list[Any], rows: list[dict[str, Any]]) -> list[Any]:
        place = {row["nodeid"]: number for number, row in reversed(list(enumerate(rows)))}
        # Reports of other tests stay behind the one that they came behind.
        order, last = {}, -1
        for report in reports:
            last = order[id(report)] = place.get(report.nodeid, last)
        groups: dict[tuple[object, ...], list[Any]] = {}
        for report in sorted(reports, key=lambda report: order[id(report)]):
            found = _single_failure(report)
            key = (id(report),) if found is None else (found[0]["test"], found[0]["subject"], group_key(found[1]))
            groups.setdefault(key, []).append(report)
        for group in groups.values():
            if len(group) > 1:
                self._join(group)
        return [group[0] for group in groups.values()]

    def _join(self, group: list[Any]) -> None:
        first = group[0]
        self._changed.append((first, first.longrepr, list(first.sections)))
        if getattr(first, "gradcheck_report_only", False):
            first.longrepr = _text(group)
        else:  # the test's own source stands above
            others = ", ".join(report.nodeid for report in group[1:])
            first.sections.append(("gradcheck", f"The same in {others}."))


def _single_failure(report: Any) -> tuple[dict[str, Any], ModeResult] | None:
    """The row and the result of a test that failed in one mode and for nothing else; None of any other."""
    rows = [row for row in getattr(report, "gradcheck", ()) if any(not cell["ok"] for cell in row["modes"].values())]
    if len(rows) != 1 or rows[0]["report"] is None or rows[0]["test"] == rows[0]["nodeid"]:
        return None
    (row,) = rows
    modes = [mode for mode, cell in row["modes"].items() if not cell["ok"]]
    if len(modes) != 1 or modes[0] not in row["report"]["modes"]:
        return None
    return row, mode_result(modes[0], row["report"]["modes"][modes[0]])


def _text(group: list[Any]) -> str:
    """The report of the first mode, for all of them."""
    found = sorted(
        (one for one in map(_single_failure, group) if one is not None), key=lambda one: mode_order(one[1].mode)
    )
    row, shown = found[0]
    written = row["report"]
    notes = shown.notes
    if any(_batch(one) != _batch(found[0]) or not same_failure(one[1], shown) for one in found[1:]):
        notes = (*notes, f"numbers and batch are those of {shown.mode}; the other modes have their own")
    modes = {result.mode: replace(shown, mode=result.mode, notes=notes) for _, result in found}
    report = Report(
        subject=row["subject"],
        modes=modes,
        arguments=_batch(found[0]),
        versions=row["versions"],
        evidence={shown.mode: written["evidence"][shown.mode]} if shown.mode in written["evidence"] else {},
    )
    return render_report(report, access_elsewhere(replayed=any(row["cases"] for row, _ in found)))


def _batch(found: tuple[dict[str, Any], ModeResult]) -> str:
    """The smallest batch of a mode."""
    row, result = found
    return str(row["modes"][result.mode]["arguments"] or row["arguments"])
