"""`check` and `assert_gradients`: what a caller asks for, checked before anything runs, and the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow, versions
from gradcheck.cases.document import NOT_JSON, Case, case_of
from gradcheck.errors import InputError, only_input_errors, shown
from gradcheck.harness import session as recording
from gradcheck.harness.all_modes import Scripts, evidence_by_mode, run_modes
from gradcheck.harness.gradient_error import GradientError, access_in_an_error
from gradcheck.harness.hypothesis_feedback import tell_hypothesis
from gradcheck.harness.options import Options
from gradcheck.invariants import Chosen, parse_invariants
from gradcheck.invariants.holding import applicable, not_applied
from gradcheck.mode_names import ACCURACIES, ENGINES, parse_modes
from gradcheck.numerics.judgement import require_tolerances
from gradcheck.records.expectations import expected_verdicts, require_expectations
from gradcheck.rendering import render_report
from gradcheck.report import Report
from gradcheck.strategies import Batch
from gradcheck.strategies._literals import array_code
from gradcheck.subject.adapter import Subject, subject_of
from gradcheck.subject.problem import WRT
from gradcheck.subject.restoring import ONE_AT_A_TIME
from gradcheck.verdicts import Verdict

__all__ = ["ENGINES", "arguments_as_code", "assert_gradients", "check", "require_options"]

_LOG = logging.getLogger("gradcheck")


@only_input_errors("a check")
def check(
    subject: Any,
    *args: Any,
    modes: str | Sequence[str] | None = None,
    wrt: str | None = None,
    engine: str | None = None,
    expect: Any = None,
    call: Any = None,
    padding: bool = True,
    invariants: str | Sequence[str] | None = None,
    order: int = 1,
    rtol: float | None = None,
    atol: float | None = None,
    resolution_limit: float | None = None,
    accuracy: str | None = None,
) -> Report:
    """Check the gradients of a subject on one batch, in every mode.

    Args:
        subject: a callable, a `tf.Module` or a Keras layer; or a class, or a function without parameters, that makes
            one.
        *args: one `gradcheck.Batch`, or the positional arguments themselves: arrays, tensors, ragged and sparse
            tensors, Python numbers, and dicts, lists and tuples of these. Floating-point and complex ones are
            differentiated, integer and boolean ones held constant.
        modes: which of ``eager``, ``graph``, ``dynamic``, ``xla``; all of them where omitted.
        wrt: ``"inputs"``, ``"variables"`` (trainable ones that the subject reads) or ``"all"``, the default.
        engine: ``"exact"`` (the derivative of the traced forward graph, computed by interpreting it), ``"measured"``
            (slopes of the whole subject, entry by entry; ``"compiled"`` is its older name), ``"reference"``
            (`tf.test.compute_gradient`'s own dispatches, one an entry; slow) or ``"projected"`` (random directions
            only). Where omitted: exact where every operation has a rule, else measured; projected for Jacobians too
            large to form.
        expect: verdicts that are expected, by mode and version: see `gradcheck.records.expectations.expected_verdicts`.
        call: how the subject is called, as ``call(subject, values, ...)`` with any of ``values``, ``lengths``,
            ``mask`` by name. Where omitted the subject's signature decides.
        padding: whether valid outputs are also held to depend on valid inputs only, where the subject is told of its
            padding.
        invariants: what else should make no difference, by name: ``all_true_mask``, ``row_alone``, ``permutation``,
            ``rows_independent``, ``empty_row``, or ``"all"``; see `gradcheck.invariants`.
        order: 1 checks the gradient. 2 checks the gradient of the gradient instead: the function is then the gradient
            of all outputs, each with a weight of its own, and what is compared is its slopes with its gradient. It
            takes the first derivative as given, so check order 1 as well. 3 does the same once more. No rule about
            padding is held.
        rtol, atol: a tolerance of your own, ``atol + rtol·|numerical|``, in place of the measured error bound.
        resolution_limit: entries whose error bound exceeds this part of their row's largest entry are
            ``UNRESOLVED``. Where omitted 1e-4 in float64, coarser in lower precision.
        accuracy: ``"strict"`` makes it a failure (``INACCURATE``) that an entry is off by more than a thousand
            roundings of itself, though its formula is right. Where omitted this is a note.

    Returns:
        A `Report`. A finding never raises.

    Raises:
        InputError: the arguments cannot be checked: what is wrong, the value and the remedy.
        MissingTensorFlowError: TensorFlow is not installed.
    """
    if not args:
        raise InputError("check needs a batch, or the arguments of the subject, behind the subject")
    asked = _Asked.of(modes, wrt, engine, expect, invariants, order, padding, accuracy)
    tolerance = {"rtol": rtol, "atol": atol, "resolution_limit": resolution_limit}
    require_tolerances(**tolerance)
    _tell_where_long(args, asked.modes)
    with ONE_AT_A_TIME:
        return _reported(subject_of(subject, call), args, asked, tolerance)


@dataclass(frozen=True)
class _Asked:
    """What was asked of a check, the defaults of a test run filled in."""

    modes: tuple[str, ...]
    wrt: str
    engine: str | None
    expected: dict[str, tuple[Verdict, ...]]
    invariants: Chosen
    order: int
    accuracy: str | None

    @classmethod
    def of(
        cls,
        modes: str | Sequence[str] | None,
        wrt: str | None,
        engine: str | None,
        expect: Any,
        invariants: str | Sequence[str] | None,
        order: int,
        padding: bool,
        accuracy: str | None,
    ) -> _Asked:
        """The same, validated.

        Raises:
            InputError: for one that is not what it may be.
        """
        defaults = recording.defaults()
        chosen_modes = recording.restricted(parse_modes(modes if modes is not None else defaults.get("modes")))
        wrt = wrt if wrt is not None else defaults.get("wrt") or "all"
        engine = engine if engine is not None else defaults.get("engine")
        accuracy = accuracy if accuracy is not None else defaults.get("accuracy")
        require_expectations(expect, parse_modes(modes) if modes is not None else None)
        expect = expect if expect is not None else defaults.get("expect")
        chosen = parse_invariants(invariants if invariants is not None else defaults.get("invariants"), padding=padding)
        require_options(wrt=wrt, engine=engine, order=order, padding=padding, accuracy=accuracy)
        version = tensorflow().__version__
        expected = {mode: expected_verdicts(expect, mode, version) for mode in chosen_modes}
        engine = "measured" if engine == "compiled" else engine
        return cls(chosen_modes, wrt, engine, expected, chosen, order, accuracy)


def _reported(adapter: Subject, args: tuple[Any, ...], asked: _Asked, tolerance: dict[str, Any]) -> Report:
    """The report of a subject on its arguments."""
    batch = None
    if len(args) == 1 and isinstance(args[0], Batch):
        batch = adapter.told(args[0])
        args = (batch,)
    chosen = applicable(asked.invariants, adapter, batch)
    options = Options(asked.wrt, asked.engine, chosen, asked.order, tolerance, asked.accuracy)
    baseline, results, findings = run_modes(adapter, args, asked.modes, options)
    unheld = not_applied(asked.invariants, adapter, batch)
    further = (unheld,) if unheld else ()
    results = {
        mode: replace(results[mode], expected=asked.expected[mode], notes=(*results[mode].notes, *further))
        for mode in asked.modes
    }
    return Report(
        subject=adapter.name,
        modes=results,
        arguments=arguments_as_code(baseline.problem.bound_to),
        versions=versions(),
        wrt=asked.wrt,
        scripts=Scripts(baseline, results, findings),
        evidence=evidence_by_mode(baseline, results, findings),
    )


# From so many numbers on a check is told to be long: each needs calls of its own, and memory for many copies.
_LONG = 1_000_000


def _tell_where_long(args: Sequence[Any], modes: Sequence[str]) -> None:
    """Say that a check of very many numbers takes long, before it begins."""
    arrays = [arg.values if isinstance(arg, Batch) else arg for arg in args]
    count = sum(int(np.prod(arg.shape)) for arg in arrays if isinstance(arg, np.ndarray))
    if count > _LONG:
        _LOG.warning(
            "gradcheck: the arguments have %d numbers, so this check in %s takes minutes. Gradients are usually as "
            "wrong on a smaller batch",
            count,
            ", ".join(modes),
        )


def require_options(
    *, wrt: Any = "all", engine: Any = None, order: Any = 1, padding: Any = True, accuracy: Any = None
) -> None:
    """Check these options of `check`.

    Raises:
        InputError: for one that is not what it may be, with the value and what it may be.
    """
    if not isinstance(wrt, str) or wrt not in WRT:
        raise InputError(f"wrt must be one of {', '.join(map(repr, WRT))}; got {shown(wrt)}")
    if engine is not None and not (isinstance(engine, str) and engine in ENGINES):
        raise InputError(f"engine must be one of {', '.join(map(repr, ENGINES))}; got {shown(engine)}")
    if not isinstance(order, (int, np.integer)) or isinstance(order, bool) or order not in (1, 2, 3):
        raise InputError(
            "order must be 1, the gradient, 2, the gradient of the gradient, or 3, the gradient of that; "
            f"got {shown(order)}"
        )
    if not isinstance(padding, (bool, np.bool_)):
        raise InputError(f"padding must be True or False; got {shown(padding)}")
    if accuracy is not None and not (isinstance(accuracy, str) and accuracy in ACCURACIES):
        raise InputError(
            f"accuracy must be {' or '.join(map(repr, ACCURACIES))}, or be left out; got {shown(accuracy)}"
        )


def assert_gradients(subject: Any, *args: Any, **options: Any) -> Report:
    """As `check`, and raise where a mode failed.

    Under `hypothesis.given` the statistics of Hypothesis show what was met, and it is told how near to wrong it came.

    Returns:
        The report, where nothing failed.

    Raises:
        GradientError: with the report as its message.
        InputError, MissingTensorFlowError: as `check`.
    """
    __tracebackhide__ = True
    report = check(subject, *args, **options)
    recording.publish(report)
    tell_hypothesis(report, args)
    if not report.ok:
        raise _error(subject, args, options, report)
    return report


def _error(subject: Any, args: tuple[Any, ...], options: Mapping[str, Any], report: Report) -> GradientError:
    said = recording.filled(options)  # now: later another test runs

    def cases() -> dict[str, Case | str]:
        made: dict[str, Case | str] = {}
        for result in report.failures:
            if result.verdict.fails:
                try:
                    made[result.mode] = case_of(subject, args, result, **said)
                except InputError:
                    made[result.mode] = NOT_JSON
        return made

    access = access_in_an_error(lambda: error)
    error = GradientError(report, cases=cases, text=lambda: render_report(report, access()))
    return error


def arguments_as_code(args: Sequence[Any]) -> str:
    """The arguments as code that can be pasted."""
    tf = tensorflow()

    def code(value: Any) -> str:
        if isinstance(value, tf.Tensor):
            value = value.numpy()
        if isinstance(value, (np.ndarray, np.generic)):
            return array_code(np.asarray(value))
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {code(item)}" for key, item in value.items()) + "}"
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            inside = ", ".join(code(item) for item in value)
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if isinstance(value, tf.RaggedTensor):
            splits = [code(part) for part in value.nested_row_splits]
            return f"tf.RaggedTensor.from_nested_row_splits({code(value.flat_values)}, [{', '.join(splits)}])"
        return repr(value)

    return ", ".join(code(argument) for argument in args)
