"""A local cluster of real processes, with a stand-in for the search: whatever is killed, each unit has one result."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from gradcheck.errors import InputError
from gradcheck.isolation.environment import installed_versions, version_label
from gradcheck.sweep.cluster import Cluster
from gradcheck.sweep.run import sweep
from gradcheck.sweep.store import Store

pytest.importorskip("distributed")

HERE = Path(__file__).parent
FUNCTIONS = ("sweep_functions:search", "sweep_functions:search_carefully")
LABEL = version_label(installed_versions()["tensorflow"])


class LocalCluster:
    """A scheduler and workers as processes. Workers are started again when they end, as a real deployment does."""

    def __init__(self, port: int, folder: Path, workers: int, seconds: float) -> None:
        self.address, self.port, self.folder = f"tcp://127.0.0.1:{port}", port, folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE / "functions"), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "SWEEP_TEST_LOG": str(folder / "log"),
            "SWEEP_TEST_SECONDS": str(seconds),
        }
        self.closing = False
        self.scheduler = self.start_scheduler()
        self.workers = [self.start_worker() for _ in range(workers)]
        self.keeper = threading.Thread(target=self.keep, daemon=True)
        self.keeper.start()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.folder / "cluster.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self.start("dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start(
            *("dask_worker", self.address, "--nthreads", "1", "--resources", f"{LABEL}=1", "--no-dashboard"),
            *("--no-nanny", "--death-timeout", "20", "--local-directory", str(self.folder)),
        )

    def keep(self) -> None:
        while not self.closing:
            for number, worker in enumerate(self.workers):
                if worker.poll() is not None and not self.closing:
                    self.workers[number] = self.start_worker()
            time.sleep(0.1)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(120)

    def close(self) -> None:
        self.closing = True
        self.keeper.join()
        for process in [*self.workers, self.scheduler]:
            self.kill(process)


@pytest.fixture
def cluster(tmp_path, free_port):
    made = []

    def make(workers=2, seconds=0.2):
        made.append(LocalCluster(free_port, tmp_path, workers, seconds))
        return made[0]

    yield make
    for one in made:
        one.close()


def test_a_worker_killed_and_the_scheduler_restarted_in_the_middle(cluster, plan, tmp_path):
    processes = cluster()
    units = plan("a", "b", "dies", versions=[LABEL], seeds=range(4))
    place = str(tmp_path / "s.db")
    killed = []

    def disturb():
        with Store(place) as store:

            def done():
                name = store.latest()
                return len(store.done(name)) if name else 0

            wait(lambda: done() >= 1)
            killed.append(done())
            processes.kill(processes.workers[0])
            wait(lambda: done() >= 6)
            killed.append(done())
            processes.kill(processes.scheduler)
            time.sleep(1.0)
            processes.scheduler = processes.start_scheduler()

    def wait(condition):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    disturbing = threading.Thread(target=disturb, daemon=True)
    with Store(place) as store, Cluster(processes.address, wait=90) as there:
        workers = there.versions([LABEL])
        disturbing.start()
        result = sweep(units, store, workers=workers, cluster=there, functions=FUNCTIONS, quiet=True)
        disturbing.join(10)
        rows = list(store.results(result.sweep))
    assert len(killed) == 2, "the sweep was over before it was disturbed"
    assert killed[-1] < len(units)
    assert len(rows) == len({row["unit"] for row in rows}) == len(units) == 24
    assert {row["unit"] for row in rows} == {unit.key for unit in units}
    assert Counter((row["subject"], row["verdict"]) for row in rows) == {
        ("module:a", "PASS"): 8,
        ("module:b", "PASS"): 8,
        ("module:dies", "CRASH"): 8,
    }


def test_isolated_processes_go_with_their_worker(cluster, plan, tmp_path):
    processes = cluster(workers=1, seconds=60)
    units = plan("a", versions=[LABEL], modes=["eager"], seeds=[0])
    from gradcheck.sweep.cutting import Costs, cut

    with Cluster(processes.address, wait=60) as there:
        there.versions([LABEL])
        records = there.run(cut(units, Costs(), {LABEL: 1}), functions=FUNCTIONS)

        def take() -> None:
            with contextlib.suppress(Exception):  # the cluster is gone by then
                next(records, None)

        threading.Thread(target=take, daemon=True).start()
        deadline = time.monotonic() + 60
        while not (tmp_path / "log").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        pid = int((tmp_path / "log").read_text().split()[0])
        processes.closing = True
        processes.kill(processes.workers[0])
        deadline = time.monotonic() + 20
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "the isolated process outlived its worker"
            time.sleep(0.1)


def test_a_worker_that_offers_what_it_has_not_is_named(plan):
    import json

    from gradcheck.sweep.remote import run_chunk

    (unit,) = plan("a", versions=["tf99"], modes=["eager"], seeds=[0])
    with pytest.raises(InputError, match=rf"a worker of the cluster offers tf99, and has {LABEL}: start it with"):
        run_chunk(json.dumps({"version": unit.version, "units": []}))


def test_no_scheduler(free_port):
    with pytest.raises(InputError, match="no scheduler answers there"):
        Cluster(f"tcp://127.0.0.1:{free_port}", wait=2.0)


def test_no_worker_for_a_version(cluster):
    processes = cluster(workers=1)
    with Cluster(processes.address, wait=60) as there:
        assert there.versions() == {LABEL: 1}
        there.wait = 0.5
        with pytest.raises(InputError, match=rf"no worker offers tf99 \(there is {LABEL}\). Start workers with"):
            there.versions([LABEL, "tf99"])
