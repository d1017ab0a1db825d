"""Sparse tensors: indices and shapes are data, values move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.elementwise import exp
from gradcheck.exact.rules.products import matmul
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.rules.through import by_numbers, kernel_of, plain
from gradcheck.exact.table import Bound, NoRule, rule

__all__: list[str] = []

# -- values change places -----------------------------------------------------------------------------------------

# Positions of the inputs and of the outputs that hold values.
_MOVED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "SparseReorder": ((1,), (1,)),
    "SparseSlice": ((1,), (1,)),
    "SparseToDense": ((2, 3), (0,)),
    "SparseFillEmptyRows": ((1, 3), (1,)),
    "RaggedTensorToSparse": ((-1,), (1,)),
    "RaggedFillEmptyRows": ((1, 3), (1,)),
    "DynamicPartition": ((0,), ()),
}


@rule(*_MOVED, moves_only=True)
def _moved(node: Node) -> Bound:
    inputs, outputs = _MOVED[node.op]
    count = len(node.inputs)
    every = tuple(range(len(node.outputs))) if node.op == "DynamicPartition" else outputs
    return by_numbers(node, tuple(k % count for k in inputs), every)


@rule("SparseConcat", "SparseSplit", moves_only=True)
def _parts(node: Node) -> Bound:
    if node.op == "SparseConcat":
        number = int(node.attributes["N"])
        return by_numbers(node, tuple(range(number, 2 * number)), (1,))
    number = int(node.attributes["num_split"])
    return by_numbers(node, (2,), tuple(range(number, 2 * number)))


@rule("DynamicStitch", "ParallelDynamicStitch", moves_only=True)
def _stitch(node: Node) -> Bound:
    number = int(node.attributes["N"])
    moved = by_numbers(node, tuple(range(number, 2 * number)))

    def run(context: Pass, *inputs: Any) -> Any:
        written = np.concatenate([np.zeros(0, np.int64), *(np.ravel(unmoved(x)) for x in inputs[:number])])
        if np.unique(written).size <= written.max(initial=-1):
            # The kernel allocates the output and writes the rows that are named.
            raise NoRule(node.op, node.name, "a row that nothing writes is whatever the memory held")
        return moved(context, *inputs)

    return run


# -- sums ---------------------------------------------------------------------------------------------------------


def _scattered(values: Any, places: tuple[Array, ...], shape: tuple[int, ...]) -> Any:
    """Values added up at places of a dense tensor."""

    def operation(a: Array, lead: int) -> Array:
        found = np.zeros((*a.shape[:lead], *shape), a.dtype)
        index: Any = (slice(None),) * lead + places
        np.add.at(found, index, a)
        return found

    return apply(values, operation)


def _columns(indices: Any) -> tuple[Array, ...]:
    return tuple(np.moveaxis(unmoved(indices), -1, 0))


@rule("SparseReduceSum")
def _reduce_sum(node: Node) -> Bound:
    keep = bool(node.attributes.get("keep_dims"))

    def run(_: Pass, indices: Any, values: Any, shape: Any, axes: Any) -> Any:
        full = tuple(int(n) for n in unmoved(shape))
        rank = len(full)
        gone = {int(axis) % rank for axis in np.atleast_1d(unmoved(axes))}
        places = tuple(
            np.zeros_like(column) if axis in gone else column for axis, column in enumerate(_columns(indices))
        )
        dense = _scattered(values, places, tuple(1 if axis in gone else n for axis, n in enumerate(full)))
        if keep:
            return dense
        kept = tuple(n for axis, n in enumerate(full) if axis not in gone)
        return apply(dense, lambda a, lead: a.reshape(*a.shape[:lead], *kept))

    return run


@rule("SparseTensorDenseMatMul")
def _dense_matmul(node: Node) -> Bound:
    turn_a, turn_b = bool(node.attributes.get("adjoint_a")), bool(node.attributes.get("adjoint_b"))

    def turned(a: Array, lead: int) -> Array:
        return np.conj(np.swapaxes(a, -1, -2))

    def run(_: Pass, indices: Any, values: Any, shape: Any, b: Any) -> Any:
        row, column = _columns(indices)
        rows, columns = (int(n) for n in unmoved(shape))
        numbers = values if isinstance(values, Jet) else plain(values)
        if turn_a:
            row, column, rows = column, row, columns
            numbers = apply(numbers, lambda a, lead: np.conj(a))
        factor = b if isinstance(b, Jet) else plain(b)
        factor = apply(factor, turned) if turn_b else factor
        taken = apply(factor, lambda a, lead: np.take(a, column, lead))
        products = apply(numbers, lambda a, lead: a[..., None]) * taken
        width = np.shape(plain(taken))[-1]
        return _scattered(products, (row,), (rows, width))

    return run


@rule("SparseMatMul")
def _sparse_matmul(node: Node) -> Bound:
    """A product of dense matrices with many zeros."""
    turns = bool(node.attributes.get("transpose_a")), bool(node.attributes.get("transpose_b"))

    def run(_: Pass, *factors: Any) -> Any:
        a, b = (
            apply(x if isinstance(x, Jet) else plain(x), lambda m, lead: np.swapaxes(m, -1, -2)) if turn else x
            for x, turn in zip(factors, turns, strict=True)
        )
        return matmul(a, b)

    return run


@rule("SparseTensorDenseAdd")
def _dense_add(node: Node) -> Bound:
    def run(_: Pass, indices: Any, values: Any, shape: Any, b: Any) -> Any:
        return b + _scattered(values, _columns(indices), tuple(int(n) for n in unmoved(shape)))

    return run


@rule("SparseDenseCwiseAdd", "SparseDenseCwiseMul", "SparseDenseCwiseDiv")
def _with_dense(node: Node) -> Bound:
    def run(_: Pass, indices: Any, values: Any, shape: Any, dense: Any) -> Any:
        target = tuple(int(n) for n in unmoved(shape))
        places = _columns(indices)

        def taken(a: Array, lead: int) -> Array:
            missing = len(target) - (a.ndim - lead)
            filled = a.reshape(*a.shape[:lead], *(1,) * missing, *a.shape[lead:])
            return np.broadcast_to(filled, (*a.shape[:lead], *target))[(slice(None),) * lead + places]

        other = apply(dense if isinstance(dense, Jet) else plain(dense), taken)
        moving = isinstance(values, Jet) or isinstance(dense, Jet)
        a, b = jet(values), jet(other)
        found = a + b if node.op.endswith("Add") else a * b if node.op.endswith("Mul") else a / b
        return found if moving else found.v

    return run


@rule("SparseSoftmax", grain=1.0)
def _sparse_softmax(node: Node) -> Bound:
    def run(_: Pass, indices: Any, values: Any, shape: Any) -> Any:
        x = jet(values)
        group = np.unique(unmoved(indices)[:, :-1], axis=0, return_inverse=True)[1].reshape(-1)
        count = int(group.max()) + 1 if group.size else 0
        top = np.full(count, -np.inf)
        np.maximum.at(top, group, x.v)
        e = exp(x - top[group])
        sums = jet(_scattered(e, (group,), (count,)))
        found = e / apply(sums, lambda a, lead: a[..., group])
        return found if isinstance(values, Jet) else found.v

    return run


# -- two sparse tensors -------------------------------------------------------------------------------------------


def _found_in(union: Array, indices: Array) -> Array:
    """Where each row of indices stands in their union."""
    rows = {tuple(row): place for place, row in enumerate(union.tolist())}
    return np.array([rows[tuple(row)] for row in indices.tolist()], np.int64)


def _two(node: Node, evaluate: Callable[[Pass, Jet, Jet], Any], ones: Callable[..., Any]) -> Bound:
    """An operation on the union of the places of two sparse tensors, whose own kernel tells the union."""

    def run(p: Pass, a_indices: Any, a: Any, a_shape: Any, b_indices: Any, b: Any, b_shape: Any, *rest: Any) -> Any:
        places = unmoved(a_indices), unmoved(b_indices)
        parts = [jet(a), jet(b)]
        found = ones(
            places[0], np.ones(parts[0].v.shape), unmoved(a_shape),
            places[1], np.ones(parts[1].v.shape), unmoved(b_shape), *rest,
        )  # fmt: skip
        union = found[0]
        spread = [
            jet(_scattered(part, (_found_in(union, where),), (len(union),)))
            for part, where in zip(parts, places, strict=True)
        ]
        values = evaluate(p, *spread)
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            values = plain(values)
        return [union, values, *found[2:]]

    return run


@rule("SparseAdd")
def _sparse_add(node: Node) -> Bound:
    call = kernel_of(node)

    def union(*inputs: Any) -> Any:
        threshold = float(plain(inputs[-1]))
        if threshold > 0:
            raise NoRule(node.op, node.name, "it drops what is smaller than a threshold")
        return call(*inputs[:-1], np.zeros(()))

    return _two(node, lambda p, a, b: a + b, union)


@rule("SparseSparseMaximum", "SparseSparseMinimum", moves_only=True)
def _sparse_maximum(node: Node) -> Bound:
    compare: Any = np.greater if node.op.endswith("Maximum") else np.less

    def evaluate(p: Pass, a: Jet, b: Jet) -> Any:
        return p.decisions.choose(p.decisions.holds(compare, a, b), a, b)

    return _two(node, evaluate, kernel_of(node))
