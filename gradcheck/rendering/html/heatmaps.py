"""The three heat maps of a failure: theoretical Jacobian, numerical Jacobian, and what lies between them.

Colour is never the only sign: numbers, or the sign of an entry, stand in the cells; padded places are hatched, entries
that are not finite crossed, wrong ones have a corner, and the worst one a frame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gradcheck.rendering.html.svg import element, text
from gradcheck.rendering.places import Places, real
from gradcheck.support.number_text import number

__all__ = ["HeatMaps", "heat_maps"]

_BLOCK_GAP = 6.0
# Widths of one map: three of them fit beside each other at most a third smaller; and what a phone shows of it.
_BESIDE = 480.0
_PHONE = 330.0
# Free room between two labels.
_LABEL_GAP = 8.0


@dataclass(frozen=True)
class HeatMaps:
    """Pictures of one Jacobian.

    Attributes:
        maps: titles with their pictures.
        rows, columns: what the numbers at the edges are indices of.
        part: what part of the Jacobian is shown, in words; empty where it is all of it.
        entries: the same as a list, for readers without pictures: output, input, theoretical, numerical, status.
        padded, nonfinite, none: whether the legend has to explain these.
        beside: whether they are narrow enough to stand side by side, a little smaller.
        wide: whether one is wider than a phone.
    """

    maps: tuple[tuple[str, Markup], ...]
    rows: str
    columns: str
    part: str
    entries: tuple[tuple[str, str, str, str, str], ...]
    padded: bool
    nonfinite: bool
    none: bool
    beside: bool
    wide: bool


@dataclass(frozen=True)
class _Grid:
    """Where the cells of all three maps lie."""

    width: float
    height: float
    size: float
    digits: int
    lefts: tuple[float, ...]
    tops: tuple[float, ...]
    total_width: float
    total_height: float


def _starts(places: Sequence[int], names: Places, step: float, first: float) -> tuple[float, ...]:
    """Where each row or column starts, with a gap between tensors."""
    starts: list[float] = []
    at = first
    for number_, place in enumerate(places):
        if number_:
            at += step + (_BLOCK_GAP if names.block(place) != names.block(places[number_ - 1]) else 0.0)
        starts.append(at)
    return tuple(starts)


def _grid(rows: Sequence[int], columns: Sequence[int], outputs: Places, inputs: Places) -> _Grid:
    count = max(len(columns), 1)
    if count <= 4:
        width, height, size, digits = 58.0, 32.0, 12.5, 3
    elif count <= 6:
        width, height, size, digits = 46.0, 28.0, 11.0, 3
    elif count <= 10:
        width, height, size, digits = 34.0, 24.0, 9.0, 2
    elif count <= 20:
        width, height, size, digits = 19.0, 19.0, 11.0, 0
    else:
        width, height, size, digits = 13.0, 13.0, 9.0, 0
    left = 12.0 + 6.3 * max((len(outputs.short(row)) for row in rows), default=1)
    longest = max((len(inputs.short(column)) for column in columns), default=1)
    top = 18.0 if longest * 6.3 + _LABEL_GAP <= width else 8.0 + 6.3 * longest
    lefts = _starts(columns, inputs, width, left)
    tops = _starts(rows, outputs, height, top)
    return _Grid(width, height, size, digits, lefts, tops, lefts[-1] + width + 3, tops[-1] + height + 3)


def heat_maps(evidence: Mapping[str, Any], *, flat: bool = False) -> HeatMaps | None:
    """The pictures of a document's evidence; None where it holds no Jacobian.

    Args:
        evidence: of one failure.
        flat: whether entries are wrong for not being 0. Gradient and slopes agree there, so one picture shows all.
    """
    found = evidence.get("jacobian")
    if not found or not found["rows"] or not found["columns"]:
        return None
    inputs = Places(evidence["inputs"], evidence["padded_inputs"])
    outputs = Places(evidence["outputs"], evidence["padded_outputs"])
    rows, columns = found["rows"], found["columns"]
    theory = [[real(value) for value in line] for line in found["theoretical"]]
    slopes = [[real(value) for value in line] for line in found["numerical"]]
    apart = [[one - two for one, two in zip(a, b, strict=True)] for a, b in zip(theory, slopes, strict=True)]
    none = frozenset(found.get("none") or ())
    picture = _Picture(_grid(rows, columns, outputs, inputs), found, inputs, outputs, none)
    measured = not flat and any(math.isfinite(value) for line in slopes for value in line)
    scale = _largest([*theory, *slopes])
    maps = [
        (
            "The gradient; at padding it should be 0" if flat else "Theoretical: the gradient",
            picture.draw("theoretical Jacobian", theory, scale),
        )
    ]
    if measured:
        maps.append(("Numerical: the measured slopes", picture.draw("numerical Jacobian", slopes, scale)))
        maps.append(
            (
                "Difference, in its own scale",
                picture.draw("difference of the Jacobians", apart, _largest(apart), faint=True),
            )
        )
    entries = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            gradient = "none" if column in none else number(theory[i][j], 6)
            slope = "not measured" if math.isnan(slopes[i][j]) else number(slopes[i][j], 6)
            status = str(found["status"][i][j]).replace("_", " ").lower()
            entries.append((outputs.describe(row), inputs.describe(column), gradient, slope, status))
    part = ""
    if not found["whole"]:
        y_size, x_size = found["shape"]
        part = (
            f"The Jacobian has {y_size} × {x_size} entries; this is the block of {len(rows)} × {len(columns)} "
            "around the worst one."
        )
    return HeatMaps(
        maps=tuple(maps),
        rows=outputs.legend(rows),
        columns=inputs.legend(columns),
        part=part,
        entries=tuple(entries),
        padded=any(row in outputs.padded for row in rows) or any(column in inputs.padded for column in columns),
        nonfinite=not all(math.isfinite(value) for line in theory for value in line),
        none=bool(none),
        beside=len(maps) > 1 and picture.grid.total_width <= _BESIDE,
        wide=picture.grid.total_width > _PHONE,
    )


def _largest(lines: Sequence[Sequence[float]]) -> float:
    return max((abs(value) for line in lines for value in line if math.isfinite(value)), default=0.0)


class _Picture:
    def __init__(
        self, grid: _Grid, found: Mapping[str, Any], inputs: Places, outputs: Places, none: frozenset[int]
    ) -> None:
        self.grid, self.found, self.inputs, self.outputs, self.none = grid, found, inputs, outputs, none

    def draw(self, title: str, values: Sequence[Sequence[float]], scale: float, faint: bool = False) -> Markup:
        grid, rows, columns = self.grid, self.found["rows"], self.found["columns"]
        parts = [*self._labels(rows, columns)]
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                parts.append(self._cell(i, j, row, column, values[i][j], scale, faint))
        worst = self.found.get("worst")
        said = ""
        if worst and worst[0] in rows and worst[1] in columns:
            i, j = rows.index(worst[0]), columns.index(worst[1])
            parts.append(self._frame(grid.lefts[j], grid.tops[i]))
            said = f"; the worst entry is {self.outputs.describe(worst[0])} by {self.inputs.describe(worst[1])}"
        return element(
            "svg",
            *parts,
            viewBox=f"0 0 {grid.total_width:.0f} {grid.total_height:.0f}",
            width=round(grid.total_width),
            height=round(grid.total_height),
            class_="gc-map",
            role="img",
            aria_label=f"Heat map of the {title}, {len(rows)} outputs by {len(columns)} inputs{said}",
        )

    def _labels(self, rows: Sequence[int], columns: Sequence[int]) -> list[Markup]:
        grid = self.grid
        labels = []
        level = max(len(self.inputs.short(column)) for column in columns) * 6.3 + _LABEL_GAP <= grid.width
        for left, column in zip(grid.lefts, columns, strict=True):
            name = self.inputs.short(column)
            middle = left + grid.width / 2
            if level:
                labels.append(text(name, middle, grid.tops[0] - 6, text_anchor="middle", class_="gc-label"))
            else:
                turned = f"rotate(-90 {middle + 3.5:.1f} {grid.tops[0] - 4:.1f})"
                labels.append(text(name, middle + 3.5, grid.tops[0] - 4, class_="gc-label", transform=turned))
        for top, row in zip(grid.tops, rows, strict=True):
            middle = top + grid.height / 2 + 3.5
            labels.append(
                text(self.outputs.short(row), grid.lefts[0] - 6, middle, text_anchor="end", class_="gc-label")
            )
        return labels

    def _cell(self, i: int, j: int, row: int, column: int, value: float, scale: float, faint: bool) -> Markup:
        grid = self.grid
        left, top = grid.lefts[j], grid.tops[i]
        box: dict[str, Any] = {"x": left, "y": top, "width": grid.width, "height": grid.height}
        parts = [element("title", self._words(i, j, row, column, value)), element("rect", **box, class_="gc-cell")]
        if math.isfinite(value) and value and scale:
            share = abs(value) / scale
            # A difference within its bound is no finding: it is shown, but does not shine.
            opacity = 0.1 if faint and self.found["status"][i][j] == "PASS" else 0.14 + 0.66 * share**0.7
            side = "gc-pos" if value > 0 else "gc-neg"
            parts.append(element("rect", **box, class_=side, fill_opacity=opacity))
        elif not math.isfinite(value):
            parts.append(element("rect", **box, class_="gc-odd"))
            parts.append(element("rect", **box, fill="url(#gc-cross)"))
        if row in self.outputs.padded or column in self.inputs.padded:
            parts.append(element("rect", **box, fill="url(#gc-hatch)"))
        if self.found["status"][i][j] == "MISMATCH":
            corner = min(7.0, grid.width / 3)
            right = left + grid.width
            parts.append(
                element("path", d=f"M{right - corner:.1f},{top:.1f} h{corner:.1f} v{corner:.1f} z", class_="gc-corner")
            )
        shown = self._shown(value)
        if shown:
            middle = top + grid.height / 2 + grid.size * 0.36
            size = (
                grid.size if len(shown) * 0.58 * grid.size <= grid.width - 4 else (grid.width - 4) / len(shown) / 0.58
            )
            parts.append(
                text(shown, left + grid.width / 2, middle, text_anchor="middle", class_="gc-value", font_size=size)
            )
        return element("g", *parts)

    def _shown(self, value: float) -> str:
        if math.isnan(value):
            return "NaN" if self.grid.digits else "×"
        if not self.grid.digits:
            return "" if value == 0 else "+" if value > 0 else "−"
        shown = number(value, self.grid.digits)
        # 1.2e-05 as 1e-5 where there is little room: the list below the pictures has the digits.
        if len(shown) > 7 and "e" in shown:
            mantissa, exponent = f"{value:.0e}".split("e")
            shown = f"{mantissa}e{int(exponent)}"
        return shown.replace("-", "−")

    def _words(self, i: int, j: int, row: int, column: int, value: float) -> str:
        padded = " (padding)" if row in self.outputs.padded or column in self.inputs.padded else ""
        none = ", gradient is None" if column in self.none else ""
        bound = real(self.found["bound"][i][j])
        within = f", bound {number(bound, 2)}" if math.isfinite(bound) else ""
        status = str(self.found["status"][i][j]).replace("_", " ").lower()
        return (
            f"{self.outputs.describe(row)} by {self.inputs.describe(column)}{padded}: "
            f"{number(value, 6)}{none}; {status}{within}"
        )

    def _frame(self, left: float, top: float) -> Markup:
        box: dict[str, Any] = {"x": left, "y": top, "width": self.grid.width, "height": self.grid.height, "rx": 2}
        return element(
            "g",
            element("rect", **box, class_="gc-worst-halo"),
            element("rect", **box, class_="gc-worst"),
            class_="gc-at",
        )
