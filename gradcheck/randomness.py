"""Whether a subject draws random numbers, read in its graph.

Two results of the same call that differ say nothing about why. In the graph the operations that draw are named; where
there is none, and nothing that hides what it computes, the reason is somewhere else: in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from gradcheck.cuts import line_of, upstream
from gradcheck.modes import traced
from gradcheck.problem import Problem

__all__ = ["drawn_from_a_seed", "why_it_varies"]

# Stateless ones are not among them: with the same seed they draw the same, and a seed that is drawn is drawn by these.
_DRAWING = frozenset(
    {
        "FractionalAvgPool",
        "FractionalMaxPool",
        "Multinomial",
        "NonDeterministicInts",
        "ParameterizedTruncatedNormal",
        "RandomCrop",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "RngReadAndSkip",
        "RngSkip",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "StatefulRandomBinomial",
        "StatefulStandardNormal",
        "StatefulStandardNormalV2",
        "StatefulTruncatedNormal",
        "StatefulUniform",
        "StatefulUniformFullInt",
        "StatefulUniformInt",
        "TruncatedNormal",
    }
)
# And these draw the same from the same seed, unless XLA compiles them.
_SEEDED = re.compile(r"Stateless(?:Random(?!Get)|TruncatedNormal|Multinomial|ParameterizedTruncatedNormal|Shuffle)")
# What these compute is in no graph.
_HIDING = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})


def why_it_varies(problem: Problem, *, forward: bool) -> str:
    """Why two results of the same call differ, in words; empty where the graph does not tell.

    Args:
        problem: the problem.
        forward: whether the outputs differ. Of a gradient the graph shows only what it shares with them.
    """
    key = problem.plan.key(dynamic=True)
    kept = problem.subject.drawing
    if key not in kept:
        try:
            kept[key] = _drawing(problem)
        except Exception:  # a subject that cannot be traced keeps its secret
            kept[key] = None
    found = kept[key]
    if found:
        return f"the subject draws random numbers: {found}"
    if found == "" and forward:
        return (
            "TensorFlow draws no random number in it, so something else differs from call to call (a counter, a list, "
            "a variable, a random number of Python or NumPy)"
        )
    return ""


def drawn_from_a_seed(problem: Problem) -> str:
    """The operations that draw the same from the same seed, in words; empty where none is found."""
    try:
        return _named(problem, lambda kind: bool(_SEEDED.match(kind)))[0]
    except Exception:  # a subject that cannot be traced keeps its secret
        return ""


def _drawing(problem: Problem) -> str | None:
    """The operations that draw, in words; empty where there is none, None where one may be hidden."""
    words, hidden = _named(problem, _DRAWING.__contains__)
    return words or (None if hidden else "")


def _named(problem: Problem, wanted: Callable[[str], bool]) -> tuple[str, bool]:
    """Operations behind the outputs by their kind, in words, and whether some may be hidden."""
    graph, _, outputs = traced(problem)
    functions = {function.signature.name: function for function in graph.as_graph_def().library.function}
    words: dict[str, None] = {}
    hidden = False
    for op in upstream([output.op for output in outputs]):
        for kind in (op.type, *_inside(op.node_def, functions, set())):
            hidden = hidden or kind in _HIDING
            if wanted(kind):
                words[f"{kind}{line_of(op)}"] = None
    return ", ".join(list(words)[:2]), hidden


def _inside(node: Any, functions: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """The kinds of the operations in the functions that a node calls: bodies of loops, branches, tf.functions."""
    for value in node.attr.values():
        for called in (value.func, *value.list.func):
            if called.name in functions and called.name not in seen:
                seen.add(called.name)
                for inner in functions[called.name].node_def:
                    yield inner.op
                    yield from _inside(inner, functions, seen)
