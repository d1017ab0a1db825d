"""The operation whose gradient is wrong, or not finite, in words: each one on the way is asked by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.engines.exact import Reference
from gradcheck.exact.graph import Node
from gradcheck.exact.jets import Array
from gradcheck.exact.kernels import wide
from gradcheck.exact.registered import CUSTOM, Checked, check_operations
from gradcheck.execution.modes import traced_function
from gradcheck.subject.problem import Problem

__all__ = [
    "FIRST_NOT_FINITE",
    "RIGHT",
    "whose_gradient_is_inaccurate",
    "whose_gradient_is_not_finite",
    "whose_gradient_is_wrong",
]

FIRST_NOT_FINITE = "is the first that is not finite"
"""How what is said of an operation of the gradient ends where NaN or Inf begins."""

RIGHT = "right"
"""Instead of an operation: each one passes back what it should."""


def whose_gradient_is_wrong(reference: Reference) -> str:
    """The operation whose gradient is off the most, in words; `RIGHT` where that of each is right; else empty."""
    asked, left_out = _asked_first_where_it_was(reference, "wrong", lambda one: bool(one.error))
    wrong = [one for one in asked if one.error]
    if wrong:
        worst = max(wrong, key=lambda one: one.error)
        reference.suspects["wrong"] = worst.node.name
        return f"{_described(reference, worst.node, worst.outer)} is wrong"
    if asked and not left_out:
        return RIGHT
    custom = {node.name: (node, outer) for node, outer in left_out if CUSTOM in node.attributes}
    if len(custom) == 1:
        ((node, outer),) = custom.values()
        return f"no other operation passes back what it should not, which leaves {_described(reference, node, outer)}"
    return ""


def whose_gradient_is_inaccurate(reference: Reference) -> str:
    """The operation whose gradient loses the most digits, in words; empty where none does by itself."""
    asked, _ = _asked(reference)
    worst = max(asked, key=lambda one: one.inaccuracy, default=None)
    return "" if worst is None or not worst.inaccuracy else _described(reference, worst.node, worst.outer)


def whose_gradient_is_not_finite(reference: Reference) -> str:
    """The operation that passes back the first NaN or Inf, in words; empty where none does for finite numbers."""
    asked, _ = _asked_first_where_it_was(reference, "not finite", lambda one: not one.finite)
    last = next((one for one in reversed(asked) if not one.finite), None)
    if last is None:
        return ""
    reference.suspects["not finite"] = last.node.name
    return f"{_described(reference, last.node, last.outer)} {FIRST_NOT_FINITE}"


def _asked_first_where_it_was(
    reference: Reference, what: str, shows: Callable[[Checked], bool]
) -> tuple[list[Checked], list[tuple[Node, Node]]]:
    """The operation that was at fault on the batch before, where it shows again; else all of them."""
    before = reference.suspects.get(what)
    if before is not None:
        asked, left_out = _asked(reference, before)
        if any(shows(one) for one in asked):
            return asked, left_out
    return _asked(reference)


def _asked(reference: Reference, only: str | None = None) -> tuple[list[Checked], list[tuple[Node, Node]]]:
    problem = reference.problem
    return check_operations(reference.function, problem.x, lambda weights: _custom(problem, weights), only)


def _described(reference: Reference, node: Node, outer: Node) -> str:
    if CUSTOM in node.attributes:
        return f"the custom gradient{reference.line(outer)}"
    return f"the gradient of {node.op}{reference.line(outer)}"


def _custom(problem: Problem, cotangents: dict[str, list[Array | None]]) -> dict[str, list[Array | None]]:
    """What operations with gradients of the user's pass back: in the graph that they were traced in, traced again."""
    tf = tensorflow()
    sizes: dict[str, int] = {}

    def finish(_outputs: list[Any]) -> list[Any]:
        graph = tf.compat.v1.get_default_graph()
        found = []
        for name, weights in cotangents.items():
            operation = graph.get_operation_by_name(name)
            kept = [(out, w) for out, w in zip(operation.outputs, weights, strict=True) if w is not None]
            gradients = tf.gradients(
                [out for out, _ in kept],
                list(operation.inputs),
                grad_ys=[tf.cast(tf.constant(w), out.dtype) for out, w in kept],
                unconnected_gradients=tf.UnconnectedGradients.NONE,
            )
            sizes[name] = len(gradients)
            found += [tf.constant(0.0) if g is None else tf.convert_to_tensor(g) for g in gradients]
            found += [tf.constant(g is not None) for g in gradients]
        return found

    try:
        function, _, _ = traced_function(problem, finish)
        values = [tensor.numpy() for tensor in function(tf.constant(problem.x), tuple(problem.constants))]
    except Exception:  # what refuses here is told elsewhere
        return {}
    result: dict[str, list[Array | None]] = {}
    for name, size in sizes.items():
        gradients, there, values = values[:size], values[size : 2 * size], values[2 * size :]
        result[name] = [wide(np.asarray(g)) if known else None for g, known in zip(gradients, there, strict=True)]
    return result
