"""Products of matrices and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, bilinear, jet
from gradcheck.exact.rules.shapes import apply
from gradcheck.exact.table import Bound, rule

__all__ = ["matmul"]


def _matmul(a: Array, b: Array, moving: str) -> Array:
    """``a @ b`` over the last two axes, with the axis of directions in front of what is a coefficient."""
    if moving == "a" and a.ndim - 1 < b.ndim:
        a = a.reshape(a.shape[0], *(1,) * (b.ndim - a.ndim + 1), *a.shape[1:])
    elif moving == "b" and b.ndim - 1 < a.ndim:
        b = b.reshape(b.shape[0], *(1,) * (a.ndim - b.ndim + 1), *b.shape[1:])
    elif moving == "a" and b.ndim == 2 and a.ndim > 2:
        # One large product in place of one for each direction.
        return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
    with np.errstate(all="ignore"):
        return np.asarray(a @ b)


def matmul(a: Any, b: Any) -> Any:
    """A product of matrices, arrays or jets."""
    if type(a) is not Jet and type(b) is not Jet:
        with np.errstate(all="ignore"):
            return np.asarray(np.asarray(a) @ np.asarray(b))
    return bilinear(_matmul, jet(a), jet(b))


@rule("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def _matmul_rule(node: Node) -> Bound:
    adjoint = node.op != "MatMul"
    turn_a = bool(node.attributes.get("adj_x" if adjoint else "transpose_a"))
    turn_b = bool(node.attributes.get("adj_y" if adjoint else "transpose_b"))

    def turned(x: Any, turn: bool) -> Any:
        if not turn:
            return x
        return apply(x, lambda a, lead: np.conj(np.swapaxes(a, -1, -2)) if adjoint else np.swapaxes(a, -1, -2))

    def run(_: Pass, a: Any, b: Any) -> Any:
        return matmul(turned(a, turn_a), turned(b, turn_b))

    def terms(a: Any, b: Any) -> Array:
        sizes = [np.abs(x.v if isinstance(x, Jet) else x) for x in (turned(a, turn_a), turned(b, turn_b))]
        with np.errstate(all="ignore"):
            return np.asarray(sizes[0] @ sizes[1])

    run.terms = terms  # type: ignore[attr-defined]
    return run


@rule("Einsum")
def _einsum(node: Node) -> Bound:
    equation = node.attributes["equation"].replace(" ", "")
    sides, result = equation.split("->")
    names = sides.split(",")

    def contracted(a: Array, b: Array, moving: str) -> Array:
        free = next(letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in equation)
        first = (free if "a" in moving else "") + names[0]
        second = (free if "b" in moving else "") + names[1]
        with np.errstate(all="ignore"):
            return np.einsum(f"{first},{second}->{free if moving else ''}{result}", a, b, optimize=True)

    def single(a: Array, lead: int) -> Array:
        free = next(letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in equation) if lead else ""
        return np.einsum(f"{free}{names[0]}->{free}{result}", a)

    def run(_: Pass, *inputs: Any) -> Any:
        if len(inputs) == 1:
            return apply(inputs[0], single)
        if not any(isinstance(x, Jet) for x in inputs):
            return contracted(np.asarray(inputs[0]), np.asarray(inputs[1]), "")
        return bilinear(contracted, jet(inputs[0]), jet(inputs[1]))

    def terms(*inputs: Any) -> Array:
        sizes = [np.abs(x.v if isinstance(x, Jet) else x) for x in inputs]
        return single(sizes[0], 0) if len(sizes) == 1 else contracted(sizes[0], sizes[1], "")

    run.terms = terms  # type: ignore[attr-defined]
    return run


@rule("BiasAdd", "BiasAddV1")
def _bias_add(node: Node) -> Bound:
    first = node.attributes.get("data_format") == "NCHW"

    def run(_: Pass, x: Any, bias: Any) -> Any:
        if first:
            rank = np.ndim(x.v if isinstance(x, Jet) else x)
            bias = apply(bias, lambda a, lead: a.reshape(*a.shape, *(1,) * (rank - 2)))
        return x + bias

    return run


@rule("Cross")
def _cross(node: Node) -> Bound:
    def product(a: Array, b: Array, moving: str) -> Array:
        return np.cross(a, b)

    def run(_: Pass, a: Any, b: Any) -> Any:
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            return np.cross(a, b)
        return bilinear(product, jet(a), jet(b))

    return run
