"""``gradcheck report``: what result files say, together."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradcheck.cli.common import json_option, say, write_json
from gradcheck.cli.exits import FOUND, OK
from gradcheck.report import ModeResult
from gradcheck.results import Row, aligned, by_version, differences, merged_document, read_rows
from gradcheck.verdicts import Verdict

__all__ = ["report"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables as Markdown.")
@json_option
def report(files: tuple[Path, ...], markdown: Path | None, json_file: Path | None) -> None:
    """Show the results in FILES, which were written with --json, as one matrix for each TensorFlow.

    Files of different TensorFlow versions are compared: what changed, and from which version on.
    """
    rows = [row for path in files for row in read_rows(path)]
    say(_text(rows), json_file)
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(_markdown(rows), encoding="utf-8")
    write_json(json_file, merged_document(rows))
    sys.exit(OK if all(row.ok for row in rows) else FOUND)


def _title(version: str) -> str:
    return f"TensorFlow {version}" if version else "TensorFlow (version not recorded)"


def _failures(rows: list[Row]) -> list[tuple[Row, list[str], str]]:
    """What is not as it should be: row, the modes that share it, and verdict with cause; a line each."""
    grouped: dict[tuple[int, str, str], tuple[Row, list[str], str]] = {}
    for number, row in enumerate(rows):
        for mode, result in row.modes.items():
            if not result.ok:
                what = f"{_verdict(result)}: {result.cause or result.verdict.meaning}"
                grouped.setdefault((number, what, row.cases.get(mode, "")), (row, [], what))[1].append(mode)
    return list(grouped.values())


def _verdict(result: ModeResult) -> str:
    if not result.expected:
        return result.verdict.value
    return f"{result.verdict.value}, expected {' or '.join(verdict.value for verdict in result.expected)}"


def _text(rows: list[Row]) -> str:
    from gradcheck.rendering import render_matrix

    if not rows:
        return "The files hold no results."
    lines: list[str] = []
    for version, subjects in by_version(rows).items():
        lines += [_title(version), "", render_matrix(aligned(subjects)), ""]
    failures = _failures(rows)
    if failures:
        lines += ["Not as it should be:"]
        for row, modes, what in failures:
            lines.append(f"  {row.subject}, {', '.join(modes)}, {_title(row.tensorflow)}: {what}")
            if case := row.cases.get(modes[0]):
                lines.append("    smallest case: " + " ".join(case.split()))
        lines.append("")
    changed = differences(rows)
    if changed:
        lines += ["Changed between versions:"]
        lines += [f"  {subject}, {mode}: {_history(history)}" for subject, mode, history in changed]
        lines.append("")
    count = sum(len(modes) for _, modes, _ in failures)
    lines.append(
        f"{len(rows)} subject{'s' * (len(rows) != 1)}: "
        + (f"{count} verdict{'s' * (count != 1)} not as it should be" if count else "all as it should be")
    )
    return "\n".join(lines)


def _history(history: list[tuple[str, Verdict]]) -> str:
    return ", ".join(f"{verdict} from {version} on" for version, verdict in history)


def _markdown(rows: list[Row]) -> str:
    lines = ["# Gradient checks", ""]
    for version, subjects in by_version(rows).items():
        subjects = aligned(subjects)
        modes = list(next(iter(subjects.values())))
        lines += [f"## {_title(version)}", "", _row(["subject", *modes]), _row(["---"] * (len(modes) + 1))]
        for subject, results in subjects.items():
            cells = [
                ""
                if results[mode] is None
                else results[mode].verdict.value
                if results[mode].ok
                else f"**{results[mode].verdict.value}**"
                for mode in modes
            ]
            lines.append(_row([_code(subject), *cells]))
        lines.append("")
    failures = _failures(rows)
    if failures:
        lines += ["## Not as it should be", ""]
        lines += [
            f"- {_code(row.subject)}, {', '.join(modes)}, {_title(row.tensorflow)}: {_plain(what)}"
            for row, modes, what in failures
        ]
        lines.append("")
    changed = differences(rows)
    if changed:
        lines += ["## Changed between versions", ""]
        lines += [f"- {_code(subject)}, {mode}: {_history(history)}" for subject, mode, history in changed]
        lines.append("")
    return "\n".join(lines)


def _code(name: str) -> str:
    # Nothing is HTML inside a code span; only a backtick ends it, and a pipe ends a table's cell even there.
    return "`" + " ".join(name.split()).replace("`", "'").replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
