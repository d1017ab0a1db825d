"""Chunks on Dask.distributed: whatever dies there, every unit comes back with one record.

A worker that is killed is the scheduler's business: it gives the chunk to another. A scheduler that goes away takes all
chunks in flight along: they are given out again when it is back. A chunk that takes worker after worker along is given
out unit by unit, and a unit that still does so is a ``CRASH``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from typing import Any

from gradcheck.errors import InputError
from gradcheck.isolation import Limits
from gradcheck.isolation.searches import FUNCTIONS
from gradcheck.sweep.cutting import Chunk
from gradcheck.sweep.plan import Unit
from gradcheck.sweep.records import record_of_lost

__all__ = ["Cluster"]

_LABEL = re.compile(r"tf\d{2,3}")
# Chunks in flight for each worker's thread: enough that none waits, few enough that little is lost.
_AHEAD = 2
_POLL = 2.0
# Workers that were started together come one by one.
_SETTLING = 3.0


class Cluster:
    """A Dask cluster, as a place to run chunks. A context manager.

    Args:
        address: of the scheduler, such as ``tcp://10.0.0.1:8786``.
        wait: seconds to wait for the scheduler, and for a worker, to be there (again).

    Raises:
        InputError: where Dask.distributed is not installed, the scheduler does not answer, or no worker says which
            TensorFlow it has.
    """

    def __init__(self, address: str, *, wait: float = 300.0) -> None:
        try:
            import distributed
        except ImportError as error:
            raise InputError(
                f"--scheduler {address} needs Dask.distributed, which is not installed: "
                "pip install 'tf-gradcheck[distributed]'"
            ) from error
        self._distributed: Any = distributed
        self.address, self.wait = address, wait
        self._say: Callable[[str], None] = lambda text: None
        # Wakes who waits; what happened is the future's status.
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._client: Any = None
        try:
            self._client = self._connect(min(wait, 30.0))
        except (OSError, ValueError) as error:
            raise InputError(f"--scheduler {address}: no scheduler answers there ({error})") from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster as it is."""
        if self._client is not None:
            self._client.close(timeout=5)
            self._client = None

    def on_event(self, say: Callable[[str], None]) -> None:
        """Have ``say(text)`` called when something happens that a user should know of."""
        self._say = say

    @property
    def dashboard(self) -> str:
        """Address of Dask's dashboard; empty where there is none."""
        try:
            return str(self._client.dashboard_link or "")
        except Exception:  # where it is, is not worth an error
            return ""

    def _connect(self, timeout: float) -> Any:
        # asynchronous=False; a client of its own, so that one that the user has is left alone.
        return self._distributed.Client(self.address, timeout=timeout, set_as_default=False, name="gradcheck-sweep")

    def workers(self) -> dict[str, int]:
        """How many chunks the workers that are there run at a time, by the TensorFlow that they offer as a resource."""
        found: Counter[str] = Counter()
        for worker in self._client.scheduler_info(n_workers=-1)["workers"].values():
            for label, amount in (worker.get("resources") or {}).items():
                if _LABEL.fullmatch(label):
                    found[label] += min(int(amount), int(worker["nthreads"]))
        return dict(found)

    def versions(self, wanted: Sequence[str] = ()) -> dict[str, int]:
        """As `workers`, waiting until there is one for every version that is wanted, or any at all.

        Raises:
            InputError: where there is none in time.
        """
        deadline = time.monotonic() + self.wait
        before: dict[str, int] = {}
        settled = time.monotonic()
        while True:
            there = self.workers()
            if there != before:
                before, settled = there, time.monotonic()
            missing = [label for label in wanted if label not in there]
            if there and not missing and (wanted or time.monotonic() - settled > _SETTLING):
                return {label: there[label] for label in wanted or sorted(there)}
            if time.monotonic() > deadline:
                what = f"{' and '.join(missing)}" if missing else "a TensorFlow"
                raise InputError(
                    f"--scheduler {self.address}: no worker offers {what}"
                    + (f" (there is {', '.join(sorted(there))})" if there else "")
                    + ". Start workers with the TensorFlow that they have as a resource: dask worker "
                    f"{self.address} --nthreads 1 --resources '{missing[0] if missing else 'tf221'}=1'"
                )
            time.sleep(0.5)

    def run(
        self, chunks: Sequence[Chunk], *, limits: Limits | None = None, functions: tuple[str, str] = FUNCTIONS
    ) -> Generator[dict[str, Any], None, None]:
        """Run chunks and give the record of each unit as it is ready. Closing cancels what is in flight."""
        waiting = deque(chunks)
        flight: dict[Any, Chunk] = {}
        lost: Counter[str] = Counter()  # how often a chunk took its workers along, by its first unit
        limits = limits or Limits()
        try:
            while (waiting or flight) and self._client is not None:
                try:
                    room = _AHEAD * max(sum(self.workers().values()), 1)
                    while waiting and len(flight) < room:
                        chunk = waiting.popleft()
                        flight[self._submit(chunk, limits, functions)] = chunk
                    ready = self._ready(list(flight))
                except self._lost():
                    waiting.extendleft(reversed(list(flight.values())))
                    flight.clear()
                    self._reconnect()
                    continue
                for future in ready:
                    chunk = flight.pop(future)
                    outcome = self._outcome(future)
                    if outcome is None:  # went with the scheduler
                        waiting.appendleft(chunk)
                    elif isinstance(outcome, list):
                        yield from outcome
                    elif type(outcome).__name__ == "KilledWorker":
                        yield from self._killed(chunk, outcome, lost, waiting)
                    elif isinstance(outcome, InputError):
                        raise outcome
                    else:
                        raise RuntimeError(f"gradcheck failed on a worker of the cluster: {outcome!r}") from outcome
        finally:
            if flight and self._client is not None and self._client.status == "running":
                with contextlib.suppress(Exception):  # of a connection that is gone
                    self._client.cancel(list(flight), force=True)

    def _submit(self, chunk: Chunk, limits: Limits, functions: tuple[str, str]) -> Any:
        from gradcheck.sweep.remote import run_chunk

        payload = json.dumps(
            {
                "version": chunk.version,
                "units": [{"dtype": unit.dtype, "task": unit.task.to_dict()} for unit in chunk.units],
                "limits": limits.to_dict(),
                "functions": list(functions),
                "folder": os.getcwd(),
            }
        )
        name = f"{chunk.units[0].task.name} {chunk.version}-{uuid.uuid4().hex[:8]}"
        future = self._client.submit(run_chunk, payload, key=name, resources={chunk.version: 1}, pure=False)
        future.add_done_callback(self._done.put)
        return future

    def _ready(self, futures: list[Any]) -> list[Any]:
        """Those that are done, in whatever way; waits a while for the first."""
        ready = [future for future in futures if future.status != "pending"]
        if ready or not futures:
            return ready
        with contextlib.suppress(queue.Empty):
            self._done.get(timeout=_POLL)
        ready = [future for future in futures if future.status != "pending"]
        if not ready and self._client is not None and self._client.status not in ("running", "connecting"):
            raise OSError("the scheduler has gone")
        return ready

    def _outcome(self, future: Any) -> list[dict[str, Any]] | BaseException | None:
        if future.status == "finished":
            try:
                records: list[dict[str, Any]] = json.loads(future.result(timeout=60))
                return records
            except self._lost():
                return None
        if future.status in ("cancelled", "lost"):
            return None
        error: BaseException = future.exception(timeout=60)
        return error

    def _killed(
        self, chunk: Chunk, error: BaseException, lost: Counter[str], waiting: deque[Chunk]
    ) -> Generator[dict[str, Any], None, None]:
        """A chunk took every worker along that it was given to."""
        if len(chunk.units) > 1:
            self._say(f"a chunk of {len(chunk.units)} searches took its workers along; they are tried one by one")
            share = chunk.seconds / len(chunk.units)
            waiting.extend(Chunk((unit,), share) for unit in chunk.units)
            return
        unit: Unit = chunk.units[0]
        lost[unit.key] += 1
        if lost[unit.key] < 2:
            waiting.append(chunk)
            return
        yield record_of_lost(unit, f"every worker of the cluster that was given it died ({error})")

    def _lost(self) -> tuple[type[BaseException], ...]:
        """What is raised where the scheduler has gone."""
        from distributed.comm.core import CommClosedError

        return (
            OSError,
            TimeoutError,
            CommClosedError,
            self._distributed.CancelledError,
            self._distributed.TimeoutError,
        )

    def _reconnect(self) -> None:
        self._say(
            f"the scheduler at {self.address} does not answer; what was in flight is given out again when it does"
        )
        with contextlib.suppress(Exception):  # of a connection that is gone
            self._client.close(timeout=1)
        deadline = time.monotonic() + self.wait
        while True:
            try:
                self._client = self._connect(5.0)
                self._say("the scheduler is back")
                return
            except (OSError, ValueError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise InputError(
                        f"--scheduler {self.address}: the scheduler went away and did not come back within "
                        f"{self.wait:.0f} s ({error}). The same command goes on where this stopped"
                    ) from error
                time.sleep(0.5)
