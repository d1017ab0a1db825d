"""Is the upgrade safe? The answer for one pair of versions, and what the page's script needs for the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradcheck.rendering.versions import LETTERS
from gradcheck.results.upgrade import Change, Outcome, Side, Upgrade
from gradcheck.support.naming import LEGACY
from gradcheck.verdicts import Verdict

__all__ = ["SideChoice", "UpgradeGroup", "UpgradeView", "upgrade_view"]

# Folded at first: they are long, and no reason to hesitate.
_FOLDED = (Outcome.STILL, Outcome.UNDECIDED, Outcome.MISSING)


@dataclass(frozen=True)
class SideChoice:
    """One that can be chosen: the column of its version, and ``k`` for Keras 2 by ``tf_keras``."""

    value: str
    name: str
    label: str


@dataclass(frozen=True)
class UpgradeGroup:
    """Those that something happens to, each with the address of its failure."""

    key: str
    title: str
    count: int
    folded: bool
    changes: tuple[tuple[Change, str], ...]


@dataclass(frozen=True)
class UpgradeView:
    """The panel: what can be chosen, what is chosen at first, and what is said of it."""

    choices: tuple[SideChoice, ...]
    before: str
    after: str
    sentence: str
    groups: tuple[UpgradeGroup, ...]
    told: str


def upgrade_view(
    found: Sequence[Side],
    chosen: tuple[Side, Side],
    versions: Sequence[str],
    modes: Sequence[str],
    href: Callable[[str, str, str], str],
) -> UpgradeView:
    """The panel.

    Args:
        found: all that can be chosen.
        chosen: what is chosen at first.
        versions: those of the matrix's columns.
        modes: those of the matrix, in their order.
        href: the address of a cell, by subject, mode and version; empty where it needs no explanation.
    """
    values = {side.name: f"{versions.index(side.version)}{'k' * side.legacy}" for side in found}
    most = max(len(side.results) for side in found)
    choices = tuple(
        SideChoice(values[side.name], side.name, side.name + _part(len(side.results), most)) for side in found
    )
    before, after = chosen
    upgrade = Upgrade.between(before, after)

    def address(change: Change) -> str:
        # Where it is broken after, that is what matters.
        side = after if change.after is not None and change.after.fails else before
        return href(change.subject + LEGACY * side.legacy, change.modes[0], side.version)

    groups = tuple(
        UpgradeGroup(
            what.name.lower(), what.value, count, what in _FOLDED, tuple((one, address(one)) for one in changes)
        )
        for what, count, changes in upgrade.groups
        if upgrade.compared
    )
    told = {
        "verdicts": {letter: [verdict.value, _kind(verdict)] for verdict, letter in LETTERS.items()},
        "titles": {what.name.lower(): what.value for what in Outcome if what is not Outcome.RIGHT},
        "folded": [what.name.lower() for what in _FOLDED],
        "modes": list(modes),
        "ending": LEGACY,
    }
    return UpgradeView(choices, values[before.name], values[after.name], upgrade.sentence, groups, json.dumps(told))


def _kind(verdict: Verdict) -> str:
    if verdict is Verdict.UNRESOLVED:
        return "undecided"
    if not verdict.fails:
        return "right"
    return "refused" if verdict.refuses else "wrong"


def _part(count: int, most: int) -> str:
    """What a choice that can say little of an upgrade says of itself."""
    return f" ({count} subject{'s' * (count != 1)})" if 2 * count <= most else ""
