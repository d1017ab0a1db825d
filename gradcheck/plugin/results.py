"""What the whole run checked: taken from the tests' reports, shown as a matrix, written as JSON and HTML.

Lives in the process that shows results: the only one, or the controller of pytest-xdist. It is made in every run of
pytest, so what shows results is imported when there are any.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.errors import InputError
from gradcheck.mode_names import mode_order
from gradcheck.plugin.settings import on_github, value_of
from gradcheck.results.rows import Gap
from gradcheck.support.files import write_json
from gradcheck.support.outgoing import for_terminal

if TYPE_CHECKING:
    from collections.abc import Generator

    from gradcheck.plugin.once import Once
    from gradcheck.results import rows as results

__all__ = ["Results"]


class Results:
    """A plugin object of its own, registered by `gradcheck.plugin`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._rows: dict[str, list[dict[str, Any]]] = {}  # by test
        self.unwritten: dict[str, str] = {}  # why a file that was asked for is not there
        self._announced: dict[str, dict[str, Any]] = {}
        self._gaps: dict[str, Gap] = {}
        self._once: Once | None = None

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_logreport
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a report's rows in, and what a test that checks gradients failed with beside them."""
        nodeid = report.nodeid
        if announced := getattr(report, "gradcheck_announced", None):
            self._announced[nodeid] = announced
        if found := getattr(report, "gradcheck", None):
            if all(row["outcome"] == "rerun" for row in self._rows.get(nodeid, ())):
                self._rows[nodeid] = []  # pytest-rerunfailures: what counts is the last time
            for row in found:
                self._take({**row, "outcome": report.outcome})
        if not report.failed:
            return
        if report.when not in ("setup", "call", "teardown"):
            # Of a test in which its worker died, pytest-xdist makes the report, and knows no phase.
            if announced := self._announced.get(nodeid):
                self._take(_crashed(announced, str(report.longrepr)))
        elif report.when == "call" and nodeid not in self._rows and hasattr(report, "gradcheck_failed"):
            self._gaps[nodeid] = Gap(nodeid, report.gradcheck_failed)
        elif report.when != "call" and (nodeid in self._announced or nodeid in self._rows):
            phase = "set-up" if report.when == "setup" else "tear-down"
            self._gaps[nodeid] = Gap(nodeid, f"its {phase} failed: {_first_line(report)}")

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_collectreport
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected: which checks that would have been nobody knows."""
        if report.failed:
            self._gaps[report.nodeid] = Gap(report.nodeid, "it could not be collected")

    def _take(self, row: dict[str, Any]) -> None:
        if row["outcome"] == "failed" and not all(_oks(row)):
            from gradcheck.plugin.summary import command_again

            row["again"] = command_again(row, self.config)
        self._rows.setdefault(row["nodeid"], []).append(row)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows as the tests ran; where several workers ran them, as they stand in their files."""
        rows = [row for found in self._rows.values() for row in found]
        if self.config.pluginmanager.hasplugin("dsession"):
            rows.sort(key=lambda row: (row["file"], row["line"], row["test"], _first_mode(row)))
        return rows

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The rows that made their test fail."""
        return [row for row in self.rows if "again" in row]

    def document(self) -> dict[str, Any]:
        """Everything as JSON."""
        from gradcheck.records.results import SCHEMA_VERSION

        gaps = [gap.to_dict() for gap in self._gaps.values()]
        return {
            "schema": SCHEMA_VERSION,
            "kind": "pytest",
            "complete": not gaps,
            "gaps": gaps,
            "results": self.rows,
        }

    @cached_property
    def found(self) -> results.Results:
        """Everything as any report of it shows it; asked for when the run is over."""
        from gradcheck.results.reading import results_of

        return results_of(self.document())

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_sessionfinish
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the files that were asked for; also where nothing was checked, so that a reader finds them."""
        if why := _stopped(session, exitstatus):
            self._gaps[""] = Gap("the tests behind the last one", why)
        self._written("json", session, lambda path: write_json(path, self.document(), indent=2))
        self._written("html", session, self._write_html)

    def _written(self, what: str, session: pytest.Session, write: Callable[[Path], object]) -> None:
        """Write a file that was asked for. Where it cannot be, the run fails, and the summary says why."""
        path = self._file(what)
        try:
            if path:
                write(path)
        except InputError as error:
            self.unwritten[what] = str(error)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _write_html(self, path: Path) -> None:
        from gradcheck.rendering.html import write_html

        write_html([self.document()], path)

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_terminal_summary
    @pytest.hookimpl(specname="pytest_terminal_summary", wrapper=True, tryfirst=True)
    def pytest_gradcheck_tell_once(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """While pytest prints the failures, one stands for all modes that fail alike."""
        if self._rows:
            from gradcheck.plugin.once import Once

            self._once = Once(terminalreporter, self.rows)
        try:
            yield
        finally:
            self._tell_all()

    def _tell_all(self) -> None:
        if self._once is not None:
            self._once.undo()

    # https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_terminal_summary
    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The matrix, then each failure with its cause and script, and the command that runs it again."""
        self._tell_all()  # the short summary that follows names every test
        if on_github(self.config):
            from gradcheck.plugin import github

            github.add_to_step_summary(self.found, self.failures)
            for line in github.annotation_lines(self.failures, self.config.rootpath):
                terminalreporter.write_line(line)  # a command, and meant to be
        for why in self.unwritten.values():
            terminalreporter.write_line(for_terminal(f"gradcheck: {why}"), red=True)
        if not self._rows and not self._announced:
            return  # what else may be missing is not ours
        from gradcheck.plugin.summary import (
            by_test,
            failure_lines,
            foundation_lines,
            gaps_told,
            matrix_of,
            worth_showing,
        )
        from gradcheck.rendering import render_matrix

        def write(line: str) -> None:
            terminalreporter.write_line(for_terminal(line))

        terminalreporter.section("gradcheck", sep="=")
        for line in gaps_told(self.found):
            write(line)
        shown, hidden = worth_showing(matrix_of(self.found), terminalreporter.verbosity)
        if shown:
            write(render_matrix(shown))
        if hidden:
            write(f"{hidden} {'more ' * bool(shown)}subject{'s' * (hidden != 1)} passed in every mode (-v shows them)")
        for line in foundation_lines(self.found, terminalreporter.verbosity):
            write(line)
        for rows in by_test(self.failures):
            write("")
            for line in failure_lines(rows, self.config):
                write(line)
        written = [
            name for what in ("json", "html") if what not in self.unwritten and (name := value_of(self.config, what))
        ]
        if written:
            write("")
        for name in written:
            how = f"; `gradcheck report {shlex.quote(name)}` shows it" if name == value_of(self.config, "json") else ""
            write(f"Written to {name}{how}.")

    def _file(self, what: str) -> Path | None:
        """Where a file that was asked for goes."""
        name = value_of(self.config, what)
        return Path(self.config.invocation_params.dir, name) if name else None


def _stopped(session: pytest.Session, exitstatus: int) -> str:
    """Why the run ended before its last test; empty where it did not."""
    early = session.shouldfail or session.shouldstop
    if early:
        return str(early)
    return {2: "pytest was interrupted", 3: "pytest had an internal error"}.get(int(exitstatus), "")


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(getattr(crash, "message", report.longrepr or "")).strip()
    return said.splitlines()[0] if said else "no message"


def _first_mode(row: dict[str, Any]) -> tuple[int, str]:
    return min((mode_order(mode) for mode in row["modes"]), default=(0, ""))


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
