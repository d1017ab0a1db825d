"""The Jacobians of a failure as text: numbers where there are few columns, shades of blocks where there are more.

Readable without colour and in a log: a wrong entry is followed by ``!``, the worst one stands in brackets, padding is
followed by ``:``. Where the terminal asks for plain text (``NO_COLOR``, ``TERM=dumb``, an encoding without blocks) the
shades are ASCII characters.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.rendering.layout import paragraph, text_width
from gradcheck.rendering.places import Places, real
from gradcheck.support.number_text import number, pair

__all__ = ["heat_map_lines", "plain_text_wanted"]

_MOST_ROWS = 16
# Up to so many columns entries are written as numbers.
_MOST_NUMBERS = 6
# Characters of a number that is wrong by a little.
_MOST_DIGITS = 12

_BLOCKS, _PLAIN = "░▒▓█", ".-=#"


def plain_text_wanted() -> bool:
    """Whether the terminal asks for ASCII: ``NO_COLOR`` or ``TERM=dumb`` is set, or its encoding has no blocks."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return True
    try:
        _BLOCKS.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def heat_map_lines(evidence: Mapping[str, Any] | None, indent: int = 2) -> list[str]:
    """The Jacobians in a mode's evidence as lines of text; none where they are not known, or too large.

    Args:
        evidence: as `gradcheck.diagnosis.evidence` gives it.
        indent: columns to the left of every line.
    """
    found = (evidence or {}).get("jacobian")
    if evidence is None or not found or not found["whole"] or not len(found["rows"]) * len(found["columns"]) > 1:
        return []
    if len(found["rows"]) > _MOST_ROWS:
        return []
    table = _Table(evidence, found)
    panels = table.panels()
    if not panels:
        return []
    lines = [" " * (indent + 2) + line for line in table.side_by_side(panels, text_width() - indent - 2)]
    if not lines:
        return []
    marks = table.marks()
    return [*paragraph(table.heading(), indent), *lines, *(paragraph(f"({marks})", indent + 2) if marks else [])]


class _Table:
    def __init__(self, evidence: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self.inputs = Places(evidence["inputs"], evidence["padded_inputs"])
        self.outputs = Places(evidence["outputs"], evidence["padded_outputs"])
        self.rows, self.columns, self.found = found["rows"], found["columns"], found
        self.in_numbers = len(self.columns) <= _MOST_NUMBERS
        self.shades = _PLAIN if plain_text_wanted() else _BLOCKS
        self.padded = self.wrong = self.negative = False

    def panels(self) -> list[tuple[str, list[list[str]]]]:
        """Titles with the cells below: theoretical, and numerical where it was measured."""
        theory = [[real(value) for value in line] for line in self.found["theoretical"]]
        slopes = [[real(value) for value in line] for line in self.found["numerical"]]
        finite = [abs(v) for line in [*theory, *slopes] for v in line if math.isfinite(v)]
        scale = max(finite, default=0.0)
        panels = [("theoretical (gradient)", self._cells(theory, slopes, scale))]
        if any(math.isfinite(value) for line in slopes for value in line):
            panels.append(("numerical (measured)", self._cells(slopes, theory, scale)))
        return panels

    def _cells(
        self, values: Sequence[Sequence[float]], others: Sequence[Sequence[float]], scale: float
    ) -> list[list[str]]:
        worst = self.found.get("worst")
        cells = []
        for i, row in enumerate(self.rows):
            line = []
            for j, column in enumerate(self.columns):
                shown = self._value(values[i][j], scale)
                is_worst = worst is not None and list(worst) == [row, column]
                wrong = self.found["status"][i][j] == "MISMATCH"
                if wrong and shown == self._value(others[i][j], scale):
                    shown = self._apart(values[i][j], others[i][j]) or shown
                padded = row in self.outputs.padded or column in self.inputs.padded
                mark = "]" if is_worst else "!" if wrong else ":" if padded else " "
                self.padded |= mark == ":"
                self.wrong |= mark == "!"
                line.append(("[" if is_worst else " ") + shown + mark)
            cells.append(line)
        return cells

    def _value(self, value: float, scale: float) -> str:
        if self.in_numbers:
            shown = number(value, 4)
            return shown if len(shown) <= 8 else number(value, 2)
        if not math.isfinite(value):
            return "N"
        if value == 0 or scale == 0:
            return "·" if self.shades is _BLOCKS else " "
        self.negative |= value < 0
        shade = self.shades[min(3, int(4 * abs(value) / scale))]
        return ("-" if value < 0 else "") + shade

    def _apart(self, value: float, other: float) -> str:
        """A number with so many digits that it is not the other one's, where these are few enough to be read."""
        shown = pair(value, other)[0] if self.in_numbers else ""
        return shown if len(shown) <= _MOST_DIGITS else ""

    def side_by_side(self, panels: Sequence[tuple[str, list[list[str]]]], width: int) -> list[str]:
        """The panels beside each other, or below each other where there is no room; no lines where one is too wide."""
        names = [self.outputs.short(row) for row in self.rows]
        margin = max(map(len, names))
        heads = [self.inputs.short(column) for column in self.columns] if self.in_numbers else []
        size = max(len(cell) for _, cells in panels for line in cells for cell in line)
        size = max(size, *(len(head) + 2 for head in heads)) if heads else size
        wide = max(size * len(self.columns), *(len(title) for title, _ in panels))
        if margin + 2 + wide > width:
            return []
        gap = "   "
        groups = [list(panels)] if margin + 2 + len(panels) * (wide + len(gap)) <= width else [[one] for one in panels]
        lines = []
        for group in groups:
            lines.append(" " * (margin + 2) + gap.join(title.ljust(wide) for title, _ in group).rstrip())
            if heads:
                line = "".join((head + " ").rjust(size) for head in heads).ljust(wide)
                lines.append(" " * (margin + 2) + gap.join([line] * len(group)).rstrip())
            for number_, name in enumerate(names):
                parts = ["".join(cell.rjust(size) for cell in cells[number_]).ljust(wide) for _, cells in group]
                lines.append((name.rjust(margin) + "  " + gap.join(parts)).rstrip())
        return lines

    def heading(self) -> str:
        """What the numbers at the edges are indices of."""
        return f"Jacobian, {self.outputs.legend(self.rows)} by {self.inputs.legend(self.columns)}:"

    def marks(self) -> str:
        """What the marks in the cells mean."""
        words = []
        if self.found.get("worst"):
            words.append("[ ] worst entry")
        if self.wrong:
            words.append("! also wrong")
        if self.padded:
            words.append(": padding")
        if not self.in_numbers:
            words.append(f"{self.shades} from small to large" + (", - negative" if self.negative else ""))
        return ", ".join(words)
