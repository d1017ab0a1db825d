"""What is special about a batch, in words: events for Hypothesis's statistics and for reports."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.strategies.batch import Batch

__all__ = ["describe"]


def _lengths(batch: Batch) -> list[str]:
    lengths, rows, time = batch.lengths, batch.size, batch.time
    if not rows:
        return ["no rows"]
    steps = np.diff(lengths)
    words = {
        "has 0": bool((lengths == 0).any()),
        "all 0": not lengths.any(),
        "has 1": bool((lengths == 1).any()),
        "all 1": bool((lengths == 1).all()),
        "all full": time > 0 and bool((lengths == time).all()),
        "some as long as the time axis": bool(0 < (lengths == time).sum() < rows),
        "all equal": rows > 1 and not steps.any(),
        "duplicates": len(set(lengths.tolist())) < rows,
        "ascending": rows > 1 and bool((steps > 0).all()),
        "descending": rows > 1 and bool((steps < 0).all()),
        "one far longer": rows > 1 and bool(np.sort(lengths)[-1] >= 3 + np.sort(lengths)[-2]),
        "longest below the time axis": batch.longest < time,
    }
    return [f"lengths: {word}" for word, met in words.items() if met]


def _padding(batch: Batch) -> list[str]:
    if bool(batch.mask.all()):
        return ["padding: none"]
    fill = batch.padding.fill
    if fill is None:
        content = "mixed"
    elif not np.isfinite(fill):
        content = "NaN" if np.isnan(fill) else "Inf"
    else:
        content = "zero" if fill == 0 else "another number"
    extra = min(batch.padding.extra, 2)
    return [
        f"padding: {batch.padding.side}",
        f"padding: {('no', '1', '2 or more')[extra]} extra column{'' if extra == 1 else 's'}",
        f"padding: filled with {content}",
    ]


def _ties(row: Any) -> bool:
    return any(len(np.unique(column)) < len(column) for column in row.T)


def _values(batch: Batch) -> list[str]:
    # float64 (or complex128): NumPy cannot sort or compare every dtype that TensorFlow has.
    wide = batch.values.astype(np.complex128 if batch.values.dtype.kind == "c" else np.float64)
    mask = batch.mask
    wide = wide.reshape(batch.size, batch.time, batch.features or 1)
    rows = [row for row in (wide[at][mask[at]] for at in range(batch.size)) if row.size]
    if not rows:
        return ["values: none valid"]
    valid = np.concatenate([row.reshape(-1) for row in rows])
    size = np.abs(valid)
    words = {
        "all zero": not valid.any(),
        "a row of zeros": any(not row.any() for row in rows),
        "an exact zero": not valid.all(),
        "a tie between steps": any(_ties(row) for row in rows),
        "a tie within a step": any(_ties(row.T) for row in rows),
        "equal rows": any(np.array_equal(row, other) for at, row in enumerate(rows) for other in rows[:at]),
        "a constant row": any(row.size > 1 and bool((row == row[0, 0]).all()) for row in rows),
        "tiny": bool(((size > 0) & (size < 1e-5)).any()),
        "huge": bool((size > 89).any()),
    }
    found = [f"values: {word}" for word, met in words.items() if met]
    return found or ["values: generic"]


def describe(batch: Batch) -> list[str]:
    """What kinds of lengths, padding and values a batch has: short phrases, made to be counted.

    For example `["batch: one row", "lengths: has 0", "padding: pre", "values: an exact zero"]`. In a test of
    your own, `for phrase in describe(batch): hypothesis.event(phrase)` shows in
    `--hypothesis-show-statistics` what was met.
    """
    shape = []
    if batch.size == 1:
        shape.append("batch: one row")
    if batch.time <= 1:
        shape.append(f"batch: time axis of {batch.time}")
    return [*shape, *_lengths(batch), *_padding(batch), *_values(batch)]
