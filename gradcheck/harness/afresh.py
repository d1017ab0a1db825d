"""A shrunk failure tried once on a newly made subject: a layer may keep something of the batch that it was built on.

Such a layer (a maximal length, a size of an FFT) fails on a batch for what another one left behind. Neither the
batch nor a script that makes a new layer would show that.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError
from gradcheck.execution.modes import EagerExecution
from gradcheck.harness.checking import arguments_as_code, check
from gradcheck.records.reasons import Reason
from gradcheck.records.results import ModeResult
from gradcheck.report import Report
from gradcheck.reproduce.layers import same_layer
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import Subject, holders
from gradcheck.subject.problem import Problem
from gradcheck.support.patience import TooLongError
from gradcheck.verdicts import Verdict

__all__ = ["checked_afresh"]

# Longest code of a batch that a cause shows, and the seconds that a script is given.
_READABLE = 160
_SCRIPT_SECONDS = 120.0

_DECIDED = (Verdict.PASS, Verdict.KINK)


def checked_afresh(
    subject: Subject,
    args: tuple[Any, ...],
    report: Report,
    mode: str,
    options: Mapping[str, Any],
    *,
    scripts: bool = True,
) -> Report:
    """The report of a failure; where a newly made subject passes, with that as its cause.

    Args:
        subject: the subject.
        args: the batch, or the arguments, on which it failed.
        report: what it came to.
        mode: the mode that was checked.
        options: of `gradcheck.check`.
        scripts: whether the failure's own script may be run where nothing says how the subject is made. It takes the
            time in which TensorFlow is imported.
    """
    result = report[mode]
    if not result.verdict.fails or result.verdict is Verdict.NONDETERMINISTIC:
        return report
    report = _with_lower_order(subject, args, report, mode, options)
    result = report[mode]
    first = subject.first_arguments
    if first is not None and repr(first) == repr(args):
        first = None
    made = _renewed(subject)
    if made is not None:
        if not _passes(made, subject, args, mode, options):
            return report
        shows = first is not None and not _passes_after(subject, first, args, mode, options)
    elif scripts and _keeps_something(subject) and mode in report.scripts:
        if _script_shows(report.scripts[mode]) is not False:
            return report
        subject.built_on = first
        report = check(subject, *args, modes=(mode,), **options)
        result = report[mode]
        shows = first is not None and mode in report.scripts and _script_shows(report.scripts[mode]) is True
    else:
        return report
    subject.built_on = first if shows else None
    if shows:
        assert first is not None
        cause = (
            "depends on the batch that the subject was built on (one that is newly made passes here): "
            f"{_told(first)} came first, and then {result.cause}"
        )
        return _with_cause(report, result, cause, Reason.BUILT_ON)
    cause = f"depends on what the subject was called with before (one that is newly made passes here): {result.cause}"
    return _with_cause(report, result, cause, Reason.CALLED_BEFORE)


def _with_lower_order(
    subject: Subject, args: tuple[Any, ...], report: Report, mode: str, options: Mapping[str, Any]
) -> Report:
    """The report of a wrong second or third derivative, with what the one below it comes to."""
    order = options.get("order") or 1
    if order == 1:
        return report
    below = check(subject, *args, modes=(mode,), **{**options, "order": order - 1, "expect": None})[mode].verdict
    name = "gradient" if order == 2 else "second derivative"
    note = f"the {name} itself is {below} on this batch"
    note += f": begin with order={order - 1}" if below.fails else ", so only what it is differentiated by is wrong"
    result = replace(report[mode], notes=(*report[mode].notes, note))
    return replace(report, modes={**report.modes, mode: result})


def _passes_after(
    subject: Subject, first: Sequence[Any], args: Sequence[Any], mode: str, options: Mapping[str, Any]
) -> bool:
    """Whether a newly made subject passes that was called with other arguments before."""
    made = _renewed(subject)
    if made is None:
        return True
    _called(made, first)
    return _passes(made, subject, args, mode, options)


def _renewed(subject: Subject) -> Subject | None:
    """The subject made anew, as its factory or its config says; None where nothing says how."""
    target, original = subject.target, subject.original
    try:
        if target is not original:
            made = Subject(original, subject.custom_call)
        elif hasattr(target, "get_config") and hasattr(type(target), "from_config"):
            layer = type(target).from_config(target.get_config())
            if not same_layer(target, layer):
                return None
            made = Subject(layer, subject.custom_call)
        else:
            return None
    except Exception:  # what it needs is not in its config
        return None
    made.name, made.takes = subject.name, subject.takes
    made.amounts_varied = dict(subject.amounts_varied)  # held to the same rules, or it passes for want of them
    return made


def _passes(made: Subject, like: Subject, args: Sequence[Any], mode: str, options: Mapping[str, Any]) -> bool:
    """Whether a newly made subject passes, with the weights of the other one where it has the same."""
    _called(made, args)
    mine, theirs = made.variables(), like.variables()
    if [tuple(variable.shape) for variable in mine] == [tuple(variable.shape) for variable in theirs]:
        for variable, other in zip(mine, theirs, strict=True):
            variable.assign(other)
    try:
        return check(made, *args, modes=(mode,), **options)[mode].verdict in _DECIDED
    except InputError:
        return False


def _called(subject: Subject, args: Sequence[Any]) -> None:
    """Call a subject in eager mode, for what it keeps of that; what it raises is of no interest."""
    with contextlib.suppress(Exception, TooLongError):
        problem = Problem.bind(subject, args, wrt="inputs", probe=True)
        EagerExecution(problem).observe(problem.x)


# What keeps nothing from one call to the next, or is set back after each.
_KEEPS_NOTHING = (bool, int, float, complex, str, bytes, tuple, frozenset, np.ndarray, np.generic, functools.partial)


def _keeps_something(subject: Subject) -> bool:
    """Whether the subject is, or its code names, something that may keep a part of a batch: a layer, a list."""
    tf = tensorflow()
    return any(
        not isinstance(thing, (*_KEEPS_NOTHING, tf.Tensor, tf.Variable, tf.DType))
        and not inspect.isroutine(thing)
        and not hasattr(thing, "python_function")
        for thing in holders(subject.target, subject.custom_call)
    )


def _script_shows(script: str) -> bool | None:
    """Whether a script shows its failure in a process of its own; None where it cannot say."""
    with tempfile.TemporaryDirectory(prefix="gradcheck-") as folder:
        path = Path(folder) / "failure.py"
        path.write_text(script, encoding="utf-8")
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(
                [sys.executable, str(path)], capture_output=True, env=environment, timeout=_SCRIPT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return {0: False, 1: True}.get(done.returncode)


def _told(args: Sequence[Any]) -> str:
    """Arguments as code, or in words where that is long."""
    code = " ".join(arguments_as_code(args).split())
    if len(code) <= _READABLE:
        return code
    shapes = [str(list(np.shape(arg.values if isinstance(arg, Batch) else arg))) for arg in args]
    return f"a batch of shape {' and '.join(shapes)}"


def _with_cause(report: Report, result: ModeResult, cause: str, reason: Reason) -> Report:
    changed = replace(result, cause=cause, reasons=(reason, *result.reasons))
    return replace(report, modes={**report.modes, result.mode: changed})
