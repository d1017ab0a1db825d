"""Sweeps on this machine, with a stand-in for the search."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from gradcheck.errors import InputError
from gradcheck.isolation import Limits
from gradcheck.isolation.environment import installed_versions
from gradcheck.sweep.cutting import Costs, cut
from gradcheck.sweep.local import interpreters, run_local, tasks_of, workers_for
from gradcheck.sweep.progress import Tally, View, duration
from gradcheck.sweep.run import sweep
from gradcheck.sweep.store import Store

HERE = Path(__file__).parent
PYTHONS = {"tf28": sys.executable}
WORKERS = {"tf28": 2}
FUNCTIONS = ("sweep_functions:search", "sweep_functions:search_carefully")


@pytest.fixture
def run(tmp_path):
    def run(units, store, **options):
        arguments = {"workers": WORKERS, "pythons": PYTHONS, "limits": Limits(), "functions": FUNCTIONS, "quiet": True}
        return sweep(units, store, **{**arguments, **options})

    return run


def test_a_sweep(run, plan, tmp_path):
    units = plan("right", "fails", "dies", seeds=range(3))
    with Store(str(tmp_path / "s.db")) as store:
        result = run(units, store)
        rows = list(store.results(result.sweep))
    assert len(rows) == len(units) == 18
    verdicts = Counter((row["subject"], row["verdict"]) for row in rows)
    assert verdicts == {
        ("module:right", "PASS"): 6,
        ("module:fails", "PASS"): 5,
        ("module:fails", "MISMATCH"): 1,
        ("module:dies", "CRASH"): 6,
    }
    assert not result.ok
    assert result.document["complete"]


def test_it_goes_on_where_it_was_unless_told_otherwise(run, plan, tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("SWEEP_TEST_LOG", str(log))
    units = plan("right", "fails")
    with Store(str(tmp_path / "s.db")) as store:
        begun = []
        first = run(units, store, on_begin=lambda name, done: begun.append((name, done)))
        assert len(log.read_text().splitlines()) == 8
        # As if it had been killed before the last two.
        store._write("UPDATE sweeps SET finished = NULL")
        for unit in units[-2:]:
            store._write("DELETE FROM results WHERE unit = ?", [unit.key])
        second = run(units, store, on_begin=lambda name, done: begun.append((name, done)))
        assert (second.sweep, second.resumed) == (first.sweep, 6)
        assert len(log.read_text().splitlines()) == 10
        assert second.document["complete"]
        third = run(units, store)  # that one is finished, so this is a new one
        assert third.sweep != first.sweep
        assert begun == [(first.sweep, 0), (first.sweep, 6)]


def test_a_chunk_is_a_group_of_tasks_for_one_worker(plan):
    chunks = cut(plan("a", "b", versions=["tf28", "tf221"], seeds=range(3)), Costs(), WORKERS)
    given = [(task.group, unit) for task, unit in tasks_of(chunks, "tf28")]
    assert sorted(unit.key for _, unit in given) == sorted(
        unit.key for chunk in chunks if chunk.version == "tf28" for unit in chunk.units
    )
    assert len({group for group, _ in given}) == sum(chunk.version == "tf28" for chunk in chunks)


def test_what_cannot_be_searched_is_an_error_and_no_pass(run, plan, tmp_path):
    with Store(str(tmp_path / "s.db")) as store:
        result = run(plan("right", "refused", modes=["eager"]), store)
    assert not result.ok
    assert result.errors == {"subject 'module:refused': there is no module 'module'": 2}


def test_leaving_in_the_middle_ends_the_workers(plan, monkeypatch):
    monkeypatch.setenv("SWEEP_TEST_SECONDS", "0.3")
    records = run_local(cut(plan("a", "b", seeds=range(9)), Costs(), WORKERS), PYTHONS, WORKERS, functions=FUNCTIONS)
    next(records)
    started = time.monotonic()
    records.close()
    assert time.monotonic() - started < 5


RUN = """
import sys
from gradcheck.sweep.plan import plan_units
from gradcheck.sweep.run import sweep
from gradcheck.sweep.store import Store
units = plan_units(["m:a", "m:b", "m:dies"], versions=["tf28"], modes=["eager", "xla"], seeds=range(3))
with Store(sys.argv[1]) as store:
    functions = ("sweep_functions:search", "sweep_functions:search_carefully")
    result = sweep(units, store, workers={"tf28": 2}, pythons={"tf28": sys.executable}, functions=functions)
    print(result.document["units"], result.resumed)
"""


def test_a_sweep_that_is_killed_goes_on(tmp_path):
    place = str(tmp_path / "s.db")
    environment = {**os.environ, "PYTHONPATH": str(HERE / "functions"), "SWEEP_TEST_SECONDS": "0.2"}
    command = [sys.executable, "-c", RUN, place]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60

    def done():
        if not Path(place).exists():
            return 0
        with Store(place) as store:
            name = store.latest()
            return len(store.done(name)) if name else 0

    while done() < 3:
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=30)
    before = done()
    assert 3 <= before < 18
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert second.stdout.strip() == f"{{'total': 18, 'done': 18}} {before}"
    with Store(place) as store:
        rows = list(store.results(store.latest()))
        assert len({row["unit"] for row in rows}) == len(rows) == 18
        assert len(store._read("SELECT id FROM sweeps")) == 1


def test_workers_are_shared_out():
    assert workers_for(["tf28", "tf221"], 5) == {"tf28": 3, "tf221": 2}
    assert workers_for(["tf28", "tf221", "tf29"], 2) == {"tf28": 1, "tf221": 1, "tf29": 1}


def test_interpreters(tmp_path):
    if not installed_versions()["tensorflow"]:
        pytest.skip("TensorFlow is not installed")
    (label,) = interpreters([])
    assert re.fullmatch(r"tf\d+", label)
    with pytest.raises(InputError, match="it cannot be run"):
        interpreters([str(tmp_path / "python")])
    with pytest.raises(InputError, match="both have TensorFlow"):
        interpreters([sys.executable, sys.executable])
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named gradcheck' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(InputError, match=r"it has no working gradcheck .*No module named gradcheck"):
        interpreters([str(broken)])


def test_tallies(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("gradcheck.sweep.progress.time.monotonic", lambda: now[0])
    tally = Tally(total=20, done=4, failing=1)
    assert (tally.rate, tally.left) == (None, None)
    for number in range(6):
        now[0] += 10.0
        tally.add(ok=number > 0)
    assert (tally.done, tally.failing, tally.rate, tally.left) == (10, 2, 6.0, 100.0)
    now[0] += 60.0
    assert tally.rate == 3.0  # it falls while nothing comes
    assert [duration(s) for s in (None, 5, 125, 3723)] == ["-", "0:05", "2:05", "1:02:03"]


def test_the_view_shows_each_version_and_is_silent_without_a_terminal():
    screen = Console(file=io.StringIO(), force_terminal=True, width=70)
    tallies = {"tf28": Tally(4), "tf221": Tally(4, 1)}
    with View(tallies, console=screen, heading="Dask's dashboard: http://127.0.0.1:8787/status") as view:
        view.add("tf28", False, "module:a in xla, seed 0: MISMATCH")
        screen.print(view.table())
    text = screen.file.getvalue()
    assert "dashboard: http://127.0.0.1:8787" in text
    assert re.search(r"tf28\s+1 of 4", text)
    assert re.search(r"tf221\s+1 of 4", text)
    assert "last: module:a in xla, seed 0: MISMATCH" in text
    plain = Console(file=io.StringIO(), force_terminal=False)
    with View({"tf28": Tally(1)}, console=plain) as view:
        view.add("tf28", True, "x")
        view.say("text")
    assert plain.file.getvalue() == ""
