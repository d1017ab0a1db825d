"""Each operation's registered gradient beside the slopes of its rule, at the numbers that reach it: which one is wrong.

A wrong gradient of a whole subject says nothing of where it comes from. Here every operation is asked by itself: what
it passes back for a random cotangent, times a direction, must be the cotangent times the slope of its outputs along
that direction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention, Split, TooFewTerms
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import UNIT, Pass
from gradcheck.exact.jets import Array, Jet
from gradcheck.exact.kernels import pullback
from gradcheck.exact.reference import Differentiable
from gradcheck.exact.table import RULES

__all__ = ["CUSTOM", "Checked", "check_operations"]

CUSTOM = "_gradient_op_type"
"""The attribute of an operation whose gradient is a function of the user's (`tf.custom_gradient`)."""

# Directions that are followed at once.
_DIRECTIONS = 8

# Two numbers that differ by less than this part of their terms are the same: kernels of single precision are among
# those asked.
_SAME = 1e-9
_SAME_IN_SINGLE = 1e-4

# So many roundings may a formula lose.
_ROUNDINGS = 64.0

# Operations that are asked, at most: the same one of a loop comes again in every round.
_MOST = 4096
_ROUNDS = 4


@dataclass(frozen=True)
class Checked:
    """One operation and its gradient.

    Attributes:
        node: the operation.
        outer: the operation of the main graph within which it ran; the same one outside of loops and calls.
        error: how far its gradient is off, as a part of the terms that are added up, and beyond what the customary
            formula for it loses.
        inaccuracy: the same with what the formula loses.
        finite: whether what it passes back is.
    """

    node: Node
    outer: Node
    error: float
    inaccuracy: float
    finite: bool = True


@dataclass
class _Seen:
    """Operations as they run, each with what it reads and gives."""

    main: Any
    only: str | None = None
    steps: list[tuple[Node, list[Any], list[Any]]] = field(default_factory=list)
    outers: list[Node] = field(default_factory=list)  # of the first of these, as far as they are over
    rounds: dict[tuple[str, str], int] = field(default_factory=dict)
    tied: list[Node] = field(default_factory=list)
    ties: int = 0

    def __call__(self, run: Pass, program: Any, node: Node, inputs: list[Any], found: Any) -> None:
        """As the interpreter calls it after each operation."""
        tied, self.ties = run.decisions.ties > self.ties, run.decisions.ties
        if self._counts(node, inputs):
            outputs = found if isinstance(found, list) else [found]
            self.steps.append((node, list(inputs), list(outputs)))
            self.tied += [node] if tied else []
        if program is self.main:
            self.outers += [node] * (len(self.steps) - len(self.outers))

    def _counts(self, node: Node, inputs: list[Any]) -> bool:
        if self.only not in (None, node.name) or len(self.steps) >= _MOST:
            return False
        if not any(isinstance(value, Jet) and value.d for value in inputs):
            return False
        if not _is_call(node) and not all(isinstance(value, (Jet, np.ndarray, np.generic)) for value in inputs):
            return False
        key = (node.op, node.name)
        self.rounds[key] = self.rounds.get(key, 0) + 1
        return self.rounds[key] <= _ROUNDS


def check_operations(
    function: Differentiable,
    x: Array,
    custom: Callable[[dict[str, list[Array | None]]], dict[str, list[Array | None]]],
    only: str | None = None,
) -> tuple[list[Checked], list[tuple[Node, Node]]]:
    """The gradients of all operations that something moves, in the order in which they run.

    Args:
        function: the interpreted subject.
        x: the point, ``[x_size]``.
        custom: what operations of the main graph with gradients of the user's pass back, by name, for cotangents by
            name; they live in TensorFlow's graph only. It may leave some out.
        only: name of the one operation that is asked.

    Returns:
        What was asked, and the operations that could not be, each with that of the main graph that it belongs to:
        loops and calls themselves, what has no rule or decides a tie, and gradients of the user's inside of loops and
        calls.
    """
    count = min(_DIRECTIONS, x.size)
    directions = np.eye(x.size) if count == x.size else np.random.default_rng(0).standard_normal((count, x.size))
    seen = _Seen(function.program, only)
    with contextlib.suppress(Split, TooFewTerms):  # what ran so far is known
        function.run(Pass(count, convention=Convention.USUAL, observer=seen), x, directions)
    outers = [*seen.outers, *(node for node, _, _ in seen.steps[len(seen.outers) :])]
    asked: list[Checked] = []
    left_out: list[tuple[Node, Node]] = []
    theirs = {
        node.name: _cotangents(outputs)
        for (node, _, outputs), outer in zip(seen.steps, outers, strict=True)
        if CUSTOM in node.attributes and outer is node
    }
    known = custom(theirs) if theirs else {}
    for (node, inputs, outputs), outer in zip(seen.steps, outers, strict=True):
        weights = _cotangents(outputs)
        if CUSTOM in node.attributes:
            gradients = known.get(node.name) if outer is node else None
        elif _is_call(node) or any(node is other for other in seen.tied):  # at a tie each of several slopes is right
            gradients = None
        else:
            try:
                gradients = pullback(node, [_value(value) for value in inputs], weights)
            except Exception:  # no gradient is registered, or it refuses: then it is not the one that is wrong
                gradients = None
        if gradients is None:
            left_out.append((node, outer))
            continue
        with np.errstate(all="ignore"):
            error, inaccuracy, finite = _error(node, inputs, outputs, gradients, weights, count)
        asked.append(Checked(node, outer, error, inaccuracy, finite))
    return asked, left_out


def _cotangents(outputs: Sequence[Any]) -> list[Array | None]:
    """The cotangents of an operation: always the same for outputs of the same shapes."""
    random = np.random.default_rng(len(outputs))
    weights: list[Array | None] = []
    for out in outputs:
        value = _value(out) if isinstance(out, (Jet, np.ndarray, np.generic)) else np.zeros(0, bool)
        if value.dtype.kind == "c":
            weights.append(random.standard_normal(value.shape) + 1j * random.standard_normal(value.shape))
        else:
            weights.append(random.standard_normal(value.shape) if value.dtype.kind == "f" else None)
    return weights


def _is_call(node: Node) -> bool:
    entry = RULES.get(node.op)
    return entry is None or entry.family == "calls"


def _value(value: Any) -> Array:
    return value.v if isinstance(value, Jet) else np.asarray(value)


def _error(
    node: Node,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    gradients: Sequence[Array | None],
    weights: Sequence[Array | None],
    count: int,
) -> tuple[float, float, bool]:
    """How far the two sides of an operation are apart, less and with what its formula loses; is its gradient finite?"""
    theirs, ours, terms, lost = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    entry = RULES.get(node.op)
    grain = 0.0 if entry is None else _ROUNDINGS * entry.grain * UNIT["float64"]
    weight_sum = sum(float(np.abs(w).sum()) for w in weights if w is not None)
    finite = True
    size = _norms if entry is not None and entry.matrix else _terms
    for value, gradient in zip(inputs, gradients, strict=True):
        if gradient is None:
            continue
        finite = finite and bool(np.isfinite(gradient).all())
        if isinstance(value, Jet) and value.d:
            theirs += _inner(value.d[0][:count], gradient)
            terms += size(value.d[0][:count], gradient)
            lost += grain * weight_sum * np.abs(value.d[0][:count]).reshape(count, -1).max(axis=1, initial=0.0)
    pairs: list[tuple[Any, Array | None]] = list(zip(outputs, weights, strict=True))
    if CUSTOM in node.attributes:
        # Its inputs are the results of the user's function and then the arguments of it. What comes back is the
        # gradient of the arguments: the results have none.
        pairs = [(value, w) for value, w, g in zip(inputs, weights, gradients, strict=True) if g is None]
    for value, weight in pairs:
        if isinstance(value, Jet) and value.d and weight is not None:
            ours += _inner(value.d[0][:count], weight)
            terms += size(value.d[0][:count], weight)
    known = np.isfinite(ours)
    if not known.any():
        return 0.0, 0.0, finite
    apart = np.abs(theirs - ours)[known]
    apart = np.where(np.isnan(apart), np.inf, apart)
    same = _SAME_IN_SINGLE if any(dtype in ("float32", "complex64") for dtype in node.dtypes) else _SAME
    errors = [np.fmax(off, 0.0) / np.fmax(terms[known], 1e-300) for off in (apart - lost[known], apart)]
    error, inaccuracy = (float(off.max(initial=0.0)) for off in errors)
    return error if error > same else 0.0, inaccuracy if inaccuracy > same else 0.0, finite


def _terms(slopes: Array, gradient: Array) -> Array:
    """What is added up in an inner product, in size."""
    return _inner(np.abs(slopes), np.abs(gradient))


def _norms(slopes: Array, gradient: Array) -> Array:
    """The same where rounding errors are relative to a matrix as a whole."""
    return np.asarray(np.linalg.norm(slopes.reshape(len(slopes), -1), axis=1) * np.linalg.norm(gradient))


def _inner(slopes: Array, gradient: Array) -> Array:
    """The real inner product of each direction's slopes with a gradient, as TensorFlow conjugates it."""
    return np.asarray(np.real(slopes.reshape(len(slopes), -1) @ np.conj(gradient.reshape(-1))))
