"""Several workers: order, groups, journal, and runs that are ended from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from gradcheck.errors import InputError
from gradcheck.isolation import Journal, Limits, Pool, read_journal, run_tasks
from gradcheck.isolation.pool import _Pending

FUNCTIONS = Path(__file__).parent / "functions"


def test_every_task_has_one_outcome_whatever_became_of_it(task):
    names = ["abort", "raises", "segfault", "leaves"]
    tasks = [task("echo", key=f"echo {number}", value=number) for number in range(6)] + [task(name) for name in names]
    outcomes = {outcome.key: outcome for outcome in run_tasks(tasks, 2)}
    assert len(outcomes) == 10
    assert [outcomes[f"echo {number}"].value for number in range(6)] == list(range(6))
    assert [outcomes[name].done for name in names] == [False] * 4
    assert "ZeroDivisionError" in outcomes["raises"].error


def test_tasks_of_a_group_stay_on_one_worker(task):
    pending = _Pending()
    for group, count in (("a", 3), ("b", 1), ("c", 2)):
        for number in range(count):
            pending.put(task("echo", key=f"{group}{number}", group=group))
    one, two = pending.take(None), pending.take(None)
    assert (one.key, two.key) == ("a0", "b0")
    assert pending.take("b").key == "c0"  # its own is empty, and nobody is at this one
    assert pending.take("a").key == "a1"
    assert pending.take("a").key == "a2"
    assert pending.take("a").key == "c1"  # only others' groups are left: the longest
    pending.close()
    assert pending.take("c") is None


def test_an_idle_worker_takes_from_a_long_group(task, tmp_path):
    tasks = [
        task("marks", key=str(n), group="one", file=str(tmp_path / "f"), name=str(n), seconds=0.5) for n in range(6)
    ]
    with Pool(2) as pool:
        pool.submit(*tasks)
        assert len(list(pool.outcomes())) == 6
        assert len(pool._hands) == 2


def test_tasks_may_be_added_and_are_added_once(task):
    with Pool(1) as pool:
        pool.submit(task("echo", key="a", value=1))
        pool.submit(task("echo", key="a", value=2))
        seen = []
        for outcome in pool.outcomes():
            seen.append((outcome.key, outcome.value))
            if outcome.key == "a":
                pool.submit(task("echo", key="b", value=3))
    assert seen == [("a", 1), ("b", 3)]


def test_what_the_journal_knows_is_not_run_again(task, tmp_path):
    tasks = [task("marks", key=name, file=str(tmp_path / "ran"), name=name) for name in "abc"]
    with Journal(tmp_path / "journal") as journal:
        assert len(list(run_tasks(tasks[:2], 1, journal=journal))) == 2
    with Journal(tmp_path / "journal") as journal:
        assert {outcome.value for outcome in run_tasks(tasks, 1, journal=journal)} == {"a", "b", "c"}
    assert Counter((tmp_path / "ran").read_text().split()) == {"a": 1, "b": 1, "c": 1}


def test_leaving_in_the_middle_ends_the_workers(task):
    outcomes = run_tasks([task("memory"), task("slow")], 2)
    pid = next(outcomes).value[0]
    outcomes.close()
    assert not psutil.pid_exists(pid)


def test_bad_input():
    with pytest.raises(InputError, match="workers must be a whole number of at least 1; got 0"):
        Pool(0)


RUN = """
import sys
from gradcheck.isolation import Journal, Task, run_tasks
from gradcheck.support.signals import ending_on_sigterm
folder, count = sys.argv[1], int(sys.argv[2])
tasks = [
    Task("isolation_functions:marks", {"file": folder + "/ran", "name": str(n), "seconds": 0.25}, key=str(n))
    for n in range(count)
]
with ending_on_sigterm(), Journal(folder + "/journal") as journal:
    for outcome in run_tasks(tasks, 2, journal=journal):
        print(outcome.key, outcome.value, flush=True)
"""


def start(folder, count):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FUNCTIONS), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        # Where the suite runs in the background of a script, SIGINT is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def workers_of(process):
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_run_that_is_ended_goes_on_where_it_was(tmp_path, ending):
    journal = tmp_path / "journal"
    first = start(tmp_path, 12)
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 5)  # the header and four tasks
    workers = workers_of(first)
    assert workers
    first.send_signal(ending)
    first.communicate(timeout=20)
    if ending is signal.SIGTERM:
        assert first.returncode == 143
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    finished = set(read_journal(journal))
    assert 4 <= len(finished) < 12
    again = start(tmp_path, 12)
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    # One result for each, nothing lost, and what was finished was not run twice.
    assert sorted(line.split()[0] for line in output.splitlines()) == sorted(map(str, range(12)))
    ran = Counter((tmp_path / "ran").read_text().split())
    assert set(ran) == set(map(str, range(12)))
    assert [ran[key] for key in finished] == [1] * len(finished)
    lines = [json.loads(line.partition(" ")[2]) for line in journal.read_text().splitlines()[1:]]
    assert Counter(line["key"] for line in lines) == dict.fromkeys(map(str, range(12)), 1)


def test_a_worker_killed_from_outside_costs_one_outcome(task, tmp_path):
    tasks = [task("marks", key=str(n), file=str(tmp_path / "ran"), name=str(n), seconds=0.4) for n in range(6)]
    with Pool(2, limits=Limits()) as pool:
        pool.submit(*tasks)
        outcomes = []
        for outcome in pool.outcomes():
            outcomes.append(outcome)
            if len(outcomes) == 1:
                os.kill(pool._hands[0].worker._process.pid, signal.SIGKILL)
    assert sorted(outcome.key for outcome in outcomes) == sorted(map(str, range(6)))
    dead = [outcome for outcome in outcomes if outcome.death is not None]
    assert len(dead) <= 1
    assert all(outcome.death.signal == "SIGKILL" for outcome in dead)
