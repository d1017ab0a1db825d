"""What eager mode shows before any mode is checked: outputs, variables, state, and which entries count."""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.agreement import FEW_BITS, combinations, output_bound
from gradcheck.engines.exact import Reference, reference_of
from gradcheck.engines.jacobians import eps_of, is_large, random_weights
from gradcheck.errors import InputError
from gradcheck.invariants import Chosen
from gradcheck.modes import EagerExecution, reach
from gradcheck.padding import steps_mask, valid_inputs, valid_outputs
from gradcheck.preserving import keep
from gradcheck.problem import Problem
from gradcheck.reached import created_variables, is_random_state
from gradcheck.strategies import Batch
from gradcheck.subject import Subject
from gradcheck.support.layout import Layout
from gradcheck.time_axis import settle_time_axes
from gradcheck.twin import float64_twin, is_low

__all__ = ["NEARBY", "Baseline", "Options", "close", "observe", "observing_anew", "observing_once", "searching"]

# Where `Baseline.nearby` lies, in a cause.
NEARBY = "next to this batch (every number moved by less than 1 %, or 0.01)"


@dataclass(frozen=True)
class Options:
    """How a check is made.

    Attributes:
        wrt: ``"inputs"``, ``"variables"`` or ``"all"``.
        engine: the engine that the caller named, or None.
        invariants: which ones are held.
        order: 1: the gradient is checked. 2: the gradient of the gradient.
        tolerance: ``rtol``, ``atol`` and ``resolution_limit`` as the caller gave them.
    """

    wrt: str = "all"
    engine: str | None = None
    invariants: Chosen = field(default_factory=lambda: Chosen(()))
    order: int = 1
    tolerance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pulled:
    """Gradients in eager mode.

    Attributes:
        cotangents: `Baseline.cotangents`.
        gradients: what they are pulled back to ``[m, x_size]``.
        none_gradients: numbers of the input blocks whose gradient is None.
    """

    cotangents: np.ndarray
    gradients: np.ndarray
    none_gradients: frozenset[int]


@dataclass
class Baseline:
    """A subject bound to its arguments, and what one eager call showed of it.

    Attributes:
        problem: the bound problem, its ``outputs`` laid out as eager mode gave them.
        options: how the check is made.
        outputs: what eager mode returned, float64 ``[y_size]``; None where it raised.
        error: what it raised.
        again: what a second call returned, where there was one and that was something else.
        twin: the problem in float64, for a subject in lower precision.
        no_twin: why there is none.
        estranged: where that is what its outputs are, the problem in float64 all the same.
        reference: the exact derivative of the traced graph; None where there is none.
        no_reference: why there is none.
        pulled: what the last of these calls pulls back, where eager mode's turn is still to come.
        recalled: whether all this was observed for another mode of the same search.
        held: modes that did what eager mode does on this batch, and in which the invariants held.
    """

    problem: Problem
    options: Options
    outputs: np.ndarray | None = None
    error: Exception | None = None
    again: np.ndarray | None = None
    twin: Problem | None = None
    no_twin: str = ""
    estranged: Problem | None = None
    reference: Reference | None = None
    no_reference: str = ""
    pulled: Pulled | None = None
    recalled: bool = False
    held: set[str] = field(default_factory=set)

    @property
    def deterministic(self) -> bool:
        """Whether no second call in eager mode returned something else."""
        return self.again is None

    @property
    def subject(self) -> Subject:
        return self.problem.subject

    @property
    def x(self) -> np.ndarray:
        """The point, float64 ``[x_size]``."""
        return self.problem.x

    @property
    def batch(self) -> Batch | None:
        return self.problem.batch

    @property
    def mask(self) -> np.ndarray | None:
        """Valid steps ``[batch, time]`` as the subject is told of them; None where it is told nothing."""
        return None if self.batch is None else steps_mask(self.batch, self.subject.style)

    @property
    def side(self) -> str:
        """Side of the padding."""
        assert self.batch is not None
        return self.batch.padding.side

    @property
    def columns(self) -> np.ndarray:
        """Inputs that are differentiated: all of them, or the valid ones where the padding holds NaN or Inf."""
        mask = self.mask
        if mask is None or np.isfinite(self.problem.x).all():
            return np.arange(self.problem.x.size)
        return np.flatnonzero(valid_inputs(self.problem.plan, mask))

    @property
    def rows(self) -> np.ndarray:
        """Outputs that count: all of them, or the valid ones where the padding holds NaN or Inf."""
        mask = self.mask
        if mask is None or np.isfinite(self.problem.x).all():
            return np.arange(self.problem.outputs.size)
        return np.flatnonzero(valid_outputs(self.problem.outputs, mask, self.side))

    @property
    def eps(self) -> np.ndarray:
        """Machine epsilon for each output: its own dtype's, or the coarsest of what it is computed from."""
        coarsest = max((eps_of(block.dtype) for block in self.problem.plan.inputs.blocks), default=2.0**-52)
        eps = [np.full(block.size, max(eps_of(block.dtype), coarsest)) for block in self.problem.outputs.blocks]
        return np.concatenate(eps) if eps else np.zeros(0)

    @property
    def seed(self) -> int:
        """Of everything random in the check: always the same for the same batch."""
        return zlib.crc32(self.problem.x.tobytes())

    def loose(self, outputs: np.ndarray) -> np.ndarray:
        """A first bound on rounding, before any noise was measured."""
        eps = self.eps if self.problem.outputs.size == outputs.size else np.full(outputs.size, 2.0**-23)
        size = np.abs(np.where(np.isfinite(outputs), outputs, 0.0))
        return np.asarray(1e4 * eps * np.maximum(size, size.max(initial=0.0)))

    def cotangents(self, count: int) -> np.ndarray:
        """Random combinations ``[count, y_size]`` of the outputs that count: always the same for the same batch."""
        return random_weights(np.random.default_rng(self.seed), count, self.problem.outputs.size, self.rows)

    @property
    def in_full(self) -> bool:
        """Whether eager mode is run on this batch for what other modes of the search have shown of it already.

        Its outputs and its gradient are compared with theirs on every batch. A further call, nearby or with another
        padding, is one more point at which to do so: on one batch in four, where theirs on this one are all in order.
        """
        return not (self.recalled and self.held) or _chosen(self.seed)

    def nearby(self) -> np.ndarray:
        """A point close to the batch, every input that counts moved a little: always the same for the same batch."""
        x: np.ndarray = self.problem.x.copy()
        columns = self.columns
        random = np.random.default_rng(self.seed)
        x[columns] += 2.0**-7 * np.maximum(1.0, np.abs(x[columns])) * random.uniform(-1, 1, columns.size)
        return x

    def held_exactly(self, count: int, *, zeros: bool = False) -> np.ndarray:
        """The batch and points close to it that its dtypes hold exactly, ``[count, x_size]``: always the same.

        Args:
            count: how many.
            zeros: whether zeros move as well.
        """
        x, columns = self.problem.x, self.columns
        dtypes = np.concatenate([np.full(b.size, eps_of(b.dtype)) for b in self.problem.plan.inputs.blocks])[columns]
        random = np.random.default_rng(self.seed)
        points: np.ndarray = np.repeat(x[None], count, axis=0)
        for point in points[1:]:
            size = np.where(x[columns] == 0, 1.0, x[columns]) if zeros else x[columns]
            moved = x[columns] + size * 2.0**-5 * random.uniform(-1, 1, columns.size)
            unit = np.exp2(np.floor(np.log2(np.maximum(np.abs(moved), 1e-30)))) * dtypes
            point[columns] = np.round(moved / unit) * unit
        return points

    def rebound(self, args: Sequence[Any]) -> Problem:
        """The same subject, weights and state on another batch, or on other arguments."""
        plan, problem = self.problem.plan, self.problem
        other = Problem.bind(self.subject, args, wrt=self.options.wrt, variables=plan.variables, state=plan.state)
        # The variables hold the last point that was evaluated; the weights of this check are those of its own point.
        weights = problem.x[problem.x.size - sum(b.size for b in plan.inputs.blocks[plan.input_count :]) :]
        other.x[other.x.size - weights.size :] = weights
        other.state_values = problem.state_values
        return other


# How many batches of a search are remembered for its other modes: the first, since every mode meets them in this order.
_MOST_OBSERVED = 4096

# On the first batches of a search, and on one batch in so many of the others, eager mode is asked for everything. What
# differs from call to call shows there, or as a difference from another mode, and then both are asked many times.
_IN_FULL_AT_FIRST = 4
_IN_FULL_ONE_IN = 4


@dataclass
class _Observations:
    """What eager mode showed of the batches of a search, and whether it will be a mode of it."""

    eager: bool
    kept: dict[Any, Baseline] = field(default_factory=dict)


@contextlib.contextmanager
def observing_once(subject: Subject, modes: Sequence[str]) -> Iterator[None]:
    """While this lasts, eager mode runs once for each batch, however many of the modes meet it one after the other."""
    thread = threading.get_ident()
    subject.observations[thread] = _Observations("eager" in modes and len(modes) > 1)
    subject.searches += 1
    try:
        yield
    finally:
        del subject.observations[thread]


def searching(subject: Subject) -> bool:
    """Whether this thread searches the subject, so that what one batch leaves out the next ones look at."""
    return threading.get_ident() in subject.observations


@contextlib.contextmanager
def observing_anew(subject: Subject) -> Iterator[None]:
    """While this lasts, nothing that eager mode showed is remembered."""
    thread = threading.get_ident()
    kept = subject.observations.pop(thread, None)
    try:
        yield
    finally:
        if kept is not None:
            subject.observations[thread] = kept


def _chosen(seed: int) -> bool:
    return seed % _IN_FULL_ONE_IN == 0


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
    except Exception as error:
        if isinstance(error, TypeError):
            subject.require_parameters(args, error)
        raised = error
    changed = [(v, value) for v, value in before if v.numpy().tobytes() != value.tobytes()]
    for variable, value in changed:
        variable.assign(value)
    state = [variable for variable, _ in changed]
    # A layer that cannot be traced builds its variables at its first call; and what that showed is moved from here on.
    keep(subject.every_variable())
    if outputs is not None and options.wrt != "inputs":
        own = {id(variable) for variable in state}
        _look_for_unseen(subject, problem, [v for v, _ in before if v.trainable and id(v) not in own], variables)
        variables = [*variables, *(v for v in subject.unseen if all(v is not known for known in variables))]
        for variable, value in changed:
            variable.assign(value)
    problem = Problem.bind(subject, args, wrt=options.wrt, variables=variables, state=state, order=options.order)
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
        baseline.reference, baseline.no_reference = _reference(baseline)
        if baseline.reference is None and (is_low(layout) or is_low(problem.plan.inputs)):
            wide, baseline.no_twin = float64_twin(problem, outputs, wrt=options.wrt)
            baseline.twin, baseline.estranged = (None, wide) if baseline.no_twin else (wide, None)
        second = EagerExecution(problem)
        # What a call changes is not what its tape has read any more, and a second derivative is of another function.
        once = pull and not (first or state or subject.random or options.order > 1 or _chosen(baseline.seed))
        if once:
            second.take_over(eager)
        else:
            again = second.evaluate(problem.x[None])[0] if pull else second.forward(problem.x)
            baseline.again = None if close(again, outputs, baseline.loose(outputs)) else again
        if pull and baseline.deterministic and not is_large(problem.x.size, outputs.size):
            with contextlib.suppress(Exception):  # it raises again when it is eager mode's turn
                cotangents = baseline.cotangents(combinations(baseline.eps))
                gradients = second.pullback(problem.x, cotangents)
                baseline.pulled = Pulled(cotangents, gradients, second.none_gradients)
    return baseline


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


def close(one: np.ndarray, two: np.ndarray, bound: np.ndarray) -> bool:
    """Whether two results agree within a bound; NaN agrees with NaN."""
    if one.size != two.size:
        return False
    with np.errstate(invalid="ignore"):
        same = (one == two) | (np.isnan(one) & np.isnan(two)) | (np.abs(one - two) <= bound)
    return bool(same.all())
