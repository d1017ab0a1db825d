"""What changed between TensorFlow versions: since when something is broken, and when it was fixed.

From the results of many files (`gradcheck.results`) to one `History` for each subject and group of modes that
behave the same on every version.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gradcheck.mode_names import mode_order
from gradcheck.records.results import ModeResult
from gradcheck.releases.names import version_key
from gradcheck.releases.table import RELEASES
from gradcheck.results.rows import Results, by_version
from gradcheck.verdicts import Verdict

__all__ = ["History", "Span", "Trend", "histories", "runs"]


class Trend(Enum):
    """What became of something over the versions that were looked at, first to last."""

    SOUND = "right on every version"
    BROKEN = "broken on every version"
    FIXED = "fixed"
    BROKE = "broken since"
    UNSTABLE = "broken in between or again"

    @property
    def changed(self) -> bool:
        """Whether versions differ in whether it works."""
        return self in (Trend.FIXED, Trend.BROKE, Trend.UNSTABLE)


@dataclass(frozen=True)
class Span:
    """Versions one after another with the same verdict."""

    verdict: Verdict
    first: str
    last: str


@dataclass(frozen=True)
class History:
    """How some modes of one subject fare on each version.

    Attributes:
        subject: its name.
        modes: the modes that fare alike.
        results: by version, oldest first, that of the first of the modes; None where none of them ran.
    """

    subject: str
    modes: tuple[str, ...]
    results: Mapping[str, ModeResult | None]

    @property
    def ran(self) -> dict[str, ModeResult]:
        """The versions on which it ran."""
        return {version: result for version, result in self.results.items() if result is not None}

    @property
    def spans(self) -> tuple[Span, ...]:
        """The verdicts, oldest first."""
        spans: list[Span] = []
        for version, result in self.ran.items():
            if spans and spans[-1].verdict is result.verdict:
                spans[-1] = Span(result.verdict, spans[-1].first, version)
            else:
                spans.append(Span(result.verdict, version, version))
        return tuple(spans)

    @property
    def trend(self) -> Trend:
        """What became of it. An expected failure is a failure here: whoever upgrades has it all the same."""
        fails = [result.verdict.fails for result in self.ran.values()]
        turns = sum(one != two for one, two in itertools.pairwise(fails))
        if turns == 0:
            return Trend.BROKEN if any(fails) else Trend.SOUND
        if turns > 1:
            return Trend.UNSTABLE
        return Trend.FIXED if fails[0] else Trend.BROKE

    @property
    def changed(self) -> bool:
        """Whether any two versions have different verdicts."""
        return len(self.spans) > 1

    @property
    def exposed(self) -> bool:
        """Whether it was refused on some version and runs and is wrong on the next."""
        return any(_exposes(one.verdict, two.verdict) for one, two in itertools.pairwise(self.spans))

    @property
    def sentence(self) -> str:
        """In words: ``MISMATCH up to 2.13.1, fixed in 2.14.1``; or ``fixed in 2.15.1 or earlier``, where releases
        between did not run.
        """
        spans = self.spans
        if not spans:
            return "not run"
        if len(spans) == 1:
            versions = list(self.ran)
            where = f"in {versions[0]}" if len(versions) == 1 else f"in all of {versions[0]} … {versions[-1]}"
            return f"{spans[0].verdict} {where}"
        words = []
        for number, span in enumerate(spans):
            after_failure = number > 0 and spans[number - 1].verdict.fails
            last = number == len(spans) - 1
            first = span.first
            if number > 0 and _between(spans[number - 1].last, span.first):
                first += " or earlier"
            if span.verdict.fails:
                word = span.verdict.value
                if number > 0 and _exposes(spans[number - 1].verdict, span.verdict):
                    where = (
                        f"since {first}"
                        if last
                        else f"in {first}"
                        if span.first == span.last
                        else f"from {first} to {span.last}"
                    )
                    word = f"runs and is wrong {where} ({word})"
                elif last:
                    broke = not after_failure
                    again = broke and any(earlier.verdict.fails for earlier in spans[:number])
                    word = (
                        f"broken {'again ' if again else ''}since {first} ({word})"
                        if broke
                        else (f"{word} since {first}")
                    )
                elif number == 0:
                    word += f" up to {span.last}"
                else:
                    word += f" in {span.first}" if span.first == span.last else f" from {span.first} to {span.last}"
                words.append(word)
            elif after_failure:
                how = "" if span.verdict is Verdict.PASS else f" ({span.verdict})"
                words.append(
                    f"undecided since {first}" if span.verdict is Verdict.UNRESOLVED else f"fixed in {first}{how}"
                )
            elif number == 0:
                words.append(f"{_fine(span.verdict)} up to {span.last}")
            else:
                words.append(f"{_fine(span.verdict)} since {first}")
        return ", ".join(words)


def _exposes(before: Verdict, after: Verdict) -> bool:
    return before.refuses and after.fails and not after.refuses


def _between(before: str, after: str) -> bool:
    """Whether there are releases between two versions."""
    low, high = version_key(before)[:2], version_key(after)[:2]
    return any(low < release.key[:2] < high for release in RELEASES)


def _fine(verdict: Verdict) -> str:
    return "right" if verdict is Verdict.PASS else verdict.value


def histories(results: Results) -> list[History]:
    """One history for each subject and group of modes with the same verdicts, in the order of the subjects' names.

    Modes are grouped when they have the same verdict, expected or not, on every version.
    """
    grouped = by_version(results)
    subjects = sorted({subject for found in grouped.values() for subject in found})
    result = []
    for subject in subjects:
        lines: dict[str, dict[str, ModeResult | None]] = {}
        for mode in sorted({m for found in grouped.values() for m in found.get(subject, {})}, key=mode_order):
            lines[mode] = {version: found.get(subject, {}).get(mode) for version, found in grouped.items()}
        alike: dict[tuple[object, ...], list[str]] = {}
        for mode, line in lines.items():
            key = tuple(None if found is None else (found.verdict, found.ok) for found in line.values())
            alike.setdefault(key, []).append(mode)
        result += [History(subject, tuple(modes), lines[modes[0]]) for modes in alike.values()]
    return result


def runs(found: Collection[str], order: Sequence[str]) -> list[list[str]]:
    """Those of ``order`` that were found, those that follow each other in it together."""
    return [list(group) for seen, group in itertools.groupby(order, key=lambda one: one in found) if seen]
