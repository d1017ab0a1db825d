"""The arguments of a call, flattened: variables of the script, and the expression that calls the subject with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.reproduce.sources import Script, identifier

__all__ = ["Arguments", "Leaf", "flattened"]


@dataclass(frozen=True)
class Leaf:
    """One array of the arguments.

    Attributes:
        name: its variable in the script.
        value: the array.
        number: which leaf of ``tf.nest.flatten((args, kwargs))`` it belongs to.
        main: False for what a ragged or sparse tensor holds beside its values.
    """

    name: str
    value: np.ndarray[Any, Any]
    number: int
    main: bool = True


@dataclass(frozen=True)
class Arguments:
    """The arrays of a call, and the call's argument list with their names in their places."""

    leaves: tuple[Leaf, ...]
    code: str

    def leaf(self, number: int) -> Leaf | None:
        """The array that is differentiated when leaf ``number`` is."""
        return next((leaf for leaf in self.leaves if leaf.number == number and leaf.main), None)


def flattened(
    script: Script, args: tuple[Any, ...], kwargs: Mapping[str, Any], names: list[str], moved: int | None
) -> Arguments:
    """Take nested arguments apart.

    Args:
        script: gives out names, and writes what is no array.
        args: positional arguments.
        kwargs: keyword arguments.
        names: names of the positional parameters, as far as they are known.
        moved: the leaf that is differentiated; a Python number becomes an array there.
    """
    walk = _Walk(script, moved)
    parts = [walk.code(value, names[i] if i < len(names) else f"x{i}") for i, value in enumerate(args)]
    parts += [f"{key}={walk.code(kwargs[key], key)}" for key in sorted(kwargs)]  # sorted, as tf.nest sorts them
    return Arguments(tuple(walk.leaves), ", ".join(parts))


class _Walk:
    """In the order of `tf.nest.flatten`: dicts by sorted key."""

    def __init__(self, script: Script, moved: int | None) -> None:
        self.script = script
        self.moved = moved
        self.leaves: list[Leaf] = []
        self.count = 0

    def code(self, value: Any, wish: str) -> str:
        if isinstance(value, Mapping):
            # Sorted for the numbers, written in the order in which the subject sees them.
            parts = {key: self.code(value[key], f"{wish}_{key}") for key in sorted(value)}
            return "{" + ", ".join(f"{key!r}: {parts[key]}" for key in value) + "}"
        if isinstance(value, (list, tuple)):
            items = [self.code(item, f"{wish}_{i}") for i, item in enumerate(value)]
            if hasattr(type(value), "_fields"):
                return f"{self.script.expression(type(value))}({', '.join(items)})"
            if isinstance(value, list):
                return "[" + ", ".join(items) + "]"
            return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"
        number = self.count
        self.count += 1
        return self._leaf(value, wish, number)

    def _add(self, wish: str, value: Any, number: int, main: bool = True) -> str:
        name = self.script.reserve(identifier(wish, "x"))
        self.leaves.append(Leaf(name, np.asarray(value), number, main))
        return name

    def _leaf(self, value: Any, wish: str, number: int) -> str:
        if hasattr(value, "row_splits") or hasattr(value, "nested_row_splits"):
            flat = value.flat_values if hasattr(value, "flat_values") else value.values
            splits = value.nested_row_splits if hasattr(value, "nested_row_splits") else [value.row_splits]
            name = self._add(wish, flat, number)
            others = [self._add(f"{wish}_row_splits", part, number, main=False) for part in splits]
            return f"tf.RaggedTensor.from_nested_row_splits({name}, [{', '.join(others)}])"
        if hasattr(value, "dense_shape") and hasattr(value, "indices"):
            name = self._add(wish, value.values, number)
            indices = self._add(f"{wish}_indices", value.indices, number, main=False)
            shape = self._add(f"{wish}_shape", value.dense_shape, number, main=False)
            return f"tf.sparse.SparseTensor({indices}, {name}, {shape})"
        if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "numpy"):
            return self._add(wish, value.numpy() if hasattr(value, "numpy") else value, number)
        if number == self.moved:
            return self._add(wish, value, number)
        return self.script.expression(value, wish)
