"""One worker: what it answers, how it dies, and that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

import gradcheck
from gradcheck.errors import InputError
from gradcheck.isolation import Limits, Task, Worker


@pytest.fixture
def worker():
    with Worker(Limits(batch_seconds=20, task_seconds=60)) as started:
        yield started


def gone(pid: int) -> bool:
    """Whether a process is gone, or becomes so within seconds; a zombie is not gone."""
    for _ in range(100):
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.05)
    return False


def test_a_value_comes_back_and_the_process_is_kept(worker, task):
    outcome = worker.run(task("echo", value={"a": [1, "ü", None]}))
    assert (outcome.done, outcome.value) == (True, {"a": [1, "ü", None]})
    (pid, first), (again, second) = (worker.run(task("memory")).value for _ in range(2))
    assert (pid, first, second) == (again, 1, 2)
    assert worker.started == 1
    worker.close()
    assert gone(pid)


@pytest.mark.parametrize(
    ("name", "kind", "signal", "code", "text"),
    [
        (
            "abort",
            "signal",
            "SIGABRT",
            "Batch(1)",
            "(SIGABRT): F tensorflow/core/foo.cc:1] Check failed",
        ),
        ("segfault", "signal", "SIGSEGV", "Batch(2)", "the process died (SIGSEGV)"),
        ("killed", "signal", "SIGKILL", None, "was killed (SIGKILL), as the kernel does when memory runs out"),
        ("leaves", "exit", "", "Batch(3)", "the process ended itself (exit status 7)"),
    ],
)
def test_deaths(worker, task, name, kind, signal, code, text):
    outcome = worker.run(task(name))
    assert not outcome.done
    assert (outcome.death.kind, outcome.death.signal) == (kind, signal)
    assert (outcome.death.example or {}).get("code") == code
    assert text in str(outcome.death)
    assert worker.run(task("echo", value=1)).value == 1  # the next task gets a process of its own
    assert worker.started == 2


def test_where_it_died_is_among_the_last_lines(worker, task):
    death = worker.run(task("segfault")).death
    assert any("Fatal Python error: Segmentation fault" in line for line in death.stderr)
    assert any("in segfault" in line for line in death.stderr)


@pytest.mark.parametrize("name", ["hangs", "hangs_in_c"])
def test_a_batch_that_hangs(task, name):
    with Worker(Limits(batch_seconds=0.4)) as worker:
        death = worker.run(task(name)).death
        assert (death.kind, death.signal) == ("batch time", "")
        assert "did not come back within 0 s" in death.text
        assert death.example["code"] in ("Batch(4)", "Batch(5)")
        assert any(f"in {name}" in line for line in death.stderr)  # where it hangs


def test_a_task_that_takes_too_long_though_no_batch_does(task):
    with Worker(Limits(batch_seconds=20, task_seconds=1.0)) as worker:
        death = worker.run(task("slow")).death
        assert death.kind == "task time"
        assert death.text == "the task took longer than 1 s and was stopped"


def test_memory(task):
    with Worker(Limits(batch_seconds=60, memory=2**28)) as worker:
        death = worker.run(task("allocates")).death
        assert (death.kind, death.example["code"]) == ("memory", "Batch(6)")
        assert death.text == "the process held more than 256 MiB of memory and was stopped"


def test_a_process_that_tasks_left_swollen_is_replaced(worker, task):
    worker.limits = Limits(memory=2**26)
    first, second = (worker.run(task("memory")) for _ in range(2))
    if first.done and second.done:  # an idle interpreter is about half of the smallest limit
        assert first.value[0] != second.value[0] or worker.started == 1
    assert worker.started >= 1


def test_an_exception_is_an_error_and_not_a_death(worker, task):
    outcome = worker.run(task("raises"))
    assert outcome.death is None
    assert "ZeroDivisionError: by design" in outcome.error
    assert outcome.refusal == ""
    assert worker.run(task("refuses")).refusal == "there is no such thing"
    assert "no_such_function" in worker.run(task("no_such_function")).error
    assert worker.started == 1


def test_what_a_subject_prints_does_not_disturb(worker, task):
    assert worker.run(task("garbage")).value == "value"


def test_parts_survive_a_death(worker, task):
    seen = []
    outcome = worker.run(task("parts", count=3), lambda name, value: seen.append(name))
    assert outcome.parts == {"0": 0, "1": 1, "2": 2}
    assert seen == ["0", "1", "2"]
    assert outcome.death is not None


def test_a_process_that_died_while_idle_is_replaced(worker, task):
    (pid, _) = worker.run(task("memory")).value
    os.kill(pid, 9)
    time.sleep(0.2)
    assert worker.run(task("echo", value=2)).value == 2


@pytest.mark.parametrize("other", [False, True], ids=["this interpreter", "another"])
def test_what_lies_in_the_folder_does_not_stand_in_for_what_is_installed(task, tmp_path, monkeypatch, other):
    """A user's json.py is theirs, and a checkout is not the wheel that is tested beside it."""
    for name in ("json.py", "signal.py", "traceback.py", "gradcheck/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise RuntimeError('the wrong one')")
    python = None
    if other:  # any path but that of this interpreter counts as another one
        python = str(tmp_path / "python")
        Path(python).symlink_to(sys.executable)
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join([str(Path(gradcheck.__file__).parents[1]), *filter(None, sys.path)])
        )
    (tmp_path / "mine.py").write_text(
        "def where(arguments, channel):\n    import gradcheck\n    return gradcheck.__file__\n"
    )
    with Worker(python=python, folder=tmp_path) as worker:
        outcome = worker.run(Task("mine:where", {}, key="where"))
    assert (outcome.error, outcome.value) == ("", gradcheck.__file__), outcome.death


def test_stopping_ends_a_task(worker, task):
    threading.Timer(0.7, worker.stop).start()
    outcome = worker.run(task("slow"))
    assert outcome.death.kind == "stopped"
    assert worker.run(task("echo", value=1)).death.kind == "stopped"


def test_children_of_a_worker_die_with_it(worker, task, tmp_path):
    worker.run(task("spawns", file=str(tmp_path / "pid")))
    pid = int((tmp_path / "pid").read_text())
    worker.close()
    with contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(pid)
        # Orphans are reaped by whoever adopts them, which in a container may be nobody.
        assert child.status() == psutil.STATUS_ZOMBIE or gone(pid)


def test_nothing_is_left(task, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Worker() as worker:
        worker.run(task("echo", value=1))
        worker.run(task("abort"))
        worker.run(task("echo", value=1))
        pid = worker._process.pid
    assert gone(pid)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_seconds": 0}, "batch_seconds must be a number of seconds above 0, or None for no limit; got 0"),
        ({"task_seconds": "1"}, "task_seconds must be a number of seconds above 0"),
        ({"memory": 1000}, "memory must be a number of bytes, 64 MiB"),
        ({"memory": 2.5e9}, "memory must be a number of bytes"),
    ],
)
def test_limits_that_are_none(arguments, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        Limits(**arguments)


def test_limits_that_are_fine():
    limits = Limits(batch_seconds=0.1, task_seconds=None, memory=2**30)
    assert Limits.from_dict(limits.to_dict()) == limits
