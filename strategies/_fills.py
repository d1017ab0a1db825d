"""What padded cells hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["FILLS", "POISON", "FillMenu", "fill_menu"]

#: Kinds of finite fill, the simplest first.
#: "data" is garbage that looks like values, different in each cell; "below" and "above" are just outside the
#: range of the values; "large" is 32 times the range: large enough to show in any leak, and small enough that
#: a layer which computes exp(values) and then multiplies by its mask does not overflow float32, and so is not
#: blamed.
FILLS = ("zero", "minus one", "above", "below", "large", "data")

#: Kinds drawn with `poison=True` besides, for 0 · NaN and 0 · Inf in a backward pass.
POISON = ("nan", "inf", "-inf", "max")


@dataclass(frozen=True)
class FillMenu:
    """What to fill padded cells with.

    Attributes:
        by_code: the kind of fill for each remainder of a byte, the simplest first and again at the end.
        numbers: the number of each kind; None for mixed content.
    """

    by_code: tuple[str, ...]
    numbers: dict[str, float | None]

    def draw(self, byte: int) -> float | None:
        """The number for a byte of the genome; None for mixed content that looks like data."""
        return self.numbers[self.by_code[byte % len(self.by_code)]]


@lru_cache(maxsize=64)
def fill_menu(kinds: tuple[str, ...], poison: bool, low: float, high: float, dtype: np.dtype[Any]) -> FillMenu:
    """The menu for values from `low` to `high` of this dtype. Fills that an integer dtype cannot hold, or
    that are no id (outside `low` … `high`, other than 0), are left out for it.
    """
    reach = max(abs(low), abs(high), 1.0)
    numbers: dict[str, float | None] = {
        "zero": 0.0,
        "minus one": -1.0,
        "above": math.floor(high) + 1.0,
        "below": math.ceil(low) - 1.0,
        "large": 32.0 * 2.0 ** math.ceil(math.log2(reach)),
        "data": None,
    }
    names = [name for name in FILLS if name in kinds]
    if dtype.kind in "iu":
        # An id outside the table makes a right lookup raise: padding holds what an id may be.
        names = [name for name in names if name in ("zero", "data") or low <= (numbers[name] or 0.0) <= high]
        names = names or ["data"]
    if poison:
        names += ["max"] if dtype.kind in "iu" else POISON
        numbers |= {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "max": greatest(dtype)}
    with np.errstate(all="ignore"):
        for name, number in numbers.items():
            if number is not None and dtype.kind not in "iu":
                # What the cells will really hold: 1e6 is Inf in float16.
                rounded = float(np.real(np.asarray(number).astype(dtype).astype(np.complex128)))
                if math.isinf(rounded) and not math.isinf(number):
                    rounded = math.copysign(greatest(dtype), number)
                numbers[name] = rounded
    simplest = [names[0]] * (2 if len(names) > 2 else 1)  # zero is what most real batches are padded with
    return FillMenu((*names, *simplest), numbers)


def greatest(dtype: np.dtype[Any]) -> float:
    """The greatest finite number of a dtype (of its real part, for a complex one)."""
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).max)
    if dtype.name == "bfloat16":
        return float.fromhex("0x1.FEp127")
    return float(np.finfo(dtype).max)
