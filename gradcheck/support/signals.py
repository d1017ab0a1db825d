"""SIGTERM as Ctrl-C: what was found until then is kept, processes are ended, and the exit status says which it was."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["TERMINATED", "end_if_told", "ending_on_sigterm"]

# What a shell makes of a process that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM
_INTERRUPTED = 128 + signal.SIGINT

# So long after it was lost a signal is sent again, in seconds.
_AGAIN = 0.02


# Whether SIGTERM came; there is one main thread.
_told = False


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
    global _told
    _told = False

    def end(number: int, frame: FrameType | None) -> None:
        global _told
        _told = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise _Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        with _nothing_lost(lambda: signal.signal(signal.SIGTERM, end)):
            yield
    except _Terminated:
        raise SystemExit(TERMINATED) from None
    except SystemExit as leaving:
        if _told and leaving.code == _INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        _told = False
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_if_told() -> None:
    """Raise again what SIGTERM raised, where somebody's code caught it and went on; for between two steps of work.

    Raises:
        KeyboardInterrupt: SIGTERM came inside of `ending_on_sigterm`.
    """
    if _told:
        raise _Terminated


@contextlib.contextmanager
def _nothing_lost(listen: Callable[[], Any]) -> Iterator[None]:
    """Inside the block a signal's exception that Python ignores is raised again.

    A handler runs wherever the main thread is, and in a ``__del__`` or a callback of the garbage collector (Hypothesis
    has one) what it raises goes no further. Collecting is a few per cent of what a search does.

    Args:
        listen: has SIGTERM raise its exception once more.
    """
    before = sys.unraisablehook

    def ignored(what: Any) -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            before(what)
            return
        number = signal.SIGINT
        if issubclass(what.exc_type, _Terminated):
            number = signal.SIGTERM
            listen()
        # From another thread, later: here it would be ignored once more.
        timer = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = ignored
    try:
        yield
    finally:
        sys.unraisablehook = before
