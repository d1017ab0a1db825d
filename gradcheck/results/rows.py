"""Results read back from JSON, whoever wrote the file: `Results`, which are rows and what was not run.

``gradcheck search``, ``gradcheck variants`` and the pytest plugin all write documents ``{"schema", "kind", …}``. Of any
number of them `gradcheck.results.reading` makes one `Results`. The terminal, Markdown, HTML and merged JSON are made of
it. Needs neither TensorFlow nor NumPy: results are often read where they were not made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.mode_names import mode_order
from gradcheck.records.results import SCHEMA_VERSION, ModeResult
from gradcheck.releases.names import version_key
from gradcheck.support.naming import LEGACY

__all__ = ["Detail", "Gap", "Results", "Row", "aligned", "by_version"]


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of one mode of a row beside its result; each empty where the file does not say.

    Attributes:
        arguments: the smallest batch as code that can be pasted.
        script: plain TensorFlow that shows the failure.
        evidence: what the pictures are made from; see `gradcheck.diagnosis.evidence`.
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


@dataclass(frozen=True, slots=True)
class Row:
    """One check under one TensorFlow: a subject, what asked for it, and the verdict in each mode.

    Attributes:
        subject: what it is called in reports, which is the subject's name until `Results` has to tell it from others.
        tensorflow: the version, ``""`` where the file does not say.
        modes: results by mode.
        details: what else is known, by mode.
        versions: all versions that the file names: ``python``, ``tensorflow``, ``keras``, ``numpy``.
        origin: the file, or the test, that the row is from.
        max_examples: how many batches were to be tried in each mode; 0 where the file does not say.
        build: which gradcheck measured (`gradcheck.support.build`); empty where the file does not say.
        name: the subject's own name, where ``subject`` is more than that.
        place: what tells it from other checks of a subject of that name: the test without its mode, or the import path.
        settings: the parameters of the check that are not the usual ones, as words.
    """

    subject: str
    tensorflow: str
    modes: Mapping[str, ModeResult]
    details: Mapping[str, Detail] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    origin: str = field(default="", compare=False)
    max_examples: int = 0
    build: str = ""
    name: str = field(default="", compare=False)
    place: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no mode failed, or only as expected."""
        return all(result.ok for result in self.modes.values())

    @property
    def cases(self) -> dict[str, str]:
        """For modes that are not as they should be, the smallest batch as code."""
        return {
            mode: detail.arguments
            for mode, detail in self.details.items()
            if detail.arguments and not self.modes[mode].ok
        }

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Equal for two rows where they are the same check: name, place and settings."""
        return self.name or self.subject, self.place, tuple(sorted(self.settings.items()))

    def detail(self, mode: str) -> Detail:
        """What else is known of a mode."""
        return self.details.get(mode, _NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form; `gradcheck.results.reading.results_of` reads it back."""
        known = {
            "max_examples": self.max_examples,
            "build": self.build,
            "place": self.place,
            "settings": dict(self.settings),
        }
        return {
            "subject": self.name or self.subject,
            "ok": self.ok,
            "versions": {**self.versions, "tensorflow": self.tensorflow},
            "modes": {mode: {**result.to_dict(), **self.detail(mode).to_dict()} for mode, result in self.modes.items()},
            "origin": self.origin,
            **{name: value for name, value in known.items() if value},
        }


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was to be checked and was not, or was not checked to the end: no pass, and no failure either.

    Attributes:
        what: what it is: a subject and its modes, a test, or how many searches.
        why: why it was not checked.
        tensorflow: the version, ``""`` where it is not known.
        origin: the file that says so.
    """

    what: str
    why: str
    tensorflow: str = ""
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        known = {"tensorflow": self.tensorflow, "origin": self.origin}
        return {"what": self.what, "why": self.why, **{name: value for name, value in known.items() if value}}


@dataclass(frozen=True, slots=True)
class Results:
    """What some documents hold together. Made by `of`, so that each check has one row for each TensorFlow.

    Attributes:
        rows: one for each check and TensorFlow, their ``subject`` different for different checks.
        gaps: what was to be checked and was not.
    """

    rows: tuple[Row, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row], gaps: Iterable[Gap] = ()) -> Results:
        """Rows of the same check and TensorFlow become one; checks of subjects of one name get names of their own."""
        merged: dict[tuple[object, ...], Row] = {}
        for row in rows:
            key = (row.key, row.tensorflow)
            seen = merged.get(key)
            merged[key] = row if seen is None else _together(seen, row)
        names = _names(merged.values())
        found = (
            row if names[row.key] == row.subject else replace(row, name=row.key[0], subject=names[row.key])
            for row in merged.values()
        )
        return cls(tuple(found), tuple(dict.fromkeys(gaps)))

    @classmethod
    def joined(cls, several: Iterable[Results]) -> Results:
        """Several together."""
        every = list(several)
        return cls.of((row for one in every for row in one.rows), (gap for one in every for gap in one.gaps))

    @property
    def ok(self) -> bool:
        """Whether everything was run and nothing failed."""
        return not self.gaps and all(row.ok for row in self.rows)

    def only(self, wanted: Callable[[str], bool]) -> Results:
        """The rows of the subjects that are wanted, by name. What was not run stays: it may have been one of them."""
        return replace(self, rows=tuple(row for row in self.rows if wanted(row.subject)))

    def to_dict(self) -> dict[str, Any]:
        """All of it as one document, which `gradcheck.results.reading.results_of` reads back."""
        return {
            "schema": SCHEMA_VERSION,
            "kind": "merged",
            "ok": self.ok,
            "complete": not self.gaps,
            "gaps": [gap.to_dict() for gap in self.gaps],
            "results": [row.to_dict() for row in self.rows],
        }


def _together(one: Row, other: Row) -> Row:
    """Two rows of the same check and TensorFlow. Of a mode that both have the worse result stays: a pass of a later run
    must not cover the failure of an earlier one.
    """
    modes, details = {**one.modes}, {**one.details}
    for mode, result in other.modes.items():
        seen = modes.get(mode)
        if seen is None:
            modes[mode] = result
            details[mode] = other.detail(mode)
            continue
        first, second = one.detail(mode), other.detail(mode)
        kept = first
        if _badness(result) > _badness(seen):
            modes[mode], kept = result, second
        counts = Counter(first.counts) + Counter(second.counts)
        details[mode] = replace(kept, counts=dict(counts), examples=first.examples + second.examples)
    return replace(
        one,
        modes={mode: modes[mode] for mode in sorted(modes, key=mode_order)},
        details=details,
        versions={**other.versions, **one.versions},
        origin=one.origin if one.origin == other.origin else one.place or one.origin,
        max_examples=max(one.max_examples, other.max_examples),
        build=one.build if one.build == other.build else "",
    )


def _badness(result: ModeResult) -> tuple[bool, int]:
    return (not result.ok, result.verdict.severity)


_Key = tuple[str, str, tuple[tuple[str, str], ...]]


def _names(rows: Iterable[Row]) -> dict[_Key, str]:
    """What each check is called: its subject's name; where several under one TensorFlow have that, what differs, too.

    Where there is one for each TensorFlow they are taken for the same check, which may have moved to another file.
    """
    by_name: dict[str, dict[str, set[_Key]]] = {}
    for row in rows:
        by_name.setdefault(row.key[0], {}).setdefault(row.tensorflow, set()).add(row.key)
    names: dict[_Key, str] = {}
    ambiguous: list[list[_Key]] = []
    for name, by_tensorflow in by_name.items():
        keys = {key for found in by_tensorflow.values() for key in found}
        if max(len(found) for found in by_tensorflow.values()) == 1:
            names.update(dict.fromkeys(keys, name))
        else:
            ambiguous.append(sorted(keys))
    taken = set(names.values())
    for alike in ambiguous:
        for key, name in zip(alike, _told_apart(alike), strict=True):
            free, number = name, 1
            while free in taken:  # another subject may be called so
                number += 1
                free = f"{name} {number}"
            taken.add(free)
            names[key] = free
    return names


def _told_apart(keys: list[_Key]) -> list[str]:
    """Names for checks of subjects of one name: with the test or the path, and with the settings that differ."""
    places = {place for _, place, _ in keys}
    short = Counter(place.partition("::")[2] or place for place in places)
    settings = [dict(found) for _, _, found in keys]
    differing = [
        name
        for name in dict.fromkeys(name for found in settings for name in found)
        if len({found.get(name) for found in settings}) > 1
    ]
    made = []
    for (name, place, _), found in zip(keys, settings, strict=True):
        parts = [f"{setting}={found[setting]}" for setting in differing if setting in found]
        if len(places) > 1 and place:
            brief = place.partition("::")[2] or place
            parts.insert(0, brief if short[brief] == 1 else place)
        # The ending stays at the end: by it the same subject is found again under tf.keras.
        ending = LEGACY if name.endswith(LEGACY) else ""
        plain = name.removesuffix(ending)
        made.append((f"{plain} ({', '.join(parts)})" if parts else plain) + ending)
    return made


def aligned(rows: Mapping[str, Mapping[str, ModeResult]]) -> dict[str, dict[str, Any]]:
    """Every row with every mode, in the order in which modes are always shown; None where one did not run."""
    modes = sorted({mode for results in rows.values() for mode in results}, key=mode_order)
    return {subject: {mode: results.get(mode) for mode in modes} for subject, results in rows.items()}


def by_version(results: Results) -> dict[str, dict[str, Mapping[str, ModeResult]]]:
    """``{version: {subject: {mode: result}}}``, versions ascending."""
    grouped: dict[str, dict[str, Mapping[str, ModeResult]]] = {}
    for row in sorted(results.rows, key=lambda row: version_key(row.tensorflow)):
        grouped.setdefault(row.tensorflow, {})[row.subject] = row.modes
    return grouped
