"""One worker process: started when there is work, kept from task to task, watched while it works."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradcheck.isolation.folders import OwnFolder, remove_abandoned
from gradcheck.isolation.limits import Limits, resident_bytes, size_text
from gradcheck.isolation.tasks import Death, Outcome, Task
from gradcheck.isolation.worker import EXAMPLE

__all__ = ["Worker"]

# Until its first batch a task loads TensorFlow and the subject, which a busy machine can make slow.
_SETUP_SECONDS = 300.0
# How long after a batch's time is up the worker may take to say where it hangs and end itself.
_GRACE = 3.0
_POLL, _SLOW_POLL = 0.05, 0.2
_STDERR_BYTES = 16_000
_STDERR_LINES = 60
# Not `-m`, which looks in the current folder before anywhere else: a user's random.py there would be Python's, and a
# checkout of gradcheck would stand in for the one that is installed.
_START = (
    "import sys; sys.path[:] = [*sys.argv[2:], *filter(None, sys.path), '']; "
    "from gradcheck.isolation.worker import main; main()"
)
# A core dump of a process of a gigabyte takes its time.
_DYING_SECONDS = 30.0


@functools.cache
def _remove_abandoned() -> None:
    """Once for each process."""
    remove_abandoned()


class Worker:
    """A worker process and what watches it. A context manager; `run` is called by one thread at a time.

    Args:
        limits: what the process may use.
        python: the interpreter; this one where None.
        folder: where it is started, and so what it can import; here where None.
    """

    def __init__(
        self, limits: Limits | None = None, python: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.python = python or sys.executable
        self.directory = folder
        self.started = 0  # processes so far
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._own: OwnFolder | None = None
        self._given = 0  # tasks that this process has been given
        self._buffer = b""
        self._stopped = False
        self._lock = threading.Lock()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def number(self) -> int:
        """The number of the process that the next task gets, counted from 1."""
        return self.started + (self._process is None or _ended(self._process))

    def run(
        self,
        task: Task,
        on_part: Callable[[str, Any], None] | None = None,
        *,
        batch_seconds: float | None = None,
    ) -> Outcome:
        """Run a task and wait for what becomes of it. A death is an outcome, not an exception.

        Args:
            task: what to run.
            on_part: called as ``on_part(name, value)`` with every part as it comes.
            batch_seconds: a limit for one batch, in place of that of `limits`.
        """
        begun = time.monotonic()
        parts: dict[str, Any] = {}
        try:
            process = self._start()
            fresh = self._given == 0
            self._given += 1
            allowed = self.limits.batch_seconds if batch_seconds is None else batch_seconds
            allowed = allowed if task.watched else None
            message, kind, example_seconds = self._converse(process, task, parts, on_part, allowed)
        except _StoppedError:
            return Outcome(task.key, parts=parts, death=Death("stopped", "the run was ended"))
        seconds = time.monotonic() - begun
        if message is None:
            return Outcome(task.key, parts=parts, death=self._death(kind, example_seconds, fresh), seconds=seconds)
        if self._swollen(process):
            self.discard()
        return Outcome(
            task.key,
            value=message.get("value"),
            parts=parts,
            error=message.get("error", ""),
            refusal=message.get("refusal", ""),
            seconds=seconds,
        )

    def stop(self) -> None:
        """End the process from another thread; a `run` in progress returns an outcome with a death, and so do later
        ones.
        """
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def discard(self) -> None:
        """End the process; the next task gets a fresh one."""
        with self._lock:
            process, self._process = self._process, None
            own, self._own = self._own, None
            self._folder = None
        if process is not None:
            _kill(process)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # flushing into a closed pipe
                        pipe.close()
        if own is not None:
            own.remove()
        self._buffer, self._given = b"", 0

    close = discard

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and not _ended(self._process):
            return self._process
        self.discard()  # it died while it had nothing to do
        _remove_abandoned()
        own_folder = OwnFolder()
        folder = own_folder.path
        # A worker must import what this process can: the gradcheck that started it, wherever that is, and the subject.
        # Another interpreter has packages of its own, for another Python; only the current folder is common.
        own = self.python == sys.executable
        roots = [str(Path(__file__).parents[2])] if own else []
        here = os.fspath(self.directory or os.getcwd())
        search_path = [here, *filter(None, sys.path)] if own else [here]
        with self._lock, open(folder / "stderr", "ab") as stderr:
            self._own, self._folder = own_folder, folder
            if self._stopped:
                raise _StoppedError
            self._process = subprocess.Popen(
                [self.python, "-c", _START, str(folder), *roots],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.directory,
                env={**os.environ, "TMPDIR": str(own_folder.temporary)},  # what it leaves there goes with the folder
                start_new_session=True,  # the terminal's Ctrl-C is for the parent; and its children die with it
            )
        self.started += 1
        self._write(self._process, {"path": search_path})
        return self._process

    def _write(self, process: subprocess.Popen[bytes], message: Any) -> None:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # dead already; reading will tell
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()

    def _converse(
        self,
        process: subprocess.Popen[bytes],
        task: Task,
        parts: dict[str, Any],
        on_part: Callable[[str, Any], None] | None,
        batch_seconds: float | None,
    ) -> tuple[dict[str, Any] | None, str, float]:
        """Send the task and read until its end.

        Returns:
            The last message, None where the process died; the limit that it exceeded, empty where it was none; how
            long the last batch took, in seconds.
        """
        assert process.stdout is not None
        assert self._folder is not None
        with contextlib.suppress(OSError):
            os.truncate(self._folder / "stderr", 0)  # what earlier tasks wrote says nothing of this one
        limits = self.limits
        self._write(
            process, {"function": task.function, "arguments": dict(task.arguments), "batch_seconds": batch_seconds}
        )
        begun = clock = time.monotonic()
        batch_limit = None if batch_seconds is None else max(batch_seconds, _SETUP_SECONDS)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                now = time.monotonic()
                over = ""
                if batch_limit is not None and now - clock > batch_limit + _GRACE:
                    over = "batch time"
                elif limits.task_seconds is not None and now - begun > limits.task_seconds:
                    over = "task time"
                elif limits.memory is not None and resident_bytes(process.pid) > limits.memory:
                    over = "memory"
                if over:
                    _kill(process)
                    return None, over, now - clock
                if not selector.select(_POLL if limits.memory is not None else _SLOW_POLL):
                    if not _ended(process):
                        continue
                    # Where a child of its own lives on, that keeps the pipe open.
                    data = os.read(process.stdout.fileno(), 1 << 16) if selector.select(0) else b""
                else:
                    data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    took = time.monotonic() - clock
                    late = batch_seconds is not None and batch_limit == batch_seconds <= took
                    return None, "batch time" if late else "", took
                *lines, self._buffer = (self._buffer + data).split(b"\n")
                for line in lines:
                    try:
                        message = json.loads(line)
                    except ValueError:  # something wrote into the pipe, so nothing in it can be trusted any more
                        _kill(process)
                        return None, "", 0.0
                    if "began" in message:
                        clock, batch_limit = time.monotonic(), batch_seconds
                    elif "part" in message:
                        parts[message["part"]] = message["value"]
                        if on_part is not None:
                            on_part(message["part"], message["value"])
                    else:
                        return message, "", 0.0

    def _death(self, kind: str, batch_seconds: float, fresh: bool) -> Death:
        process, folder = self._process, self._folder
        assert process is not None
        assert folder is not None
        deadline = time.monotonic() + _DYING_SECONDS
        while not _ended(process) and time.monotonic() < deadline:  # its own exit status, and not that of being killed
            time.sleep(0.01)
        _kill(process)
        code = process.wait()
        example: dict[str, Any] | None = None
        with contextlib.suppress(OSError, ValueError):
            example = json.loads((folder / EXAMPLE).read_text(encoding="utf-8"))
        stderr = _tail(folder / "stderr")
        self.discard()
        if self._stopped:
            return Death("stopped", "the run was ended", example=example, fresh=fresh)
        name = _signal_name(code) if code is not None and code < 0 else ""
        limits = self.limits
        if not kind and not name and any(line.startswith("Timeout (") for line in stderr):
            # Its own timer ended it, which on a busy machine may start earlier than ours.
            kind = "batch time"
        if kind == "batch time":
            text = f"the process did not come back within {batch_seconds:.0f} s and was stopped"
        elif kind == "task time":
            text = f"the task took longer than {limits.task_seconds:.0f} s and was stopped"
        elif kind == "memory":
            text = f"the process held more than {size_text(limits.memory or 0)} of memory and was stopped"
        elif name == "SIGKILL":
            kind = "signal"
            text = "the process was killed (SIGKILL), as the kernel does when memory runs out"
        elif name:
            kind, text = "signal", f"the process died ({name})"
        else:
            kind, text = "exit", f"the process ended itself (exit status {code})"
        return Death(kind, text, name if kind == "signal" else "", stderr, example, fresh)

    def _swollen(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether what earlier tasks left behind would count against the next one's limit."""
        return self.limits.memory is not None and resident_bytes(process.pid) > self.limits.memory / 2


class _StoppedError(Exception):
    """The worker was stopped before it began."""


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended. It is not reaped, so that its number stays that of its group."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and what it started. Does nothing once it was reaped: its number may be somebody else's."""
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def _signal_name(code: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _tail(path: Path) -> tuple[str, ...]:
    """The last lines of what a process wrote."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _STDERR_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return tuple(line for line in lines if line.strip())[-_STDERR_LINES:]
    return ()
