"""A case checked again: its subject imported, its weights set, its arguments checked with its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gradcheck.cases.document import MOST_WEIGHTS, Case, floating
from gradcheck.cases.encoding import with_classes
from gradcheck.cases.named_code import missing, refusal
from gradcheck.errors import InputError, only_input_errors
from gradcheck.execution.modes import EagerExecution
from gradcheck.harness.checking import check
from gradcheck.report import Report
from gradcheck.subject.adapter import Subject
from gradcheck.subject.importing import load_object, module_of
from gradcheck.subject.problem import Problem
from gradcheck.subject.restoring import preserved
from gradcheck.verdicts import Verdict

__all__ = ["replay"]


@only_input_errors("a replay")
def replay(
    case: Case,
    *,
    modes: str | Sequence[str] | None = None,
    subject: Any = None,
    call: Any = None,
    trust: bool = False,
) -> Report:
    """Check a case again, under the TensorFlow that is here.

    The subject is made, where it is a class or a factory, its weights are set to those of the case, and it is checked
    on the same arguments with the same options. Nothing that a file names is imported unless ``trust`` is set.

    Args:
        case: from `load_case` or `case_of`.
        modes: which modes; the case's own where omitted.
        subject: the subject itself.
        call: the ``call=`` itself, for a case that was checked with one.
        trust: import and call what the case names where ``subject`` or ``call`` is left out. A case that `case_of` made
            in this process needs no trust.

    Returns:
        The report, with a note where the weights could not be set.

    Raises:
        InputError: where the subject, or the ``call`` that the case was checked with, would have to be imported and
            ``trust`` is not set, or cannot be imported.
    """
    needed = missing(case, subject=subject is not None, call=call is not None)
    if needed and not (trust or case.own):
        raise InputError(f"{refusal(case, needed)}. Pass subject= and call=, or trust=True where you trust the case")
    given = {"subject": subject, "call": call} | {one.what: load_object(one.spec, one.what) for one in needed}
    # One of its own: the weights that are set here are no other check's.
    adapter = Subject(given["subject"], given["call"])
    modules = [module for thing in given.values() if (module := module_of(thing)) is not None]
    case = replace(case, arguments=tuple(with_classes(argument, modules) for argument in case.arguments))
    with preserved(adapter.variables()):
        note = _set_weights(case, adapter)
        report = check(adapter, *case.arguments, modes=case.mode if modes is None else modes, **case.options)
    if note:
        noted = {mode: replace(result, notes=(*result.notes, note)) for mode, result in report.modes.items()}
        report = replace(report, modes=noted)
    return report


def _set_weights(case: Case, adapter: Any) -> str:
    """Give the subject the weights of the case; empty, or why they could not be set."""
    if case.weights is None:
        if case.verdict is Verdict.CRASH and not floating(adapter.variables()):
            return ""  # the process took along what there was, which was most likely nothing
        why = "they died with its process" if case.verdict is Verdict.CRASH else f"more than {MOST_WEIGHTS} numbers"
        return f"the case has no weights ({why}): the subject kept those it has now"
    if not case.weights:
        return ""
    if len(floating(adapter.variables())) != len(case.weights):
        # A layer makes its weights at its first call. Where that raises, the check will say so.
        try:
            probe = Problem.bind(adapter, case.arguments, wrt="inputs")
            EagerExecution(probe).observe(probe.x)
        except Exception as error:
            return f"the weights of the case could not be set: building the subject raised {type(error).__name__}"
    now = floating(adapter.variables())
    shapes = [tuple(variable.shape) for variable in now]
    if shapes != [weight.shape for _, weight in case.weights]:
        names = ", ".join(f"{name} {weight.shape}" for name, weight in case.weights)
        here = ", ".join(f"{variable.name} {shape}" for variable, shape in zip(now, shapes, strict=True))
        return f"the weights of the case ({names}) are not those of the subject here ({here}): it kept its own"
    for variable, (_, weight) in zip(now, case.weights, strict=True):
        variable.assign(weight.astype(variable.dtype.base_dtype.as_numpy_dtype))
    return ""
