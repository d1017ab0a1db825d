"""Two calls of a subject that should give the same: which places correspond, and whether the numbers do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import random_weights
from gradcheck.execution.modes import EagerExecution, Execution, OneByOne, execution
from gradcheck.numerics.tolerance import (
    FEW_BITS,
    combinations,
    gradient_bound,
    noise_ratio,
    output_bound,
    output_terms,
    squares_bound,
)
from gradcheck.records.results import Entry
from gradcheck.rendering.causes import cause_of
from gradcheck.strategies import Batch
from gradcheck.subject.problem import Problem
from gradcheck.subject.valid import steps_mask
from gradcheck.support.layout import Block, Layout
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["Example", "Places", "halved", "matching"]

# What looks like a leak in the gradient must exceed this many times what a few moves of the last bits bring about.
_SCATTERED = 4
_SCATTERS = 8.0

# And it must show in a single entry, by this many roundings of it or of terms of size 1. So many inputs are asked.
_ENTRY_ROUNDINGS = 4.0
_COLUMNS = 8


@dataclass(frozen=True)
class Places:
    """Places of one call, and those of another call where the same numbers should stand.

    Attributes:
        outputs, other_outputs: places of the flat outputs.
        inputs, other_inputs: places of the flat inputs, at which gradients of these outputs are compared.
    """

    outputs: np.ndarray
    other_outputs: np.ndarray
    inputs: np.ndarray
    other_inputs: np.ndarray


@dataclass(frozen=True)
class Example:
    """A checked example in one mode, which others are compared with.

    Attributes:
        run: the problem in its mode.
        problem: the problem, bound to ``batch``; its ``outputs`` known.
        batch: the batch.
        center: outputs ``[y_size]``.
        noise: standard deviation of their rounding errors ``[y_size]``.
        eps: machine epsilon with which each output is computed ``[y_size]``; that of its dtype, or a coarser one.
        bind: makes a problem of other arguments: the same subject, weights and state.
        jacobian: ``[y_size, x_size]``; None where it was not formed.
        asked: invariants that the caller named.
        notes: remarks for the report; invariants add to it.
    """

    run: Execution
    problem: Problem
    batch: Batch
    center: np.ndarray
    noise: np.ndarray
    eps: np.ndarray
    bind: Callable[[Sequence[Any]], Problem]
    jacobian: np.ndarray | None = None
    asked: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    @property
    def mask(self) -> np.ndarray | None:
        """Valid steps ``[batch, time]`` as the subject is told of them; None where it is told nothing."""
        return steps_mask(self.batch, self.problem.subject.style)

    @property
    def side(self) -> str:
        """The side of the padding as the subject is told of it."""
        return self.batch.padding.side

    @property
    def level(self) -> float:
        """The coarsest machine epsilon."""
        return float(self.eps.max(initial=2.0**-52))

    def pulled(self, cotangents: np.ndarray) -> np.ndarray:
        """Gradients ``[k, x_size]`` of combinations ``[k, y_size]`` of the outputs."""
        if self.jacobian is None:
            return self.run.pullback(self.problem.x, cotangents)
        with np.errstate(invalid="ignore"):
            return np.asarray(cotangents @ self.jacobian)

    def execution_of(self, other: Problem) -> Execution:
        """Another problem in the same mode."""
        run = execution(other, self.run.mode)
        return OneByOne(run) if isinstance(self.run, OneByOne) else run

    def another(self, args: Sequence[Any], outputs: Layout | None = None) -> Example:
        """The same subject on other arguments, executed once.

        Args:
            args: one `Batch`, or positional arguments.
            outputs: their layout where that is known to be the same; else a run in eager mode shows it.

        Raises:
            whatever the subject raises.
        """
        problem = self.bind(args)
        run = self.execution_of(problem)
        layouts, key = problem.subject.layouts, problem.plan.key(dynamic=False)
        center = None
        if outputs is None and run.mode != "eager" and key in layouts:
            # Shapes that are met again mostly give the outputs that they gave; they can also depend on lengths.
            problem.outputs = layouts[key]
            with contextlib.suppress(Exception):
                center = run.evaluate(problem.x[None])[0]
                outputs = problem.outputs if center.size == problem.outputs.size else None
        if outputs is None:
            eager = run if isinstance(run, EagerExecution) else EagerExecution(problem)
            _, outputs, _ = eager.observe(problem.x)
            layouts[key] = outputs
            center = None
        problem.outputs = outputs
        center = run.evaluate(problem.x[None])[0] if center is None else center
        same = outputs.signature() == self.problem.outputs.signature()
        eps = self.eps if same else np.full(center.size, self.level)
        # The same function at another point: its rounding errors are of the same kind, relative to its values.
        noise = self.noise if same else np.full(center.size, self.level * np.abs(self.center).max(initial=0.0))
        batch = args[0] if isinstance(args[0], Batch) else self.batch
        return replace(self, run=run, problem=problem, batch=batch, center=center, noise=noise, eps=eps, jacobian=None)

    def raised(self, name: str, changed: str, error: Exception, args: Sequence[Any]) -> Finding:
        """The finding that the subject raises for a changed batch, or other arguments."""
        cause = f"{changed}, and the subject raises: {cause_of(error, self.run.mode)}"
        return Finding(Verdict.PADDING_LEAK, cause, changed=changed, rule=name, other=self.bind(args))

    def difference(
        self, other: Example, places: Places, name: str, changed: str, *, gradients: bool = True
    ) -> Finding | None:
        """Compare outputs, then gradients, with those of another call that should give the same.

        Args:
            other: the other call.
            places: which places correspond.
            name: of the invariant.
            changed: what was changed, in words.
            gradients: False compares outputs only.
        """
        leak = Finding(Verdict.PADDING_LEAK, changed=changed, rule=name, other=other.problem)
        layout = self.problem.outputs
        mine, theirs = self.center[places.outputs], other.center[places.other_outputs]
        bound = output_bound(self.center, self.noise, self.eps)[places.outputs]
        with np.errstate(invalid="ignore"):
            beyond = ~((mine == theirs) | (np.abs(mine - theirs) <= bound))
        if beyond.any():
            distance = np.where(np.isfinite(theirs), np.abs(mine - theirs), np.inf)
            at = int(np.argmax(np.where(beyond, distance, -1.0)))
            row = int(places.outputs[at])
            before, after = precise_pair(mine[at], theirs[at])
            cause = (
                f"{changed}, and {layout.describe(row)} went from {before} to {after} "
                f"({int(beyond.sum())} of {beyond.size} outputs that should not change)"
            )
            place, other_place = (row, None), (int(places.other_outputs[at]), None)
            return replace(leak, cause=cause, place=place, other_place=other_place)
        return self._gradients(other, places, leak) if gradients else None

    def _gradients(self, other: Example, places: Places, leak: Finding) -> Finding | None:
        if not places.outputs.size or not places.inputs.size:
            return None
        random = np.random.default_rng(0)
        weights = random_weights(random, combinations(self.eps), places.outputs.size, np.arange(places.outputs.size))
        mine, theirs = self._both(other, places, weights)
        terms = self._terms(weights, places, mine)
        allowed = gradient_bound(terms, self._ratio(), self.level)
        allowed = allowed + squares_bound(terms, self.problem.x[places.inputs], self.level)
        with np.errstate(invalid="ignore"):
            beyond = ~((mine == theirs) | (np.abs(mine - theirs) <= allowed))
            if beyond.any():
                beyond &= ~(np.abs(mine - theirs) <= self._scatter(weights, places))
        if not beyond.any():
            return None
        with np.errstate(invalid="ignore"):
            gaps = np.where(beyond, np.abs(mine - theirs), 0.0)
        gaps = np.where(np.isfinite(gaps), gaps, np.inf).max(axis=0)
        for column in np.argsort(-gaps, kind="stable")[: min(_COLUMNS, np.count_nonzero(gaps))]:
            found = self._entry(other, places, leak, int(column))
            if found is not None:
                return found
        return None

    def _entry(self, other: Example, places: Places, leak: Finding, column: int) -> Finding | None:
        """The entry of one input in which the gradients differ; None where the combination alone did, by rounding.

        A backward pass that goes through few bits rounds what it is given, and what is 0 but for roundings has no size
        that would allow for these.
        """

        def gap(cotangents: np.ndarray) -> np.ndarray:
            one, two = self._both(other, places, cotangents)
            return np.asarray(one[:, column] - two[:, column])

        at = halved(gap, places.outputs.size)
        unit = np.zeros((1, places.outputs.size))
        unit[0, at] = 1.0
        one, two = (float(pulled[0, column]) for pulled in self._both(other, places, unit))
        terms = 1.0 if self.level < FEW_BITS else 0.0  # in few bits, that would allow for what is no rounding
        if abs(one - two) <= _ENTRY_ROUNDINGS * self.level * max(abs(one), abs(two), terms):
            return None
        row, place = int(places.outputs[at]), int(places.inputs[column])
        inputs, outputs = self.problem.plan.inputs, self.problem.outputs
        cause = (
            f"{leak.changed}, and the gradient of {outputs.describe(row)} w.r.t. {inputs.describe(place)} went from "
            f"{' to '.join(precise_pair(one, two))}"
        )
        other_place = (int(places.other_outputs[at]), int(places.other_inputs[column]))
        return replace(leak, cause=cause, place=(row, place), other_place=other_place)

    def _both(self, other: Example, places: Places, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of the same combinations of outputs in both calls, where they correspond."""
        mine, theirs = (np.zeros((len(weights), size)) for size in (self.center.size, other.center.size))
        mine[:, places.outputs], theirs[:, places.other_outputs] = weights, weights
        return self.pulled(mine)[:, places.inputs], other.pulled(theirs)[:, places.other_inputs]

    def _terms(self, weights: np.ndarray, places: Places, pulled: np.ndarray) -> np.ndarray:
        """The size of what each gradient is a sum of."""
        if self.jacobian is None:
            return np.broadcast_to(4 * np.abs(pulled).max(axis=0, initial=0.0), pulled.shape)
        from_outputs = output_terms(np.abs(weights), self.center[places.outputs], self.problem.x[places.inputs])
        return np.asarray(np.abs(weights) @ np.abs(self.jacobian[np.ix_(places.outputs, places.inputs)]) + from_outputs)

    def _scatter(self, weights: np.ndarray, places: Places) -> np.ndarray:
        """By how much the weighed gradients move where the inputs move by their last bits, ``[k, 1]``.

        Terms that cancel inside the backward pass leave rounding errors that no size of an entry shows.
        """
        x, random = self.problem.x, np.random.default_rng(1)
        cotangents = np.zeros((len(weights), self.center.size))
        cotangents[:, places.outputs] = weights
        moved = [x * (1 + 2 * self.level * random.uniform(-1, 1, x.size)) for _ in range(_SCATTERED)]
        pulled = np.stack([self.run.pullback(point, cotangents)[:, places.inputs] for point in [x, *moved]])
        with np.errstate(invalid="ignore"):
            return np.asarray(_SCATTERS * np.abs(pulled[1:] - pulled[0]).max(axis=(0, 2))[:, None])

    def _ratio(self) -> float:
        return noise_ratio(self.center, self.noise, self.eps)

    def nonzero(
        self, outputs: np.ndarray, inputs: np.ndarray, name: str, describe: Callable[[str, str], str]
    ) -> Finding | None:
        """Whether the gradient of some outputs at some inputs, which should be zero, is not.

        Args:
            outputs, inputs: their places.
            name: of the invariant.
            describe: the beginning of the cause, from the output and the input in words.
        """
        if not outputs.size or not inputs.size:
            return None
        if self.jacobian is not None:
            found = self.jacobian[outputs]
        else:
            found = self.pulled(
                random_weights(np.random.default_rng(0), combinations(self.eps), self.center.size, outputs)
            )
        size = np.abs(np.where(np.isfinite(found), found, 0.0)).max(axis=1, keepdims=True, initial=0.0)
        there = found[:, inputs]
        with np.errstate(invalid="ignore"):
            beyond = ~(np.abs(there) <= 64 * self.level * size)
        if not beyond.any():
            return None
        sizes = np.where(np.isfinite(there), np.abs(there), np.inf)
        at, number = divmod(int(np.argmax(np.where(beyond, sizes, -1.0))), beyond.shape[1])
        column = int(inputs[number])
        if self.jacobian is None:

            def gap(cotangents: np.ndarray) -> np.ndarray:
                spread = np.zeros((len(cotangents), self.center.size))
                spread[:, outputs] = cotangents
                return np.asarray(self.pulled(spread)[:, column])

            at = halved(gap, outputs.size)
            unit = np.zeros((1, outputs.size))
            unit[0, at] = 1.0
            value = float(gap(unit)[0])
        else:
            value = float(there[at, number])
        row = int(outputs[at])
        words = self.problem.outputs.describe(row), self.problem.plan.inputs.describe(column)
        cause = f"{describe(*words)}: its gradient there is {value:.6g} and should be 0" + (
            f" ({int(beyond.sum())} of {beyond.size} such entries)" if self.jacobian is not None else ""
        )
        entry = Entry(*words, value, None, index=(row, column))
        return Finding(Verdict.PADDING_LEAK, cause, entry, rule=name, place=(row, column))


def halved(gap: Callable[[np.ndarray], np.ndarray], size: int) -> int:
    """Which one of ``size`` outputs has a gap, by halving: two combinations of outputs a step.

    Args:
        gap: from combinations ``[k, size]`` of the outputs to the gap of each ``[k]``.
    """
    chosen = np.arange(size)
    while chosen.size > 1:
        halves = np.array_split(chosen, 2)
        cotangents = np.zeros((2, size))
        for number, half in enumerate(halves):
            cotangents[number, half] = 1.0
        gaps = gap(cotangents)
        sizes = np.where(np.isfinite(gaps), np.abs(gaps), np.inf)
        chosen = halves[int(np.argmax(sizes))]
    return int(chosen[0])


def matching(one: Example, other: Example, rows: Sequence[tuple[int, int]], *, last_first: bool = False) -> Places:
    """Which valid places of two batches correspond, where row ``i`` of the one is row ``j`` of the other.

    Args:
        rows: pairs ``(i, j)``. Outputs without an axis of rows are compared where these are all rows of both.
        last_first: whether outputs come in the reverse order of steps, that of the last step of the batch first.
    """
    whole = len(rows) == one.batch.size == other.batch.size
    outputs = _matched(
        one.problem.outputs.blocks, other.problem.outputs.blocks, one, other, rows, whole, last_first=last_first
    )
    plan, their_plan = one.problem.plan, other.problem.plan
    count = plan.input_count
    inputs = _matched(plan.inputs.blocks[:count], their_plan.inputs.blocks[:count], one, other, rows, whole)
    mine, theirs = (
        np.concatenate([np.arange(b.start, b.stop) for b in blocks] or [np.zeros(0, int)])
        for blocks in (plan.inputs.blocks[count:], their_plan.inputs.blocks[count:])
    )
    return Places(*outputs, np.concatenate([inputs[0], mine]), np.concatenate([inputs[1], theirs]))


def _matched(
    mine: Sequence[Block],
    theirs: Sequence[Block],
    one: Example,
    other: Example,
    rows: Sequence[tuple[int, int]],
    whole: bool,
    *,
    last_first: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for block, their_block in zip(mine, theirs, strict=False):
        if block.axes[:1] != ("row",) or their_block.axes[:1] != ("row",):
            if whole and block.shape == their_block.shape:
                parts.append((np.arange(block.start, block.stop), np.arange(their_block.start, their_block.stop)))
            continue
        timed = block.axes[1:2] == ("time",) and their_block.axes[1:2] == ("time",)
        if not timed and block.shape[1:] != their_block.shape[1:]:
            continue
        for i, j in rows:
            pair = _row(block, one, i, timed, last_first), _row(their_block, other, j, timed, last_first)
            if pair[0].size == pair[1].size:
                parts.append(pair)
    if not parts:
        return np.zeros(0, int), np.zeros(0, int)
    first, second = (np.concatenate(half) for half in zip(*parts, strict=True))
    return first, second


def _row(block: Block, example: Example, row: int, timed: bool, last_first: bool) -> np.ndarray:
    """The valid places of one row of a block."""
    width = block.size // max(block.shape[0], 1)
    places = block.start + row * width + np.arange(width)
    mask = example.mask
    if not timed or mask is None:
        return places
    steps = block.shape[1]  # all of them, or those of the longest row
    valid = mask[row, :steps] if example.side == "post" else mask[row, mask.shape[1] - steps :]
    valid = valid[::-1] if last_first else valid
    return np.asarray(places[np.repeat(valid, width // max(steps, 1))])
