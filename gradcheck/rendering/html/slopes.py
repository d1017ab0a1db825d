"""The function along the failing entry, with the line that the gradient promises: one sees what is wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gradcheck.rendering.html.svg import element, fixed, text
from gradcheck.rendering.places import Places, real
from gradcheck.support.number_text import number, pair

__all__ = ["SlopePlot", "slope_plot"]

_WIDTH, _HEIGHT = 420.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 14.0, 14.0, 40.0
# Lines closer than this part of their slope cannot be told apart by eye; then what is left of the slope is plotted.
_TOO_CLOSE = 0.08


@dataclass(frozen=True)
class SlopePlot:
    """The plot and its legend.

    Attributes:
        picture: the plot.
        legend: kind of line (a CSS class) and what it is.
        output, input: what is plotted over what.
        straightened: whether the measured line was taken off to make a small difference visible.
        twin: whether the function was evaluated in float64 in place of its own precision.
        summary: the picture in a sentence.
    """

    picture: Markup
    legend: tuple[tuple[str, str], ...]
    output: str
    input: str
    straightened: bool
    twin: bool
    summary: str


def slope_plot(evidence: Mapping[str, Any], *, flat: bool = False) -> SlopePlot | None:
    """The plot of a document's evidence; None where it has no samples.

    Args:
        evidence: of one failure.
        flat: whether the function should not move at all here. Gradient and slope agree there, and both are wrong.
    """
    found = evidence.get("slope")
    if not found or not found.get("t"):
        return None
    inputs = Places(evidence["inputs"], evidence["padded_inputs"])
    outputs = Places(evidence["outputs"], evidence["padded_outputs"])
    t = [real(value) for value in found["t"]]
    curve = [real(value) for value in found["g"]]
    middle = min(range(len(t)), key=lambda k: abs(t[k]))
    center = curve[middle]
    none = found.get("theoretical") is None
    theory = 0.0 if none else real(found["theoretical"])
    numerical, left, right = real(found.get("numerical")), real(found.get("left")), real(found.get("right"))
    below = left if math.isfinite(left) else numerical
    above = right if math.isfinite(right) else numerical
    cornered = math.isfinite(below) and math.isfinite(above) and abs(above - below) > 1e-3 * max(abs(above), abs(below))
    size = max((abs(value) for value in (theory, below, above) if math.isfinite(value)), default=0.0)
    wrong = _is_wrong(evidence, found["output"], found["input"])
    close = (
        wrong
        and not flat
        and math.isfinite(theory)
        and math.isfinite(numerical)
        and abs(theory - numerical) < _TOO_CLOSE * size
    )
    straightened = close and not cornered and numerical != 0
    taken = numerical if straightened else 0.0
    # As many digits as show a difference that counts, and no more where none does.
    digits = pair(theory, numerical) if wrong else (number(theory, 5), number(numerical, 5))
    base = center if math.isfinite(center) else 0.0

    def shown(value: float, at: float) -> float:
        return value - base - taken * at if taken else value

    series = [shown(value, at) for value, at in zip(curve, t, strict=True)]
    other = found.get("other")
    second = [shown(real(v), at) for v, at in zip(other["g"], t, strict=True)] if other else []
    reach = max(abs(t[0]), abs(t[-1]))
    lines: list[tuple[str, Sequence[tuple[float, float]]]] = []
    twin = bool(found["twin"])
    legend = [("gc-curve", "the function, computed in float64" if twin else "the function itself, evaluated")]
    if second:
        lines.append(("gc-other", list(zip(t, second, strict=True))))
        legend.append(("gc-other", f"the same {other['label']}" if other else ""))
    if flat and math.isfinite(center):
        lines.append(("gc-theory", [(-reach, base), (reach, base)]))
        legend.append(("gc-theory", "expected: no slope"))
    elif math.isfinite(center):
        if math.isfinite(theory):
            ends = [(-reach, shown(base - theory * reach, -reach)), (reach, shown(base + theory * reach, reach))]
            lines.append(("gc-theory", ends))
            words = "no gradient, which counts as 0" if none else f"the gradient's line, slope {digits[0]}"
            legend.append(("gc-theory", words))
        if math.isfinite(below):
            lines.append(("gc-measured", [(-reach, shown(base - below * reach, -reach)), (0.0, shown(base, 0.0))]))
        if math.isfinite(above):
            lines.append(("gc-measured", [(0.0, shown(base, 0.0)), (reach, shown(base + above * reach, reach))]))
        if cornered:
            one, two = pair(below, above)
            legend.append(("gc-measured", f"the measured slopes, {one} on the left and {two} on the right"))
        elif math.isfinite(below) and math.isfinite(above):
            legend.append(("gc-measured", f"the measured slope, {digits[1]}"))
    output, input_ = outputs.describe(found["output"]), inputs.describe(found["input"])
    if not math.isfinite(theory):
        legend.append(("gc-none", f"the gradient is {number(theory)}: it has no line"))
    plot = _Plot(t, series, lines, reach, real(found.get("at")))
    if not plot.drawable:
        return None
    summary = f"{output} over a change of {input_} from −{number(reach, 2)} to {number(reach, 2)}; " + "; ".join(
        words for _, words in legend[1:]
    )
    return SlopePlot(plot.draw(summary, straightened), tuple(legend), output, input_, straightened, twin, summary)


def _is_wrong(evidence: Mapping[str, Any], row: int, column: int) -> bool:
    """Whether the two slopes of an entry differ by more than they may."""
    found = evidence.get("jacobian")
    if not found or row not in found["rows"] or column not in found["columns"]:
        return False
    return bool(found["status"][found["rows"].index(row)][found["columns"].index(column)] == "MISMATCH")


class _Plot:
    def __init__(
        self,
        t: Sequence[float],
        series: Sequence[float],
        lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
        reach: float,
        at: float,
    ) -> None:
        self.t, self.series, self.lines, self.reach, self.at = t, series, lines, reach, at
        finite = [value for value in series if math.isfinite(value)]
        finite += [y for name, points in lines if name == "gc-other" for _, y in points if math.isfinite(y)]
        self.drawable = bool(finite)
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        # A line that leaves the picture far behind would flatten the curve; it is cut off instead.
        span = (high - low) or max(abs(high), 1.0)
        ends = [y for name, points in lines if name != "gc-other" for _, y in points]
        low = min([low, *(max(y, low - 1.5 * span) for y in ends)])
        high = max([high, *(min(y, high + 1.5 * span) for y in ends)])
        margin = 0.06 * (high - low) or 0.5 * span
        self.low, self.high = low - margin, high + margin

    def x(self, t: float) -> float:
        return _LEFT + (t + self.reach) / (2 * self.reach) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _TOP + (self.high - value) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)

    def draw(self, summary: str, straightened: bool) -> Markup:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        parts = [
            element("rect", x=_LEFT, y=_TOP, width=right - _LEFT, height=bottom - _TOP, class_="gc-frame"),
            element("path", d=f"M{fixed(self.x(0))},{fixed(_TOP)} V{fixed(bottom)}", class_="gc-zero"),
        ]
        for value in _ticks(self.low, self.high):
            at = self.y(value)
            parts.append(element("path", d=f"M{fixed(_LEFT)},{fixed(at)} H{fixed(right)}", class_="gc-grid"))
            parts.append(text(_tick(value), _LEFT - 6, at + 3.5, text_anchor="end", class_="gc-label"))
        for t in (-self.reach, 0.0, self.reach):
            anchor = "start" if t < 0 else "end" if t > 0 else "middle"
            name = "the batch" if t == 0 else ("−" if t < 0 else "+") + number(self.reach, 2)
            parts.append(text(name, self.x(t), bottom + 15, text_anchor=anchor, class_="gc-label"))
        words = "change of the input"
        parts.append(text(words, (_LEFT + right) / 2, bottom + 32, text_anchor="middle", class_="gc-axis"))
        side = "output less the measured line" if straightened else "output"
        turned = f"rotate(-90 11 {(_TOP + bottom) / 2:.0f})"
        parts.append(text(side, 11, (_TOP + bottom) / 2, text_anchor="middle", class_="gc-axis", transform=turned))
        for name, points in self.lines:
            parts.append(element("path", d=self._path(points), class_=name))
        parts.append(element("path", d=self._path(list(zip(self.t, self.series, strict=True))), class_="gc-curve"))
        middle = min(range(len(self.t)), key=lambda k: abs(self.t[k]))
        if math.isfinite(self.series[middle]):
            parts.append(element("circle", cx=self.x(0), cy=self.y(self.series[middle]), r=4, class_="gc-point"))
        return element(
            "svg",
            *parts,
            viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
            width=round(_WIDTH),
            height=round(_HEIGHT),
            class_="gc-plot",
            role="img",
            aria_label=f"Plot: {summary}",
        )

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        """A line through points, broken where a value is not finite and cut off at the frame."""
        commands: list[str] = []
        pen: tuple[float, float] | None = None
        for one, two in itertools.pairwise(points):
            finite = math.isfinite(one[1]) and math.isfinite(two[1])
            cut = self._clipped(one, two) if finite else None
            if cut is None:
                continue
            if pen != cut[0]:
                commands.append(f"M{fixed(self.x(cut[0][0]))},{fixed(self.y(cut[0][1]))}")
            commands.append(f"L{fixed(self.x(cut[1][0]))},{fixed(self.y(cut[1][1]))}")
            pen = cut[1]
        return " ".join(commands)

    def _clipped(
        self, one: tuple[float, float], two: tuple[float, float]
    ) -> tuple[tuple[float, float], tuple[float, float]] | None:
        (x1, y1), (x2, y2) = one, two
        first, last = 0.0, 1.0
        if y1 == y2:
            return (one, two) if self.low <= y1 <= self.high else None
        for edge, inside_above in ((self.low, True), (self.high, False)):
            crossing = (edge - y1) / (y2 - y1)
            rising = y2 > y1
            if rising == inside_above:
                first = max(first, crossing)
            else:
                last = min(last, crossing)
        if first > last:
            return None

        def at(share: float) -> tuple[float, float]:
            if share == 0.0:
                return one
            return two if share == 1.0 else (x1 + share * (x2 - x1), y1 + share * (y2 - y1))

        return at(first), at(last)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between two."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    step = 10.0 ** math.floor(math.log10(span / 3))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= 5:
            step *= factor
            break
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)][:8]


def _tick(value: float) -> str:
    shown = number(value, 4)
    if len(shown) > 8:
        shown = number(value, 2)
    return ("0" if abs(value) < 1e-300 else shown).replace("-", "−")
