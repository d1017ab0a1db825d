"""TensorFlow's own kernels on plain arrays: for what does not move, and for linear operations, once a coefficient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.exact.graph import Node, op_def

__all__ = ["kernel", "wide"]

_WIDE = {"float32": "float64", "float16": "float64", "bfloat16": "float64", "complex64": "complex128"}


def wide(array: Any) -> Any:
    """A floating-point or complex array in double precision; any other as it is."""
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.kind == "f":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "c":
        return array.astype(np.complex128, copy=False)
    # The types of ml_dtypes (bfloat16, float8 …) are of kind "V".
    return array.astype(np.float64) if array.dtype.kind == "V" and array.dtype.names is None else array


def kernel(node: Node) -> Callable[..., Any]:
    """An operation as TensorFlow computes it, in double precision where its kernel has that.

    Args:
        node: the operation; its attributes are taken as they are, but for floating-point types.

    Returns:
        A function of its inputs, arrays or handles, in order; outputs are arrays, several of them a list.
    """
    wide_kernel = _kernel(node, _WIDE)
    narrow: list[Callable[..., Any]] = []

    def run(*inputs: Any) -> Any:
        if narrow:
            return narrow[0](*inputs)
        try:
            return wide_kernel(*inputs)
        except tensorflow().errors.NotFoundError:  # the definition allows double precision, no kernel has it
            narrow.append(_kernel(node, {"complex128": "complex64", "float64": "float32"}))
            return narrow[0](*inputs)

    return run


def _kernel(node: Node, types: Mapping[str, str]) -> Callable[..., Any]:
    """An operation with some types replaced by others, where its definition allows it."""
    tf = tensorflow()
    definition = op_def(node.op)
    call = getattr(tf.raw_ops, node.op)
    inferred = {argument.type_attr for argument in definition.input_arg if argument.type_attr}
    inferred |= {argument.number_attr for argument in definition.input_arg if argument.number_attr}
    inferred |= {argument.type_list_attr for argument in definition.input_arg if argument.type_list_attr}
    allowed = {a.name: {tf.as_dtype(t).name for t in a.allowed_values.list.type} for a in definition.attr}
    attributes = {}
    single = len(node.outputs) == 1
    for attribute in definition.attr:
        if attribute.name in inferred or node.attributes.get(attribute.name) is None:
            continue
        value = node.attributes[attribute.name]
        if attribute.type == "type":
            widened = types.get(value, value)
            value = widened if not allowed[attribute.name] or widened in allowed[attribute.name] else value
        attributes[attribute.name] = _as_attribute(attribute.type, value)
    # For each input: its name, how many tensors it takes (None: one), and the dtype that a float is given.
    plan: list[tuple[str, int | None, Any]] = []
    for argument in definition.input_arg:
        number = None
        if argument.number_attr:
            number = int(node.attributes[argument.number_attr])
        elif argument.type_list_attr:
            dtypes = tuple(node.attributes[argument.type_list_attr])
            plan.append((argument.name, len(dtypes), dtypes))
            continue
        declared = (
            node.attributes.get(argument.type_attr, "") if argument.type_attr else tf.as_dtype(argument.type).name
        )
        widest = types.get(declared, declared)
        fitting = allowed.get(argument.type_attr, set())
        fits = bool(argument.type_attr) and (not fitting or widest in fitting)
        plan.append((argument.name, number, widest if fits else declared))

    def run(*inputs: Any) -> Any:
        arguments: dict[str, Any] = {}
        place = 0
        for name, number, dtype in plan:
            if number is None:
                arguments[name] = _tensor(inputs[place], dtype)
                place += 1
            else:
                kinds = dtype if isinstance(dtype, tuple) else (dtype,) * number
                items = inputs[place : place + number]
                arguments[name] = [_tensor(item, kind) for item, kind in zip(items, kinds, strict=True)]
                place += number
        with tf.init_scope(), tf.device("CPU:0"):
            found = call(**arguments, **attributes)
        if found is None or isinstance(found, tf.Operation):
            return None
        if isinstance(found, (list, tuple)):
            flat = []
            for item in found:
                flat += [_array(part) for part in item] if isinstance(item, (list, tuple)) else [_array(item)]
            return flat[0] if single else flat
        return _array(found)

    return run


def _as_attribute(kind: str, value: Any) -> Any:
    if kind == "shape" or kind == "list(shape)":
        return value
    return list(value) if isinstance(value, tuple) else value


def _tensor(value: Any, dtype: str) -> Any:
    tf = tensorflow()
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and dtype:
        return tf.constant(value, dtype)
    return tf.convert_to_tensor(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _array(tensor: Any) -> Any:
    if tensor.dtype.name in ("resource", "variant"):
        return tensor
    return wide(np.asarray(tensor.numpy()))
