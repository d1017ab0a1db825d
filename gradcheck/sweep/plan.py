"""What a sweep has to do: one `Unit` for each subject, mode, dtype, seed and TensorFlow version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradcheck.errors import InputError
from gradcheck.isolation.searches import SearchTask
from gradcheck.isolation.tasks import key_of

__all__ = ["Unit", "plan_digest", "plan_units"]


@dataclass(frozen=True)
class Unit:
    """The smallest piece of a sweep: a search of one mode from one seed under one TensorFlow. It has one result.

    Attributes:
        version: the TensorFlow that it is for, as Nox's sessions and a cluster's resources name it: ``"tf28"``.
        dtype: of the values; empty where the strategy decides.
        task: the search.
    """

    version: str
    dtype: str
    task: SearchTask = field(compare=False)

    @property
    def mode(self) -> str:
        """Its mode."""
        return self.task.modes[0]

    @property
    def key(self) -> str:
        """Names the unit, on every machine."""
        return key_of(self.version, {**self.task.to_dict(), "database": ""})

    @property
    def signature(self) -> tuple[str, str, str]:
        """What units share that use the same compiled programs: version, subject and dtype. (Modes share what one of
        them measured, too.)
        """
        return (self.version, self.task.subject, self.dtype)


def plan_units(
    subjects: Sequence[str],
    *,
    versions: Sequence[str],
    modes: Sequence[str],
    seeds: Sequence[int],
    max_examples: int = 100,
    dtypes: Sequence[str] = (),
    strategy: str | Mapping[str, Any] | None = None,
    expect: Mapping[str, Sequence[str]] | None = None,
    options: Mapping[str, Any] | None = None,
    database: str = "",
) -> list[Unit]:
    """All units of a sweep, those of one signature side by side.

    Raises:
        InputError: where there is nothing to do, something is given twice, or dtypes are given beside a strategy that
            is a name and so has its own.
    """
    for what, given in (("subject", subjects), ("version", versions), ("mode", modes), ("seed", seeds)):
        if not given:
            raise InputError(f"a sweep needs at least one {what}; none was given")
        twice = [item for item, count in Counter(given).items() if count > 1]
        if twice:
            raise InputError(f"the {what} {twice[0]!r} is given twice; leave one of them out")
    if dtypes and isinstance(strategy, str):
        raise InputError(
            f"dtypes {', '.join(dtypes)} belong to the built-in strategy, and the strategy {strategy} was given; "
            "leave one of them out"
        )
    short = Counter(subject.rpartition(":")[2] for subject in subjects)
    units = []
    for version in versions:
        for subject in subjects:
            name = subject.rpartition(":")[2]
            for dtype in dtypes or [""]:
                drawn = (
                    strategy
                    if isinstance(strategy, str)
                    else {**(strategy or {}), **({"dtype": dtype} if dtype else {})}
                )
                for seed in seeds:
                    for mode in modes:
                        task = SearchTask(
                            subject,
                            drawn,
                            (mode,),
                            max_examples,
                            seed,
                            {mode: tuple(expect[mode])} if expect and mode in expect else {},
                            options or {},
                            name if short[name] == 1 else subject,
                            database,
                        )
                        units.append(Unit(version, dtype, task))
    return units


def plan_digest(units: Sequence[Unit]) -> str:
    """Names a plan: the same for the same units, in whatever order."""
    return key_of(sorted(unit.key for unit in units))
