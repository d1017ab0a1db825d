"""The four ways in which TensorFlow executes a subject, behind one interface.

An `Execution` runs a problem's function ``f: R^x_size -> R^y_size`` and its gradient in one mode, over flat float64
vectors. In the compiled modes forward *and* gradient are inside the compiled function, as in a compiled train step;
that is also what lets XLA differentiate loops, since no tensor list has to cross the boundary of the compiled cluster.

Two pairs of operations:

- `forward` and `gradient` run one point each: what `tf.test.compute_gradient` needs.
- `evaluate` and `pullback` run many points, or many cotangents, in one dispatch: a `tf.map_fn` over them inside the
  compiled function. Each iteration does what `forward` and `gradient` do, to the last bit.

Lengths, masks and other constants are arguments of the compiled function and never closed over: TensorFlow folds
constants, and would fold a bug away with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError
from gradcheck.layout import Block, Layout
from gradcheck.problem import Plan, Problem, named_leaves

__all__ = ["MODES", "CompiledExecution", "EagerExecution", "Execution", "OneByOne", "execution", "parse_modes"]

MODES = ("eager", "graph", "dynamic", "xla")

# Largest number of float64 values that one dispatch may be given or may return (128 MiB).
_DISPATCH_VALUES = 1 << 24


def parse_modes(modes: str | Sequence[str] | None) -> tuple[str, ...]:
    """Check a choice of modes.

    Raises:
        InputError: for an unknown mode, or none at all.
    """
    if modes is None:
        return MODES
    chosen = tuple(part.strip() for part in modes.split(",")) if isinstance(modes, str) else tuple(modes)
    for mode in chosen:
        if mode not in MODES:
            raise InputError(f"unknown mode {mode!r}; the modes are {', '.join(MODES)}")
    if not chosen:
        raise InputError(f"modes is empty; choose from {', '.join(MODES)}")
    return tuple(dict.fromkeys(chosen))


class Execution:
    """A problem in one mode. Points are float64 ``[x_size]``, results float64 ``[y_size]``.

    Every method raises whatever TensorFlow or the subject raises.

    Attributes:
        mode: the mode.
        problem: the problem.
        none_gradients: numbers of the input blocks whose gradient is None; known after a `gradient` or `pullback`.
    """

    mode: str

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.none_gradients: frozenset[int] = frozenset()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``f(x)``, float64 ``[y_size]``."""
        raise NotImplementedError

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        """``cotangent @ J(x)``, float64 ``[x_size]``, from one forward and one backward pass."""
        raise NotImplementedError

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        """``f`` at many points ``[k, x_size]``: float64 ``[k, y_size]``."""
        raise NotImplementedError

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        """``cotangents @ J(x)`` for many cotangents ``[m, y_size]``: float64 ``[m, x_size]``."""
        raise NotImplementedError


# -- between flat vectors and tensors ------------------------------------------------------------------------


def _split(plan: Plan, flat: Any, shapes: Sequence[Any] | None) -> list[Any]:
    """The tensors of ``plan.inputs`` out of a flat float64 vector.

    ``shapes`` gives the shape of every argument block as an int32 tensor where it is not known before execution.
    """
    tf = tensorflow()
    tensors = []
    offset: Any = 0
    for number, block in enumerate(plan.inputs.blocks):
        known = shapes is None or number >= plan.input_count
        shape = list(block.shape) if known else shapes[number]  # type: ignore[index]
        elements = int(np.prod(block.shape, dtype=int)) if known else tf.reduce_prod(shape)
        size = elements * 2 if block.is_complex else elements
        part = flat[offset : offset + size]
        offset = offset + size
        if block.is_complex:
            part = tf.complex(part[0::2], part[1::2])
        tensor = tf.cast(tf.reshape(part, shape), block.dtype)
        if not known:
            unknown = plan.unknown_axes[number]
            tensor.set_shape([None if axis in unknown else size for axis, size in enumerate(block.shape)])
        tensors.append(tensor)
    return tensors


def _float_components(output: Any) -> list[tuple[str, int, Any]]:
    """The floating-point and complex tensors of a nested output, each with its name and the number of its leaf."""
    tf = tensorflow()
    found = []
    count = 0
    for name, leaf in named_leaves(output, "output"):
        components = tf.nest.flatten(leaf, expand_composites=True)
        for number, component in enumerate(components):
            if component is None or isinstance(component, (str, bytes)):
                continue
            tensor = component if isinstance(component, tf.Tensor) else tf.convert_to_tensor(component)
            if tensor.dtype.is_floating or tensor.dtype.is_complex:
                found.append((name if number == 0 else f"{name}.component{number}", count + number, tensor))
        count += len(components)
    return found


def _join(tensors: Sequence[Any]) -> Any:
    """Tensors of any float or complex dtype as one flat float64 vector."""
    tf = tensorflow()
    parts = []
    for tensor in tensors:
        if tensor.dtype.is_complex:
            wide = tf.reshape(tf.cast(tensor, tf.complex128), [-1])
            parts.append(tf.reshape(tf.stack([tf.math.real(wide), tf.math.imag(wide)], axis=-1), [-1]))
        else:
            parts.append(tf.reshape(tf.cast(tensor, tf.float64), [-1]))
    if not parts:
        return tf.zeros([0], tf.float64)
    return tf.concat(parts, 0) if len(parts) > 1 else parts[0]


def _prepare_variables(plan: Plan, tensors: Sequence[Any], state: Sequence[Any]) -> None:
    """Set the variables to the point, and what a call changes to where it was before the call."""
    for variable, value in zip(plan.state, state, strict=False):
        variable.assign(value)
    for variable, value in zip(plan.variables, tensors[plan.input_count :], strict=False):
        variable.assign(value)


def _call(plan: Plan, target: Callable[..., Any], tensors: Sequence[Any], constants: Sequence[Any]) -> Any:
    args, kwargs = plan.pack(tensors[: plan.input_count], constants)
    return plan.subject.invoke(target, *args, **kwargs)


def _checked_components(plan: Plan, output: Any) -> list[tuple[str, int, Any]]:
    components = _float_components(output)
    if not components:
        tf = tensorflow()
        kinds = [tf.as_dtype(leaf.dtype).name for leaf in tf.nest.flatten(output) if hasattr(leaf, "dtype")]
        raise InputError(
            f"{plan.subject.name} returns no floating-point tensor (got {', '.join(kinds) or repr(output)[:80]}), so "
            "there is no gradient to check. An integer-only subject is checked through what it is for, such as a "
            "pooling or a mask that is differentiable in its values"
        )
    return components


def _gradients(
    plan: Plan, tape: Any, tensors: Sequence[Any], flat_output: Any, cotangent: Any
) -> tuple[Any, frozenset[int]]:
    """The flat gradient, zeros where it is None, and the numbers of the blocks where it is None."""
    tf = tensorflow()
    sources = [*tensors[: plan.input_count], *plan.variables]
    with warnings.catch_warnings():
        # Where rows are unknown TensorFlow warns that the dense form of a sparse gradient may be large; it is as large
        # as the input, and under pytest's -W error the warning would be an error of the subject.
        warnings.filterwarnings("ignore", message="Converting sparse IndexedSlices")
        gradients = tape.gradient(flat_output, sources, output_gradients=cotangent)
        gradients = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
    none = frozenset(number for number, gradient in enumerate(gradients) if gradient is None)
    dense = []
    for source, gradient in zip(tensors, gradients, strict=False):
        if gradient is None:
            dense.append(tf.zeros_like(source))
        else:
            # A wrong shape would shift every later place of the flat vector, so it is an error of its own.
            if not gradient.shape.is_compatible_with(source.shape):
                raise ValueError(f"the gradient has shape {gradient.shape} where the input has shape {source.shape}")
            dense.append(gradient)
    return _join(dense), none


# -- eager ---------------------------------------------------------------------------------------------------


class EagerExecution(Execution):
    """Operation by operation, as written in Python; a subject under `tf.function` is run as the Python inside it."""

    mode = "eager"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._target = problem.subject.python_callable()

    def _tensors(self, x: np.ndarray) -> list[Any]:
        tf = tensorflow()
        plan = self.problem.plan
        tensors = _split(plan, tf.constant(x, tf.float64), None)
        _prepare_variables(plan, tensors, self.problem.state_values)
        return tensors

    def observe(self, x: np.ndarray) -> tuple[np.ndarray, Layout, tuple[Any, ...]]:
        """``f(x)`` with the layout of the outputs and the trainable variables that were read."""
        tf = tensorflow()
        plan = self.problem.plan
        tensors = self._tensors(x)
        with tf.GradientTape() as tape:
            components = _checked_components(plan, _call(plan, self._target, tensors, self.problem.constants))
        layout = _output_layout(self.problem, components)
        return _join([tensor for _, _, tensor in components]).numpy(), layout, tape.watched_variables()

    def forward(self, x: np.ndarray) -> np.ndarray:
        plan = self.problem.plan
        output = _call(plan, self._target, self._tensors(x), self.problem.constants)
        return np.asarray(_join([tensor for _, _, tensor in _float_components(output)]).numpy())

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        return np.asarray(self.pullback(x, cotangent[None])[0])

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        return np.stack([self.forward(point) for point in points])

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        # One forward pass serves every cotangent: the tape is persistent.
        tf = tensorflow()
        plan = self.problem.plan
        tensors = self._tensors(x)
        with tf.GradientTape(persistent=True) as tape:
            for tensor in tensors[: plan.input_count]:
                tape.watch(tensor)
            output = _call(plan, self._target, tensors, self.problem.constants)
            flat = _join([tensor for _, _, tensor in _float_components(output)])
        rows = []
        for cotangent in cotangents:
            row, self.none_gradients = _gradients(plan, tape, tensors, flat, tf.constant(cotangent))
            rows.append(row.numpy())
        return np.stack(rows)


def _output_layout(problem: Problem, components: Sequence[tuple[str, int, Any]]) -> Layout:
    blocks = []
    for name, leaf, tensor in components:
        shape = tuple(int(size) for size in tensor.shape)
        blocks.append(Block(name, shape, tensor.dtype.name, _output_axes(problem, shape), leaf=leaf))
    return Layout.of(blocks)


def _output_axes(problem: Problem, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Words for the axes of an output, as far as its shape tells: rows first, then steps, features last."""
    batch = problem.batch
    if batch is None or not shape or shape[0] != batch.values.shape[0]:
        return ()
    steps = batch.values.shape[1]
    longest = int(batch.lengths.max()) if batch.lengths.size else 0
    words = ["row", *[""] * (len(shape) - 1)]
    if len(shape) > 1 and shape[1] in (steps, longest):
        words[1] = "time"
    if len(shape) > 1 and not words[-1]:
        words[-1] = "feature"
    return tuple(words)


# -- graph, dynamic, xla -------------------------------------------------------------------------------------


class _Programs:
    """The compiled functions of one plan in one mode. Each is traced when it is first needed, and counted."""

    def __init__(self, plan: Plan, mode: str) -> None:
        self.plan = plan
        self.mode = mode
        self.traces: dict[str, int] = {}
        self.none_gradients: frozenset[int] = frozenset()
        self.sizes: dict[str, int] = {}
        self._functions: dict[str, Any] = {}
        self._target = _autographed(plan.subject.target)

    def __getitem__(self, kind: str) -> Any:
        if kind not in self._functions:
            tf = tensorflow()
            body = getattr(self, f"_{kind}")

            def counted(*args: Any) -> Any:
                self.traces[kind] = self.traces.get(kind, 0) + 1
                return body(*args)

            function = tf.function(
                counted,
                autograph=False,  # the subject itself is converted; these few lines need no conversion
                input_signature=self._signature(kind),
                **({"jit_compile": True} if self.mode == "xla" else {}),
            )
            # The concrete function: TensorFlow would warn of "retracing" where each program is traced just once.
            # It holds the function itself only weakly.
            with warnings.catch_warnings():
                # AutoGraph itself uses what Python 3.13 deprecates; where warnings are errors (pytest's -W error) it
                # would give up, and the subject's `if` on a tensor fail.
                warnings.filterwarnings("ignore", message=".*arbitrary keyword arguments is deprecated")
                self._functions[kind] = (function.get_concrete_function(), function)
        return self._functions[kind][0]

    def _signature(self, kind: str) -> list[Any] | None:
        # XLA compiles for one set of sizes at a time; there, and in graph mode, every size is static.
        tf = tensorflow()
        plan = self.plan
        dynamic = self.mode == "dynamic"
        vector = tf.TensorSpec([None if dynamic else plan.inputs.size], tf.float64)
        many = tf.TensorSpec([None, None if dynamic else plan.inputs.size], tf.float64)
        first = {
            "forward": [vector],
            "gradient": [vector, tf.TensorSpec([None], tf.float64)],
            "evaluate": [many],
            "pullback": [vector, tf.TensorSpec([None, None], tf.float64)],
        }[kind]
        shapes = tuple(tf.TensorSpec([len(b.shape)], tf.int32) for b in plan.inputs.blocks[: plan.input_count])
        constants = tuple(
            tf.TensorSpec([None if dynamic and axis in unknown else size for axis, size in enumerate(shape)], dtype)
            for (dtype, shape), unknown in zip(plan.constant_specs, plan.constant_unknown_axes, strict=False)
        )
        state = tuple(tf.TensorSpec(variable.shape, variable.dtype.base_dtype) for variable in plan.state)
        return [*first, shapes if dynamic else (), constants, state]

    # Each body below is traced inside one compiled function.

    def _forward(self, x: Any, shapes: Any, constants: Any, state: Any) -> Any:
        tensors = _split(self.plan, x, shapes or None)
        _prepare_variables(self.plan, tensors, state)
        output = _call(self.plan, self._target, tensors, constants)
        return _join([tensor for _, _, tensor in _checked_components(self.plan, output)])

    def _gradient(self, x: Any, cotangent: Any, shapes: Any, constants: Any, state: Any) -> Any:
        tf = tensorflow()
        tensors = _split(self.plan, x, shapes or None)
        _prepare_variables(self.plan, tensors, state)
        with tf.GradientTape() as tape:
            for tensor in tensors[: self.plan.input_count]:
                tape.watch(tensor)
            output = _call(self.plan, self._target, tensors, constants)
            flat = _join([tensor for _, _, tensor in _checked_components(self.plan, output)])
        cotangent = tf.reshape(cotangent, tf.shape(flat))
        row, self.none_gradients = _gradients(self.plan, tape, tensors, flat, cotangent)
        return row

    def _evaluate(self, points: Any, shapes: Any, constants: Any, state: Any) -> Any:
        return _mapped(lambda point: self._forward(point, shapes, constants, state), points)

    def _pullback(self, x: Any, cotangents: Any, shapes: Any, constants: Any, state: Any) -> Any:
        return _mapped(lambda cotangent: self._gradient(x, cotangent, shapes, constants, state), cotangents)


def _mapped(function: Callable[[Any], Any], elements: Any) -> Any:
    """`tf.map_fn` in order: iterations that set variables must not overlap."""
    tf = tensorflow()
    return tf.map_fn(function, elements, fn_output_signature=tf.float64, parallel_iterations=1)


class CompiledExecution(Execution):
    """Inside `tf.function`: with static shapes (graph), unknown rows and steps (dynamic), or compiled by XLA (xla)."""

    def __init__(self, problem: Problem, mode: str) -> None:
        super().__init__(problem)
        tf = tensorflow()
        self.mode = mode
        plan = problem.plan
        key = (mode, plan.key(dynamic=mode == "dynamic"))
        cache = plan.subject.programs
        if key not in cache:
            cache[key] = _Programs(plan, mode)
        self.programs: _Programs = cache[key]
        blocks = plan.inputs.blocks[: plan.input_count]
        shapes = tuple(tf.constant(block.shape, tf.int32, [len(block.shape)]) for block in blocks)
        self._rest = (
            shapes if mode == "dynamic" else (),
            tuple(problem.constants),
            tuple(tf.constant(value) for value in problem.state_values),
        )

    def _run(self, kind: str, *first: np.ndarray) -> np.ndarray:
        tf = tensorflow()
        result = self.programs[kind](*(tf.constant(array, tf.float64) for array in first), *self._rest)
        self.none_gradients = self.programs.none_gradients
        return np.asarray(result.numpy())

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self._run("forward", x)

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        return self._run("gradient", x, cotangent)

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        return self._chunked("evaluate", points, self.problem.outputs.size)

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        return self._chunked("pullback", cotangents, self.problem.plan.inputs.size, x)

    def _chunked(self, kind: str, rows: np.ndarray, width: int, *first: np.ndarray) -> np.ndarray:
        """Run over rows in pieces that bound the memory.

        XLA compiles anew for every number of rows, and compiling costs more than running: the first call decides how
        many rows a piece has, and later ones are filled up to that.
        """
        most = max(1, _DISPATCH_VALUES // max(1, rows.shape[1], width))
        if self.mode == "xla":
            most = self.programs.sizes.setdefault(kind, min(len(rows), most))
        results = []
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            missing = most - len(part) if self.mode == "xla" else 0
            filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
            results.append(self._run(kind, *first, filled)[: len(part)])
        return np.concatenate(results)


class OneByOne(Execution):
    """Another execution, one point or cotangent a dispatch.

    For the reference engine, and for subjects that run in a mode but not inside the loop of the batched programs.
    """

    def __init__(self, inner: Execution) -> None:
        super().__init__(inner.problem)
        self.inner = inner
        self.mode = inner.mode

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.inner.forward(x)

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        result = self.inner.gradient(x, cotangent)
        self.none_gradients = self.inner.none_gradients
        return result

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        return np.stack([self.forward(point) for point in points])

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        return np.stack([self.gradient(x, cotangent) for cotangent in cotangents])


def _autographed(target: Callable[..., Any]) -> Callable[..., Any]:
    """The subject as `tf.function` would convert it, so that Python ``if`` and ``for`` on tensors work as usual.

    Only the subject is converted, not the harness around it. `tf.function(autograph=True)` does the same to
    whatever it is given, through the same two functions.
    """
    from tensorflow.python.autograph.core import ag_ctx
    from tensorflow.python.autograph.impl import api

    if hasattr(target, "python_function"):  # a tf.function converts itself
        return target
    context = ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED)
    converted: Callable[..., Any] = api.tf_convert(target, context, convert_by_default=True)
    return converted


def execution(problem: Problem, mode: str) -> Execution:
    """The execution of a problem in a mode."""
    return EagerExecution(problem) if mode == "eager" else CompiledExecution(problem, mode)
