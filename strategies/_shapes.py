"""Few shapes while searching, the smallest while shrinking.

Every new `(batch, time)` costs a trace and an XLA compilation of 0.1-2 s for each mode, so a search draws from a menu of
four and puts its variety into lengths, padding and values. The shrinker can leave the menu: it lowers the number of rows
and the time axis separately, each through a code of two bytes that means "as in the menu" except where it is tiny,
which in generation happens for one in about ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.strategies._genome import Genome

__all__ = ["SHAPE_BYTES", "ShapeMenu", "shape_menu"]

#: Bytes of a genome that choose a shape.
SHAPE_BYTES = 5


@dataclass(frozen=True)
class ShapeMenu:
    """The shapes that a search draws.

    Attributes:
        by_byte: `(rows, time)` for each value of the first byte, smallest shape first.
        min_rows, min_time: what the shrinker may go down to.
    """

    by_byte: tuple[tuple[int, int], ...]
    min_rows: int
    min_time: int

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The distinct shapes, smallest first."""
        return list(dict.fromkeys(self.by_byte))

    def draw(self, genome: Genome) -> tuple[int, int]:
        """The rows and the time axis that the genome asks for."""
        rows, time = self.by_byte[genome.byte()]
        return min(rows, self.min_rows + genome.pair()), min(time, self.min_time + genome.pair())


def shape_menu(min_rows: int, max_rows: int, min_time: int, full_time: int, max_time: int) -> ShapeMenu:
    """The menu for these limits: the smallest shape, a small one, the fewest rows over the longest time axis (so that
    there is extra padding for certain), and most of the time the most rows over a time axis that a row can fill.

    Args:
        full_time: the longest time axis that one row can fill: the greatest length.
        max_time: that and the extra columns.
    """
    smallest = (min_rows, min_time)
    small = (min(max(2, min_rows), max_rows), min(max(2, min_time + 1), max_time))
    wide = (min_rows, max_time)
    main = (max_rows, max(full_time, min_time))
    shares = [(smallest, 30), (small, 56), (wide, 42), (main, 128)]
    if min_time == 0:
        # A time axis of length 0 is real (every row empty) but says the same thing each time.
        shares = [(smallest, 12), ((min_rows, min(1, max_time)), 24), (small, 50), (wide, 42), (main, 128)]
    merged: dict[tuple[int, int], int] = {}
    for shape, weight in shares:  # limits can make two of them the same
        merged[shape] = merged.get(shape, 0) + weight
    order = sorted(merged, key=lambda shape: (shape[0] * shape[1], shape[0]))
    total = sum(merged.values())
    by_byte: list[tuple[int, int]] = []
    done = 0
    for shape in order:
        done += merged[shape]
        by_byte += [shape] * (round(256 * done / total) - len(by_byte))
    return ShapeMenu(tuple(by_byte), min_rows, min_time)
