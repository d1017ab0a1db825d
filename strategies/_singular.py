"""Singular values: what generic numbers never hit and layers trip over, put into a grid of numbers on
purpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.strategies._genome import table

__all__ = ["SINGULAR", "SINGULAR_KIND", "overlay"]

Array = np.ndarray[Any, Any]

#: What is laid over the generic numbers, with its share. The first, nothing, is what the shrinker prefers.
SINGULAR = {
    "none": 226,
    "zero entry": 14,
    "zero row": 13,
    "zero step": 16,
    "all zero": 7,
    "tie in time": 5,
    "tie in step": 5,
    "tie across rows": 4,
    "equal rows": 24,
    "equal steps": 3,
    "constant row": 5,
    "constant rows": 4,
    "constant in time": 3,
    "constant in features": 4,
    "opposite": 18,
    "one": 26,  # beside "bound": a batch that fails with any number that is not 0 comes to rest here
    "bound": 3,
    "tiny": 20,
    "huge": 14,
}

SINGULAR_KIND = table(SINGULAR)


def _two(where: int, count: int) -> tuple[int, int]:
    """Two different numbers below `count` (which is 2 or more)."""
    first = where % count
    return first, (first + 1 + (where // count) % (count - 1)) % count


def overlay(
    kind: str,
    where: int,
    grid: Array,
    lengths: list[int],
    *,
    low: float,
    high: float,
    huge: tuple[float, float],
) -> None:
    """Write the singularity `kind` into `grid`, in place, and into `lengths` for equal rows.

    Args:
        kind: a key of `SINGULAR`.
        where: picks rows, steps, features and signs; 0 picks the first ones.
        grid: `[rows, steps, features]`; row i is valid in its first `lengths[i]` steps.
        low, high: every number stays from `low` to `high`, except:
        huge: the least and greatest number that "huge" may write; `(low, high)` where the caller set both.
    """
    filled = [row for row, length in enumerate(lengths) if length]
    features = grid.shape[2]
    if kind == "none" or not filled or not features:
        return
    zero = 0.0 if low <= 0.0 <= high else low
    row = filled[where % len(filled)]
    where //= len(filled)
    length = lengths[row]
    part = grid[row, :length]  # a view: writing to it writes to the grid
    if kind == "tie in time" and length < 2:
        kind = "tie in step"
    if kind == "tie in step" and features < 2:
        kind = "tie in time" if length > 1 else "tie across rows"
    if kind in ("tie across rows", "equal rows") and len(lengths) < 2:
        kind = "constant row"
    if kind == "tie across rows" and len(filled) < 2:
        kind = "constant row"
    if kind == "equal steps" and length < 2:
        kind = "constant row"
    if kind == "zero step" and length < 2:
        kind = "zero row"

    if kind == "zero row":
        part[...] = zero
    elif kind == "zero step":
        part[where % length] = zero
    elif kind == "all zero":
        grid[...] = zero
    elif kind == "tie in time":
        first, second = _two(where, length)
        feature = (where // (length * (length - 1))) % features
        part[second, feature] = part[first, feature]
    elif kind == "tie in step":
        first, second = _two(where, features)
        step = (where // (features * (features - 1))) % length
        part[step, second] = part[step, first]
    elif kind == "tie across rows":
        other = filled[(filled.index(row) + 1) % len(filled)]
        step = where % min(length, lengths[other])
        feature = (where // max(length, 1)) % features
        grid[other, step, feature] = part[step, feature]
    elif kind == "equal rows":
        other = (row + 1 + where % (len(lengths) - 1)) % len(lengths)
        lengths[other] = length
        grid[other] = grid[row]
    elif kind == "equal steps":
        first, second = _two(where, length)
        part[second] = part[first]
    elif kind == "constant row":
        part[...] = part[0, 0]
    elif kind == "constant rows":
        grid[...] = grid[:, :1, :1]
    elif kind == "constant in time":
        part[...] = part[:1]
    elif kind == "constant in features":
        part[...] = part[:, :1]
    else:
        _one_entry(kind, where, part, zero=zero, low=low, high=high, huge=huge)


def _one_entry(
    kind: str, where: int, part: Array, *, zero: float, low: float, high: float, huge: tuple[float, float]
) -> None:
    """The singularities of one number of a row (`part`, `[steps, features]`) or of its size."""
    size = part.shape[0] * part.shape[1]
    at = where % size
    step, feature = divmod(at, part.shape[1])
    odd = (where // size) % 2
    if kind == "zero entry":
        part[step, feature] = zero
    elif kind == "one":
        # Where clipping, arc cosines and logarithms of 1 - x bend.
        wanted = (1.0, 1.0, -1.0, 0.5)[where // size % 4]
        part[step, feature] = wanted if low <= wanted <= high else min(high, max(low, 1.0))
    elif kind == "bound":
        part[step, feature] = low if odd else high
    elif kind == "huge":
        part[step, feature] = huge[0] if odd else huge[1]
    elif kind == "opposite":
        number = -part[step, feature]
        if size > 1 and low <= number.real <= high and low <= number.imag <= high:
            other = (at + 1) % size
            part[other // part.shape[1], other % part.shape[1]] = number
        else:
            part[step, feature] = zero
    elif kind == "tiny" and low <= 0.0 <= high and part.dtype.kind in "fc":
        # 2^-20 is 9.5e-7, where norms and divisions with an epsilon of 1e-6 bend; 2^-10 is where float16
        # ends.
        scale = (2.0**-20, 2.0**-10, 2.0**-40)[(where // size // 2) % 3]
        if odd:
            part *= scale
        else:
            part[step, feature] = scale if high >= scale else -scale
    else:
        part[step, feature] = low
