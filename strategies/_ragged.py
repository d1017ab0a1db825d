"""Ragged batches: the valid steps one after the other, and where each row begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from gradcheck.errors import InputError, only_input_errors, shown
from gradcheck.strategies import _arguments as arguments
from gradcheck.strategies._batches import batch_plan
from gradcheck.strategies._fills import FILLS
from gradcheck.strategies._genome import genomes
from gradcheck.strategies._literals import array_code
from gradcheck.strategies._values import number_plan
from gradcheck.strategies.batch import Batch

__all__ = ["Ragged", "ragged"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Ragged:
    """A ragged batch, as `tf.RaggedTensor.from_row_splits` takes it.

    Attributes:
        values: `[steps, features]` or `[steps]`: the valid steps of all rows, one row after the other.
            Read-only.
        row_splits: `[batch + 1]`, int64 (or int32), from 0 up to the number of steps: row i is
            `values[row_splits[i]:row_splits[i + 1]]`. Read-only.

    Raises:
        InputError: row splits that are not integers, do not begin with 0, go down, or do not end with the
            number of steps.
    """

    values: Array
    row_splits: Array

    @only_input_errors("a ragged batch")
    def __post_init__(self) -> None:
        values, splits = np.asarray(self.values), np.asarray(self.row_splits)
        if values.ndim < 1:
            raise InputError(
                f"values must have an axis of steps; got the number {shown(values)}. Use shape [steps, …]."
            )
        if splits.ndim != 1 or splits.dtype.kind not in "iu" or not len(splits):
            raise InputError(
                f"row_splits must be a vector of integers, one more than rows; got {splits.dtype.name} of "
                "shape "
                f"{splits.shape}. For lengths [2, 1] they are [0, 2, 3]."
            )
        if splits.dtype not in (np.int32, np.int64):
            splits = splits.astype(np.int64)
        if splits[0] != 0 or splits[-1] != len(values) or bool((np.diff(splits) < 0).any()):
            raise InputError(
                f"row_splits={splits.tolist()} must go up from 0 to the {len(values)} steps of values. "
                "For lengths [2, 1] they are [0, 2, 3]."
            )
        values, splits = values.view(), splits.view()
        values.flags.writeable = splits.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "row_splits", splits)

    @property
    def lengths(self) -> Array:
        """`[batch]`: how many steps each row has."""
        lengths: Array = np.diff(self.row_splits)
        return lengths

    def rows(self) -> Sequence[Array]:
        """The rows, each `[length, features]` or `[length]`."""
        return [self.values[start:end] for start, end in zip(self.row_splits[:-1], self.row_splits[1:], strict=True)]

    def to_batch(self) -> Batch:
        """The same rows padded behind with zeros to the longest."""
        lengths = self.lengths
        time = int(lengths.max()) if len(lengths) else 0
        dense: Array = np.zeros((len(lengths), time, *self.values.shape[1:]), self.values.dtype)
        dense[np.arange(time) < lengths[:, None]] = self.values
        return Batch(dense, lengths)

    @classmethod
    def from_batch(cls, batch: Batch) -> Ragged:
        """The valid steps of a padded batch."""
        splits = np.concatenate([[0], np.cumsum(batch.lengths)]).astype(batch.lengths.dtype)
        return cls(batch.values[batch.mask], splits)

    def to_tensorflow(self) -> Any:
        """The `tf.RaggedTensor`. This is what imports TensorFlow.

        Raises:
            MissingTensorFlowError: where it is not installed.
        """
        from gradcheck._tensorflow import tensorflow

        return tensorflow().RaggedTensor.from_row_splits(self.values, self.row_splits)

    def __repr__(self) -> str:
        return f"Ragged(values={array_code(self.values)}, row_splits={array_code(self.row_splits)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis and IPython print: the same code."""
        printer.text(repr(self))


@st.composite
def ragged(
    draw: st.DrawFn,
    *,
    features: int | None = 3,
    min_batch: int = 1,
    max_batch: int = 3,
    min_length: int = 0,
    max_length: int = 6,
    dtype: DTypeLike = np.float64,
    min_value: float | None = None,
    max_value: float | None = None,
    domain: str = "real",
    singular: bool = True,
    row_splits_dtype: DTypeLike = np.int64,
) -> Ragged:
    """Ragged batches: flat values and row splits, in plain NumPy. `to_tensorflow()` makes the
    `tf.RaggedTensor`.

    Args:
        features: length of the last axis; None for rows of plain numbers.
        min_batch, max_batch, min_length, max_length: limits, as for `batches`.
        dtype, min_value, max_value, domain, singular: the numbers, as for `values`.
        row_splits_dtype: `np.int64` (what TensorFlow makes by itself) or `np.int32`.

    Raises:
        InvalidArgument: when first drawn from, for arguments that are out of range or contradict one another.
    """
    numbers = number_plan(arguments.hashable(dtype), min_value, max_value, domain, singular)
    splits = arguments.length_dtype("row_splits_dtype", row_splits_dtype)
    plan = batch_plan(
        features, min_batch, max_batch, min_length, max_length, 0, 0, ("post",), FILLS, False, splits, numbers
    )
    return Ragged.from_batch(plan.assemble(draw(genomes(plan.size, 2))))
