"""The terminal section's text: rows of the matrix, and the lines about each failure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gradcheck.rendering.layout import columns, paragraph
from gradcheck.report import ModeResult
from gradcheck.results import aligned, mode_result

__all__ = ["command_again", "failure_lines", "matrix_rows", "worth_showing"]


# Rows of subjects that pass in every mode are left out where there are more rows than this.
_MOST_ROWS = 40


def matrix_rows(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows for `render_matrix`, a line for each subject; of one mode checked twice, the worse result.

    Where several tests check subjects of one name, the test is told as well.
    """
    tests: dict[str, set[str]] = {}
    for row in rows:
        tests.setdefault(row["subject"], set()).add(row["test"])
    named: dict[str, dict[str, ModeResult]] = {}
    for row in rows:
        subject = row["subject"]
        label = subject if len(tests[subject]) == 1 else f"{subject} ({row['test'].split('::', 1)[-1]})"
        cells = named.setdefault(label, {})
        for mode, cell in row["modes"].items():
            result = mode_result(mode, cell)
            seen = cells.get(mode)
            if seen is None or (not result.ok, result.verdict.severity) > (not seen.ok, seen.verdict.severity):
                cells[mode] = result
    return aligned(named)


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
        lines += [f"    replay  gradcheck replay {_short(row['cases'][m])}" for m in modes[:1] if m in row["cases"]]
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
        for why in [row["obstacles"][mode] for mode in modes[:1] if mode in row["obstacles"]]:
            lines += columns([("replay", f"none: {why}")], indent=4)
