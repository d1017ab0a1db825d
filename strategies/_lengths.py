"""Vectors of lengths: the ones that break layers, drawn on purpose and not by luck."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from gradcheck.strategies import _arguments as arguments
from gradcheck.strategies._genome import Genome, genomes, table

__all__ = ["LENGTH_CLASSES", "draw_lengths", "length_bytes", "lengths"]

#: What a vector of lengths can be drawn as, with its share. The first is what the shrinker prefers.
LENGTH_CLASSES = {
    "equal": 20,
    "free": 34,
    "one empty": 32,
    "ones": 20,
    "ascending": 26,
    "descending": 22,
    "two equal": 24,
    "full": 24,
    "one full": 22,
    "far longer": 22,
    "short": 20,
}

_CLASS = table(LENGTH_CLASSES)

#: So many rows have a byte of their own, with which the shrinker sets their length; later rows follow the
#: class.
_OWN_BYTES = 8

#: A row's byte below this (and within the range) is that row's exact length, above the least.
_EXACT = 32


def length_bytes(max_rows: int) -> int:
    """Bytes of a genome that choose up to `max_rows` lengths."""
    return 3 + min(max_rows, _OWN_BYTES)


def _mixed(seed: int, row: int) -> int:
    """A number that looks random, the same on every platform (the finalizer of splitmix64, Steele et al.
    2014).
    """
    z = (seed * 0x9E3779B97F4A7C15 + row * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return z ^ (z >> 31)


def _of_class(name: str, seed: int, rows: int, low: int, high: int) -> list[int]:
    """`rows` lengths from `low` to `high` of one class."""
    count = high - low + 1
    level = low + seed % count
    if name == "equal":
        return [level] * rows
    if name == "full":
        return [high] * rows
    if name == "ones":
        return [min(max(1, low), high)] * rows
    chosen = _mixed(seed, -1) % rows
    other = (chosen + 1 + _mixed(seed, -2) % max(rows - 1, 1)) % rows
    free = [low + _mixed(seed, row) % count for row in range(rows)]
    if name == "one empty":
        free[chosen] = low
    elif name in ("ascending", "descending"):
        # Evenly spread ranks and not sorted random numbers: strictly monotone wherever there is room for it.
        spread = [low + (row * (count - 1) + (seed % 2) * (rows - 1)) // max(rows - 1, 1) for row in range(rows)]
        free = sorted(min(length, high) for length in spread)
        if name == "descending":
            free.reverse()
    elif name == "two equal":
        free[other] = free[chosen]
    elif name == "one full":
        free[chosen] = high
    elif name == "far longer":
        free = [min(low + _mixed(seed, row) % 2, high) for row in range(rows)]
        free[chosen] = high
    elif name == "short":
        below = max(low, high - 1 - _mixed(seed, -3) % 2)
        free = [low + _mixed(seed, row) % (below - low + 1) for row in range(rows)]
    return free


def draw_lengths(genome: Genome, rows: int, max_rows: int, low: int, high: int, time: int) -> list[int]:
    """The lengths of `rows` rows, each from `low` to `high` and none beyond `time`, as the genome asks.

    Reads `length_bytes(max_rows)` bytes however many rows there are, so that what follows keeps its place.
    """
    name = _CLASS[genome.byte()]
    seed = genome.pair()
    own = genome.bytes(min(max_rows, _OWN_BYTES))
    if not rows:
        return []
    most = min(high, time)
    lengths = _of_class(name, seed, rows, low, most)
    exact = min(high - low + 1, _EXACT)
    for row, code in enumerate(own[:rows]):
        if code < exact:
            # Cut off and not refused: equal lengths stay equal while the shrinker shortens the time axis.
            lengths[row] = min(low + code, most)
    return lengths


@lru_cache(maxsize=64, typed=True)
def _checked(
    min_batch: Any, max_batch: Any, min_length: Any, max_length: Any, dtype: Any
) -> tuple[int, int, int, int, np.dtype[Any]]:
    low_rows = arguments.integer("min_batch", min_batch, at_least=0)
    high_rows = arguments.integer("max_batch", max_batch, at_least=0)
    arguments.ordered("min_batch", low_rows, "max_batch", high_rows)
    low = arguments.integer("min_length", min_length, at_least=0)
    high = arguments.integer("max_length", max_length, at_least=0)
    arguments.ordered("min_length", low, "max_length", high)
    return low_rows, high_rows, low, high, arguments.length_dtype("dtype", dtype)


@st.composite
def lengths(
    draw: st.DrawFn,
    *,
    min_batch: int = 1,
    max_batch: int = 3,
    min_length: int = 0,
    max_length: int = 6,
    dtype: DTypeLike = np.int32,
) -> np.ndarray[Any, Any]:
    """Vectors of lengths, `[batch]`, int32 or int64.

    Drawn often: all equal, all full (`max_length`), one row, a length 0, all 1, one row far longer than the
    rest, ascending, descending, two equal ones, none that reaches `max_length`. Shrinks to fewer, then to
    shorter ones.

    Args:
        min_batch, max_batch: limits for the number of rows.
        min_length, max_length: limits for each length, in time steps.
        dtype: `np.int32` (what TensorFlow uses) or `np.int64`.

    Raises:
        InvalidArgument: when first drawn from, for limits that are no integers, negative or the wrong way
        round.
    """
    low_rows, high_rows, low, high, integer = _checked(
        min_batch, max_batch, min_length, max_length, arguments.hashable(dtype)
    )
    genome = Genome(draw(genomes(2 + length_bytes(high_rows))))
    code = genome.pair()
    # Mostly a number of rows from the whole range; the smallest codes count up from the fewest, for the
    # shrinker.
    rows = low_rows + code if code < 256 else low_rows + code % (high_rows - low_rows + 1)
    rows = min(rows, high_rows)
    return np.array(draw_lengths(genome, rows, high_rows, low, high, high), dtype=integer)
