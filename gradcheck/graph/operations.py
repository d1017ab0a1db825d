"""The operations in a subject's graph, those in the bodies of its loops, branches and functions among them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from gradcheck.execution.modes import traced
from gradcheck.graph.paths import upstream
from gradcheck.subject.problem import Problem

__all__ = ["holds", "operations"]


def operations(problem: Problem) -> Iterator[tuple[str, Any]]:
    """The kind of every operation that the outputs are computed from, and the operation that it is or is inside of.

    Raises what tracing the subject raises.
    """
    graph, _, outputs = traced(problem)
    functions = {function.signature.name: function for function in graph.as_graph_def().library.function}
    for op in upstream([output.op for output in outputs]):
        for kind in (op.type, *_inside(op.node_def, functions, set())):
            yield kind, op


def holds(problem: Problem, kinds: Set[str]) -> bool:
    """Whether some operation is of one of these kinds; False where the subject cannot be traced."""
    try:
        return any(kind in kinds for kind, _ in operations(problem))
    except Exception:  # a subject that cannot be traced keeps its secret
        return False


def _inside(node: Any, functions: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """The kinds of the operations in the functions that a node calls: bodies of loops, branches, tf.functions."""
    for value in node.attr.values():
        for called in (value.func, *value.list.func):
            if called.name in functions and called.name not in seen:
                seen.add(called.name)
                for inner in functions[called.name].node_def:
                    yield inner.op
                    yield from _inside(inner, functions, seen)
