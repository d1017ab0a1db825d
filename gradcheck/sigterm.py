"""SIGTERM as Ctrl-C: what was found until then is kept, processes are ended, and the exit status says which it was."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["TERMINATED", "ending_on_sigterm"]

# What a shell makes of a process that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT


class _Terminated(KeyboardInterrupt):
    """No SystemExit: Hypothesis would take that for one more way in which an example fails, and shrink it."""


@contextlib.contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Inside the block SIGTERM is a KeyboardInterrupt, and ends the program with exit status 143 in the end.

    So whatever keeps, prints and cleans up on Ctrl-C does so here as well. A second SIGTERM ends the process at once.
    Does nothing outside the main thread, or where the program has a handler of its own.

    Raises:
        SystemExit: at the end of the block, with status 143, where the signal came and the block was left by the
            KeyboardInterrupt or by a ``sys.exit`` with the status of an interruption, 130.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    came = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _Terminated:
        raise SystemExit(TERMINATED) from None
    except SystemExit as leaving:
        if came and leaving.code == _INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
