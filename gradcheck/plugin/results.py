"""What the whole run checked: taken from the tests' reports, shown as a matrix, written as JSON.

Lives in the process that shows results: the only one, or the controller of pytest-xdist.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from gradcheck.plugin.settings import value_of
from gradcheck.report import SCHEMA_VERSION
from gradcheck.results import aligned, mode_result

__all__ = ["Results"]


class Results:
    """A plugin object of its own, registered by `gradcheck.plugin`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rows: list[dict[str, Any]] = []

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_logreport
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report's rows in."""
        for row in getattr(report, "gradcheck", ()):
            self.rows.append({**row, "outcome": report.outcome})

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_sessionfinish
    def pytest_sessionfinish(self) -> None:
        """Write the JSON file, if one was asked for; also where nothing was checked, so that a reader finds
        it.
        """
        if name := value_of(self.config, "json"):
            path = Path(self.config.invocation_params.dir, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            document = {"schema": SCHEMA_VERSION, "kind": "pytest", "results": self.rows}
            path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_terminal_summary
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The matrix, then each failure with its cause, its script, and the command that runs it again."""
        if not self.rows:
            return
        from gradcheck.rendering import render_matrix

        terminalreporter.section("gradcheck", sep="=")
        terminalreporter.write_line(render_matrix(aligned(_named_rows(self.rows))))
        for row in self.rows:
            if row["outcome"] == "failed" and row["report"] is not None:
                terminalreporter.write_line("")
                for line in _failure_lines(row):
                    terminalreporter.write_line(line)
        if name := value_of(self.config, "json"):
            terminalreporter.write_line("")
            terminalreporter.write_line(f"Written to {name}; `gradcheck report {shlex.quote(name)}` shows it.")


def _named_rows(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows for `render_matrix`. Where several tests check subjects of one name, the test is told as well."""
    names = [row["subject"] for row in rows]
    named: dict[str, dict[str, Any]] = {}
    for row in rows:
        subject = row["subject"]
        label = subject if names.count(subject) == 1 else f"{subject} ({row['nodeid'].split('::', 1)[-1]})"
        cells = {mode: mode_result(mode, cell) for mode, cell in row["modes"].items()}
        named.setdefault(label, {}).update(cells)
    return named


def _failure_lines(row: dict[str, Any]) -> list[str]:
    failing = {mode: cell for mode, cell in row["modes"].items() if not cell["ok"]}
    lines = [f"{row['nodeid']}: {row['subject']}"]
    for mode, cell in failing.items():
        lines.append(f"  {mode}: {cell['verdict']}" + (f": {cell['cause']}" if cell["cause"] else ""))
    if row["arguments"]:
        lines.append("  smallest case: " + " ".join(row["arguments"].split()))
    lines += [f"  script ({mode}): {path}" for mode, path in row["scripts"].items()]
    again = ["pytest", row["nodeid"], *([f"--gradcheck-modes={','.join(failing)}"] if failing else [])]
    lines.append("  again: " + shlex.join(again))
    return lines
