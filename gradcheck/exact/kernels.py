"""TensorFlow's own kernels on plain arrays: for what does not move, and for linear operations, once a coefficient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.exact.graph import Node, op_def

__all__ = ["kernel", "pullback", "wide"]

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
    single = len(node.outputs) < 2

    def values(operation: _Operation, inputs: Sequence[Any]) -> Any:
        found = operation(operation.tensors(inputs))
        if found is None:
            return None
        arrays = [_array(part) for part in found]
        return arrays[0] if single else arrays

    widest = _in_widest(node, values)

    def run(*inputs: Any) -> Any:
        with tensorflow().init_scope():
            return widest(inputs)

    return run


def pullback(node: Node, inputs: Sequence[Any], cotangents: Sequence[Any]) -> list[np.ndarray | None]:
    """What an operation's registered gradient passes back, in double precision where its kernels have that.

    Called in eager mode only: where a tape records.

    Args:
        node: the operation.
        inputs: arrays, in order.
        cotangents: one for each output; None where an output has none.

    Returns:
        An array for each input that takes part in differentiation, and None for any other.

    Raises:
        LookupError: no gradient is registered.
    """

    def pulled(operation: _Operation, inputs: Sequence[Any]) -> list[np.ndarray | None]:
        tf = tensorflow()
        tensors = operation.tensors(inputs)
        moving = [tensor for tensor in tensors if tensor.dtype.is_floating or tensor.dtype.is_complex]
        # Variables of the caller are none of the matter, and one tensor may be given twice.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            moving = [tf.identity(tensor) for tensor in moving]
            tape.watch(moving)
            rest = iter(moving)
            found = operation(
                [next(rest) if tensor.dtype.is_floating or tensor.dtype.is_complex else tensor for tensor in tensors]
            )
            kept = [(out, c) for out, c in zip(found or [], cotangents, strict=True) if c is not None]
        weights = [tf.cast(tf.constant(c), out.dtype) for out, c in kept]
        gradients = iter(tape.gradient([out for out, _ in kept], moving, output_gradients=weights))
        dense = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        rest = iter([None if g is None else _array(g) for g in dense])
        return [next(rest) if tensor.dtype.is_floating or tensor.dtype.is_complex else None for tensor in tensors]

    return _in_widest(node, pulled)(inputs)  # type: ignore[no-any-return]


def _in_widest(node: Node, use: Callable[[_Operation, Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """Something done with an operation in double precision; in single where it has no kernel for double."""
    operations = [_Operation(node, _WIDE)]

    def run(inputs: Sequence[Any]) -> Any:
        tf = tensorflow()
        with tf.device("CPU:0"):
            try:
                return use(operations[-1], inputs)
            except tf.errors.NotFoundError:  # the definition allows double precision, no kernel has it
                if len(operations) > 1:
                    raise
                operations.append(_Operation(node, {"complex128": "complex64", "float64": "float32"}))
                return use(operations[-1], inputs)

    return run


class _Operation:
    """An operation with some types replaced by others, where its definition allows it; called in eager mode."""

    def __init__(self, node: Node, types: Mapping[str, str]) -> None:
        tf = tensorflow()
        definition = op_def(node.op)
        self._raw = getattr(tf.raw_ops, node.op)
        inferred = {argument.type_attr for argument in definition.input_arg if argument.type_attr}
        inferred |= {argument.number_attr for argument in definition.input_arg if argument.number_attr}
        inferred |= {argument.type_list_attr for argument in definition.input_arg if argument.type_list_attr}
        allowed = {a.name: {tf.as_dtype(t).name for t in a.allowed_values.list.type} for a in definition.attr}
        self._attributes = {}
        for attribute in definition.attr:
            if attribute.name in inferred or node.attributes.get(attribute.name) is None:
                continue
            value = node.attributes[attribute.name]
            if attribute.type == "type":
                widened = types.get(value, value)
                value = widened if not allowed[attribute.name] or widened in allowed[attribute.name] else value
            self._attributes[attribute.name] = _as_attribute(attribute.type, value)
        # For each input: its name, how many tensors it takes (None: one), and the dtype that a float is given.
        self._plan: list[tuple[str, int | None, Any]] = []
        for argument in definition.input_arg:
            number = None
            if argument.number_attr:
                number = int(node.attributes[argument.number_attr])
            elif argument.type_list_attr:
                dtypes = tuple(node.attributes[argument.type_list_attr])
                self._plan.append((argument.name, len(dtypes), dtypes))
                continue
            declared = (
                node.attributes.get(argument.type_attr, "") if argument.type_attr else tf.as_dtype(argument.type).name
            )
            widest = types.get(declared, declared)
            fitting = allowed.get(argument.type_attr, set())
            fits = bool(argument.type_attr) and (not fitting or widest in fitting)
            self._plan.append((argument.name, number, widest if fits else declared))

    def tensors(self, inputs: Sequence[Any]) -> list[Any]:
        """Its inputs as tensors of the types that it takes, or handles."""
        kinds: list[str] = []
        for _, number, dtype in self._plan:
            kinds += dtype if isinstance(dtype, tuple) else (dtype,) * (1 if number is None else number)
        return [_tensor(item, kind) for item, kind in zip(inputs, kinds, strict=True)]

    def __call__(self, tensors: Sequence[Any]) -> list[Any] | None:
        """Its outputs as tensors or handles; None where it has none."""
        tf = tensorflow()
        arguments: dict[str, Any] = {}
        rest = iter(tensors)
        for name, number, _ in self._plan:
            arguments[name] = next(rest) if number is None else [next(rest) for _ in range(number)]
        found = self._raw(**arguments, **self._attributes)
        if found is None or isinstance(found, tf.Operation):
            return None
        if not isinstance(found, (list, tuple)):
            return [found]
        flat: list[Any] = []
        for item in found:
            flat += item if isinstance(item, (list, tuple)) else [item]
        return flat


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
