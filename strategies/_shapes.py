"""Few shapes while searching, the smallest while shrinking.

Every new `(batch, time)` costs a trace and an XLA compilation of 0.1-2 s for each mode, so a search draws
from a menu of four and puts its variety into lengths, padding and values. The shrinker can leave the menu: it
drops rows, steps in between, and steps from the end and from the beginning, each through a code that
means "as in the menu" except where it is tiny, which in generation happens for one in about a thousand. What is
dropped is cut out of the finished batch: what stays keeps its numbers, so that a failure is not lost with what has
nothing to do with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gradcheck.strategies._genome import Genome, rare_width

__all__ = ["ShapeMenu", "shape_menu"]


@dataclass(frozen=True)
class Shape:
    """A drawn shape, and what of it is kept (all but while shrinking).

    Attributes:
        rows, time: of the menu.
        kept: which rows are kept.
        steps: which steps are kept.
    """

    rows: int
    time: int
    kept: list[int]
    steps: range

    def cut(self, lengths: list[int], low: int) -> list[int]:
        """The lengths of the kept rows in the kept steps; never below ``low``."""
        first, end, stride = self.steps.start, self.steps.stop, self.steps.step
        return [max(low, len(range(first, min(lengths[row], end), stride))) for row in self.kept]


@dataclass(frozen=True)
class ShapeMenu:
    """The shapes that a search draws.

    Attributes:
        by_code: `(rows, time)` for each remainder of the first byte, smallest shape first, the main one
            repeated.
        min_rows, min_time: what the shrinker may go down to.
    """

    by_code: tuple[tuple[int, int], ...]
    min_rows: int
    min_time: int

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The distinct shapes, smallest first."""
        return list(dict.fromkeys(self.by_code))

    @property
    def size(self) -> int:
        """Bytes of a genome that choose a shape."""
        rows, steps = self._widths
        return 1 + 2 * (rows * (1 if self._few else 2) + 3 * steps)

    @cached_property
    def _most(self) -> tuple[int, int]:
        """The most rows, and the most steps."""
        rows, times = zip(*self.by_code, strict=True)
        return max(rows), max(times)

    @cached_property
    def _few(self) -> bool:
        """Whether rows are so few that one code can name those that are kept."""
        rows = self._most[0]
        return rare_width(rows * (rows - self.min_rows)) == 1

    @cached_property
    def _widths(self) -> tuple[int, int]:
        """Of the codes that choose rows and steps, in bytes."""
        rows, steps = self._most
        return rare_width(0 if self._few else rows - self.min_rows), rare_width(steps - self.min_time)

    def draw(self, genome: Genome) -> Shape:
        """The shape that the genome asks for."""
        rows, time = self.by_code[genome.byte() % len(self.by_code)]
        of_rows, of_steps = self._widths
        if self._few:
            kept = kept_rows(genome.rare(of_rows), rows, self.min_rows)
        else:
            kept = list(_stretch(genome, range(rows), self.min_rows, of_rows))
        # Every second or third step shortens the rows and the time axis in proportion: a failure that needs a time axis
        # twice as long as a row is lost where either goes down alone.
        stride = -(-time // max(1, self.min_time + genome.rare(of_steps)))
        steps = _stretch(genome, range(0, time, max(1, stride)), self.min_time, of_steps)
        return Shape(rows, time, kept, steps)


def kept_rows(code: int, rows: int, min_rows: int) -> list[int]:
    """Which rows a code keeps: one row, from the first to the last, then two neighbours, and so on (the last
    row and the first are neighbours, too); from the smallest code that means them all on, all.

    Keeping a number of first rows would not do: the row that fails may be the last.
    """
    count, start = divmod(code, max(rows, 1))
    count += min_rows
    if count >= rows:
        return list(range(rows))
    return sorted((start + row) % rows for row in range(count))


def _stretch(genome: Genome, things: range, least: int, width: int) -> range:
    """Any stretch of rows or steps, of ``least`` or more: first the end is cut off, then all but the last of the rest.

    A smaller code always means fewer, and each code does so for itself.
    """
    things = things[: least + genome.rare(width)]
    return things[max(0, len(things) - least - genome.rare(width)) :]


def shape_menu(min_rows: int, max_rows: int, min_time: int, full_time: int, max_time: int) -> ShapeMenu:
    """The menu for these limits: the smallest shape, a small one, the fewest rows over the longest time axis
    (so that there is extra padding for certain), and most of the time the most rows over a time axis that a
    row can fill.

    Args:
        full_time: the longest time axis that one row can fill: the greatest length.
        max_time: that and the extra columns.
    """
    smallest = (min_rows, min_time)
    # An odd number of steps beside the even ones that people ask for: windows and strides of two leave one over.
    small = (min(max(2, min_rows), max_rows), min(max(3, min_time + 2), max_time))
    wide = (min_rows, max_time)
    main = (max_rows, max(full_time, min_time))
    others = {smallest, small, wide} - {main}
    if min_time == 0 and max_time > 0:
        others.add((min_rows, 1))  # a time axis of length 0 is real (every row empty) but has nothing to say on values
    order = sorted(others, key=lambda shape: (shape[0] * shape[1], shape[0]))
    return ShapeMenu((*order, *[main] * (8 - len(order))), min_rows, min_time)
