"""What GitHub Actions shows: an annotation at the line of each failing test, and the matrix in the step's summary.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gradcheck.plugin.summary import gaps_told, matrix_of
from gradcheck.rendering.markdown import code_span
from gradcheck.results.rows import Results
from gradcheck.support.outgoing import for_github, for_markdown, html_words, markdown_words

__all__ = ["add_to_step_summary", "annotation_lines"]

# GitHub shows ten annotations of a kind for a step.
_MOST_ANNOTATIONS = 10
# It refuses a summary of more than 1 MiB; other steps may write to the same one.
_MOST_FAILURES = 50


def annotation_lines(failures: list[dict[str, Any]], root: Path) -> list[str]:
    """Workflow commands, one for each failing test. GitHub wants paths from the root of the repository."""
    lines = []
    for row in failures[:_MOST_ANNOTATIONS]:
        failing = {mode: cell for mode, cell in row["modes"].items() if not cell["ok"]}
        said = "\n".join(f"{mode}: {cell['verdict']}: {cell['cause']}" for mode, cell in failing.items())
        if row["arguments"]:
            said += "\non " + " ".join(row["arguments"].split())
        title = f"{row['subject']}: {', '.join(dict.fromkeys(cell['verdict'] for cell in failing.values()))}"
        file = _from_workspace(root / row["file"])
        where = f"file={for_github(file, is_property=True)},line={row['line']}"
        lines.append(f"::error {where},title={for_github(title, is_property=True)}::{for_github(said)}")
    return lines


def add_to_step_summary(found: Results, failures: list[dict[str, Any]]) -> None:
    """Append the matrix and the failures to the step's summary, where the environment names one."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if name and found.rows:
        with Path(name).open("a", encoding="utf-8") as summary:
            summary.write(for_markdown(_markdown(found, failures)) + "\n")


def _markdown(found: Results, failures: list[dict[str, Any]]) -> str:
    matrix = matrix_of(found)
    modes = list(next(iter(matrix.values())))
    versions = sorted({row.tensorflow for row in found.rows} - {""})
    title = "Gradient checks" + (f", TensorFlow {', '.join(versions)}" if versions else "")
    lines = [
        f"### {markdown_words(title)}",
        "",
        *(f"{markdown_words(line)}\n" for line in gaps_told(found)),
        f"| subject | {' | '.join(map(markdown_words, modes))} |",
        "|---" * (len(modes) + 1) + "|",
    ]
    for subject, cells in matrix.items():
        shown = []
        for result in cells.values():
            verdict = "" if result is None else result.verdict.value
            shown.append(f"**{verdict}**" if result is not None and not result.ok else verdict)
        lines.append(f"| {code_span(subject)} | {' | '.join(shown)} |")
    for row in failures[:_MOST_FAILURES]:
        lines += [
            "",
            f"<details><summary>{html_words(row['nodeid'])}: {html_words(row['subject'])}</summary>",
            "",
        ]
        for mode, cell in row["modes"].items():
            if not cell["ok"]:
                lines.append(f"- {markdown_words(mode)}: **{cell['verdict']}** {markdown_words(cell['cause'])}")
        if row["arguments"]:
            lines += ["", "```python", row["arguments"].replace("```", "'''"), "```"]
        lines += ["", "</details>"]
    if len(failures) > _MOST_FAILURES:
        lines += ["", f"… and {len(failures) - _MOST_FAILURES} more"]
    return "\n".join(lines)


def _from_workspace(path: Path) -> str:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    try:
        return path.relative_to(workspace or Path.cwd()).as_posix()
    except ValueError:
        return str(path)
