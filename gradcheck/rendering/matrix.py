"""The table subject x mode, readable without colour."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gradcheck.records.results import ModeResult
from gradcheck.rendering.layout import text_width
from gradcheck.verdicts import Verdict

__all__ = ["render_matrix"]

_GAP = "  "
# A name that is longer than the columns leave it room, and longer than this, stands on a line of its own.
_SHORTEST_NAME = 12


def _cell(entry: Verdict | ModeResult | str | None) -> str:
    if entry is None:
        return "-"
    if isinstance(entry, ModeResult):
        # Failures must show where there is no colour, and expected ones must not look like failures.
        mark = " +" if entry.better else " !" if not entry.ok else (" *" if entry.verdict.fails else "")
        return entry.verdict.value + (" ~" if entry.weak and not mark else mark)
    if isinstance(entry, Verdict):
        return entry.value + (" !" if entry.fails else "")
    return str(entry)


def _folded(name: str) -> list[str]:
    """A name as lines of at most the text's width, broken between its words."""
    lines = [""]
    for word in re.split(r"(?<=[_./( ])", name):
        if lines[-1] and len(lines[-1]) + len(word) > text_width():
            lines.append("")
        lines[-1] += word
    return lines


def render_matrix(rows: Mapping[str, Mapping[str, Verdict | ModeResult]]) -> str:
    """A table of verdicts, a line for each subject and a column for each mode, at most 100 columns wide.

    ``!`` marks what failed, ``*`` a failure that was expected, ``+`` an expected failure that is gone, ``~`` a pass
    that says little, ``-`` what was not run; a legend below explains the marks that occur. Modes are shown in the order
    in which they are first met.

    Args:
        rows: for each subject, verdicts or results by mode. A bare `Verdict` is unexpected where it fails.

    Returns:
        The table without a final line break; the empty string where there are no rows.
    """
    if not rows:
        return ""
    modes = list(dict.fromkeys(mode for results in rows.values() for mode in results))
    cells = {subject: [_cell(results.get(mode)) for mode in modes] for subject, results in rows.items()}
    widths = [max(len(mode), *(len(line[column]) for line in cells.values())) for column, mode in enumerate(modes)]
    room = text_width() - sum(width + len(_GAP) for width in widths)
    most = max(room, _SHORTEST_NAME)
    name_width = max(len("subject"), *(len(name) for name in rows if len(name) <= most), 0)

    def line(name: str, entries: list[str]) -> list[str]:
        # A name that is too long has a line of its own: cut, it would be another name.
        above, name = (_folded(name), "") if len(name) > name_width else ([], name)
        padded = (entry.ljust(width) for entry, width in zip(entries, widths, strict=False))
        return [*above, _GAP.join([name.ljust(name_width), *padded]).rstrip()]

    table = [*line("subject", modes), _GAP.join(["-" * name_width, *("-" * width for width in widths)])]
    table += [shown for subject, entries in cells.items() for shown in line(subject, entries)]
    shown = {entry for entries in cells.values() for entry in entries}
    legend = [
        explanation
        for occurs, explanation in (
            (any(entry.endswith("!") for entry in shown), "! failed"),
            (any(entry.endswith("+") for entry in shown), "+ better than expected"),
            (any(entry.endswith("*") for entry in shown), "* fails as expected"),
            (any(entry.endswith("~") for entry in shown), "~ weak: says little, see below"),
            ("-" in shown, "- not run"),
        )
        if occurs
    ]
    if legend:
        table.append("(" + ", ".join(legend) + ")")
    return "\n".join(table)
