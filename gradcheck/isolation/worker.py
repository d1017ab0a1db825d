"""The worker process: `main`, started with a folder as its argument, takes tasks from standard input, one a line.

It is started by `gradcheck.isolation.process` and by nobody else. What is in progress is in ``FOLDER/example.json``
before it runs, so that it is known whatever happens to this process.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from gradcheck.errors import InputError, MissingTensorFlowError
from gradcheck.support.files import write_json

__all__ = ["EXAMPLE", "Channel", "main"]

EXAMPLE = "example.json"


class Channel:
    """How a task speaks while it runs."""

    def __init__(self, stream: TextIO, folder: Path, batch_seconds: float | None) -> None:
        self._stream, self._folder, self._batch_seconds = stream, folder, batch_seconds
        self._example: Mapping[str, Any] = {}

    def begin(self, example: Mapping[str, Any]) -> None:
        """Say what is tried next (JSON-safe), and start the clock of one batch.

        It is on disk when this returns: what kills the process, from inside or outside, does not take it along.
        """
        self._example = example
        write_json(self._folder / EXAMPLE, example)
        if self._batch_seconds is not None:
            # From a thread of the C library: it works where the interpreter itself hangs, or the parent is gone, and
            # leaves on stderr where it hung.
            faulthandler.dump_traceback_later(self._batch_seconds, exit=True)
        self._send(began=True)

    def calls_with(self, code: str) -> None:
        """Say what the subject is called with next, where that is not what is tried: it is compared with others."""
        also = {} if code == self._example.get("code") else {"call": code}
        write_json(self._folder / EXAMPLE, {**self._example, **also})

    def part(self, name: str, value: Any) -> None:
        """Send a part of the result that is worth having should the rest not come to an end."""
        self._send(part=name, value=value)

    def answer(self, **message: Any) -> None:
        """Send the end of a task."""
        faulthandler.cancel_dump_traceback_later()
        with contextlib.suppress(OSError):
            (self._folder / EXAMPLE).unlink()
        self._send(**message)

    def _send(self, **message: Any) -> None:
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()


def main() -> None:
    """Answer tasks until standard input ends."""
    # Whatever else writes to standard output (TensorFlow does) must not end up between the lines.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.enable(all_threads=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to deal with
    with contextlib.suppress(OSError):  # where memory runs out, the kernel should choose a worker and not its parent
        Path("/proc/self/oom_score_adj").write_text("800")
    _leave_with_parent()
    setup = json.loads(sys.stdin.readline() or "{}")
    sys.path[:] = [*setup.get("path", []), *(entry for entry in sys.path if entry not in setup.get("path", []))]
    for line in sys.stdin:
        task = json.loads(line)
        channel = Channel(stream, Path(sys.argv[1]), task["batch_seconds"])
        try:
            value = _function(task["function"])(task["arguments"], channel)
            json.dumps(value)
        except Exception as error:  # the parent must learn of it, and the next task may still work
            refusal = str(error) if isinstance(error, (InputError, MissingTensorFlowError)) else ""
            channel.answer(error=traceback.format_exc(), refusal=refusal)
        else:
            channel.answer(value=value)


def _function(name: str) -> Callable[[Mapping[str, Any], Channel], Any]:
    module, _, attribute = name.partition(":")
    found: Callable[[Mapping[str, Any], Channel], Any] = getattr(importlib.import_module(module), attribute)
    return found


def _leave_with_parent() -> None:
    """End this process when its parent has gone, also in the middle of a task."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="gradcheck-parent", daemon=True).start()
