"""The interpreter: runs a graph over jets. Operations are looked up once; a run reads nothing but slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention, Decided, Decisions
from gradcheck.exact.graph import Function, Graph, Node, op_def
from gradcheck.exact.jets import Jet
from gradcheck.exact.kernels import kernel, wide
from gradcheck.exact.opaque import opaque
from gradcheck.exact.table import RULES, Bound, NoRule, Rule

__all__ = ["UNIT", "Library", "Pass", "Program"]

# Unit roundoff of each type.
UNIT = {
    "float64": 2.0**-53,
    "complex128": 2.0**-53,
    "float32": 2.0**-24,
    "complex64": 2.0**-24,
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}

_POOL = np.random.default_rng(20261201).standard_normal(1 << 14)


class Pass:
    """One run of a program: along which directions, how through ties, and with which rounding errors.

    Attributes:
        decisions: how ties are gone through.
        directions: how many directions count.
        lanes: how many further directions carry samples of the rounding errors of values.
        order: highest order of the coefficients.
        shaken: rounding errors are made, in units of each type's unit roundoff, in values and coefficients alike: the
            difference from a pass without is a sample of the rounding errors of derivatives (Monte Carlo arithmetic,
            Parker 1997). 0: none are made.
        formulas: whether the rounding errors of customary formulas for local derivatives (`Rule.grain`) are among them.
        only: numbers of the operations that round, in the order of execution; all where None.
        observer: called after each operation, with the pass, the program, the operation, its inputs and what it gave.
        resources: values of variables by the identity of their handle; assignments change them.
        opaque: names of the operations whose slopes were measured, with the error of these as a part of the largest.
        executed: how many operations ran.
        coarsest: the largest unit roundoff that any of them computed with.
    """

    def __init__(
        self,
        directions: int,
        *,
        lanes: int = 0,
        order: int = 1,
        convention: Convention = Convention.ALONG,
        shaken: float = 0.0,
        seed: int = 0,
        formulas: bool = True,
        only: range | None = None,
        observer: Callable[[Pass, Program, Node, list[Any], Any], None] | None = None,
    ) -> None:
        self.decisions = Decisions(convention, directions, seed)
        self.directions = directions
        self.lanes = lanes
        self.order = order
        self.shaken = shaken
        self.formulas = formulas
        self.only = only
        self.observer = observer
        self.resources: dict[int, Any] = {}
        self.opaque: dict[str, float] = {}
        self.executed = 0
        self.coarsest = 0.0
        self._offset = (seed * 7919) % len(_POOL)

    def deviations(self, *shape: int) -> np.ndarray:
        """Standard normal numbers from a fixed pool: always the same for the same seed and program."""
        count = int(np.prod(shape, dtype=int))
        start = self._offset
        self._offset = (start + count + 1) % len(_POOL)
        if start + count <= len(_POOL):
            return _POOL[start : start + count].reshape(shape)
        return np.resize(np.roll(_POOL, -start), shape)

    def moving(self, value: np.ndarray, directions: np.ndarray) -> Jet:
        """A value that moves along directions ``[directions, *shape]``, with lanes without rounding errors so far."""
        first = np.zeros((self.directions + self.lanes, *value.shape))
        first[: self.directions] = directions
        higher = (np.zeros_like(first),) * (self.order - 1)
        return Jet(value, (first, *higher))

    def rounded(self, x: Jet, unit: float, size: np.ndarray | None, entry: Rule | None, inputs: Sequence[Any]) -> Jet:
        """A result with the rounding errors of the operation that computed it.

        Args:
            x: the result.
            unit: unit roundoff of its type.
            size: what the rounding errors are relative to; the result itself where None.
            entry: the rule of the operation; None for what disturbs a matrix as a whole.
            inputs: of the operation.
        """
        self.coarsest = max(self.coarsest, unit)
        if self.lanes:
            first = x.d[0]
            shape = first.shape[1:]
            with np.errstate(invalid="ignore", over="ignore"):
                errors = self.deviations(self.lanes, *shape) * (unit * np.abs(x.v if size is None else size))
                errors[~np.isfinite(errors)] = 0.0
            lanes = first[self.directions :] + errors
            x = Jet(x.v, (np.concatenate([first[: self.directions], lanes]), *x.d[1:]))
        if self.shaken:
            scale = self.shaken * unit
            with np.errstate(invalid="ignore", over="ignore"):
                off = np.abs(x.v if size is None else size)
                v = x.v + scale * np.where(np.isfinite(off), off, 0.0) * self.deviations(*x.v.shape)
                d = tuple(c * (1 + scale * self.deviations(*c.shape)) for c in x.d)
                if entry is not None and entry.grain and self.formulas:
                    moved = next(i for i in inputs if isinstance(i, Jet) and i.d)
                    coarse = _gathered(moved.d[0], d[0].shape)
                    d = (d[0] + scale * entry.grain * self.deviations(*d[0].shape) * coarse, *d[1:])
                if entry is not None and entry.matrix and self.formulas and x.v.ndim:
                    axes = tuple(range(-min(2, x.v.ndim), 0))
                    whole = np.sqrt(np.mean(np.square(np.abs(d[0])), axis=axes, keepdims=True)) if x.v.size else 0.0
                    d = (d[0] + scale * self.deviations(*d[0].shape) * whole, *d[1:])
            x = Jet(v, d)
        return x

    def passed_back(self, x: Any, unit: float) -> Any:
        """A value that several operations read, as one of them reads it.

        What each of them passes back is added up, and rounds relative to itself: where it cancels, little is left.
        """
        if type(x) is not Jet or not x.d:
            return x
        with np.errstate(invalid="ignore", over="ignore"):
            return Jet(x.v, tuple(c * (1 + self.shaken * unit * self.deviations(*c.shape)) for c in x.d))


def _gathered(moved: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """How much the inputs move of which a result is made, ``shape``: a loss is made of all that stands behind its axes.

    Args:
        moved: ``[directions, *input_shape]``.
        shape: ``[directions, *output_shape]``.
    """
    if moved.shape == shape:
        return moved
    behind = len(shape) if moved.shape[: len(shape)] == shape else 1
    size = np.sqrt(np.sum(np.square(np.abs(moved)), axis=tuple(range(behind, moved.ndim))))
    return np.asarray(size.reshape(*size.shape, *(1,) * (len(shape) - size.ndim)))


class Program:
    """A function of a graph, bound to its rules.

    Attributes:
        count: how many arguments it takes.
    """

    def __init__(self, function: Function, library: Library, fixed: dict[int, Any] | None = None) -> None:
        self.count = len(function.inputs)
        self._inputs = function.inputs
        self._outputs = function.outputs
        self._start: list[Any] = [None] * function.slots
        self._steps: list[tuple[Any, ...]] = []
        self.nodes: list[Node] = []
        known: set[int] = set()
        needed = _needed(function)
        shared = _shared(function, needed)
        for node in function.nodes:
            if node.name not in needed or node.op == "Placeholder":  # an argument
                continue
            bound = library.bind(node)
            entry = RULES.get(node.op)
            if all(slot in known for slot in node.inputs) and node.op not in _STATEFUL and bound is not None:
                try:
                    found = bound(_STILL, *(self._start[slot] for slot in node.inputs))
                except NoRule:
                    raise
                except Exception:
                    found = _FAILED  # it fails again, and is told, where it runs
                if found is not _FAILED and not _has_state(found):
                    for slot, value in zip(node.outputs, _listed(found, len(node.outputs)), strict=False):
                        self._start[slot] = value
                        known.add(slot)
                    continue
            unit = UNIT.get(node.dtypes[0], 0.0) if node.dtypes else 0.0
            if entry is None or entry.moves_only:
                unit = 0.0
            self.nodes.append(node)
            self._steps.append(
                (
                    bound,
                    node.inputs,
                    node.outputs[0] if len(node.outputs) == 1 else None,
                    node.outputs,
                    unit,
                    entry,
                    entry is not None and entry.decisions,
                    getattr(bound, "terms", None),
                    tuple((place, shared[slot]) for place, slot in enumerate(node.inputs) if slot in shared),
                    node,
                )
            )

    def __call__(self, run: Pass, arguments: Sequence[Any]) -> list[Any]:
        """Run it.

        Args:
            run: the pass.
            arguments: jets, arrays, handles, in the order of the function's inputs.

        Raises:
            NoRule: an operation that something moves has no rule.
            gradcheck.exact.decisions.Split: directions have to be run in groups.
        """
        slots = self._start.copy()
        for slot, argument in zip(self._inputs, arguments, strict=True):
            slots[slot] = argument
        rounds = bool(run.lanes or run.shaken)
        decisions, only = run.decisions, run.only
        for bound, inputs, single, outputs, unit, entry, takes_decisions, terms, shared, node in self._steps:
            values = [slots[slot] for slot in inputs]
            if run.shaken and shared and (only is None or run.executed in only):
                for place, level in shared:
                    values[place] = run.passed_back(values[place], level)
            if not takes_decisions:
                for place, value in enumerate(values):
                    if type(value) is Decided:
                        values[place] = decisions.settled(value)
            decisions.now = run.executed
            run.executed += 1
            found = bound(run, *values)
            if run.observer is not None:
                run.observer(run, self, node, values, found)
            if rounds and unit and (only is None or decisions.now in only):
                size = terms(*values) if terms is not None else None
                if single is not None:
                    if type(found) is Jet and found.d:
                        found = run.rounded(found, unit, size, entry, values)
                elif isinstance(found, list):
                    sizes = size if isinstance(size, list) else [None] * len(found)
                    found = [
                        run.rounded(part, unit, its, entry, values) if type(part) is Jet and part.d else part
                        for part, its in zip(found, sizes, strict=True)
                    ]
            if single is not None:
                slots[single] = found
            elif outputs:
                for slot, value in zip(outputs, found, strict=True):
                    slots[slot] = value
        return [slots[slot] for slot in self._outputs]


_FAILED = object()
_STILL = Pass(0)


def _has_state(found: Any) -> bool:
    items = found if isinstance(found, list) else [found]
    return any(not isinstance(item, (np.ndarray, np.generic, Jet)) for item in items)


def _listed(found: Any, count: int) -> list[Any]:
    return [found] if count == 1 else list(found)


# Functions in Python. They count as having a state, but may have none.
_PYTHON = frozenset(["EagerPyFunc", "PyFunc"])

# Kinds that must run anew every time, though nothing that they read changes.
_STATEFUL = frozenset(
    ["ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp", "VarHandleOp", "While", "If"]
)
_EFFECTS = frozenset(
    ["AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"]
    + [f"ResourceScatter{kind}" for kind in ("Add", "Sub", "Mul", "Div", "Update", "NdAdd", "NdSub", "NdUpdate")]
)


def _needed(function: Function) -> set[str]:
    """Names of the operations that the results need, or that change a variable."""
    makers = {slot: node for node in function.nodes for slot in node.outputs}
    stack = [makers[slot] for slot in function.outputs if slot in makers]
    stack += [node for node in function.nodes if node.op in _EFFECTS or _calls_effects(node)]
    needed: set[str] = set()
    while stack:
        node = stack.pop()
        if node.name in needed:
            continue
        needed.add(node.name)
        stack += [makers[slot] for slot in node.inputs if slot in makers]
    return needed


def _shared(function: Function, needed: set[str]) -> dict[int, float]:
    """The slots that several operations read, each with the unit roundoff of its type."""
    units = {
        slot: UNIT.get(dtype, 0.0) for n in function.nodes for slot, dtype in zip(n.outputs, n.dtypes, strict=True)
    }
    readers: dict[int, int] = {}
    for node in function.nodes:
        if node.name in needed:
            for slot in node.inputs:
                readers[slot] = readers.get(slot, 0) + 1
    return {slot: units[slot] for slot, count in readers.items() if count > 1 and units.get(slot)}


def _calls_effects(node: Node) -> bool:
    """Whether it may change a variable: it is a stateful call that is given a handle."""
    return node.op in ("StatefulPartitionedCall", "While", "If") and "resource" in (
        node.attributes.get("Tin", ()) or node.attributes.get("T", ()) or ()
    )


class Library:
    """The functions of a graph as programs, each bound when it is first called.

    Attributes:
        missing: kinds of operations without a rule; their slopes are measured where something that they read moves.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.missing: set[str] = set()
        self._programs: dict[str, Program] = {}

    def program(self, name: str) -> Program:
        """An inner function."""
        if name not in self._programs:
            self._programs[name] = Program(self.graph.function(name), self)
        return self._programs[name]

    def bind(self, node: Node) -> Bound:
        """The rule of an operation, or TensorFlow's kernel for values that stand still."""
        entry = RULES.get(node.op)
        if entry is None:
            return self._unmoved(node)
        if entry.family == "calls":
            return entry.bind(node, self)  # type: ignore[call-arg]
        return entry.bind(node)

    def _unmoved(self, node: Node) -> Bound:
        """TensorFlow's kernel; where something moves, slopes are measured on it.

        Raises:
            NoRule: when it runs on something that moves and cannot be measured.
        """
        self.missing.add(node.op)
        made: list[Any] = []

        def run(p: Pass, *inputs: Any) -> Any:
            if any(not isinstance(value, (np.ndarray, np.generic, Jet)) for value in inputs):
                raise NoRule(node.op, node.name, "it works on a resource")
            if op_def(node.op).is_stateful and node.op not in _PYTHON:
                raise NoRule(node.op, node.name, "it has a state of its own")
            if not made:
                made.append(kernel(node))
                made.append(opaque(node, made[0]))
            if any(isinstance(value, Jet) and value.d for value in inputs):
                return made[1](p, *inputs)
            return made[0](*(value.v if isinstance(value, Jet) else wide(value) for value in inputs))

        run.graph = self.graph  # type: ignore[attr-defined]  # keeps functions in Python alive
        return run
