"""The numbers that values are made of: generic ones away from kinks, and simple ones to shrink to.

*Generic* numbers are short binary fractions k/2^q with k ≡ 1 (mod 4). So none is 0, ±½, ±1 or another
multiple of ⅛ where functions bend; no two of a tensor are equal; none is the opposite of another, and the sum
of two is never 0. *Simple* numbers come in the order 0, 1, 0.5, -1, 2 …
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["generic_pool", "permutation", "simple_pool"]

Array = np.ndarray[Any, Any]

#: Generic numbers keep this distance from 0 where the range allows: as far as the longest usual difference
#: step.
_MARGIN = 1 / 32

#: More distinct numbers than this are not prepared; a larger tensor repeats some.
_MOST = 1 << 16

_SIMPLE = (0.0, 1.0, 0.5, -1.0, 2.0, -0.5, -2.0, 0.25, 1.5, -0.25, 0.75, -1.5, -0.75, 3.0, 4.0, -3.0, -4.0)


def _exact(numbers: Array, dtype: np.dtype[Any]) -> Array:
    """Those of the float64 `numbers` that `dtype` (its real part, for a complex one) holds exactly."""
    with np.errstate(all="ignore"):
        rounded = numbers.astype(dtype).real.astype(np.float64)
    kept: Array = numbers[rounded == numbers]
    return kept


def _lattice(low: float, high: float, exponent: int, residue: int, modulus: int, limit: int) -> Array:
    """The multiples k · 2^-exponent strictly between `low` and `high` with k ≡ residue; at most about
    `limit`.
    """
    scale = 2.0**exponent
    first = math.floor(low * scale) + 1
    last = math.ceil(high * scale) - 1
    first += (residue - first) % modulus
    if last < first:
        return np.zeros(0)
    count = (last - first) // modulus + 1
    stride = modulus * max(1, count // max(limit, 1))  # a multiple of the modulus keeps the residue
    picked = np.arange(first, last + 1, stride, dtype=np.float64)
    return picked / scale


@lru_cache(maxsize=64)
def generic_pool(low: float, high: float, dtype: np.dtype[Any], size: int) -> Array:
    """At least `size` distinct generic numbers from `low` to `high` where the dtype has so many, else all
    there are.

    The fewest binary digits that give enough are used, so small tensors print short. Read-only float64
    (integers for an integer dtype), sorted.
    """
    size = min(max(size, 12), _MOST)
    if dtype.kind in "iu":
        first, last = int(low), int(high)
        stride = max(1, (last - first + 1) // (4 * size))
        whole = np.arange(first, last + 1, stride, dtype=np.int64)
        whole.flags.writeable = False
        return whole
    width = high - low
    margin = min(_MARGIN, width / 64)
    best = np.array([low])
    start = 2 - math.floor(math.log2(width)) if width > 0 else 0
    for exponent in range(start, start + 40):
        numbers = _exact(_lattice(low, high, exponent, 1, 4, 4 * size), dtype)
        numbers = numbers[np.abs(numbers) >= margin]
        if len(numbers) > len(best) or best[0] == low:
            best = numbers if len(numbers) else best
        if len(numbers) >= size or (len(numbers) < len(best) and width > 0):
            break
    best.flags.writeable = False
    return best


@lru_cache(maxsize=256)
def simple_pool(low: float, high: float, dtype: np.dtype[Any]) -> tuple[float, ...]:
    """Up to 32 numbers from `low` to `high`, the simplest first: 0, 1, 0.5, -1, 2 …, then those with the
    fewest binary digits; `low` alone where the dtype has nothing else there.
    """
    found = [number for number in _SIMPLE if low <= number <= high]
    if dtype.kind in "iu":
        found = [number for number in found if number == int(number)]
        found += [float(number) for number in range(int(low), min(int(high), int(low) + 32) + 1)]
        return tuple(dict.fromkeys(found))[:32]
    width = high - low
    if width > 0 and len(found) < 8:
        start = -math.floor(math.log2(max(abs(low), abs(high), width)))
        for exponent in range(start, start + 60):
            numbers = _exact(_lattice(low, high, exponent, 0, 1, 64), dtype)
            found += sorted(numbers.tolist(), key=lambda number: (abs(number), number < 0))
            if len(set(found)) >= 8:
                break
    found.append(low)
    return tuple(dict.fromkeys(float(number) for number in _exact(np.array(found), dtype)))[:32] or (low,)


def permutation(seed: int, size: int) -> Array:
    """0 … size-1 in an order that looks random, the same on every platform and NumPy (splitmix64 keys,
    sorted).

    NumPy's own generators may change their streams between versions, and a drawn batch must not.
    """
    start = (seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF
    z = np.arange(1, size + 1, dtype=np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(start)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    order: Array = np.argsort(z, kind="stable")
    return order
