"""The invariants that were chosen, held to one checked example; the first that does not hold is the finding."""

from __future__ import annotations

from collections.abc import Callable

from gradcheck.errors import InputError
from gradcheck.findings import Finding
from gradcheck.invariants.comparing import Example
from gradcheck.invariants.mask import all_true_mask
from gradcheck.invariants.names import INVARIANTS, Chosen
from gradcheck.invariants.padding import padding_amount, padding_content, padding_gradient
from gradcheck.invariants.rows import empty_row, permutation, row_alone, rows_independent
from gradcheck.strategies import Batch
from gradcheck.subject import Subject

__all__ = ["applicable", "broken_invariant"]

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


def broken_invariant(example: Example, chosen: Chosen) -> Finding | None:
    """The first invariant that does not hold, or None.

    Args:
        example: a checked example, its Jacobian verified or equal to a verified one.
        chosen: which invariants, all of them `applicable`.
    """
    for name in chosen.names:
        if name == "padding_amount" and example.run.mode in ("graph", "xla") and name not in chosen.asked:
            continue  # a shape more to compile for every shape that is drawn
        finding = _RULES[name](example)
        if finding is not None:
            return finding
    return None
