"""The rule about padding: valid outputs, and their gradients, depend on valid inputs only.

On by default for every subject that takes lengths or a mask. So what the padding holds and how much of it there is make
no difference, and the gradient of valid outputs at padded inputs is zero. *Valid outputs* are those of every row and,
where the output has the time axis, of the steps that the lengths or the mask call valid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.strategies import Batch, Padding
from gradcheck.subject.problem import Plan
from gradcheck.support.layout import Layout

__all__ = ["extended", "refilled", "steps_mask", "valid_inputs", "valid_outputs"]


def steps_mask(batch: Batch, style: str) -> np.ndarray | None:
    """Valid steps ``[batch, time]`` as the subject is told of them; None where it is told nothing."""
    return None if style == "values" else np.asarray(batch.mask)


def valid_inputs(plan: Plan, mask: np.ndarray) -> np.ndarray:
    """Which places of the differentiated inputs are valid, bool ``[x_size]``; weights always are."""
    valid = np.ones(plan.inputs.size, bool)
    for number, block in enumerate(plan.inputs.blocks[: plan.input_count]):
        if block.axes[:2] == ("row", "time") and number < plan.input_count:
            valid[block.start : block.stop] = _spread(mask, block.shape, block.is_complex)
    return valid


def valid_outputs(outputs: Layout, mask: np.ndarray, side: str) -> np.ndarray:
    """Which places of the outputs are valid, bool ``[y_size]``."""
    valid = np.ones(outputs.size, bool)
    for block in outputs.blocks:
        if block.axes[:2] == ("row", "time"):
            steps = block.shape[1]  # all of them, or those of the longest row
            part = mask[:, :steps] if side == "post" else mask[:, mask.shape[1] - steps :]
            valid[block.start : block.stop] = _spread(part, block.shape, block.is_complex)
    return valid


def _spread(mask: np.ndarray, shape: tuple[int, ...], is_complex: bool) -> np.ndarray:
    full = np.broadcast_to(mask.reshape(mask.shape + (1,) * (len(shape) - 2)), shape).reshape(-1)
    return np.repeat(full, 2) if is_complex else full


def _is_inexact(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "fc" or dtype.name == "bfloat16"  # which NumPy takes for no float


def refilled(batch: Batch, mask: np.ndarray) -> tuple[Batch, str] | None:
    """The batch with other numbers in its padding, and what was changed, in words; None without padding.

    Padding that holds ordinary numbers is filled with larger ones of both signs; padding that holds NaN, Inf or huge
    numbers with zeros.
    """
    padded = ~mask
    if not padded.any() or not _is_inexact(batch.values.dtype):
        return None
    values = np.array(batch.values)
    old = values[padded]
    with np.errstate(invalid="ignore"):
        wild = not np.all(np.abs(old.astype(np.complex128)) < 1e3)
    if wild:
        values[padded] = 0
        words = "what the padding holds was replaced by zeros"
    else:
        # Short binary fractions beyond the range that values are drawn from by default.
        pattern = (3.25 + 0.5 * (np.arange(old.size) % 5)) * np.where(np.arange(old.size) % 2, -1.0, 1.0)
        fresh = pattern.reshape(old.shape)
        values[padded] = np.where(old == fresh, -fresh, fresh).astype(values.dtype)
        words = "what the padding holds was replaced by other numbers (3.25, -3.75, 4.25, …)"
    return batch.with_values(values), words


def extended(batch: Batch, side: str, columns: int = 2) -> tuple[Batch, str]:
    """The batch with more padded columns, filled with zeros, and what was changed, in words."""

    def longer(array: np.ndarray) -> np.ndarray:
        extra = np.zeros((array.shape[0], columns, *array.shape[2:]), array.dtype)
        return np.concatenate([array, extra] if side == "post" else [extra, array], axis=1)

    where = "after the last step" if side == "post" else "before the first step"
    return (
        Batch(
            longer(np.asarray(batch.values)),
            np.asarray(batch.lengths),
            Padding(batch.padding.side),
            {name: longer(np.asarray(part)) for name, part in batch.steps.items()},
        ),
        f"{columns} more padded columns were put {where}",
    )
