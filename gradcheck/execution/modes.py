"""The four ways in which TensorFlow executes a subject, behind one interface.

An `Execution` runs a problem's function ``f: R^x_size -> R^y_size`` and its gradient in one mode, over flat float64
vectors. In the compiled modes forward *and* gradient are inside the compiled function, as in a compiled train step;
that is also what lets XLA differentiate loops, since no tensor list has to cross the boundary of the compiled cluster.

Two pairs of operations:

- `forward` and `gradient` run one point each: what `tf.test.compute_gradient` needs.
- `evaluate` and `linearize` run many points, or many pairs of a point and a cotangent, in one dispatch: a loop over
  them inside the compiled function. Each iteration does what `forward` and `gradient` do, to the last bit.

Lengths, masks and other constants are arguments of the compiled function and never closed over: TensorFlow folds
constants, and would fold a bug away with them.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError
from gradcheck.execution.announcing import announce_call
from gradcheck.subject.problem import Plan, Problem, named_leaves
from gradcheck.subject.reached import captured_variables
from gradcheck.subject.restoring import keep
from gradcheck.support.layout import Block, Layout

__all__ = [
    "CompiledExecution",
    "EagerExecution",
    "Execution",
    "OneByOne",
    "execution",
    "reach",
    "traced",
    "traced_function",
]

# Largest number of float64 values that one dispatch may be given or may return (128 MiB).
_DISPATCH_VALUES = 1 << 24


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

    def value(self, x: np.ndarray) -> np.ndarray:
        """As `forward`, by a program that is there already if there is one."""
        return self.forward(x)

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        """``cotangent @ J(x)``, float64 ``[x_size]``, from one forward and one backward pass."""
        raise NotImplementedError

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        """``f`` at many points ``[k, x_size]``: float64 ``[k, y_size]``."""
        raise NotImplementedError

    def linearize(self, points: np.ndarray, cotangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``f(x)`` and ``c @ J(x)`` for many points x ``[k, x_size]``, each with its cotangent c ``[k, y_size]``.

        Returns:
            Float64 ``[k, y_size]`` and ``[k, x_size]``.
        """
        raise NotImplementedError

    def prepare(self, x: np.ndarray, *, points: int, cotangents: int) -> None:
        """Compile ahead what a comparison at ``x`` will run, where that pays."""

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        """``cotangents @ J(x)`` for many cotangents ``[m, y_size]``: float64 ``[m, x_size]``."""
        return self.linearize(np.broadcast_to(x, (len(cotangents), x.size)), cotangents)[1]

    def _whole(self, rows: np.ndarray) -> np.ndarray:
        """The gradients ``[k, x_size]``. While a `tf.py_function` is traced no shape of its gradient is known.

        Raises:
            ValueError: they are of another size.
        """
        inputs = self.problem.plan.inputs
        if rows.shape[-1] == inputs.size:
            return rows
        name, itself = "some input", "that input"
        if len(inputs.blocks) == 1:
            name = itself = inputs.blocks[0].name
        raise ValueError(
            f"the gradient w.r.t. {name} has another shape than {itself} itself: {rows.shape[-1]} numbers where there "
            f"are {inputs.size}"
        )


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


def _float_components(output: Any, root: str = "output") -> list[tuple[str, int, Any]]:
    """The floating-point and complex tensors of a nested output, each with its name and the number of its leaf."""
    tf = tensorflow()
    found = []
    count = 0
    for name, leaf in named_leaves(output, root):
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
    call = functools.partial(plan.subject.invoke, target, *args, **kwargs)
    for _ in range(plan.order - 1):
        call = functools.partial(_gradient_as_output, plan, call, tensors)
    return call()


def _gradient_as_output(plan: Plan, call: Callable[[], Any], tensors: Sequence[Any]) -> dict[str, Any]:
    """The function whose gradient is a derivative of one order more: the gradient of all outputs, weighed and summed.

    The weights, by position, are 0.5, 0.75 … 1.5 with changing signs: numbers that every dtype and mode has exactly.
    """
    tf = tensorflow()
    sources = [*tensors[: plan.input_count], *plan.variables]
    with tf.GradientTape() as tape:
        for tensor in tensors[: plan.input_count]:
            tape.watch(tensor)
        flat = _join([tensor for _, _, tensor in _checked_components(plan, call(), order=1)])
        place = tf.range(tf.size(flat))
        size = 0.5 + 0.25 * tf.cast(tf.math.floormod(3 * place, 5), flat.dtype)
        weights = tf.where(tf.math.floormod(place, 3) == 1, -size, size)
        total = tf.reduce_sum(flat * weights)
    gradients = tape.gradient(total, sources)
    blocks = plan.inputs.blocks
    # What does not depend on a source at all has no second derivative either.
    return {
        block.name: tf.zeros_like(source) if gradient is None else tf.convert_to_tensor(gradient)
        for block, source, gradient in zip(blocks, sources, gradients, strict=True)
    }


def _checked_components(plan: Plan, output: Any, order: int | None = None) -> list[tuple[str, int, Any]]:
    components = _float_components(output, "output" if (order or plan.order) == 1 else "gradient")
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
    for block, source, gradient in zip(plan.inputs.blocks, tensors, gradients, strict=False):
        if gradient is None:
            dense.append(tf.zeros_like(source))
        else:
            # A wrong shape would shift every later place of the flat vector, so it is an error of its own.
            if not gradient.shape.is_compatible_with(source.shape):
                raise ValueError(
                    f"the gradient w.r.t. {block.name} has shape {gradient.shape} where the input has {source.shape}"
                )
            dense.append(gradient)
    return _join(dense), none


# -- eager ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Taped:
    """A forward pass with the persistent tape that recorded it."""

    tape: Any
    tensors: Sequence[Any]
    components: Sequence[tuple[str, int, Any]]
    flat: Any


class EagerExecution(Execution):
    """Operation by operation, as written in Python; a subject under `tf.function` is run as the Python inside it."""

    mode = "eager"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._target = problem.subject.python_callable()
        # The forward pass of `observe`, or of one point: a gradient there that is asked for next needs no second one.
        self._last: tuple[np.ndarray, _Taped] | None = None

    def _tensors(self, x: np.ndarray) -> list[Any]:
        announce_call(self.problem, self.problem.bound_to)
        tf = tensorflow()
        plan = self.problem.plan
        # Up to 2.11 a tensor shares the memory of the array it is made of, a variable that is set from an aligned part
        # of the tensor does too, and updates of the variable then write into the array: into x, if this were no copy.
        tensors = _split(plan, tf.constant(x.copy(), tf.float64), None)
        _prepare_variables(plan, tensors, self.problem.state_values)
        return tensors

    def observe(self, x: np.ndarray) -> tuple[np.ndarray, Layout, tuple[Any, ...]]:
        """``f(x)`` with the layout of the outputs and the trainable variables that were read."""
        taped = self._taped(x)
        self._last = (x, taped)
        return taped.flat.numpy(), _output_layout(self.problem, taped.components), taped.tape.watched_variables()

    def take_over(self, earlier: EagerExecution) -> None:
        """Use the forward pass that another execution observed at the same point, in place of one of its own.

        That one may not have known the variables yet; its tape does.
        """
        assert earlier._last is not None
        taped = earlier._last[1]
        tensors = [*taped.tensors[: self.problem.plan.input_count], *self.problem.plan.variables]
        self._last = (self.problem.x, replace(taped, tensors=tensors))

    def _taped(self, x: np.ndarray) -> _Taped:
        tf = tensorflow()
        plan = self.problem.plan
        tensors = self._tensors(x)
        with tf.GradientTape(persistent=True) as tape:
            for tensor in tensors[: plan.input_count]:
                tape.watch(tensor)
            with plan.subject.patience.call():
                called = _call(plan, self._target, tensors, self.problem.constants)
            components = _checked_components(plan, called)
            flat = _join([tensor for _, _, tensor in components])
        return _Taped(tape, tensors, components, flat)

    def forward(self, x: np.ndarray) -> np.ndarray:
        plan = self.problem.plan
        tensors = self._tensors(x)
        with plan.subject.patience.call():
            output = _call(plan, self._target, tensors, self.problem.constants)
        return np.asarray(_join([tensor for _, _, tensor in _float_components(output)]).numpy())

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        return np.asarray(self.pullback(x, cotangent[None])[0])

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        if len(points) > 1:
            return np.stack([self.forward(point) for point in points])
        if self._last is None or not np.array_equal(points[0], self._last[0], equal_nan=True):
            self._last = (points[0], self._taped(points[0]))
        return np.stack([self._last[1].flat.numpy()])

    def linearize(self, points: np.ndarray, cotangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # One forward pass serves every cotangent of the same point: the tape is persistent.
        tf = tensorflow()
        last, self._last = self._last, None
        values, rows = [], []
        for point, cotangent in zip(points, cotangents, strict=True):
            if last is None or not np.array_equal(point, last[0], equal_nan=True):
                last = (point, self._taped(point))
            taped = last[1]
            row, self.none_gradients = _gradients(
                self.problem.plan, taped.tape, taped.tensors, taped.flat, tf.constant(cotangent)
            )
            values.append(taped.flat.numpy())
            rows.append(row.numpy())
        return np.stack(values), np.stack(rows)


def _output_layout(problem: Problem, components: Sequence[tuple[str, int, Any]]) -> Layout:
    blocks = []
    for name, leaf, tensor in components:
        shape = tuple(int(size) for size in tensor.shape)
        blocks.append(Block(name, shape, tensor.dtype.name, _output_axes(problem, shape, leaf), leaf=leaf))
    return Layout.of(blocks)


def _output_axes(problem: Problem, shape: tuple[int, ...], leaf: int) -> tuple[str, ...]:
    """Words for the axes of an output, as far as its shape tells: rows first, then steps, features last."""
    batch = problem.batch
    if batch is None or not shape or shape[0] != batch.values.shape[0]:
        return ()
    steps = batch.values.shape[1]
    longest = int(batch.lengths.max()) if batch.lengths.size else 0
    words = ["row", *[""] * (len(shape) - 1)]
    if len(shape) > 1 and shape[1] in (steps, longest) and problem.subject.has_time.get(leaf, True):
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
        self.sizes: dict[str, int] = {}  # how many rows the compiled loop of each kind has room for
        self.loops = True  # until the subject turns out not to run inside a loop
        self.integers_are_sizes: bool = plan.subject.integers_are_sizes
        self._functions: dict[str, Any] = {}
        self._target = plan.subject.traceable(_autographed)

    def __contains__(self, kind: str) -> bool:
        return kind in self._functions

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
            with _converting():
                concrete = function.get_concrete_function()
            self.plan.subject.reach(captured_variables(concrete.graph))
            keep(self.plan.subject.every_variable())  # nothing has run yet
            self._functions[kind] = (concrete, function)
        return self._functions[kind][0]

    def _signature(self, kind: str) -> list[Any] | None:
        # XLA compiles for one set of sizes at a time; there, and in graph mode, every size is static.
        tf = tensorflow()
        plan = self.plan
        dynamic = self.mode == "dynamic"
        size = None if dynamic else plan.inputs.size
        count = tf.TensorSpec([], tf.int32)
        first = {
            "forward": [tf.TensorSpec([size], tf.float64)],
            "gradient": [tf.TensorSpec([size], tf.float64), tf.TensorSpec([None], tf.float64)],
            "evaluate": [tf.TensorSpec([None, size], tf.float64), count],
            "linearize": [tf.TensorSpec([None, size], tf.float64), tf.TensorSpec([None, None], tf.float64), count],
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

    def _gradient(self, x: Any, cotangent: Any, shapes: Any, constants: Any, state: Any) -> tuple[Any, Any]:
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
        return flat, row

    def _evaluate(self, points: Any, count: Any, shapes: Any, constants: Any, state: Any) -> Any:
        def body(_number: Any, point: Any, constants: Any) -> tuple[Any, ...]:
            return (self._forward(point, shapes, constants, state),)

        return _looped(body, points, count, constants, outputs=1, hidden=self._hidden())[0]

    def _linearize(self, points: Any, cotangents: Any, count: Any, shapes: Any, constants: Any, state: Any) -> Any:
        def body(number: Any, point: Any, constants: Any) -> tuple[Any, ...]:
            return self._gradient(point, cotangents[number], shapes, constants, state)

        return _looped(body, points, count, constants, outputs=2, hidden=self._hidden())

    def _hidden(self) -> list[int] | None:
        """Numbers of the constants that are no sizes, for `_looped`; None outside XLA, which alone folds arguments."""
        if self.mode != "xla":
            return None
        count = len(self.plan.constant_specs)
        return [n for n in range(count) if not (self.integers_are_sizes and self._is_integer(n))]

    def _is_integer(self, number: int) -> bool:
        return bool(tensorflow().as_dtype(self.plan.constant_specs[number][0]).is_integer)

    def take_integers_for_sizes(self) -> bool:
        """Leave integers outside the compiled loops from now on, where XLA folds them; False where that is no news."""
        if self.mode != "xla" or self.integers_are_sizes:
            return False
        if not any(self._is_integer(n) for n in range(len(self.plan.constant_specs))):
            return False
        self.integers_are_sizes = True
        for kind in _LOOPS:
            self._functions.pop(kind, None)
        return True

    def remember_sizes(self) -> None:
        """It compiles like this: the subject's programs for other batches begin with what was learned here."""
        self.plan.subject.integers_are_sizes = self.integers_are_sizes


def _looped(
    body: Callable[[Any, Any, Any], tuple[Any, ...]],
    points: Any,
    count: Any,
    constants: Any,
    *,
    outputs: int,
    hidden: Sequence[int] | None,
) -> tuple[Any, ...]:
    """Run ``body(number, point, constants)`` for the first ``count`` points, in order; the rest of each result is 0.

    In order, because iterations that set variables must not overlap. How many points there are is the caller's choice
    at run time: XLA compiles for a fixed number of rows, and rows that are not asked for cost nothing.

    Under XLA the point, and the constants that are ``hidden``, are handed from one iteration to the next instead of
    being read from outside the loop. XLA computes ahead of a loop what is the same in each iteration, and fuses less
    than in a train step: a mask that comes from such a constant would hide the faults of these fusions. Also,
    TensorFlow up to 2.15 takes whatever goes into a nested function (Keras's recurrent layers are one) for a constant
    of the compiled program where one of its results is the size of a loop, and would compile anew for every batch; it
    does not see through a value that the loop itself changes. Integers that really are sizes cannot be handed on: they
    are constants of a train step's program, too.
    """
    tf = tensorflow()
    rows = tf.shape(points)[0]
    places = hidden or ()

    def step(number: Any, point: Any, carried: Any, results: Any) -> tuple[Any, ...]:
        merged = list(constants)
        for place, constant in zip(places, carried, strict=True):
            merged[place] = constant
        found = body(number, points[number] if hidden is None else point, tuple(merged))
        results = tuple(result.write(number, value) for result, value in zip(results, found, strict=True))
        kept = tuple(tf.where(number < 0, tf.zeros_like(constant), constant) for constant in carried)
        following = point if hidden is None else points[tf.minimum(number + 1, rows - 1)]
        return number + 1, following, kept, results

    final = tf.while_loop(
        lambda number, *_: number < count,
        step,
        (
            tf.constant(0),
            tf.zeros([0]) if hidden is None else points[0],
            tuple(constants[place] for place in places),
            tuple(tf.TensorArray(tf.float64, size=rows) for _ in range(outputs)),
        ),
        parallel_iterations=1,
    )
    return tuple(array.stack() for array in final[3])


# The programs with a loop in them.
_LOOPS = ("evaluate", "linearize")

# Most rows of which one dispatch of `linearize` serves a call of `evaluate`, where that alone would have to be traced.
_FEW = 8


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

    def _run(self, kind: str, *first: Any) -> tuple[np.ndarray, ...]:
        try:
            return self._run_as_it_is(kind, *first)
        except Exception:
            if kind not in _LOOPS or not self.programs.take_integers_for_sizes():
                raise
            found = self._run_as_it_is(kind, *first)
            self.programs.remember_sizes()
            return found

    def _run_as_it_is(self, kind: str, *first: Any) -> tuple[np.ndarray, ...]:
        announce_call(self.problem, self.problem.bound_to)
        tf = tensorflow()
        arguments = [tf.convert_to_tensor(value) for value in first]
        with self.problem.subject.patience.call():
            result = self.programs[kind](*arguments, *self._rest)
        self.none_gradients = self.programs.none_gradients
        return tuple(np.asarray(part.numpy()) for part in (result if isinstance(result, (tuple, list)) else [result]))

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._run("forward", x)[0])

    def value(self, x: np.ndarray) -> np.ndarray:
        # What `gradient` runs anyway, but under XLA: there a call of its own is compiled for few batches only.
        if self.mode == "xla" and "gradient" not in self.programs:
            return self.forward(x)
        return self.unlooped(x, np.zeros(self.problem.outputs.size))[0]

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        # XLA may take the arguments of a call of its own for constants: see `_looped`.
        if self.mode == "xla" and self.programs.loops:
            try:
                return np.asarray(self.linearize(x[None], cotangent[None])[1][0])
            except Exception:
                self.programs.loops = False
        return self.unlooped(x, cotangent)[1]

    def unlooped(self, x: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``f(x)`` and ``cotangent @ J(x)`` from a call of their own, as a train step is compiled."""
        value, row = self._run("gradient", x, cotangent)
        return value, row

    def prepare(self, x: np.ndarray, *, points: int, cotangents: int) -> None:
        """Compile for XLA what a comparison of ``points`` points and ``cotangents`` cotangents will run.

        One program is compiled in a thread while Python traces the next. Both are run for no point at all, so nothing
        is executed. Whatever fails here fails again, and is then raised, where it is needed.
        """
        size = self.problem.outputs.size
        if self.mode != "xla" or not size or "evaluate" in self.programs or "linearize" in self.programs:
            return
        rows = {"linearize": self._room("linearize", cotangents), "evaluate": self._room("evaluate", points)}
        none = {"linearize": (rows["linearize"], size), "evaluate": None}

        failed: list[str] = []

        def compiled(kind: str) -> None:
            shape = none[kind]
            arrays = [np.broadcast_to(x, (rows[kind], x.size)), *([] if shape is None else [np.zeros(shape)])]
            try:
                self._run_as_it_is(kind, *arrays, np.int32(0))
            except Exception:
                failed.append(kind)

        try:
            self.programs["linearize"]
        except Exception:
            return
        thread = threading.Thread(target=compiled, args=("linearize",), name="gradcheck-compile")
        thread.start()
        try:
            compiled("evaluate")
        finally:
            thread.join()
        if failed and self.programs.take_integers_for_sizes():
            self.prepare(x, points=points, cotangents=cotangents)
        elif not failed:
            self.programs.remember_sizes()

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        size = self.problem.outputs.size
        if "evaluate" not in self.programs and "linearize" in self.programs and len(points) <= _FEW and size:
            return self.linearize(points, np.zeros((len(points), size)))[0]
        return self._chunked("evaluate", points)[0]

    def linearize(self, points: np.ndarray, cotangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, rows = self._chunked("linearize", points, cotangents)
        return values, self._whole(rows)

    def _room(self, kind: str, count: int) -> int:
        """How many rows one dispatch takes at most.

        XLA compiles anew for every number of rows, and compiling costs more than running: the first call decides how
        many rows there are, and later ones run as many of them as they have.
        """
        inputs, outputs = self.problem.plan.inputs.size, self.problem.outputs.size
        width = (inputs + outputs) * (2 if kind == "linearize" else 1)
        most = max(1, _DISPATCH_VALUES // max(1, width))
        if self.mode == "xla":
            most = self.programs.sizes.setdefault(kind, min(max(count, 2 * _FEW), most))
        return most

    def _chunked(self, kind: str, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run over rows in pieces that bound the memory."""
        count = len(arrays[0])
        most = self._room(kind, count)
        pieces = []
        for start in range(0, count, most):
            parts = [array[start : start + most] for array in arrays]
            rows = len(parts[0])
            if self.mode == "xla" and rows < most:
                parts = [np.concatenate([part, np.zeros((most - rows, part.shape[1]))]) for part in parts]
            results = self._run(kind, *parts, np.int32(rows))
            pieces.append([result[:rows] for result in results])
        return tuple(np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*pieces, strict=True))


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
        result = self._whole(self.inner.gradient(x, cotangent))
        self.none_gradients = self.inner.none_gradients
        return result

    def evaluate(self, points: np.ndarray) -> np.ndarray:
        return np.stack([self.forward(point) for point in points])

    def linearize(self, points: np.ndarray, cotangents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = [self.gradient(point, cotangent) for point, cotangent in zip(points, cotangents, strict=True)]
        values: dict[bytes, np.ndarray] = {}
        for point in points:
            if point.tobytes() not in values:
                values[point.tobytes()] = self.forward(point)
        return np.stack([values[point.tobytes()] for point in points]), np.stack(rows)

    def pullback(self, x: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        return np.stack([self.gradient(x, cotangent) for cotangent in cotangents])


@contextlib.contextmanager
def _converting() -> Iterator[None]:
    """While this lasts AutoGraph may use what Python 3.13 deprecates.

    Where warnings are errors (pytest's ``-W error``) it would give up, and the subject's ``if`` on a tensor fail.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*arbitrary keyword arguments is deprecated")
        yield


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


def traced(problem: Problem) -> tuple[Any, list[Any], list[Any]]:
    """The graph of a problem's function; the tensors in it that are its inputs (arguments only) and its outputs."""
    function, inputs, outputs = traced_function(problem)
    return function.graph, inputs, outputs


def traced_function(
    problem: Problem, finish: Callable[[list[Any]], Any] | None = None
) -> tuple[Any, list[Any], list[Any]]:
    """A problem's function of its flat inputs and its constants, traced for their shapes; and what `traced` gives.

    Args:
        problem: the problem.
        finish: what the function returns, made of its outputs within the graph; they themselves, flat, where omitted.
    """
    tf = tensorflow()
    plan = problem.plan
    target = plan.subject.traceable(_autographed)
    inputs: list[Any] = []
    outputs: list[Any] = []

    def body(x: Any, constants: Any) -> Any:
        tensors = _split(plan, x, None)
        components = _checked_components(plan, _call(plan, target, tensors, constants))
        inputs.extend(tensors[: plan.input_count])
        outputs.extend(tensor for _, _, tensor in components)
        return _join(outputs) if finish is None else finish(outputs)

    specs = tuple(tf.TensorSpec(shape, dtype) for dtype, shape in plan.constant_specs)
    with _converting():
        function = tf.function(body, autograph=False).get_concrete_function(
            tf.TensorSpec([plan.inputs.size], tf.float64), specs
        )
    return function, inputs, outputs


def reach(problem: Problem) -> None:
    """Trace the subject, and its gradient, once for each kind of arguments, for the variables that these reach.

    Before anything is called: afterwards nobody knows what a variable was that the call assigns. A subject that cannot
    be traced shows those only that it holds and that a tape sees.
    """
    tf = tensorflow()
    plan = problem.plan
    key = plan.key(dynamic=True)
    if key in plan.subject.reached_by:
        return
    plan.subject.reached_by.add(key)
    target = plan.subject.traceable(_autographed)
    graphs = []

    def body(x: Any, constants: Any) -> Any:
        graphs.append(tf.compat.v1.get_default_graph())
        tensors = _split(plan, x, None)
        with tf.GradientTape() as tape:
            for tensor in tensors[: plan.input_count]:
                tape.watch(tensor)
            flat = _join(
                [tensor for _, _, tensor in _checked_components(plan, _call(plan, target, tensors, constants))]
            )
        with contextlib.suppress(Exception):
            _gradients(plan, tape, tensors, flat, tf.ones_like(flat))
        return flat

    specs = tuple(tf.TensorSpec(shape, dtype) for dtype, shape in plan.constant_specs)
    # Whatever fails here fails again, and is then told, where it is needed; what was reached until then counts.
    with contextlib.suppress(Exception), _converting():
        tf.function(body, autograph=False).get_concrete_function(tf.TensorSpec([plan.inputs.size], tf.float64), specs)
    for graph in graphs:
        plan.subject.reach(captured_variables(graph))


def execution(problem: Problem, mode: str) -> Execution:
    """The execution of a problem in a mode."""
    return EagerExecution(problem) if mode == "eager" else CompiledExecution(problem, mode)
