"""The terminal section's text: rows of the matrix, and the lines about each failure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradcheck.records.results import ModeResult
from gradcheck.rendering.layout import columns, paragraph
from gradcheck.rendering.text import resolution_words
from gradcheck.results import aligned, mode_result

__all__ = ["command_again", "failure_lines", "foundation_lines", "matrix_rows", "worth_showing"]


# Rows of subjects that pass in every mode are left out where there are more rows than this.
_MOST_ROWS = 40


def matrix_rows(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows for `render_matrix`, a line for each subject; of one mode checked twice, the worse result.

    Where several tests check subjects of one name, the test is told as well.
    """
    named: dict[str, dict[str, ModeResult]] = {}
    for row, label in zip(rows, _labels(rows), strict=True):
        cells = named.setdefault(label, {})
        for mode, cell in row["modes"].items():
            result = mode_result(mode, cell)
            seen = cells.get(mode)
            if seen is None or (not result.ok, result.verdict.severity) > (not seen.ok, seen.verdict.severity):
                cells[mode] = result
    return aligned(named)


def _labels(rows: list[dict[str, Any]]) -> list[str]:
    """For each row its subject, with the test where several tests check subjects of that name."""
    tests: dict[str, set[str]] = {}
    for row in rows:
        tests.setdefault(row["subject"], set()).add(row["test"])
    return [
        row["subject"] if len(tests[row["subject"]]) == 1 else f"{row['subject']} ({row['test'].split('::', 1)[-1]})"
        for row in rows
    ]


def worth_showing(rows: Mapping[str, Mapping[str, Any]], verbosity: int) -> tuple[dict[str, Any], int]:
    """The rows to show, and how many are left out: with ``-q``, or where they are many, those that simply pass."""
    if verbosity > 0 or (verbosity == 0 and len(rows) <= _MOST_ROWS):
        return dict(rows), 0
    shown = {
        subject: cells
        for subject, cells in rows.items()
        if any(result is not None and (result.verdict.value != "PASS" or not result.ok) for result in cells.values())
    }
    return shown, len(rows) - len(shown)


def foundation_lines(rows: list[dict[str, Any]], verbosity: int) -> list[str]:
    """What the verdicts of tests that pass rest on: how many examples, and how small an error would have been seen.

    In a line for the whole run; with ``-v`` in one for each subject; with ``-q`` not at all.
    """
    found: dict[str, _Foundation] = {}
    for row, label in zip(rows, _labels(rows), strict=True):
        for mode, cell in row["modes"].items():
            if cell["counts"] and cell["verdict"] in ("PASS", "KINK"):
                of_subject = found.setdefault(label, _Foundation())
                count = sum(cell["counts"].values())
                of_subject.counts[mode] = of_subject.counts.get(mode, 0) + count
                if cell.get("resolution") is not None:
                    of_subject.coarsest = max(of_subject.coarsest, (float(cell["resolution"]), mode))
    if not found or verbosity < 0:
        return []
    examples = sum(sum(one.counts.values()) for one in found.values())
    (coarsest, mode), subject = max((one.coarsest, label) for label, one in found.items())
    total = f"passed on {examples} example{'s' * (examples != 1)}, each mode counted by itself"
    if coarsest < 0:  # of no subject it is known
        return paragraph(total, 0)
    where = f" ({subject} in {mode})" if len(found) > 1 else f" ({mode})"
    lines = paragraph(f"{total}; {resolution_words(coarsest)}{where}", 0)
    if verbosity > 0 and len(found) > 1:
        lines += columns([(label, one.words()) for label, one in found.items()])
    return lines


@dataclass
class _Foundation:
    """Examples by mode, and the coarsest resolution with its mode."""

    counts: dict[str, int] = field(default_factory=dict)
    coarsest: tuple[float, str] = (-1.0, "")

    def words(self) -> str:
        modes: dict[int, list[str]] = {}
        for mode, count in self.counts.items():
            modes.setdefault(count, []).append(mode)
        words = "; ".join(f"{count} in {', '.join(names)}" for count, names in modes.items())
        resolution, mode = self.coarsest
        return words if resolution < 0 else f"{words}; {resolution_words(resolution)} ({mode})"


def failure_lines(row: dict[str, Any], config: pytest.Config) -> list[str]:
    """What a reader needs to act: verdict and cause, the smallest batch, the script, and how to run it again."""
    failing = {mode: cell for mode, cell in row["modes"].items() if not cell["ok"]}
    lines = [f"{_from_here(row, config)}: {row['subject']}"]
    for modes in _alike(failing):
        cell = failing[modes[0]]
        said = f"{cell['verdict']} in {', '.join(modes)}"
        if cell["expected"]:
            said += f" (expected {' or '.join(cell['expected'])})"
        lines += paragraph(said + (f": {cell['cause']}" if cell["cause"] else ""), hanging=2)
        if cell.get("arguments"):
            lines.append("    batch   " + " ".join(cell["arguments"].split()))
        lines += [f"    script  {_short(row['scripts'][mode])}" for mode in modes[:1] if mode in row["scripts"]]
        lines += [
            f"    replay  gradcheck replay --trust {_short(row['cases'][m])}" for m in modes[:1] if m in row["cases"]
        ]
        for why in [row["obstacles"][mode] for mode in modes[:1] if mode in row["obstacles"]]:
            lines += columns([("replay", f"none: {why}")], indent=4)
    lines.append("  again: " + row["again"])
    return lines


def _alike(failing: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Modes with the same verdict, cause and batch together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for mode, cell in failing.items():
        groups.setdefault((cell["verdict"], cell["cause"], cell.get("arguments", "")), []).append(mode)
    return list(groups.values())


def _short(path: str) -> str:
    """The path from where pytest was called, if it lies below; as a word of a shell's command."""
    try:
        return shlex.quote(str(Path(path).relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(path)


def _from_here(row: dict[str, Any], config: pytest.Config) -> str:
    """A test's id, which is relative to pytest's root, as one types it where pytest was called."""
    path, separator, rest = str(row["nodeid"]).partition("::")
    if not path:  # of a file outside the root pytest's id has no path
        path = str(row["file"])
    return os.path.relpath(config.rootpath / path, config.invocation_params.dir) + separator + rest


def command_again(row: dict[str, Any], config: pytest.Config) -> str:
    """The command that runs a test again, in the modes that failed."""
    failing = [mode for mode, cell in row["modes"].items() if not cell["ok"]]
    command = ["pytest"]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        command += ["-p", "gradcheck.plugin"]
    command.append(_from_here(row, config))
    if row["test"] == row["nodeid"] and failing:  # else the mode is in the id
        command.append(f"--gradcheck-modes={','.join(failing)}")
    return shlex.join(command)
