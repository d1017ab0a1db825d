"""Searches of variants in worker processes: a variant that kills its process does not take the run with it.

Some do: TensorFlow 2.8 aborts where XLA compiles ``map_fn_rows`` for a batch of one row and one step. Workers
also let two searches run side by side. A worker is ``python -m gradcheck.variants.worker``; jobs and answers
are lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Answer", "Job", "run_jobs"]

# A search of one variant takes seconds; XLA has been seen to need half a minute for one program on a busy
# machine.
_SECONDS = 600.0


@dataclass(frozen=True)
class Job:
    """One search: a variant by name, modes, how many batches, the seed, and the verdicts expected by mode."""

    variant: str
    modes: tuple[str, ...]
    max_examples: int
    seed: int
    expect: dict[str, list[str]]

    def to_line(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Job:
        """Inverse of `to_line`."""
        data = json.loads(line)
        return cls(**{**data, "modes": tuple(data["modes"])})


@dataclass(frozen=True)
class Answer:
    """What became of a job.

    Attributes:
        job: the job.
        modes: for each mode ``{"result": …, "counterexample": …, "script": …}``; None where the worker died
            or was stopped.
        death: how the worker died; empty where it did not.
        drawn: the batch in progress when it died, as code.
        error: traceback of an error of the harness itself; empty where there was none.
    """

    job: Job
    modes: dict[str, dict[str, Any]] | None
    death: str = ""
    drawn: str = ""
    error: str = ""


def run_jobs(jobs: Sequence[Job], workers: int) -> Generator[Answer, None, None]:
    """Run jobs in worker processes and yield each answer as it comes.

    Closing the iterator stops the workers. A job whose worker died is not repeated.
    """
    pending: queue.SimpleQueue[Job] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    for job in jobs:
        pending.put(job)
    hands = [_Hand(pending, answers) for _ in range(min(workers, len(jobs)))]
    try:
        for hand in hands:
            hand.start()
        for _ in jobs:
            yield answers.get()
    finally:
        for hand in hands:
            hand.stop()


class _Hand(threading.Thread):
    """A thread that owns one worker process at a time and feeds it jobs."""

    def __init__(self, pending: queue.SimpleQueue[Job], answers: queue.SimpleQueue[Answer]) -> None:
        super().__init__(daemon=True)
        self._pending, self._answers = pending, answers
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self) -> None:
        try:
            while not self._stopped:
                try:
                    job = self._pending.get_nowait()
                except queue.Empty:
                    break
                self._answers.put(self._answer(job))
        finally:
            self._discard()

    def stop(self) -> None:
        """End the worker, whatever it is doing, and wait for the thread to clear up behind it."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()
        if self.is_alive():
            self.join()

    def _discard(self) -> int:
        """Kill the worker if it lives, close its pipes; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # flushing into a closed pipe
                    pipe.close()
        return code

    def _answer(self, job: Job) -> Answer:
        if self._process is None:
            self._process = _start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(_SECONDS, expire)
        timer.start()
        drawn = ""
        try:
            process.stdin.write(job.to_line())
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "drawn" in message:
                    drawn = message["drawn"]
                    continue
                return Answer(job, message.get("modes"), error=message.get("error", ""))
        except (BrokenPipeError, json.JSONDecodeError):
            pass  # it died before it took the job, or in the middle of a line
        finally:
            timer.cancel()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)  # its own exit status, and not that of being killed
        died = f"the process died ({_cause(self._discard())})"
        death = f"no answer within {_SECONDS:.0f} s" if expired.is_set() else died
        return Answer(job, None, death, drawn)


def _cause(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _start() -> subprocess.Popen[str]:
    # A worker must import the gradcheck that started it, wherever that is.
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "gradcheck.variants.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # TensorFlow's warnings about what the variants do wrong on purpose would drown the result.
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def send(channel: TextIO, **message: Any) -> None:
    """One line from a worker."""
    channel.write(json.dumps(message) + "\n")
    channel.flush()
