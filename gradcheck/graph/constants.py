"""A subject with its constants as a type of few bits holds them: the same graph, and what it computes then.

An epsilon of 1e-6 is 1.013e-6 in float16, and a gradient that is computed in float16 is that of the function with such
constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.execution.modes import traced_function
from gradcheck.subject.adapter import Subject
from gradcheck.subject.problem import Problem
from gradcheck.support.layout import Block, Layout

__all__ = ["with_rounded_constants"]

Change = Callable[[np.ndarray], np.ndarray]


def with_rounded_constants(problem: Problem, dtype: str) -> Problem | None:
    """The function of a problem, on its flat inputs, with its constants as a type of less precision holds them.

    None where that is how they are, or where the graph cannot be made anew. Variables are what they are: a gradient
    with respect to them is 0.

    Args:
        problem: in float64.
        dtype: name of a TensorFlow dtype, such as ``float16``.
    """
    low = tensorflow().as_dtype(dtype).as_numpy_dtype

    def rounded(value: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return value.astype(low).astype(np.float64)

    return _with_constants(problem, rounded, f"rounded_{dtype}")


def _with_constants(problem: Problem, change: Change, name: str) -> Problem | None:
    tf = tensorflow()
    key, kept = (problem.plan.key(dynamic=True), name), problem.subject.cuts
    if kept.get(key) == "none":
        return None
    try:
        function = traced_function(problem)[0]
        graph = function.graph.as_graph_def()
        nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
        if not sum(_changed(node, change) for node in nodes):
            kept[key] = "none"
            return None
        _rename_functions(graph, nodes, name)
        names = [tensor.name for tensor in function.inputs]
        constants = [tf.convert_to_tensor(value) for value in problem.constants]

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def changed(x: Any) -> Any:
            # What is imported takes tensors of the graph that is being traced, handles of variables among them; and a
            # tape does not see it.
            here = tf.compat.v1.get_default_graph()
            outside = [here.capture(tensor) for tensor in (*constants, *function.captured_inputs)]
            given = dict(zip(names, [x, *outside], strict=True))
            (outputs,) = tf.graph_util.import_graph_def(
                graph, input_map=given, return_elements=[function.outputs[0].name], name=name
            )
            return outputs, lambda upstream: tf.gradients(outputs, x, grad_ys=upstream)[0]

        other = Problem.bind(Subject(changed), [problem.x], wrt="inputs")
        other.outputs = Layout.of([Block("output", (problem.outputs.size,), "float64")])
        return other
    except Exception:  # a graph that cannot be made anew says nothing
        return None


def _rename_functions(graph: Any, nodes: Sequence[Any], ending: str) -> None:
    """TensorFlow knows the functions of a graph, such as the bodies of its loops, by name, and these are others now."""
    names = {inner.signature.name: f"{inner.signature.name}_{ending}" for inner in graph.library.function}
    for inner in graph.library.function:
        inner.signature.name = names[inner.signature.name]
    for gradient in graph.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in nodes:
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            for called in (value.func, *value.list.func):
                if called.name in names:
                    called.name = names[called.name]


def _changed(node: Any, change: Change) -> bool:
    """Whether a node was a constant that is another one now."""
    tf = tensorflow()
    if node.op != "Const" or not tf.as_dtype(node.attr["dtype"].type).is_floating:
        return False
    value = tf.make_ndarray(node.attr["value"].tensor)
    other = change(value.astype(np.float64)).astype(value.dtype)
    if np.array_equal(other, value, equal_nan=True):
        return False
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(other, shape=value.shape))
    return True
