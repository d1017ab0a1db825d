"""Ragged tensors: row splits are data, flat values move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.kernels import wide
from gradcheck.exact.rules.shapes import apply, concatenated, stacked, unmoved
from gradcheck.exact.rules.through import by_numbers, plain
from gradcheck.exact.table import Bound, NoRule, rule

__all__ = ["Encoded"]


@rule("RaggedGather", moves_only=True)
def _gather(node: Node) -> Bound:
    """Inputs: row splits, flat values, indices; outputs: row splits, flat values."""
    return by_numbers(node, (len(node.inputs) - 2,), (len(node.outputs) - 1,))


@rule("RaggedTensorToTensor", moves_only=True)
def _to_tensor(node: Node) -> Bound:
    """Inputs: shape, flat values, default value, partitions."""
    return by_numbers(node, (1, 2))


@dataclass(frozen=True)
class Encoded:
    """A ragged tensor as one element of a tensor of variants.

    Attributes:
        splits: row splits, the outermost first.
        values: flat values.
    """

    splits: tuple[Array, ...]
    values: Any


def _boxed(items: list[Encoded], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(items), object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)


@rule("RaggedTensorToVariant", moves_only=True)
def _to_variant(node: Node) -> Bound:
    by_rows = bool(node.attributes.get("batched_input"))

    def run(_: Pass, *inputs: Any) -> Any:
        splits, values = [unmoved(part) for part in inputs[:-1]], inputs[-1]
        if not by_rows:
            return _boxed([Encoded(tuple(splits), values)], ())
        if not splits:
            count = np.shape(plain(values))[0]
            rows = [Encoded((), _cut(values, n, n + 1, single=True)) for n in range(count)]
            return _boxed(rows, (count,))
        items = []
        for start, end in zip(splits[0][:-1], splits[0][1:], strict=True):
            inner = []
            for below in splits[1:]:
                part = below[start : end + 1]
                inner.append(part - part[0])
                start, end = part[0], part[-1]
            items.append(Encoded(tuple(inner), _cut(values, int(start), int(end))))
        return _boxed(items, (len(items),))

    return run


def _cut(values: Any, start: int, end: int, single: bool = False) -> Any:
    def operation(a: Array, lead: int) -> Array:
        place: Any = (*(slice(None),) * lead, start if single else slice(start, end))
        return np.asarray(a[place])

    return apply(values if isinstance(values, Jet) else plain(values), operation)


def _results(found: list[Any]) -> Any:
    return found if len(found) > 1 else found[0]


@rule("RaggedTensorFromVariant", moves_only=True)
def _from_variant(node: Node) -> Bound:
    rank = int(node.attributes["output_ragged_rank"])
    dtype = node.attributes["Tvalues"]
    integers = np.dtype(node.attributes.get("Tsplits") or "int64")

    def run(_: Pass, encoded: Any) -> Any:
        from gradcheck.exact.rules.calls import TensorList

        array = np.asarray(encoded, object) if not isinstance(encoded, TensorList) else None
        if array is None or any(not isinstance(item, Encoded) for item in array.flat):
            raise NoRule(node.op, node.name, "its input is none of the ragged tensors that were encoded here")
        items = list(array.flat)
        if array.ndim == 0:
            return _results([*items[0].splits, items[0].values])
        outer = _outer_splits(array.shape)
        inner = _joined([item.splits for item in items], [np.shape(plain(item.values)) for item in items])
        if len(items) == 0:
            missing = rank - len(outer)
            inner = [np.zeros(1, np.int64)] * missing
            return _results([*(s.astype(integers) for s in (*outer, *inner)), wide(np.zeros(0, dtype))])
        whole = len(outer) + len(items[0].splits) == rank - 1
        if whole:  # values are tensors with an outer dimension that becomes ragged
            lengths = [np.shape(plain(item.values))[0] for item in items]
            inner = inner or [np.cumsum([0, *lengths])]
        ragged = len(outer) + len(inner)
        values = [item.values for item in items]
        joined = stacked(values, 0) if np.ndim(plain(values[0])) == 0 else concatenated(values, 0)
        if ragged != rank:
            raise NoRule(node.op, node.name, f"it has {ragged} ragged dimensions where {rank} were expected")
        return _results([*(np.asarray(s).astype(integers) for s in (*outer, *inner)), joined])

    return run


def _outer_splits(shape: tuple[int, ...]) -> list[Array]:
    """Row splits of the dimensions of the tensor of variants but the first."""
    found, rows = [], shape[0] if shape else 1
    for size in shape[1:]:
        found.append(np.arange(rows + 1) * size)
        rows *= size
    return found


def _joined(splits: list[tuple[Array, ...]], shapes: list[tuple[int, ...]]) -> list[Array]:
    """Row splits of ragged tensors one below the other, with one more dimension that tells them apart."""
    if not splits or not splits[0]:
        return []
    depth = len(splits[0])
    found = [np.cumsum([0, *(len(item[0]) - 1 for item in splits)])]
    for level in range(depth):
        rows = [np.diff(item[level]) for item in splits]
        found.append(np.cumsum(np.concatenate([[0], *rows])))
    return found


@rule("RaggedTensorToVariantGradient", moves_only=True)
def _variant_gradient(node: Node) -> Bound:
    def run(_: Pass, encoded: Any, splits: Any, shape: Any) -> Any:
        items = [item.values for item in np.asarray(encoded, object).flat]
        target = tuple(int(n) for n in unmoved(shape))
        if not items:
            return np.zeros(target)
        joined = stacked(items, 0) if np.ndim(plain(items[0])) == 0 else concatenated(items, 0)
        return apply(jet(joined), lambda a, lead: a.reshape(*a.shape[:lead], *target))

    return run


@rule("RaggedRange", moves_only=True)
def _range(node: Node) -> Bound:
    """Integers as a rule; numbers that move start at each row's start and grow by its step."""

    def run(_: Pass, starts: Any, limits: Any, deltas: Any) -> Any:
        first, last, step = (np.atleast_1d(plain(part)) for part in (starts, limits, deltas))
        rows = max(len(first), len(last), len(step))
        first, last, step = (np.broadcast_to(part, (rows,)) for part in (first, last, step))
        counts = np.maximum(0, np.ceil((last - first) / step)).astype(np.int64)
        splits = np.concatenate([[0], np.cumsum(counts)]).astype(node.dtypes[0])
        row = np.repeat(np.arange(rows), counts)
        number = np.arange(len(row)) - np.repeat(splits[:-1], counts)
        if not isinstance(starts, Jet) and not isinstance(deltas, Jet):
            return [splits, (first[row] + number * step[row]).astype(first.dtype)]

        def taken(part: Any) -> Jet:
            x = jet(part)
            return apply(
                x,
                lambda a, lead: (
                    a[..., row] if a.ndim > lead and a.shape[-1] > 1 else a.reshape(*a.shape[:lead], 1)[..., row * 0]
                ),
            )

        return [splits, taken(starts) + taken(deltas) * number.astype(np.float64)]

    return run
