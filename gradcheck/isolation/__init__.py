"""Work in worker processes that may abort, hang or eat the memory without taking the run with them.

- `Worker`: one process, kept from task to task, watched for time and memory (`Limits`).
- `Pool`, `run_tasks`: several of them.
- `Journal`: what came to an end, on disk; a run that is killed goes on where it was.
- `gradcheck.isolation.searches`: searches as tasks, with the verdict ``CRASH`` where a process died.
- `gradcheck.isolation.checks`: `gradcheck.check` in another process, which is how a crash is confirmed and shrunk.
- `gradcheck.isolation.replays`: cases replayed in another process.
"""

from __future__ import annotations

from gradcheck.isolation.journal import Journal, read_journal
from gradcheck.isolation.limits import Limits, available_memory
from gradcheck.isolation.pool import Pool, default_workers, run_tasks
from gradcheck.isolation.process import Worker
from gradcheck.isolation.tasks import Death, Outcome, Task, key_of

__all__ = [
    "Death",
    "Journal",
    "Limits",
    "Outcome",
    "Pool",
    "Task",
    "Worker",
    "available_memory",
    "default_workers",
    "key_of",
    "read_journal",
    "run_tasks",
]
