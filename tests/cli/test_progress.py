"""What a search shows while it runs, and what an interruption leaves."""

from __future__ import annotations

import contextlib
import io
import sys
from types import SimpleNamespace

import pytest

import gradcheck.searching
from gradcheck import GradientError, Verdict
from gradcheck import strategies as st
from gradcheck.cli.progress import search_progress
from gradcheck.report import ModeResult, Report
from gradcheck.searching.searches import ModeSearch


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    # Not sys.stderr itself, which pytest replaces between set-up and test.
    monkeypatch.setattr("gradcheck.cli.progress.sys", SimpleNamespace(stderr=stream))
    return stream


def test_a_line_for_each_mode(terminal: Terminal) -> None:
    with search_progress("layers:mean", ("eager", "xla"), 20) as shown:
        shown.on_example("xla", 3, "search")
        for _ in range(5):
            shown.on_example("xla", 3, "shrink")
        shown._bars.refresh()
    text = terminal.getvalue()
    assert "layers:mean" in text
    assert "3/20" in text
    assert "fails; making it smaller, 5 tried" in text
    assert "waiting" in text


def test_the_verdict_when_a_mode_is_done(terminal: Terminal) -> None:
    found = ModeSearch("xla", Verdict.MISMATCH, None, None, 3, 4, {"MISMATCH": 1})
    with search_progress("layers:mean", ("xla",), 20) as shown:
        shown.on_mode(found)
    assert "MISMATCH" in terminal.getvalue()


@pytest.mark.parametrize("quiet", [True, False])
def test_silent_where_quiet_or_no_terminal(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    stream = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with search_progress("layers:mean", ("xla",), 20, quiet=quiet) as shown:
        shown.on_example("xla", 3, "search")
    assert stream.getvalue() == ""


class Pretended:
    """Checks that fail from the third example on, and are interrupted at the fifth."""

    name = "layer"
    versions = {"tensorflow": "2.8.4"}  # noqa: RUF012

    def __init__(self) -> None:
        self.count = 0

    def check(self, args, mode, options, *, again=False) -> Report:
        self.count += 1
        if self.count == 5:
            raise KeyboardInterrupt
        verdict = Verdict.MISMATCH if self.count > 2 else Verdict.PASS
        return Report("layer", {mode: ModeResult(mode, verdict)}, f"batch {self.count}", self.versions)

    def together(self, modes) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def case(self, args, result, options) -> None:
        return None


def test_an_interrupted_search_keeps_the_smallest_failure_so_far() -> None:
    found: list[ModeSearch] = []
    with pytest.raises(KeyboardInterrupt):
        gradcheck.searching.search_with(Pretended(), st.batches(features=1), modes="xla", seed=0, on_mode=found.append)
    (partial,) = found
    assert (partial.verdict, partial.complete) == (Verdict.MISMATCH, False)
    assert partial.examples >= 3  # a batch that is drawn twice is checked once
    assert partial.counterexample is not None
    assert partial.report is not None
    assert int(partial.report.arguments.split()[1]) > 2
    assert partial.to_dict()["complete"] is False


def test_the_error_of_a_search_has_a_part_for_each_failing_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Pretended):
        def check(self, args, mode, options, *, again=False) -> Report:
            verdict = Verdict.PASS if mode == "eager" else Verdict.MISMATCH
            return Report("layer", {mode: ModeResult(mode, verdict)}, f"batch of {mode}", self.versions)

    result = gradcheck.searching.search_with(Failing(), st.batches(features=1), max_examples=3, seed=0)
    error = result.error
    assert isinstance(error, GradientError)
    assert [part.arguments for part in error.parts] == ["batch of graph", "batch of dynamic", "batch of xla"]
    # In a test that the plugin watches, `result` is nobody's name; what it stands for is in files.
    assert "result[" not in str(error)
    assert "in the section gradcheck at the end" in " ".join(str(error).split())
    monkeypatch.setattr(gradcheck.harness.session, "_subscribers", [])
    assert str(result.error) == str(result)
    assert set(error.report.modes) == {"eager", "graph", "dynamic", "xla"}
