"""A command that is ended by a signal keeps what it found, and says by its exit status which signal it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SUBJECT = """
import tensorflow as tf
calls = 0

def squares(values):
    global calls
    calls += 1
    if calls == 60:
        open("called", "w").close()
    return values * values
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("isolate", [False, True], ids=["here", "isolated"])
def test_a_search_that_is_ended(tmp_path: Path, ending: signal.Signals, isolate: bool) -> None:
    (tmp_path / "subject.py").write_text(SUBJECT)
    command = [
        "search",
        "subject.py:squares",
        "--max-examples=100000",
        "--seed=0",
        "--modes=eager",
        "--json=found.json",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "gradcheck", *command, *(["--isolate"] if isolate else [])],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        # Where the suite runs in the background of a script, SIGINT is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "called").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the subject was not called"
        time.sleep(0.05)
    process.send_signal(ending)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + ending, errors
    assert "interrupted in subject.py:squares" in errors
    assert "did not show every time" not in output
    document = json.loads((tmp_path / "found.json").read_text())
    assert document["complete"] is False
    assert all(mode["verdict"] == "PASS" for result in document["results"] for mode in result["modes"].values())
