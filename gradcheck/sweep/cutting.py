"""Units as chunks: what uses the same compiled programs together, as much as is worth a worker's while.

A worker that meets a signature for the first time loads the subject and compiles its programs, which can cost more than
the search itself. So units of one signature stay in one chunk, which one worker works off, unless that would keep
others idle at the end; costs are what earlier sweeps measured.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradcheck.sweep.plan import Unit

__all__ = ["Chunk", "Costs", "cut"]

# What a unit is taken to cost where nothing was measured: an XLA search compiles for most of its time.
_COLD, _COLD_XLA, _WARM = 6.0, 20.0, 3.0
# A chunk is lost whole with the worker that has it, and progress is seen chunk by chunk.
_LONGEST = 60.0
# A chunk's compiling may be this part of it, where it must be cut at all.
_COMPILING = 0.25


class Costs:
    """Seconds of units, measured before.

    Args:
        measured: ``(version, subject, dtype, mode, examples, cold, seconds)`` of units that are done; seconds are put
            down to the number of examples that were asked for.
    """

    def __init__(self, measured: Iterable[tuple[str, str, str, str, int, bool, float]] = ()) -> None:
        cold: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
        warm: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
        for version, subject, dtype, mode, examples, was_cold, seconds in measured:
            if was_cold:
                cold[version, subject, dtype, mode].append(seconds)
            else:
                warm[version, subject, dtype, mode].append(seconds / max(examples, 1))
        self._cold = {key: statistics.median(values) for key, values in cold.items()}
        self._warm = {key: statistics.median(values) for key, values in warm.items()}

    def of(self, unit: Unit, cold: bool) -> float:
        """Seconds that a unit is expected to take, in a process that meets its signature for the first time, or not."""
        key = (*unit.signature, unit.mode)
        warm = self._warm[key] * unit.task.max_examples if key in self._warm else None
        if not cold:
            return warm if warm is not None else min(_WARM, self._cold.get(key, _WARM))
        return self._cold.get(key, max(_COLD_XLA if unit.mode == "xla" else _COLD, warm or 0.0))


@dataclass(frozen=True)
class Chunk:
    """Units of one signature that one worker works off.

    Attributes:
        units: in order.
        seconds: what they are expected to take together.
    """

    units: tuple[Unit, ...]
    seconds: float

    @property
    def version(self) -> str:
        """The TensorFlow that it is for."""
        return self.units[0].version


def cut(units: Sequence[Unit], costs: Costs, workers: Mapping[str, int]) -> list[Chunk]:
    """Chunks for so many workers, the longest first: what is begun last should be short.

    Args:
        units: what is to be done.
        costs: what it is expected to cost.
        workers: how many there are, by version.
    """
    groups: dict[tuple[str, str, str], list[Unit]] = defaultdict(list)
    for unit in units:
        groups[unit.signature].append(unit)
    total: dict[str, float] = defaultdict(float)
    for group in groups.values():
        total[group[0].version] += _seconds(group, costs)
    chunks = []
    for group in groups.values():
        version = group[0].version
        # So small that at the end nobody waits long for the last, and large enough to be worth its compiling.
        fair = total[version] / (3 * max(workers.get(version, 1), 1))
        compiling = sum(
            costs.of(unit, cold=True) - costs.of(unit, cold=False) for unit in {u.mode: u for u in group}.values()
        )
        chunks += _pieces(group, max(min(fair, _LONGEST), compiling / _COMPILING), costs)
    return sorted(chunks, key=lambda chunk: -chunk.seconds)


def _pieces(group: Sequence[Unit], limit: float, costs: Costs) -> list[Chunk]:
    pieces: list[Chunk] = []
    piece: list[Unit] = []
    for unit in group:
        if piece and _seconds([*piece, unit], costs) > limit:
            pieces.append(Chunk(tuple(piece), _seconds(piece, costs)))
            piece = []
        piece.append(unit)
    pieces.append(Chunk(tuple(piece), _seconds(piece, costs)))
    return pieces


def _seconds(units: Sequence[Unit], costs: Costs) -> float:
    """What units take one after the other: the first of each mode cold, the others warm."""
    met: set[str] = set()
    seconds = 0.0
    for unit in units:
        seconds += costs.of(unit, cold=unit.mode not in met)
        met.add(unit.mode)
    return seconds
