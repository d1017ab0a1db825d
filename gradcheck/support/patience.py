"""A call of a subject that takes far too long is given up: a search must end, also where nothing is isolated.

What Python runs is interrupted by an exception, what TensorFlow's executor runs is cancelled. A program that XLA has
compiled is neither; only the end of its process ends it (`gradcheck.isolation`).
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Patience", "TooLongError"]

# Compiling takes half a minute on a busy machine, whatever the subject's own calls take.
_LEAST_SECONDS = 120.0
_TIMES_THE_FIRST = 1000.0
# Once a call was given up, others need not be waited for as long.
_LATER_SECONDS = 20.0
_LATER_TIMES = 100.0
# Of a first call that does not come back nothing is known to compare it with.
_FIRST_SECONDS = 600.0

_TICK = 0.5


class TooLongError(BaseException):
    """A call of the subject was given up.

    No `Exception`, so that neither the subject nor a step of a check takes it for an error of that call, and goes on.
    """


@dataclass
class _Call:
    """A call in progress.

    Attributes:
        thread: that makes it.
        deadline: when it is given up, by `time.monotonic`.
        cancel: TensorFlow's `CancellationManager`; None where there is none.
        given_up: whether it was.
    """

    thread: int
    deadline: float
    cancel: Any
    given_up: bool = False


_active: list[_Call] = []
_lock = threading.Lock()
_watching = False


class Patience:
    """How long the calls of one subject may take: a thousand times as long as the first.

    Attributes:
        first: seconds of the first call, 0 until it is over.
        lost: whether a call was given up.
    """

    def __init__(self) -> None:
        self.first = 0.0
        self.lost = False

    @property
    def seconds(self) -> float:
        """The limit for the next call."""
        if self.lost:
            return max(_LATER_SECONDS, _LATER_TIMES * self.first)
        return max(_LEAST_SECONDS, _TIMES_THE_FIRST * self.first) if self.first else _FIRST_SECONDS

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """One call, in the block.

        Raises:
            TooLongError: it was given up.
        """
        limit, start = self.seconds, time.monotonic()
        manager = _cancellation()
        call = _Call(threading.get_ident(), start + limit, manager)
        _watch(call)
        try:
            with contextlib.nullcontext() if manager is None else _cancelled_by(manager):
                yield
        except BaseException as error:
            if call.given_up and (isinstance(error, TooLongError) or type(error).__name__ == "CancelledError"):
                self.lost = True
                first = f"; the first took {self.first:.2g} s" if self.first else ""
                raise TooLongError(f"a call did not come back within {limit:.0f} s and was given up{first}") from None
            raise
        finally:
            _forget(call)
        self.first = self.first or time.monotonic() - start


def _cancellation() -> Any:
    """TensorFlow's means to end what its executor runs; None before it has any."""
    from tensorflow.python.eager import cancellation

    return cancellation.CancellationManager() if hasattr(cancellation, "CancellationManagerContext") else None


def _cancelled_by(manager: Any) -> contextlib.AbstractContextManager[Any]:
    from tensorflow.python.eager import cancellation

    context: contextlib.AbstractContextManager[Any] = cancellation.CancellationManagerContext(manager)
    return context


def _watch(call: _Call) -> None:
    global _watching
    with _lock:
        _active.append(call)
        if not _watching:
            _watching = True
            threading.Thread(target=_give_up_late_calls, name="gradcheck-patience", daemon=True).start()


def _forget(call: _Call) -> None:
    with _lock:
        _active.remove(call)
        if call.given_up:  # it may have come back by itself meanwhile
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(call.thread), None)


def _give_up_late_calls() -> None:
    global _watching
    idle = 0
    while True:
        time.sleep(_TICK)
        now = time.monotonic()
        with _lock:
            for call in _active:
                if now > call.deadline and not call.given_up:
                    call.given_up = True
                    if call.cancel is not None:
                        call.cancel.start_cancel()
                    raising = ctypes.py_object(TooLongError)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(call.thread), raising)
            idle = 0 if _active else idle + 1
            if idle > 10 / _TICK:
                _watching = False
                return
