"""How long a worker may take and how much memory it may hold, and how both are measured."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from gradcheck.errors import InputError

__all__ = ["Limits", "available_memory", "resident_bytes", "size_text"]

#: Where Linux says how much a control group may hold: version 2, then version 1.
_GROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

#: How much of the memory the workers may take together.
_SHARE = 0.8


@dataclass(frozen=True)
class Limits:
    """What one worker process may use. None: no limit.

    Attributes:
        batch_seconds: wall-clock time for one batch. XLA has been seen to need half a minute for one program on a busy
            machine, so the default is far from that.
        task_seconds: wall-clock time for one task.
        memory: bytes of physical memory that the process holds (its resident set). Address space is no measure:
            TensorFlow reserves tens of gigabytes that it never touches.

    Raises:
        InputError: for a limit that is not positive, or a memory limit that an idle TensorFlow exceeds.
    """

    batch_seconds: float | None = 120.0
    task_seconds: float | None = 3600.0
    memory: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_seconds", "task_seconds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and value > 0):
                raise InputError(f"{name} must be a number of seconds above 0, or None for no limit; got {value!r}")
        if self.memory is not None and not (isinstance(self.memory, int) and self.memory >= 2**26):
            raise InputError(
                f"memory must be a number of bytes, 64 MiB (67108864) at least, or None for no limit; "
                f"got {self.memory!r}. A process that has only loaded TensorFlow holds about 400 MiB"
            )

    def shared_by(self, workers: int) -> Limits:
        """These limits for so many workers at once: where no memory limit is given, each gets its share of the
        machine's, less what else runs needs.
        """
        return self if self.memory is not None else replace(self, memory=int(_SHARE * available_memory() / workers))

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"batch_seconds": self.batch_seconds, "task_seconds": self.task_seconds, "memory": self.memory}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Limits:
        """Inverse of `to_dict`."""
        return cls(data["batch_seconds"], data["task_seconds"], data["memory"])


def available_memory() -> int:
    """Bytes of physical memory that this process and its children may use: the machine's, or a container's."""
    amounts = [int(psutil.virtual_memory().total)]
    for path in _GROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            amounts.append(int(Path(path).read_text()))
    return min(amounts)


def resident_bytes(pid: int) -> int:
    """Physical memory that a process holds; 0 where it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def size_text(count: int) -> str:
    """``"1.5 GiB"``."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
