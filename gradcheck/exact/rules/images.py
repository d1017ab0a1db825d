"""Images: resizing, cropping, and colours.

Resizing is linear and does the same along height and width, so the kernel is asked once for the weights of each: it is
given images that are a single column, one for every pixel of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.shapes import apply, stacked, unmoved
from gradcheck.exact.rules.through import by_kernel, kernel_of, plain, refuse
from gradcheck.exact.table import Bound, rule

__all__: list[str] = []


def _resized(x: Any, rows: Array, columns: Array) -> Any:
    """Images ``[…, height, width, channels]`` with weights ``[new height, height]`` and ``[new width, width]``."""

    def operation(a: Array, lead: int) -> Array:
        across = np.einsum("wj,...ijc->...iwc", columns, a, optimize=True)
        return np.einsum("hi,...iwc->...hwc", rows, across, optimize=True)

    return apply(x, operation)


def _column(count: int, upright: bool) -> Array:
    """Images of one column (or one row), one channel for every pixel that is 1."""
    shape = (1, count, 1, count) if upright else (1, 1, count, count)
    return np.eye(count).reshape(shape)


@rule("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
def _resize(node: Node) -> Bound:
    call = kernel_of(node)
    known: dict[tuple[int, ...], Array] = {}

    def weights(before: int, after: int, upright: bool) -> Array:
        key = (before, after, upright)
        if key not in known:
            target = np.array([after, 1] if upright else [1, after], np.int32)
            known[key] = np.asarray(call(_column(before, upright), target)).reshape(after, before)
        return known[key]

    def run(_: Pass, x: Any, size: Any) -> Any:
        height, width = (int(n) for n in unmoved(size))
        _, rows, columns, _ = np.shape(plain(x))
        return _resized(
            plain(x) if not isinstance(x, Jet) else x, weights(rows, height, True), weights(columns, width, False)
        )

    return run


@rule("ResizeBilinearGrad", "ResizeNearestNeighborGrad", "ResizeBicubicGrad")
def _resize_grad(node: Node) -> Bound:
    """The same weights, turned: channels of columns through the backward kernel."""
    call = kernel_of(node)
    by_size = node.op == "ResizeNearestNeighborGrad"

    def pulled(g: Array, shape: tuple[int, ...]) -> Array:
        if by_size:
            return np.asarray(call(g, np.array(shape[1:3], np.int32)))
        return np.asarray(call(g, np.zeros((g.shape[0], *shape[1:3], g.shape[3]))))

    def run(_: Pass, g: Any, like: Any) -> Any:
        shape = (0, *(int(n) for n in unmoved(like))) if by_size else np.shape(plain(like))
        _, rows, columns, _ = np.shape(plain(g))
        upright = pulled(_column(rows, True), (1, shape[1], 1)).reshape(shape[1], rows)
        across = pulled(_column(columns, False), (1, 1, shape[2])).reshape(shape[2], columns)
        return _resized(g if isinstance(g, Jet) else plain(g), upright, across)

    return run


@rule("ScaleAndTranslate")
def _scale_and_translate(node: Node) -> Bound:
    call = kernel_of(node)

    def run(_: Pass, x: Any, size: Any, scale: Any, shift: Any) -> Any:
        refuse(node, "its scale or its translation moves", scale, shift)
        height, width = (int(n) for n in unmoved(size))
        _, rows, columns, _ = np.shape(plain(x))
        by, off = unmoved(scale), unmoved(shift)
        one, none = np.ones(1), np.zeros(1)
        upright = call(
            _column(rows, True), np.array([height, 1], np.int32), np.r_[by[:1], one], np.r_[off[:1], none]
        ).reshape(height, rows)
        across = call(
            _column(columns, False), np.array([1, width], np.int32), np.r_[one, by[1:]], np.r_[none, off[1:]]
        ).reshape(width, columns)
        return _resized(x if isinstance(x, Jet) else plain(x), upright, across)

    return run


@rule("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def _projective(node: Node) -> Bound:
    call = kernel_of(node)

    def run(_: Pass, x: Any, transforms: Any, size: Any, fill: Any = 0.0) -> Any:
        refuse(node, "its transformations or its fill value move", transforms, fill)
        rest = (plain(transforms), unmoved(size), *((plain(fill),) if node.op.endswith("V3") else ()))
        none = (*rest[:2], *(np.zeros_like(part) for part in rest[2:]))

        def filled(a: Array) -> Array:
            return np.asarray(call(a, *rest))

        return by_kernel(filled, (x,), 0, -1, zero=lambda a: np.asarray(call(a, *none)))

    return run


# -- crops --------------------------------------------------------------------------------------------------------


@rule("CropAndResize")
def _crop_and_resize(node: Node) -> Bound:
    nearest = node.attributes.get("method") == "nearest"
    outside = float(node.attributes.get("extrapolation_value") or 0.0)

    def places(p: Pass, low: Jet, high: Jet, count: int, size: int) -> tuple[Jet, Array, Array]:
        """Where the pixels of each crop lie ``[boxes, count]``, the pixel before, and whether they are in the image."""
        steps = np.arange(count)
        low, high = (apply(part, lambda a, lead: a[..., None]) for part in (low, high))
        if count > 1:
            position = low * float(size - 1) + (high - low) * (steps * ((size - 1) / (count - 1)))
        else:
            position = (low + high) * (0.5 * (size - 1))
        inside = (position.v >= 0) & (position.v <= size - 1)
        if nearest:
            half = Jet(position.v - np.floor(position.v) - 0.5, position.d)
            before = p.decisions.pieces(lambda a: np.floor(a + 0.5), position, half)
        else:
            before = p.decisions.pieces(np.floor, position, position - np.rint(position.v))
        return position, np.clip(before, 0, size - 1).astype(int), inside

    def run(p: Pass, image: Any, boxes: Any, owners: Any, size: Any) -> Any:
        x, corners, rows = jet(image), jet(boxes), unmoved(owners).astype(int)
        height, width = (int(n) for n in unmoved(size))
        corner = [apply(corners, lambda a, lead, n=n: a[..., n]) for n in range(4)]  # type: ignore[misc]
        y, top, in_y = places(p, corner[0], corner[2], height, x.v.shape[1])
        z, left, in_x = places(p, corner[1], corner[3], width, x.v.shape[2])

        def pixels(down: Array, right: Array) -> Jet:
            index = (rows[:, None, None], down[:, :, None], right[:, None, :])
            return apply(x, lambda a, lead: a[(slice(None),) * lead + index])

        if nearest:
            found = pixels(top, left)
        else:
            below, beside = np.minimum(top + 1, x.v.shape[1] - 1), np.minimum(left + 1, x.v.shape[2] - 1)
            dy = apply(y - top.astype(float), lambda a, lead: a[..., :, None, None])
            dx = apply(z - left.astype(float), lambda a, lead: a[..., None, :, None])
            upper, lower = pixels(top, left), pixels(below, left)
            upper = upper + (pixels(top, beside) - upper) * dx
            lower = lower + (pixels(below, beside) - lower) * dx
            found = upper + (lower - upper) * dy
        kept = (in_y[:, :, None] & in_x[:, None, :])[..., None]
        found = Jet(np.where(kept, found.v, outside), tuple(np.where(kept, c, 0.0) for c in found.d))
        return found if isinstance(image, Jet) or isinstance(boxes, Jet) else found.v

    return run


# -- colours ------------------------------------------------------------------------------------------------------


@rule("AdjustContrastv2")
def _adjust_contrast(node: Node) -> Bound:
    def run(_: Pass, x: Any, factor: Any) -> Any:
        pixels = jet(x)
        mean = apply(pixels, lambda a, lead: a.mean(axis=(-3, -2), keepdims=True))
        found = (pixels - mean) * jet(factor) + mean
        return found if isinstance(x, Jet) or isinstance(factor, Jet) else found.v

    return run


@rule("RGBToHSV")
def _to_hsv(node: Node) -> Bound:
    call = kernel_of(node)

    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return call(x)
        choose, holds = p.decisions.choose, p.decisions.holds
        red, green, blue = (apply(x, lambda a, lead, n=n: a[..., n]) for n in range(3))  # type: ignore[misc]
        zero = np.zeros(())

        def larger(a: Any, b: Any) -> Any:
            return choose(holds(np.greater_equal, a, b), a, b)

        value = larger(larger(red, green), blue)
        spread = value + larger(larger(-red, -green), -blue)
        coloured = holds(np.greater, spread, zero)
        safe = choose(coloured, spread, np.ones(()))
        by_red, by_green = (green - blue) / (safe * 6.0), (blue - red) / (safe * 6.0) + 2.0 / 6.0
        by_blue = (red - green) / (safe * 6.0) + 4.0 / 6.0
        hue = choose(holds(np.equal, red, value), by_red, choose(holds(np.equal, green, value), by_green, by_blue))
        hue = choose(coloured, hue, hue * 0.0)
        hue = choose(holds(np.less, hue, zero), hue + 1.0, hue)
        bright = holds(np.greater, value, zero)
        saturation = choose(bright, spread / choose(bright, value, np.ones(())), spread * 0.0)
        return stacked([hue, saturation, value], -1)

    return run


@rule("HSVToRGB")
def _to_rgb(node: Node) -> Bound:
    call = kernel_of(node)

    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return call(x)
        hue, saturation, value = (apply(x, lambda a, lead, n=n: a[..., n]) for n in range(3))  # type: ignore[misc]

        def ramp(z: Jet) -> Jet:
            """A number between 0 and 1, with corners at both."""
            above = p.decisions.step(z, 0.0)
            below = p.decisions.step(1.0 - z, 0.0)
            return Jet(np.clip(z.v, 0.0, 1.0), tuple(c * above * below for c in z.d))

        def size(z: Jet) -> Jet:
            sign = 2.0 * p.decisions.step(z, 0.5) - 1.0
            return Jet(np.abs(z.v), tuple(c * sign for c in z.d))

        parts = (size(hue * 6.0 - 3.0) - 1.0, 2.0 - size(hue * 6.0 - 2.0), 2.0 - size(hue * 6.0 - 4.0))
        return stacked([(ramp(part) * saturation + (1.0 - saturation)) * value for part in parts], -1)

    return run
