"""Sorting, the largest of several, places in sorted numbers.

At ties the order is that of the first coefficients that differ, along each direction. Numbers that are sorted are the
same for every direction; their places need not be, and are then `gradcheck.exact.decisions.Decided`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention, Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet
from gradcheck.exact.kernels import kernel
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.table import Bound, rule

__all__ = ["descending", "place_of_extreme"]


def descending(p: Pass, x: Jet) -> tuple[Jet, Array | Decided]:
    """Numbers along the last axis from the largest on, and where they were.

    Among equal ones the first comes first, as TensorFlow has it, but where they move apart.
    """
    order = np.argsort(-x.v, axis=-1, kind="stable")
    plain = _taken(x, order)
    if not x.d or x.v.shape[-1] < 2:
        return plain, order
    tied = p.decisions.tied(apply(plain, lambda a, lead: a[..., :-1] - a[..., 1:]))
    if tied is None:
        return plain, order
    if p.decisions.convention is Convention.USUAL:
        return plain, order
    if p.decisions.convention is not Convention.ALONG:
        # Chains of neighbours that are tied, each in an order of its own.
        chain = np.concatenate([np.zeros((*tied.shape[:-1], 1), int), np.cumsum(~tied, axis=-1)], axis=-1)
        shuffled = np.lexsort((_within_ties(p, chain.shape), chain), axis=-1)
        order = np.take_along_axis(order, shuffled, axis=-1)
        return _taken(x, order), order
    count = p.directions
    keys = [np.broadcast_to(-x.v, (count, *x.v.shape)), *(-c[:count] for c in x.d)]
    rows = np.lexsort(tuple(reversed(keys)), axis=-1)  # stable: the place comes last
    coefficients = []
    for c, usual in zip(x.d, plain.d, strict=True):
        sorted_ = np.take_along_axis(c[:count], rows, axis=-1)
        coefficients.append(np.concatenate([sorted_, usual[count:]]))
    return Jet(plain.v, tuple(coefficients)), p.decisions.decided(order, rows)


def _within_ties(p: Pass, shape: tuple[int, ...]) -> Array:
    """Order among equal numbers by the convention."""
    n = shape[-1]
    if p.decisions.convention is Convention.LOW:
        return np.broadcast_to(np.arange(n), shape)
    if p.decisions.convention is Convention.HIGH:
        return np.broadcast_to(np.arange(n)[::-1], shape)
    return p.deviations(*shape)


def _taken(x: Jet, places: Array) -> Jet:
    """Numbers at places along the last axis."""

    def operation(a: Array, lead: int) -> Array:
        return np.take_along_axis(a, np.broadcast_to(places, (*a.shape[:lead], *places.shape)), axis=-1)

    return apply(x, operation)


def _cut(places: Array | Decided, chosen: Any, dtype: str) -> Array | Decided:
    if isinstance(places, Decided):
        return Decided(places.at[..., chosen].astype(dtype), places.rows[..., chosen].astype(dtype))
    return places[..., chosen].astype(dtype)


@rule("TopK", "TopKV2", moves_only=True)
def _top_k(node: Node) -> Bound:
    call = kernel(node)
    dtype = node.dtypes[1]

    def run(p: Pass, x: Any, k: Any = None) -> Any:
        if not isinstance(x, Jet):
            return call(x) if k is None else call(x, k)
        count = int(node.attributes["k"] if k is None else k)
        values, places = descending(p, x)
        return [apply(values, lambda a, lead: a[..., :count]), _cut(places, slice(count), dtype)]

    return run


@rule("NthElement", moves_only=True)
def _nth_element(node: Node) -> Bound:
    reverse = bool(node.attributes.get("reverse"))
    call = kernel(node)

    def run(p: Pass, x: Any, n: Any) -> Any:
        if not isinstance(x, Jet):
            return call(x, n)
        number = int(n) if reverse else x.v.shape[-1] - 1 - int(n)
        return apply(descending(p, x)[0], lambda a, lead: a[..., number])

    return run


def place_of_extreme(p: Pass, x: Jet, largest: bool) -> Array | Decided:
    """Where the largest or smallest along the last axis is: the first of equal ones, but where they move apart."""
    z = x if largest else -x
    at = np.argmax(z.v, axis=-1)
    if not z.d:
        return at
    top = apply(z, lambda a, lead: np.take_along_axis(a, _with_lead(at, a, lead), axis=-1))
    gap = z - top
    tied = p.decisions.tied(gap)
    if tied is None or p.decisions.convention is Convention.USUAL:
        return at
    if p.decisions.convention is not Convention.ALONG:
        tied = tied | (np.arange(z.v.shape[-1]) == at[..., None])
        return np.argmax(p.decisions.pick(tied), axis=-1)
    left = np.broadcast_to(gap.v == 0, (p.directions, *z.v.shape))
    for c in z.d:
        here = np.where(left, c[: p.directions], -np.inf)
        left = left & (here == here.max(axis=-1, keepdims=True))
    return p.decisions.decided(at, np.argmax(left, axis=-1))


def _with_lead(places: Array, a: Array, lead: int) -> Array:
    return np.broadcast_to(places[..., None], (*a.shape[:lead], *places.shape, 1))


@rule("ArgMax", "ArgMin", moves_only=True)
def _arg(node: Node) -> Bound:
    dtype = np.dtype(node.attributes.get("output_type") or "int64")
    largest = node.op == "ArgMax"
    ask: Any = np.argmax if largest else np.argmin

    def run(p: Pass, x: Any, axis: Any) -> Any:
        where = int(axis)
        if not isinstance(x, Jet):
            return np.asarray(ask(np.asarray(x), axis=where)).astype(dtype)
        rank = x.v.ndim
        front = apply(x, lambda a, lead: np.moveaxis(a, where % rank + lead, -1))
        return _typed(place_of_extreme(p, front, largest), dtype)

    return run


def _typed(places: Array | Decided, dtype: Any) -> Array | Decided:
    if isinstance(places, Decided):
        return Decided(places.at.astype(dtype), places.rows.astype(dtype))
    return np.asarray(places).astype(dtype)


def _counted(p: Pass, comparison: Any, a: Any, b: Any, dtype: Any) -> Array | Decided:
    """How often a comparison holds over the last axis."""
    found = p.decisions.holds(comparison, a, b)
    if isinstance(found, Decided):
        return p.decisions.decided(found.at.sum(axis=-1).astype(dtype), found.rows.sum(axis=-1).astype(dtype))
    return found.sum(axis=-1).astype(dtype)


@rule("LowerBound", "UpperBound", moves_only=True)
def _bound(node: Node) -> Bound:
    comparison = np.less if node.op == "LowerBound" else np.less_equal

    def run(p: Pass, numbers: Any, values: Any) -> Any:
        numbers = apply(numbers, lambda a, lead: np.expand_dims(a, -2))
        values = apply(values, lambda a, lead: np.expand_dims(a, -1))
        return _counted(p, comparison, numbers, values, node.dtypes[0])

    return run


@rule("Bucketize", moves_only=True)
def _bucketize(node: Node) -> Bound:
    bounds = np.asarray(node.attributes["boundaries"], np.float64)

    def run(p: Pass, x: Any) -> Any:
        return _counted(p, np.less_equal, bounds, apply(x, lambda a, lead: np.expand_dims(a, -1)), np.int32)

    return run


@rule("InTopK", "InTopKV2", moves_only=True)
def _in_top_k(node: Node) -> Bound:
    call = kernel(node)

    def run(p: Pass, predictions: Any, targets: Any, k: Any = None) -> Any:
        if not isinstance(predictions, Jet):
            return call(predictions, targets, *(() if k is None else (k,)))
        count = int(node.attributes["k"] if k is None else k)
        places = unmoved(targets).astype(np.int64)
        inside = (places >= 0) & (places < predictions.v.shape[-1])
        target = _taken(predictions, np.where(inside, places, 0)[:, None])
        above = _counted(p, np.greater, predictions, target, np.int64)
        finite = np.isfinite(target.v[:, 0]) & inside
        if isinstance(above, Decided):
            return p.decisions.decided((above.at < count) & finite, (above.rows < count) & finite)
        return (above < count) & finite

    return run


@rule("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2", moves_only=True)
def _unique(node: Node) -> Bound:
    call = kernel(node)

    def run(p: Pass, x: Any, *axis: Any) -> Any:
        found = call(unmoved(x), *axis)
        if not isinstance(x, Jet) or not x.d:
            return found
        where = int(np.asarray(axis[0]).reshape(-1)[0]) if axis and np.size(axis[0]) else 0
        _, first = np.unique(found[1], return_index=True)
        apart = [np.take(np.take(c, first, axis=where + 1), found[1], axis=where + 1) != c for c in x.d]
        if any(a[: p.directions].any() for a in apart):
            # Equal numbers move apart: how many there are differs from what it is at the point.
            p.decisions.note(int(sum(a[: p.directions].any(axis=0).sum() for a in apart)))
        y = Jet(found[0], tuple(np.take(c, first, axis=where + 1) for c in x.d))
        return [y, *found[1:]]

    return run
