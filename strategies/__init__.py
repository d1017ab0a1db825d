from __future__ import annotations

from gradcheck.strategies.batch import SIDES, Batch, Padding

__all__ = ["SIDES", "Batch", "Padding"]
