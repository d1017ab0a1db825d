"""The invariants by name: what should make no difference. Needs neither NumPy nor TensorFlow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gradcheck.errors import InputError, shown

__all__ = ["BY_DEFAULT", "INVARIANTS", "Chosen", "parse_invariants"]

#: Every invariant with what it says.
INVARIANTS = {
    "padding_gradient": "the gradient of valid outputs at padded inputs is zero",
    "padding_content": "other numbers in the padding change no valid output and none of its gradients",
    "padding_amount": "more padded columns change no valid output and none of its gradients",
    "all_true_mask": "a mask that is true everywhere (lengths that are all full) gives what no mask (no lengths) gives",
    "row_alone": "each row alone, without its padding, gives what it gives in the batch",
    "permutation": "the rows in another order give the same results in that order",
    "rows_independent": "no output of one row depends on another row: the Jacobian is block-diagonal",
    "empty_row": "a row of length 0 gives finite outputs and gradients, its own and those of the other rows",
}

#: Those that hold for every right subject that is told of its padding.
BY_DEFAULT = ("padding_gradient", "padding_content", "padding_amount")


@dataclass(frozen=True)
class Chosen:
    """Which invariants a check holds a subject to.

    Attributes:
        names: all of them.
        asked: those that the caller named: they must apply, and are held in every mode whatever that costs.
    """

    names: tuple[str, ...] = BY_DEFAULT
    asked: frozenset[str] = frozenset()


def parse_invariants(given: Any, *, padding: bool = True) -> Chosen:
    """The invariants that a check was asked for.

    Args:
        given: None; names as a sequence or separated by commas; or ``"all"``.
        padding: whether those that hold by default are meant too.

    Raises:
        InputError: for something else, with the list of names.
    """
    if given is None:
        asked: tuple[Any, ...] = ()
    elif isinstance(given, str) and given == "all":
        asked = tuple(INVARIANTS)
    elif isinstance(given, str):
        asked = tuple(part.strip() for part in given.split(",") if part.strip())
    elif isinstance(given, Iterable):
        asked = tuple(given)
    else:
        raise InputError(
            f"invariants must be names, such as ('row_alone', 'permutation'); got {shown(given)}. {_known('')}"
        )
    for name in asked:
        if not isinstance(name, str) or name not in INVARIANTS:
            raise InputError(f"{shown(name)} is not an invariant. {_known(name if isinstance(name, str) else '')}")
    meant = {*asked, *(BY_DEFAULT if padding else ())}
    return Chosen(tuple(name for name in INVARIANTS if name in meant), frozenset(asked))


def _known(wanted: str) -> str:
    """What there is instead: the name most like it with what it says, or all of them."""
    names = f"The invariants are {', '.join(INVARIANTS)}, or 'all' of them."
    close = difflib.get_close_matches(wanted, INVARIANTS, 1)
    return f"Did you mean {close[0]!r} ({INVARIANTS[close[0]]})? {names}" if close else names
