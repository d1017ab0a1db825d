"""The float64 twin of a subject in lower precision, so that slopes are measured where they can be measured well.

A difference quotient in float32 is good to three digits, in bfloat16 to none. So the gradient of a low-precision
subject is checked in two steps: that of its twin, the same computation in float64, against measured slopes; then its
own against the twin's on the same inputs, where only rounding may differ. A Keras layer's twin is made from its config
and its weights, a function's by calling it with float64 arguments; where neither gives the same function in float64
there is no twin.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.execution.modes import EagerExecution
from gradcheck.numerics.precision import eps_of
from gradcheck.numerics.tolerance import lost_below
from gradcheck.subject.adapter import Subject
from gradcheck.subject.dtypes import WIDE, recast
from gradcheck.subject.problem import Problem
from gradcheck.support.layout import Layout

__all__ = ["float64_twin", "is_low"]


def is_low(layout: Layout) -> bool:
    """Whether any tensor of a layout has less than double precision."""
    return any(block.dtype in WIDE for block in layout.blocks)


def float64_twin(problem: Problem, outputs: np.ndarray, *, wrt: str) -> tuple[Problem | None, str]:
    """The problem in float64, and why there is none: empty where there is one.

    Args:
        problem: a problem with an input or output in low precision, its ``outputs`` known.
        outputs: what eager mode gave for it ``[y_size]``: the twin must give the same up to low-precision rounding.
        wrt: as it was bound.
    """
    subject = problem.subject
    twin, reason = _attempt(problem, outputs, wrt, contextlib.nullcontext)
    backend = None if not reason or subject.floatx_tried else _keras_backend(subject.target)
    if backend is None:
        return twin, reason
    # Many layers cast to `floatx`, whatever their own dtype is. Making one anew takes time, so this is tried once.
    subject.floatx_tried = True
    kept, subject.twin = subject.twin, None
    wide, still = _attempt(problem, outputs, wrt, lambda: _wide_floatx(backend))
    if not still:
        return wide, ""
    subject.twin = kept
    return twin, reason


def _attempt(
    problem: Problem,
    outputs: np.ndarray,
    wrt: str,
    within: Callable[[], contextlib.AbstractContextManager[Any]],
) -> tuple[Problem | None, str]:
    original = problem.subject
    if original.takes is not None and not _has_config(original.target):
        return None, f"it takes {original.takes} only"
    try:
        subject, pairs = _twin_subject(original, problem, within)
        args = [recast(argument, WIDE) for argument in ([problem.batch] if problem.batch is not None else problem.args)]
        for wide, narrow in pairs:
            wide.assign(tensorflow().cast(narrow, wide.dtype))
        twins = {id(narrow): wide for wide, narrow in pairs}
        if any(id(v) not in twins and v.dtype.base_dtype.name in WIDE for v in problem.plan.variables):
            return None, "it holds variables that are not float64 and is no Keras layer, which could be made anew"
        variables = [twins.get(id(v), v) for v in problem.plan.variables]
        state = [twins.get(id(v), v) for v in problem.plan.state]
        twin = Problem.bind(subject, args, wrt=wrt, variables=variables, state=state, order=problem.plan.order)
        values, layout, _ = EagerExecution(twin).observe(twin.x)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return None, f"called with float64 it raises {type(error).__name__}: {first[:120]}"
    if is_low(layout):
        return None, "it computes in lower precision whatever it is given"
    same = len(layout.blocks) == len(problem.outputs.blocks) and all(
        one.shape == two.shape for one, two in zip(layout.blocks, problem.outputs.blocks, strict=False)
    )
    if not same or twin.x.size != problem.x.size:
        return None, "in float64 its outputs have other shapes"
    finite = np.isfinite(outputs) & np.isfinite(values)
    size = max(np.abs(values[finite]).max(initial=0.0), 1e-30)
    # Below the smallest number of the type an output is that number or 0.
    eps = np.repeat([eps_of(b.dtype) for b in problem.outputs.blocks], [b.size for b in problem.outputs.blocks])
    allowed = 0.1 * size + lost_below(np.abs(values), eps)
    twin.outputs = layout
    if (np.abs(outputs - values) > allowed)[finite].any():
        return None, "in float64 it gives other outputs, by more than rounding explains"
    return twin, ""


def _twin_subject(
    original: Subject, problem: Problem, within: Callable[[], contextlib.AbstractContextManager[Any]]
) -> tuple[Subject, list[tuple[Any, Any]]]:
    """The subject in float64, and its variables beside the original's."""
    target = original.target
    if not _has_config(target):
        return original, []
    if original.twin is None:
        config = {**target.get_config(), "dtype": "float64"}
        with within():
            layer = type(target).from_config(config)
        twin = Subject(layer, original.custom_call)
        twin.within = within
        twin.name = original.name
        # A call builds it.
        args = [recast(argument, WIDE) for argument in ([problem.batch] if problem.batch is not None else problem.args)]
        probe = Problem.bind(twin, args, wrt="inputs", probe=True)
        EagerExecution(probe).observe(probe.x)
        original.twin = twin
    mine, theirs = original.twin.variables(), original.variables()
    if len(mine) != len(theirs) or any(one.shape != two.shape for one, two in zip(mine, theirs, strict=False)):
        raise ValueError("made anew from its config it has other weights")
    return original.twin, list(zip(mine, theirs, strict=False))


def _has_config(target: Any) -> bool:
    return hasattr(target, "get_config") and hasattr(type(target), "from_config")


def _keras_backend(target: Any) -> Any:
    """``backend`` of the Keras that a layer belongs to: ``keras`` or ``tf_keras``; None for what is no layer."""
    bases = [base for base in type(target).__mro__ if base.__name__ == "Layer"]
    if not bases or not _has_config(target):
        return None
    try:
        return importlib.import_module(f"{bases[-1].__module__.partition('.')[0]}.backend")
    except ImportError:
        return None


_FLOATX = threading.RLock()


@contextlib.contextmanager
def _wide_floatx(backend: Any) -> Iterator[None]:
    """While this lasts Keras's ``floatx`` is float64. One thread at a time: each restores what it found."""
    with _FLOATX:
        kept = backend.floatx()
        backend.set_floatx("float64")
        try:
            yield
        finally:
            backend.set_floatx(kept)


def widened_names(blocks: Sequence[Any]) -> str:
    """The low-precision dtypes among blocks, for messages."""
    return ", ".join(dict.fromkeys(block.dtype for block in blocks if block.dtype in WIDE))
