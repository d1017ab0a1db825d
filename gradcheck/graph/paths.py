"""Which operation cuts the path from an input to an output, found in the subject's graph.

A gradient that is None says nothing about why. In the graph of the subject every operation on the way can be asked:
does it pass a gradient on? What does not is named, with the line that made it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gradcheck._tensorflow import tensorflow
from gradcheck.execution.modes import traced
from gradcheck.subject.problem import Problem

__all__ = ["line_of", "moves_in_steps", "upstream", "what_cuts"]

# Words for operations without a gradient that people meet.
_WORDS = {
    "StopGradient": "tf.stop_gradient",
    "PyFunc": "tf.numpy_function, which has no gradient",
    "PyFuncStateless": "tf.numpy_function, which has no gradient",
    "ArgMax": "tf.argmax, whose result is an index",
    "ArgMin": "tf.argmin, whose result is an index",
    "Round": "tf.round, which moves in steps",
    "Rint": "tf.math.rint, which moves in steps",
    "Floor": "tf.floor, which moves in steps",
    "Ceil": "tf.math.ceil, which moves in steps",
}


# Operations whose results move in steps, or not at all, however their arguments move; and casts to integers.
_STEPS = {
    *("Floor", "Ceil", "Round", "Rint", "Sign", "FloorDiv", "ArgMax", "ArgMin", "Bucketize"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "ApproximateEqual"),
    *("LowerBound", "UpperBound", "IsFinite", "IsInf", "IsNan"),
    *("Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"),
}


def what_cuts(problem: Problem, block: int, output: int | None = None) -> str:
    """What cuts the path from an input block to an output block, in words; empty where nothing is found.

    Args:
        problem: the problem, its outputs known.
        block: number of the input block, an argument or a variable.
        output: number of the output block; any of them where omitted.

    A cut inside a loop or a branch is not looked for.
    """
    key = (problem.plan.key(dynamic=True), block, output)
    kept = problem.subject.cuts
    if key not in kept:
        try:
            kept[key] = _found(problem, block, output)
        except Exception:  # a subject that cannot be traced keeps its secret
            kept[key] = ""
    return kept[key]


def moves_in_steps(problem: Problem, block: int, output: int | None = None) -> bool:
    """Whether all that an output takes from an input block has been rounded, compared or cast to an integer.

    Proven by the subject's graph: every way meets such an operation. Steps inside a loop or a branch prove nothing.

    Args:
        problem, block, output: as for `what_cuts`.
    """
    key = (problem.plan.key(dynamic=True), block, output, "steps")
    kept = problem.subject.cuts
    if key not in kept:
        try:
            _, source, goals = _ends(problem, block, output)
            kept[key] = "" if _reaches(source, goals) else "in steps"
        except Exception:  # a subject that cannot be traced proves nothing
            kept[key] = ""
    return bool(kept[key])


def _reaches(source: Any, goals: list[Any]) -> bool:
    """Whether some way from a tensor to one of others meets no step."""
    behind = {id(op) for op in upstream([goal.op for goal in goals])}
    ends, seen, pending = {goal.ref() for goal in goals}, {source.ref()}, [source]
    while pending:
        tensor = pending.pop()
        if tensor.ref() in ends:
            return True
        for op in tensor.consumers():
            if id(op) not in behind or _is_step(op):
                continue
            for result in op.outputs:
                if result.ref() not in seen:
                    seen.add(result.ref())
                    pending.append(result)
    return False


def _is_step(op: Any) -> bool:
    dtype = op.outputs[0].dtype if op.outputs else None
    if op.type == "Cast":
        return not _real(dtype)
    return op.type in _STEPS and not (dtype is not None and dtype.is_complex)  # the sign of a complex number turns


def _real(dtype: Any) -> bool:
    return bool(dtype.is_floating or dtype.is_complex)


def _ends(problem: Problem, block: int, output: int | None) -> tuple[Any, Any, list[Any]]:
    """The graph of a subject, the tensor in it that is an input block, and those that are the outputs asked for."""
    graph, sources, outputs = traced(problem)
    plan = problem.plan
    if block < plan.input_count:
        source = sources[block]
    else:
        handle = plan.variables[block - plan.input_count].handle
        source = next(inner for outer, inner in graph.captures if outer is handle)
    return graph, source, outputs if output is None else [outputs[output]]


def _found(problem: Problem, block: int, output: int | None) -> str:
    tf = tensorflow()
    graph, source, goals = _ends(problem, block, output)
    with graph.as_default():
        behind = {id(op) for op in upstream([goal.op for goal in goals], _differentiated)}
        carried, pending, cuts = {source.ref()}, [source], []
        while pending:
            tensor = pending.pop()
            for op in tensor.consumers():
                if id(op) not in behind:
                    continue
                why = _cut_by(op)
                if why:
                    cuts.append((op, why))
                    continue
                for result in op.outputs:
                    real = _real(result.dtype) or result.dtype == tf.variant
                    if (real or result.dtype == tf.resource) and result.ref() not in carried:
                        carried.add(result.ref())
                        pending.append(result)
    # Whatever carries the gradient is no cut; with several ways, all cut, the first few are named.
    words = dict.fromkeys(f"{why}{line_of(op)}" for op, why in cuts)
    return " and ".join(list(words)[:2])


def upstream(ops: list[Any], read: Callable[[Any], Iterable[Any]] = lambda op: op.inputs) -> Iterator[Any]:
    """The operations that results are computed from, each once; ``read`` gives the tensors to follow from one."""
    seen, pending = set(), list(ops)
    while pending:
        op = pending.pop()
        if id(op) in seen:
            continue
        seen.add(id(op))
        yield op
        pending += [tensor.op for tensor in read(op)]


def _differentiated(op: Any) -> list[Any]:
    """The tensors to which an operation passes a gradient, where it passes one on at all.

    A `tf.custom_gradient` stands in the graph as an operation that hands on its results, and beside them its arguments,
    which nobody reads: the gradient goes to those. What computes the results is not differentiated and cuts nothing.
    """
    inputs = list(op.inputs)
    if op.type != "IdentityN" or "_gradient_op_type" not in op.node_def.attr:
        return inputs
    arguments = [given for given, handed_on in zip(inputs, op.outputs, strict=True) if not handed_on.consumers()]
    return arguments or inputs


def _cut_by(op: Any) -> str:
    """Why an operation passes no gradient on, or nothing where it does."""
    from tensorflow.python.framework import ops

    kind = op.type
    if kind == "Cast" and not _real(op.outputs[0].dtype):
        readers = {reader.type for reader in op.outputs[0].consumers()}
        index = (
            ", used as an index" if any(r.startswith(("Gather", "ResourceGather", "OneHot")) for r in readers) else ""
        )
        return f"a cast to {op.outputs[0].dtype.name}{index}"
    if kind in _WORDS:
        return _WORDS[kind]
    try:
        gradient = ops.get_gradient_function(op)
    except LookupError:  # differentiating it would raise: no silent cut
        return ""
    if gradient is None and any(_real(result.dtype) for result in op.outputs):
        return f"the operation {kind}, which has no gradient"
    return ""


# Where libraries are that are not installed as a wheel is.
_LIBRARY = re.compile(rf"{re.escape(os.sep)}(?:tensorflow|keras|tf_keras){re.escape(os.sep)}")


def line_of(op: Any) -> str:
    """The line of the user's code that made an operation, as `` (file.py:12)``; empty where that is not known.

    Of an operation inside a library it is the line that called the library.
    """
    here = os.path.dirname(os.path.dirname(__file__))  # the whole package
    for frame in reversed(list(op.traceback or ())):
        name = frame.filename if hasattr(frame, "filename") else frame[0]
        number = frame.lineno if hasattr(frame, "lineno") else frame[1]
        if name.startswith(here):  # what called the check is no part of the subject
            return ""
        if "site-packages" not in name and "autograph" not in name and not _LIBRARY.search(name):
            return f" ({os.path.basename(name)}:{number})"
    return ""
