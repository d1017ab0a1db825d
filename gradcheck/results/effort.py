"""What a pass is worth: how many batches were tried, the detection limit, which passes are weak, and by which build."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from gradcheck.releases.names import version_key
from gradcheck.results.rows import Results
from gradcheck.verdicts import Verdict

__all__ = ["tried"]

# So many cells are named that pass and say little for the same reason.
_MOST_WEAK = 6


def tried(results: Results) -> str:
    """In words, from what the results hold of the cells that are right; empty where they hold nothing of it."""
    exact: list[int] = []
    limits: list[int] = []
    typical: list[float] = []
    resolutions: list[float] = []
    weak: dict[str, list[str]] = {}
    unknown = 0
    for row in results.rows:
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
                typical.append(result.resolution if result.typical is None else result.typical)
            for words in result.weak:
                weak.setdefault(words, []).append(f"{row.subject} in {mode}")
    parts = [_weak(words, cells) for words, cells in weak.items()]
    if exact or limits:
        if exact:
            counts = f"{_range(exact)} {'batch' if max(exact) == 1 else 'batches'}"
            if limits:
                counts += f", where the files give only the limit on up to {_range(limits)}"
        else:
            counts = f"up to {_range(limits)} {'batch' if max(limits) == 1 else 'batches'}"
        if unknown:
            counts += f" ({unknown} cells do not say how many)"
        parts.append(f"Each passing cell checked {counts}.")
    if resolutions:
        middle, worst = _rounded_up(statistics.median(typical)), _rounded_up(max(resolutions))
        limit = f"{worst} of the gradient's size"
        if middle != worst:
            limit = f"{middle} of the gradient's size (median), {worst} (worst)"
        parts.append(f"Detection limit: an error of {limit}.")
    return " ".join([*parts, *_builds(results)])


def _weak(words: str, cells: list[str]) -> str:
    shown = ", ".join(cells[:_MOST_WEAK]) + (f" and {len(cells) - _MOST_WEAK} more" if len(cells) > _MOST_WEAK else "")
    return f"Weak pass: {words} ({shown})."


def _rounded_up(number: float) -> str:
    """To one digit, and never to less than was measured."""
    unit = 10.0 ** math.floor(math.log10(number)) if number > 0 else 1.0
    return f"{math.ceil(number / unit * (1 - 1e-12)) * unit:.1g}"


def _builds(results: Results) -> list[str]:
    """A warning where not all was measured by one build: what differs between releases may then be the checker's."""
    by_build: dict[str, set[str]] = {}
    for row in results.rows:
        by_build.setdefault(row.build, set()).add(row.tensorflow)
    unknown = by_build.pop("", None)
    if len(by_build) + bool(unknown) < 2 or not by_build:
        return []
    named = [f"{build}: {_listed(versions)}" for build, versions in sorted(by_build.items())]
    if unknown:
        named.append(f"not known: {_listed(unknown)}")
    return [
        f"Not all of it was measured by one build of gradcheck ({'; '.join(named)}): what differs between those "
        "releases may be the checker's doing. To be sure, measure them anew with one."
    ]


def _listed(versions: Iterable[str]) -> str:
    return ", ".join(sorted(versions, key=version_key))


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
