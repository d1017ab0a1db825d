"""How a check is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradcheck.invariants import Chosen

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """How a check is made.

    Attributes:
        wrt: ``"inputs"``, ``"variables"`` or ``"all"``.
        engine: the engine that the caller named, or None.
        invariants: which ones are held.
        order: 1: the gradient is checked. 2: the gradient of the gradient. 3: the gradient of that.
        tolerance: ``rtol``, ``atol`` and ``resolution_limit`` as the caller gave them.
        accuracy: ``"strict"`` makes a failure of a number that is far off though its formula is right.
    """

    wrt: str = "all"
    engine: str | None = None
    invariants: Chosen = field(default_factory=lambda: Chosen(()))
    order: int = 1
    tolerance: dict[str, Any] = field(default_factory=dict)
    accuracy: str | None = None

    @property
    def own_bounds(self) -> bool:
        """Whether the caller gave a tolerance, which then holds whatever a gradient is off for."""
        return self.tolerance.get("rtol") is not None or self.tolerance.get("atol") is not None
