"""Results read back from JSON: rows of (subject, versions, verdict in each mode), whoever wrote the file.

``gradcheck search``, ``gradcheck variants`` and the pytest plugin all write documents ``{"schema", "kind",
…}``; here they become one list of `Row`, which the terminal, Markdown and merged JSON are made from. Needs
neither TensorFlow nor
NumPy: results are often read where they were not made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.report import SCHEMA_VERSION, ModeResult
from gradcheck.verdicts import Verdict

__all__ = [
    "Row",
    "aligned",
    "by_version",
    "differences",
    "merged_document",
    "mode_order",
    "mode_result",
    "read_rows",
    "rows_of",
]


@dataclass(frozen=True)
class Row:
    """One subject under one TensorFlow.

    Attributes:
        subject: its name.
        tensorflow: the version, ``""`` where the file does not say.
        modes: results by mode.
        cases: for failing modes, the smallest failing batch as code.
        origin: the file, or the test, that the row is from.
    """

    subject: str
    tensorflow: str
    modes: Mapping[str, ModeResult]
    cases: Mapping[str, str] = field(default_factory=dict)
    origin: str = field(default="", compare=False)

    @property
    def ok(self) -> bool:
        """Whether every mode is as it should be."""
        return all(result.ok for result in self.modes.values())

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form; `rows_of` reads it back."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "versions": {"tensorflow": self.tensorflow},
            "modes": {
                mode: {**result.to_dict(), "arguments": self.cases.get(mode, "")} for mode, result in self.modes.items()
            },
            "origin": self.origin,
        }


def mode_result(mode: str, document: Mapping[str, Any]) -> ModeResult:
    """A `ModeResult` from JSON, as far as tables need it (without entry and detail).

    Raises:
        InputError: for a verdict that this version does not know.
    """
    return ModeResult(
        mode=mode,
        verdict=_verdict(document.get("verdict")),
        cause=str(document.get("cause") or ""),
        expected=tuple(_verdict(name) for name in document.get("expected") or ()),
    )


def _verdict(name: Any) -> Verdict:
    try:
        return Verdict[str(name)]
    except KeyError:
        known = ", ".join(Verdict.__members__)
        raise InputError(
            f"unknown verdict {name!r}; the verdicts are {known}. Was the file written by a newer gradcheck?"
        ) from None


def read_rows(path: Path) -> list[Row]:
    """The rows of one results file.

    Raises:
        InputError: where the file cannot be read, is no JSON, or holds no results of gradcheck.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}); give files that were written with --json") from error
    try:
        return [replace(row, origin=row.origin or str(path)) for row in rows_of(document)]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def rows_of(document: Any) -> list[Row]:
    """The rows of one document: a single result, or a collection with ``results``.

    Raises:
        InputError: where the document is not one of gradcheck's, or of a newer schema.
    """
    if not isinstance(document, dict) or "kind" not in document or "schema" not in document:
        raise InputError("holds no results of gradcheck (no 'kind' and 'schema'); was it written with --json?")
    schema = document["schema"]
    if not isinstance(schema, int) or schema > SCHEMA_VERSION:
        raise InputError(f"has schema {schema!r}, and this gradcheck reads up to {SCHEMA_VERSION}; update tf-gradcheck")
    parts = document.get("results")
    if parts is None:
        return [_row(document, {})]
    if not isinstance(parts, list):
        raise InputError("'results' is not a list; the file is damaged")
    return [_row(part, document.get("versions") or {}) for part in parts]


def _row(part: Any, versions: Mapping[str, Any]) -> Row:
    if not isinstance(part, dict) or "subject" not in part or not isinstance(part.get("modes"), dict):
        raise InputError("holds a result without 'subject' and 'modes'; the file is damaged")
    versions = part.get("versions") or versions
    modes = sorted(part["modes"], key=mode_order)
    cases = {mode: _case(part, mode) for mode in modes}
    return Row(
        subject=str(part["subject"]),
        tensorflow=str(versions.get("tensorflow", "")),
        modes={mode: mode_result(mode, part["modes"][mode]) for mode in modes},
        cases={mode: case for mode, case in cases.items() if case},
        origin=str(part.get("nodeid") or part.get("origin") or ""),
    )


def mode_order(mode: str) -> tuple[int, str]:
    """Sorts modes as they are always shown, with unknown ones last."""
    known = ("eager", "graph", "dynamic", "xla")
    return (known.index(mode) if mode in known else len(known), mode)


def _case(part: Mapping[str, Any], mode: str) -> str:
    """The batch on which a mode fails: a search has one for each mode, a check one for all."""
    found = part["modes"][mode]
    if not isinstance(found, dict) or found.get("ok", True):
        return ""
    report = found.get("report")
    own = found.get("arguments") or (report.get("arguments") if isinstance(report, dict) else "")
    return str(own or part.get("arguments") or "")


def aligned(rows: Mapping[str, Mapping[str, ModeResult]]) -> dict[str, dict[str, Any]]:
    """Every row with every mode, in the order in which modes are always shown; None where one did not run."""
    modes = sorted({mode for results in rows.values() for mode in results}, key=mode_order)
    return {subject: {mode: results.get(mode) for mode in modes} for subject, results in rows.items()}


def version_key(version: str) -> tuple[int, ...]:
    """Sorts 2.10 after 2.9; a version that is not numbers comes first."""
    numbers = []
    for part in version.split("."):
        digits = "".join(character for character in part if character.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def by_version(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, ModeResult]]]:
    """``{version: {subject: {mode: result}}}``, versions ascending; a later row of the same name wins per
    mode.
    """
    grouped: dict[str, dict[str, dict[str, ModeResult]]] = {}
    for row in sorted(rows, key=lambda row: version_key(row.tensorflow)):
        grouped.setdefault(row.tensorflow, {}).setdefault(row.subject, {}).update(row.modes)
    return grouped


def differences(rows: Iterable[Row]) -> list[tuple[str, str, list[tuple[str, Verdict]]]]:
    """(subject, mode, [(first version, verdict from there on), …]) where the verdict changes between
    versions.
    """
    histories: dict[tuple[str, str], list[tuple[str, Verdict]]] = {}
    for version, subjects in by_version(rows).items():
        for subject, modes in subjects.items():
            for mode, result in modes.items():
                history = histories.setdefault((subject, mode), [])
                if not history or history[-1][1] is not result.verdict:
                    history.append((version, result.verdict))
    return [(subject, mode, history) for (subject, mode), history in histories.items() if len(history) > 1]


def merged_document(rows: Iterable[Row]) -> dict[str, Any]:
    """All rows as one document, which `rows_of` reads back."""
    collected = list(rows)
    return {
        "schema": SCHEMA_VERSION,
        "kind": "merged",
        "ok": all(row.ok for row in collected),
        "results": [row.to_dict() for row in collected],
    }
