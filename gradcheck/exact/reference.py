"""The exact derivative of a traced function: along directions, on both sides of kinks, and by conventions.

The function is a `Program` of one flat vector. Off ties one pass gives its slopes. At ties there are more passes: along
the opposite directions, and with each `Convention`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention, Split, TooFewTerms
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass, Program
from gradcheck.exact.jets import Array, Jet

__all__ = ["LANES", "Differentiable", "Slopes", "Unfit"]

LANES = 3
"""Directions that carry samples of rounding errors in each pass."""

# Most directions of one pass.
_DIRECTIONS = 512

# Terms of a series beyond those that were asked for, to divide out common zeros.
_MOST_TERMS = 4

# Most passes that one set of directions is split into.
_MOST_GROUPS = 4096

_CONVENTIONS = (Convention.USUAL, Convention.LOW, Convention.HIGH, Convention.RANDOM, Convention.RANDOM)


class Unfit(Exception):
    """The function cannot be interpreted at this point; the text says why."""


@dataclass(frozen=True)
class Slopes:
    """Slopes of a function along directions. Arrays are ``[directions, y_size]`` unless another shape is given.

    Attributes:
        value: the function at the point ``[y_size]``.
        noise: standard deviation of the rounding errors of the value in the subject's own precision ``[y_size]``.
        right: one-sided slope along each direction; NaN where the function jumps.
        left: the slope on the other side, ``-f'(x; -d)``; the same array where there is no tie.
        low, high: the least and the largest that automatic differentiation may give by the conventions of elementary
            operations; the same array as ``right`` where there is no tie.
        ties: how many ties there are at the point.
        fuzzy: how many of them are ties only within rounding errors.
        places: numbers of the operations with a tie, in the order of execution.
        coarsest: the largest unit roundoff that any operation computes with.
        opaque: names of the operations without a rule, whose own slopes were measured.
    """

    value: Array
    noise: Array
    right: Array
    left: Array
    low: Array
    high: Array
    ties: int
    fuzzy: int
    places: tuple[int, ...]
    coarsest: float = 0.0
    opaque: tuple[str, ...] = ()


class Differentiable:
    """A program of one flat vector of real numbers.

    Args:
        program: the program.
        arguments: what it is called with, from a pass and the vector as a jet.
    """

    def __init__(self, program: Program, arguments: Callable[[Pass, Jet], Sequence[Any]]) -> None:
        self.program = program
        self.arguments = arguments
        # The directions, the point and the slopes of the last pass without rounding errors: samples come in rows.
        self._still: tuple[Array, Array, Array] | None = None

    def run(self, run: Pass, x: Array, directions: Array) -> Jet:
        """One pass: the output vector with its coefficients along directions ``[directions, x_size]``."""
        moving = run.moving(x, directions) if run.directions + run.lanes else Jet(x)
        # Infinities and NaN are numbers like others here: they are what the subject computes.
        with np.errstate(all="ignore"):
            found = self.program(run, self.arguments(run, moving))[0]
        return found if isinstance(found, Jet) else Jet(np.asarray(found, np.float64))

    def value(self, x: Array) -> Array:
        """The function at a point ``[y_size]``."""
        return self.run(Pass(0), x, np.zeros((0, x.size))).v

    def slopes(self, x: Array, directions: Array, *, seed: int = 0) -> Slopes:
        """Slopes along directions ``[directions, x_size]``.

        Raises:
            gradcheck.exact.table.NoRule: an operation has no rule.
            Unfit: the directions would have to be parted into too many groups.
        """
        if len(directions) > _DIRECTIONS:
            parts = [
                self.slopes(x, directions[start : start + _DIRECTIONS], seed=seed)
                for start in range(0, len(directions), _DIRECTIONS)
            ]
            return _joined(parts)
        first = Pass(len(directions), lanes=LANES, seed=seed)
        try:
            found = self.run(first, x, directions)
            value, right = found.v, _first(found, len(directions))
            noise = _deviation(found, len(directions))
        except (Split, TooFewTerms):
            first = Pass(0, lanes=LANES, seed=seed)
            found = self.run(first, x, np.zeros((0, x.size)))
            value, noise = found.v, _deviation(found, 0)
            right = self._along(x, directions, value, noise, seed)
            first.decisions.ties = max(1, first.decisions.ties)
        decisions, opaque = first.decisions, tuple(first.opaque)
        if not decisions.ties:
            return Slopes(value, noise, right, right, right, right, 0, 0, (), first.coarsest, opaque)
        left = -self._along(x, -directions, value, noise, seed)
        low, high = np.fmin(left, right), np.fmax(left, right)
        for number, convention in enumerate(_CONVENTIONS):
            run = Pass(len(directions), lanes=LANES, convention=convention, seed=seed + number)
            try:
                by_convention = _first(self.run(run, x, directions), len(directions))
            except (Split, TooFewTerms):  # it says nothing here; the slopes along the directions do
                continue
            low, high = np.fmin(low, by_convention), np.fmax(high, by_convention)
        places = tuple(decisions.places)
        return Slopes(
            value, noise, right, left, low, high, decisions.ties, decisions.fuzzy, places, first.coarsest, opaque
        )

    def _along(self, x: Array, directions: Array, value: Array, noise: Array, seed: int) -> Array:
        """One-sided slopes ``[directions, y_size]``, NaN where the function jumps."""
        slopes = np.full((len(directions), value.size), np.nan)
        groups: list[tuple[Array, int]] = [(np.arange(len(directions)), 1)]
        passes = 0
        while groups:
            chosen, order = groups.pop()
            passes += 1
            if passes > _MOST_GROUPS:
                raise Unfit("directions take too many different decisions at this point")
            run = Pass(len(chosen), lanes=LANES, order=order, seed=seed)
            try:
                found = self.run(run, x, directions[chosen])
            except Split as split:
                rows = np.ascontiguousarray(split.pattern)
                if rows.dtype.kind == "f":
                    rows = np.where(np.isnan(rows), np.finfo(float).max, rows)
                _, label = np.unique(rows, axis=0, return_inverse=True)
                label = label.reshape(-1)
                groups += [(chosen[label == k], order) for k in range(label.max() + 1)]
                continue
            except TooFewTerms as short:
                if order >= _MOST_TERMS:
                    raise Unfit("a quotient of two functions that both vanish to high order") from short
                groups.append((chosen, order + 1))
                continue
            with np.errstate(invalid="ignore"):
                jumps = ~(np.abs(found.v - value) <= 8 * noise + 1e-12 * np.abs(value)) & ~(found.v == value)
            slopes[chosen] = np.where(jumps, np.nan, _first(found, len(chosen)))
        return slopes

    def loudest(self, x: Array, output: int) -> tuple[Node, Node] | None:
        """The operation whose rounding errors matter the most to an output, and that of the main graph it belongs to.

        Found by halving: only a part of the operations rounds. None where nothing rounds at all.
        """
        none = np.zeros((0, x.size))

        def noise(part: range) -> tuple[float, int]:
            run = Pass(0, lanes=4 * LANES, only=part)
            found = self.run(run, x, none)
            return float(_deviation(found, 0)[output]), run.executed

        part = range(1 << 62)
        whole, count = noise(part)
        if not whole:
            return None
        part = range(count)
        while len(part) > 1:
            middle = (part.start + part.stop) // 2
            first, second = range(part.start, middle), range(middle, part.stop)
            part = first if noise(first)[0] >= noise(second)[0] else second
        return self.operation(x, part.start)

    def operation(self, x: Array, number: int) -> tuple[Node, Node] | None:
        """The operation that runs as the one of a number, and that of the main graph it belongs to."""
        found: list[Node] = []

        def observer(run: Pass, program: Program, node: Node, _inputs: Any, _found: Any) -> None:
            if not found and run.executed > number:
                found.append(node)
            if len(found) == 1 and program is self.program:
                found.append(node)

        self.run(Pass(0, observer=observer), x, np.zeros((0, x.size)))
        return (found[0], found[1]) if len(found) > 1 else None

    def shaken(self, x: Array, directions: Array, *, scale: float, seed: int, formulas: bool = True) -> Array:
        """A sample of the rounding errors of slopes, in the subject's own precision, ``[directions, y_size]``.

        Args:
            x, directions: as for `slopes`.
            scale: how many unit roundoffs of its type each operation is shaken by; the result is per unit roundoff.
            seed: of the rounding errors.
            formulas: whether rounding errors of customary formulas for local derivatives are among them.
        """
        if self._still is None or self._still[0] is not directions or self._still[1] is not x:
            run = Pass(len(directions), convention=Convention.USUAL)
            self._still = (directions, x, _first(self.run(run, x, directions), len(directions)))
        run = Pass(len(directions), convention=Convention.USUAL, shaken=scale, seed=seed, formulas=formulas)
        with np.errstate(all="ignore"):
            moved = _first(self.run(run, x, directions), len(directions))
            return np.asarray((moved - self._still[2]) / scale)


def _first(found: Jet, count: int) -> Array:
    """The coefficients of order 1 along the directions that count."""
    if not found.d:
        return np.zeros((count, found.v.size))
    return np.array(found.d[0][:count])


def _deviation(found: Jet, count: int) -> Array:
    if not found.d or found.d[0].shape[0] <= count:
        return np.zeros(found.v.shape)
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = np.sqrt(np.mean(np.square(found.d[0][count:]), axis=0))
    return np.asarray(np.where(np.isfinite(deviation), deviation, 0.0))


def _joined(parts: Sequence[Slopes]) -> Slopes:
    def together(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    return replace(
        parts[0],
        right=together("right"),
        left=together("left"),
        low=together("low"),
        high=together("high"),
        ties=max(part.ties for part in parts),
        fuzzy=max(part.fuzzy for part in parts),
        places=max((part.places for part in parts), key=len),
    )
