"""Whether a subject draws random numbers, read in its graph.

Two results of the same call that differ say nothing about why. In the graph the operations that draw are named; where
there is none, and nothing that hides what it computes, the reason is somewhere else: in Python.
"""

from __future__ import annotations

import re

from gradcheck.graph.operations import operations
from gradcheck.graph.paths import line_of
from gradcheck.records.reasons import Reason
from gradcheck.subject.problem import Problem

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


def why_it_varies(problem: Problem, *, forward: bool) -> tuple[str, tuple[Reason, ...]]:
    """Why two results of the same call differ, in words and as a key; empty where the graph does not tell.

    Args:
        problem: the problem.
        forward: whether the outputs differ. Of a gradient the graph shows only what it shares with them.
    """
    found, seeded = _draws(problem)
    if found:
        return f"the subject draws random numbers: {found}", (Reason.DRAWN,)
    if seeded:  # as layers of Keras 3 do, which keep a seed and change it
        words = f"the subject draws random numbers from a seed that may be another one in each call: {seeded}"
        return words, (Reason.DRAWN,)
    if found == "" and forward:
        words = (
            "TensorFlow draws no random number in it, so something else differs from call to call (a counter, a list, "
            "a variable, a random number of Python or NumPy)"
        )
        return words, (Reason.STATE_KEPT,)
    return "", ()


def drawn_from_a_seed(problem: Problem) -> str:
    """The operations that draw the same from the same seed, in words; empty where none is found."""
    return _draws(problem)[1]


def _draws(problem: Problem) -> tuple[str | None, str]:
    """The operations that draw, in words, and those that do so from a seed; empty where there is none. Of the former
    None where one may be hidden. The graph is looked at once for each signature.
    """
    key = problem.plan.key(dynamic=True)
    kept = problem.subject.drawing
    if key not in kept:
        try:
            kept[key] = _in_the_graph(problem)
        except Exception:  # a subject that cannot be traced keeps its secret
            kept[key] = (None, "")
    return kept[key]


def _in_the_graph(problem: Problem) -> tuple[str | None, str]:
    drawing: dict[str, None] = {}
    seeded: dict[str, None] = {}
    hidden = False
    for kind, op in operations(problem):
        hidden = hidden or kind in _HIDING
        if kind in _DRAWING:
            drawing[f"{kind}{line_of(op)}"] = None
        elif _SEEDED.match(kind):
            seeded[f"{kind}{line_of(op)}"] = None
    drawn, from_a_seed = (", ".join(list(words)[:2]) for words in (drawing, seeded))
    return drawn or (None if hidden else ""), from_a_seed
