"""Calls, branches, loops, variables, and lists of tensors. Their rules are given the library of inner functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.jets import Jet
from gradcheck.exact.kernels import wide
from gradcheck.exact.lists import TensorList
from gradcheck.exact.rules.shapes import concatenated, stacked, unmoved
from gradcheck.exact.table import Bound, rule

if TYPE_CHECKING:
    from gradcheck.exact.interpreter import Library, Pass

__all__ = ["TensorList", "read_handle"]


def _results(node: Node, found: list[Any]) -> Any:
    if len(node.outputs) == 1:
        return found[0]
    return found


def _enter(*ops: str) -> Callable[[Callable[[Node, Library], Bound]], Any]:
    return rule(*ops, moves_only=True, decisions=True)  # type: ignore[return-value]


@_enter("PartitionedCall", "StatefulPartitionedCall", "RemoteCall")
def _call(node: Node, library: Library) -> Bound:
    program = library.program(node.attributes["f"])
    return lambda run, *inputs: _results(node, program(run, inputs))


@_enter("If", "StatelessIf")
def _if(node: Node, library: Library) -> Bound:
    then, other = library.program(node.attributes["then_branch"]), library.program(node.attributes["else_branch"])

    def run(p: Pass, condition: Any, *inputs: Any) -> Any:
        return _results(node, (then if _truth(condition) else other)(p, inputs))

    return run


def _truth(condition: Any) -> bool:
    if isinstance(condition, Decided):
        raise condition.split()
    array = condition.v if isinstance(condition, Jet) else np.asarray(condition)
    return bool(array.any()) if array.size else False


@_enter("Case", "StatelessCase")
def _case(node: Node, library: Library) -> Bound:
    branches = [library.program(name) for name in node.attributes["branches"]]

    def run(p: Pass, index: Any, *inputs: Any) -> Any:
        if isinstance(index, Decided):
            raise index.split()
        number = int(unmoved(index))
        return _results(node, branches[number if 0 <= number < len(branches) else -1](p, inputs))

    return run


@_enter("While", "StatelessWhile")
def _while(node: Node, library: Library) -> Bound:
    condition, body = library.program(node.attributes["cond"]), library.program(node.attributes["body"])

    def run(p: Pass, *inputs: Any) -> Any:
        state = list(inputs)
        while _truth(condition(p, state)[0]):
            state = body(p, state)
        return _results(node, state)

    return run


# -- variables --------------------------------------------------------------------------------------------------


def read_handle(handle: Any) -> Any:
    """The value of a variable outside of the graph, in double precision."""
    tf = tensorflow()
    data = handle._handle_data if hasattr(handle, "_handle_data") else None
    dtype = data.shape_and_type[0].dtype if data is not None and data.shape_and_type else None
    return wide(tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.as_dtype(dtype)).numpy())


def _current(p: Pass, handle: Any, dtype: str) -> Any:
    if id(handle) not in p.resources:
        p.resources[id(handle)] = wide(tensorflow().raw_ops.ReadVariableOp(resource=handle, dtype=dtype).numpy())
    return p.resources[id(handle)]


@_enter("ReadVariableOp")
def _read_variable(node: Node, library: Library) -> Bound:
    dtype = node.attributes["dtype"]
    return lambda p, handle: _current(p, handle, dtype)


@_enter("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
def _assign(node: Node, library: Library) -> Bound:
    kind = node.op

    def run(p: Pass, handle: Any, value: Any) -> None:
        if isinstance(value, Decided):
            raise value.split()
        if kind != "AssignVariableOp":
            if id(handle) not in p.resources:
                dtype = node.attributes["dtype"]
                p.resources[id(handle)] = wide(
                    tensorflow().raw_ops.ReadVariableOp(resource=handle, dtype=dtype).numpy()
                )
            old = p.resources[id(handle)]
            value = old + value if kind == "AssignAddVariableOp" else old - value
        p.resources[id(handle)] = value

    return run


@_enter("VariableShape")
def _variable_shape(node: Node, library: Library) -> Bound:
    read = read_handle

    def run(p: Pass, handle: Any) -> Any:
        value = p.resources[id(handle)] if id(handle) in p.resources else read(handle)
        return np.asarray(np.shape(value.v if isinstance(value, Jet) else value), np.int32)

    return run


# -- lists of tensors ---------------------------------------------------------------------------------------------


def _known_shape(shape: Any) -> tuple[int, ...] | None:
    array = np.asarray(shape)
    if array.ndim == 0:
        return None
    return tuple(int(n) for n in array) if (array >= 0).all() else None


@_enter("TensorListReserve")
def _reserve(node: Node, library: Library) -> Bound:
    dtype = node.attributes["element_dtype"]
    return lambda p, shape, count: TensorList((None,) * int(count), _known_shape(shape), dtype)


@_enter("EmptyTensorList")
def _empty_list(node: Node, library: Library) -> Bound:
    dtype = node.attributes["element_dtype"]
    return lambda p, shape, most: TensorList((), _known_shape(shape), dtype)


@_enter("TensorListFromTensor")
def _from_tensor(node: Node, library: Library) -> Bound:
    dtype = node.attributes["element_dtype"]

    def run(p: Pass, tensor: Any, shape: Any) -> Any:
        if isinstance(tensor, Decided):
            raise tensor.split()
        return TensorList(_rows(tensor), _shape_behind(tensor), dtype)

    return run


def _rows(tensor: Any) -> tuple[Any, ...]:
    if isinstance(tensor, Jet):
        return tuple(Jet(tensor.v[n], tuple(c[:, n] for c in tensor.d)) for n in range(tensor.v.shape[0]))
    return tuple(np.asarray(tensor)[n] for n in range(np.shape(tensor)[0]))


def _shape_behind(tensor: Any) -> tuple[int, ...]:
    return tuple(np.shape(tensor.v if isinstance(tensor, Jet) else tensor)[1:])


@_enter("TensorListSetItem")
def _set_item(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, index: Any, item: Any, *_: Any) -> Any:
        place = int(unmoved(index))
        found = list(items.items)
        if place >= len(found) and node.attributes.get("resize_if_index_out_of_bounds"):
            found += [None] * (place + 1 - len(found))
        found[place] = item
        return TensorList(tuple(found), items.shape, items.dtype)

    return run


@_enter("TensorListGetItem")
def _get_item(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, index: Any, shape: Any) -> Any:
        item = items.items[int(unmoved(index))]
        return _zeros(items, shape) if item is None else item

    return run


def _zeros(items: TensorList, shape: Any) -> Any:
    """What stands in the place of an item that was never written."""
    known = _known_shape(shape) or items.shape
    if known is None:
        written = next((item for item in items.items if item is not None), None)
        known = () if written is None else tuple(np.shape(written.v if isinstance(written, Jet) else written))
    return wide(np.zeros(known, tensorflow().as_dtype(items.dtype).as_numpy_dtype))


@_enter("TensorListStack")
def _stack(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, shape: Any) -> Any:
        filled = [_zeros(items, shape) if item is None else item for item in items.items]
        for item in filled:
            if isinstance(item, Decided):
                raise item.split()
        if not filled:
            zeros = _zeros(items, shape)
            return np.zeros((0, *zeros.shape), zeros.dtype)
        return stacked(filled, 0)

    return run


@_enter("TensorListConcatV2", "TensorListConcat")
def _concat_list(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, *rest: Any) -> Any:
        lengths = np.asarray([np.shape(i.v if isinstance(i, Jet) else i)[0] for i in items.items], np.int64)
        return [concatenated(list(items.items), 0), lengths]

    return run


@_enter("TensorListSplit")
def _split_list(node: Node, library: Library) -> Bound:
    dtype = node.attributes["element_dtype"]

    def run(p: Pass, tensor: Any, shape: Any, lengths: Any) -> Any:
        ends = np.cumsum(unmoved(lengths)).astype(int)
        starts = ends - unmoved(lengths).astype(int)
        parts: list[Any] = []
        for start, end in zip(starts, ends, strict=True):
            if isinstance(tensor, Jet):
                parts.append(Jet(tensor.v[start:end], tuple(c[:, start:end] for c in tensor.d)))
            else:
                parts.append(np.asarray(tensor)[start:end])
        return TensorList(tuple(parts), None, dtype)

    return run


@_enter("TensorListGather")
def _gather_list(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, places: Any, shape: Any) -> Any:
        chosen = [items.items[int(n)] for n in unmoved(places)]
        filled = [_zeros(items, shape) if item is None else item for item in chosen]
        return stacked(filled, 0) if filled else np.zeros((0, *_zeros(items, shape).shape))

    return run


@_enter("TensorListScatterV2", "TensorListScatter")
def _scatter_list(node: Node, library: Library) -> Bound:
    dtype = node.attributes["element_dtype"]

    def run(p: Pass, tensor: Any, places: Any, shape: Any, count: Any = -1) -> Any:
        numbers = [int(n) for n in unmoved(places)]
        size = int(count) if int(count) >= 0 else max(numbers, default=-1) + 1
        items: list[Any] = [None] * size
        for number, row in zip(numbers, _rows(tensor), strict=True):
            items[number] = row
        return TensorList(tuple(items), _shape_behind(tensor), dtype)

    return run


@_enter("TensorListPushBack")
def _push_back(node: Node, library: Library) -> Bound:
    return lambda p, items, item: TensorList((*items.items, item), items.shape, items.dtype)


@_enter("TensorListPopBack")
def _pop_back(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, shape: Any) -> Any:
        last = items.items[-1]
        return [TensorList(items.items[:-1], items.shape, items.dtype), _zeros(items, shape) if last is None else last]

    return run


@_enter("TensorListConcatLists")
def _concat_lists(node: Node, library: Library) -> Bound:
    return lambda p, a, b: TensorList((*a.items, *b.items), a.shape, a.dtype)


@_enter("TensorListScatterIntoExistingList")
def _scatter_into(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, tensor: Any, places: Any) -> Any:
        found = list(items.items)
        for number, row in zip(unmoved(places), _rows(tensor), strict=True):
            found += [None] * (int(number) + 1 - len(found))
            found[int(number)] = row
        return TensorList(tuple(found), items.shape, items.dtype)

    return run


@_enter("TensorListLength")
def _length(node: Node, library: Library) -> Bound:
    return lambda p, items: np.asarray(len(items.items), np.int32)


@_enter("TensorListResize")
def _resize(node: Node, library: Library) -> Bound:
    def run(p: Pass, items: TensorList, count: Any) -> Any:
        size = int(unmoved(count))
        return TensorList((*items.items, *(None,) * size)[:size], items.shape, items.dtype)

    return run


@_enter("TensorListElementShape")
def _element_shape(node: Node, library: Library) -> Bound:
    dtype = np.dtype(node.attributes["shape_type"])

    def run(p: Pass, items: TensorList) -> Any:
        return np.asarray(-1 if items.shape is None else items.shape, dtype)

    return run
