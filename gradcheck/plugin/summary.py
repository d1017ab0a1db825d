"""The terminal section's text: rows of the matrix, and the lines about each failure."""

from __future__ import annotations

import os
import shlex
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradcheck.mode_names import mode_order
from gradcheck.rendering.alike import group_key
from gradcheck.rendering.gaps import gap_lines
from gradcheck.rendering.layout import columns, paragraph
from gradcheck.rendering.text import resolution_words
from gradcheck.results.reading import mode_result
from gradcheck.results.rows import Results, Row, aligned
from gradcheck.verdicts import Verdict

__all__ = ["by_test", "command_again", "failure_lines", "foundation_lines", "gaps_told", "matrix_of", "worth_showing"]


# Rows of subjects that pass in every mode are left out where there are more rows than this.
_MOST_ROWS = 40


def matrix_of(found: Results) -> dict[str, dict[str, Any]]:
    """Rows for `render_matrix`, a line for each check."""
    several = Counter(row.subject for row in found.rows)

    def name(row: Row) -> str:  # two workers may have two versions
        return row.subject if several[row.subject] == 1 else f"{row.subject}, TensorFlow {row.tensorflow or '?'}"

    return aligned({name(row): row.modes for row in found.rows})


def gaps_told(found: Results) -> list[str]:
    """What was not checked."""
    return [line for gap in gap_lines(found.gaps) for line in paragraph(f"Not checked: {gap}", 0, hanging=2)]


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


def foundation_lines(results: Results, verbosity: int) -> list[str]:
    """What tests that pass are worth: how many examples, the detection limit, and which passes are weak.

    In a line for the whole run; with ``-v`` in one for each subject; with ``-q`` not at all.
    """
    found: dict[str, _Foundation] = {}
    weak: dict[str, list[str]] = {}
    for row in results.rows:
        for mode, result in row.modes.items():
            counts = row.detail(mode).counts
            for words in result.weak:
                weak.setdefault(words, []).append(f"{row.subject} in {mode}")
            if counts and result.verdict in (Verdict.PASS, Verdict.KINK):
                of_subject = found.setdefault(row.subject, _Foundation())
                of_subject.counts[mode] = of_subject.counts.get(mode, 0) + sum(counts.values())
                if result.resolution is not None:
                    of_subject.coarsest = max(of_subject.coarsest, (result.resolution, mode))
                    of_subject.typical.append(result.resolution if result.typical is None else result.typical)
    if not found or verbosity < 0:
        return []
    examples = sum(sum(one.counts.values()) for one in found.values())
    (coarsest, mode), subject = max((one.coarsest, label) for label, one in found.items())
    told = [
        line
        for words, cells in weak.items()
        for line in paragraph(f"Weak pass: {words} ({', '.join(cells)})", 0, hanging=2)
    ]
    total = f"passed on {examples} example{'s' * (examples != 1)}, each mode counted by itself"
    if coarsest < 0:  # of no subject it is known
        return told + paragraph(total, 0)
    where = f" ({subject} in {mode})" if len(found) > 1 else f" ({mode})"
    middle = statistics.median(limit for one in found.values() for limit in one.typical)
    lines = told + paragraph(f"{total}; {resolution_words(coarsest, middle)}{where}", 0)
    if verbosity > 0 and len(found) > 1:
        lines += columns([(label, one.words()) for label, one in found.items()])
    return lines


@dataclass
class _Foundation:
    """Examples by mode, and the coarsest resolution with its mode."""

    counts: dict[str, int] = field(default_factory=dict)
    coarsest: tuple[float, str] = (-1.0, "")
    typical: list[float] = field(default_factory=list)

    def words(self) -> str:
        modes: dict[int, list[str]] = {}
        for mode, count in self.counts.items():
            modes.setdefault(count, []).append(mode)
        words = "; ".join(f"{count} in {', '.join(names)}" for count, names in modes.items())
        resolution, mode = self.coarsest
        if resolution < 0:
            return words
        return f"{words}; {resolution_words(resolution, statistics.median(self.typical))} ({mode})"


def by_test(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The rows of the modes of one test and subject together, in the order of the first of them."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["test"], row["subject"]), []).append(row)
    return list(grouped.values())


def failure_lines(rows: list[dict[str, Any]], config: pytest.Config) -> list[str]:
    """What a reader needs to act: verdict and cause, the script, and how to run it again.

    Args:
        rows: of the failing modes of one test and subject.
        config: of the run. The smallest batch is told here only where its style of tracebacks leaves it out.
    """
    cells = {mode: (row, cell) for row in rows for mode, cell in row["modes"].items() if not cell["ok"]}
    with_batches = config.getoption("tbstyle", "auto") in ("no", "line")
    lines = [f"{_from_here(rows[0], config, several=len(rows) > 1)}: {rows[0]['subject']}"]
    for modes in _alike(cells, with_batches):
        row, cell = cells[modes[0]]
        said = f"{cell['verdict']} in {', '.join(modes)}"
        if cell["expected"]:
            said += f" (expected {' or '.join(cell['expected'])})"
        lines += paragraph(said + (f": {cell['cause']}" if cell["cause"] else ""), hanging=2)
        if with_batches and cell.get("arguments"):
            lines.append("    batch   " + " ".join(cell["arguments"].split()))
        lines += [f"    script  {_short(row['scripts'][mode])}" for mode in modes[:1] if mode in row["scripts"]]
        lines += [
            f"    replay  gradcheck replay --trust {_short(row['cases'][m])}" for m in modes[:1] if m in row["cases"]
        ]
        for why in [row["obstacles"][mode] for mode in modes[:1] if mode in row["obstacles"]]:
            lines += columns([("replay", f"none: {why}")], indent=4)
    again = rows[0]["again"] if len(rows) == 1 else _command(rows, list(cells), config)
    lines.append("  again: " + again)
    return lines


def _alike(cells: dict[str, tuple[dict[str, Any], dict[str, Any]]], with_batches: bool) -> list[list[str]]:
    """Modes with the same verdict and cause together, and with the same batch, where that is told."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for mode in sorted(cells, key=mode_order):
        _, cell = cells[mode]
        key = (group_key(mode_result(mode, cell)), cell.get("arguments") if with_batches else None)
        groups.setdefault(key, []).append(mode)
    return list(groups.values())


def _short(path: str) -> str:
    """The path from where pytest was called, if it lies below; as a word of a shell's command."""
    try:
        return shlex.quote(str(Path(path).relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(path)


def _from_here(row: dict[str, Any], config: pytest.Config, *, several: bool = False) -> str:
    """A test's id, which is relative to pytest's root, as one types it where pytest was called; without its mode where
    ``several`` are meant.
    """
    path, separator, rest = str(row["test" if several else "nodeid"]).partition("::")
    if not path:  # of a file outside the root pytest's id has no path
        path = str(row["file"])
    return os.path.relpath(config.rootpath / path, config.invocation_params.dir) + separator + rest


def command_again(row: dict[str, Any], config: pytest.Config) -> str:
    """The command that runs a test again, in the modes that failed."""
    return _command([row], [mode for mode, cell in row["modes"].items() if not cell["ok"]], config)


def _command(rows: list[dict[str, Any]], modes: list[str], config: pytest.Config) -> str:
    command = ["pytest"]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        command += ["-p", "gradcheck.plugin"]
    whole = "[" not in rows[0]["test"]  # with other parameters it is no id of a test
    if len(rows) > 1 and whole:
        command.append(_from_here(rows[0], config, several=True))
    else:
        command += [_from_here(row, config) for row in rows]
    if modes and whole and (len(rows) > 1 or rows[0]["test"] == rows[0]["nodeid"]):  # else the mode is in the id
        command.append(f"--gradcheck-modes={','.join(sorted(modes, key=mode_order))}")
    return shlex.join(command)
