"""Chunks on the processors of this machine, under one interpreter or several."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcheck.errors import InputError, shown
from gradcheck.isolation import Limits, Pool, default_workers
from gradcheck.isolation.environment import installed_versions, version_label
from gradcheck.isolation.pool import PoolClosedError
from gradcheck.isolation.searches import FUNCTIONS, SearchTask, run_searches
from gradcheck.sweep.cutting import Chunk
from gradcheck.sweep.plan import Unit
from gradcheck.sweep.records import record_of

__all__ = ["interpreters", "run_local", "tasks_of", "workers_for"]

_ASK = (
    "import json; from gradcheck.isolation.environment import installed_versions; "
    "print(json.dumps(dict(installed_versions())))"
)


def interpreters(pythons: Sequence[str]) -> dict[str, str]:
    """The interpreters by the label of the TensorFlow that each has; this one where none is given.

    Raises:
        InputError: where one cannot be run, has no gradcheck or no TensorFlow, or two have the same one.
    """
    found: dict[str, str] = {}
    for python in pythons or [sys.executable]:
        tensorflow = installed_versions()["tensorflow"] if python == sys.executable else _ask(python)
        if not tensorflow:
            raise InputError(
                f"{python} has no TensorFlow; install it there, or name others with --python: "
                "pip install 'tf-gradcheck[tensorflow]'"
            )
        label = version_label(tensorflow)
        if label in found:
            raise InputError(f"{found[label]} and {python} both have TensorFlow {tensorflow}; leave one of them out")
        found[label] = python
    return found


def _ask(python: str) -> str:
    """The version of TensorFlow that another interpreter has; empty where it has none."""
    try:
        done = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"--python {python}: it cannot be run ({error})") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise InputError(f"--python {python}: it has no working gradcheck ({last[0]}); install tf-gradcheck there")
    try:
        return str(json.loads(done.stdout)["tensorflow"])
    except (ValueError, LookupError, TypeError) as error:
        said = shown(done.stdout.strip(), 60)
        raise InputError(
            f"--python {python}: it is no Python, for asked about its TensorFlow it said {said}. "
            "Give the path of an interpreter"
        ) from error


def workers_for(versions: Sequence[str], workers: int | None) -> dict[str, int]:
    """How many of the workers each version gets, one at least."""
    total = workers or default_workers()
    share, more = divmod(total, len(versions))
    return {version: max(1, share + (number < more)) for number, version in enumerate(versions)}


def run_local(
    chunks: Sequence[Chunk],
    pythons: Mapping[str, str],
    workers: Mapping[str, int],
    *,
    limits: Limits | None = None,
    functions: tuple[str, str] = FUNCTIONS,
) -> Generator[dict[str, Any], None, None]:
    """Run chunks in isolated workers and give the record of each unit as it is ready; closing ends the workers.

    Args:
        chunks: what to do, in order.
        pythons: the interpreter of each version.
        workers: how many of each version.
        limits: what a worker may use. Where no memory limit is given, its share of 0.8 of the machine's.
        functions: as `run_searches` takes them.
    """
    limits = (limits or Limits()).shared_by(sum(workers[version] for version in pythons))
    records: queue.SimpleQueue[dict[str, Any] | BaseException] = queue.SimpleQueue()
    pools = {version: Pool(workers[version], limits=limits, python=python) for version, python in pythons.items()}

    def work(version: str) -> None:
        tasks = tasks_of(chunks, version)
        units = {task.key: unit for task, unit in tasks}
        try:
            for outcome in run_searches([task for task, _ in tasks], pool=pools[version], functions=functions):
                records.put(record_of(units[outcome.task.key], outcome, f"{os.uname().nodename} {version}"))
        except PoolClosedError:
            pass
        except BaseException as error:  # for whoever takes the records
            records.put(error)

    threads = [threading.Thread(target=work, args=(version,), daemon=True) for version in pythons]
    try:
        for thread in threads:
            thread.start()
        for _ in range(sum(len(chunk.units) for chunk in chunks)):
            record = records.get()
            if isinstance(record, BaseException):
                raise record
            yield record
    finally:
        for pool in pools.values():
            pool.close()
        for thread in threads:
            thread.join()


def tasks_of(chunks: Sequence[Chunk], version: str) -> list[tuple[SearchTask, Unit]]:
    """The searches of one version, each chunk a group that stays with one worker, with the units that they are of."""
    return [
        (replace(unit.task, group=f"chunk {number}"), unit)
        for number, chunk in enumerate(chunks)
        if chunk.version == version
        for unit in chunk.units
    ]
