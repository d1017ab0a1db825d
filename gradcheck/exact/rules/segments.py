"""Sums, products and extremes over segments, and what adds or writes at places of a tensor or a variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.kernels import wide
from gradcheck.exact.rules.reductions import extreme
from gradcheck.exact.rules.shapes import apply, concatenated, unmoved
from gradcheck.exact.table import Bound, rule

__all__ = ["summed"]


def _checked(segments: Array, count: int) -> Array:
    outside = segments >= count
    if outside.any():
        raise IndexError(f"segment {segments[outside][0]} is not in [0, {count})")
    return segments


def summed(x: Any, segments: Array, count: int) -> Any:
    """Sums of rows; rows of negative segments are left out.

    Args:
        x: ``[rows, …]``.
        segments: ``[rows]``.
        count: how many segments there are.
    """
    kept = segments >= 0

    def operation(a: Array, lead: int) -> Array:
        out = np.zeros((*a.shape[:lead], count, *a.shape[lead + 1 :]), a.dtype)
        rows = a if kept.all() else a[(slice(None),) * lead + (kept,)]
        index: Any = (slice(None),) * lead + (segments[kept],)
        np.add.at(out, index, rows)
        return out

    return apply(x, operation)


def _flattened(x: Any, segments: Array) -> tuple[Any, Array]:
    """Rows in one axis, for segment numbers of any rank."""
    rank = segments.ndim
    if rank == 1:
        return x, segments
    return apply(x, lambda a, lead: a.reshape(*a.shape[:lead], segments.size, *a.shape[lead + rank :])), (
        segments.reshape(-1)
    )


def _members(segments: Array, count: int) -> tuple[Array, Array]:
    """For each segment the numbers of its rows ``[count, most]``, and which of these places are filled."""
    sizes = np.bincount(segments[segments >= 0], minlength=count)
    most = int(sizes.max(initial=0))
    places = np.zeros((count, most), np.int64)
    filled = np.arange(most) < sizes[:, None]
    order = np.argsort(segments, kind="stable")
    places[filled] = order[segments[order] >= 0]
    return places, filled


def _gathered(x: Jet, places: Array) -> Jet:
    return apply(x, lambda a, lead: np.take(a, places, axis=lead))


def _beside(mask: Array, rank: int) -> Array:
    return mask.reshape(*mask.shape, *(1,) * (rank - mask.ndim))


def _products(x: Jet, segments: Array, count: int) -> Jet:
    """One factor after the other, without a division: zeros are no special case."""
    places, filled = _members(segments, count)
    found = jet(np.ones((count, *x.v.shape[1:])))
    for number in range(places.shape[1]):
        there = _beside(filled[:, number], x.v.ndim)
        factor = _gathered(x, places[:, number])
        factor = Jet(np.where(there, factor.v, 1.0), tuple(np.where(there, c, 0.0) for c in factor.d))
        found = found * factor
    return _with_order(found, x)


def _with_order(found: Jet, x: Jet) -> Jet:
    """Zeros for coefficients where no row moved any segment."""
    return found if found.d or not x.d else Jet(found.v, tuple(np.zeros((c.shape[0], *found.v.shape)) for c in x.d))


def _extremes(p: Pass, x: Jet, segments: Array, count: int, largest: bool, empty: float) -> Jet:
    places, filled = _members(segments, count)
    rest = x.v.shape[1:]
    if not places.shape[1]:
        return Jet(np.full((count, *rest), empty), tuple(np.zeros((c.shape[0], count, *rest)) for c in x.d))
    there = _beside(filled, x.v.ndim + 1)
    rows = _gathered(x, places)
    nothing = -np.inf if largest else np.inf
    rows = Jet(np.where(there, rows.v, nothing), tuple(np.where(there, c, 0.0) for c in rows.d))
    last = apply(rows, lambda a, lead: np.moveaxis(a, lead + 1, -1))
    with np.errstate(invalid="ignore"):
        found = extreme(p, last, largest) if x.d else Jet(last.v.max(axis=-1) if largest else last.v.min(axis=-1))
    none = _beside(np.asarray(~filled.any(axis=1)), x.v.ndim)
    return Jet(np.where(none, empty, found.v), tuple(np.where(none, 0.0, c) for c in found.d))


def _lowest(dtype: str, largest: bool) -> Any:
    kind = tensorflow().as_dtype(dtype)
    return float(kind.min if largest else kind.max)


_EXTREMES = [f"{kind}{which}" for kind in ("Segment", "UnsortedSegment") for which in ("Max", "Min")]


@rule("SegmentSum", "SegmentSumV2", "SegmentMean", "SegmentProd", "SegmentProdV2")
@rule("UnsortedSegmentSum", "UnsortedSegmentProd")
@rule(*_EXTREMES, "SegmentMaxV2", "SegmentMinV2", moves_only=True)
def _segments(node: Node) -> Bound:
    kind = node.op.removeprefix("Unsorted").removeprefix("Segment").removesuffix("V2")
    # Where a segment is empty: 0 or 1, but the lowest number of the type for an extreme over unsorted segments.
    sorted_ = not node.op.startswith("Unsorted") and not node.op.endswith("V2")
    empty = 0.0 if sorted_ or kind not in ("Max", "Min") else _lowest(node.dtypes[0], kind == "Max")
    from gradcheck.exact.kernels import kernel

    still = kernel(node)

    def run(p: Pass, x: Any, ids: Any, count: Any = None) -> Any:
        if not isinstance(x, Jet):
            x = np.asarray(x)
            if x.dtype.kind not in "fc":
                return still(x, ids, *(() if count is None else (count,)))
            return run(p, jet(x), ids, count).v
        segments = unmoved(ids)
        number = int(count) if count is not None else int(segments[-1]) + 1 if segments.size else 0
        x, segments = _flattened(x, _checked(segments, number))
        if kind == "Prod":
            return _products(x, segments, number)
        if kind in ("Max", "Min"):
            return _extremes(p, x, segments, number, kind == "Max", empty)
        found = summed(x, segments, number)
        return found * (1.0 / _sizes(segments, number, x.v.ndim)) if kind == "Mean" else found

    def terms(x: Any, ids: Any, count: Any = None) -> Array:
        segments = unmoved(ids)
        number = int(count) if count is not None else int(segments[-1]) + 1 if segments.size else 0
        flat, segments = _flattened(np.abs(unmoved(x)), segments)
        total = summed(flat, segments, number)
        return total / _sizes(segments, number, total.ndim) if kind == "Mean" else total

    if kind in ("Sum", "Mean"):
        run.terms = terms  # type: ignore[attr-defined]
    return run


def _sizes(segments: Array, count: int, rank: int) -> Array:
    """How many rows each segment has, 1 for none, ``[count, 1, …]``."""
    sizes = np.bincount(segments[segments >= 0], minlength=count)
    return _beside(np.maximum(sizes, 1).astype(np.float64), rank)


@rule(
    "SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN",
    "SparseSegmentSumWithNumSegments", "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments",
)  # fmt: skip
def _sparse_segments(node: Node) -> Bound:
    kind = node.op.removeprefix("SparseSegment").removesuffix("WithNumSegments")

    def run(_: Pass, x: Any, indices: Any, ids: Any, count: Any = None) -> Any:
        segments = unmoved(ids)
        number = int(count) if count is not None else int(segments[-1]) + 1 if segments.size else 0
        rows = apply(x, lambda a, lead: np.take(a, unmoved(indices), axis=lead))
        found = summed(rows, _checked(segments, number), number)
        if kind == "Sum":
            return found
        sizes = _sizes(segments, number, np.ndim(found.v if isinstance(found, Jet) else found))
        return found / (sizes if kind == "Mean" else np.sqrt(sizes))

    run.terms = lambda x, *rest: run(None, np.abs(unmoved(x)), *rest)  # type: ignore[attr-defined, arg-type]
    return run


@rule("Bincount", "DenseBincount")
def _bincount(node: Node) -> Bound:
    from gradcheck.exact.kernels import kernel

    call = kernel(node)
    binary = bool(node.attributes.get("binary_output"))

    def run(_: Pass, numbers: Any, size: Any, weights: Any) -> Any:
        if not isinstance(weights, Jet) or not weights.d or binary or not weights.v.size:
            return call(unmoved(numbers), unmoved(size), unmoved(weights))
        places, count = unmoved(numbers), int(size)
        rows = places.shape[0] if places.ndim == 2 else 1
        inside = np.where((places >= 0) & (places < count), places, -1).reshape(rows, -1)
        flat = np.where(inside >= 0, inside + count * np.arange(rows)[:, None], -1).reshape(-1)
        found = summed(apply(weights, _raveled), flat, rows * count)
        shape = (rows, count) if places.ndim == 2 else (count,)
        return apply(found, lambda a, lead: a.reshape(*a.shape[:lead], *shape))

    return run


# -- at places of a tensor ----------------------------------------------------------------------------------------


@rule("TensorScatterMax", "TensorScatterMin", moves_only=True)
def _scatter_extreme(node: Node) -> Bound:
    largest = node.op.endswith("Max")

    def run(p: Pass, x: Any, indices: Any, updates: Any) -> Any:
        moving = isinstance(x, Jet) or isinstance(updates, Jet)
        whole = _flat_places(unmoved(indices), np.shape(unmoved(x)))
        rows = np.concatenate([np.arange(np.size(unmoved(x))), whole.reshape(-1)])
        both = concatenated([apply(part, _raveled) for part in (x, updates)], 0)
        found = _extremes(p, jet(both), rows, np.size(unmoved(x)), largest, 0.0)
        shape = np.shape(unmoved(x))
        found = apply(found, lambda a, lead: a.reshape(*a.shape[:lead], *shape))
        return found if moving else found.v.astype(np.asarray(x).dtype)

    return run


def _raveled(a: Array, lead: int) -> Array:
    return a.reshape(*a.shape[:lead], -1)


def _flat_places(indices: Array, shape: tuple[int, ...]) -> Array:
    """Places in the flat tensor of what an index of a scatter writes to, ``[*indices.shape[:-1], *rest]``."""
    numbers = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
    return np.asarray(numbers[tuple(np.moveaxis(indices, -1, 0))])


@rule("ScatterNdNonAliasingAdd", moves_only=True)
def _scatter_nd_add(node: Node) -> Bound:
    def run(_: Pass, x: Any, indices: Any, updates: Any) -> Any:
        shape = np.shape(unmoved(x))
        places = _flat_places(unmoved(indices), shape).reshape(-1)
        added = summed(apply(updates, _raveled), places, int(np.prod(shape, dtype=int)))
        return x + apply(added, lambda a, lead: a.reshape(*a.shape[:lead], *shape))

    return run


@rule("TensorStridedSliceUpdate", moves_only=True)
def _strided_update(node: Node) -> Bound:
    from gradcheck.exact.rules.indexing import strided_index

    masks = {
        name: int(node.attributes.get(f"{name}_mask") or 0)
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }

    def run(_: Pass, x: Any, begin: Any, end: Any, strides: Any, value: Any) -> Any:
        index = strided_index(unmoved(begin), unmoved(end), unmoved(strides), masks)
        return _written(x, index, value)

    return run


def _written(x: Any, index: tuple[Any, ...], value: Any) -> Any:
    """A tensor with other numbers at an index, which broadcast."""
    moving = isinstance(x, Jet) or isinstance(value, Jet)
    if not moving:
        found = np.array(x)
        found[index] = value
        return found
    x, value = jet(x), jet(value)
    v = x.v.copy()
    v[index] = value.v
    order = max(len(x.d), len(value.d))
    coefficients = []
    for k in range(order):
        count = (x.d or value.d)[0].shape[0]
        full = np.array(x.d[k]) if k < len(x.d) else np.zeros((count, *x.v.shape))
        new = value.d[k] if k < len(value.d) else np.zeros((count, *value.v.shape))
        index_behind = (slice(None), *index)
        extra = full[index_behind].ndim - new.ndim
        full[index_behind] = new.reshape(count, *(1,) * max(0, extra), *new.shape[1:])
        coefficients.append(full)
    return Jet(v, tuple(coefficients))


# -- at places of a variable --------------------------------------------------------------------------------------


def _variable(p: Pass, handle: Any, dtype: str) -> Any:
    if id(handle) not in p.resources:
        p.resources[id(handle)] = wide(tensorflow().raw_ops.ReadVariableOp(resource=handle, dtype=dtype).numpy())
    return p.resources[id(handle)]


_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
}


@rule(*(f"ResourceScatter{kind}" for kind in (*_COMBINE, "Update")), moves_only=True, decisions=True)
@rule("ResourceScatterNdUpdate", "ResourceScatterNdAdd", "ResourceScatterNdSub", moves_only=True, decisions=True)
def _resource_scatter(node: Node) -> Bound:
    by_tuples = node.op.startswith("ResourceScatterNd")
    kind = node.op.removeprefix("ResourceScatterNd" if by_tuples else "ResourceScatter")
    dtype = node.attributes["T" if by_tuples else "dtype"]

    def run(p: Pass, handle: Any, indices: Any, updates: Any) -> None:
        if isinstance(indices, Decided) or isinstance(updates, Decided):
            raise (indices if isinstance(indices, Decided) else updates).split()
        found = _variable(p, handle, dtype)
        places = unmoved(indices)
        places = places if by_tuples else np.expand_dims(places, -1)
        flat = places.reshape(-1, places.shape[-1])
        rank = np.ndim(unmoved(updates)) - (places.ndim - 1)
        rows = apply(updates, lambda a, lead: a.reshape(*a.shape[:lead], -1, *a.shape[a.ndim - rank :]))
        scalar = np.ndim(unmoved(updates)) < places.ndim - 1
        for number, place in enumerate(flat):  # one after the other: places may repeat
            index = tuple(int(n) for n in place)
            new = updates if scalar else apply(rows, lambda a, lead, n=number: np.take(a, n, axis=lead))  # type: ignore[misc]
            if kind != "Update":
                old = apply(found, lambda a, lead, i=index: np.asarray(a[(slice(None),) * lead + i]))  # type: ignore[misc]
                new = _COMBINE[kind](old, new)
            found = _written(found, index, new)
        p.resources[id(handle)] = found

    return run
