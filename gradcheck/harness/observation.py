"""One or two calls in eager mode before any mode is checked: outputs, variables that are read, state that changes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
import numpy as np

from gradcheck.engines.exact import Reference, reference_of
from gradcheck.engines.jacobians import is_large
from gradcheck.errors import InputError
from gradcheck.execution.float64_twin import float64_twin, is_low
from gradcheck.execution.modes import EagerExecution, reach
from gradcheck.execution.time_axis import settle_time_axes
from gradcheck.harness.baseline import Baseline, Pulled, close, looked_at_in_full
from gradcheck.harness.options import Options
from gradcheck.numerics.tolerance import FEW_BITS, output_bound
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import Subject
from gradcheck.subject.problem import Problem
from gradcheck.subject.reached import created_variables, is_random_state
from gradcheck.subject.restoring import keep
from gradcheck.support.layout import Layout
from gradcheck.support.patience import TooLongError

__all__ = ["observe", "observing_anew", "observing_once", "searching"]

# How many batches of a search are remembered for its other modes: the first, since every mode meets them in this order.
_MOST_OBSERVED = 4096

# On the first batches of a search, and on one in a few of the others, eager mode is asked for everything. What differs
# from call to call shows there, or as a difference from another mode, and then both are asked many times.
_IN_FULL_AT_FIRST = 4


@dataclass
class _Observations:
    """What eager mode showed of the batches of a search, and whether it will be a mode of it."""

    eager: bool
    kept: dict[Any, Baseline] = field(default_factory=dict)


@contextlib.contextmanager
def observing_once(subject: Subject, modes: Sequence[str]) -> Iterator[None]:
    """While this lasts, eager mode runs once for each batch, however many of the modes meet it one after the other."""
    thread = threading.get_ident()
    subject.observations[thread] = _Observations("eager" in modes)
    subject.searches += 1
    try:
        yield
    finally:
        del subject.observations[thread]


def searching(subject: Subject) -> bool:
    """Whether this batch is one of many, so that what it leaves out the next ones look at.

    So it is in a search, and in a test that Hypothesis runs; not where the batch is to be looked at anew.
    """
    thread = threading.get_ident()
    if thread in subject.observations:
        return subject.observations[thread] is not None
    return bool(hypothesis.currently_in_test_context())


@contextlib.contextmanager
def observing_anew(subject: Subject) -> Iterator[None]:
    """While this lasts, nothing that eager mode showed is remembered."""
    thread = threading.get_ident()
    kept = subject.observations.pop(thread, None)
    subject.observations[thread] = None
    try:
        yield
    finally:
        del subject.observations[thread]
        if kept is not None:
            subject.observations[thread] = kept


def observe(subject: Subject, args: Sequence[Any], options: Options) -> Baseline:
    """Run eager mode once or twice: outputs, layout, variables that are read, variables that a call changes.

    Raises:
        InputError: nothing can be differentiated, or an input that counts is not finite.
    """
    observations: _Observations | None = subject.observations.get(threading.get_ident())
    batch = args[0] if len(args) == 1 and isinstance(args[0], Batch) else None
    if observations is None or batch is None:
        return _observe(subject, args, options)
    kept = observations.kept
    key = (options.wrt, options.order, batch.key())
    recalled = key in kept
    if not recalled:
        pull = observations.eager and options.engine is None
        baseline = _observe(subject, args, options, pull=pull, first=len(kept) < _IN_FULL_AT_FIRST)
        if baseline.error is not None or len(kept) >= _MOST_OBSERVED:
            return baseline
        kept[key] = baseline
    known = kept[key]
    return replace(known, options=options, problem=replace(known.problem), recalled=recalled)


def _observe(
    subject: Subject, args: Sequence[Any], options: Options, *, pull: bool = False, first: bool = True
) -> Baseline:
    """As `observe`.

    Args:
        subject, args, options: as for `observe`.
        pull: whether to pull back ahead of eager mode's turn.
        first: whether this is one of the first batches; on three in four of the others one call will then do.
    """
    # What the subject reads is known only after a call.
    called = _Called.once(subject, args, options)
    problem = Problem.bind(
        subject, args, wrt=options.wrt, variables=called.variables, state=called.state, order=options.order
    )
    outputs, layout, raised = called.outputs, called.layout, called.raised
    if options.order > 1 and outputs is not None:
        try:
            outputs, layout, _ = EagerExecution(problem).observe(problem.x)
        except Exception as error:
            outputs, layout, raised = None, Layout(()), error
    problem.outputs = settle_time_axes(problem, layout) if options.order == 1 else layout
    baseline = Baseline(problem, options, outputs, raised)
    columns = baseline.columns
    if not np.isfinite(problem.x[columns]).all():
        column = int(columns[~np.isfinite(problem.x[columns])][0])
        raise InputError(
            f"{problem.plan.inputs.describe(column)} is {problem.x[column]}: a slope can be measured "
            "only where every input that counts is finite. NaN and Inf may stand in the padding of a Batch"
        )
    if outputs is not None:
        try:
            with subject.patience.call():
                baseline.reference, baseline.no_reference = _reference(baseline)
        except TooLongError:  # traced, it may be another function, with a loop that does not end
            baseline.no_reference = "interpreting the traced graph takes too long"
        if baseline.reference is None and (is_low(layout) or is_low(problem.plan.inputs)):
            baseline.twin, baseline.no_twin = float64_twin(problem, outputs, wrt=options.wrt)
        # What a call changes is not what its tape has read any more, and a second derivative is of another function.
        again = first or called.state or subject.random or options.order > 1 or looked_at_in_full(baseline.seed)
        try:
            _look_again(baseline, None if again or not pull else called.eager, pull=pull)
        except (Exception, TooLongError) as error:  # it was called once and came back; a second time it does not
            return Baseline(problem, options, None, error)
    return baseline


def _look_again(baseline: Baseline, called: EagerExecution | None, *, pull: bool) -> None:
    """A second call, or the first one's tape (``called``) where that will do; and what it pulls back, where asked."""
    problem, outputs = baseline.problem, baseline.outputs
    assert outputs is not None
    second = EagerExecution(problem)
    if called is not None:
        second.take_over(called)
    else:
        again = second.evaluate(problem.x[None])[0] if pull else second.forward(problem.x)
        baseline.again = None if close(again, outputs, baseline.loose(outputs)) else again
    compared = baseline.reference is not None and not is_large(problem.x.size, outputs.size)
    if pull and compared and baseline.deterministic:
        with contextlib.suppress(Exception):  # it raises again when it is eager mode's turn
            cotangents = baseline.passed_back()
            gradients = second.pullback(problem.x, cotangents)
            baseline.pulled = Pulled(cotangents, gradients, second.none_gradients)


@dataclass(frozen=True)
class _Called:
    """What the first call showed.

    Attributes:
        eager: the execution that was called.
        outputs, layout: what it returned; None where it raised.
        raised: what it raised.
        variables: trainable variables that it read.
        state: variables that it changed, set back since.
    """

    eager: EagerExecution
    outputs: np.ndarray | None
    layout: Layout
    raised: Exception | TooLongError | None
    variables: list[Any]
    state: list[Any]

    @classmethod
    def once(cls, subject: Subject, args: Sequence[Any], options: Options) -> _Called:
        problem = Problem.bind(subject, args, wrt="inputs", probe=True)
        eager = EagerExecution(problem)
        reach(problem)
        keep(subject.every_variable())
        variables = [v for v in subject.variables() if v.trainable]
        random = {id(variable) for variable in subject.reached if is_random_state(variable)}
        before = [(v, v.numpy()) for v in subject.every_variable() if id(v) not in random]
        layout = Layout(())
        outputs, raised = None, None
        try:
            with created_variables() as created:
                outputs, layout, read = eager.observe(problem.x)
            subject.reach(read)
            # Those that the subject keeps: others live no longer than the call.
            held = {id(variable) for variable in subject.variables()}
            before += [(variable, value) for variable, value in created if id(variable) in held]
            variables = _in_order(variables, read)
        except InputError:
            # Where nothing can be differentiated, that says more than what is wrong with the outputs.
            Problem.bind(subject, args, wrt=options.wrt, variables=variables)
            raise
        except (Exception, TooLongError) as error:
            if isinstance(error, TypeError):
                subject.require_parameters(args, error)
            raised = error
        changed = [(v, value) for v, value in before if v.numpy().tobytes() != value.tobytes()]
        state = [variable for variable, _ in changed]
        _set_back(changed)
        # A layer that cannot be traced builds its variables at its first call; and what that showed is moved from here
        # on.
        keep(subject.every_variable())
        if outputs is not None and options.wrt != "inputs":
            own = {id(variable) for variable in state}
            _look_for_unseen(subject, problem, [v for v, _ in before if v.trainable and id(v) not in own], variables)
            variables = [*variables, *(v for v in subject.unseen if all(v is not known for known in variables))]
            _set_back(changed)
        return cls(eager, outputs, layout, raised, variables, state)


def _set_back(changed: Sequence[tuple[Any, np.ndarray]]) -> None:
    for variable, value in changed:
        variable.assign(value)


def _reference(baseline: Baseline) -> tuple[Reference | None, str]:
    """The exact reference of a batch, or why there is none: its values must be eager mode's."""
    problem, outputs = baseline.problem, baseline.outputs
    assert outputs is not None
    if baseline.options.engine not in (None, "exact"):
        return None, ""
    if float(baseline.eps.max(initial=0.0)) > FEW_BITS:
        return None, "in so few bits the float64 twin says more"
    columns = baseline.columns
    if is_large(problem.x.size, outputs.size):
        columns = columns[:1]  # along the others there are only random directions
    reference = reference_of(problem, columns)
    if isinstance(reference, str):
        return None, reference
    slopes = reference.slopes(columns)
    rows = baseline.rows
    bound = output_bound(outputs, slopes.noise, baseline.eps) if slopes.value.size == outputs.size else None
    if bound is None or not close(slopes.value[rows], outputs[rows], bound[rows]):
        return None, "the traced graph has other values than eager mode"
    return reference, ""


# On how many batches of a subject variables are looked for that are read unseen: a batch of empty rows shows none.
_MOST_LOOKED = 8


def _look_for_unseen(subject: Subject, problem: Problem, trainable: Sequence[Any], seen: Sequence[Any]) -> None:
    """Find trainable variables that no tape saw and that move the outputs all the same; ``subject.unseen`` keeps them.

    `tf.stop_gradient` of a variable reads it where no tape looks, so the variable seems to play no part.

    Args:
        subject: the subject.
        problem: bound to its inputs alone.
        trainable: its trainable variables that a call does not change.
        seen: the variables that a tape saw.
    """
    known = {id(variable) for variable in (*seen, *subject.unseen)}
    candidates = [v for v in trainable if id(v) not in known and (v.dtype.is_floating or v.dtype.is_complex)]
    if not candidates or subject.looked_for_unseen >= _MOST_LOOKED:
        return
    subject.looked_for_unseen += 1
    eager = EagerExecution(problem)
    # Away from zeros, times which no variable moves anything.
    near = problem.x + np.linspace(0.25, 0.5, problem.x.size)

    def outputs(moved: Sequence[Any] = ()) -> np.ndarray:
        kept = [variable.numpy() for variable in moved]
        try:
            for variable, value in zip(moved, kept, strict=True):
                variable.assign(value + (0.25 * np.abs(value) + 0.25).astype(value.dtype))
            return eager.forward(near)
        finally:
            for variable, value in zip(moved, kept, strict=True):
                variable.assign(value)

    with contextlib.suppress(Exception):  # a subject may refuse that point, or such weights; then nothing is known
        usual = outputs()
        allowed = 1e-3 * np.abs(np.where(np.isfinite(usual), usual, 0.0)).max(initial=0.0)
        # What differs from call to call is no variable's doing.
        if not close(outputs(candidates), usual, allowed) and close(outputs(), usual, allowed):
            subject.unseen += [v for v in candidates if not close(outputs([v]), usual, allowed)]


def _in_order(known: Sequence[Any], read: Sequence[Any]) -> list[Any]:
    """The variables that were read, those that the subject lists in its order first."""
    wanted = {id(variable) for variable in read}
    first = [variable for variable in known if id(variable) in wanted]
    listed = {id(variable) for variable in first}
    floats = list(first + [v for v in read if id(v) not in listed])
    return [v for v in floats if v.dtype.is_floating or v.dtype.is_complex]
