"""What a worker of a cluster runs: one chunk, in an isolated process of its own that is kept for the next one.

Arguments and result are JSON texts, so that client and workers need not have the same Python, NumPy or TensorFlow.
"""

from __future__ import annotations

import json
import os
import threading

from gradcheck.errors import InputError
from gradcheck.isolation import Limits, Pool
from gradcheck.isolation.environment import installed_versions, version_label
from gradcheck.isolation.searches import SearchTask, run_searches
from gradcheck.sweep.plan import Unit
from gradcheck.sweep.records import record_of

__all__ = ["run_chunk"]

_kept = threading.local()  # a worker's threads each have a process


def run_chunk(payload: str) -> str:
    """Search the units of a chunk, and give their records.

    Raises:
        InputError: where this worker has another TensorFlow than the chunk is for.
    """
    chunk = json.loads(payload)
    label = version_label(installed_versions()["tensorflow"])
    if label != chunk["version"]:
        has = f"has {label}: start it with --resources '{label}=…'" if label != "tf" else "has no TensorFlow"
        raise InputError(f"a worker of the cluster offers {chunk['version']}, and {has}")
    units = [Unit(chunk["version"], unit["dtype"], SearchTask.from_dict(unit["task"])) for unit in chunk["units"]]
    tasks = {unit.task.key: unit for unit in units}
    name, threads = _whoami()
    limits = Limits.from_dict(chunk["limits"]).shared_by(threads)
    functions = (chunk["functions"][0], chunk["functions"][1])
    outcomes = run_searches([unit.task for unit in units], pool=_pool(limits, chunk["folder"]), functions=functions)
    return json.dumps([record_of(tasks[outcome.task.key], outcome, name) for outcome in outcomes])


def _pool(limits: Limits, folder: str) -> Pool:
    kept: tuple[Pool, Limits, str] | None = getattr(_kept, "pool", None)
    if kept is not None and kept[1:] == (limits, folder):
        return kept[0]
    if kept is not None:
        kept[0].close()
    # Subjects may be files of the folder where the sweep was started, where workers have it, too. The process of the
    # pool sees when this one has gone, and goes, too.
    pool = Pool(1, limits=limits, folder=folder if os.path.isdir(folder) else None)
    _kept.pool = (pool, limits, folder)
    return pool


def _whoami() -> tuple[str, int]:
    """The worker's address and how many chunks it runs at a time."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:  # not in a worker
        return f"process {os.getpid()}", 1
    return str(worker.address), int(worker.state.nthreads)
