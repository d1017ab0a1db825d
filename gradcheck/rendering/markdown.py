"""Results as Markdown: for a pull request, an issue, or the step summary of a GitHub workflow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcheck.records.results import ModeResult
from gradcheck.rendering.failures import Failure, failures_of, title_of
from gradcheck.rendering.gaps import gap_lines
from gradcheck.results.effort import tried
from gradcheck.results.history import History, histories
from gradcheck.results.rows import Results, aligned, by_version
from gradcheck.results.upgrade import Side, Upgrade
from gradcheck.support.outgoing import for_markdown, markdown_words

__all__ = ["code_span", "render_markdown"]

# GitHub cuts a step summary off at 1 MiB; beyond this many failures their batches are left out.
_MOST_BATCHES = 200


def render_markdown(results: Results, upgrade: tuple[Side, Side] | None = None) -> str:
    """What an upgrade breaks, the matrix, what changed between versions, and every failure with its smallest batch, as
    GitHub's Markdown.

    Args:
        results: from `gradcheck.results.reading.read_results`; of one TensorFlow version or of many.
        upgrade: from what to what an upgrade is looked at; where omitted none is.
    """
    grouped = by_version(results)
    lines = ["# Gradient checks", "", *_gaps(results)]
    if not results.rows:
        return for_markdown("\n".join([*lines, "The files hold no results.", ""]))
    if rests_on := tried(results):
        lines += [markdown_words(rests_on), ""]
    if upgrade is not None:
        lines += _upgrade(Upgrade.between(*upgrade))
    told = histories(results)
    if len(grouped) > 1:
        lines += _versions_table(told, list(grouped))
        lines += _changes(told)
    else:
        ((version, subjects),) = grouped.items()
        lines += [f"## {markdown_words(title_of(version))}", "", *_modes_table(aligned(subjects)), ""]
    lines += _failures(results, several=len(grouped) > 1)
    return for_markdown("\n".join(lines))


def _gaps(results: Results) -> list[str]:
    if not results.gaps:
        return []
    return ["## Not checked", "", *(f"- {markdown_words(line)}" for line in gap_lines(results.gaps)), ""]


def _versions_table(told: Sequence[History], versions: Sequence[str]) -> list[str]:
    """A line for each subject and group of modes that fare alike, a column for each version."""
    table = [_line(["subject", "modes", *(markdown_words(version or "?") for version in versions)])]
    table.append(_line(["---"] * (len(versions) + 2)))
    named = ""
    for history in told:
        name = code_span(history.subject) if history.subject != named else ""
        named = history.subject
        cells = [_cell(result) for result in history.results.values()]
        table.append(_line([name, _modes(history.modes), *cells]))
    legend = "**Bold**: failed. *Italic*: fails as expected. +: better than expected. –: not run."
    return [*table, "", legend, ""]


def _modes_table(subjects: dict[str, dict[str, ModeResult | None]]) -> list[str]:
    modes = list(next(iter(subjects.values())))
    table = [_line(["subject", *map(markdown_words, modes)]), _line(["---"] * (len(modes) + 1))]
    return table + [_line([code_span(subject), *map(_cell, results.values())]) for subject, results in subjects.items()]


def _cell(result: ModeResult | None) -> str:
    if result is None:
        return "–"
    name = result.verdict.value.replace("_", "\\_")
    if not result.ok:
        return f"{name} +" if result.better else f"**{name}**"
    return f"*{name}*" if result.verdict.fails else name + (" (weak)" if result.weak else "")


def _upgrade(upgrade: Upgrade) -> list[str]:
    lines = [f"## Upgrade from TensorFlow {markdown_words(upgrade.before)} to {markdown_words(upgrade.after)}", ""]
    lines += [markdown_words(upgrade.sentence), ""]
    for what, count, changes in upgrade.named if upgrade.compared else ():
        lines += [f"**{what.value}: {count}**", ""]
        if changes:
            lines += [
                f"- {code_span(one.subject)}, {_modes(one.modes)}: {markdown_words(one.words())}" for one in changes
            ]
            lines.append("")
    return lines


def _changes(told: Sequence[History]) -> list[str]:
    changed = [history for history in told if history.changed]
    if not changed:
        return ["Nothing changed between these versions.", ""]
    lines = ["## Changed between versions", ""]
    lines += [
        f"- {code_span(history.subject)}, {_modes(history.modes)}: {markdown_words(history.sentence)}"
        for history in changed
    ]
    return [*lines, ""]


def _failures(results: Results, several: bool) -> list[str]:
    found = failures_of(results)
    worse = [failure for failure in found if not failure.better]
    better = [failure for failure in found if failure.better]
    return _told("Failed", worse, several) + _told("Better than expected", better, several)


def _told(title: str, found: Sequence[Failure], several: bool) -> list[str]:
    if not found:
        return []
    lines = [f"## {title}", ""]
    for number, failure in enumerate(found):
        where = f"{code_span(failure.subject)}, {markdown_words(failure.where(several))}"
        lines.append(f"- {where}: {markdown_words(failure.words)}")
        if failure.case and number < _MOST_BATCHES:
            fence = "`" * max(3, _longest_run(failure.case) + 1)
            lines += [
                "  <details><summary>smallest batch</summary>",
                "",
                f"  {fence}python",
                *(f"  {line}" for line in failure.case.splitlines()),
                f"  {fence}",
                "",
                "  </details>",
            ]
    return [*lines, ""]


def _longest_run(text: str) -> int:
    """The longest run of backticks, which a fence around the text must exceed."""
    longest = current = 0
    for character in text:
        current = current + 1 if character == "`" else 0
        longest = max(longest, current)
    return longest


def code_span(name: str) -> str:
    """A text as code, for a cell of a table too."""
    # Nothing is HTML inside a code span; only a backtick ends it, and a pipe ends a table's cell even there.
    return for_markdown("`" + " ".join(name.split()).replace("`", "'").replace("|", "\\|") + "`")


def _modes(names: Iterable[str]) -> str:
    return ", ".join(map(markdown_words, names))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
