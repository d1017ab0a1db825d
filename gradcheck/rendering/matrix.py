"""The table subject x mode, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping

from gradcheck.records.results import ModeResult
from gradcheck.rendering.layout import text_width
from gradcheck.verdicts import Verdict

__all__ = ["render_matrix"]

_GAP = "  "
# A subject's name gives way where the columns do not leave it room, but never to less than this.
_SHORTEST_NAME = 12


def _cell(entry: Verdict | ModeResult | str | None) -> str:
    if entry is None:
        return "-"
    if isinstance(entry, ModeResult):
        # Failures must show where there is no colour, and expected ones must not look like failures.
        mark = " +" if entry.better else " !" if not entry.ok else (" *" if entry.verdict.fails else "")
        return entry.verdict.value + mark
    if isinstance(entry, Verdict):
        return entry.value + (" !" if entry.fails else "")
    return str(entry)


def _shortened(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    # The end of a name tells variants apart better than its middle does.
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[len(name) - tail :]}"


def render_matrix(rows: Mapping[str, Mapping[str, Verdict | ModeResult]]) -> str:
    """A table of verdicts, a line for each subject and a column for each mode, at most 100 columns wide.

    ``!`` marks what is not as it should be, ``*`` a failure that was expected, ``+`` an expected failure that is gone,
    ``-`` what was not run; a legend below explains the marks that occur. Modes are shown in the order in which they are
    first met.

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
    name_width = min(max(len("subject"), *map(len, rows)), max(room, _SHORTEST_NAME))

    def line(name: str, entries: list[str]) -> str:
        padded = (entry.ljust(width) for entry, width in zip(entries, widths, strict=False))
        return _GAP.join([_shortened(name, name_width).ljust(name_width), *padded]).rstrip()

    table = [line("subject", modes), _GAP.join(["-" * name_width, *("-" * width for width in widths)])]
    table += [line(subject, entries) for subject, entries in cells.items()]
    shown = {entry for entries in cells.values() for entry in entries}
    legend = [
        explanation
        for occurs, explanation in (
            (any(entry.endswith("!") for entry in shown), "! not as it should be"),
            (any(entry.endswith("+") for entry in shown), "+ better than expected"),
            (any(entry.endswith("*") for entry in shown), "* fails as expected"),
            ("-" in shown, "- not run"),
        )
        if occurs
    ]
    if legend:
        table.append("(" + ", ".join(legend) + ")")
    return "\n".join(table)
