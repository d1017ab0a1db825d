"""Convolutions, pooling, moves between space and batch or depth, batch normalization, local response normalization.

What is linear in an input runs through TensorFlow's own kernel, once a coefficient: directions are laid side by side
along the batch or the channels. Extremes over windows go through the same ties as any other extreme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, bilinear, jet
from gradcheck.exact.rules.elementwise import exp, log, rsqrt, square
from gradcheck.exact.rules.reductions import extreme
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.rules.sorting import place_of_extreme
from gradcheck.exact.rules.through import by_kernel, by_numbers, kernel_of, plain
from gradcheck.exact.table import Bound, NoRule, rule

__all__ = ["windows"]

_Product: TypeAlias = "Callable[[Array, Array], Array]"


# -- convolutions -------------------------------------------------------------------------------------------------


def _side_by_side(c: Array, axis: int, groups: int = 1) -> Array:
    """Directions ``[directions, *shape]`` laid along an axis of the shape, inside each group of its entries."""
    axis = axis % (c.ndim - 1)
    count, size = c.shape[0], c.shape[axis + 1]
    parted = c.reshape(*c.shape[: axis + 1], groups, size // groups, *c.shape[axis + 2 :])
    placed = np.moveaxis(parted, 0, axis + 1)  # [.., groups, directions, size/groups, ..]
    return placed.reshape(*c.shape[1 : axis + 1], count * size, *c.shape[axis + 2 :])


def _apart(a: Array, axis: int, count: int, groups: int = 1) -> Array:
    """The inverse of `_side_by_side`."""
    axis = axis % a.ndim
    size = a.shape[axis] // count
    parted = a.reshape(*a.shape[:axis], groups, count, size // groups, *a.shape[axis + 1 :])
    front = np.moveaxis(parted, axis + 1, 0)
    return front.reshape(count, *a.shape[:axis], size, *a.shape[axis + 1 :])


def _bilinear_kernel(
    call: _Product, first: tuple[int, int], second: tuple[int, int], groups: Callable[[Array, Array], int]
) -> Callable[[Array, Array, str], Array]:
    """A bilinear operation through its kernel.

    Args:
        call: of two arrays.
        first: the axis of the first factor along which directions are laid, and the one of the result.
        second: the same for the second factor.
        groups: how many groups of channels the second factor's axis has, from arrays without directions.
    """

    def product(a: Array, b: Array, moving: str) -> Array:
        if moving == "a":
            return _apart(call(_side_by_side(a, first[0]), b), first[1], len(a)) if len(a) else _none(call, a, b[None])
        if moving == "b":
            n = groups(a, b[0]) if len(b) else 1
            if not len(b):
                return _none(call, a[None], b)
            return _apart(call(a, _side_by_side(b, second[0], n)), second[1], len(b), n)
        if moving == "ab":
            return np.stack([call(x, y) for x, y in zip(a, b, strict=True)])
        return call(a, b)

    return product


def _none(call: _Product, a: Array, b: Array) -> Array:
    """The product along no direction."""
    shape = call(np.zeros(a.shape[1:]), np.zeros(b.shape[1:])).shape
    return np.zeros((0, *shape))


def _channels_last(node: Node) -> None:
    if str(node.attributes.get("data_format") or "NHWC").startswith("NC"):
        raise NoRule(node.op, node.name, "its kernel for channels in front is not one of the CPU")


def _product(node: Node, of: Callable[[Any, Any], Callable[[Array, Array, str], Array]]) -> Callable[[Any, Any], Any]:
    def run(a: Any, b: Any) -> Any:
        product = of(a, b)
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            return product(np.asarray(a), np.asarray(b), "")
        return bilinear(product, jet(a), jet(b))

    return run


@rule("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def _convolution(node: Node) -> Bound:
    _channels_last(node)
    call = kernel_of(node)
    depthwise = node.op == "DepthwiseConv2dNative"

    def groups(x: Array, filters: Array) -> int:
        if depthwise or not filters.shape[-2]:
            return 1
        return max(1, x.shape[-1] // filters.shape[-2])

    def by_filters(a: Array, b: Array, moving: str) -> Array:
        if depthwise and moving == "b" and len(b):
            # The channels of the result are pairs of a channel and one of its filters.
            found = call(a, _side_by_side(b, 3))
            parted = found.reshape(*found.shape[:-1], b.shape[3], len(b), b.shape[4])
            return np.moveaxis(parted, -2, 0).reshape(len(b), *found.shape[:-1], b.shape[3] * b.shape[4])
        return _bilinear_kernel(call, (0, 0), (-1, -1), groups)(a, b, moving)

    run = _product(node, lambda a, b: by_filters)

    def bound(_: Pass, x: Any, filters: Any) -> Any:
        return run(x, filters)

    bound.terms = lambda x, filters: call(np.abs(unmoved(x)), np.abs(unmoved(filters)))  # type: ignore[attr-defined]
    return bound


@rule("Conv2DBackpropInput", "Conv3DBackpropInputV2", "Conv3DBackpropInput", "DepthwiseConv2dNativeBackpropInput")
def _convolution_to_input(node: Node) -> Bound:
    _channels_last(node)
    call = kernel_of(node)
    depthwise, by_example = node.op.startswith("Depthwise"), node.op == "Conv3DBackpropInput"

    def run(_: Pass, sizes: Any, filters: Any, dy: Any) -> Any:
        shape = np.asarray(np.shape(unmoved(sizes)) if by_example else unmoved(sizes), np.int32)

        def sized(f: Array, g: Array) -> Array:
            # The batch and, where directions are laid along the filters' inputs, the channels follow the factors.
            # Two sizes may be given: those of space alone.
            target = shape.copy()
            if len(shape) == g.ndim:
                target[0] = g.shape[0]
                if not depthwise and f.shape[-2] != base.shape[-2]:
                    target[-1] = shape[-1] // base.shape[-2] * f.shape[-2]
            return call(np.zeros(target) if by_example else target, f, g)

        base = unmoved(filters)

        def product(f: Array, g: Array, moving: str) -> Array:
            if moving == "a" and (depthwise or shape[-1] != base.shape[-2]):
                return np.stack([sized(row, g) for row in f]) if len(f) else np.zeros((0, *shape))
            return _bilinear_kernel(sized, (-2, -1), (0, 0), lambda *_: 1)(f, g, moving)

        return _product(node, lambda f, g: product)(filters, dy)

    def terms(sizes: Any, filters: Any, dy: Any) -> Array:
        return run(None, sizes, np.abs(unmoved(filters)), np.abs(unmoved(dy)))  # type: ignore[arg-type]

    run.terms = terms  # type: ignore[attr-defined]
    return run


@rule("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")
def _convolution_to_filter(node: Node) -> Bound:
    _channels_last(node)
    call = kernel_of(node)
    depthwise = node.op.startswith("Depthwise")

    def run(_: Pass, x: Any, sizes: Any, dy: Any) -> Any:
        shape = np.asarray(unmoved(sizes), np.int32)
        grouped = depthwise or np.shape(unmoved(x))[-1] != shape[-2]

        def sized(a: Array, g: Array) -> Array:
            return call(a, np.asarray([*shape[:-2], a.shape[-1], g.shape[-1]], np.int32), g)

        def product(a: Array, g: Array, moving: str) -> Array:
            if grouped and moving:
                rows = range(len(a if "a" in moving else g))
                pairs = ((a[n] if "a" in moving else a, g[n] if "b" in moving else g) for n in rows)
                found = [call(one, shape, other) for one, other in pairs]
                return np.stack(found) if found else np.zeros((0, *shape))
            if grouped:
                return call(a, shape, g)
            return _bilinear_kernel(sized, (-1, -2), (-1, -1), lambda *_: 1)(a, g, moving)

        return _product(node, lambda a, g: product)(x, dy)

    def terms(x: Any, sizes: Any, dy: Any) -> Array:
        return run(None, np.abs(unmoved(x)), sizes, np.abs(unmoved(dy)))  # type: ignore[arg-type]

    run.terms = terms  # type: ignore[attr-defined]
    return run


# -- linear in one input ----------------------------------------------------------------------------------------


@rule("ExtractImagePatches", "ExtractVolumePatches", moves_only=True)
def _patches(node: Node) -> Bound:
    call = kernel_of(node)
    return lambda p, x: by_kernel(call, [x], 0, 0)


@rule("SpaceToDepth", "DepthToSpace", "SpaceToBatchND", "BatchToSpaceND", "SpaceToBatch", "BatchToSpace",
      moves_only=True)  # fmt: skip
def _space(node: Node) -> Bound:
    return by_numbers(node, (0,))


# -- extremes over windows --------------------------------------------------------------------------------------


def windows(size: int, width: int, stride: int, rate: int, padding: str | tuple[int, int]) -> tuple[Array, Array]:
    """Places of an axis that windows along it cover, ``[windows, width]``, and which of them lie inside.

    Args:
        size: of the axis.
        width, stride, rate: of the windows.
        padding: ``"SAME"``, ``"VALID"``, or how much before and behind.
    """
    reach = (width - 1) * rate + 1
    if padding == "SAME":
        count = -(-size // stride)
        before = max(0, (count - 1) * stride + reach - size) // 2
    elif padding == "VALID":
        count, before = max(0, -(-(size - reach + 1) // stride)), 0
    else:
        before, behind = int(padding[0]), int(padding[1])
        count = max(0, (size + before + behind - reach) // stride + 1)
    places = np.arange(count)[:, None] * stride - before + np.arange(width) * rate
    return places, (places >= 0) & (places < size)


def _spread(x: Any, axes: Sequence[tuple[Array, Array]]) -> tuple[Any, Array]:
    """What lies in each window: ``[*windows, entries]``, and which of these entries exist, of the same shape.

    Args:
        x: ``[*sizes]``.
        axes: places and which are inside, for each axis of ``x``.
    """
    rank = len(axes)
    order = [2 * k for k in range(rank)] + [2 * k + 1 for k in range(rank)]
    counts = tuple(places.shape[0] for places, _ in axes)

    def operation(a: Array, lead: int) -> Array:
        for k, (places, inside) in enumerate(axes):
            a = np.take(a, np.where(inside, places, 0), axis=lead + 2 * k)
        turned = a.transpose(*range(lead), *(n + lead for n in order))
        return turned.reshape(*a.shape[:lead], *counts, -1)

    there = np.ones((), bool)
    for k, (_, inside) in enumerate(axes):
        there = there & inside.reshape(*(1,) * (2 * k), *inside.shape, *(1,) * (2 * (rank - 1 - k)))
    return apply(x, operation), there.transpose(*order).reshape(*counts, -1)


def _paddings(node: Node, rank: int) -> list[Any]:
    padding = node.attributes["padding"]
    if padding != "EXPLICIT":
        return [padding] * rank
    numbers = node.attributes["explicit_paddings"]
    return [(numbers[2 * k], numbers[2 * k + 1]) for k in range(rank)]


def _largest(p: Pass, found: Any, there: Array) -> Any:
    """The largest of what is in each window."""
    moving = isinstance(found, Jet)
    x = jet(found)
    x = Jet(np.where(there, x.v, -np.inf), tuple(np.where(there, c, 0.0) for c in x.d))
    if not x.v.size:
        return apply(x if moving else x.v, lambda a, lead: np.zeros(a.shape[:-1]))
    return extreme(p, x, True) if x.d else Jet(x.v.max(axis=-1)) if moving else x.v.max(axis=-1)


@rule("AvgPool", "AvgPool3D")
def _average(node: Node) -> Bound:
    _channels_last(node)

    def run(_: Pass, x: Any) -> Any:
        shape = np.shape(unmoved(x))
        parts = zip(
            shape, node.attributes["ksize"], node.attributes["strides"], _paddings(node, len(shape)), strict=True
        )
        found, there = _spread(x, [windows(n, w, s, 1, padding) for n, w, s, padding in parts])
        weights = there / np.maximum(there.sum(axis=-1, keepdims=True), 1)  # what is padded is not counted
        return apply(found, lambda a, lead: (a * weights).sum(axis=-1))

    run.terms = lambda x: run(None, np.abs(unmoved(x)))  # type: ignore[attr-defined, arg-type]
    return run


@rule("MaxPool", "MaxPoolV2", "MaxPool3D", moves_only=True)
def _max_pool(node: Node) -> Bound:
    _channels_last(node)

    def run(p: Pass, x: Any, *sizes: Any) -> Any:
        shape = np.shape(unmoved(x))
        widths, strides = sizes or (node.attributes["ksize"], node.attributes["strides"])
        widths, strides = np.asarray(widths).astype(int), np.asarray(strides).astype(int)
        paddings = _paddings(node, len(shape))
        parts = zip(shape, widths, strides, paddings, strict=True)
        return _largest(p, *_spread(x, [windows(n, w, s, 1, padding) for n, w, s, padding in parts]))

    return run


@rule("MaxPoolWithArgmax", moves_only=True)
def _max_pool_with_places(node: Node) -> Bound:
    with_batch = bool(node.attributes.get("include_batch_in_index"))
    dtype = node.dtypes[1]
    call = kernel_of(node)

    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return call(x)
        shape = x.v.shape
        parts = zip(shape, node.attributes["ksize"], node.attributes["strides"], _paddings(node, 4), strict=True)
        axes = [windows(n, w, s, 1, padding) for n, w, s, padding in parts]
        numbers = np.arange(x.v.size).reshape(shape)
        if not with_batch:
            numbers = numbers % max(1, int(np.prod(shape[1:], dtype=int)))
        numbers, there = _spread(numbers, axes)
        found, _ = _spread(x, axes)
        inner = Jet(np.where(there, found.v, -np.inf), tuple(np.where(there, c, 0.0) for c in found.d))
        if not inner.v.size:
            return [_largest(p, found, there), np.zeros(inner.v.shape[:-1], dtype)]
        place = place_of_extreme(p, inner, True)

        def number(places: Array) -> Array:
            rows = np.broadcast_to(numbers, (*places.shape, numbers.shape[-1]))
            return np.take_along_axis(rows, places[..., None], axis=-1)[..., 0].astype(dtype)

        where = Decided(number(place.at), number(place.rows)) if isinstance(place, Decided) else number(place)
        return [_largest(p, found, there), where]

    return run


@rule("Dilation2D")
def _dilation(node: Node) -> Bound:
    strides, rates = (np.asarray(node.attributes[name]).astype(int) for name in ("strides", "rates"))

    def run(p: Pass, x: Any, filters: Any) -> Any:
        shape, size = np.shape(unmoved(x)), np.shape(unmoved(filters))
        widths = (1, size[0], size[1], 1)
        parts = zip(shape, widths, strides, rates, strict=True)
        found, there = _spread(x, [windows(n, w, s, r, node.attributes["padding"]) for n, w, s, r in parts])
        flat = apply(filters, lambda a, lead: np.moveaxis(a.reshape(*a.shape[:lead], -1, size[2]), -1, -2))
        return _largest(p, found + flat, there)  # [batch, height, width, depth, entries] + [depth, entries]

    return run


@rule("FractionalMaxPool", "FractionalAvgPool")
def _fractional_pool(node: Node) -> Bound:
    """The kernel draws where the regions begin; what it drew counts."""
    call = kernel_of(node)
    overlapping, mean = bool(node.attributes.get("overlapping")), node.op == "FractionalAvgPool"

    def regions(bounds: Array) -> tuple[Array, Array]:
        widths = np.diff(bounds) + int(overlapping)
        widths = np.minimum(widths, bounds[-1] - bounds[:-1])
        places = bounds[:-1, None] + np.arange(int(widths.max(initial=0)))
        return places, np.arange(places.shape[1]) < widths[:, None]

    def run(p: Pass, x: Any) -> Any:
        _, rows, columns = call(plain(x))
        shape = np.shape(unmoved(x))
        whole = [(np.arange(n)[:, None], np.ones((n, 1), bool)) for n in shape]
        found, there = _spread(x, [whole[0], regions(rows), regions(columns), whole[3]])
        if mean:
            weights = there / there.sum(axis=-1, keepdims=True)
            return [apply(found, lambda a, lead: (a * weights).sum(axis=-1)), rows, columns]
        return [_largest(p, found, there), rows, columns]

    return run


# -- normalization ------------------------------------------------------------------------------------------------


def _mean(x: Jet) -> Jet:
    """Over all axes but the last."""
    axes = tuple(range(x.v.ndim - 1))
    return apply(x, lambda a, lead: a.mean(axis=tuple(k + lead for k in axes)))


@rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(node: Node) -> Bound:
    training = bool(node.attributes.get("is_training", True))
    epsilon = np.float64(np.float32(node.attributes.get("epsilon", 1e-4)))
    keep = 1.0 - np.float64(np.float32(node.attributes.get("exponential_avg_factor", 1.0)))
    front = str(node.attributes.get("data_format") or "NHWC").startswith("NC")

    def run(_: Pass, x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> Any:
        moving = any(isinstance(part, Jet) for part in (x, scale, offset, mean, variance))
        x, scale, offset, old_mean, old_variance = (jet(part) for part in (x, scale, offset, mean, variance))
        x = apply(x, lambda a, lead: np.moveaxis(a, 1 + lead, -1)) if front else x
        size = int(np.prod(x.v.shape[:-1], dtype=int))
        if not training:
            inner_mean, inner_variance = new_mean, new_variance = old_mean, old_variance
        else:
            with np.errstate(all="ignore"):
                inner_mean = _mean(x)
                inner_variance = _mean(square(x - inner_mean))
            new_mean, new_variance = inner_mean, inner_variance * (size / max(1, size - 1))
            if keep:
                new_mean = old_mean * keep + new_mean * (1.0 - keep)
                new_variance = old_variance * keep + new_variance * (1.0 - keep)
        y = (x - inner_mean) * (rsqrt(inner_variance + epsilon) * scale) + offset
        y = apply(y, lambda a, lead: np.moveaxis(a, -1, 1 + lead)) if front else y
        outputs = [y, new_mean, new_variance, inner_mean, inner_variance, np.zeros(0)][: len(node.outputs)]
        return outputs if moving else [part.v if isinstance(part, Jet) else part for part in outputs]

    def terms(x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> list[Any]:
        """Where the mean is taken away, digits go with it: each output's errors are relative to what is summed."""
        a = np.moveaxis(unmoved(x), 1, -1) if front else unmoved(x)
        axes = tuple(range(a.ndim - 1))
        with np.errstate(all="ignore"):
            center = a.mean(axis=axes) if training else unmoved(mean)
            spread = np.square(a - center).mean(axis=axes) if training else unmoved(variance)
            whole = np.abs(a) + np.abs(center)
            y = whole * np.abs(unmoved(scale)) / np.sqrt(spread + epsilon) + np.abs(unmoved(offset))
            means = np.abs(a).mean(axis=axes) if training else np.abs(center)
            spreads = (np.abs(a - center) * whole).mean(axis=axes) if training else spread
        y = np.moveaxis(y, -1, 1) if front else y
        return [y, means, spreads, means, spreads, np.zeros(0)][: len(node.outputs)]

    run.terms = terms  # type: ignore[attr-defined]
    return run


@rule("LRN")
def _local_response(node: Node) -> Bound:
    radius = int(node.attributes.get("depth_radius", 5))
    bias, alpha, beta = (
        np.float64(np.float32(node.attributes.get(name, usual)))
        for name, usual in (("bias", 1.0), ("alpha", 1.0), ("beta", 0.5))
    )

    def run(_: Pass, x: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        n = x.v.shape[-1]
        band = (np.abs(np.arange(n)[:, None] - np.arange(n)) <= radius).astype(np.float64)
        base = apply(square(x), lambda a, lead: a @ band) * alpha + bias
        found = x * exp(-beta * log(base))
        return found if moving else found.v

    return run
