"""Runs of the command line in this process, and a search whose outcome the test decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import gradcheck
from gradcheck.cli import main
from gradcheck.report import ModeResult, Report
from gradcheck.searching.searches import ModeSearch, SearchResult
from gradcheck.verdicts import Verdict


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``run("search", …)`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    try:
        runner = CliRunner(mix_stderr=False)  # click before 8.2; later it is never mixed into stdout
    except TypeError:
        runner = CliRunner()
    return lambda *arguments: runner.invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """``searches({"wrong": {"xla": "MISMATCH"}})`` replaces the search: PASS but where the table says
    otherwise.

    Returns the list of calls, each with the arguments it got. A verdict may also be an exception to raise.
    """

    def replace(table: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def search(subject: Any, strategy: Any, **arguments: Any) -> SearchResult:
            calls.append({"subject": subject, "strategy": strategy, **arguments})
            name = subject.__name__
            found = {}
            for mode in arguments["modes"]:
                arguments["on_example"](mode, 1, "search")
                outcome = table.get(name, {}).get(mode, "PASS")
                if not isinstance(outcome, str):
                    raise outcome
                verdict = Verdict[outcome]
                expected = (arguments.get("expect") or {}).get(mode, ())
                result = ModeResult(mode, verdict, cause="off by 2" if verdict.fails else "", expected=expected)
                scripts = {mode: f"# {name} {mode}\n"} if verdict.fails else {}
                report = Report(name, {mode: result}, "Batch(…)", {"tensorflow": "2.8.4"}, scripts=scripts)
                batch = None if verdict is Verdict.PASS else ([1.0],)
                found[mode] = ModeSearch(mode, verdict, batch, report, 3, 4, {verdict.value: 3}, expected)
                arguments["on_mode"](found[mode])
            return SearchResult(name, found, arguments["seed"], {"tensorflow": "2.8.4"})

        monkeypatch.setattr(gradcheck, "search", search)
        return calls

    return replace


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """A file of subjects, in the folder where `run` runs."""
    path = tmp_path / "layers_for_cli.py"
    path.write_text(
        "def right(values, lengths): ...\ndef wrong(values, lengths): ...\nclass Holder:\n    layer = right\n"
    )
    return path
