"""Arrays of numbers: readable, away from kinks, and with a share of singular ones drawn on purpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from numpy.typing import DTypeLike

from gradcheck.errors import shown
from gradcheck.strategies import _arguments as arguments
from gradcheck.strategies._genome import Genome, genomes
from gradcheck.strategies._numbers import generic_pool, permutation, simple_pool
from gradcheck.strategies._singular import SINGULAR_KIND, overlay

__all__ = ["DOMAINS", "KIND_BYTES", "OWN_BYTES", "NumberPlan", "draw_numbers", "garbage", "number_plan", "values"]

Array = np.ndarray[Any, Any]

#: Sets of numbers that values can be restricted to.
DOMAINS = ("real", "positive", "unit", "probabilities")

#: So many valid numbers have a code of their own, with which the shrinker makes each as simple as it can be.
_OWN_CODES = 14

#: A byte below this makes all numbers the same simple one: 0, then 1.
_SAME = 2

#: A number of its own is one of so many simple ones: 0, 1, 0.5, -1, 2.
_SIMPLEST = 5

#: Bytes of a genome that choose the kind of numbers, and that choose single ones, whatever the shape.
KIND_BYTES = 1 + 2 + 1 + 2
OWN_BYTES = 2 * _OWN_CODES

#: exp overflows float32 beyond 88.7 and float16 beyond 11.1: the hugest number that is drawn unasked.
_HUGE = {"float16": 16.0}
_HUGE_ELSEWHERE = 96.0


@dataclass(frozen=True)
class NumberPlan:
    """Which numbers to draw.

    Attributes:
        dtype: of the array.
        low, high: the range of all numbers but the huge ones.
        huge: the least and the greatest huge number.
        singular: whether to draw singular ones.
        probabilities: whether the last axis is made to sum to 1.
    """

    dtype: np.dtype[Any]
    low: float
    high: float
    huge: tuple[float, float]
    singular: bool
    probabilities: bool


@lru_cache(maxsize=64, typed=True)
def number_plan(dtype: Any, min_value: Any, max_value: Any, domain: Any, singular: Any) -> NumberPlan:
    """The checked arguments as a plan.

    Raises:
        InvalidArgument: for whatever cannot be drawn.
    """
    numbers = arguments.dtype_of("dtype", dtype, kinds="fciu")
    singular = arguments.flag("singular", singular)
    if domain not in DOMAINS:
        raise InvalidArgument(f"domain={shown(domain)} is not known. Use one of {DOMAINS}.")
    least, most = arguments.number("min_value", min_value), arguments.number("max_value", max_value)
    integers = numbers.kind in "iu"
    if domain in ("unit", "probabilities") and not (least is None and most is None):
        raise InvalidArgument(
            f"domain={shown(domain)} goes from 0 to 1 by itself; got min_value={shown(min_value)}, "
            f"max_value={shown(max_value)}. "
            "Leave them out, or use domain='real'."
        )
    if domain != "real" and integers:
        raise InvalidArgument(f"domain={shown(domain)} needs a float dtype; got {numbers.name}. Use domain='real'.")
    if domain == "probabilities" and numbers.kind == "c":
        raise InvalidArgument(f"domain='probabilities' needs a real dtype; got {numbers.name}.")
    if domain == "positive" and least is not None and least <= 0:
        raise InvalidArgument(f"min_value={shown(min_value)} is not positive. Use domain='real', or a greater one.")
    huge = _HUGE.get(numbers.name, _HUGE_ELSEWHERE)
    if integers:
        low = (0 if most is None or most >= 0 else most - 7) if least is None else least
        high = low + 7 if most is None else most
    elif domain == "positive":
        low = (2.0**-4 if most is None or most > 2.0**-4 else most / 16) if least is None else least
        high = max(4.0, 2 * low) if most is None else most
    elif domain in ("unit", "probabilities"):
        low, high = 0.0, 1.0
    else:
        low = (-2.0 if most is None or most >= 0 else 2.0 * most - 4.0) if least is None else least
        high = (2.0 if low <= 0 else 2.0 * low + 4.0) if most is None else most
    arguments.ordered("min_value", low, "max_value", high)
    arguments.representable("min_value", low, numbers)
    arguments.representable("max_value", high, numbers)
    if not integers:
        within = (
            arguments.inward(float(low), numbers, up=True),
            arguments.inward(float(high), numbers, up=False),
        )
        if within[0] > within[1]:
            raise InvalidArgument(
                f"No {numbers.name} lies from min_value={shown(low)} to max_value={shown(high)}. "
                "Widen the range or the dtype."
            )
        low, high = within
    bounded = integers or domain in ("unit", "probabilities")
    least_huge = low if bounded or least is not None or domain == "positive" else min(low, -huge)
    most_huge = high if bounded or most is not None else max(high, huge)
    if least_huge == low and most_huge > high:
        least_huge = most_huge  # only one side is open: huge ones all go there
    elif most_huge == high and least_huge < low:
        most_huge = least_huge
    return NumberPlan(
        numbers,
        float(low),
        float(high),
        (float(least_huge), float(most_huge)),
        singular,
        domain == "probabilities",
    )


def _generic(plan: NumberPlan, seed: int, size: int) -> Array:
    pool = generic_pool(plan.low, plan.high, plan.dtype, size)
    order = permutation(seed, len(pool))
    if size > len(order):
        order = np.resize(order, size)  # more numbers are asked for than there are: they repeat
    numbers: Array = pool[order[:size]]
    return numbers


def draw_numbers(
    genome: Genome,
    plan: NumberPlan,
    shape: tuple[int, int, int],
    lengths: list[int],
    *,
    gap: int = 0,
) -> tuple[Array, int]:
    """Numbers of `shape` (rows, steps, features); row i is valid in its first `lengths[i]` steps, which equal
    rows may change, in place. And a seed for other numbers. Reads `KIND_BYTES`, skips `gap` bytes and reads
    `OWN_BYTES`.
    """
    base = genome.byte()  # first: once all numbers are 0, the kind of singularity changes nothing any more
    kind = SINGULAR_KIND[genome.byte()]
    where = genome.pair()
    seed = genome.pair()
    genome.bytes(gap)
    codes = np.frombuffer(genome.bytes(OWN_BYTES), dtype=np.uint8).reshape(_OWN_CODES, 2).max(axis=1)
    size = math.prod(shape)
    simple = simple_pool(plan.low, plan.high, plan.dtype)
    grid: Array
    if base < _SAME:
        grid = np.full(shape, simple[min(base, len(simple) - 1)])
    else:
        grid = _generic(plan, seed, size).reshape(shape)
    if plan.dtype.kind == "c":
        imaginary = _generic(plan, seed + 1, size).reshape(shape) if base >= _SAME else 0.0
        grid = grid + 1j * imaginary
    if int(codes.min()) < _SIMPLEST:
        _apply_codes(grid, codes, simple[:_SIMPLEST])
    if plan.singular:
        # After the codes, so that the shrinker can simplify both of two equal numbers through the one.
        overlay(kind, where, grid, lengths, low=plan.low, high=plan.high, huge=plan.huge)
    if plan.probabilities:
        grid = _sum_to_one(grid)
    with np.errstate(all="ignore"):
        return grid.astype(plan.dtype), seed


def garbage(plan: NumberPlan, seed: int, size: int) -> Array:
    """A vector of `size` generic numbers: padding that looks like data, and that stays so when the values shrink
    to 0.
    """
    numbers = _generic(plan, seed ^ 0x5EED, size)
    if plan.dtype.kind == "c":
        numbers = numbers + 1j * _generic(plan, seed ^ 0xD1CE, size)
    result: Array = numbers.astype(plan.dtype)
    return result


def _apply_codes(grid: Array, codes: Array, simple: Sequence[float]) -> None:
    """Set numbers whose code n is below the number of simple ones to simple number n.

    Codes are dealt out feature by feature, then row by row, then step by step, and again from the first when they are
    used up: the smallest batches have one for each number, and no number of a large one is out of their reach.
    """
    rows, steps, features = grid.shape
    cells = np.arange(rows)[:, None, None] + rows * np.arange(steps)[:, None]
    own = codes[(cells * features + np.arange(features)) % len(codes)]
    chosen = own < len(simple)
    grid[chosen] = np.array(simple)[own[chosen]]


def _sum_to_one(grid: Array) -> Array:
    """Numbers from 0 to 1 as shares that sum to 1 along the last axis exactly, in short binary fractions."""
    count = grid.shape[-1]
    if not grid.size:
        return grid
    parts = 2.0 ** math.ceil(math.log2(8 * count))
    total = grid.sum(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        share = np.where(total > 0, grid / np.where(total > 0, total, 1.0), 1.0 / count)
    whole = np.floor(share * parts)
    missing = (parts - whole.sum(axis=-1)).astype(np.int64)
    order = np.argsort(np.argsort(-(share * parts - whole), axis=-1, kind="stable"), axis=-1, kind="stable")
    whole += order < missing[..., None]
    result: Array = whole / parts
    return result


def as_grid(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """How an array of any rank is seen as rows, steps and features: a vector is one row of steps."""
    if len(shape) == 0:
        return 1, 1, 1
    if len(shape) == 1:
        return 1, shape[0], 1
    return shape[0], shape[1], math.prod(shape[2:])


@st.composite
def values(
    draw: st.DrawFn,
    *,
    shape: int | tuple[int, ...] | st.SearchStrategy[tuple[int, ...]],
    dtype: DTypeLike = np.float64,
    min_value: float | None = None,
    max_value: float | None = None,
    domain: str = "real",
    singular: bool = True,
) -> Array:
    """Arrays of numbers to differentiate at.

    More than half are *generic*: short binary fractions, all different, none of them 0, ±½, ±1 or the opposite of
    another. The others are *singular* in one way: an exact 0, a step or a row of zeros, all zeros, the number 1, ties,
    equal or constant rows, opposite, tiny or huge numbers. Shrinks to 0, then 1, then 0.5.

    Args:
        shape: axis lengths, as `hypothesis.extra.numpy.arrays` takes them: a tuple, or a strategy that draws
            one. The first axis is taken for rows and the second for time steps where ties and equal rows are
            drawn.
        dtype: float16, bfloat16, float32, float64, complex64, complex128, or an integer dtype for ids.
        min_value, max_value: limits, both included. Left out, they are -2 and 2 (0 and 7 for integers),
            except that a *huge* number reaches ±96 (±16 in float16), beyond which exp overflows in float32.
            For a complex dtype they hold for the real and the imaginary part.
        domain: `"real"`; `"positive"` (from 1/16 on); `"unit"` (0 … 1); `"probabilities"` (the last axis sums
            to 1).
        singular: False for generic numbers only.

    Raises:
        InvalidArgument: when first drawn from, for arguments that contradict one another or the dtype.
    """
    plan = number_plan(arguments.hashable(dtype), min_value, max_value, domain, singular)
    axes = arguments.shape_of("shape", draw(shape) if isinstance(shape, st.SearchStrategy) else shape)
    if plan.probabilities and not axes:
        raise InvalidArgument("shape=() has no axis along which domain='probabilities' could sum to 1.")
    rows, steps, features = (math.prod(axes[:-1]), 1, axes[-1]) if plan.probabilities else as_grid(axes)
    genome = Genome(draw(genomes(KIND_BYTES + OWN_BYTES)))
    return draw_numbers(genome, plan, (rows, steps, features), [steps] * rows)[0].reshape(axes)
