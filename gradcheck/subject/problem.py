"""A subject bound to one set of arguments: what is differentiated, what is held constant, and what each is called."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError, MissingTensorFlowError, in_words, shown
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import Subject
from gradcheck.support.layout import Block, Layout

__all__ = ["Plan", "Problem", "named_leaves"]

WRT = ("inputs", "variables", "all")


@dataclass(frozen=True)
class _Slot:
    """Where one component of the arguments comes from when they are put together again."""

    kind: str  # "input": differentiated, "constant": a tensor held constant, "static": a Python value
    number: int  # among the inputs, the constants or the statics


@dataclass(frozen=True)
class _Leaf:
    """One leaf of the nested arguments; a composite (ragged, sparse) has a slot for each of its components."""

    slots: tuple[_Slot, ...]
    spec: Any = None  # the TypeSpec of a composite, its dimensions relaxed


@dataclass
class Plan:
    """What a trace depends on, without the numbers: a program made for a plan serves every problem that shares it.

    Attributes:
        subject: the subject.
        tree: the nested ``(args, kwargs)`` that the leaves fill.
        leaves: the leaves of ``tree`` in the order of `tf.nest.flatten`.
        statics: Python values passed as they are.
        inputs: layout of the differentiated inputs, then of the differentiated variables.
        input_count: how many blocks of ``inputs`` are arguments; the rest are ``variables``.
        variables: the differentiated `tf.Variable` objects.
        state: variables that a call changes; they are set back before every evaluation.
        unknown_axes: for each input block that is an argument, and for each constant, the axes that a trace in
            dynamic mode leaves unknown.
        order: 1: the function is the subject. 2: it is the gradient of the subject's outputs, weighed and summed.
            3: it is the gradient of that, likewise.
    """

    subject: Subject
    tree: Any
    leaves: tuple[_Leaf, ...]
    statics: tuple[Any, ...]
    inputs: Layout
    input_count: int
    variables: tuple[Any, ...]
    state: tuple[Any, ...]
    unknown_axes: tuple[tuple[int, ...], ...]
    constant_unknown_axes: tuple[tuple[int, ...], ...]
    constant_specs: tuple[tuple[str, tuple[int, ...]], ...]
    order: int = 1

    def key(self, *, dynamic: bool) -> tuple[Any, ...]:
        """What a program is cached by; in dynamic mode the unknown axes do not count."""

        def shape_of(shape: tuple[int, ...], unknown: tuple[int, ...]) -> tuple[int | None, ...]:
            return tuple(None if dynamic and axis in unknown else size for axis, size in enumerate(shape))

        blocks = self.inputs.blocks
        arguments = tuple(
            (block.dtype, shape_of(block.shape, unknown))
            for block, unknown in zip(blocks[: self.input_count], self.unknown_axes, strict=False)
        )
        constants = tuple(
            (dtype, shape_of(shape, unknown))
            for (dtype, shape), unknown in zip(self.constant_specs, self.constant_unknown_axes, strict=False)
        )
        return (
            repr(self.tree),
            tuple(leaf.slots for leaf in self.leaves),
            tuple(repr(static) for static in self.statics),
            arguments,
            constants,
            tuple(id(variable) for variable in self.variables),
            tuple(id(variable) for variable in self.state),
            self.order,
        )

    def pack(self, inputs: Sequence[Any], constants: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put tensors back into the nested ``(args, kwargs)``."""
        tf = tensorflow()
        sources = {"input": inputs, "constant": constants, "static": self.statics}
        filled = []
        for leaf in self.leaves:
            parts = [sources[slot.kind][slot.number] for slot in leaf.slots]
            if leaf.spec is None:
                filled.append(parts[0])
            else:
                filled.append(tf.nest.pack_sequence_as(leaf.spec, parts, expand_composites=True))
        args, kwargs = tf.nest.pack_sequence_as(self.tree, filled)
        return tuple(args), dict(kwargs)


@dataclass
class Problem:
    """A plan with its numbers.

    Attributes:
        plan: what programs are made for.
        x: the differentiated inputs and variables, float64 ``[x_size]``.
        constants: tensors held constant.
        state_values: values of ``plan.state`` before the check.
        batch: the batch that the arguments came from, or None.
        outputs: layout of the floating-point outputs, once an execution has shown it.
    """

    plan: Plan
    x: np.ndarray
    constants: tuple[Any, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    batch: Batch | None = None
    state_values: tuple[np.ndarray, ...] = ()
    outputs: Layout = field(default_factory=lambda: Layout(()))

    @property
    def subject(self) -> Subject:
        return self.plan.subject

    @property
    def bound_to(self) -> tuple[Any, ...]:
        """The batch, or the arguments, that it was bound to."""
        return self.args if self.batch is None else (self.batch,)

    @classmethod
    def bind(
        cls,
        subject: Subject,
        args: Sequence[Any],
        *,
        wrt: str = "all",
        variables: Sequence[Any] = (),
        state: Sequence[Any] = (),
        order: int = 1,
        probe: bool = False,
    ) -> Problem:
        """Bind a subject to a batch or to arguments.

        Args:
            subject: the subject.
            args: one `Batch`, or positional arguments: nested dicts, lists and tuples of arrays, tensors, ragged and
                sparse tensors, Python numbers.
            wrt: ``"inputs"``, ``"variables"`` or ``"all"``.
            variables: trainable variables that the subject reads.
            state: variables that a call of the subject changes.
            order: of the derivative that is the function: see `Plan`.
            probe: only to be called, for what a subject reads is known only then: nothing need be differentiated.

        Raises:
            InputError: where nothing can be differentiated, or an argument cannot be made a tensor.
        """
        batch = args[0] if len(args) == 1 and isinstance(args[0], Batch) else None
        if batch is not None:
            positional, keywords, names = subject.arguments_for(batch)
        else:
            positional, keywords, names = tuple(args), {}, subject.parameter_names()
        with _readable(positional, "an argument"):
            default_float = _default_float(positional)
        binder = _Binder(wrt != "variables", batch, default_float)
        tree_args = []
        for number, value in enumerate(positional):
            name = names[number] if number < len(names) else f"argument {number}"
            with _readable(value, name):
                tree_args.append(binder.add(value, name))
        tree_kwargs = {key: binder.add(keywords[key], key) for key in sorted(keywords)}
        chosen = tuple(variables) if wrt != "inputs" else ()
        if not (binder.blocks or chosen or probe):
            raise InputError(_nothing_to_differentiate(subject, positional, keywords, wrt))
        blocks = list(binder.blocks)
        parts = list(binder.parts)
        for name, variable in zip(_variable_names(chosen), chosen, strict=False):
            dtype = variable.dtype.base_dtype.name
            blocks.append(Block(name, tuple(variable.shape), dtype))
            parts.append(_reals(variable.numpy()))
        plan = Plan(
            subject=subject,
            tree=(tuple(tree_args), tree_kwargs),
            leaves=tuple(binder.leaves),
            statics=tuple(binder.statics),
            inputs=Layout.of(blocks),
            input_count=len(binder.blocks),
            variables=chosen,
            state=tuple(state),
            unknown_axes=tuple(binder.unknown_axes),
            constant_unknown_axes=tuple(binder.constant_unknown_axes),
            constant_specs=tuple((c.dtype.name, tuple(c.shape)) for c in binder.constants),
            order=order,
        )
        x = np.concatenate(parts) if parts else np.zeros(0)
        values = tuple(variable.numpy() for variable in state)
        return cls(plan, x, tuple(binder.constants), positional, keywords, batch, values)


class _Binder:
    """Walks nested arguments and sorts their parts into inputs, constants and static values."""

    def __init__(self, differentiate: bool, batch: Batch | None, default_float: str) -> None:
        self.differentiate = differentiate
        self.batch = batch
        self.default_float = default_float
        self.blocks: list[Block] = []
        self.parts: list[np.ndarray] = []
        self.constants: list[Any] = []
        self.statics: list[Any] = []
        self.leaves: list[_Leaf] = []
        self.unknown_axes: list[tuple[int, ...]] = []
        self.constant_unknown_axes: list[tuple[int, ...]] = []

    def add(self, value: Any, name: str) -> Any:
        """Take a nested argument; returns it with a number in the place of each leaf."""
        tf = tensorflow()
        value = _with_tensors(value)
        leaves = list(named_leaves(value, name))
        for leaf_name, leaf in leaves:
            self.leaves.append(self._leaf(leaf, leaf_name))
        return tf.nest.pack_sequence_as(value, list(range(len(leaves))))

    def _leaf(self, leaf: Any, name: str) -> _Leaf:
        tf = tensorflow()
        if isinstance(leaf, float) and not isinstance(leaf, np.generic):
            leaf = tf.constant(leaf, self.default_float)
        if leaf is None or isinstance(leaf, (bool, int, str, bytes)) or callable(leaf):
            self.statics.append(leaf)
            return _Leaf((_Slot("static", len(self.statics) - 1),))
        if isinstance(leaf, tf.Tensor) or not hasattr(leaf, "_type_spec"):
            return _Leaf((self._component(_tensor(leaf, name), name, self._axes(leaf)),))
        components = tf.nest.flatten(leaf, expand_composites=True)
        slots = tuple(
            self._component(component, name if number == 0 else f"{name}.component{number}", ())
            for number, component in enumerate(components)
        )
        return _Leaf(slots, _relaxed(leaf._type_spec))

    def _component(self, tensor: Any, name: str, axes: tuple[str, ...]) -> _Slot:
        shape = tuple(int(size) for size in tensor.shape)
        # The axes whose sizes vary from batch to batch: rows, and steps where there are features behind them too.
        varying = ("row", "time")
        unknown = (
            tuple(i for i, axis in enumerate(axes) if axis in varying)
            if axes
            else tuple(range(len(shape)))[: 1 if len(shape) < 3 else 2]
        )
        if self.differentiate and (tensor.dtype.is_floating or tensor.dtype.is_complex):
            self.blocks.append(Block(name, shape, tensor.dtype.name, axes))
            self.parts.append(_reals(tensor.numpy()))
            self.unknown_axes.append(unknown)
            return _Slot("input", len(self.blocks) - 1)
        self.constants.append(tensor)
        self.constant_unknown_axes.append(unknown)
        return _Slot("constant", len(self.constants) - 1)

    def _axes(self, leaf: Any) -> tuple[str, ...]:
        if self.batch is None:
            return ()
        return ("row", "time", "feature")[: len(np.shape(leaf))]


def named_leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested containers with a name for each, in the order of `tf.nest.flatten`."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from named_leaves(tree[key], f"{name}[{key!r}]")
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        for key in tree._fields:
            yield from named_leaves(getattr(tree, key), f"{name}.{key}")
    elif isinstance(tree, (list, tuple)):
        for number, item in enumerate(tree):
            yield from named_leaves(item, f"{name}[{number}]")
    else:
        yield name, tree


def _with_tensors(value: Any) -> Any:
    """Replace the project's own ragged values by TensorFlow's."""
    convert = getattr(value, "to_tensorflow", None)
    if callable(convert):
        return convert()
    if isinstance(value, dict):
        return {key: _with_tensors(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_with_tensors(item) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_with_tensors(item) for item in value)
    return value


@contextlib.contextmanager
def _readable(value: Any, name: str) -> Iterator[None]:
    """What an argument raises while it is taken apart is bad input: arrays that raise, keys that have no order, lists
    that hold themselves.
    """
    try:
        yield
    except (InputError, MissingTensorFlowError):
        raise
    except RecursionError as error:
        raise InputError(f"{name} is nested too deeply, or holds itself. {_TAKEN}") from error
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{name} cannot be read ({in_words(error)}): {type(value).__name__} {shown(value)}. {_TAKEN}"
        ) from error


_TAKEN = "Pass NumPy arrays, tensors, ragged or sparse tensors, Python numbers, or dicts, lists and tuples of these"


def _tensor(leaf: Any, name: str) -> Any:
    tf = tensorflow()
    try:
        return tf.convert_to_tensor(leaf)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} cannot be made a tensor: {type(leaf).__name__} {shown(leaf)} ({in_words(error)}). {_TAKEN}"
        ) from error


def _relaxed(spec: Any) -> Any:
    """A composite's TypeSpec with its sizes unknown, so that one trace fits another batch."""
    tf = tensorflow()
    if isinstance(spec, tf.RaggedTensorSpec):
        shape = [None if axis <= spec.ragged_rank else size for axis, size in enumerate(spec.shape)]
        return tf.RaggedTensorSpec(shape, spec.dtype, spec.ragged_rank, spec.row_splits_dtype)
    return spec


def _reals(array: np.ndarray) -> np.ndarray:
    """Any float or complex array as a flat float64 vector, a complex number as two reals."""
    array = np.asarray(array)
    if np.iscomplexobj(array):
        return np.array(np.ascontiguousarray(array.astype(np.complex128)).reshape(-1).view(np.float64))
    return array.astype(np.float64).reshape(-1)


def _default_float(args: Sequence[Any]) -> str:
    """The dtype that a bare Python float is given: that of the first floating-point array beside it."""
    tf = tensorflow()
    for leaf in tf.nest.flatten(tuple(args)):
        dtype = getattr(leaf, "dtype", None)
        if dtype is not None and tf.as_dtype(dtype).is_floating:
            return str(tf.as_dtype(dtype).name)
    return "float64"


def _variable_names(variables: Sequence[Any]) -> list[str]:
    names: list[str] = []
    for variable in variables:
        name = "variable " + str(variable.name).split(":")[0]
        taken = sum(1 for other in names if other == name or other.startswith(name + " #"))
        names.append(f"{name} #{taken + 1}" if taken else name)
    return names


def _nothing_to_differentiate(subject: Subject, args: Sequence[Any], kwargs: dict[str, Any], wrt: str) -> str:
    tf = tensorflow()
    dtypes = [tf.as_dtype(leaf.dtype).name for leaf in tf.nest.flatten((tuple(args), kwargs)) if hasattr(leaf, "dtype")]
    if wrt == "variables":
        return (
            f"{subject.name} reads no trainable variable, so wrt='variables' leaves nothing to differentiate; "
            "use wrt='inputs'"
        )
    return (
        f"{subject.name} has nothing to differentiate: none of its arguments is floating-point "
        f"(got {', '.join(dtypes) or 'no tensors'}) and it reads no trainable variable. An integer-only subject has no "
        "gradient; check it through what it is for, such as a pooling or a mask that is differentiable in its values"
    )
