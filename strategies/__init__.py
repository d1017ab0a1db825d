from __future__ import annotations

from gradcheck.strategies._batches import batches
from gradcheck.strategies._lengths import lengths
from gradcheck.strategies._values import values
from gradcheck.strategies.batch import SIDES, Batch, Padding

__all__ = ["SIDES", "Batch", "Padding", "batches", "lengths", "values"]
