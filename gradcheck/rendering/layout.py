"""Wrapping of paragraphs, and of lists of labels and texts, to the width of a terminal."""

from __future__ import annotations

import ast
import shutil
import textwrap
from collections.abc import Iterable, Sequence

__all__ = ["broken", "clipped", "columns", "paragraph", "text_width"]

# Where no terminal is, and in wide ones: longer lines are hard to read. Below the least, tables would fall apart.
_MOST, _LEAST = 100, 60

# Columns that others put before our lines: pytest's are "E   ".
_MARGIN = 4


def text_width() -> int:
    """Columns that a text may take: as many as the terminal has beside a margin, at most 100 and at least 60.

    ``COLUMNS`` in the environment says what the terminal has, as for pytest.
    """
    return max(_LEAST, min(_MOST, shutil.get_terminal_size((_MOST + _MARGIN, 24)).columns - _MARGIN))


def paragraph(text: str, indent: int = 2, hanging: int = 0) -> list[str]:
    """The text as lines of at most `text_width` columns, all but the first indented by ``hanging`` more.

    Words longer than a line stay whole.
    """
    space = " " * indent
    return textwrap.wrap(
        " ".join(text.split()),
        text_width(),
        initial_indent=space,
        subsequent_indent=space + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def columns(rows: Iterable[tuple[str, str]], indent: int = 2, between: int = 2) -> list[str]:
    """Labels and texts in two columns; texts are wrapped under themselves."""
    kept: Sequence[tuple[str, str]] = [(label, text) for label, text in rows if text]
    start = indent + max((len(label) for label, _ in kept), default=0) + between
    lines: list[str] = []
    for label, text in kept:
        wrapped = paragraph(text, start)
        wrapped[0] = (" " * indent + label).ljust(start) + wrapped[0][start:]
        lines += wrapped
    return lines


# Beyond so many characters a line of numbers is read by nobody.
_LONGEST = 3000


def clipped(text: str, most: int, indent: int, rest: str) -> list[str]:
    """The lines of a text that must not be wrapped, at most ``most`` of them; ``rest`` says where the others are."""
    lines = [
        line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ... {len(line) - _LONGEST} more characters: {rest}"
        for line in text.splitlines()
    ]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... {len(lines) - most + 1} more lines: {rest}"]
    return [(" " * indent + line).rstrip() for line in lines]


def broken(code: str) -> str:
    """A call that is too long for a line with a line for each argument; anything else as it is."""
    if "\n" in code or len(code) <= text_width() - 2:
        return code
    try:
        call = ast.parse(code, mode="eval").body
    except SyntaxError:
        return code
    if not isinstance(call, ast.Call):
        return code
    name = ast.get_source_segment(code, call.func)
    values = [(f"{argument.arg}=" if argument.arg else "**", argument.value) for argument in call.keywords]
    parts = [("", argument) for argument in call.args] + values
    lines = [f"    {prefix}{ast.get_source_segment(code, value)}," for prefix, value in parts]
    return "\n".join([f"{name}(", *lines, ")"])
