"""What the page shows, worked out from rows of results: the matrix, what changed, and a card for each failure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from gradcheck.errors import in_words
from gradcheck.mode_names import mode_order
from gradcheck.records.results import ModeResult
from gradcheck.releases.names import short_version, version_key
from gradcheck.rendering.alike import group_key
from gradcheck.rendering.gaps import gap_lines
from gradcheck.rendering.hints import hint, meaning
from gradcheck.rendering.html.batches import BatchPicture, batch_picture
from gradcheck.rendering.html.heatmaps import HeatMaps, heat_maps
from gradcheck.rendering.html.outputs import ComparedOutputs, compared_outputs
from gradcheck.rendering.html.slopes import SlopePlot, slope_plot
from gradcheck.rendering.html.upgrades import UpgradeView, upgrade_view
from gradcheck.rendering.layout import broken
from gradcheck.rendering.text import entry_rows
from gradcheck.rendering.versions import LETTERS
from gradcheck.results.effort import tried
from gradcheck.results.history import History, histories, runs
from gradcheck.results.rows import Detail, Results
from gradcheck.results.upgrade import Side, default_sides, sides
from gradcheck.verdicts import Verdict

__all__ = ["GLYPHS", "Card", "Cell", "Page", "page_of"]

_Drawn = TypeVar("_Drawn")

# One character for each verdict, in narrow columns; the legend and every cell's title give the word. Taken from the
# parts of Unicode that the fonts of phones and desktops have.
GLYPHS = {
    Verdict.PASS: "✓",
    Verdict.KINK: "∧",
    Verdict.UNRESOLVED: "?",
    Verdict.MISMATCH: "≠",
    Verdict.DISCONNECTED: "∅",
    Verdict.NONFINITE: "∞",
    Verdict.DISAGREEMENT: "≢",
    Verdict.PADDING_LEAK: "⇥",
    Verdict.NONDETERMINISTIC: "~",
    Verdict.ERROR: "!",
    Verdict.CRASH: "✖",
    Verdict.UNSUPPORTED: "⊘",
    Verdict.INACCURATE: "≈",
}


@dataclass(frozen=True)
class Cell:
    """One place of the matrix.

    Attributes:
        verdict: the verdict; None where the mode did not run.
        tone: ``fail``, ``better``, ``fine``, ``undecided``, ``expected`` or ``none``: how it is coloured. (Cards: also
            ``kink``.)
        glyph: the verdict in a character.
        title: the whole in words.
        href: where it is explained, such as ``#pool-xla-2.8.4``; empty for what needs no explanation.
    """

    verdict: Verdict | None
    tone: str
    glyph: str
    title: str
    href: str = ""


@dataclass(frozen=True)
class Line:
    """A line of the matrix: some modes of a subject, a cell for each column."""

    modes: tuple[str, ...]
    cells: tuple[Cell, ...]
    history: History
    code: str


@dataclass(frozen=True)
class SubjectBlock:
    """A subject's lines."""

    name: str
    anchor: str
    lines: tuple[Line, ...]
    states: str


@dataclass(frozen=True)
class Occurrence:
    """One (mode, version) of a card."""

    mode: str
    version: str
    anchor: str
    detail: Detail
    result: ModeResult
    versions: Mapping[str, str]
    origin: str


@dataclass(frozen=True)
class CaseFile:
    """A case to download."""

    name: str
    address: str
    command: str


@dataclass(frozen=True)
class OtherCase:
    """Another smallest batch, of other modes or versions of the same card."""

    where: str
    code: str


@dataclass(frozen=True)
class Card:
    """One failure, in all modes and versions where it is the same."""

    anchor: str
    subject: str
    verdict: Verdict
    tone: str
    heading: str
    where: str
    occurrences: tuple[Occurrence, ...]
    by_mode: tuple[tuple[str, tuple[Occurrence, ...]], ...]
    shown: Occurrence
    cause: str
    rule: str
    meaning: str
    advice: str
    expectation: str
    reason: str
    entry: tuple[tuple[str, str], ...]
    worst: str
    maps: HeatMaps | None
    plot: SlopePlot | None
    batch: BatchPicture | None
    changed: BatchPicture | None
    outputs: ComparedOutputs | None
    missing: tuple[str, ...]
    arguments: str
    script: str
    case: CaseFile | None
    others: tuple[OtherCase, ...]
    detail: str
    notes: tuple[str, ...]
    history: str
    checked: str


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    versions: tuple[str, ...]
    modes: tuple[str, ...]
    columns: tuple[str, ...]
    by_version: bool
    blocks: tuple[SubjectBlock, ...]
    counts: Mapping[str, int]
    changes: tuple[Line, ...]
    failures: tuple[Card, ...]
    better: tuple[Card, ...]
    undecided: tuple[Card, ...]
    corners: tuple[Card, ...]
    expected: tuple[Card, ...]
    used: tuple[Verdict, ...]
    gaps: bool
    upgrade: UpgradeView | None
    rests_on: str
    not_checked: tuple[str, ...]
    quiet: int
    verdicts: tuple[Verdict, ...] = tuple(Verdict)
    glyphs: Mapping[Verdict, str] = field(default_factory=lambda: GLYPHS)


class _Anchors:
    """Readable addresses, each given out once."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def of(self, *parts: str) -> str:
        key = "\0".join(parts)
        wished = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "-", part).strip("-.") or "x" for part in parts)
        anchor, number = wished, 2
        while self._taken.get(anchor, key) != key:
            anchor = f"{wished}-{number}"
            number += 1
        self._taken[anchor] = key
        return anchor


def _tone(result: ModeResult) -> str:
    if not result.ok:
        return "better" if result.better else "fail"
    if result.verdict.fails:
        return "expected"
    return "undecided" if result.verdict is Verdict.UNRESOLVED else "fine"


def page_of(results: Results, title: str = "Gradient checks", upgrade: tuple[Side, Side] | None = None) -> Page:
    """All that the page shows.

    Args:
        results: the results.
        title: the heading.
        upgrade: which is shown first; where omitted that from the oldest to the newest version with most subjects.
    """
    rows = results.rows
    versions = tuple(sorted({row.tensorflow for row in rows}, key=version_key))
    modes = tuple(sorted({mode for row in rows for mode in row.modes}, key=mode_order))
    anchors = _Anchors()
    found = _occurrences(results, anchors)
    by_version = len(versions) > 1
    told = histories(results)
    cards = _cards(found, told, versions, anchors)
    blocks = _blocks(told, found, by_version, modes, anchors)
    changes = (
        tuple(line for block in blocks for line in block.lines if line.history.trend.changed or line.history.exposed)
        if by_version
        else ()
    )
    tones = [cell.tone for block in blocks for cell in _tones(block, by_version)]
    counts = {tone: tones.count(tone) for tone in ("fine", "fail", "better", "expected", "undecided")}
    counts["subjects"] = len(blocks)
    counts["failing"] = sum("fail" in block.states.split() for block in blocks)
    shorts = [short_version(version) for version in versions]
    labels = tuple(
        short if shorts.count(short) == 1 else version or "?" for short, version in zip(shorts, versions, strict=True)
    )
    met = {result.verdict for row in rows for result in row.modes.values()}
    return Page(
        title=title,
        versions=versions,
        modes=modes,
        columns=labels if by_version else modes,
        by_version=by_version,
        blocks=blocks,
        counts=counts,
        changes=changes,
        failures=tuple(card for card in cards if card.tone == "fail"),
        better=tuple(card for card in cards if card.tone == "better"),
        undecided=tuple(card for card in cards if card.tone == "undecided"),
        corners=tuple(card for card in cards if card.tone == "kink"),
        expected=tuple(card for card in cards if card.tone == "expected"),
        used=tuple(verdict for verdict in reversed(Verdict) if verdict in met),
        gaps=any(cell.verdict is None for block in blocks for line in block.lines for cell in line.cells),
        upgrade=_upgrade(results, upgrade, versions, modes, found) if by_version else None,
        rests_on=tried(results),
        not_checked=tuple(gap_lines(results.gaps)),
        quiet=sum(block.states == "fine" for block in blocks),
    )


def _upgrade(
    results: Results,
    chosen: tuple[Side, Side] | None,
    versions: Sequence[str],
    modes: Sequence[str],
    found: Mapping[tuple[str, str, str], Occurrence],
) -> UpgradeView | None:
    every = sides(results)
    chosen = chosen or default_sides(every)

    def href(subject: str, mode: str, version: str) -> str:
        occurrence = found.get((subject, mode, version))
        return "" if occurrence is None else _href(occurrence)

    return None if chosen is None else upgrade_view(every, chosen, versions, modes, href)


def _occurrences(results: Results, anchors: _Anchors) -> dict[tuple[str, str, str], Occurrence]:
    """By subject, mode and version."""
    found: dict[tuple[str, str, str], Occurrence] = {}
    for row in results.rows:
        for mode, result in row.modes.items():
            anchor = anchors.of(row.subject, mode, row.tensorflow or "unknown")
            found[row.subject, mode, row.tensorflow] = Occurrence(
                mode, row.tensorflow, anchor, row.detail(mode), result, row.versions, row.origin
            )
    return found


# -- the matrix ----------------------------------------------------------------------------------------------


_NOT_RUN = Cell(None, "none", "", "not run")


def _cell(subject: str, modes: Sequence[str], version: str, found: Mapping[tuple[str, str, str], Occurrence]) -> Cell:
    first = next((found[key] for mode in modes if (key := (subject, mode, version)) in found), None)
    if first is None:
        return replace(_NOT_RUN, title=f"{', '.join(modes)} not run" + (f" on {version}" if version else ""))
    result = first.result
    tone = _tone(result)
    words = f"{result.verdict}, as expected" if tone == "expected" else result.verdict.value
    glyph = GLYPHS[result.verdict] + ("~" if result.weak else "")
    if tone in ("fail", "better") and not result.verdict.fails:
        words += ", not the expected " + " or ".join(verdict.value for verdict in result.expected)
    title = f"{subject}, {', '.join(modes)}" + (f", TensorFlow {version}" if version else "") + f": {words}"
    if result.cause:
        title += f". {result.cause}"
    if result.weak:
        title += f". Weak pass: {'; '.join(result.weak)}"
    return Cell(result.verdict, tone, glyph, title, _href(first))


def _href(occurrence: Occurrence) -> str:
    """Where it is explained; empty for what needs no explanation."""
    plain = _tone(occurrence.result) == "fine" and not _is_shown_corner(occurrence)
    return "" if plain else f"#{occurrence.anchor}"


def _blocks(
    told: Sequence[History],
    found: Mapping[tuple[str, str, str], Occurrence],
    by_version: bool,
    modes: tuple[str, ...],
    anchors: _Anchors,
) -> tuple[SubjectBlock, ...]:
    grouped: dict[str, list[History]] = {}
    for history in told:
        grouped.setdefault(history.subject, []).append(history)
    blocks = []
    for subject, parts in grouped.items():
        lines = []
        if by_version:
            for history in parts:
                cells = tuple(_cell(subject, history.modes, version, found) for version in history.results)
                lines.append(Line(history.modes, cells, history, _code(cells)))
        else:
            (version,) = parts[0].results
            cells = tuple(_cell(subject, (mode,), version, found) for mode in modes)
            lines.append(Line(modes, cells, parts[0], _code(cells)))
        tones = {cell.tone for line in lines for cell in line.cells} - {"none"}
        if any(line.history.changed for line in lines):
            tones.add("changed")
        blocks.append(SubjectBlock(subject, anchors.of("subject", subject), tuple(lines), " ".join(sorted(tones))))
    return tuple(blocks)


def _code(cells: Sequence[Cell]) -> str:
    """A character a column, for the page's script: the verdict's letter, ``-`` where it was not run."""
    return "".join("-" if cell.verdict is None else LETTERS[cell.verdict] for cell in cells)


def _tones(block: SubjectBlock, by_version: bool) -> list[Cell]:
    """A cell for each mode that ran: lines of several modes count several times."""
    return [
        cell
        for line in block.lines
        for cell in line.cells
        for _ in (line.modes if by_version else (0,))
        if cell.verdict is not None
    ]


# -- the cards -----------------------------------------------------------------------------------------------


def _cards(
    found: Mapping[tuple[str, str, str], Occurrence],
    told: Sequence[History],
    versions: Sequence[str],
    anchors: _Anchors,
) -> list[Card]:
    grouped: dict[tuple[str, str, tuple[object, ...]], list[Occurrence]] = {}
    for (subject, _, _), occurrence in found.items():
        tone = "kink" if _is_shown_corner(occurrence) else _tone(occurrence.result)
        if tone != "fine":
            grouped.setdefault((subject, tone, group_key(occurrence.result)), []).append(occurrence)
    sentences = {(history.subject, mode): history.sentence for history in told for mode in history.modes}
    cards = []
    for (subject, tone, _), occurrences in grouped.items():
        shown = max(occurrences, key=_worth)
        history = sentences[subject, shown.mode] if len(versions) > 1 else ""
        cards.append(_card(subject, tone, occurrences, shown, history, versions, anchors))
    order = {"fail": 0, "undecided": 1, "kink": 2, "expected": 3, "better": 4}
    return sorted(cards, key=lambda card: (card.subject, order[card.tone], -card.verdict.severity))


def _is_shown_corner(occurrence: Occurrence) -> bool:
    """Whether there is a picture of a corner: no failure, but worth seeing."""
    return occurrence.result.ok and occurrence.result.verdict is Verdict.KINK and occurrence.detail.evidence is not None


def _worth(occurrence: Occurrence) -> tuple[bool, bool, tuple[int, ...]]:
    """Which occurrence is shown: one with pictures, with a script, on the newest version."""
    detail = occurrence.detail
    return detail.evidence is not None, bool(detail.script), version_key(occurrence.version)


def _by_mode(occurrences: Sequence[Occurrence]) -> list[tuple[str, tuple[Occurrence, ...]]]:
    grouped: dict[str, list[Occurrence]] = {}
    for occurrence in sorted(occurrences, key=lambda o: (mode_order(o.mode), version_key(o.version))):
        grouped.setdefault(occurrence.mode, []).append(occurrence)
    return [(mode, tuple(ones)) for mode, ones in grouped.items()]


def _sentence(cause: str) -> str:
    """With a capital letter, unless it begins with a name such as ``output[row 0]``."""
    first = cause.split(" ", 1)[0]
    return cause[:1].upper() + cause[1:] if first.isalpha() else cause


def _where(occurrences: Sequence[Occurrence], versions: Sequence[str]) -> str:
    """``xla on 2.8, 2.9; graph on 2.8``: modes with the same versions together; without these where there is one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for mode, ones in _by_mode(occurrences):
        alike.setdefault(tuple(one.version for one in ones), []).append(mode)
    several = len(versions) > 1
    return "; ".join(
        ", ".join(modes) + (f" on {_ranges(seen, versions)}" if several else "") for seen, modes in alike.items()
    )


def _ranges(seen: Sequence[str], versions: Sequence[str]) -> str:
    """``2.8, 2.10 to 2.15``: three and more in a row are told as a range."""
    if len(seen) == len(versions) > 2:
        return "every version"
    parts = []
    for run in runs(seen, versions):
        names = [short_version(version) for version in run]
        parts.append(f"{names[0]} to {names[-1]}" if len(names) > 2 else ", ".join(names))
    return ", ".join(parts)


def _card(
    subject: str,
    tone: str,
    occurrences: Sequence[Occurrence],
    shown: Occurrence,
    history: str,
    versions: Sequence[str],
    anchors: _Anchors,
) -> Card:
    result, detail = shown.result, shown.detail
    evidence = detail.evidence
    entry = result.entry
    worst = ""
    if entry is not None:
        worst = f"{entry.output} w.r.t. {entry.input}" if entry.output and entry.input else entry.output or entry.input
    others: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        if occurrence.detail.arguments and occurrence.detail.arguments != detail.arguments:
            others.setdefault(occurrence.detail.arguments, []).append(occurrence)
    expected = " or ".join(verdict.value for verdict in result.expected)
    expectation = ""
    if tone in ("fail", "better") and result.expected:
        expectation = (
            f"{expected} was expected here, not {result.verdict}."
            if result.verdict.fails
            else f"{expected} was expected here and is gone; if it was fixed, remove the expectation."
            if tone == "better"
            else f"{expected} was expected here; whether it is gone could not be told."
            if result.verdict is Verdict.UNRESOLVED
            else f"{expected} was expected here, not {result.verdict}."
        )
    elif tone == "expected":
        expectation = f"{expected} is expected here."
    flat = result.verdict is Verdict.PADDING_LEAK
    checked = ", ".join(f"{name} {version}" for name, version in shown.versions.items() if version)
    pictures = _Pictures(evidence)
    return Card(
        anchor=anchors.of("failure", subject, result.verdict.value.lower(), occurrences[0].anchor),
        subject=subject,
        verdict=result.verdict,
        tone=tone,
        heading=f"{subject}: {result.verdict}",
        where=_where(occurrences, versions),
        occurrences=tuple(sorted(occurrences, key=lambda o: (version_key(o.version), mode_order(o.mode)))),
        by_mode=tuple(_by_mode(occurrences)),
        shown=shown,
        cause=_sentence(result.cause),
        rule=result.rule,
        meaning=meaning(result.verdict, result.rule, result.reasons),
        advice=hint(result.verdict, shown.mode, result.rule, result.reasons)
        if result.verdict is not Verdict.PASS
        else "",
        expectation=expectation,
        reason=detail.reason,
        entry=() if entry is None else tuple(entry_rows(entry, result.verdict, result.reasons)),
        worst=worst,
        maps=pictures.drawn(lambda evidence: heat_maps(evidence, flat=flat)),
        plot=pictures.drawn(lambda evidence: slope_plot(evidence, flat=flat)),
        batch=pictures.drawn(lambda evidence: batch_picture(evidence.get("batch"))),
        changed=pictures.drawn(lambda evidence: batch_picture(evidence.get("changed"))),
        outputs=pictures.drawn(compared_outputs),
        missing=tuple(pictures.missing),
        arguments=broken(detail.arguments),
        script=detail.script,
        case=_case_file(shown),
        others=tuple(OtherCase(_where(where, versions), broken(code)) for code, where in others.items()),
        detail=result.detail,
        notes=result.notes,
        history=history,
        checked=checked,
    )


class _Pictures:
    """The pictures of some evidence, as far as its numbers fit together: a file may hold any.

    Attributes:
        missing: why some are not there.
    """

    def __init__(self, evidence: Mapping[str, Any] | None) -> None:
        self._evidence = evidence
        self.missing = [] if evidence is None else [str(item["why"]) for item in evidence.get("missing") or ()]

    def drawn(self, draw: Callable[[Mapping[str, Any]], _Drawn | None]) -> _Drawn | None:
        """One of them; None where the evidence has none of the kind."""
        if self._evidence is None:
            return None
        try:
            return draw(self._evidence)
        except Exception as error:
            self.missing.append(f"the numbers in the file do not fit together ({in_words(error)[:200]})")
            return None


def _case_file(shown: Occurrence) -> CaseFile | None:
    case = shown.detail.case
    if case is None:
        return None
    # A data: address keeps the page one file; what it holds is JSON in base64 and nothing that could run.
    packed = base64.b64encode((json.dumps(case, indent=1) + "\n").encode()).decode()
    name = f"{shown.anchor}.json"
    return CaseFile(name, f"data:application/json;base64,{packed}", f"gradcheck replay {name}")
