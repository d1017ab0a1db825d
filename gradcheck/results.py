"""Results read back from JSON: rows of (subject, versions, verdict in each mode), whoever wrote the file.

``gradcheck search``, ``gradcheck variants`` and the pytest plugin all write documents ``{"schema", "kind", …}``; here
they become one list of `Row`, which the terminal, Markdown, HTML and merged JSON are made from. Needs neither
TensorFlow nor NumPy: results are often read where they were not made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.files import read_json
from gradcheck.mode_names import mode_order
from gradcheck.records.results import SCHEMA_VERSION, Entry, ModeResult
from gradcheck.releases.names import version_key
from gradcheck.verdicts import Verdict

__all__ = [
    "Detail",
    "NoResultsError",
    "Row",
    "aligned",
    "by_version",
    "merged_document",
    "mode_result",
    "read_rows",
    "rows_of",
    "version_key",
]


class NoResultsError(InputError):
    """A whole document of gradcheck's own that holds no results of checks, so that there is nothing to report."""


# What else of gradcheck's lies beside its results, and what it is in words.
_OTHERS = {"scripts": "what plain scripts showed"}


@dataclass(frozen=True)
class Detail:
    """What is known of one mode of a row beside its result; each empty where the file does not say.

    Attributes:
        arguments: the smallest batch as code that can be pasted.
        script: plain TensorFlow that shows the failure.
        evidence: what the pictures are made from; see `gradcheck.evidence`.
        case: the case file of the smallest batch, which `gradcheck replay` reads.
        reason: why the expected verdict is expected.
        counts: how often each verdict was met.
        again: the command that checks it again.
        examples: how many batches were tried; 0 where the file does not say.
    """

    arguments: str = ""
    script: str = ""
    evidence: Mapping[str, Any] | None = None
    case: Mapping[str, Any] | None = None
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    again: str = ""
    examples: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form, without what is empty."""
        found = {
            "script": self.script,
            "evidence": None if self.evidence is None else dict(self.evidence),
            "case": None if self.case is None else dict(self.case),
            "reason": self.reason,
            "counts": dict(self.counts),
            "again": self.again,
            "examples": self.examples,
        }
        return {"arguments": self.arguments, **{name: value for name, value in found.items() if value}}


_NOTHING = Detail()


@dataclass(frozen=True)
class Row:
    """One subject under one TensorFlow.

    Attributes:
        subject: its name.
        tensorflow: the version, ``""`` where the file does not say.
        modes: results by mode.
        details: what else is known, by mode.
        versions: all versions that the file names: ``python``, ``tensorflow``, ``keras``, ``numpy``.
        origin: the file, or the test, that the row is from.
        max_examples: how many batches were to be tried in each mode; 0 where the file does not say.
        build: which gradcheck measured (`gradcheck.build`); empty where the file does not say.
    """

    subject: str
    tensorflow: str
    modes: Mapping[str, ModeResult]
    details: Mapping[str, Detail] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    origin: str = field(default="", compare=False)
    max_examples: int = 0
    build: str = ""

    @property
    def ok(self) -> bool:
        """Whether every mode is as it should be."""
        return all(result.ok for result in self.modes.values())

    @property
    def cases(self) -> dict[str, str]:
        """For modes that are not as they should be, the smallest batch as code."""
        return {
            mode: detail.arguments
            for mode, detail in self.details.items()
            if detail.arguments and not self.modes[mode].ok
        }

    def detail(self, mode: str) -> Detail:
        """What else is known of a mode."""
        return self.details.get(mode, _NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form; `rows_of` reads it back."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "versions": {**self.versions, "tensorflow": self.tensorflow},
            "modes": {mode: {**result.to_dict(), **self.detail(mode).to_dict()} for mode, result in self.modes.items()},
            "origin": self.origin,
            **({"max_examples": self.max_examples} if self.max_examples else {}),
            **({"build": self.build} if self.build else {}),
        }


def mode_result(mode: str, document: Mapping[str, Any]) -> ModeResult:
    """A `ModeResult` from JSON: the inverse of `ModeResult.to_dict`, forgiving what is left out.

    Raises:
        InputError: for a verdict that this version does not know, or a number that is none.
    """
    entry = document.get("entry")
    resolution, excess = document.get("resolution"), document.get("excess")
    try:
        return ModeResult(
            mode=mode,
            verdict=_verdict(document.get("verdict")),
            cause=str(document.get("cause") or ""),
            entry=Entry.from_dict(entry) if isinstance(entry, dict) else None,
            detail=str(document.get("detail") or ""),
            changed=str(document.get("changed") or ""),
            resolution=None if resolution is None else float(resolution),
            engine=str(document.get("engine") or ""),
            notes=tuple(str(note) for note in document.get("notes") or ()),
            expected=tuple(_verdict(name) for name in document.get("expected") or ()),
            seconds=float(document.get("seconds") or 0.0),
            rule=str(document.get("rule") or ""),
            excess=None if excess is None else float(excess),
        )
    except InputError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"the result of mode {mode} is damaged: {error}") from error


def _verdict(name: Any) -> Verdict:
    try:
        return Verdict[str(name)]
    except KeyError:
        known = ", ".join(Verdict.__members__)
        raise InputError(
            f"unknown verdict {name!r}; the verdicts are {known}. Was the file written by a newer gradcheck?"
        ) from None


def read_rows(path: Path | str) -> list[Row]:
    """The rows of one results file.

    Raises:
        InputError: where the file cannot be read, is no JSON, or holds no results of gradcheck.
    """
    path = Path(path)
    document = read_json(path, "give files that were written with --json")
    try:
        return [replace(row, origin=row.origin or str(path)) for row in rows_of(document)]
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error


def rows_of(document: Any) -> list[Row]:
    """The rows of one document: a single result, or a collection with ``results``.

    Raises:
        NoResultsError: where it is whole, and of a kind that holds no results of checks.
        InputError: where the document is not one of gradcheck's, or of a newer schema.
    """
    if not isinstance(document, dict) or "kind" not in document or "schema" not in document:
        raise InputError("holds no results of gradcheck (no 'kind' and 'schema'); was it written with --json?")
    schema = document["schema"]
    if not isinstance(schema, int) or schema > SCHEMA_VERSION:
        raise InputError(f"has schema {schema!r}, and this gradcheck reads up to {SCHEMA_VERSION}; update tf-gradcheck")
    if document["kind"] in _OTHERS:
        raise NoResultsError(f"holds {_OTHERS[document['kind']]}, which are no results of checks")
    parts = document.get("results")
    if parts is None:
        return [_row(document, document)]
    if not isinstance(parts, list):
        raise InputError("'results' is not a list; the file is damaged")
    return [_row(part, document) for part in parts]


def _row(part: Any, document: Mapping[str, Any]) -> Row:
    """One result of a document, which says of all of its results what they do not say themselves."""
    if not isinstance(part, dict) or "subject" not in part or not isinstance(part.get("modes"), dict):
        raise InputError("holds a result without 'subject' and 'modes'; the file is damaged")
    if not all(isinstance(found, dict) for found in part["modes"].values()):
        raise InputError("holds a mode that is no object; the file is damaged")
    versions = part.get("versions") or document.get("versions") or {}
    modes = sorted(part["modes"], key=mode_order)
    found = {mode: _whole(part, mode) for mode in modes}
    return Row(
        subject=str(part["subject"]),
        tensorflow=str(versions.get("tensorflow", "")),
        modes={mode: mode_result(mode, found[mode]) for mode in modes},
        details={mode: _detail(part, mode, found[mode]) for mode in modes},
        versions={str(name): str(version) for name, version in versions.items()},
        origin=str(part.get("nodeid") or part.get("origin") or ""),
        max_examples=_count(part.get("max_examples") or document.get("max_examples")),
        build=str(part.get("build") or document.get("build") or ""),
    )


def _count(number: Any) -> int:
    """How many; 0 for what is no number, for nothing depends on it."""
    return number if isinstance(number, int) and number > 0 else 0


def _reports(part: Mapping[str, Any], mode: str) -> list[Mapping[str, Any]]:
    """Where a mode may be told of, the most particular first: its own report (a search), the row's (a test), itself."""
    candidates = [part["modes"][mode].get("report"), part.get("report"), part]
    return [report for report in candidates if isinstance(report, dict)]


def _whole(part: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """All that a document says of a mode's result: the row in short, its report in full."""
    own = dict(part["modes"][mode])
    for report in _reports(part, mode)[:-1]:
        inner = report.get("modes")
        if isinstance(inner, dict) and isinstance(inner.get(mode), dict):
            return {**inner[mode], **own}
    return own


def _detail(part: Mapping[str, Any], mode: str, found: Mapping[str, Any]) -> Detail:
    result = mode_result(mode, found)
    notable = not result.ok or result.verdict is not Verdict.PASS
    reports = _reports(part, mode)

    def by_mode(name: str, kind: type) -> Any:
        for report in reports:
            held = report.get(name)
            if isinstance(held, dict) and isinstance(held.get(mode), kind):
                # The plugin's rows have the scripts' paths beside their texts, which come first.
                return held[mode]
        return None

    arguments = found.get("arguments") or next((r["arguments"] for r in reports if r.get("arguments")), "")
    counts = found.get("counts") or {}
    counts = {str(name): int(count) for name, count in counts.items()} if isinstance(counts, dict) else {}
    return Detail(
        arguments=str(arguments) if notable else "",
        script=str(found.get("script") or by_mode("scripts", str) or "") if notable else "",
        evidence=found.get("evidence") or by_mode("evidence", dict),
        case=found.get("case") or by_mode("cases", dict),
        reason=str(found.get("reason") or ""),
        counts=counts,
        again=str(found.get("again") or part.get("again") or ""),
        examples=_count(found.get("examples")) or sum(counts.values()) or int(part.get("kind") == "report"),
    )


def aligned(rows: Mapping[str, Mapping[str, ModeResult]]) -> dict[str, dict[str, Any]]:
    """Every row with every mode, in the order in which modes are always shown; None where one did not run."""
    modes = sorted({mode for results in rows.values() for mode in results}, key=mode_order)
    return {subject: {mode: results.get(mode) for mode in modes} for subject, results in rows.items()}


def by_version(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, ModeResult]]]:
    """``{version: {subject: {mode: result}}}``, versions ascending; a later row of the same name wins per
    mode.
    """
    grouped: dict[str, dict[str, dict[str, ModeResult]]] = {}
    for row in sorted(rows, key=lambda row: version_key(row.tensorflow)):
        grouped.setdefault(row.tensorflow, {}).setdefault(row.subject, {}).update(row.modes)
    return grouped


def merged_document(rows: Iterable[Row]) -> dict[str, Any]:
    """All rows as one document, which `rows_of` reads back."""
    collected = list(rows)
    return {
        "schema": SCHEMA_VERSION,
        "kind": "merged",
        "ok": all(row.ok for row in collected),
        "results": [row.to_dict() for row in collected],
    }
