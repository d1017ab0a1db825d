"""A batch as a picture: a bar for each row, as long as the row, its padding hatched behind or before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gradcheck.rendering.html.svg import element, text
from gradcheck.rendering.places import real
from gradcheck.support.number_text import number

__all__ = ["BatchPicture", "batch_picture"]

_MOST_ROWS, _MOST_STEPS, _MOST_FEATURES = 12, 24, 4


@dataclass(frozen=True)
class BatchPicture:
    """The picture, and the batch in a sentence."""

    picture: Markup
    summary: str
    clipped: str


def batch_picture(batch: Mapping[str, Any] | None) -> BatchPicture | None:
    """The picture of a batch as evidence holds it; None where there is none."""
    if not batch:
        return None
    values = batch["values"]
    shape = values["shape"]
    rows, steps = int(shape[0]), int(shape[1])
    features = int(shape[2]) if len(shape) > 2 else 1
    lengths = [int(length) for length in batch["lengths"]["data"]]
    # The mask is what the subject is told; a vector of lengths says nothing of a side, and then the first steps count.
    before = any(not row[0] and any(row) for row in batch["mask"] if row)
    side = "before" if before else "behind"
    summary = (
        f"{rows} row{'s' * (rows != 1)}, {steps} step{'s' * (steps != 1)}, "
        + (f"{features} feature{'s' * (features != 1)}, " if len(shape) > 2 else "")
        + f"{values['dtype']}; length{'s' * (rows != 1)} {', '.join(map(str, lengths)) or 'none'}"
        + (f"; padding {side} the steps" if any(length < steps for length in lengths) else "; no padding")
    )
    if not rows or not steps:
        return BatchPicture(Markup(""), summary, "")
    shown_rows, shown_steps = min(rows, _MOST_ROWS), min(steps, _MOST_STEPS)
    clipped = ""
    if (shown_rows, shown_steps) != (rows, steps):
        clipped = f"Shown are the first {shown_rows} rows and {shown_steps} steps."
    drawing = _Drawing(values, batch["mask"], lengths, shown_rows, shown_steps, features)
    return BatchPicture(drawing.draw(summary), summary, clipped)


class _Drawing:
    def __init__(
        self,
        values: Mapping[str, Any],
        mask: Sequence[Sequence[bool]],
        lengths: Sequence[int],
        rows: int,
        steps: int,
        features: int,
    ) -> None:
        self.data, self.all_steps, self.features = values["data"], int(values["shape"][1]), features
        self.mask, self.lengths, self.rows, self.steps = mask, lengths, rows, steps
        self.in_words = steps <= 8 and features <= _MOST_FEATURES
        self.width = 54.0 if self.in_words else 22.0
        self.line = 15.0
        self.height = 8.0 + self.line * features if self.in_words else 22.0
        self.row_height = self.height + 16.0
        finite = [abs(value) for value in map(_size, self.data) if math.isfinite(value)]
        self.scale = max(finite, default=0.0)

    def draw(self, summary: str) -> Markup:
        left, top = 76.0, 18.0
        width = max(left + self.steps * self.width + 4, 150.0)
        height = top + self.rows * self.row_height
        parts = [
            text(str(step), left + (step + 0.5) * self.width, 12, text_anchor="middle", class_="gc-label")
            for step in range(self.steps)
        ]
        parts.append(text("step", left - 8, 12, text_anchor="end", class_="gc-axis"))
        for row in range(self.rows):
            parts += self._row(row, left, top + row * self.row_height)
        return element(
            "svg",
            *parts,
            viewBox=f"0 0 {width:.0f} {height:.0f}",
            width=round(width),
            height=round(height),
            class_="gc-batch",
            role="img",
            aria_label=f"The batch: {summary}",
        )

    def _row(self, row: int, left: float, top: float) -> list[Markup]:
        parts = [
            text(f"row {row}", left - 8, top + 13, text_anchor="end", class_="gc-label"),
            text(f"length {self.lengths[row]}", left - 8, top + 26, text_anchor="end", class_="gc-axis"),
        ]
        for step in range(self.steps):
            parts.append(self._step(row, step, left + step * self.width, top))
        valid = [step for step in range(self.steps) if self.mask[row][step]]
        base = top + self.height + 4
        if valid:
            start, end = left + valid[0] * self.width, left + (valid[-1] + 1) * self.width
            parts.append(element("rect", x=start + 1, y=base, width=end - start - 2, height=5, rx=2, class_="gc-bar"))
        else:
            parts.append(text("an empty row", left + 2, base + 7, class_="gc-axis"))
        return parts

    def _step(self, row: int, step: int, x: float, y: float) -> Markup:
        numbers = self.data[(row * self.all_steps + step) * self.features :][: self.features]
        padded = not self.mask[row][step]
        box: dict[str, Any] = {"x": x + 1, "y": y, "width": self.width - 2, "height": self.height, "rx": 3}
        where = f"row {row}, step {step}" + (", padding" if padded else "")
        shown = [_word(value) for value in numbers]
        parts = [
            element("title", f"{where}: {', '.join(shown)}"),
            element("rect", **box, class_="gc-pad" if padded else "gc-step"),
        ]
        if not self.in_words:
            parts += self._colours(numbers, x, y)
        if padded:
            parts.append(element("rect", **box, fill="url(#gc-hatch)"))
        if self.in_words:
            parts += [
                text(
                    word,
                    x + self.width / 2,
                    y + 15 + self.line * k,
                    text_anchor="middle",
                    class_="gc-value gc-dim" if padded else "gc-value",
                    font_size=11.5 if len(word) <= 7 else 80.0 / len(word),
                )
                for k, word in enumerate(shown)
            ]
        return element("g", *parts)

    def _colours(self, numbers: Sequence[Any], x: float, y: float) -> list[Markup]:
        parts = []
        count = min(len(numbers), 8)
        height = (self.height - 2) / max(count, 1)
        for k, value in enumerate(numbers[:count]):
            size = _size(value)
            box: dict[str, Any] = {"x": x + 2, "y": y + 1 + k * height, "width": self.width - 4, "height": height}
            if not math.isfinite(size):
                parts.append(element("rect", **box, fill="url(#gc-cross)"))
            elif size and self.scale:
                side = "gc-pos" if size > 0 else "gc-neg"
                parts.append(element("rect", **box, class_=side, fill_opacity=0.15 + 0.65 * abs(size) / self.scale))
        return parts


def _size(value: Any) -> float:
    if isinstance(value, list):
        return math.hypot(real(value[0]), real(value[1]))
    return real(value)


def _word(value: Any) -> str:
    if isinstance(value, list):
        imaginary = number(real(value[1]), 3)
        return f"{number(real(value[0]), 3)}{'' if imaginary.startswith('-') else '+'}{imaginary}j".replace("-", "−")
    return number(real(value), 4).replace("-", "−")
