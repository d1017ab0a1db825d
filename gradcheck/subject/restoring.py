"""Whatever the user had before a check is the same after it, also when the subject raises half way.

Variables are process-wide, and so are settings and random states. So only one thread at a time checks anything.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from gradcheck.subject.global_settings import settings_preserved

__all__ = ["ONE_AT_A_TIME", "keep", "preserved"]

# Held by whatever calls a subject or moves its variables. A thread may hold it several times.
ONE_AT_A_TIME = threading.RLock()


class _Kept:
    """Variables with the values that they have again afterwards."""

    def __init__(self) -> None:
        self.values: dict[int, tuple[Any, Any]] = {}

    def add(self, variable: Any) -> None:
        if id(variable) not in self.values:
            self.values[id(variable)] = (variable, variable.numpy())

    def restore(self) -> None:
        for variable, value in self.values.values():
            if variable.numpy().tobytes() != value.tobytes():
                variable.assign(value)


_ACTIVE: list[_Kept] = []


def keep(variables: Iterable[Any]) -> None:
    """Restore these variables, too, to what they are now, at the end of each `preserved` that is in progress.

    For variables that become known while a check runs. Those that are kept already stay as they are.
    """
    found = list(variables)
    for kept in _ACTIVE:
        for variable in found:
            kept.add(variable)


@contextlib.contextmanager
def preserved(variables: Iterable[Any]) -> Iterator[None]:
    """Restore variables, bit for bit, and the settings and random states in `gradcheck.subject.global_settings`.

    Other threads that come here wait meanwhile.
    """
    with ONE_AT_A_TIME, settings_preserved():
        kept = _Kept()
        for variable in variables:
            kept.add(variable)
        _ACTIVE.append(kept)
        try:
            yield
        finally:
            _ACTIVE.remove(kept)
            kept.restore()
