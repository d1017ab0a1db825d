"""Operations that go through TensorFlow's own kernel: those that move numbers, and those that are linear.

Where numbers only change places, the kernel is run once on their serial numbers and tells who stands where. Where an
operation is linear in one input, the kernel is run on each coefficient of that input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.kernels import kernel, wide
from gradcheck.exact.table import Bound, NoRule

__all__ = ["by_kernel", "by_numbers", "kernel_of", "plain", "refuse"]


def plain(value: Any) -> Any:
    """A jet's value, or the input as it is, in double precision."""
    return value.v if isinstance(value, Jet) else wide(value)


def kernel_of(node: Node, **attributes: Any) -> Callable[..., Any]:
    """TensorFlow's kernel, prepared when it is first called."""
    made: list[Callable[..., Any]] = []
    changed = replace(node, attributes={**node.attributes, **attributes}) if attributes else node

    def run(*inputs: Any) -> Any:
        if not made:
            made.append(kernel(changed))
        return made[0](*inputs)

    return run


def refuse(node: Node, why: str, *values: Any) -> None:
    """Say that there is no rule where one of the values moves.

    Raises:
        NoRule: one of them moves.
    """
    if any(isinstance(value, Jet) and value.d for value in values):
        raise NoRule(node.op, node.name, why)


def by_numbers(node: Node, moving: Sequence[int], results: Sequence[int] = (0,)) -> Bound:
    """A rule for an operation that only moves numbers; what it fills with zeros stays zero.

    Args:
        node: the operation.
        moving: positions of the inputs whose numbers are moved.
        results: positions of the outputs that consist of them.
    """
    call = kernel_of(node)

    def run(_: Pass, *inputs: Any) -> Any:
        refuse(node, "only its values may move", *(x for k, x in enumerate(inputs) if k not in moving))
        arguments = [plain(x) for x in inputs]
        if not any(isinstance(inputs[k], Jet) for k in moving):
            return call(*arguments)
        jets = [jet(inputs[k]) for k in moving]
        start = 1
        for k, x in zip(moving, jets, strict=True):
            arguments[k] = np.arange(start, start + x.v.size, dtype=np.float64).reshape(x.v.shape)
            start += x.v.size
        found = call(*arguments)
        outputs = found if isinstance(found, list) else [found]
        pool = _pool(jets)
        taken = [_taken(pool, out) if k in results else out for k, out in enumerate(outputs)]
        return taken if isinstance(found, list) else taken[0]

    return run


def _pool(jets: Sequence[Jet]) -> Jet:
    """A zero and then all numbers of some jets in one row."""
    kind = np.result_type(*(x.v for x in jets))
    v = np.concatenate([np.zeros(1, kind), *(x.v.reshape(-1) for x in jets)])
    moving = [x for x in jets if x.d]
    if not moving:
        return Jet(v)
    count = moving[0].d[0].shape[0]
    coefficients = []
    for k in range(max(len(x.d) for x in jets)):
        rows = [x.d[k].reshape(count, x.v.size) if k < len(x.d) else np.zeros((count, x.v.size), kind) for x in jets]
        coefficients.append(np.concatenate([np.zeros((count, 1), kind), *rows], axis=1))
    return Jet(v, tuple(coefficients))


def _taken(pool: Jet, numbers: Array) -> Jet:
    places = np.rint(np.real(numbers)).astype(np.int64)
    return Jet(pool.v[places], tuple(c[:, places] for c in pool.d))


def by_kernel(
    call: Callable[..., Array],
    inputs: Sequence[Any],
    position: int,
    axis: int | None,
    *,
    zero: Callable[..., Array] | None = None,
) -> Any:
    """A linear operation on one of its inputs.

    Args:
        call: the operation, of arrays.
        inputs: its inputs, of which only the one at ``position`` moves.
        position: the input in which it is linear.
        axis: an axis of that input and of the result over which the operation does the same to every part: directions
            are laid side by side along it (``0`` for a batch, ``-1`` for channels); None: they are run one by one.
        zero: the same operation with whatever constants it fills in replaced by zeros, for coefficients.
    """
    arguments = [plain(x) for x in inputs]
    x = inputs[position]
    v = call(*arguments)
    if not isinstance(x, Jet):
        return v
    homogeneous = call if zero is None else zero

    def moved(c: Array) -> Array:
        count = c.shape[0]
        if axis is None or count == 0 or 0 in v.shape:
            rows = [homogeneous(*arguments[:position], row, *arguments[position + 1 :]) for row in c]
            return np.stack(rows) if rows else np.zeros((0, *v.shape), v.dtype)
        where = axis % x.v.ndim
        wide_axis = np.moveaxis(c, 0, where)  # directions just in front of the axis
        merged = wide_axis.reshape(*x.v.shape[:where], count * x.v.shape[where], *x.v.shape[where + 1 :])
        found = homogeneous(*arguments[:position], merged, *arguments[position + 1 :])
        there = axis % v.ndim
        parted = found.reshape(*v.shape[:there], count, v.shape[there], *v.shape[there + 1 :])
        return np.moveaxis(parted, there, 0)

    return Jet(v, tuple(moved(c) for c in x.d))
