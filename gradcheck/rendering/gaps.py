"""What was not checked, in words: the first thing that a report says."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.results.rows import Gap

__all__ = ["gap_lines", "gaps_in_short"]

# More lines than these are read by nobody, and push the results out of sight.
_MOST = 20


def gap_lines(gaps: Sequence[Gap]) -> list[str]:
    """A line for each, with the TensorFlow where several are concerned; what has the same reason shares a line."""
    several = len({gap.tensorflow for gap in gaps}) > 1
    alike: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        alike.setdefault((gap.why, gap.tensorflow), []).append(gap.what)
    lines = []
    for (why, tensorflow), whats in alike.items():
        shown = ", ".join(whats[:_MOST]) + (f" and {len(whats) - _MOST} more" if len(whats) > _MOST else "")
        where = f" (TensorFlow {tensorflow})" if several and tensorflow else ""
        lines.append(f"{shown}{where}: {why}")
    return [*lines[:_MOST], *([f"{len(lines) - _MOST} more"] if len(lines) > _MOST else [])]


def gaps_in_short(gaps: Sequence[Gap]) -> str:
    """For the line that sums a report up; empty where there are none."""
    if not gaps:
        return ""
    first = gap_lines(gaps[:1])[0]
    return f"not everything was checked ({first if len(gaps) == 1 else f'{len(gaps)} gaps, see above'})"
