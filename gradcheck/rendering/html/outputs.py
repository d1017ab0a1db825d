"""Two results that should be equal, beside each other: of two modes, of two calls, before and after a change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradcheck.rendering.places import Places, real
from gradcheck.support.number_text import number, pair

__all__ = ["ComparedOutputs", "compared_outputs"]

_MOST = 12


@dataclass(frozen=True)
class ComparedOutputs:
    """A table.

    Attributes:
        labels: what the two results are of.
        rows: name of the output, both results, their difference, and whether it is the worst.
        more: how many further ones there are.
    """

    labels: tuple[str, str]
    rows: tuple[tuple[str, str, str, str, bool], ...]
    more: int


def compared_outputs(evidence: Mapping[str, Any]) -> ComparedOutputs | None:
    """The table of a document's evidence; None where nothing was compared."""
    found = evidence.get("compared")
    if not found:
        return None
    names = Places(evidence["outputs"], evidence["padded_outputs"])
    lines = []
    for place, one, two in zip(found["places"], map(real, found["first"]), map(real, found["second"]), strict=True):
        apart = abs(one - two)
        both = pair(one, two)
        size = apart if math.isfinite(apart) else math.inf if str(one) != str(two) else 0.0
        lines.append((size, place, (names.describe(place), *both, number(apart, 3), place == found.get("worst"))))
    # The largest differences are kept, in the order in which they lie in the output.
    kept = sorted(sorted(lines, key=lambda line: (-line[0], line[1]))[:_MOST], key=lambda line: line[1])
    labels = found["labels"]
    return ComparedOutputs((str(labels[0]), str(labels[1])), tuple(row for _, _, row in kept), len(lines) - len(kept))
