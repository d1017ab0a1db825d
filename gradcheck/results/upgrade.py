"""Is an upgrade safe? What works before and is broken after, what was refused and is wrong now, and what was fixed.

From results (`gradcheck.results`) to one `Upgrade` from one `Side` to another. A side is a TensorFlow
version, or a version of TensorFlow 2.16 and later with ``tf_keras``, which brings Keras 2 back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gradcheck.errors import InputError
from gradcheck.mode_names import mode_order
from gradcheck.records.results import ModeResult
from gradcheck.releases.names import short_version
from gradcheck.results.rows import Results, by_version
from gradcheck.support.naming import LEGACY
from gradcheck.verdicts import Verdict

__all__ = ["Change", "Outcome", "Side", "Upgrade", "default_sides", "find_side", "outcome", "sides"]


class Outcome(Enum):
    """What an upgrade means for one mode of a subject; the value is the heading of those that it happens to."""

    BROKEN = "Newly broken"
    EXPOSED = "Refused before, now runs and is wrong"
    FIXED = "Fixed"
    STILL = "Broken in both"
    UNDECIDED = "Undecided in one of them"
    MISSING = "Not run on one of them"
    RIGHT = "Right in both"

    @property
    def compared(self) -> bool:
        """Whether it ran on both sides."""
        return self is not Outcome.MISSING


def outcome(before: Verdict | None, after: Verdict | None) -> Outcome:
    """What became of one mode of a subject; None where it did not run."""
    if before is None or after is None:
        return Outcome.MISSING
    if Verdict.UNRESOLVED in (before, after):
        return Outcome.UNDECIDED
    if not before.fails:
        return Outcome.BROKEN if after.fails else Outcome.RIGHT
    if not after.fails:
        return Outcome.FIXED
    # An error is noticed; a wrong gradient where an error was trains on.
    return Outcome.EXPOSED if before.refuses and not after.refuses else Outcome.STILL


@dataclass(frozen=True)
class Side:
    """What one may upgrade from or to.

    Attributes:
        version: the TensorFlow.
        legacy: whether ``tf_keras`` stands for ``tf.keras``.
        results: by subject, without the ending `LEGACY`, and mode.
    """

    version: str
    legacy: bool
    results: Mapping[str, Mapping[str, ModeResult]]

    @property
    def name(self) -> str:
        """``2.21.0``, ``2.21.0 + tf_keras``."""
        return (self.version or "not recorded") + (" + tf_keras" if self.legacy else "")


@dataclass(frozen=True)
class Change:
    """Some modes of a subject that fare alike: their verdicts before and after, None where they did not run."""

    subject: str
    modes: tuple[str, ...]
    before: Verdict | None
    after: Verdict | None

    @property
    def outcome(self) -> Outcome:
        """What it means."""
        return outcome(self.before, self.after)

    def words(self, arrow: str = "→") -> str:
        """``UNSUPPORTED → DISCONNECTED``; the verdict alone where it stays."""
        names = ["not run" if verdict is None else verdict.value for verdict in (self.before, self.after)]
        return names[0] if names[0] == names[1] else f" {arrow} ".join(names)


# More than so many that did not run after an upgrade are a gap in the files, not what the upgrade took away.
_FEW = 12


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade changes.

    Attributes:
        before, after: the names of the two sides.
        changes: all that ran on either, by subject and mode.
        compared: how many subjects ran on both.
        subjects: how many ran on either.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    compared: int
    subjects: int

    @classmethod
    def between(cls, before: Side, after: Side) -> Upgrade:
        """From one side to another."""
        changes: list[Change] = []
        names = sorted({*before.results, *after.results})
        compared = 0
        for name in names:
            one, two = before.results.get(name, {}), after.results.get(name, {})
            compared += not set(one).isdisjoint(two)
            alike: dict[tuple[Verdict | None, Verdict | None], list[str]] = {}
            for mode in sorted({*one, *two}, key=mode_order):
                verdicts = tuple(results[mode].verdict if mode in results else None for results in (one, two))
                alike.setdefault((verdicts[0], verdicts[1]), []).append(mode)
            changes += [Change(name, tuple(modes), *pair) for pair, modes in alike.items()]
        return cls(before.name, after.name, tuple(changes), compared, len(names))

    def of(self, what: Outcome) -> tuple[Change, ...]:
        """Those that something happens to."""
        return tuple(change for change in self.changes if change.outcome is what)

    def count(self, what: Outcome) -> int:
        """How many that are, by subject and mode."""
        return sum(len(change.modes) for change in self.of(what))

    @property
    def groups(self) -> list[tuple[Outcome, int, tuple[Change, ...]]]:
        """What is told in full, each with its number: all but what stays right; gaps only where there are any."""
        shown = (Outcome.BROKEN, Outcome.EXPOSED, Outcome.FIXED, Outcome.STILL, Outcome.UNDECIDED, Outcome.MISSING)
        always = shown[:4]
        return [(what, self.count(what), self.of(what)) for what in shown if what in always or self.count(what)]

    @property
    def named(self) -> list[tuple[Outcome, int, tuple[Change, ...]]]:
        """The same with those that a text names. Of what did not run on one side these are what was right before and is
        not there any more, such as a layer with an option that is refused now; not where it is a gap in the files.
        """
        gone = tuple(
            one for one in self.of(Outcome.MISSING) if one.after is None and one.before and not one.before.fails
        )
        few = gone if len(gone) <= _FEW else ()
        return [(what, count, few if what is Outcome.MISSING else changes) for what, count, changes in self.groups]

    @property
    def sentence(self) -> str:
        """The answer in short; the page's script says the same of any two versions."""
        if not self.compared:
            return f"Nothing was checked on both {self.before} and {self.after}, so nothing is known of this upgrade."
        broken, exposed, right = (self.count(what) for what in (Outcome.BROKEN, Outcome.EXPOSED, Outcome.RIGHT))
        several = broken > 1
        if broken or right:
            parts = [
                f"{broken or 'Nothing'} that {'work' if several else 'works'} on {self.before} "
                f"{'are' if several else 'is'} broken on {self.after}"
            ]
        elif any(one.before is not None and not one.before.fails for one in self.changes):
            parts = [f"Nothing is known on {self.after} of what works on {self.before}"]
        else:
            parts = [f"Nothing of what was compared works on {self.before}"]
        if exposed:
            words = "were refused before, now run and are" if exposed > 1 else "was refused before, now runs and is"
            parts.append(f"{exposed} {words} wrong")
        if broken or right:
            parts.append(f"{right} {'stays' if right == 1 else 'stay'} right")
        sentence = "; ".join(parts) + " (counted by subject and mode)."
        if self.compared == self.subjects:
            return sentence
        part = f"{self.compared} of {self.subjects} subjects can be compared."
        # Where that is little, all the rest is to be read with it in mind.
        return f"Only {part} {sentence}" if 2 * self.compared < self.subjects else f"{sentence} {part}"


def sides(results: Results) -> list[Side]:
    """All that can be chosen, the oldest version first, and with ``tf_keras`` after without."""
    found = []
    for version, subjects in by_version(results).items():
        plain = {name: modes for name, modes in subjects.items() if not name.endswith(LEGACY)}
        legacy = {name[: -len(LEGACY)]: modes for name, modes in subjects.items() if name.endswith(LEGACY)}
        found += [Side(version, kind, held) for kind, held in ((False, plain), (True, legacy)) if held]
    return found


def default_sides(found: Sequence[Side]) -> tuple[Side, Side] | None:
    """The oldest and the newest version with most of the subjects; None where there are no two versions."""
    if len({side.version for side in found}) < 2:
        return None
    plain = [side for side in found if not side.legacy]
    many = max((len(side.results) for side in plain), default=0)
    whole = [side for side in plain if 2 * len(side.results) > many]
    for candidates in (whole, plain, found):
        if len(candidates) > 1:
            return candidates[0], candidates[-1]
    return None


def find_side(found: Sequence[Side], text: str, option: str) -> Side:
    """The side that an option names: ``2.8``, ``2.8.4``, ``2.22-dev``, ``2.21+tf_keras``; the newest of several.

    Raises:
        InputError: where there is none.
    """
    version, plus, keras = text.replace(" ", "").partition("+")
    if not plus or keras == "tf_keras":
        named = [
            side
            for side in found
            if side.legacy == bool(plus)
            and (version in (side.version, short_version(side.version)) or side.version.startswith(f"{version}."))
        ]
        exact = [side for side in named if side.version == version]
        if exact or named:
            return (exact or named)[-1]
    known = ", ".join(side.name.replace(" ", "") if side.version else side.name for side in found)
    raise InputError(f"{option} {text}: there are no results of it; there are those of {known}")
