"""Folders of workers go with their process, also where that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gradcheck.isolation.folders import OwnFolder, own_temporary_files, remove_abandoned

KILLED = """
import time
from gradcheck.isolation.folders import OwnFolder
own = OwnFolder()
(own.temporary / "__autograph_generated_file1.py").write_text("")
print(own.path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def _older(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


COMMAND = """
import time, tempfile
from gradcheck.isolation.folders import OwnFolder, own_temporary_files
with own_temporary_files():
    tempfile.NamedTemporaryFile(prefix="__autograph_generated_file", delete=False).close()
    print(OwnFolder().path.parent == OwnFolder().path.parent, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_command_left_is_removed_at_the_next_start(tmp_path):
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert {path.name.rpartition("-")[0] for path in tmp_path.iterdir()} == {"gradcheck-worker"}
    for path in tmp_path.iterdir():
        _older(path, 3600)
    with own_temporary_files():
        inside = Path(tempfile.gettempdir())
        assert [inside.parent] == list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    assert Path(tempfile.gettempdir()) == tmp_path


def test_what_a_killed_process_left_is_removed_at_the_next_start():
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        _older(path, 3600)
        remove_abandoned()
        assert path.is_dir(), "its process lives"
        process.send_signal(signal.SIGKILL)
        process.wait()
    remove_abandoned()
    assert not path.exists()


def test_a_folder_that_was_just_made_is_left_alone(tmp_path):
    (tmp_path / "gradcheck-worker-new").mkdir()
    (tmp_path / "gradcheck-worker-new" / "lock").touch()
    (tmp_path / "gradcheck-worker-earlier-build").mkdir()
    remove_abandoned()
    assert len(list(tmp_path.iterdir())) == 2
    _older(tmp_path / "gradcheck-worker-earlier-build", 2 * 86400)
    remove_abandoned()
    assert [path.name for path in tmp_path.iterdir()] == ["gradcheck-worker-new"]


def test_a_folder_is_removed_with_all_that_is_in_it():
    own = OwnFolder()
    (own.temporary / "file").touch()
    own.remove()
    assert not own.path.exists()
