"""Which operation makes the first NaN or Inf of a call, and on which line: seen in eager mode, one by one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradcheck.execution.modes import EagerExecution
from gradcheck.rendering.causes import is_users_file
from gradcheck.subject.problem import Problem

__all__ = ["where_it_begins"]


@dataclass
class _Watch:
    """The first operation with an Inf among its results, and the first with a NaN, each in words."""

    infinite: str = ""
    undefined: str = ""
    overflow: str = ""

    def __call__(
        self, kind: Any, inputs: Sequence[Any], _attrs: Any, outputs: Sequence[Any], *_rest: Any, **_named: Any
    ) -> None:
        """As TensorFlow calls it after each operation."""
        if self.undefined:
            return
        name = kind.decode() if isinstance(kind, bytes) else str(kind)
        for output in outputs:
            dtype = getattr(output, "dtype", None)
            if dtype is None or not dtype.is_floating or not hasattr(output, "numpy"):
                continue
            values = np.asarray(output.numpy(), np.float64)
            if np.isnan(values).any():
                self.undefined = f"{name}{_line()}"
            elif np.isinf(values).any() and not self.infinite:
                self.infinite = f"{name}{_line()}"
                if dtype.name in ("float16", "bfloat16", "float32") and all(map(_finite, inputs)):
                    self.overflow = dtype.name

    @property
    def words(self) -> str:
        """What was seen; empty where nothing was."""
        parts = []
        if self.overflow:
            parts.append(f"{self.infinite} overflows in {self.overflow}")
        elif self.infinite:
            parts.append(f"the first Inf comes from {self.infinite}")
        if self.undefined:
            parts.append(f"the first NaN comes from {self.undefined}")
        return ", and ".join(parts)


def where_it_begins(problem: Problem) -> tuple[str, bool]:
    """The operations that make the first Inf and the first NaN of a forward pass, in words; empty where none does.

    Also whether a number was too large for its dtype.

    Only of arguments that are finite themselves.
    """
    from tensorflow.python.framework import op_callbacks

    if not np.isfinite(problem.x).all():
        return "", False
    watch = _Watch()
    op_callbacks.add_op_callback(watch)
    try:
        EagerExecution(problem).forward(problem.x)
    except Exception:  # what it raises is told elsewhere
        return "", False
    finally:
        op_callbacks.remove_op_callback(watch)
    return watch.words, bool(watch.overflow)


def _finite(value: Any) -> bool:
    try:
        return bool(np.isfinite(np.asarray(value.numpy(), np.float64)).all())
    except (AttributeError, TypeError, ValueError):  # no number
        return True


def _line() -> str:
    """The line of the user's code that is running, as `` (file.py:12)``; empty where there is none."""
    frame: FrameType | None = sys._getframe(2)
    ours = str(Path(__file__).parents[1])
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ours) and name != __file__:
            return ""
        if is_users_file(name):
            return f" ({Path(name).name}:{frame.f_lineno})"
        frame = frame.f_back
    return ""
