"""Who hears of a call of a subject before it is made: a call that kills its process leaves nothing else behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["announce_call", "calls_announced"]

_announced: list[Callable[[tuple[Any, ...]], None]] = []
_called: list[Any] = []  # what was called last, while somebody hears of it


@contextlib.contextmanager
def calls_announced(callback: Callable[[tuple[Any, ...]], None]) -> Iterator[None]:
    """Inside the block ``callback(args)`` is called before a subject is called with other arguments than before.

    They are those of the check, or others that it is compared with, such as the same batch with more padding.
    """
    _announced.append(callback)
    try:
        yield
    finally:
        _announced.remove(callback)
        _called.clear()


def announce_call(what: Any, args: Sequence[Any]) -> None:
    """Called by an execution before each call of a subject.

    Args:
        what: told from what was called before by its identity; most calls are with the same arguments.
        args: the arguments.
    """
    if _announced and not (_called and _called[0] is what):
        _called[:] = [what]
        for callback in tuple(_announced):
            callback(tuple(args))
