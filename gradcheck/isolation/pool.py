"""Several workers: tasks go to whoever is free, outcomes come as they are ready, a journal keeps them."""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from gradcheck.errors import InputError
from gradcheck.isolation.journal import Journal
from gradcheck.isolation.limits import Limits
from gradcheck.isolation.process import Worker
from gradcheck.isolation.tasks import Outcome, Task

__all__ = ["Pool", "PoolClosedError", "default_workers", "run_tasks"]

# TensorFlow takes 0.5 GiB a process.
_MOST_WORKERS = 32


def default_workers() -> int:
    """One worker for each processor that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST_WORKERS)


class Pool:
    """Worker processes that are kept from task to task. A context manager; leaving it ends them all.

    Args:
        workers: how many; one for each processor where None.
        limits: what each may use.
        journal: outcomes are written to it, and a task that it knows is not run again.
        python: the workers' interpreter; this one where None.
        folder: where they are started; here where None.
        on_part: called as ``on_part(task, name, value)`` with the parts that tasks send, from several threads.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        limits: Limits | None = None,
        journal: Journal | None = None,
        python: str | None = None,
        folder: str | os.PathLike[str] | None = None,
        on_part: Callable[[Task, str, Any], None] | None = None,
    ) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise InputError(f"workers must be a whole number of at least 1; got {workers!r}")
        self.size = workers or default_workers()
        self.limits, self.journal = limits or Limits(), journal
        self._python, self._folder, self.on_part = python, folder, on_part
        self._pending = _Pending()
        self._outcomes: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._open: set[str] = set()  # tasks that were given and whose outcome was not yet taken
        self._hands: list[_Hand] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def submit(self, *tasks: Task) -> None:
        """Add tasks. A task whose key is being worked on already is not added again."""
        for task in tasks:
            if task.key in self._open:
                continue
            self._open.add(task.key)
            known = self.journal.get(task.key) if self.journal is not None else None
            if known is not None:
                self._outcomes.put(Outcome.from_dict(known))
            else:
                self._pending.put(task)
        while len(self._hands) < min(self.size, len(self._pending) + sum(hand.busy for hand in self._hands)):
            self._hands.append(_Hand(self))
            self._hands[-1].start()

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of all tasks, as they are ready; tasks may be added meanwhile.

        In the journal, if there is one, an outcome stands before it is given here.
        """
        while self._open:
            outcome = self._outcomes.get()
            if isinstance(outcome, BaseException):
                raise outcome
            self._open.discard(outcome.key)
            yield outcome

    def close(self) -> None:
        """End the workers, whatever they are doing, and wait until they are gone."""
        self._pending.close()
        hands, self._hands = self._hands, []
        for hand in hands:
            hand.worker.stop()
        for hand in hands:
            hand.join()
        self._outcomes.put(PoolClosedError("the workers were ended"))  # whoever waits in another thread


class PoolClosedError(RuntimeError):
    """The pool was closed while somebody waited for outcomes."""


class _Pending:
    """Tasks that nobody has taken yet, by group."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, deque[Task]] = OrderedDict()
        self._taken: dict[str, int] = {}  # how many workers are at a group
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._groups.values()))

    def put(self, task: Task) -> None:
        with self._changed:
            self._groups.setdefault(task.group, deque()).append(task)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._groups.clear()
            self._changed.notify_all()

    def take(self, last: str | None) -> Task | None:
        """The next task for a worker whose last one was of group ``last``; None when there will be none any more.

        First of the same group, else of one that nobody is at, else of the one with most left to do.
        """
        with self._changed:
            if last is not None:
                self._taken[last] = self._taken.get(last, 1) - 1
            while not self._groups:
                if self._closed:
                    return None
                self._changed.wait()
            group = last if last is not None and last in self._groups else None
            if group is None:
                free = (name for name in self._groups if not self._taken.get(name))
                group = next(free, None)
            if group is None:
                group = max(self._groups, key=lambda name: len(self._groups[name]))
            tasks = self._groups[group]
            task = tasks.popleft()
            if not tasks:
                del self._groups[group]
            self._taken[group] = self._taken.get(group, 0) + 1
            return task


class _Hand(threading.Thread):
    """A thread that owns one worker and feeds it tasks."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(name="gradcheck-hand", daemon=True)
        self.pool = pool
        self.worker = Worker(pool.limits, pool._python, pool._folder)
        self.busy = True

    def run(self) -> None:
        pool = self.pool
        last: str | None = None
        try:
            while True:
                self.busy = False
                task = pool._pending.take(last)
                if task is None:
                    break
                self.busy = True
                last = task.group
                outcome = self.worker.run(task, self._part(task))
                if outcome.death is not None and outcome.death.kind == "stopped":
                    break
                if pool.journal is not None and not outcome.error:  # a task that raised may be tried again
                    pool.journal.record(task.key, outcome.to_dict())
                pool._outcomes.put(outcome)
        except BaseException as error:  # a full disk, say: whoever waits for outcomes must learn of it
            pool._outcomes.put(error)
        finally:
            self.worker.close()

    def _part(self, task: Task) -> Callable[[str, Any], None] | None:
        on_part = self.pool.on_part
        return None if on_part is None else lambda name, value: on_part(task, name, value)


def run_tasks(
    tasks: Iterable[Task],
    workers: int | None = None,
    *,
    limits: Limits | None = None,
    journal: Journal | None = None,
) -> Generator[Outcome, None, None]:
    """Run tasks in worker processes and give each outcome as it comes.

    Closing the generator ends the workers. A task whose worker died is not repeated.
    """
    with Pool(workers, limits=limits, journal=journal) as pool:
        pool.submit(*tasks)
        yield from pool.outcomes()
