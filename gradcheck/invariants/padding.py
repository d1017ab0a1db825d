"""Valid outputs, and their gradients, depend on valid inputs only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.invariants.comparing import Example, Places, matching
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
    if leak is not None and _is_reversed(example, second, matching(example, second, rows, last_first=True)):
        told = (
            f"{leak.cause}; counted from the last step on both are the same, so the outputs come in reverse "
            "(go_backwards), those of the padding first: turn them round, as Bidirectional does (tf.reverse)"
        )
        return replace(leak, cause=told)
    return leak


def _is_reversed(example: Example, second: Example, places: Places) -> bool:
    """Whether outputs come in the reverse order of steps: where valid ones stand then, all depend on the inputs, and
    are the same for another amount of padding.
    """
    if example.jacobian is None or not places.outputs.size:
        return False
    depends = (example.jacobian[np.ix_(places.outputs, places.inputs)] != 0).any(axis=1)
    return bool(depends.all()) and example.difference(second, places, "padding_amount", "") is None


def _all_rows(example: Example) -> list[tuple[int, int]]:
    return [(row, row) for row in range(example.batch.size)]
