"""What padded cells hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.strategies._genome import table

__all__ = ["FILLS", "POISON", "FillMenu", "fill_menu"]

#: Kinds of finite fill with their shares, the simplest first.
#: "data" is garbage that looks like values, different in each cell; "below" and "above" are just outside the range
#: of the values; "large" is 32 times the range: large enough to show in any leak, and small enough that a layer which
#: computes exp(values) and then multiplies by its mask does not overflow float32, and so is not blamed.
FILLS = {"zero": 40, "minus one": 12, "above": 10, "below": 10, "large": 8, "data": 20}

#: Kinds drawn with `poison=True` besides, for 0 · NaN and 0 · Inf in a backward pass.
POISON = {"nan": 34, "inf": 14, "-inf": 12, "max": 10}


@dataclass(frozen=True)
class FillMenu:
    """What to fill padded cells with.

    Attributes:
        by_byte: the kind of fill for each value of a byte.
        numbers: the number of each kind; None for mixed content.
    """

    by_byte: tuple[str, ...]
    numbers: dict[str, float | None]

    def draw(self, byte: int) -> float | None:
        """The number for a byte of the genome; None for mixed content that looks like data."""
        return self.numbers[self.by_byte[byte]]


@lru_cache(maxsize=64)
def fill_menu(kinds: tuple[str, ...], poison: bool, low: float, high: float, dtype: np.dtype[Any]) -> FillMenu:
    """The menu for values from `low` to `high` of this dtype. Fills that an integer dtype cannot hold, or that are no
    id (outside `low` … `high`, other than 0), are left out for it."""
    reach = max(abs(low), abs(high), 1.0)
    numbers: dict[str, float | None] = {
        "zero": 0.0,
        "minus one": -1.0,
        "above": math.floor(high) + 1.0,
        "below": math.ceil(low) - 1.0,
        "large": 32.0 * 2.0 ** math.ceil(math.log2(reach)),
        "data": None,
    }
    weights = {name: FILLS[name] for name in FILLS if name in kinds}
    if dtype.kind in "iu":
        # An id outside the table makes a right lookup raise: padding holds what an id may be.
        weights = {
            name: weight
            for name, weight in weights.items()
            if name in ("zero", "data") or low <= (numbers[name] or 0.0) <= high
        }
        weights = weights or {"data": 1}
    if poison:
        weights |= POISON
        largest = greatest(dtype)
        numbers |= {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "max": largest}
        if dtype.kind in "iu":
            for name in ("nan", "inf", "-inf"):
                del weights[name]
    with np.errstate(all="ignore"):
        for name, number in numbers.items():
            if number is not None and dtype.kind not in "iu":
                # What the cells will really hold: 1e6 is Inf in float16.
                rounded = float(np.real(np.asarray(number).astype(dtype).astype(np.complex128)))
                if math.isinf(rounded) and not math.isinf(number):
                    rounded = math.copysign(greatest(dtype), number)
                numbers[name] = rounded
    return FillMenu(table(weights), numbers)


def greatest(dtype: np.dtype[Any]) -> float:
    """The greatest finite number of a dtype (of its real part, for a complex one)."""
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).max)
    if dtype.name == "bfloat16":
        return float.fromhex("0x1.FEp127")
    return float(np.finfo(dtype).max)
