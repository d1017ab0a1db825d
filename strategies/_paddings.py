"""Padding alone, masks, and what a mask looks like to Keras or to a multiplication."""

from __future__ import annotations

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
from gradcheck.strategies._shapes import shape_menu
from gradcheck.strategies._values import number_plan
from gradcheck.strategies.batch import SIDES, Padding

__all__ = ["masks", "paddings"]

#: So many cells of a mask can have a hole of their own.
_HOLES = 8


@lru_cache(maxsize=64, typed=True)
def _fills(fills: tuple[Any, ...], poison: Any, dtype: Any, min_value: Any, max_value: Any) -> FillMenu:
    numbers = number_plan(dtype, min_value, max_value, "real", True)
    return fill_menu(fills, arguments.flag("poison", poison), numbers.low, numbers.high, numbers.dtype)


@st.composite
def paddings(
    draw: st.DrawFn,
    *,
    sides: tuple[str, ...] = SIDES,
    max_extra: int = 2,
    fills: tuple[str, ...] = FILLS,
    poison: bool = False,
    dtype: DTypeLike = np.float64,
    min_value: float | None = None,
    max_value: float | None = None,
) -> Padding:
    """Ways to pad: a side, a number of extra columns, a fill. To use with lengths and values of your own.

    Shrinks to `Padding()`: behind the valid steps, no extra column, zeros.

    Args:
        sides: `("post",)`, `("pre",)` or both.
        max_extra: most columns beyond the longest row.
        fills: some of `"zero"`, `"minus one"`, `"above"`, `"below"`, `"large"` and `"data"` (drawn as
            `fill=None`: the padded cells are to hold numbers like the valid ones).
        poison: also NaN, ±Inf and the greatest finite number of `dtype`.
        dtype, min_value, max_value: of the values to be padded; `"above"` and `"below"` are just outside.

    Raises:
        InvalidArgument: when first drawn from, for arguments that are out of range or not known.
    """
    some_sides = arguments.choices("sides", sides, SIDES)
    most = arguments.integer("max_extra", max_extra, at_least=0)
    some_fills = arguments.choices("fills", fills, FILLS)
    menu = _fills(some_fills, poison, arguments.hashable(dtype), min_value, max_value)
    genome = Genome(draw(genomes(4)))
    extra = genome.pair()
    extra = min(extra, most) if extra < 256 else extra % (most + 1)
    side = some_sides[genome.byte() % len(some_sides)]
    return Padding(side, extra, menu.draw(genome.byte()))


@st.composite
def masks(
    draw: st.DrawFn,
    *,
    min_batch: int = 1,
    max_batch: int = 3,
    min_length: int = 0,
    max_length: int = 6,
    min_time: int = 1,
    max_extra: int = 2,
    sides: tuple[str, ...] = SIDES,
    holes: bool = False,
    time_major: bool = False,
    dtype: DTypeLike = np.bool_,
) -> np.ndarray[Any, Any]:
    """Masks `[batch, time]`: True (or 1) at valid steps. Drawn from the lengths and shapes that `batches`
    draws.

    Args:
        min_batch, max_batch, min_length, max_length, min_time, max_extra: as for `batches`.
        sides: where the padding is.
        holes: also masks with steps left out in the middle, as `mask_zero=True` makes of a token 0. Opt-in:
            many layers take a mask for a length.
        time_major: `[time, batch]`, as some recurrent layers want it.
        dtype: `np.bool_`, or a float or integer dtype for masks to multiply by.

    Raises:
        InvalidArgument: when first drawn from, for arguments that are out of range or contradict one another.
    """
    least, most = (
        arguments.integer("min_batch", min_batch, at_least=1),
        arguments.integer("max_batch", max_batch, at_least=1),
    )
    arguments.ordered("min_batch", least, "max_batch", most)
    low = arguments.integer("min_length", min_length, at_least=0)
    high = arguments.integer("max_length", max_length, at_least=0)
    arguments.ordered("min_length", low, "max_length", high)
    longest = high + arguments.integer("max_extra", max_extra, at_least=0)
    shortest = max(low, arguments.integer("min_time", min_time, at_least=0))
    if shortest > longest:
        raise InvalidArgument(
            f"min_time={shown(min_time)} is beyond the longest time axis, max_length={shown(max_length)} + "
            f"max_extra={shown(max_extra)}. Lower min_time or raise one of these."
        )
    some_sides = arguments.choices("sides", sides, SIDES)
    numbers = arguments.dtype_of("dtype", dtype, kinds="bfiu")
    with_holes, transposed = arguments.flag("holes", holes), arguments.flag("time_major", time_major)
    menu = shape_menu(least, most, shortest, high, longest)
    genome = Genome(draw(genomes(menu.size + length_bytes(most) + 2 + _HOLES)))
    shape = menu.draw(genome)
    drawn = draw_lengths(genome, shape.rows, most, low, high, shape.time)
    lengths, time = np.array(shape.cut(drawn, low), dtype=np.int64), len(shape.steps)
    columns = np.arange(time)
    pre = some_sides[genome.byte() % len(some_sides)] == "pre"
    mask = columns >= (time - lengths)[:, None] if pre else columns < lengths[:, None]
    if with_holes and genome.byte() % 2:
        for hole in genome.bytes(_HOLES):
            # 0 means none, so the shrinker fills holes one by one.
            if hole and mask.size:
                mask[(hole - 1) % len(lengths), (hole - 1) // len(lengths) % time] = False
    result: np.ndarray[Any, Any] = (mask.T if transposed else mask).astype(numbers)
    return result
