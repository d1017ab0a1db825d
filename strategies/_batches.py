"""Padded batches: lengths, padding and values together, in few shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from numpy.typing import DTypeLike

from gradcheck.errors import shown
from gradcheck.strategies import _arguments as arguments
from gradcheck.strategies._fills import FILLS, FillMenu, fill_menu
from gradcheck.strategies._genome import Genome, genomes
from gradcheck.strategies._lengths import draw_lengths, length_bytes
from gradcheck.strategies._shapes import ShapeMenu, shape_menu
from gradcheck.strategies._values import KIND_BYTES, OWN_BYTES, NumberPlan, draw_numbers, garbage, number_plan
from gradcheck.strategies.batch import SIDES, Batch, Padding

__all__ = ["BatchPlan", "batch_plan", "batches"]


# How many parts the range of weights is cut into.
_SHARES = 16


@dataclass(frozen=True)
class BatchPlan:
    """The checked arguments of `batches`, and what follows from them.

    Attributes:
        menu: the shapes.
        features: the last axis; None for `[batch, time]`.
        max_rows, min_length, max_length: limits for the lengths.
        integer: the dtype of the lengths.
        numbers: which values.
        fills: what padded cells hold.
        sides: where they are, the simpler side first.
        size: bytes of each of the genome's two strings.
        gap: unused ones at the end of the first.
    """

    menu: ShapeMenu
    features: int | None
    max_rows: int
    min_length: int
    max_length: int
    integer: np.dtype[Any]
    numbers: NumberPlan
    fills: FillMenu
    sides: tuple[str, ...]
    size: int
    gap: int

    def assemble(self, data: bytes) -> Batch:
        """The batch that these bytes stand for."""
        genome = Genome(data)
        shape = self.menu.draw(genome)
        lengths = draw_lengths(genome, shape.rows, self.max_rows, self.min_length, self.max_length, shape.time)
        side = self.sides[genome.byte() % len(self.sides)]
        fill = self.fills.draw(genome.byte())
        features = 1 if self.features is None else self.features
        whole = (shape.rows, shape.time, features)
        grid, seed = draw_numbers(genome, self.numbers, whole, lengths, gap=self.gap)
        grid, time = grid[np.ix_(shape.kept, shape.steps)], len(shape.steps)
        vector = np.array(shape.cut(lengths, self.min_length), dtype=self.integer)
        mask = np.arange(time) < vector[:, None]
        if bool(mask.all()):
            side = self.sides[0]  # without padding the side means nothing, and the plainer one reads better
        elif fill is not None:
            grid[~mask] = fill
        else:
            count = time * len(vector) - int(vector.sum())
            grid[~mask] = garbage(self.numbers, seed, count * features).reshape(count, features)
        if side == "pre":
            # Roll each row to the right: its valid steps, which are first, become its last.
            columns = (np.arange(time) + vector[:, None]) % max(time, 1)
            grid = np.take_along_axis(grid, columns[:, :, None], axis=1)
        return Batch(grid[:, :, 0] if self.features is None else grid, vector, Padding(side))


@lru_cache(maxsize=64, typed=True)
def batch_plan(
    features: Any,
    min_batch: Any,
    max_batch: Any,
    min_length: Any,
    max_length: Any,
    min_time: Any,
    max_extra: Any,
    sides: tuple[Any, ...],
    fills: tuple[Any, ...],
    poison: Any,
    lengths_dtype: Any,
    numbers: NumberPlan,
    max_numbers: Any = arguments.MOST_NUMBERS,
) -> BatchPlan:
    """The plan for these arguments of `batches`.

    Raises:
        InvalidArgument: for whatever cannot be drawn.
    """
    last = None if features is None else arguments.integer("features", features, at_least=1)
    if last is None and numbers.probabilities:
        raise InvalidArgument(
            "domain='probabilities' needs features to sum over; got features=None. Give features, 2 or more."
        )
    min_rows = arguments.integer("min_batch", min_batch, at_least=1)
    max_rows = arguments.integer("max_batch", max_batch, at_least=1)
    arguments.ordered("min_batch", min_rows, "max_batch", max_rows)
    low = arguments.integer("min_length", min_length, at_least=0)
    high = arguments.integer("max_length", max_length, at_least=0)
    arguments.ordered("min_length", low, "max_length", high)
    extra = arguments.integer("max_extra", max_extra, at_least=0)
    least_time = max(arguments.integer("min_time", min_time, at_least=0), low)
    if least_time > high + extra:
        raise InvalidArgument(
            f"min_time={shown(min_time)} is beyond the longest time axis, max_length={shown(max_length)} + "
            f"max_extra={shown(max_extra)}. Lower min_time (0 allows an empty time axis) or raise one of these."
        )
    sizes = {"max_batch": max_rows, "(max_length + max_extra)": high + extra, "features": last or 1}
    arguments.bounded(sizes, max_numbers)
    menu = shape_menu(min_rows, max_rows, least_time, high, high + extra)
    finite = fill_menu(fills, arguments.flag("poison", poison), numbers.low, numbers.high, numbers.dtype)
    used = menu.size + length_bytes(max_rows) + 2 + KIND_BYTES
    size = max(used, OWN_BYTES)
    integer = arguments.length_dtype("lengths_dtype", lengths_dtype)
    return BatchPlan(menu, last, max_rows, low, high, integer, numbers, finite, sides, size, size - used)


@st.composite
def batches(
    draw: st.DrawFn,
    *,
    features: int | None = 3,
    min_batch: int = 1,
    max_batch: int = 3,
    min_length: int = 0,
    max_length: int = 6,
    min_time: int = 1,
    max_extra: int = 2,
    dtype: DTypeLike = np.float64,
    min_value: float | None = None,
    max_value: float | None = None,
    domain: str = "real",
    singular: bool = True,
    sides: tuple[str, ...] = SIDES,
    fills: tuple[str, ...] = FILLS,
    poison: bool = False,
    lengths_dtype: DTypeLike = np.int32,
    max_numbers: int = arguments.MOST_NUMBERS,
    steps: Mapping[str, int | tuple[float, float]] | None = None,
) -> Batch:
    """Padded batches: values `[batch, time, features]` or `[batch, time]`, lengths, and how the rest is
    filled.

    A search draws four shapes, since each costs a compilation, and puts the variety into lengths (see
    `lengths`), padding and values (see `values`). Shrinks to the fewest rows, then to the shortest time axis
    and lengths, to padding behind with zeros, and to values 0, then 1, then 0.5; the shapes on the way may be
    others.

    Args:
        features: length of the last axis; None for values of `[batch, time]`.
        min_batch, max_batch: limits for the number of rows.
        min_length, max_length: limits for each length.
        min_time: the shortest time axis. It is 1, so a batch of empty rows has one padded column: a time axis
            of length 0 makes many right layers raise or return -Inf. 0 draws those, too.
        max_extra: columns that the time axis may have beyond `max_length`.
        dtype, min_value, max_value, domain, singular: the numbers, as for `values`.
        sides: where padding may be: `("post",)`, `("pre",)` or both.
        fills: what padded cells may hold, some of `"zero"`, `"minus one"`, `"above"` and `"below"` (just
            outside the range of values), `"large"` (32 times the range) and `"data"` (numbers like the valid
            ones).
        poison: also fill with NaN, ±Inf and the dtype's greatest number. Opt-in, because most right layers
            mask by multiplying, and 0 · NaN is NaN.
        lengths_dtype: `np.int32` or `np.int64`.
        max_numbers: the most numbers that the largest batch may have.
        steps: what else there is at each step, by name. A whole number n draws labels 0 … n-1, int32 `[batch, time]`;
            a pair of numbers draws weights between them, in `dtype`. They are 0 in padded steps, move and shrink with
            the values, and reach the subject through `call=`: `call=lambda layer, values, mask, labels: …`.

    Raises:
        InvalidArgument: when first drawn from, for arguments that are out of range or contradict one another.
    """
    plan = batch_plan(
        features,
        min_batch,
        max_batch,
        min_length,
        max_length,
        min_time,
        max_extra,
        arguments.choices("sides", sides, SIDES),
        arguments.choices("fills", fills, FILLS),
        poison,
        arguments.hashable(lengths_dtype, "lengths_dtype"),
        number_plan(arguments.hashable(dtype), min_value, max_value, domain, singular),
        max_numbers,
    )
    ranges = {} if steps is None else _step_ranges(steps)
    batch = plan.assemble(draw(genomes(plan.size, 2)))
    if not ranges:
        return batch
    seed = draw(st.integers(0, 2**16 - 1))
    return Batch(batch.values, batch.lengths, batch.padding, _drawn_steps(ranges, batch, seed))


def _step_ranges(steps: Any) -> dict[str, int | tuple[float, float]]:
    """The checked argument ``steps``."""
    if not isinstance(steps, Mapping):
        raise InvalidArgument(f"steps={steps!r} must be a dict such as {{'labels': 5, 'weights': (0.0, 1.0)}}.")
    found: dict[str, int | tuple[float, float]] = {}
    for name, wanted in steps.items():
        if isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool):
            found[name] = arguments.integer(f"steps[{name!r}]", wanted, at_least=1)
        elif isinstance(wanted, (tuple, list)) and len(wanted) == 2:
            low, high = (arguments.number(f"steps[{name!r}]", bound) for bound in wanted)
            if low is None or high is None:
                raise InvalidArgument(f"steps[{name!r}]={wanted!r} must be two numbers.")
            arguments.ordered(f"steps[{name!r}][0]", low, f"steps[{name!r}][1]", high)
            found[name] = (float(low), float(high))
        else:
            raise InvalidArgument(
                f"steps[{name!r}]={wanted!r} must be a number of labels, or a pair (smallest, largest) of weights."
            )
    return found


def _drawn_steps(ranges: Mapping[str, int | tuple[float, float]], batch: Batch, seed: int) -> dict[str, Any]:
    """Arrays `[batch, time]` by name, 0 at padded steps; the simplest ones for a seed of 0."""
    found = {}
    for name, wanted in ranges.items():
        several = wanted if isinstance(wanted, int) else _SHARES + 1
        # All the same at first, so that a small seed leaves the first step what it is however many there are.
        offsets = np.random.default_rng(seed // several).integers(0, several, int(batch.lengths.sum()))
        chosen = (seed + (offsets - offsets[:1] if seed >= several else 0 * offsets)) % several
        if isinstance(wanted, int):
            array = np.zeros(batch.mask.shape, np.int32)
            array[batch.mask] = chosen
        else:
            # Sixteenths of the way from one end to the other print short.
            array = np.zeros(batch.mask.shape, batch.values.real.dtype)
            array[batch.mask] = wanted[1] - chosen / _SHARES * (wanted[1] - wanted[0])
        found[name] = array
    return found
