"""A traced function as plain data: operations, attributes, constants and inner functions, read from protobufs once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow

__all__ = ["Function", "Graph", "Node", "read"]


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: its kind, such as ``"MatMul"``.
        name: its name in the graph.
        inputs: numbers of the slots that it reads.
        outputs: numbers of the slots that it fills.
        dtypes: dtype name of each output.
        attributes: dtypes by name, functions by name, tensors as arrays, shapes as tuples with None, strings as text.
    """

    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dtypes: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """A graph, or the body of a function: ``nodes`` in an order in which they can run.

    Attributes:
        inputs: the slots of the arguments.
        outputs: the slots of the results.
        nodes: the operations.
        slots: how many slots there are.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    nodes: tuple[Node, ...]
    slots: int


@dataclass
class Graph:
    """A traced function with all that it calls.

    Attributes:
        main: the function itself; its arguments are the explicit ones, then the captured ones.
        functions: inner functions by name, read when they are first asked for.
        captured: the tensors outside of the graph that stand for the captured arguments, in order.
        origin: TensorFlow's graph, which keeps functions in Python alive.
    """

    main: Function
    functions: Mapping[str, Callable[[], Function]]
    captured: tuple[Any, ...]
    origin: Any = None
    _read: dict[str, Function] = field(default_factory=dict)

    def function(self, name: str) -> Function:
        """An inner function.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._read:
            self._read[name] = self.functions[name]()
        return self._read[name]


def read(function: Any) -> Graph:
    """A concrete function as plain data.

    Args:
        function: a `tf.types.experimental.ConcreteFunction`.
    """
    graph = function.graph
    definition = graph.as_graph_def()
    captures = [(outside, inside) for outside, inside in graph.captures]
    main = _read_nodes(
        definition.node,
        arguments=[],
        results=[tensor.name for tensor in graph.outputs],
        inputs=[tensor.name for tensor in graph.inputs],
    )
    library = {inner.signature.name: inner for inner in definition.library.function}
    readers: dict[str, Callable[[], Function]] = {
        name: functools.partial(_read_function, inner) for name, inner in library.items()
    }
    return Graph(main, readers, tuple(outside for outside, _ in captures), graph)


def _read_function(definition: Any) -> Function:
    arguments = [argument.name for argument in definition.signature.input_arg]
    results = [definition.ret[result.name] for result in definition.signature.output_arg]
    return _read_nodes(definition.node_def, arguments=arguments, results=results, inputs=arguments)


def _read_nodes(
    definitions: Sequence[Any], *, arguments: Sequence[str], results: Sequence[str], inputs: Sequence[str]
) -> Function:
    slots: dict[str, int] = {}
    for name in arguments:
        slots[name] = len(slots)
    count = len(slots)
    shapes: list[tuple[Any, dict[str, Any], list[tuple[str, str]]]] = []
    for definition in definitions:
        attributes = {key: _attribute(value) for key, value in definition.attr.items()}
        outputs = _outputs(definition.op, attributes)
        shapes.append((definition, attributes, outputs))
        within: dict[str, int] = {}
        for flat, (argument, _) in enumerate(outputs):
            place = within.setdefault(argument, 0)
            within[argument] += 1
            # GraphDef numbers all outputs of an operation, a function's body those of each output argument.
            slots.setdefault(f"{definition.name}:{argument}:{place}", count + flat)
            slots[f"{definition.name}:{flat}"] = count + flat
        if outputs:
            slots.setdefault(definition.name, count)
        count += len(outputs)
    nodes = []
    for definition, attributes, outputs in _in_order(shapes, slots):
        first = slots.get(f"{definition.name}:0", 0)
        nodes.append(
            Node(
                op=definition.op,
                name=definition.name,
                inputs=tuple(slots[name] for name in definition.input if not name.startswith("^")),
                outputs=tuple(range(first, first + len(outputs))),
                dtypes=tuple(dtype for _, dtype in outputs),
                attributes=attributes,
            )
        )
    return Function(tuple(slots[name] for name in inputs), tuple(slots[name] for name in results), tuple(nodes), count)


def _in_order(items: list[tuple[Any, Any, Any]], slots: Mapping[str, int]) -> list[tuple[Any, Any, Any]]:
    """Each operation behind those that it reads or waits for; bodies of functions come in any order."""
    by_name = {item[0].name: item for item in items}
    done: set[str] = set()
    ordered: list[tuple[Any, Any, Any]] = []
    for start in items:
        stack = [(start[0].name, False)]
        while stack:
            name, ready = stack.pop()
            if name in done or name not in by_name:
                continue
            if ready:
                done.add(name)
                ordered.append(by_name[name])
                continue
            stack.append((name, True))
            for reference in by_name[name][0].input:
                source = reference.lstrip("^").split(":")[0]
                if source not in done:
                    stack.append((source, False))
    return ordered


_OP_DEFS: dict[str, Any] = {}


def op_def(op: str) -> Any:
    """The definition of an operation: its arguments and attributes."""
    if op not in _OP_DEFS:
        from tensorflow.python.framework import op_def_registry

        _OP_DEFS[op] = op_def_registry.get(op)
    return _OP_DEFS[op]


def _outputs(op: str, attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name of the output argument and dtype of each output of an operation."""
    definition = op_def(op)
    if definition is None:
        return []
    found: list[tuple[str, str]] = []
    for argument in definition.output_arg:
        if argument.type_list_attr:
            found += [(argument.name, dtype) for dtype in attributes.get(argument.type_list_attr, ())]
            continue
        dtype = attributes.get(argument.type_attr, "") if argument.type_attr else _dtype(argument.type)
        number = attributes.get(argument.number_attr, 0) if argument.number_attr else 1
        found += [(argument.name, dtype)] * number
    return found


def _dtype(number: int) -> str:
    return str(tensorflow().as_dtype(number).name) if number else ""


def _attribute(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "list":
        lists = value.list
        for name, convert in _LISTS.items():
            items = getattr(lists, name)
            if len(items):
                return tuple(convert(item) for item in items)
        return ()
    if kind == "func":
        return value.func.name
    if kind == "placeholder":
        return value.placeholder
    return _LISTS[kind](getattr(value, kind))


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _shape(value: Any) -> tuple[int | None, ...] | None:
    return None if value.unknown_rank else tuple(None if axis.size < 0 else int(axis.size) for axis in value.dim)


def _tensor(value: Any) -> np.ndarray:
    from tensorflow.python.framework import tensor_util

    return np.asarray(tensor_util.MakeNdarray(value))


_LISTS: dict[str, Callable[[Any], Any]] = {
    "s": _text,
    "i": int,
    "f": float,
    "b": bool,
    "type": _dtype,
    "shape": _shape,
    "tensor": _tensor,
    "func": lambda value: value.name,
}
