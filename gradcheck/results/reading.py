"""From documents that gradcheck wrote, of any kind and version, to `gradcheck.results.rows.Results`.

Every document is checked against the published schema when it is read: what is damaged is refused with its place, for a
file that is half understood is read as better than it is. What was not run is read, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError
from gradcheck.mode_names import mode_order
from gradcheck.records.reasons import Reason
from gradcheck.records.results import SCHEMA_VERSION, Entry, ModeResult
from gradcheck.results.rows import Detail, Gap, Results, Row
from gradcheck.schemas.validation import Shape, shape_of, validate
from gradcheck.support.files import read_json
from gradcheck.support.naming import unnumbered
from gradcheck.verdicts import Verdict

__all__ = ["NoResultsError", "mode_result", "read_results", "results_from", "results_of"]


class NoResultsError(InputError):
    """A whole document of gradcheck's own that holds no results of checks, so that there is nothing to report."""


# What else of gradcheck's lies beside its results, and what it is in words.
_OTHERS = {"scripts": "what plain scripts showed"}


def read_results(path: Path | str) -> Results:
    """What one results file holds.

    Raises:
        InputError: where the file cannot be read, is no JSON, or holds no results of gradcheck.
    """
    return results_from(read_json(Path(path), "give files that were written with --json"), str(path))


def results_from(document: Any, origin: str) -> Results:
    """As `results_of`, with where the document is from in the results and in what is wrong with it."""
    try:
        found = results_of(document)
    except InputError as error:
        raise type(error)(f"{origin}: {error}") from error
    return replace(
        found,
        rows=tuple(row if row.origin else replace(row, origin=origin) for row in found.rows),
        gaps=tuple(gap if gap.origin else replace(gap, origin=origin) for gap in found.gaps),
    )


def results_of(document: Any) -> Results:
    """What one document holds: a single result, or a collection with ``results``.

    Raises:
        NoResultsError: where it is whole, and of a kind that holds no results of checks.
        InputError: where the document is not one of gradcheck's, is of a newer schema, or does not fit its schema.
    """
    if not isinstance(document, dict) or "kind" not in document or "schema" not in document:
        raise InputError("holds no results of gradcheck (no 'kind' and 'schema'); was it written with --json?")
    number = document["schema"]
    if type(number) is not int or number < 1:
        raise InputError(f"has schema {number!r}; schemas are whole numbers from 1 to {SCHEMA_VERSION}")
    if number > SCHEMA_VERSION:
        raise InputError(f"has schema {number!r}, and this gradcheck reads up to {SCHEMA_VERSION}; update tf-gradcheck")
    kind = document["kind"]
    if isinstance(kind, str) and kind in _OTHERS:
        raise NoResultsError(f"holds {_OTHERS[kind]}, which are no results of checks")
    validate(document, "results")
    shape = shape_of(kind)
    parts = document["results"] if "results" in shape.document else [document]
    parts = [_known(part, shape.part) for part in parts]
    document = _known(document, shape.document)
    rows = [_row(part, document, shape) for part in parts]
    found = Results.of((row for row in rows if row.modes), _gaps(document, parts))
    if found.ok and any(one.get("ok") is False for one in (document, *parts)):
        found = replace(found, gaps=(Gap("some of it", "the file says that something failed, and not what"),))
    return found


# -- rows ----------------------------------------------------------------------------------------------------


def mode_result(mode: str, document: Mapping[str, Any]) -> ModeResult:
    """A `ModeResult` from JSON that fits the schema: the inverse of `ModeResult.to_dict`.

    Raises:
        InputError: where the document says of a verdict that it is a failure, and the verdict is none.
    """
    entry, resolution, excess, typical = (document.get(name) for name in ("entry", "resolution", "excess", "typical"))
    result = ModeResult(
        mode=mode,
        verdict=Verdict[document["verdict"]],
        cause=document.get("cause") or "",
        entry=None if entry is None else Entry.from_dict(entry),
        detail=document.get("detail") or "",
        changed=document.get("changed") or "",
        resolution=None if resolution is None else float(resolution),
        engine=document.get("engine") or "",
        notes=tuple(document.get("notes") or ()),
        expected=tuple(Verdict[name] for name in document.get("expected") or ()),
        seconds=float(document.get("seconds") or 0.0),
        rule=document.get("rule") or "",
        excess=None if excess is None else float(excess),
        typical=None if typical is None else float(typical),
        weak=tuple(document.get("weak") or ()),
        reasons=tuple(found for name in document.get("reasons") or () if (found := Reason.named(name)) is not None),
    )
    if result.ok and document.get("ok") is False:
        raise InputError(f"says of mode {mode} that it failed, and that its verdict is {result.verdict}")
    return result


def _known(found: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """Without the fields that the schema does not know: nobody has looked what is in them."""
    return {name: value for name, value in found.items() if name in fields}


def _row(part: Mapping[str, Any], document: Mapping[str, Any], shape: Shape) -> Row:
    """One result of a document, which says of all of its results what they do not say themselves."""
    versions = part.get("versions") or document.get("versions") or {}
    accepted = document["kind"] == "pytest" and part.get("outcome") in ("passed", "skipped")
    modes, details = {}, {}
    for mode in sorted(part["modes"], key=mode_order):
        found = _whole(part, mode, shape)
        result = mode_result(mode, found)
        if accepted and not result.ok:
            # A test that expects the failure (pytest.raises, xfail): what pytest calls passed is no failure here.
            result = replace(result, expected=(*result.expected, result.verdict))
        modes[mode], details[mode] = result, _detail(part, mode, found, result, document["kind"])
    return Row(
        subject=unnumbered(part["subject"]),
        tensorflow=versions.get("tensorflow", ""),
        modes=modes,
        details=details,
        versions=versions,
        origin=part.get("nodeid") or part.get("origin") or "",
        max_examples=part.get("max_examples") or document.get("max_examples") or 0,
        build=part.get("build") or document.get("build") or "",
        place=_place(part),
        settings=part.get("settings") or {},
    )


def _place(part: Mapping[str, Any]) -> str:
    """What tells a check from others of subjects of the same name: the test, or where the subject is from."""
    if "nodeid" in part:
        return part.get("test") or _without_mode(part["nodeid"], part["modes"])
    return part.get("place") or part.get("path") or ""


def _without_mode(nodeid: str, modes: Mapping[str, Any]) -> str:
    """Of files that do not name the test beside its id."""
    head, bracket, parameters = nodeid.partition("[")
    others = parameters.removesuffix("]").split("-")
    if not bracket or len(modes) != 1 or not set(modes) <= set(others):
        return nodeid
    others.remove(next(iter(modes)))
    return f"{head}[{'-'.join(others)}]" if others else head


def _whole(part: Mapping[str, Any], mode: str, shape: Shape) -> Mapping[str, Any]:
    """All that a document says of a mode's result: the row in short, and its report in full where it has one: the
    mode's (a search), or the row's (a test).
    """
    own = _known(part["modes"][mode], shape.mode)
    report = own.get("report") or part.get("report") or {}
    inner = report.get("modes", {}).get(mode, {})
    held = {
        "script": report.get("scripts", {}).get(mode),
        "evidence": report.get("evidence", {}).get(mode),
        "arguments": report.get("arguments"),
    }
    return {**inner, **own, **{name: value for name, value in held.items() if value and not own.get(name)}}


def _detail(part: Mapping[str, Any], mode: str, found: Mapping[str, Any], result: ModeResult, kind: str) -> Detail:
    # The plugin's rows have paths of scripts; these are only those of what is a report itself.
    own = part if kind in ("report", "replays") else {}
    notable = not result.ok or result.verdict is not Verdict.PASS
    counts = found.get("counts") or {}
    return Detail(
        arguments=(found.get("arguments") or part.get("arguments") or "") if notable else "",
        script=(found.get("script") or own.get("scripts", {}).get(mode) or "") if notable else "",
        evidence=found.get("evidence") or own.get("evidence", {}).get(mode),
        case=found.get("case"),
        reason=found.get("reason") or "",
        counts=counts,
        again=found.get("again") or part.get("again") or "",
        examples=found.get("examples") or sum(counts.values()) or int(bool(own)),
    )


# -- what was not run ----------------------------------------------------------------------------------------


def _gaps(document: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> Iterator[Gap]:
    """What the document says, or lets one see, that it does not hold."""
    told = [Gap(**one) for one in document.get("gaps") or ()]
    yield from told
    if not told:
        yield from _unnamed_gaps(document)
    of_kind: Callable[[list[Mapping[str, Any]]], Iterator[Gap]] | None
    of_kind = {"pytest": _failed_otherwise, "replays": _not_replayed}.get(document["kind"])
    if of_kind is not None:
        yield from of_kind(parts)
    for part in parts:
        if not part["modes"]:
            yield Gap(part["subject"], "it was checked in no mode", _tensorflow(part, document))
        for mode, found in part["modes"].items():
            if found.get("complete") is False:
                count = found["examples"]
                why = f"the search was interrupted after {count} example{'s' * (count != 1)}"
                yield Gap(f"{unnumbered(part['subject'])} in {mode}", why, _tensorflow(part, document))


def _unnamed_gaps(document: Mapping[str, Any]) -> Iterator[Gap]:
    """Of a document that says that it is not whole, and not what is missing."""
    tensorflow = (document.get("versions") or {}).get("tensorflow", "")
    units = document.get("units") or {}
    left = units.get("total", 0) - units.get("done", 0)
    if left > 0:
        yield Gap(f"{left} of {units['total']} searches", "the sweep has not come to its end", tensorflow)
    elif document.get("complete") is False or document.get("interrupted"):
        yield Gap("some subjects", "the run was interrupted before the last one", tensorflow)


def _tensorflow(part: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return str((part.get("versions") or document.get("versions") or {}).get("tensorflow", ""))


def _failed_otherwise(parts: list[Mapping[str, Any]]) -> Iterator[Gap]:
    """Tests that failed while no check of theirs did."""
    explained = {part["nodeid"] for part in parts if any(not cell["ok"] for cell in part["modes"].values())}
    for part in parts:
        if part.get("outcome") == "failed" and part["nodeid"] not in explained:
            why = part.get("failed") or "the test failed, and none of its checks did"
            yield Gap(part["nodeid"], why, _tensorflow(part, {}))


def _not_replayed(parts: list[Mapping[str, Any]]) -> Iterator[Gap]:
    for part in parts:
        if part["outcome"] == "not checked":
            yield Gap(part["case"], "the mode of this case was not checked", _tensorflow(part, {}))
