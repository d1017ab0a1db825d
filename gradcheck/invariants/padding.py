"""Valid outputs, and their gradients, depend on valid inputs only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.execution.modes import EagerExecution
from gradcheck.invariants.comparing import Example, matching
from gradcheck.strategies import Batch, Padding
from gradcheck.subject.valid import extended, refilled, valid_inputs, valid_outputs

__all__ = ["padding_amount", "padding_content", "padding_gradient"]


def padding_gradient(example: Example) -> Finding | None:
    """The gradient of valid outputs at padded inputs is zero."""
    mask = example.mask
    assert mask is not None
    problem = example.problem
    rows = np.flatnonzero(valid_outputs(problem.outputs, mask, example.side))
    columns = np.flatnonzero(~valid_inputs(problem.plan, mask))
    return example.nonzero(
        rows, columns, "padding_gradient", lambda row, column: f"{row} depends on {column}, which is padding"
    )


def padding_content(example: Example) -> Finding | None:
    """Other numbers in the padding change nothing."""
    mask = example.mask
    assert mask is not None
    other = refilled(example.batch, mask)
    if other is None:
        return None
    batch, changed = other
    try:
        second = example.another([batch], example.problem.outputs)
    except Exception as error:
        return example.raised("padding_content", changed, error, [batch])
    places = matching(example, second, _all_rows(example))
    return example.difference(second, places, "padding_content", changed)


def padding_amount(example: Example) -> Finding | None:
    """More padded columns change nothing."""
    batch, changed = extended(example.batch, example.side)
    try:
        second = example.another([batch])
    except Exception:
        return None  # a subject for one fixed number of steps; nothing can be said of the amount
    rows = _all_rows(example)
    leak = example.difference(second, matching(example, second, rows), "padding_amount", changed)
    if leak is not None and comes_in_reverse(example):
        told = (
            f"{leak.cause}; counted from the last step on they stay the same, so the outputs come in reverse "
            "(go_backwards), those of the padding first: turn them round, as Bidirectional does (tf.reverse)"
        )
        return replace(leak, cause=told)
    return leak


# Valid steps of the batch on which the order of the outputs is looked at.
_STEPS = 3


def comes_in_reverse(example: Example) -> bool:
    """Whether a subject returns its outputs in the reverse order of steps, those of the padding first.

    Looked at in eager mode on a batch of its own. The one that leaks may be so small, or so even, that any order of
    its outputs is the reverse one as well.
    """
    values = np.asarray(example.batch.values)
    random = np.random.default_rng(0)
    numbers = random.uniform(0.25, 1.0, (values.shape[0], _STEPS, *values.shape[2:]))
    lengths = np.full(values.shape[0], _STEPS, np.asarray(example.batch.lengths).dtype)
    steps = {name: np.resize(part, (*numbers.shape[:2], *part.shape[2:])) for name, part in example.batch.steps.items()}
    batch = Batch(numbers.astype(values.dtype), lengths, Padding(example.side), steps)
    eager = replace(example, run=EagerExecution(example.problem), jacobian=None)
    try:
        one = eager.another([batch])
        other = one.another([extended(batch, example.side)[0]])
    except Exception:  # it refuses such a batch; then nothing is known of the order
        return False
    rows = _all_rows(one)
    forwards, backwards = (matching(one, other, rows, last_first=turned) for turned in (False, True))
    if not backwards.outputs.size or one.difference(other, backwards, "padding_amount", "", gradients=False):
        return False
    # A subject that gives every step the same is in any order.
    return one.difference(other, forwards, "padding_amount", "", gradients=False) is not None


def _all_rows(example: Example) -> list[tuple[int, int]]:
    return [(row, row) for row in range(example.batch.size)]
