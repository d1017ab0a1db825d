"""The text of a failure that was told in full for another mode before."""

from __future__ import annotations

from gradcheck.records.report import ReportRecord
from gradcheck.rendering.layout import broken, clipped, paragraph
from gradcheck.rendering.text import MOST_ARGUMENT_LINES, headline, labelled, notes_of, same_failure

__all__ = ["render_repeated", "told_alike"]


def told_alike(first: ReportRecord, second: ReportRecord) -> bool:
    """Whether two reports of one mode each tell the same failure, on the same batch and at the same entry."""
    one, two = first.failures, second.failures
    return (
        len(one) == len(two) == 1
        and first.arguments == second.arguments
        and first.versions == second.versions
        and same_failure(one[0], two[0])
    )


def render_repeated(report: ReportRecord, told: ReportRecord, where: str) -> str:
    """Verdict, cause and batch of a report that is told like one before, and what is not said again.

    Args:
        report: of one mode.
        told: that of the mode that was told in full, see `told_alike`.
        where: which test told it.

    Returns:
        The text without a final line break.
    """
    (result,), (before,) = report.failures, told.failures
    lines = [f"{report.subject}: {headline([result])}", *labelled("Cause", result.cause)]
    if result.changed and result.changed not in result.cause:
        lines += labelled("Changed", result.changed)
    if result.notes != before.notes:
        lines += notes_of([result])
    if report.arguments:
        lines += ["on this batch:", *clipped(broken(report.arguments), MOST_ARGUMENT_LINES, 2, "in the case")]
    same = ["what the verdict means", *(["the worst entry"] if result.entry is not None else []), "what to do"]
    return "\n".join([*lines, *paragraph(f"Everything else ({', '.join(same)}) is as in {before.mode}: {where}.", 0)])
