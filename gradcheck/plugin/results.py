"""What the whole run checked: taken from the tests' reports, shown as a matrix, written as JSON and HTML.

Lives in the process that shows results: the only one, or the controller of pytest-xdist. It is made in every run of
pytest, so what shows results is imported when there are any.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from gradcheck.files import write_json
from gradcheck.plugin.settings import on_github, value_of

__all__ = ["Results"]


class Results:
    """A plugin object of its own, registered by `gradcheck.plugin`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.rows: list[dict[str, Any]] = []
        self._announced: dict[str, dict[str, Any]] = {}

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_logreport
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report's rows in."""
        if announced := getattr(report, "gradcheck_announced", None):
            self._announced[report.nodeid] = announced
        for row in getattr(report, "gradcheck", ()):
            self._take({**row, "outcome": report.outcome})
        # Of a test in which its worker died, pytest-xdist makes the report, and knows no phase.
        if report.failed and report.when not in ("setup", "call", "teardown") and report.nodeid in self._announced:
            self._take(_crashed(self._announced[report.nodeid], str(report.longrepr)))

    def _take(self, row: dict[str, Any]) -> None:
        if row["outcome"] == "failed" and not all(_oks(row)):
            from gradcheck.plugin.summary import command_again

            row["again"] = command_again(row, self.config)
        self.rows.append(row)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The rows that made their test fail."""
        return [row for row in self.rows if "again" in row]

    def document(self) -> dict[str, Any]:
        """Everything as JSON."""
        from gradcheck.records.results import SCHEMA_VERSION

        return {"schema": SCHEMA_VERSION, "kind": "pytest", "results": self.rows}

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_sessionfinish
    def pytest_sessionfinish(self) -> None:
        """Write the files that were asked for; also where nothing was checked, so that a reader finds them."""
        if path := self._file("json"):
            write_json(path, self.document(), indent=2)
        if path := self._file("html"):
            from gradcheck.rendering.html import write_html

            write_html([self.document()], path)

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_terminal_summary
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The matrix, then each failure with its cause, batch and script, and the command that runs it again."""
        if on_github(self.config):
            from gradcheck.plugin import github

            github.add_to_step_summary(self.rows, self.failures)
            for line in github.annotation_lines(self.failures, self.config.rootpath):
                terminalreporter.write_line(line)
        if not self.rows:
            return
        from gradcheck.plugin.summary import failure_lines, foundation_lines, matrix_rows, worth_showing
        from gradcheck.rendering import render_matrix

        terminalreporter.section("gradcheck", sep="=")
        shown, hidden = worth_showing(matrix_rows(self.rows), terminalreporter.verbosity)
        if shown:
            terminalreporter.write_line(render_matrix(shown))
        if hidden:
            terminalreporter.write_line(
                f"{hidden} {'more ' * bool(shown)}subject{'s' * (hidden != 1)} passed in every mode (-v shows them)"
            )
        for line in foundation_lines(self.rows, terminalreporter.verbosity):
            terminalreporter.write_line(line)
        for row in self.failures:
            terminalreporter.write_line("")
            for line in failure_lines(row, self.config):
                terminalreporter.write_line(line)
        written = [name for what in ("json", "html") if (name := value_of(self.config, what))]
        if written:
            terminalreporter.write_line("")
        for name in written:
            how = f"; `gradcheck report {shlex.quote(name)}` shows it" if name == value_of(self.config, "json") else ""
            terminalreporter.write_line(f"Written to {name}{how}.")

    def _file(self, what: str) -> Path | None:
        """Where a file that was asked for goes."""
        name = value_of(self.config, what)
        return Path(self.config.invocation_params.dir, name) if name else None


def _oks(row: dict[str, Any]) -> list[bool]:
    return [cell["ok"] for cell in row["modes"].values()]


def _crashed(announced: dict[str, Any], said: str) -> dict[str, Any]:
    """The row of a test in which the process died: which of its modes did it is not known, unless it has one."""
    modes = announced["modes"]
    cause = f"{said.strip().splitlines()[0] if said.strip() else 'the process died'}"
    if len(modes) > 1:
        cause += "; in which of the modes is not known"
    cell = {"verdict": "CRASH", "ok": False, "cause": cause, "expected": [], "counts": {}, "arguments": ""}
    return {
        **announced,
        "subject": announced["test"].rsplit("::", 1)[-1],
        "modes": {mode: dict(cell) for mode in modes},
        "arguments": "",
        "scripts": {},
        "cases": {},
        "obstacles": {},
        "problem": "",
        "report": None,
        "outcome": "failed",
    }
