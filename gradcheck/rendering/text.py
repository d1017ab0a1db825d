"""The text of a report: what a user reads in a terminal, and nowhere else needs to look."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.records.reasons import Reason
from gradcheck.records.report import ReportRecord
from gradcheck.records.results import Entry, ModeResult
from gradcheck.rendering.alike import wording
from gradcheck.rendering.heatmap import heat_map_lines
from gradcheck.rendering.hints import hint, meaning
from gradcheck.rendering.layout import broken, clipped, columns, paragraph, text_width
from gradcheck.rendering.sentences import ALL_OUTPUTS
from gradcheck.support.number_text import number, pair, times
from gradcheck.support.outgoing import for_terminal
from gradcheck.verdicts import Verdict

__all__ = [
    "MOST_ARGUMENT_LINES",
    "Access",
    "entry_rows",
    "failing",
    "headline",
    "labelled",
    "limit_words",
    "notes_of",
    "passing",
    "render_report",
    "resolution_words",
    "same_failure",
    "weak_lines",
]

# Longer batches are cut here: a shrunk one is far below it, and the whole text stays at hand in the report.
MOST_ARGUMENT_LINES = 14
# Two modes show the same failure when their numbers agree to this, relatively: rounding differs between modes.
_SAME = 1e-6

_FIRST_AND_SECOND = {
    Verdict.DISAGREEMENT: ("in this mode", "in eager mode"),
    Verdict.PADDING_LEAK: ("before the change", "after the change"),
    Verdict.NONDETERMINISTIC: ("first call", "second call"),
}
_THEORETICAL_AND_NUMERICAL = ("theoretical (gradient)", "numerical (measured)")
_LOW_AND_WIDE = ("gradient, low precision", "gradient, float64")
_TOGETHER_AND_APART = ("gradient, all at once", "one at a time, added up")


# What follows from the cause of a verdict that fails nothing; the cause itself has said what there is.
_MILD = {
    Verdict.KINK: ("A function has no single slope at such a point, and no more can be asked of a gradient."),
    Verdict.UNRESOLVED: "Whether the gradient is right is left open: this is no pass.",
}


def _and(names: Iterable[str]) -> str:
    return ", ".join(names)


def headline(results: Iterable[ModeResult]) -> str:
    """The verdicts with their modes on one line, the worst first: ``MISMATCH in xla; PASS in eager, graph``."""
    by_verdict: dict[tuple[int, str], list[str]] = {}
    for result in results:
        words = result.verdict.value
        if not result.ok and not result.verdict.fails:
            words += f" (not the expected {' or '.join(v.value for v in result.expected)})"
        elif result.ok and result.verdict.fails:
            words += " (expected)"
        elif result.weak:
            words += " (weak)"
        order = -result.verdict.severity - (0 if result.ok else 100)
        by_verdict.setdefault((order, words), []).append(result.mode)
    return "; ".join(f"{words} in {_and(modes)}" for (_, words), modes in sorted(by_verdict.items()))


def _close(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    if not (math.isfinite(first) and math.isfinite(second)):
        return str(first) == str(second)
    return abs(first - second) <= _SAME * max(abs(first), abs(second))


def same_failure(first: ModeResult, second: ModeResult) -> bool:
    """Whether two modes can be told about in the same words; numbers may differ where an entry is compared anyway."""
    if (first.verdict, first.expected) != (second.verdict, second.expected):
        return False
    if wording(first) != wording(second):
        return False
    one, two = first.entry, second.entry
    if one is None or two is None:
        return one is two
    return (
        (one.output, one.input) == (two.output, two.input)
        and _close(one.theoretical, two.theoretical)
        and _close(one.numerical, two.numerical)
    )


def _groups(results: Sequence[ModeResult]) -> list[list[ModeResult]]:
    groups: list[list[ModeResult]] = []
    for result in sorted(results, key=lambda result: -result.verdict.severity):
        for group in groups:
            if same_failure(group[0], result):
                group.append(result)
                break
        else:
            groups.append([result])
    return groups


def entry_rows(entry: Entry, verdict: Verdict, reasons: Sequence[Reason] = ()) -> list[tuple[str, str]]:
    """The numbers of the worst entry: both, and their difference beside what is allowed."""
    labels = _THEORETICAL_AND_NUMERICAL
    if entry.theoretical is not None and entry.numerical is not None:
        labels = _FIRST_AND_SECOND.get(verdict, labels)
    if entry.output == ALL_OUTPUTS:
        labels = _TOGETHER_AND_APART
    if Reason.LOW_PRECISION in reasons:
        labels = _LOW_AND_WIDE
    first, second = pair(entry.theoretical, entry.numerical)
    rows = [(labels[0], "none: there is no gradient" if entry.theoretical is None else first)]
    if entry.numerical is not None:
        rows.append((labels[1], second))
    if entry.left is not None and entry.right is not None and not _close(entry.left, entry.right):
        below, above = pair(entry.left, entry.right)
        rows.append(("slopes on the two sides", f"{below} below, {above} above"))
    if entry.numerical is not None and math.isfinite(entry.numerical):
        # A gradient that is None means zero to whoever trains with it.
        theoretical = 0.0 if entry.theoretical is None else entry.theoretical
        difference = abs(theoretical - entry.numerical)
        if math.isfinite(difference):
            text = number(difference)
            if entry.bound is not None and difference > entry.bound:
                text += f", {times(difference, entry.bound)}"
            elif entry.bound is not None:
                text += f"; {number(entry.bound, 2)} is allowed"
            rows.append(("difference", text))
    if verdict is Verdict.PADDING_LEAK and entry.numerical is None:
        rows.append(("expected", "0: no slope at padding"))
    if entry.reference is not None:
        theoretical_text, numerical_text = pair(*entry.reference)
        rows.append(("tf.test.compute_gradient", f"theoretical {theoretical_text}, numerical {numerical_text}"))
    return rows


def notes_of(group: Sequence[ModeResult]) -> list[str]:
    """The notes of some results, each once, with the modes where not all have it."""
    notes: dict[str, list[str]] = {}
    for result in group:
        for note in result.notes:
            notes.setdefault(note, []).append(result.mode)
    return [
        line
        for note, modes in notes.items()
        for line in labelled("Note", note if len(modes) == len(group) else f"{note} ({_and(modes)})")
    ]


def labelled(label: str, text: str) -> list[str]:
    """A paragraph behind a label; nothing where there is no text."""
    return paragraph(f"{label}: {text}") if text else []


def _expectation(result: ModeResult) -> str:
    if not result.expected:
        return ""
    expected = " or ".join(verdict.value for verdict in result.expected)
    if result.verdict.fails:
        return f"{expected} was expected here, not {result.verdict.value}."
    return f"{expected} was expected here and is gone; if it was fixed, remove the expectation (expect=...)."


def _failure(group: Sequence[ModeResult], said: set[str], evidence: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One failure; of what it means and of the advice only what no failure above has ``said``, which is added there."""
    result = group[0]
    heading = f"{_and(one.mode for one in group)}: {result.verdict.value}"
    lines = ["", heading]
    words = meaning(result.verdict, result.rule, result.reasons)
    if words not in said:
        lines += paragraph(words)
    lines += labelled("Cause", result.cause)
    if result.changed and result.changed not in result.cause:
        lines += labelled("Changed", result.changed)
    lines += labelled("Expected", _expectation(result))
    if result.entry is not None:
        entry = result.entry
        where = f"{entry.output} w.r.t. {entry.input}" if entry.input and entry.output else entry.output or entry.input
        lines += labelled("Worst entry", where)
        lines += columns(entry_rows(entry, result.verdict, result.reasons), indent=4)
        if result.mode in evidence:
            lines += heat_map_lines(evidence[result.mode], indent=4)
    lines += notes_of(group)
    advice = hint(result.verdict, result.mode, result.rule, result.reasons) if result.verdict.fails else ""
    if advice not in said:
        lines += labelled("What to do", advice)
    said |= {words, advice}
    return lines


def limit_words(results: Iterable[ModeResult]) -> str:
    """The detection limit of some results, the median first; empty where none says it."""
    limits = [(result.typical, result.resolution) for result in results if result.resolution]
    if not limits:
        return ""
    typical = [worst if middle is None else middle for middle, worst in limits]
    return resolution_words(max(worst for _, worst in limits), max(typical))


def resolution_words(worst: float, typical: float | None = None) -> str:
    """The detection limit, of several checks the median first."""
    if not math.isfinite(worst):
        return "detection limit: not known"
    middle, most = (
        number(limit, 2) if limit <= 1 else "more than 1" for limit in (worst if typical is None else typical, worst)
    )
    if middle == most:
        return f"detection limit: an error of {most} of the gradient's size"
    return f"detection limit: an error of {middle} of the gradient's size (median; worst {most})"


def weak_lines(results: Sequence[ModeResult]) -> list[str]:
    """Why passes say little, each reason once, with its modes where not all have it."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        for words in result.weak:
            reasons.setdefault(words, []).append(result.mode)
    return [
        line
        for words, modes in reasons.items()
        for line in labelled("Weak pass", words if len(modes) == len(results) else f"{words} ({_and(modes)})")
    ]


def passing(report: ReportRecord) -> list[str]:
    """What needs no attention: resolution, kinks, what could not be decided, expected failures, notes."""
    fine = [result for result in report.modes.values() if result.ok]
    weak = weak_lines(fine)
    rows = []
    for verdict in (Verdict.UNRESOLVED, Verdict.KINK):
        group = [result for result in fine if result.verdict is verdict]
        if group:
            causes = dict.fromkeys(result.cause for result in group if result.cause)
            text = ". ".join([*causes, _MILD[verdict]])
            rows.append((f"{verdict.value} in {_and(result.mode for result in group)}", text))
            if verdict is Verdict.UNRESOLVED:
                rows.append(("What to do", hint(verdict, group[0].mode, "")))
    for group in _groups([result for result in fine if result.verdict.fails]):
        rows.append((f"{group[0].verdict.value} in {_and(result.mode for result in group)}", group[0].cause))
    lines = weak + [line for label, text in rows for line in paragraph(f"{label}: {text}" if text else label)]
    passed = [result for result in fine if result.verdict in (Verdict.PASS, Verdict.KINK)]
    resolution = limit_words(passed)
    if resolution:
        where = "" if len(passed) == len(report.modes) else f" ({_and(result.mode for result in passed)})"
        lines += paragraph(f"{resolution}{where}")
    return lines + notes_of(fine)


@dataclass(frozen=True)
class Access:
    """How a reader gets at what is not printed, as code with ``MODE`` for a mode.

    Attributes:
        script, detail, arguments: that code.
        origin: what the name in it stands for.
        elsewhere: where the rest is instead, for a reader who has no such name; then ``detail`` is in words.
    """

    script: str = 'report.scripts["MODE"]'
    detail: str = 'report["MODE"].detail'
    arguments: str = "report.arguments"
    origin: str = "what gradcheck.check returned, or the .report of a gradcheck.GradientError"
    elsewhere: str = ""


def _footer(report: ReportRecord, access: Access) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    failed = [result for result in report.failures if result.verdict.fails]
    rows = [("checked with", versions)]
    # By iteration only: a script is written when it is looked up, which takes time.
    scripts = [mode for mode in report.scripts if mode in {result.mode for result in failed}]
    detailed = [result.mode for result in failed if result.detail]
    if access.elsewhere:
        if detailed:
            rows.append(("whole error", access.detail.replace("MODE", detailed[0])))
        return columns([*rows, ("at hand", access.elsewhere if failed else "")], indent=0)
    if report.arguments:
        mode = report.failures[0].mode if report.failures else ""
        example = access.arguments.replace("MODE", mode).replace(".arguments", ".example")
        rows.append(("@example(...)", f"to begin every run of a test with this batch: print({example})"))
    if scripts:
        rows.append(("script", f"the failure in plain TensorFlow: print({access.script.replace('MODE', scripts[0])})"))
    if detailed:
        rows.append(("whole error", f"print({access.detail.replace('MODE', detailed[0])})"))
    if (scripts or detailed) and access.origin:
        rows.append((access.script.split("[")[0].split(".")[0], access.origin))
    return columns(rows, indent=0)


def render_report(report: ReportRecord, access: Access | None = None) -> str:
    """The text of a report for a terminal, as wide as that (at most 100 columns) except for pasted code and messages.

    A passing report takes a few lines: verdicts, and how small an error could have been seen. A failing one says
    for each failing mode what happened, where, by how much, and what to do; modes that fail alike share a section.

    Args:
        report: what a check came to.
        access: how a reader gets at what is not printed; through ``report`` where omitted.

    Returns:
        The text without a final line break.
    """
    heading = f"{report.subject}: {headline(report.modes.values()) or 'no mode was run'}"
    lines = (
        [heading]
        if len(heading) <= text_width()
        else [f"{report.subject}:", *paragraph(heading[len(report.subject) + 2 :])]
    )
    lines += passing(report)
    if not report.ok:
        lines += failing(report, access or Access())
    return for_terminal("\n".join(lines))


def failing(report: ReportRecord, access: Access) -> list[str]:
    """The lines on what failed: a section for each failure, the batch, and where to read on."""
    lines: list[str] = []
    said: set[str] = set()
    for group in _groups(report.failures):
        lines += _failure(group, said, report.evidence)
    if report.arguments:
        mode = report.failures[0].mode
        rest = "in the case" if access.elsewhere else f"print({access.arguments.replace('MODE', mode)})"
        lines += ["", "on this batch:", *clipped(broken(report.arguments), MOST_ARGUMENT_LINES, 2, rest)]
    return [*lines, "", *_footer(report, access)]
