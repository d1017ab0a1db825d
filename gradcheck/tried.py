"""What "right" rests on: how many batches were tried, and how small an error would have been seen."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from gradcheck.results import Row
from gradcheck.verdicts import Verdict

__all__ = ["tried"]


def tried(rows: Iterable[Row]) -> str:
    """In words, from what the results hold of the cells that are right; empty where they hold nothing of it."""
    exact: list[int] = []
    limits: list[int] = []
    resolutions: list[float] = []
    unknown = 0
    for row in rows:
        for mode, result in row.modes.items():
            if result.verdict not in (Verdict.PASS, Verdict.KINK):
                continue
            if examples := row.detail(mode).examples:
                exact.append(examples)
            elif row.max_examples:
                limits.append(row.max_examples)
            else:
                unknown += 1
            if result.resolution is not None and math.isfinite(result.resolution):
                resolutions.append(result.resolution)
    parts = []
    if exact or limits:
        if exact:
            counts = f"{_range(exact)} {'batch' if max(exact) == 1 else 'batches'}"
            if limits:
                counts += f", where the files give only the limit on up to {_range(limits)}"
        else:
            counts = f"up to {_range(limits)} {'batch' if max(limits) == 1 else 'batches'}"
        if unknown:
            counts += f" ({unknown} cells do not say how many)"
        parts.append(f"Each cell that is right rests on {counts}.")
    if resolutions:
        middle, worst = (f"{number:.1g}" for number in (statistics.median(resolutions), max(resolutions)))
        if middle == worst:
            parts.append(f"An error from {worst} of the gradient on would have been seen.")
        else:
            parts.append(
                f"The smallest error that would have been seen is at most {middle} of the gradient in half of them, "
                f"and {worst} in the coarsest."
            )
    return " ".join(parts)


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
