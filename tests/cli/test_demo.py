"""``gradcheck demo``: the bug is really found and repaired on this TensorFlow, and the text is readable everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    """The whole demonstration, piped; and its results."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    command = [sys.executable, "-m", "gradcheck", "demo", "--json", "found.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "found.json").read_text())


def test_the_bug_is_found_in_one_mode_and_its_repair_passes_in_all(demonstrated) -> None:
    _, document = demonstrated
    found, repaired = (
        {mode: one["verdict"] for mode, one in result["modes"].items()} for result in document["results"]
    )
    assert found == {"eager": "PASS", "graph": "PASS", "xla": "NONFINITE"}
    assert repaired == {"eager": "PASS", "graph": "PASS", "xla": "PASS"}


def test_plain_tensorflow_shows_it_too(demonstrated) -> None:
    text, _ = demonstrated
    assert "eager  [[[0.0, 0.0]]]" in text
    assert "xla    [[[nan, nan]]]" in text


def test_piped_text_has_no_colours_and_fits_a_terminal(demonstrated) -> None:
    text, _ = demonstrated
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 110
    assert ": Any" not in text
    assert text.count("\n- ") == text.count("\n+ ") == 1  # one line is repaired


def test_on_a_terminal_verdicts_have_colours(run, searches, monkeypatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    searches({})
    result = run("demo")
    assert "\x1b[32mPASS" in result.output


def test_a_tensorflow_without_the_bug_is_told_apart(run, searches) -> None:
    pytest.importorskip("tensorflow")
    calls = searches({})
    result = run("demo")
    assert result.exit_code == 0, result.output
    assert "this TensorFlow does not have the bug" in result.output
    assert [call["subject"].__name__ for call in calls] == ["direction"]


def test_a_repair_that_fails_is_a_failure(run, searches, monkeypatch) -> None:
    pytest.importorskip("tensorflow")
    # The batch of the searches that are replaced is none that a layer takes.
    monkeypatch.setattr(sys.modules["gradcheck.cli.demo"], "_gradients", lambda layer, batch: {"xla": "nan"})
    searches({"direction": {"xla": "NONFINITE"}, "repaired": {"xla": "NONFINITE"}})
    result = run("demo")
    assert result.exit_code == 1, result.output
    assert "5. The repair" in result.output
