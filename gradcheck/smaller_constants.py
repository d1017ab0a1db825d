"""A subject with smaller numbers in the place of its huge constants: what it computes where they swallow nothing.

A mask of -1e30 added to scores leaves nothing of these, in float64 either: the softmax of a row without a valid step is
uniform, whatever the scores, while its gradient is that of a softmax. The same graph with -2¹⁴ hides as well what is
masked (e to that power is 0) and keeps the scores of such a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.layout import Block, Layout
from gradcheck.modes import traced_function
from gradcheck.problem import Problem
from gradcheck.subject import Subject

__all__ = ["SMALLER", "with_smaller_constants"]

# From here on float64 has steps of a millionth and more beside a constant.
_HUGE = 2.0**33
SMALLER = 2.0**14


def with_smaller_constants(problem: Problem) -> Problem | None:
    """The function of a problem, on its flat inputs, with ±`SMALLER` in the place of constants of 2³³ and more.

    None where the graph has no such constant, or cannot be made anew. Variables are what they are: a gradient with
    respect to them is 0.
    """
    tf = tensorflow()
    key, kept = (problem.plan.key(dynamic=True), "huge"), problem.subject.cuts
    if kept.get(key) == "none":
        return None
    try:
        function = traced_function(problem)[0]
        graph = function.graph.as_graph_def()
        nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
        if not sum(map(_made_smaller, nodes)):
            kept[key] = "none"
            return None
        _rename_functions(graph, nodes)
        names = [tensor.name for tensor in function.inputs]
        constants = [tf.convert_to_tensor(value) for value in problem.constants]

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def smaller(x: Any) -> Any:
            # What is imported takes tensors of the graph that is being traced, handles of variables among them; and a
            # tape does not see it.
            here = tf.compat.v1.get_default_graph()
            outside = [here.capture(tensor) for tensor in (*constants, *function.captured_inputs)]
            given = dict(zip(names, [x, *outside], strict=True))
            (outputs,) = tf.graph_util.import_graph_def(
                graph, input_map=given, return_elements=[function.outputs[0].name], name="smaller"
            )
            return outputs, lambda upstream: tf.gradients(outputs, x, grad_ys=upstream)[0]

        changed = Problem.bind(Subject(smaller), [problem.x], wrt="inputs")
        changed.outputs = Layout.of([Block("output", (problem.outputs.size,), "float64")])
        return changed
    except Exception:  # a graph that cannot be made anew says nothing
        return None


def _rename_functions(graph: Any, nodes: Sequence[Any]) -> None:
    """TensorFlow knows the functions of a graph, such as the bodies of its loops, by name, and these are others now."""
    names = {inner.signature.name: f"{inner.signature.name}_smaller" for inner in graph.library.function}
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


def _made_smaller(node: Any) -> bool:
    """Whether a node was a huge constant; it is none any more."""
    tf = tensorflow()
    if node.op != "Const" or not tf.as_dtype(node.attr["dtype"].type).is_floating:
        return False
    value = tf.make_ndarray(node.attr["value"].tensor)
    wide = value.astype(np.float64)
    huge = np.isfinite(wide) & (np.abs(wide) >= _HUGE)
    if not huge.any():
        return False
    changed = np.where(huge, np.copysign(SMALLER, wide), wide).astype(value.dtype)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(changed, shape=value.shape))
    return True
