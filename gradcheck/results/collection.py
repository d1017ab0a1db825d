"""What a run over a bundled collection of subjects found: the variants', and the zoo's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from gradcheck.records.results import SCHEMA_VERSION, ModeResult
from gradcheck.results.rows import Gap
from gradcheck.support.build import build

__all__ = ["BundledResult", "Cell"]


class Cell(Protocol):
    """One subject in one mode."""

    @property
    def name(self) -> str:
        """The subject's name."""

    @property
    def ok(self) -> bool:
        """Whether the verdict is as it should be."""

    @property
    def judged(self) -> ModeResult:
        """The result as reports show it."""


CellT = TypeVar("CellT", bound=Cell)


@dataclass(frozen=True, kw_only=True)
class BundledResult(ABC, Generic[CellT]):
    """All that a run found.

    Attributes:
        cells: one for each subject and mode, in the order of the catalog.
        versions: versions of ``python``, ``tensorflow``, ``keras`` and ``numpy``.
        max_examples: batches tried on each subject in each mode.
        seconds: wall-clock time of the whole run.
        interrupted: whether it was stopped before the last subject.
        missing: what was to be searched and was not, as names of subjects and modes.
        resumed: how many of its searches an earlier run had finished, and are not made again.
    """

    cells: tuple[CellT, ...]
    versions: Mapping[str, str]
    max_examples: int
    seconds: float
    interrupted: bool = False
    missing: tuple[tuple[str, str], ...] = ()
    resumed: int = 0

    @property
    def ok(self) -> bool:
        """Whether every verdict is as it should be, and none is missing."""
        return not (self.deviations or self.missing or self.interrupted)

    @property
    def deviations(self) -> tuple[CellT, ...]:
        """The cells whose verdict is not as it should be."""
        return tuple(cell for cell in self.cells if not cell.ok)

    def rows(self) -> dict[str, dict[str, ModeResult]]:
        """Results by subject and mode, as `gradcheck.rendering.render_matrix` takes them."""
        return {name: {cell.judged.mode: cell.judged for cell in cells} for name, cells in self._by_name().items()}

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form, which `gradcheck.results.reading.results_of` reads; ``schema`` as in `Report.to_dict`."""
        return {
            "schema": SCHEMA_VERSION,
            "kind": self._kind,
            "build": build(),
            "ok": self.ok,
            "versions": dict(self.versions),
            "max_examples": self.max_examples,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "complete": not (self.missing or self.interrupted),
            "gaps": self._gaps(),
            "results": [self._row(cells) for cells in self._by_name().values()],
        }

    def _gaps(self) -> list[dict[str, Any]]:
        modes: dict[str, list[str]] = {}
        for name, mode in self.missing:
            modes.setdefault(name, []).append(mode)
        why = "the run was interrupted before it"
        return [Gap(f"{name} in {', '.join(some)}", why).to_dict() for name, some in modes.items()]

    def _ending(self) -> str:
        """How long it took, and what was special about it."""
        searches = f"{self.resumed} search{'es' * (self.resumed != 1)}"
        resumed = f", beside {searches} that an earlier run had finished" if self.resumed else ""
        return f", {self.seconds:.0f} s{resumed}{', interrupted' * self.interrupted}"

    _kind = ""

    @abstractmethod
    def _row(self, cells: Sequence[CellT]) -> dict[str, Any]:
        """The JSON-safe form of one subject's cells."""

    def _by_name(self) -> dict[str, list[CellT]]:
        found: dict[str, list[CellT]] = {}
        for cell in self.cells:
            found.setdefault(cell.name, []).append(cell)
        return found
