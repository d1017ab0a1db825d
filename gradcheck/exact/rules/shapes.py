"""Operations that move numbers: reshape, transpose, concatenate, pad, tile, reverse, broadcast; and sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet, lift, linear
from gradcheck.exact.lists import TensorList
from gradcheck.exact.table import Bound, rule

__all__ = ["apply", "concatenated", "moved", "stacked", "unmoved"]


def moved(operation: Callable[[Array, int], Array]) -> Bound:
    """A rule that moves the numbers of its one moving input: ``operation(array, number of leading axes)``."""
    return lambda _, x: apply(x, operation)


def unmoved(value: Any) -> Array:
    """An integer input as an array."""
    return np.asarray(value.v if isinstance(value, Jet) else value)


@rule(
    "Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "CheckNumerics", "DeepCopy",
    "PlaceholderWithDefault", "CheckNumericsV2", "DebugIdentityV2", "DebugIdentityV3", "DebugGradientIdentity",
    moves_only=True, decisions=True,
)  # fmt: skip
def _identity(node: Node) -> Bound:
    return lambda run, x, *rest: x


@rule("IdentityN", moves_only=True, decisions=True)
def _identity_n(node: Node) -> Bound:
    if len(node.outputs) == 1:
        return lambda run, x: x
    return lambda run, *xs: list(xs)


@rule("Const", moves_only=True)
def _const(node: Node) -> Bound:
    from gradcheck.exact.kernels import wide

    value = wide(node.attributes["value"])
    return lambda run: value


@rule("NoOp", "Assert", "PrintV2", "Print", moves_only=True, decisions=True)
def _nothing(node: Node) -> Bound:
    return lambda run, *inputs: inputs[0] if node.outputs else None


@rule("Shape", "ShapeN", moves_only=True, decisions=True)
def _shape(node: Node) -> Bound:
    dtype = np.dtype(node.attributes.get("out_type", "int32"))

    def of(x: Any) -> Array:
        return np.asarray(_shape_of(x), dtype)

    if node.op == "ShapeN" and len(node.outputs) > 1:
        return lambda run, *xs: [of(x) for x in xs]
    return lambda run, x: of(x)


def _shape_of(x: Any) -> tuple[int, ...]:
    return x.at.shape if isinstance(x, Decided) else np.shape(x.v if isinstance(x, Jet) else x)


@rule("Size", "Rank", moves_only=True, decisions=True)
def _size(node: Node) -> Bound:
    dtype = np.dtype(node.attributes.get("out_type", "int32") if node.op == "Size" else "int32")
    if node.op == "Rank":
        return lambda run, x: np.asarray(len(_shape_of(x)), dtype)
    return lambda run, x: np.asarray(int(np.prod(_shape_of(x), dtype=int)), dtype)


@rule("Reshape", moves_only=True)
def _reshape(node: Node) -> Bound:
    def run(_: Pass, x: Any, shape: Any) -> Any:
        target = tuple(int(size) for size in np.asarray(shape))
        if type(x) is Jet:
            v = x.v.reshape(target)
            return Jet(v, tuple(c.reshape(c.shape[0], *v.shape) for c in x.d))
        return np.asarray(x).reshape(target)

    return run


@rule("Squeeze", moves_only=True)
def _squeeze(node: Node) -> Bound:
    axes = tuple(node.attributes.get("squeeze_dims") or node.attributes.get("axis") or ())

    def operation(a: Array, lead: int) -> Array:
        rank = a.ndim - lead
        chosen = [axis % rank for axis in axes] if axes else [k for k in range(rank) if a.shape[k + lead] == 1]
        return np.squeeze(a, tuple(axis + lead for axis in chosen))

    return moved(operation)


@rule("ExpandDims", moves_only=True)
def _expand_dims(node: Node) -> Bound:
    def run(_: Pass, x: Any, axis: Any) -> Any:
        where = int(np.asarray(axis).reshape(()))

        def operation(a: Array, lead: int) -> Array:
            rank = a.ndim - lead
            return np.expand_dims(a, (where + rank + 1 if where < 0 else where) + lead)

        return apply(x, operation)

    return run


def apply(x: Any, operation: Callable[[Array, int], Array]) -> Any:
    """A linear operation on an array, or on a jet's value and coefficients: told how many axes lead."""
    if type(x) is Jet:
        return linear(lambda a, coefficient: operation(a, int(coefficient)), x)
    return operation(np.asarray(x), 0)


@rule("Transpose", "ConjugateTranspose", moves_only=True)
def _transpose(node: Node) -> Bound:
    conjugate = node.op == "ConjugateTranspose"

    def run(_: Pass, x: Any, perm: Any) -> Any:
        order = tuple(int(axis) for axis in np.asarray(perm))

        def operation(a: Array, lead: int) -> Array:
            turned = a.transpose(*((0,) if lead else ()), *(axis + lead for axis in order))
            return np.conj(turned) if conjugate else turned

        return apply(x, operation)

    return run


@rule("MatrixTranspose", moves_only=True)
def _matrix_transpose(node: Node) -> Bound:
    return moved(lambda a, lead: np.swapaxes(a, -1, -2))


def concatenated(parts: Sequence[Any], axis: int) -> Any:
    """Arrays and jets side by side along an axis of the values."""
    if not any(type(part) is Jet and part.d for part in parts):
        plain = np.concatenate([part.v if type(part) is Jet else part for part in parts], axis)
        return Jet(plain) if any(type(part) is Jet for part in parts) else plain
    jets = [jet(part) for part in parts]
    v = np.concatenate([part.v for part in jets], axis)
    where = axis % v.ndim
    order = max(len(part.d) for part in jets)
    count = next(part.d[0].shape[0] for part in jets if part.d)
    coefficients = []
    for k in range(order):
        pieces = [part.d[k] if k < len(part.d) else np.zeros((count, *part.v.shape), v.dtype) for part in jets]
        coefficients.append(np.concatenate(pieces, where + 1))
    return Jet(v, tuple(coefficients))


def stacked(parts: Sequence[Any], axis: int) -> Any:
    """Arrays and jets of one shape along a new axis."""
    if not any(type(part) is Jet and part.d for part in parts):
        plain = np.stack([part.v if type(part) is Jet else part for part in parts], axis)
        return Jet(plain) if any(type(part) is Jet for part in parts) else plain
    rank = np.ndim(next(part.v for part in parts if type(part) is Jet))
    where = axis + rank + 1 if axis < 0 else axis
    return concatenated([apply(part, lambda a, lead: np.expand_dims(a, where + lead)) for part in parts], where)


@rule("ConcatV2", "Concat", moves_only=True)
def _concat(node: Node) -> Bound:
    if node.op == "Concat":
        return lambda run, axis, *parts: concatenated(parts, int(axis))
    return lambda run, *inputs: concatenated(inputs[:-1], int(inputs[-1]))


@rule("ConcatOffset", moves_only=True)
def _concat_offset(node: Node) -> Bound:
    def run(_: Pass, axis: Any, *shapes: Any) -> Any:
        offset, found = 0, []
        for shape in shapes:
            row = np.zeros_like(shape)
            row[int(axis)] = offset
            offset += int(shape[int(axis)])
            found.append(row)
        return found if len(found) > 1 else found[0]

    return run


@rule("Pack", moves_only=True)
def _pack(node: Node) -> Bound:
    axis = int(node.attributes.get("axis") or 0)
    return lambda run, *parts: stacked(parts, axis)


@rule("ParallelConcat", moves_only=True)
def _parallel_concat(node: Node) -> Bound:
    return lambda run, *parts: concatenated(parts, 0)


@rule("Unpack", moves_only=True)
def _unpack(node: Node) -> Bound:
    axis = int(node.attributes.get("axis") or 0)
    count = len(node.outputs)

    def run(_: Pass, x: Any) -> Any:
        rank = np.ndim(x.v if type(x) is Jet else x)
        where = axis % rank

        def taken(number: int) -> Any:
            return apply(x, lambda a, lead: np.take(a, number, where + lead))

        return taken(0) if count == 1 else [taken(number) for number in range(count)]

    return run


@rule("Split", "SplitV", moves_only=True)
def _split(node: Node) -> Bound:
    count = len(node.outputs)
    by_sizes = node.op == "SplitV"

    def run(_: Pass, *inputs: Any) -> Any:
        x, axis = (inputs[0], inputs[2]) if by_sizes else (inputs[1], inputs[0])
        rank = np.ndim(x.v if type(x) is Jet else x)
        where = int(axis) % rank
        total = (x.v if type(x) is Jet else x).shape[where]
        if by_sizes:
            sizes = np.asarray(inputs[1]).astype(int).copy()
            if (sizes < 0).any():
                sizes[sizes < 0] = total - sizes[sizes >= 0].sum()
        else:
            sizes = np.full(count, total // count)
        ends = np.cumsum(sizes)

        def part(number: int) -> Any:
            start, stop = int(ends[number] - sizes[number]), int(ends[number])
            return apply(x, lambda a, lead: a[(slice(None),) * (where + lead) + (slice(start, stop),)])

        return part(0) if count == 1 else [part(number) for number in range(count)]

    return run


@rule("Pad", "PadV2", moves_only=True)
def _pad(node: Node) -> Bound:
    def run(_: Pass, x: Any, paddings: Any, fill: Any = 0) -> Any:
        widths = [(int(before), int(after)) for before, after in np.asarray(paddings)]
        if isinstance(fill, Jet) and fill.d:
            x = jet(x)
            kept = np.pad(np.zeros(x.v.shape), widths, constant_values=1.0)
            return _padded(x, widths, 0.0) + fill * kept
        return _padded(x, widths, unmoved(fill))

    return run


def _padded(x: Any, widths: list[tuple[int, int]], fill: Any) -> Any:
    def operation(a: Array, lead: int) -> Array:
        if lead:
            return np.pad(a, [(0, 0), *widths])
        return np.pad(a, widths, constant_values=fill)

    return apply(x, operation)


@rule("MirrorPad", moves_only=True)
def _mirror_pad(node: Node) -> Bound:
    mode = "reflect" if node.attributes["mode"] == "REFLECT" else "symmetric"

    def run(_: Pass, x: Any, paddings: Any) -> Any:
        widths = [tuple(int(n) for n in row) for row in np.asarray(paddings)]
        return apply(x, lambda a, lead: np.pad(a, [(0, 0)] * lead + widths, mode=mode))  # type: ignore[call-overload]

    return run


@rule("Tile", moves_only=True)
def _tile(node: Node) -> Bound:
    def run(_: Pass, x: Any, multiples: Any) -> Any:
        times = tuple(int(n) for n in np.asarray(multiples))
        return apply(x, lambda a, lead: np.tile(a, (*(1,) * lead, *times)))

    return run


@rule("BroadcastTo", moves_only=True)
def _broadcast_to(node: Node) -> Bound:
    def run(_: Pass, x: Any, shape: Any) -> Any:
        target = tuple(int(n) for n in np.asarray(shape))

        def operation(a: Array, lead: int) -> Array:
            return np.broadcast_to(lift(a, len(target)), (a.shape[0], *target)) if lead else np.broadcast_to(a, target)

        return apply(x, operation)

    return run


@rule("BroadcastArgs", moves_only=True)
def _broadcast_args(node: Node) -> Bound:
    return lambda run, a, b: np.asarray(np.broadcast_shapes(tuple(a), tuple(b)), np.asarray(a).dtype)


@rule("ReverseV2", moves_only=True)
def _reverse(node: Node) -> Bound:
    def run(_: Pass, x: Any, axes: Any) -> Any:
        rank = np.ndim(x.v if type(x) is Jet else x)
        where = tuple(int(axis) % rank for axis in np.asarray(axes))
        return apply(x, lambda a, lead: np.flip(a, tuple(axis + lead for axis in where)))

    return run


@rule("Reverse", moves_only=True)
def _reverse_by_mask(node: Node) -> Bound:
    def run(_: Pass, x: Any, mask: Any) -> Any:
        where = tuple(int(axis) for axis in np.flatnonzero(np.asarray(mask)))
        return apply(x, lambda a, lead: np.flip(a, tuple(axis + lead for axis in where)))

    return run


@rule("Roll", moves_only=True)
def _roll(node: Node) -> Bound:
    def run(_: Pass, x: Any, shift: Any, axis: Any) -> Any:
        rank = np.ndim(x.v if type(x) is Jet else x)
        by = tuple(int(n) for n in np.atleast_1d(shift))
        where = tuple(int(n) % rank for n in np.atleast_1d(axis))
        return apply(x, lambda a, lead: np.roll(a, by, tuple(k + lead for k in where)))

    return run


@rule("ZerosLike", "OnesLike", moves_only=True, decisions=True)
def _like(node: Node) -> Bound:
    make = np.zeros if node.op == "ZerosLike" else np.ones

    def run(_: Pass, x: Any) -> Any:
        if isinstance(x, TensorList):
            return x.zeros()
        array = x.at if isinstance(x, Decided) else x.v if type(x) is Jet else np.asarray(x)
        return make(array.shape, array.dtype)

    return run


@rule("Fill", moves_only=True)
def _fill(node: Node) -> Bound:
    def run(_: Pass, shape: Any, value: Any) -> Any:
        target = tuple(int(n) for n in np.asarray(shape))

        def operation(a: Array, lead: int) -> Array:
            return np.broadcast_to(lift(a, len(target)), (a.shape[0], *target)) if lead else np.broadcast_to(a, target)

        return apply(value, operation)

    return run


@rule("Range", moves_only=True)
def _range(node: Node) -> Bound:
    def run(_: Pass, start: Any, limit: Any, delta: Any) -> Any:
        if any(isinstance(part, Jet) and part.d for part in (start, limit, delta)):
            first, last, step = (jet(part) for part in (start, limit, delta))
            count = max(0, int(np.ceil((last.v - first.v) / step.v)))
            return first + step * np.arange(count, dtype=np.float64)
        numbers: list[Any] = [unmoved(part) for part in (start, limit, delta)]
        return np.arange(numbers[0], numbers[1], numbers[2], dtype=numbers[0].dtype)

    return run


@rule("LinSpace", moves_only=True)
def _lin_space(node: Node) -> Bound:
    def run(_: Pass, start: Any, stop: Any, number: Any) -> Any:
        n = int(number)
        part = np.arange(n) / max(1, n - 1)
        found = jet(start) * (1.0 - part) + jet(stop) * part
        return found if isinstance(start, Jet) or isinstance(stop, Jet) else found.v

    return run


@rule("InvertPermutation", moves_only=True)
def _invert(node: Node) -> Bound:
    return lambda run, x: np.argsort(x).astype(np.asarray(x).dtype)


@rule("Bitcast", moves_only=True)
def _bitcast(node: Node) -> Bound:
    from gradcheck.exact.kernels import kernel
    from gradcheck.exact.table import NoRule

    call = kernel(node)

    def run(_: Pass, x: Any) -> Any:
        if isinstance(x, Jet):
            raise NoRule("Bitcast", node.name)
        return call(x)

    return run
