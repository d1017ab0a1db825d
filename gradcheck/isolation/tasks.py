"""What a worker is given and what comes back, as JSON: `Task`, `Outcome`, `Death`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Death", "Outcome", "Task", "key_of"]


def key_of(*parts: Any) -> str:
    """A short name for JSON-safe values that is the same in every process and on every machine: 20 hex digits."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Task:
    """One piece of work for a worker process.

    Attributes:
        function: ``"pkg.module:name"``, called in the worker as ``name(arguments, channel)``; see
            `gradcheck.isolation.worker.Channel`. What it returns must be JSON-safe.
        arguments: JSON-safe.
        key: names the task in a journal. Where empty it is made from function and arguments.
        watched: whether the limit for one batch holds; not for a task that has a worker of its own and watches that.
        group: tasks of one group go to the same worker where that keeps nobody waiting, because they share what is
            expensive to make, such as compiled programs.
    """

    function: str
    arguments: Mapping[str, Any]
    key: str = ""
    group: str = ""
    watched: bool = True

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", key_of(self.function, dict(self.arguments)))


@dataclass(frozen=True)
class Death:
    """How a worker died.

    Attributes:
        kind: ``"signal"``, ``"exit"`` (it ended itself), ``"batch time"``, ``"task time"``, ``"memory"`` (stopped for
            exceeding a limit) or ``"stopped"`` (the run was ended).
        text: in words, one line.
        signal: name of the signal, such as ``"SIGABRT"``; empty where there was none.
        stderr: the last lines that the process wrote to stderr.
        example: what was in progress, as the task announced it: a mode, a batch as JSON and as code. None where it had
            announced nothing.
        fresh: whether it was the first thing that this process had been given.
    """

    kind: str
    text: str
    signal: str = ""
    stderr: tuple[str, ...] = ()
    example: Mapping[str, Any] | None = None
    fresh: bool = True

    @property
    def message(self) -> str:
        """The line on stderr that says what went wrong, as far as one is known to; else empty."""
        for line in self.stderr:
            for sign in _TELLING:
                if sign in line:
                    return line.strip()
        return ""

    def __str__(self) -> str:
        return f"{self.text}: {self.message}" if self.message else self.text

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "kind": self.kind,
            "text": self.text,
            "signal": self.signal,
            "stderr": list(self.stderr),
            "example": None if self.example is None else dict(self.example),
            "fresh": self.fresh,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Death:
        """Inverse of `to_dict`."""
        return cls(**{**data, "stderr": tuple(data["stderr"])})


# What a dying process says, the most telling first: TensorFlow's failed CHECKs, C++ exceptions, the allocator.
_TELLING = ("Check failed", "what():", "LLVM ERROR", "corrupted", "double free", "free():", "malloc():", "Assertion")


@dataclass(frozen=True)
class Outcome:
    """What became of a task: exactly one of a value, a death and an error.

    Attributes:
        key: of the task.
        value: what its function returned.
        parts: what it had sent before it ended, however it ended.
        death: how the worker died; None where it did not.
        error: the traceback of an exception that the function raised; empty where it did not.
        refusal: the message, where that exception is an `InputError`: the task cannot be done as it was asked.
        seconds: wall-clock time.
    """

    key: str
    value: Any = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    death: Death | None = None
    error: str = ""
    refusal: str = ""
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether the function returned."""
        return self.death is None and not self.error

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "key": self.key,
            "value": self.value,
            "parts": dict(self.parts),
            "death": None if self.death is None else self.death.to_dict(),
            "error": self.error,
            "refusal": self.refusal,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """Inverse of `to_dict`."""
        death = None if data["death"] is None else Death.from_dict(data["death"])
        return cls(**{**data, "death": death})
