"""Operations of backward passes, which appear where a gradient is differentiated again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.elementwise import UNARY, reciprocal, sigmoid, square
from gradcheck.exact.rules.reductions import total
from gradcheck.exact.rules.shapes import apply, unmoved
from gradcheck.exact.rules.through import by_kernel, kernel_of, plain, refuse
from gradcheck.exact.table import Bound, rule

__all__: list[str] = []

# -- activations -------------------------------------------------------------------------------------------------


def _smooth(evaluate: Callable[[Jet, Jet], Jet]) -> Callable[[Node], Bound]:
    def bind(node: Node) -> Bound:
        def run(_: Pass, a: Any, b: Any) -> Any:
            found = evaluate(jet(a), jet(b))
            return found if isinstance(a, Jet) or isinstance(b, Jet) else found.v

        return run

    bind.__module__ = __name__
    return bind


def _root(x: Jet) -> Jet:
    """The size of a number off 0, where its sign does not matter to first order."""
    return Jet(np.abs(x.v), tuple(np.sign(x.v) * c for c in x.d))


# Operation: of the two inputs in their order.
_SMOOTH: dict[str, Callable[[Jet, Jet], Jet]] = {
    "SigmoidGrad": lambda y, dy: dy * y * (1.0 - y),
    "TanhGrad": lambda y, dy: dy * (1.0 - square(y)),
    "SqrtGrad": lambda y, dy: dy * 0.5 / y,
    "RsqrtGrad": lambda y, dy: dy * -0.5 * y * square(y),
    "ReciprocalGrad": lambda y, dy: -dy * square(y),
    "InvGrad": lambda y, dy: -dy * square(y),
    "SoftplusGrad": lambda g, x: g * sigmoid(x),
    "SoftsignGrad": lambda g, x: g * square(reciprocal(1.0 + _root(x))),
}
for _op, _evaluate in _SMOOTH.items():
    rule(_op, grain=1.0)(_smooth(_evaluate))


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@rule("ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad")
def _kinked(node: Node) -> Bound:
    """One factor on each side of a decision; ``x`` is the input, or for elu and selu the output."""
    alpha = np.float64(np.float32(node.attributes.get("alpha", 0.2)))

    def run(p: Pass, g: Any, x: Any) -> Any:
        moving = isinstance(g, Jet) or isinstance(x, Jet)
        g, x = jet(g), jet(x)
        nothing = g * 0.0
        if node.op == "EluGrad":
            found = p.decisions.choose(p.decisions.holds(np.less, x, np.zeros(())), g * (x + 1.0), g)
        elif node.op == "SeluGrad":
            below = g * (x + _SELU_SCALE * _SELU_ALPHA)
            found = p.decisions.choose(p.decisions.holds(np.less, x, np.zeros(())), below, g * _SELU_SCALE)
        else:
            other = g * alpha if node.op == "LeakyReluGrad" else nothing
            found = p.decisions.choose(p.decisions.holds(np.greater, x, np.zeros(())), g, other)
            if node.op == "Relu6Grad":
                found = p.decisions.choose(p.decisions.holds(np.less, x, np.full((), 6.0)), found, nothing)
        return found if moving else plain(found)

    return run


# -- sums --------------------------------------------------------------------------------------------------------


@rule("BiasAddGrad")
def _bias_add_grad(node: Node) -> Bound:
    first = node.attributes.get("data_format") == "NCHW"

    def run(_: Pass, g: Any) -> Any:
        rank = np.ndim(plain(g))
        channel = 1 if first else rank - 1
        return total(g, tuple(axis for axis in range(rank) if axis != channel), False)

    return run


@rule("MirrorPadGrad")
def _mirror_pad_grad(node: Node) -> Bound:
    mode = "reflect" if node.attributes["mode"] == "REFLECT" else "symmetric"

    def run(_: Pass, g: Any, paddings: Any) -> Any:
        widths = [(int(before), int(after)) for before, after in unmoved(paddings)]
        shape = tuple(n - before - after for n, (before, after) in zip(np.shape(plain(g)), widths, strict=True))
        numbers = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
        places = np.pad(numbers, widths, mode=mode).reshape(-1)  # type: ignore[call-overload]

        def operation(a: Array, lead: int) -> Array:
            found = np.zeros((*a.shape[:lead], numbers.size), a.dtype)
            np.add.at(found, (slice(None),) * lead + (places,), a.reshape(*a.shape[:lead], -1))
            return found.reshape(*a.shape[:lead], *shape)

        return apply(g, operation)

    return run


# -- pooling and normalisation ------------------------------------------------------------------------------------


@rule("AvgPoolGrad", "AvgPool3DGrad")
def _avg_pool_grad(node: Node) -> Bound:
    call = kernel_of(node)

    def pulled(shape: Any, g: Any) -> Array:
        batched = np.asarray(shape).copy()
        batched[0] = g.shape[0]  # directions are laid side by side in the batch
        return np.asarray(call(batched, g))

    return lambda run, shape, g: by_kernel(pulled, (unmoved(shape), g), 1, 0)


@rule("MaxPoolGrad", "MaxPool3DGrad", "MaxPoolGradGrad", "MaxPool3DGradGrad", "MaxPoolGradV2", "MaxPoolGradGradV2")
def _max_pool_grad(node: Node) -> Bound:
    """Linear in what is passed back; which entry is the largest does not change near by, off ties."""
    call = kernel_of(node)

    def run(_: Pass, x: Any, y: Any, g: Any, *sizes: Any) -> Any:
        point, top = plain(x), plain(y)

        def routed(g: Array) -> Array:
            times = (g.shape[0] // max(1, np.shape(plain(original))[0]), *(1,) * (point.ndim - 1))
            return np.asarray(call(np.tile(point, times), np.tile(top, times), g, *sizes))

        original = g
        if not isinstance(g, Jet) and (isinstance(x, Jet) or isinstance(y, Jet)):
            return Jet(routed(np.asarray(g)))
        return by_kernel(routed, (g,), 0, 0)

    return run


@rule("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def _batch_norm_grad(node: Node) -> Bound:
    training = bool(node.attributes.get("is_training", True))
    channels_first = node.attributes.get("data_format") in ("NCHW", "NCDHW")
    epsilon = np.float64(np.float32(node.attributes.get("epsilon", 1e-4)))

    def run(_: Pass, g: Any, x: Any, scale: Any, mean: Any, variance: Any, *rest: Any) -> Any:
        inputs = (g, x, scale, mean, variance)
        g, x, scale, mean, variance = (jet(part) for part in inputs)
        rank = x.v.ndim
        channel = 1 if channels_first else rank - 1
        axes = tuple(axis for axis in range(rank) if axis != channel)
        count = max(1, int(np.prod([x.v.shape[axis] for axis in axes], dtype=int)))

        def row(a: Jet) -> Jet:
            shape = tuple(-1 if axis == channel else 1 for axis in range(rank))
            return apply(a, lambda c, lead: c.reshape(*c.shape[:lead], *shape))

        root = UNARY["Rsqrt"](variance + epsilon)
        centred = x - row(mean)
        sum_g = total(g, axes, False)
        sum_gx = total(g * centred, axes, False) * root
        found = g * row(scale * root)
        if training:
            pulled = g - row(sum_g) / count - centred * row(root * sum_gx) / count
            found = row(scale * root) * pulled
        results = [found, sum_gx, sum_g]
        if not any(isinstance(part, Jet) for part in inputs):
            results = [part.v for part in results]
        return [*results, np.zeros(0), np.zeros(0)]

    return run


@rule("BroadcastGradientArgs", moves_only=True)
def _broadcast_gradient_args(node: Node) -> Bound:
    call = kernel_of(node)
    return lambda run, a, b: call(unmoved(a), unmoved(b))


@rule(
    "SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad",
)  # fmt: skip
def _sparse_segment_grad(node: Node) -> Bound:
    call = kernel_of(node)

    def run(_: Pass, g: Any, *rest: Any) -> Any:
        refuse(node, "its indices move", *rest)
        return by_kernel(call, (g, *rest), 0, -1 if np.ndim(plain(g)) > 1 else None)

    return run
