"""Rows of length 0, which not everybody has."""

from __future__ import annotations

from gradcheck.harness.baseline import Baseline

__all__ = ["EMPTY_ROW", "has_an_empty_row"]

EMPTY_ROW = "this batch has a row of length 0; who never has one draws none (min_length=1)"
"""The note of a failure on such a batch, as long as nobody has looked whether it needs one."""


def has_an_empty_row(baseline: Baseline) -> bool:
    """Whether the subject is told of a row without a valid step."""
    mask = baseline.mask
    return mask is not None and not mask.any(axis=1).all()
