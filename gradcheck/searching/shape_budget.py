"""How many shapes the search of one mode may compile, shrinking included.

In graph mode and under XLA every new shape of a batch is traced and compiled, which takes up to seconds; a check of a
shape that is compiled takes milliseconds. A search draws few shapes by itself, but shrinking would visit many. So while
shrinking, a shape that is new is first tried in dynamic mode, which is traced once for all shapes: where the same
failure shows there, it is taken for granted in the mode (and verified for the batch that is reported). Where it does
not, the failure belongs to the mode, and a few more shapes may be compiled, the last of them kept for the smallest.
"""

from __future__ import annotations

from gradcheck.strategies import Batch

__all__ = ["MOST_SHAPES", "ShapeBudget"]

MOST_SHAPES = 6
"""Most shapes that the search of one mode compiles."""

# How many of them only small shapes may take, and how many cells (rows times steps) are small.
_RESERVED = 2
_SMALL = 4


class ShapeBudget:
    """The shapes that a mode has compiled in a search."""

    def __init__(self, mode: str) -> None:
        self._counts = mode in ("graph", "xla")
        self._seen: set[tuple[object, ...]] = set()

    def knows(self, batch: Batch) -> bool:
        """Whether a check of this batch compiles nothing new."""
        return not self._counts or _shape(batch) in self._seen

    def affords(self, batch: Batch) -> bool:
        """Whether shrinking may compile the shape of this batch."""
        left = MOST_SHAPES - len(self._seen)
        small = batch.size * batch.time <= _SMALL
        return left > 0 if small else left > _RESERVED

    def add(self, batch: Batch) -> None:
        """Remember that the shape of this batch is compiled."""
        self._seen.add(_shape(batch))


def _shape(batch: Batch) -> tuple[object, ...]:
    return (batch.values.shape, batch.values.dtype, batch.lengths.dtype)
