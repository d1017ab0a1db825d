"""Subjects that take one floating-point dtype only, as most published layers take float32.

A first call that fails over dtypes is repeated in lower precision. Where that succeeds, the subject is given that dtype
from then on, whatever is drawn, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gradcheck._tensorflow import tensorflow
from gradcheck.execution.modes import EagerExecution, traced_function
from gradcheck.rendering.causes import cause_of
from gradcheck.subject.adapter import Subject
from gradcheck.subject.dtypes import dtypes_of, recast
from gradcheck.subject.problem import Problem

__all__ = ["as_taken", "find_dtype_taken"]

# The wide dtypes, and what each becomes.
_NARROWER = {
    "float32": {"float64": "float32", "complex128": "complex64"},
    "bfloat16": {"float64": "bfloat16", "float32": "bfloat16"},
    "float16": {"float64": "float16", "float32": "float16"},
}

# How TensorFlow, Keras and NumPy speak of dtypes: an error that names none has another reason.
_OF_DTYPES = re.compile(r"\bd?types?\b|\bdouble\b|\bfloat\b|float(?:16|32|64)|DT_[A-Z]|complex(?:64|128)")


def as_taken(subject: Subject, args: Sequence[Any]) -> tuple[tuple[Any, ...], str]:
    """Arguments in the dtype that the subject takes, and what was done to them, in words; empty where nothing was."""
    if subject.takes is None:
        subject.takes = _declared(subject.target)
    if subject.takes is None:
        return tuple(args), ""
    dtypes = _NARROWER[subject.takes]
    wide = sorted(dtypes_of(tuple(args)) & dtypes.keys())
    if not wide:
        return tuple(args), ""
    taken = " and ".join(dict.fromkeys(dtypes[dtype] for dtype in wide))
    words = f"the subject takes {taken} and not {' or '.join(wide)}, so its arguments were cast to {taken}"
    return tuple(recast(tuple(args), dtypes)), words


def find_dtype_taken(subject: Subject, args: Sequence[Any], error: Exception) -> bool:
    """Look for a dtype that the subject takes where a call with ``args`` raised an error; ``subject.takes`` keeps it.

    Returns:
        Whether there is one.
    """
    if subject.takes is not None or not _OF_DTYPES.search(f"{error} {cause_of(error, 'eager', where=False)}"):
        return False
    given = dtypes_of(tuple(args))
    for dtype, dtypes in _NARROWER.items():
        named = dtype == "float32" or dtype in str(error) or (dtype == "float16" and "half" in str(error))
        if not (named and given & dtypes.keys()):
            continue
        narrow = recast(tuple(args), dtypes)
        # Eager mode has rules of its own, as for what NumPy functions return: what only it takes is not taken.
        if _runs(subject, narrow) and (_traces(subject, narrow) or not _traces(subject, args)):
            subject.takes = dtype
            return True
    return False


def _declared(target: Any) -> str | None:
    """The one floating-point dtype in the signature with which a `tf.function` was made."""
    signature = getattr(target, "input_signature", None)
    if signature is None or not hasattr(target, "python_function"):
        return None
    specs = tensorflow().nest.flatten(signature)
    floats = {spec.dtype.name for spec in specs if hasattr(spec, "dtype") and spec.dtype.is_floating}
    return next(iter(floats)) if len(floats) == 1 and floats <= _NARROWER.keys() else None


def _runs(subject: Subject, args: Sequence[Any]) -> bool:
    """Whether eager mode returns something on these arguments."""
    problem = Problem.bind(subject, args, wrt="inputs", probe=True)
    try:
        EagerExecution(problem).observe(problem.x)
    except Exception:
        return False
    return True


def _traces(subject: Subject, args: Sequence[Any]) -> bool:
    """Whether a `tf.function` can be made of a call with these arguments."""
    try:
        traced_function(Problem.bind(subject, args, wrt="inputs", probe=True))
    except Exception:
        return False
    return True
