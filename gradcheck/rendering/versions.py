"""Many versions as one table of letters: what is broken where, and since when, at a glance and in a log."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck.records.results import ModeResult
from gradcheck.releases.names import short_version
from gradcheck.rendering.layout import paragraph
from gradcheck.results.history import History
from gradcheck.verdicts import Verdict

__all__ = ["LETTERS", "render_versions"]

# A capital letter for what fails; a small one where it is expected.
LETTERS = {
    Verdict.PASS: ".",
    Verdict.KINK: "^",
    Verdict.UNRESOLVED: "?",
    Verdict.MISMATCH: "M",
    Verdict.DISCONNECTED: "D",
    Verdict.NONFINITE: "N",
    Verdict.DISAGREEMENT: "G",
    Verdict.PADDING_LEAK: "L",
    Verdict.NONDETERMINISTIC: "R",
    Verdict.ERROR: "E",
    Verdict.CRASH: "C",
    Verdict.UNSUPPORTED: "U",
    Verdict.INACCURATE: "A",
}


def render_versions(told: Sequence[History]) -> str:
    """A line for each subject and group of modes that is not a plain pass everywhere, a column for each version.

    Args:
        told: from `gradcheck.results.history.histories`.

    Returns:
        The table, its legend, and how many subjects it leaves out; without a final line break.
    """
    notable: dict[str, list[History]] = {}
    for history in told:
        if any(result.verdict is not Verdict.PASS or not result.ok for result in history.ran.values()):
            notable.setdefault(history.subject, []).append(history)
    subjects = {history.subject for history in told}
    quiet = len(subjects) - len(notable)
    if not notable:
        return f"{quiet} subject{'s' * (quiet != 1)}, each of which passes wherever it ran"
    versions = list(told[0].results)
    heads = [short_version(version) for version in versions]
    margin = max(len(", ".join(history.modes)) for parts in notable.values() for history in parts) + 4
    lines = [" " * margin + " ".join(heads)]
    used: set[Verdict] = set()
    expected = gaps = gone = better = False
    for subject, parts in notable.items():
        lines.append(subject)
        for history in parts:
            cells = []
            for head, result in zip(heads, history.results.values(), strict=True):
                cells.append(_letter(result).rjust(len(head)))
                if result is None:
                    gaps = True
                else:
                    used.add(result.verdict)
                    expected |= result.ok and result.verdict.fails
                    better |= result.better
                    gone |= not result.ok and not result.verdict.fails and not result.better
            lines.append(("  " + ", ".join(history.modes)).ljust(margin) + " ".join(cells))
    legend = [f"{LETTERS[verdict]} {verdict}" for verdict in LETTERS if verdict in used]
    legend += ["small letters: expected"] * expected + ["+ better than expected"] * better
    legend += ["! another verdict than expected"] * gone
    legend += ["- not run"] * gaps
    lines += paragraph("(" + ", ".join(legend) + ")", indent=0)
    if quiet:
        lines.append(f"{quiet} more subject{'s' * (quiet != 1)} pass{'es' * (quiet == 1)} wherever run")
    return "\n".join(lines)


def _letter(result: ModeResult | None) -> str:
    if result is None:
        return "-"
    if result.better:
        return "+"
    letter = LETTERS[result.verdict]
    if not result.ok and not result.verdict.fails:
        return "!"  # undecided where a failure is expected, say
    return letter.lower() if result.ok and result.verdict.fails else letter
