"""What is known of one mode while a check runs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.findings import Finding
from gradcheck.modes import Execution
from gradcheck.numerics import Status
from gradcheck.records.results import ModeResult

__all__ = ["ModeState"]


@dataclass
class ModeState:
    """One mode of a check.

    Attributes:
        run: the problem in the mode.
        finding: what it came to so far.
        found: the engine's examination, once there is one.
        engine: name of the engine.
        notes: remarks on the way.
        weak: why a pass says less than it seems to.
    """

    run: Execution
    finding: Finding
    found: Examination | None = None
    engine: str = ""
    notes: list[str] = field(default_factory=list)
    weak: tuple[str, ...] = ()

    def result(self, mode: str, seconds: float) -> ModeResult:
        """The finished result; ``seconds`` is the wall-clock time that it took."""
        finding = self.finding
        return ModeResult(
            mode=mode,
            verdict=finding.verdict,
            cause=finding.cause,
            entry=finding.entry,
            detail=finding.detail,
            changed=finding.changed,
            rule=finding.rule,
            excess=None if self.found is None else _excess(self.found),
            resolution=finding.resolution,
            engine=self.engine,
            notes=(*finding.notes, *self.notes),
            seconds=seconds,
            weak=self.weak,
        )


def _excess(found: Examination) -> float:
    """The largest discrepancy in units of what is allowed, corners left out."""
    judgement = found.judgement
    return float(np.where(judgement.status == Status.KINK, 0.0, judgement.excess).max(initial=0.0))
