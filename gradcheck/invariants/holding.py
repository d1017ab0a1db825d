"""The invariants that were chosen, held to one checked example; the first that does not hold is the finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.errors import InputError
from gradcheck.invariants.comparing import Example
from gradcheck.invariants.mask import all_true_mask
from gradcheck.invariants.names import BY_DEFAULT, INVARIANTS, Chosen
from gradcheck.invariants.padding import padding_amount, padding_content, padding_gradient
from gradcheck.invariants.rows import empty_row, permutation, row_alone, rows_independent
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import Subject
from gradcheck.subject.valid import extended

__all__ = ["AMOUNT_NOT_VARIED", "PADDING_NOT_HELD", "applicable", "not_applied", "violated_invariant"]

AMOUNT_NOT_VARIED = "amount of padding: not varied in this mode, where each other amount has to be compiled"
"""The note of an example to which the rule `padding_amount` was not held for what it costs."""

PADDING_NOT_HELD = "padding: no rule was held, because the subject takes neither lengths nor a mask; padded steps count"
"""The note of a padded batch on which the subject could not be told what is padding."""

# So many valid numbers that are not 0 are asked of a batch that another amount of padding is tried on.
_TELLING = 2

_RULES: dict[str, Callable[[Example], Finding | None]] = {
    "padding_gradient": padding_gradient,
    "padding_content": padding_content,
    "padding_amount": padding_amount,
    "all_true_mask": all_true_mask,
    "row_alone": row_alone,
    "permutation": permutation,
    "rows_independent": rows_independent,
    "empty_row": empty_row,
}
assert tuple(_RULES) == tuple(INVARIANTS)

# Those that make no sense for a subject that is told nothing of its padding.
_NEED_PADDING = frozenset({"padding_gradient", "padding_content", "padding_amount", "all_true_mask", "empty_row"})


def applicable(chosen: Chosen, subject: Subject, batch: Batch | None) -> Chosen:
    """Those of the chosen invariants that can be held to a subject on some arguments.

    Args:
        batch: the `Batch` that the subject is checked on; None for other arguments.

    Raises:
        InputError: where one that was asked for by name cannot.
    """
    names = []
    for name in chosen.names:
        obstacle = _obstacle(name, subject, batch)
        if not obstacle:
            names.append(name)
        elif name in chosen.asked:
            raise InputError(f"invariant {name!r} cannot be held: {obstacle}")
    return Chosen(tuple(names), chosen.asked)


def not_applied(chosen: Chosen, subject: Subject, batch: Batch | None) -> str:
    """What a report has to say of rules that hold by default and were not held to a batch; empty where they were."""
    wanted = any(name in chosen.names for name in BY_DEFAULT)
    if batch is None or not wanted or subject.style != "values" or np.asarray(batch.mask).all():
        return ""
    return PADDING_NOT_HELD


def _obstacle(name: str, subject: Subject, batch: Batch | None) -> str:
    if batch is None:
        return (
            "the arguments are no gradcheck.Batch, so nothing says what their rows and their padding are. Draw from "
            "gradcheck.strategies.batches(...), with call= where the subject takes its arguments in another way"
        )
    if name in _NEED_PADDING and subject.style == "values":
        return f"{subject.name} takes neither lengths nor a mask"
    if name == "all_true_mask" and subject.arguments_without_padding(batch) is None:
        return (
            f"{subject.name} cannot be called without its {subject.style}. Give the parameter a default, or say how "
            "it is called with call=, which is given None here"
        )
    return ""


def violated_invariant(example: Example, chosen: Chosen) -> Finding | None:
    """The first invariant that does not hold, or None.

    Args:
        example: a checked example, its Jacobian verified or equal to a verified one.
        chosen: which invariants, all of them `applicable`.
    """
    for name in chosen.names:
        if name == "padding_amount" and name not in chosen.asked and not _affords_an_amount(example):
            example.notes.append(AMOUNT_NOT_VARIED)
            continue
        finding = _RULES[name](example)
        if finding is not None:
            if name == "padding_amount":
                example.problem.subject.amounts_varied[example.run.mode] = None  # from now on, so that it can shrink
            return finding
    return None


def _affords_an_amount(example: Example) -> bool:
    """Whether another amount of padding costs no compilation, or just the one that each search is allowed for it.

    With static shapes a batch with more padding is another program. The one is spent on a batch that can show
    something: with two valid steps that are not 0.
    """
    mode, subject = example.run.mode, example.problem.subject
    if mode not in ("graph", "xla"):
        return True
    varied = subject.amounts_varied
    if mode in varied and varied[mode] is None:
        return True
    problem = example.bind([extended(example.batch, example.side)[0]])
    if (mode, problem.plan.key(dynamic=False)) in subject.programs:
        return True
    if varied.get(mode) == subject.searches:
        return False
    mask = example.mask
    if mask is None or np.count_nonzero(np.asarray(example.batch.values)[mask]) < _TELLING:
        return False
    varied[mode] = subject.searches
    return True
