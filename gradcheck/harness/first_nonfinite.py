"""Which operation makes the first NaN or Inf of a call or of its gradient, and on which line: seen in eager mode."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradcheck.execution.modes import EagerExecution
from gradcheck.rendering.causes import is_users_file
from gradcheck.subject.problem import Problem

__all__ = ["where_it_begins"]


# Operations that are infinite at some finite number in any dtype: no sign that the dtype is too small.
_POLES = frozenset(
    {"Atanh", "Digamma", "Div", "Inv", "Lgamma", "Log", "Log1p", "Pow", "RealDiv", "Reciprocal", "Rsqrt"}
)


@dataclass
class _Watch:
    """The first operation with an Inf among its results, and the first with a NaN, each in words.

    Attributes:
        lines: of the operations of the forward pass, by kind.
    """

    infinite: str = ""
    undefined: str = ""
    overflow: str = ""
    lines: dict[str, dict[str, None]] = field(default_factory=dict)

    def __call__(
        self, kind: Any, inputs: Sequence[Any], _attrs: Any, outputs: Sequence[Any], *_rest: Any, **_named: Any
    ) -> None:
        """As TensorFlow calls it after each operation."""
        if self.undefined:
            return
        name = kind.decode() if isinstance(kind, bytes) else str(kind)
        undefined, infinite = (any(check(output) for output in outputs) for check in (_has_nan, _has_inf))
        kind_of = name
        differentiated, line = _place()
        if not differentiated:
            self.lines.setdefault(name, {})[line] = None
        elif undefined or infinite:
            line = next(iter(self.lines[differentiated])) if len(self.lines.get(differentiated, ())) == 1 else line
            name = f"the gradient of {differentiated}"
        if undefined:
            self.undefined = f"{name}{line}"
        elif infinite and not self.infinite:
            self.infinite = f"{name}{line}"
            dtype = next(output.dtype.name for output in outputs if _has_inf(output))
            low = dtype in ("float16", "bfloat16", "float32") and not differentiated and kind_of not in _POLES
            if low and all(map(_finite, inputs)):
                self.overflow = dtype

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


def where_it_begins(problem: Problem, row: int | None = None) -> tuple[str, bool]:
    """The operations that make the first Inf and the first NaN of a call, in words; empty where none does.

    Also whether a number was too large for its dtype.

    Only of arguments that are finite themselves.

    Args:
        problem: the problem.
        row: the output whose gradient is not finite, which is computed after the call; None where it is the call.
    """
    from tensorflow.python.framework import op_callbacks

    if not np.isfinite(problem.x).all():
        return "", False
    watch, eager = _Watch(), EagerExecution(problem)
    op_callbacks.add_op_callback(watch)
    try:
        if row is None:
            eager.forward(problem.x)
        else:
            eager.gradient(problem.x, np.eye(1, problem.outputs.size, row)[0])
    except Exception:  # what it raises is told elsewhere
        return "", False
    finally:
        op_callbacks.remove_op_callback(watch)
    return watch.words, bool(watch.overflow)


def _numbers(value: Any) -> np.ndarray | None:
    dtype = getattr(value, "dtype", None)
    if dtype is None or not getattr(dtype, "is_floating", False) or not hasattr(value, "numpy"):
        return None
    return np.asarray(value.numpy(), np.float64)


def _has_nan(value: Any) -> bool:
    numbers = _numbers(value)
    return numbers is not None and bool(np.isnan(numbers).any())


def _has_inf(value: Any) -> bool:
    numbers = _numbers(value)
    return numbers is not None and bool(np.isinf(numbers).any())


def _finite(value: Any) -> bool:
    try:
        return bool(np.isfinite(np.asarray(value.numpy(), np.float64)).all())
    except (AttributeError, TypeError, ValueError):  # no number
        return True


def _place() -> tuple[str, str]:
    """The operation whose gradient is being computed, empty in a forward pass; and the line of the user's code that is
    running, as `` (file.py:12)``, empty where there is none.
    """
    frame: FrameType | None = sys._getframe(2)
    ours = str(Path(__file__).parents[1])
    differentiated = line = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ours) and name != __file__:
            break
        if not line and is_users_file(name):
            line = f" ({Path(name).name}:{frame.f_lineno})"
        if frame.f_code.co_name == "_gradient_function" and Path(name).name == "backprop.py":
            # A gradient that somebody wrote has a line of its own.
            differentiated = "" if line else str(frame.f_locals.get("op_name") or "")
        frame = frame.f_back
    return differentiated, line
