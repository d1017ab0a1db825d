"""Hypothesis strategies for variable-length sequences: lengths, padding, values and whole batches.

They need NumPy and Hypothesis only. All arguments are keyword-only; they are checked when a strategy is first
drawn from.

    from hypothesis import given
    from gradcheck import strategies as st

    @given(st.batches(features=3, max_length=8))
    def test_my_layer(batch): ...
"""

from __future__ import annotations

from hypothesis.strategies import register_type_strategy as _register_type_strategy

from gradcheck.strategies._batches import batches
from gradcheck.strategies._describe import describe
from gradcheck.strategies._lengths import lengths
from gradcheck.strategies._paddings import masks, paddings
from gradcheck.strategies._ragged import Ragged, ragged
from gradcheck.strategies._signatures import from_layer, from_signature
from gradcheck.strategies._values import values
from gradcheck.strategies.batch import Batch, Padding

__all__ = [
    "Batch",
    "Padding",
    "Ragged",
    "batches",
    "describe",
    "from_layer",
    "from_signature",
    "lengths",
    "masks",
    "paddings",
    "ragged",
    "values",
]

# So that `@given` works from type hints alone: def test_layer(batch: Batch).
_register_type_strategy(Batch, batches())
_register_type_strategy(Padding, paddings())
_register_type_strategy(Ragged, ragged())
