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


KILLED = """
import os
import signal

import tensorflow as tf


@tf.custom_gradient
def bent(values):
    def grad(upstream):
        return 3.0 * upstream

    return 2.0 * values, grad


def wrong(values):
    if os.path.isdir(".hypothesis/gradcheck") and os.environ.get("KILL"):
        os.kill(os.getpid(), signal.SIGKILL)  # while the failing batch is made smaller
    return bent(values)
"""


def test_a_search_that_is_killed_while_shrinking_has_kept_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "subject.py").write_text(KILLED)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "gradcheck", "search", "subject.py:wrong", "--modes=eager", "--seed=0"]
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 120}
    killed = subprocess.run(command, env={**environment, "KILL": "1"}, **options)
    assert killed.returncode == -signal.SIGKILL
    (kept,) = (tmp_path / ".hypothesis" / "gradcheck").iterdir()
    assert f"MISMATCH on this batch, kept in {kept}" in killed.stderr
    replay = [sys.executable, "-m", "gradcheck", "replay", str(kept), "--subject", "subject.py:wrong"]
    replayed = subprocess.run(replay, env=environment, **options)
    assert replayed.returncode == 1, replayed.stderr
    assert "still there" in replayed.stdout
