"""A mask that is true everywhere is no mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.invariants.comparing import Example, Places
from gradcheck.verdicts import Verdict

__all__ = ["all_true_mask"]


def all_true_mask(example: Example) -> Finding | None:
    """A mask that is true everywhere (lengths that are all full) gives what no mask (no lengths) gives."""
    batch, subject = example.batch, example.problem.subject
    without = subject.arguments_without_padding(batch)
    assert without is not None  # see `holding`
    if not batch.time:
        return None
    # What stands in the padding becomes valid here, so it must be finite.
    finite = np.isfinite(batch.values.astype(np.complex128))
    values = batch.values if finite.all() else np.where(finite, batch.values, 0.5).astype(batch.values.dtype)
    full = batch.with_values(values).with_lengths(np.full(batch.size, batch.time, batch.lengths.dtype))
    what = "mask" if subject.style == "mask" else "lengths"
    changed = (
        "a mask that is true everywhere was left out" if what == "mask" else "lengths that are all full were left out"
    )
    args = subject.arguments_without_padding(full)
    assert args is not None
    try:
        first = example.another([full])
    except Exception:
        return None  # another finding: the search meets such batches by itself
    try:
        second = first.another(args)
    except Exception as error:
        return replace(first.raised("all_true_mask", changed, error, args), first=first.problem)
    if first.center.size != second.center.size:
        cause = f"{changed}, and the output went from {first.center.size} elements to {second.center.size}"
        return Finding(Verdict.PADDING_LEAK, cause, changed=changed, rule="all_true_mask", first=first.problem)
    outputs, inputs = np.arange(first.center.size), np.arange(first.problem.x.size)
    found = first.difference(second, Places(outputs, outputs, inputs, inputs), "all_true_mask", changed)
    return None if found is None else replace(found, first=first.problem)
