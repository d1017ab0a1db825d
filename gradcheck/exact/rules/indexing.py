"""Reading and writing at places: slices, gathers, scatters, masks, one-hot numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.table import Bound, rule

__all__: list[str] = []


@rule("Slice", moves_only=True)
def _slice(node: Node) -> Bound:
    def run(_: Pass, x: Any, begin: Any, size: Any) -> Any:
        index = tuple(
            slice(int(b), None if s < 0 else int(b) + int(s))
            for b, s in zip(unmoved(begin), unmoved(size), strict=True)
        )
        return apply(x, lambda a, lead: a[(slice(None),) * lead + index])

    return run


@rule("StridedSlice", moves_only=True)
def _strided_slice(node: Node) -> Bound:
    masks = {name: int(node.attributes.get(f"{name}_mask") or 0) for name in _MASKS}

    def run(_: Pass, x: Any, begin: Any, end: Any, strides: Any) -> Any:
        index = strided_index(unmoved(begin), unmoved(end), unmoved(strides), masks)
        return apply(x, lambda a, lead: np.asarray(a[(slice(None),) * lead + index]))

    return run


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def strided_index(begin: Array, end: Array, strides: Array, masks: dict[str, int]) -> tuple[Any, ...]:
    """TensorFlow's masks of a strided slice as an index for NumPy."""
    index: list[Any] = []
    for place in range(len(begin)):
        bit = 1 << place
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(int(begin[place]))
        else:
            first = None if masks["begin"] & bit else int(begin[place])
            last = None if masks["end"] & bit else int(end[place])
            step = int(strides[place])
            if step < 0 and last is not None and last < 0 and first is not None and first >= 0 and last == -1:
                last = -1
            index.append(slice(first, last, step))
    if Ellipsis not in index:
        index.append(Ellipsis)
    return tuple(index)


@rule("StridedSliceGrad", moves_only=True)
def _strided_slice_grad(node: Node) -> Bound:
    masks = {name: int(node.attributes.get(f"{name}_mask") or 0) for name in _MASKS}

    def run(_: Pass, shape: Any, begin: Any, end: Any, strides: Any, dy: Any) -> Any:
        index = strided_index(unmoved(begin), unmoved(end), unmoved(strides), masks)
        target = tuple(int(n) for n in unmoved(shape))

        def operation(a: Array, lead: int) -> Array:
            full = np.zeros((*a.shape[:lead], *target), a.dtype)
            full[(slice(None),) * lead + index] = a
            return full

        return apply(dy, operation)

    return run


@rule("Gather", "GatherV2", "ResourceGather", moves_only=True)
def _gather(node: Node) -> Bound:
    batch_dims = int(node.attributes.get("batch_dims") or 0)
    resource = node.op == "ResourceGather"

    def run(p: Pass, x: Any, indices: Any, axis: Any = 0) -> Any:
        if resource:
            x = p.resources[id(x)] if id(x) in p.resources else _read(x)
        where, places = int(axis), unmoved(indices).astype(np.int64)
        rank = np.ndim(x.v if type(x) is Jet else x)
        where = where % rank if rank else 0
        batch = batch_dims % (places.ndim + 1) if batch_dims < 0 else batch_dims
        size = (x.v if type(x) is Jet else x).shape[where]
        inside = (places >= 0) & (places < size)
        if not inside.all():
            raise IndexError(f"indices[…] = {places[~inside][0]} is not in [0, {size})")

        def operation(a: Array, lead: int) -> Array:
            return _gathered(a, places, where, batch, lead)

        return apply(x, operation)

    return run


def _read(handle: Any) -> Array:
    from gradcheck.exact.rules.calls import read_handle

    return read_handle(handle)


def _gathered(a: Array, places: Array, axis: int, batch: int, lead: int) -> Array:
    if not batch:
        return np.take(a, places, axis + lead)
    grid = list(np.ix_(*(np.arange(n) for n in a.shape[lead : lead + batch])))
    rest = places.ndim - batch
    middle = axis - batch
    # Index arrays for the batch axes, slices between them and the axis, the places last.
    index: list[Any] = [slice(None)] * lead
    index += [g.reshape(*g.shape, *(1,) * (rest + middle)) for g in grid]
    between = list(np.ix_(*(np.arange(n) for n in a.shape[lead + batch : lead + axis]))) if middle else []
    index += [b.reshape(*(1,) * batch, *b.shape, *(1,) * rest) for b in between]
    index.append(places.reshape(*places.shape[:batch], *(1,) * middle, *places.shape[batch:]))
    return np.asarray(a[tuple(index)])


@rule("GatherNd", "ResourceGatherNd", moves_only=True)
def _gather_nd(node: Node) -> Bound:
    resource = node.op == "ResourceGatherNd"

    def run(p: Pass, x: Any, indices: Any) -> Any:
        if resource:
            x = p.resources[id(x)] if id(x) in p.resources else _read(x)
        places = np.moveaxis(unmoved(indices), -1, 0)
        return apply(x, lambda a, lead: np.asarray(a[(slice(None),) * lead + tuple(places)]))

    return run


@rule("OneHot", moves_only=True)
def _one_hot(node: Node) -> Bound:
    axis = int(node.attributes.get("axis", -1))

    def run(_: Pass, indices: Any, depth: Any, on: Any, off: Any) -> Any:
        places = unmoved(indices)
        where = places.ndim if axis == -1 else axis
        hot = np.expand_dims(places, where) == np.arange(int(depth)).reshape(-1, *(1,) * (places.ndim - where))
        if isinstance(on, Jet) or isinstance(off, Jet):
            return jet(on) * hot.astype(np.float64) + jet(off) * (~hot).astype(np.float64)
        return np.where(hot, on, off)

    return run


@rule("Where", moves_only=True, decisions=True)
def _where(node: Node) -> Bound:
    def run(_: Pass, x: Any) -> Any:
        if isinstance(x, Decided):
            raise x.split()
        return np.argwhere(unmoved(x) != 0).astype(np.int64)

    return run


@rule("ScatterNd", moves_only=True)
def _scatter_nd(node: Node) -> Bound:
    def run(_: Pass, indices: Any, updates: Any, shape: Any) -> Any:
        target = tuple(int(n) for n in unmoved(shape))
        places = tuple(np.moveaxis(unmoved(indices), -1, 0))

        def operation(a: Array, lead: int) -> Array:
            full = np.zeros((*a.shape[:lead], *target), a.dtype)
            np.add.at(full, (slice(None),) * lead + places, a)
            return full

        return apply(updates, operation)

    return run


@rule("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", moves_only=True)
def _tensor_scatter(node: Node) -> Bound:
    kind = node.op.removeprefix("TensorScatter")

    def run(_: Pass, x: Any, indices: Any, updates: Any) -> Any:
        places = tuple(np.moveaxis(unmoved(indices), -1, 0))
        moving = isinstance(x, Jet) or isinstance(updates, Jet)
        if not moving:
            return _scattered(kind, np.asarray(x), places, np.asarray(updates), 0)
        x, updates = jet(x), jet(updates)
        v = _scattered(kind, x.v, places, updates.v, 0)
        order = max(len(x.d), len(updates.d))
        coefficients = []
        for k in range(order):
            count = (x.d or updates.d)[0].shape[0]
            base = x.d[k] if k < len(x.d) else np.zeros((count, *x.v.shape))
            new = updates.d[k] if k < len(updates.d) else np.zeros((count, *updates.v.shape))
            coefficients.append(_scattered(kind, base, places, new, 1))
        return Jet(v, tuple(coefficients))

    return run


def _scattered(kind: str, base: Array, places: tuple[Array, ...], updates: Array, lead: int) -> Array:
    full = base.copy()
    index: Any = (slice(None),) * lead + places
    if kind == "Update":
        full[index] = updates
    elif kind == "Add":
        np.add.at(full, index, updates)
    else:
        np.subtract.at(full, index, updates)
    return full


@rule("MatrixDiag", "MatrixDiagPart", "Diag", "DiagPart", moves_only=True)
def _diagonals(node: Node) -> Bound:
    def run(_: Pass, x: Any) -> Any:
        if node.op == "MatrixDiagPart":
            return apply(x, lambda a, lead: np.diagonal(a, axis1=-2, axis2=-1).copy())
        if node.op == "MatrixDiag":
            return apply(x, lambda a, lead: a[..., None] * np.eye(a.shape[-1]))
        if node.op == "Diag":

            def spread(a: Array, lead: int) -> Array:
                shape = a.shape[lead:]
                flat = a.reshape(*a.shape[:lead], -1)
                return (flat[..., None] * np.eye(flat.shape[-1])).reshape(*a.shape[:lead], *shape, *shape)

            return apply(x, spread)

        def taken(a: Array, lead: int) -> Array:
            half = a.shape[lead : lead + (a.ndim - lead) // 2]
            n = int(np.prod(half, dtype=int))
            square = a.reshape(*a.shape[:lead], n, n)
            return np.diagonal(square, axis1=-2, axis2=-1).reshape(*a.shape[:lead], *half)

        return apply(x, taken)

    return run


@rule("MatrixBandPart", moves_only=True)
def _band(node: Node) -> Bound:
    def run(_: Pass, x: Any, lower: Any, upper: Any) -> Any:
        rows, columns = (x.v if type(x) is Jet else np.asarray(x)).shape[-2:]
        gap = np.arange(rows)[:, None] - np.arange(columns)
        low, up = int(lower), int(upper)
        kept = ((low < 0) | (gap <= low)) & ((up < 0) | (-gap <= up))
        return apply(x, lambda a, lead: np.where(kept, a, np.zeros((), a.dtype)))

    return run


@rule("ReverseSequence", moves_only=True)
def _reverse_sequence(node: Node) -> Bound:
    steps, rows = int(node.attributes["seq_dim"]), int(node.attributes.get("batch_dim") or 0)

    def run(_: Pass, x: Any, lengths: Any) -> Any:
        shape = np.shape(x.v if type(x) is Jet else x)
        count = np.arange(shape[steps])
        ends = unmoved(lengths).astype(int)[:, None]
        places = np.where(count < ends, ends - 1 - count, count)  # [rows, steps]

        def operation(a: Array, lead: int) -> Array:
            front = np.moveaxis(a, (rows + lead, steps + lead), (lead, lead + 1))
            index = (slice(None),) * lead + (np.arange(shape[rows])[:, None], places)
            return np.moveaxis(front[index], (lead, lead + 1), (rows + lead, steps + lead))

        return apply(x, operation)

    return run
