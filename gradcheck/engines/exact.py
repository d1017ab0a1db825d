"""The exact reference of a problem: its forward graph, traced once for its shapes and interpreted over jets.

Where an operation on the way has no rule, or nothing can be traced, there is no such reference, and slopes of the
whole subject are measured instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node, read
from gradcheck.exact.interpreter import Library, Pass, Program
from gradcheck.exact.jets import Array, Jet
from gradcheck.exact.kernels import wide
from gradcheck.exact.reference import Differentiable, Slopes, Unfit
from gradcheck.exact.table import NoRule
from gradcheck.execution.modes import traced_function
from gradcheck.graph.paths import line_of
from gradcheck.subject.problem import Problem

__all__ = ["FAILED", "Reference", "reference_of"]

FAILED = "the interpreter itself failed"
"""In the words of why there is no reference, where that is this project's own fault."""

# How strongly operations are shaken to sample rounding errors, in unit roundoffs of their types. Not more: what a mask
# of -1e30 absorbs answers to one unit as much as to many.
_SHAKEN = 2.0


@dataclass(frozen=True)
class _Traced:
    """A subject's graph for one signature, bound to rules."""

    program: Program
    captured: tuple[Any, ...]
    function: Any  # keeps what is captured alive
    suspects: dict[str, str] = field(default_factory=dict)


@dataclass
class Reference:
    """The exact derivative of one problem.

    Attributes:
        problem: the problem.
        function: its outputs as a function of its flat inputs.
        graph: TensorFlow's own graph of it, which knows the lines of the code.
        columns: the inputs w.r.t. which it is known that slopes can be computed.
        suspects: names of operations whose gradient was wrong on other batches, by what was wrong with it.
    """

    problem: Problem
    function: Differentiable
    graph: Any
    columns: Array
    suspects: dict[str, str] = field(default_factory=dict)
    _slopes: dict[bytes, Slopes] = field(default_factory=dict)
    _samples: dict[tuple[bytes, int, bool], Array] = field(default_factory=dict)

    def slopes(self, columns: Array) -> Slopes:
        """Slopes w.r.t. some inputs, ``[len(columns), y_size]``; computed once.

        Raises:
            gradcheck.exact.table.NoRule, gradcheck.exact.reference.Unfit: they cannot be computed.
        """
        key = columns.tobytes()
        if key not in self._slopes:
            self._slopes[key] = self.function.slopes(self.problem.x, self._units(columns))
        return self._slopes[key]

    def along(self, directions: Array) -> Slopes:
        """Slopes along directions ``[k, x_size]``."""
        return self.function.slopes(self.problem.x, directions)

    def deviation_along(self, directions: Array, samples: int) -> Array:
        """Largest of some samples of the rounding errors of slopes along directions, ``[k, y_size]``."""
        shaken = [
            np.abs(self.function.shaken(self.problem.x, directions, scale=_SHAKEN, seed=seed))
            for seed in range(1, samples + 1)
        ]
        return np.asarray(np.fmax.reduce(shaken))

    def deviation(self, columns: Array, samples: int, *, formulas: bool = True) -> Array:
        """Largest of some samples of the rounding errors of the slopes, ``[len(columns), y_size]``.

        Args:
            columns: the inputs.
            samples: how many.
            formulas: whether those are among them that customary formulas for local derivatives make, as ``1 - y²``
                for that of tanh.
        """
        units = self._units(columns)
        largest = np.zeros((len(columns), self.problem.outputs.size))
        for seed in range(1, samples + 1):
            key = (columns.tobytes(), seed, formulas)
            if key not in self._samples:
                shaken = self.function.shaken(self.problem.x, units, scale=_SHAKEN, seed=seed, formulas=formulas)
                self._samples[key] = np.abs(shaken)
            largest = np.fmax(largest, self._samples[key])
        return largest

    def where_digits_are_lost(self, output: int) -> str:
        """The operation that loses the digits of an output, in words: its kind and the line that made it."""
        return self._described(self.function.loudest(self.problem.x, output))

    def where_it_ties(self, columns: Array) -> str:
        """The first operation that decides a tie, in words."""
        places = self.slopes(columns).places
        return self._described(self.function.operation(self.problem.x, places[0])) if places else ""

    def opaque(self) -> str:
        """The operations without a rule whose own slopes were measured, in words; empty where there is none."""
        words = []
        for name in self.slopes(self.columns).opaque[:3]:
            try:
                operation = self.graph.get_operation_by_name(name)
            except (KeyError, ValueError):  # it stands in an inner function
                words.append(name)
            else:
                words.append(f"{operation.type}{line_of(operation)}")
        return ", ".join(words)

    def _described(self, found: tuple[Node, Node] | None) -> str:
        if found is None:
            return ""
        inner, outer = found
        return f"{inner.op}{self.line(outer)}"

    def line(self, node: Node) -> str:
        """The line of the user's code that made an operation of the main graph, in brackets; empty if not known."""
        try:
            return line_of(self.graph.get_operation_by_name(node.name))
        except (KeyError, ValueError):
            return ""

    def _units(self, columns: Array) -> Array:
        units = np.zeros((len(columns), self.problem.x.size))
        units[np.arange(len(columns)), columns] = 1.0
        return units


def reference_of(problem: Problem, columns: Array) -> Reference | str:
    """The exact reference of a problem w.r.t. some inputs, or why there is none.

    The graph is traced and bound to rules once for each signature of the subject.
    """
    found = _bound(problem, columns)
    if isinstance(found, str):
        return found
    try:
        found.slopes(columns)
    except (NoRule, Unfit) as missing:
        return str(missing)
    except Exception as error:  # a fault of ours is no fault of the subject, and measured slopes are there
        return f"{FAILED} ({error!r}); please report it"
    return found


def _bound(problem: Problem, columns: Array) -> Reference | str:
    cache = problem.subject.references
    key = problem.plan.key(dynamic=False)
    if key not in cache:
        cache[key] = _trace(problem)
    traced = cache[key]
    if isinstance(traced, str):
        return traced
    plan = problem.plan
    handles = {id(variable.handle): number for number, variable in enumerate(plan.variables)}
    states = {
        id(variable.handle): wide(value) for variable, value in zip(plan.state, problem.state_values, strict=False)
    }
    constants = [wide(np.asarray(constant.numpy())) for constant in problem.constants]
    captured = [(item, id(item)) for item in traced.captured]
    blocks = plan.inputs.blocks[plan.input_count :]

    def arguments(run: Pass, x: Jet) -> list[Any]:
        for _, identity in captured:
            if identity in handles:
                run.resources[identity] = _part(x, blocks[handles[identity]])
            elif identity in states:
                run.resources[identity] = states[identity]
        return [x, *constants, *(item if _is_handle(item) else wide(item.numpy()) for item, _ in captured)]

    return Reference(
        problem, Differentiable(traced.program, arguments), traced.function.graph, columns, traced.suspects
    )


def _is_handle(item: Any) -> bool:
    return item.dtype.name in ("resource", "variant")


def _part(x: Jet, block: Any) -> Jet:
    """A variable out of the flat vector."""
    where = slice(block.start, block.stop)

    def shaped(a: Array, lead: int) -> Array:
        flat = a[..., where]
        if block.is_complex:
            flat = flat[..., 0::2] + 1j * flat[..., 1::2]
        return flat.reshape((*a.shape[:lead], *block.shape))

    return Jet(shaped(x.v, 0), tuple(shaped(c, 1) for c in x.d))


def _trace(problem: Problem) -> _Traced | str:
    import gradcheck.exact.rules  # noqa: F401  (fills the table)

    try:
        function, _, _ = traced_function(problem)
        graph = read(function)
        return _Traced(Program(graph.main, Library(graph)), graph.captured, function)
    except NoRule as missing:
        return str(missing)
    except Exception as error:
        # A subject that cannot be traced is no different from one of a single operation without a rule.
        return f"the subject cannot be traced: {type(error).__name__}"
