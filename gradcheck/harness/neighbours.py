"""What about the smallest failing batch matters: a few batches beside it, and whether they fail as well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.strategies import Batch
from gradcheck.verdicts import Verdict

__all__ = ["NEIGHBOURS", "what_matters"]

NEIGHBOURS = "beside this batch: "
"""How the note starts."""

# A batch beside one on which the process dies, or time is up, costs as much again; what is random fails now and then.
_NOT_ASKED = frozenset({Verdict.CRASH, Verdict.NONDETERMINISTIC, Verdict.UNSUPPORTED})

# Other numbers are tried so many times: one of them may be as special as those of the batch.
_DRAWS = 2


def what_matters(batch: Batch, verdict: Verdict, fails: Callable[[Batch], bool]) -> str:
    """What the neighbours of a failing batch show, as a note; empty where they are not asked.

    Args:
        batch: the smallest that was found.
        verdict: what it came to.
        fails: whether another batch fails in the same way.
    """
    if verdict in _NOT_ASKED or not np.issubdtype(np.asarray(batch.values).dtype, np.inexact):
        return ""
    found = []
    empty = batch.lengths == 0
    if empty.any() and batch.time:
        lengths = np.where(empty, 1, batch.lengths).astype(batch.lengths.dtype)
        # With as much padding as before, which may be what fails.
        longer = batch.with_lengths(lengths).with_extra(batch.padding.extra)
        if not fails(longer):
            found.append("it needs a row of length 0 (min_length=1 draws none)")
    others = [_with_other_values(batch, number) for number in range(_DRAWS)]
    failing = sum(fails(other) for other in others)
    if failing == _DRAWS:
        found.append("any other values fail as well")
    elif not failing:
        found.append("it needs these values: with others it passes")
    if batch.size == 1:
        if not fails(_twice(batch)):
            found.append("it fails for one row only: with a second row it passes")
    elif not any(fails(batch.rows([row])) for row in range(batch.size)):
        found.append(f"it needs {batch.size} rows: each of them alone passes")
    return NEIGHBOURS + "; ".join(found) if found else ""


def _with_other_values(batch: Batch, number: int) -> Batch:
    """The same lengths with generic numbers in the place of all valid ones."""
    values = np.array(batch.values)
    valid = batch.mask if batch.mask.any() else np.ones_like(batch.mask)
    random = np.random.default_rng(number)
    drawn = random.uniform(0.25, 1.75, values[valid].shape) * random.choice([-1.0, 1.0], values[valid].shape)
    values[valid] = drawn.astype(values.dtype)
    return batch.with_values(values)


def _twice(batch: Batch) -> Batch:
    """The batch with a copy of its row behind it."""
    return batch.rows([0, 0])
