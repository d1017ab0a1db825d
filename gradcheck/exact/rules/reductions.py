"""Sums, means, products, extremes, cumulative sums and products, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.elementwise import exp, log
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.table import Bound, rule

__all__ = ["axes_of", "extreme", "total"]


def axes_of(axes: Any, rank: int) -> tuple[int, ...]:
    """Axes as an operation is given them, from the front."""
    return tuple(sorted({int(axis) % rank for axis in np.atleast_1d(unmoved(axes))})) if rank else ()


def total(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    """The sum over axes."""
    return apply(x, lambda a, lead: a.sum(axis=tuple(k + lead for k in axes), keepdims=keep, dtype=a.dtype))


def _sizes(x: Any, axes: Any, keep: bool) -> Array:
    """What a sum rounds relative to: the sum of the sizes."""
    v = x.v if isinstance(x, Jet) else np.asarray(x)
    return np.asarray(np.abs(v).sum(axis=axes_of(axes, v.ndim), keepdims=keep))


@rule("Sum", "Mean")
def _sum(node: Node) -> Bound:
    keep = bool(node.attributes.get("keep_dims"))
    mean = node.op == "Mean"

    def run(_: Pass, x: Any, axes: Any) -> Any:
        shape = np.shape(x.v if isinstance(x, Jet) else x)
        places = axes_of(axes, len(shape))
        found = total(x, places, keep)
        if not mean:
            return found
        count = int(np.prod([shape[axis] for axis in places], dtype=int))
        with np.errstate(all="ignore"):
            return found / np.float64(count) if isinstance(found, Jet) else np.asarray(found / np.float64(count))

    def terms(x: Any, axes: Any) -> Array:
        size = _sizes(x, axes, keep)
        if mean:
            shape = np.shape(x.v if isinstance(x, Jet) else x)
            size = size / max(1, int(np.prod([shape[axis] for axis in axes_of(axes, len(shape))], dtype=int)))
        return size

    run.terms = terms  # type: ignore[attr-defined]
    return run


@rule("EuclideanNorm")
def _norm(node: Node) -> Bound:
    from gradcheck.exact.rules.elementwise import root, square

    keep = bool(node.attributes.get("keep_dims"))

    def run(p: Pass, x: Any, axes: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        found = root(p, total(square(x), axes_of(axes, x.v.ndim), keep))
        return found if moving else found.v

    return run


@rule("Prod")
def _prod(node: Node) -> Bound:
    keep = bool(node.attributes.get("keep_dims"))

    def run(_: Pass, x: Any, axes: Any) -> Any:
        if not isinstance(x, Jet):
            a = np.asarray(x)
            return np.prod(a, axis=axes_of(axes, a.ndim), keepdims=keep, dtype=a.dtype)
        places = axes_of(axes, x.v.ndim)
        # One factor after the other: no division, so zeros are no special case.
        front = apply(
            x, lambda a, lead: np.moveaxis(a, tuple(k + lead for k in places), range(lead, lead + len(places)))
        )
        kept = front.v.shape[len(places) :]
        flat = apply(front, lambda a, lead: a.reshape(*a.shape[:lead], -1, *kept))
        product = jet(np.ones(kept))
        for number in range(flat.v.shape[0]):
            product = product * apply(flat, lambda a, lead, n=number: np.take(a, n, lead))  # type: ignore[misc]
        if not product.d:
            product = Jet(product.v, tuple(np.zeros((c.shape[0], *kept)) for c in x.d))
        if keep:
            product = apply(product, lambda a, lead: np.expand_dims(a, tuple(k + lead for k in places)))
        return product

    return run


def extreme(p: Pass, x: Jet, largest: bool) -> Jet:
    """The largest or smallest over the last axis, ``[…]``."""
    sign = 1.0 if largest else -1.0
    z = x * sign
    top = z.v.max(axis=-1, keepdims=True)
    gap = Jet(z.v - top, z.d)
    # How far two entries that could both be the largest may lie apart is a matter of both their rounding errors.
    noise = p.decisions.noise(gap)
    near = gap.v >= -8.0 * (noise + (noise.max(axis=-1, keepdims=True) if isinstance(noise, np.ndarray) else 0.0))
    near &= ~np.isnan(gap.v)
    ties = near.sum(axis=-1) > 1
    v = x.v.max(axis=-1) if largest else x.v.min(axis=-1)
    first = np.argmax(z.v, axis=-1)
    if not ties.any():
        return Jet(v, tuple(np.take_along_axis(c, first[None, ..., None], -1)[..., 0] for c in x.d))
    moving = np.zeros(near.shape, bool)
    for c in x.d:
        one = c[: p.directions]
        moving |= (one != np.take_along_axis(one, first[None, ..., None], -1)).any(axis=0)
    count = int((near & moving).any(axis=-1).sum())
    if count:
        p.decisions.note(count, int((near & moving & (gap.v != 0)).any(axis=-1).sum()))
    if p.decisions.convention is not Convention.ALONG:
        weights = p.decisions.pick(near)
        return Jet(v, tuple(np.where(weights == 0, 0.0, weights * c).sum(axis=-1) for c in x.d))
    left = np.broadcast_to(gap.v == 0, z.d[0].shape)
    for c in z.d:  # among what is still equal, what grows the most
        here = np.where(left, c, -np.inf)
        left = left & (here == here.max(axis=-1, keepdims=True))
    place = np.argmax(left, axis=-1)[..., None]
    return Jet(v, tuple(np.take_along_axis(c, place, -1)[..., 0] for c in x.d))


@rule("Max", "Min", moves_only=True)
def _max(node: Node) -> Bound:
    keep = bool(node.attributes.get("keep_dims"))
    largest = node.op == "Max"

    def run(p: Pass, x: Any, axes: Any) -> Any:
        a = x.v if isinstance(x, Jet) else np.asarray(x)
        places = axes_of(axes, a.ndim)
        count = int(np.prod([a.shape[axis] for axis in places], dtype=int))
        if not isinstance(x, Jet) or not x.d or count == 0:
            found = _plain_extreme(a, places, keep, largest)
            if not isinstance(x, Jet):
                return found
            return Jet(found, tuple(np.zeros((c.shape[0], *found.shape)) for c in x.d))
        rest = [axis for axis in range(a.ndim) if axis not in places]
        kept = tuple(a.shape[axis] for axis in rest)

        def last(b: Array, lead: int) -> Array:
            turned = b.transpose(*range(lead), *(k + lead for k in rest), *(k + lead for k in places))
            return turned.reshape(*b.shape[:lead], *kept, count)

        found_jet = extreme(p, apply(x, last), largest)
        if keep:
            return apply(found_jet, lambda b, lead: np.expand_dims(b, tuple(k + lead for k in places)))
        return found_jet

    return run


def _plain_extreme(a: Array, axes: tuple[int, ...], keep: bool, largest: bool) -> Array:
    if a.dtype.kind == "f":
        initial: Any = -np.inf if largest else np.inf
    else:
        info = np.iinfo(a.dtype)
        initial = info.min if largest else info.max
    pick: Any = np.max if largest else np.min
    return np.asarray(pick(a, axis=axes, keepdims=keep, initial=initial))


@rule("All", "Any", moves_only=True)
def _all(node: Node) -> Bound:
    keep = bool(node.attributes.get("keep_dims"))
    ask: Any = np.all if node.op == "All" else np.any
    return lambda p, x, axes: np.asarray(ask(x, axis=axes_of(axes, np.ndim(x)), keepdims=keep))


@rule("Cumsum")
def _cumsum(node: Node) -> Bound:
    exclusive, reverse = bool(node.attributes.get("exclusive")), bool(node.attributes.get("reverse"))

    def accumulated(x: Any, axis: Any) -> Any:
        rank = np.ndim(x.v if isinstance(x, Jet) else x)
        where = int(axis) % rank

        def operation(a: Array, lead: int) -> Array:
            k = where + lead
            a = np.flip(a, k) if reverse else a
            found = np.cumsum(a, axis=k, dtype=a.dtype)
            if exclusive:
                found = np.concatenate(
                    [np.zeros_like(np.take(a, [0], k)) if a.shape[k] else a, np.delete(found, -1, k)][
                        : 2 if a.shape[k] else 1
                    ],
                    axis=k,
                )
            return np.flip(found, k) if reverse else found

        return apply(x, operation)

    def run(_: Pass, x: Any, axis: Any) -> Any:
        return accumulated(x, axis)

    run.terms = lambda x, axis: np.abs(  # type: ignore[attr-defined]
        accumulated(np.abs(x.v if isinstance(x, Jet) else x), axis)
    )
    return run


@rule("Cumprod")
def _cumprod(node: Node) -> Bound:
    exclusive, reverse = bool(node.attributes.get("exclusive")), bool(node.attributes.get("reverse"))

    def run(_: Pass, x: Any, axis: Any) -> Any:
        from gradcheck.exact.rules.shapes import stacked

        rank = np.ndim(x.v if isinstance(x, Jet) else x)
        where = int(axis) % rank
        count = (x.v if isinstance(x, Jet) else x).shape[where]
        order = range(count - 1, -1, -1) if reverse else range(count)
        parts: list[Any] = [None] * count
        product: Any = None
        for number in order:
            factor = apply(x, lambda a, lead, n=number: np.take(a, n, where + lead))  # type: ignore[misc]
            if exclusive:
                one = factor * 0.0 + 1.0 if product is None else product
                parts[number] = one if isinstance(one, Jet) else np.asarray(one)
                product = factor if product is None else product * factor
            else:
                product = factor if product is None else product * factor
                parts[number] = product if isinstance(product, Jet) else np.asarray(product)
        return stacked(parts, where) if count else x

    return run


@rule("CumulativeLogsumexp")
def _cumulative_logsumexp(node: Node) -> Bound:
    exclusive, reverse = bool(node.attributes.get("exclusive")), bool(node.attributes.get("reverse"))

    def run(_: Pass, x: Any, axis: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        where = int(axis) % x.v.ndim
        # log(sum over what counts of exp(x_j - top)) + top, with a top that stands still.
        n = x.v.shape[where]
        front = apply(x, lambda a, lead: np.moveaxis(a, where + lead, -1))
        counts = np.tril(np.ones((n, n)), -1 if exclusive else 0)
        counts = counts.T if reverse else counts
        with np.errstate(invalid="ignore"):
            tops = np.where(counts > 0, front.v[..., None, :], -np.inf).max(axis=-1, initial=-np.inf)
        safe = np.where(np.isfinite(tops), tops, 0.0)
        spread = apply(front, lambda a, lead: a[..., None, :])
        parts = exp(spread - safe[..., None]) * counts
        summed = apply(parts, lambda a, lead: a.sum(axis=-1))
        found = log(summed) + safe
        empty = summed.v == 0
        if empty.any():
            found = Jet(np.where(empty, -np.inf, found.v), tuple(np.where(empty, 0.0, c) for c in found.d))
        found = apply(found, lambda a, lead: np.moveaxis(a, -1, where + lead))
        return found if moving else found.v

    return run


# -- softmax ----------------------------------------------------------------------------------------------------


def _softmax(x: Jet) -> Jet:
    shifted = x - x.v.max(axis=-1, keepdims=True, initial=-np.inf)
    e = exp(shifted)
    return e / apply(e, lambda a, lead: a.sum(axis=-1, keepdims=True))


@rule("Softmax", grain=1.0)
def _softmax_rule(node: Node) -> Bound:
    return lambda p, x: _softmax(x) if isinstance(x, Jet) else _softmax(jet(x)).v


@rule("LogSoftmax", grain=1.0)
def _log_softmax(node: Node) -> Bound:
    def run(_: Pass, x: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        shifted = x - x.v.max(axis=-1, keepdims=True, initial=-np.inf)
        found = shifted - log(apply(exp(shifted), lambda a, lead: a.sum(axis=-1, keepdims=True)))
        return found if moving else found.v

    return run


@rule("L2Loss")
def _l2_loss(node: Node) -> Bound:
    def run(_: Pass, x: Any) -> Any:
        found = total(jet(x) * jet(x), tuple(range(np.ndim(x.v if isinstance(x, Jet) else x))), False) * 0.5
        return found if isinstance(x, Jet) else found.v

    return run
