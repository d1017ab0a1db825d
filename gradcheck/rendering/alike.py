"""Which results can be told about in the same words."""

from __future__ import annotations

import re

from gradcheck.records.report import ReportRecord
from gradcheck.records.results import ModeResult
from gradcheck.verdicts import Verdict

__all__ = ["group_key", "in_a_line", "wording"]


def wording(result: ModeResult) -> str:
    """Cause and change without the numbers, which differ between modes by rounding."""
    text = f"{result.cause}\n{result.changed}"
    if result.verdict in (Verdict.ERROR, Verdict.UNSUPPORTED, Verdict.CRASH):
        # Here a number is a shape, or a line of code: another number is another failure.
        return text
    return re.sub(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", "#", text)


def group_key(result: ModeResult) -> tuple[object, ...]:
    """Equal where two results are the same failure, as far as words tell."""
    return (result.verdict, result.expected, wording(result))


def in_a_line(report: ReportRecord) -> str:
    """What failed, the worst first: ``MISMATCH in eager, xla: the gradient is 2 times the slope (layer)``."""
    groups: dict[tuple[object, ...], list[ModeResult]] = {}
    for result in sorted(report.failures, key=lambda result: -result.verdict.severity):
        groups.setdefault(group_key(result), []).append(result)
    parts = []
    for group in groups.values():
        first = group[0]
        said = f"{first.verdict} in {', '.join(result.mode for result in group)}"
        if not first.verdict.fails:
            said += f", expected {' or '.join(verdict.value for verdict in first.expected)}"
        parts.append(said + (f": {first.cause}" if first.cause else ""))
    return f"{'; '.join(parts)} ({report.subject})"
