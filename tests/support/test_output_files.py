"""Output files: tried before the work, whole or not at all, and what is no regular file stays what it is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from gradcheck.cli import main
from gradcheck.errors import InputError
from gradcheck.support.files import require_writable, write_text


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "made" / "out.json", "text")
    assert (tmp_path / "made" / "out.json").read_text() == "text"
    assert _left(tmp_path / "made") == ["out.json"]


def test_a_file_with_the_name_of_a_partial_one_is_left_alone(tmp_path):
    (tmp_path / "o.json.part").write_text("mine")
    write_text(tmp_path / "o.json", "text")
    assert (tmp_path / "o.json.part").read_text() == "mine"


def test_permissions_stay(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o640)
    write_text(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)


def test_a_device_stays_a_device():
    before = os.stat(os.devnull)
    write_text(Path(os.devnull), "text")
    after = os.stat(os.devnull)
    assert stat.S_ISCHR(after.st_mode)
    assert (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)


def test_a_fifo_is_written_into(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    require_writable(fifo)
    write_text(fifo, "through the pipe")
    reader.join(timeout=10)
    assert read == ["through the pipe"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(tmp_path, there):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert _left(target.parent) == ["target"]


def test_a_hard_link_stays_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    two.hardlink_to(one)
    write_text(one, "new")
    assert two.read_text() == "new"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    path.write_text("old")

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert _left(tmp_path) == ["out.json"]


def test_a_full_device_is_bad_input():
    with pytest.raises(InputError, match="/dev/full cannot be written: No space left on device"):
        write_text(Path("/dev/full"), "text")


def test_what_cannot_be_written_is_seen_before(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "below", Path("/proc/none/out.json")):
        with pytest.raises(InputError):
            require_writable(path)
    with pytest.raises(InputError, match="is no folder"):
        require_writable(tmp_path / "file", folder=True)
    for path in (tmp_path / "new", tmp_path / "file", tmp_path / "new" / "folders" / "file", Path(os.devnull)):
        require_writable(path)
    require_writable(tmp_path / "new", folder=True)
    assert _left(tmp_path) == ["file"], "nothing is made"


@pytest.mark.parametrize("option", ["--json", "--html", "--scripts", "--cases"])
def test_a_search_is_not_begun_where_its_output_cannot_be_written(tmp_path, option):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["search", "no.such.module:subject", option, str(tmp_path / "file" / "below")])
    assert result.exit_code == 2
    assert "cannot be written" in result.output
    assert "no.such.module" not in result.output.replace("search no.such.module:subject", "")


def _shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"{sys.executable} -m gradcheck"
    script = command.replace("GRADCHECK", program)
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("arguments", ["--help", "report --schema", "variants --help", "report nothing.json"])
@pytest.mark.parametrize("to", ["> /dev/full", "2> /dev/full", "> /dev/full 2> /dev/full", ">&-"])
def test_a_full_or_closed_output_is_one_line(tmp_path, arguments, to):
    done = _shell(f"GRADCHECK {arguments} {to}", tmp_path)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if to == "> /dev/full" and "nothing" not in arguments:
        assert done.stderr == "gradcheck: standard output cannot be written: No space left on device\n"
        assert done.returncode == 2


def test_a_closed_pipe_is_one_line(tmp_path):
    done = _shell("set -o pipefail; (sleep 1; GRADCHECK report --schema) | true", tmp_path)
    assert done.stderr == "gradcheck: standard output cannot be written: Broken pipe\n"
    assert done.returncode == 2


def test_files_are_written_where_standard_output_is_lost(tmp_path):
    done = _shell("GRADCHECK doctor --json out.json > /dev/full", tmp_path)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out.json").read_text().startswith("{")
