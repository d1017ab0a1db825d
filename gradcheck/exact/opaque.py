"""Operations without a rule, such as a `tf.py_function`: their derivative is measured, on that operation alone.

The ladder of steps is that of `gradcheck.numerics`, around the values that the operation is given at the point. What
comes out is a first derivative with an estimate of its error; everything around the operation stays exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gradcheck.exact.decisions import Convention, Decisions
from gradcheck.exact.graph import Node
from gradcheck.exact.jets import Array, Jet
from gradcheck.exact.kernels import wide
from gradcheck.exact.table import Bound, NoRule

if TYPE_CHECKING:
    from gradcheck.numerics import Refined

__all__ = ["opaque"]

# Inputs of the operation up to which its whole Jacobian is measured, once for all passes at a point.
_FEW = 64

# Slopes with a larger error, as a part of the largest slope, are no evidence.
_LARGEST_ERROR = 1e-3

# How far beside a point an operation that returns integers is asked what it decides, as a part of its inputs.
_BESIDE = 2.0**-40


class _Run(Protocol):
    """What is read of a `gradcheck.exact.interpreter.Pass`, which imports this module."""

    decisions: Decisions
    directions: int
    lanes: int
    shaken: float
    only: range | None
    coarsest: float
    opaque: dict[str, float]

    def deviations(self, *shape: int) -> Array: ...


def opaque(node: Node, call: Callable[..., Any]) -> Bound:
    """A rule that measures.

    Args:
        node: the operation.
        call: its kernel, of arrays.

    Returns:
        A rule that raises `NoRule` where slopes cannot be measured: the operation gives other values when it is called
        again, has no slope there, or computes so coarsely that none can be seen.
    """
    last: list[_Local] = []

    def run(p: _Run, *inputs: Any) -> Any:
        moving = [k for k, x in enumerate(inputs) if isinstance(x, Jet) and x.d]
        if any(len(inputs[k].d) > 1 for k in moving):
            raise NoRule(node.op, node.name, "only its first derivative can be measured")
        point = [x.v if isinstance(x, Jet) else wide(x) for x in inputs]
        if not last or not last[0].same(point, moving):
            last[:] = [_Local(node, call, point, moving)]
        local = last[0]
        directions = np.concatenate([_real(inputs[k].d[0]) for k in moving], axis=1)
        if local.value.size == 0:
            return local.filled(p, directions, np.zeros((len(directions), 0)))
        slopes, error = local.along(p, directions)
        size = np.abs(slopes[np.isfinite(slopes)]).max(initial=0.0)
        relative = float(error.max(initial=0.0) / size) if size else 0.0
        if relative > _LARGEST_ERROR:
            raise NoRule(node.op, node.name, f"its slopes were measured with an error of {100 * relative:.2g} %")
        p.opaque[node.name] = max(relative, p.opaque.get(node.name, 0.0))
        rounds = p.only is None or p.decisions.now in p.only
        if (p.lanes or p.shaken) and rounds:
            p.coarsest = max(p.coarsest, local.unit)
        if p.lanes and rounds:
            slopes[p.directions :] += local.noise * p.deviations(p.lanes, local.value.size)
        if p.shaken and rounds:
            slopes = slopes + p.shaken * error * p.deviations(*slopes.shape)
        return local.filled(p, directions, slopes)

    return run


def _real(coefficient: Array) -> Array:
    """``[directions, numbers]``; a complex number is two."""
    rows = np.ascontiguousarray(coefficient).reshape(len(coefficient), -1)
    return rows.view(np.float64) if np.iscomplexobj(rows) else rows


def _flat(arrays: Sequence[Array]) -> Array:
    rows = [_real(np.asarray(array)[None])[0] for array in arrays]
    return np.concatenate(rows) if rows else np.zeros(0)


class _Local:
    """An operation around the values that it is given.

    Attributes:
        value: its floating-point outputs as one vector of real numbers.
        noise: standard deviation of their rounding errors.
    """

    @property
    def unit(self) -> float:
        """Unit roundoff of the precision in which it computes."""
        return self._eps / 2

    def __init__(self, node: Node, call: Callable[..., Any], point: list[Any], moving: list[int]) -> None:
        self.node, self._call, self._point, self._moving = node, call, point, moving
        self._x = _flat([point[k] for k in moving])
        self._outputs = self._listed(point)
        again = self._listed(point)
        if any(
            not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(self._outputs, again, strict=True)
        ):
            raise NoRule(node.op, node.name, "it gives other values when it is called again")
        self._floats = [k for k, output in enumerate(self._outputs) if output.dtype.kind in "fc"]
        self.value = _flat([self._outputs[k] for k in self._floats])
        self.noise = np.zeros(self.value.shape)
        self._eps = 2.0**-52
        self._jacobian: Refined | None = None
        if self.value.size:
            self._listen()

    def same(self, point: list[Any], moving: list[int]) -> bool:
        """Whether it is given what it was given before."""
        return moving == self._moving and all(np.array_equal(a, b) for a, b in zip(point, self._point, strict=True))

    def _listed(self, inputs: Sequence[Any]) -> list[Array]:
        found = self._call(*inputs)
        return [np.asarray(part) for part in (found if isinstance(found, list) else [found])]

    def _at(self, x: Array) -> list[Any]:
        """The inputs with other numbers in the place of those that move."""
        inputs, start = list(self._point), 0
        for k in self._moving:
            array = np.asarray(self._point[k])
            count = array.size * (2 if np.iscomplexobj(array) else 1)
            part = x[start : start + count]
            inputs[k] = (part.view(np.complex128) if np.iscomplexobj(array) else part).reshape(array.shape)
            start += count
        return inputs

    def _evaluated(self, points: Array) -> Array:
        """Values at points ``[…, numbers]``; NaN where the operation fails."""
        flat = points.reshape(-1, points.shape[-1])
        found = np.full((len(flat), self.value.size), np.nan)
        for number, x in enumerate(flat):
            try:
                outputs = self._listed(self._at(x))
            except Exception:  # what it does not accept is outside of its domain
                continue
            row = _flat([outputs[k] for k in self._floats])
            if row.size == self.value.size:
                found[number] = row
        return found.reshape(*points.shape[:-1], self.value.size)

    def _listen(self) -> None:
        """Measure the rounding errors, and with them the precision in which the operation computes."""
        from gradcheck.numerics.noise import measured_eps, noise_level, noise_points

        types = {self.node.dtypes[k] for k in self._floats}
        if types & {"float32", "complex64"}:
            self._eps = 2.0**-23
        elif types & {"bfloat16", "float16"}:
            raise NoRule(self.node.op, self.node.name, "its precision is too low for slopes to be measured")
        samples = self._evaluated(noise_points(self._x, eps=self._eps))
        self.noise = noise_level(self.value, samples, eps=self._eps)
        self._eps = max(self._eps, measured_eps(np.abs(self.value), self.noise, eps=self._eps))

    def _measured(self, directions: Array) -> Refined:
        """Slopes along directions whose largest entry has size 1."""
        from gradcheck.numerics import refine
        from gradcheck.numerics.steps import refine_steps

        scale = np.max(np.where(directions != 0, np.abs(self._x), 0.0), axis=1)
        steps = refine_steps(scale, eps=min(self._eps, 2.0**-6))
        offsets = steps[:, :, None] * directions
        plus, minus = self._evaluated(self._x + offsets), self._evaluated(self._x - offsets)
        found = refine(self.value, plus, minus, steps, self.noise)
        self._check(found)
        return found

    def _check(self, found: Refined) -> None:
        from gradcheck.numerics import Kind

        if (found.kind == Kind.UNRESOLVED).any():
            raise NoRule(self.node.op, self.node.name, "no step size gives a slope that shorter ones confirm")

    def along(self, p: _Run, directions: Array) -> tuple[Array, Array]:
        """Slopes along directions, and their errors, ``[directions, outputs]``."""
        from gradcheck.numerics import Kind

        if self._x.size <= max(_FEW, len(directions)):
            if self._jacobian is None:
                self._jacobian = self._measured(np.eye(self._x.size))
            found = self._jacobian
            corners = found.kind != Kind.SMOOTH
            if corners.any():
                count = int(corners.any(axis=0).sum())
                p.decisions.note(count, count)  # a measured corner is never exact
            if not corners.any() or p.decisions.convention is not Convention.ALONG:
                slopes = self._by_convention(p, found)
                error = np.where(np.isfinite(found.error), found.error, 0.0)
                return directions @ slopes, np.abs(directions) @ error
        size = np.abs(directions).max(axis=1, initial=0.0)
        moving = size > 0
        slopes, error = np.zeros((2, len(directions), self.value.size))
        if moving.any():
            found = self._measured(directions[moving] / size[moving, None])
            side = np.where(found.kind == Kind.SMOOTH, found.value, found.right)
            one = self._by_convention(p, found) if p.decisions.convention is not Convention.ALONG else side
            one = np.where(found.kind == Kind.JUMP, np.nan, one)
            if (found.kind != Kind.SMOOTH).any():
                count = int((found.kind != Kind.SMOOTH).any(axis=0).sum())
                p.decisions.note(count, count)
            slopes[moving] = size[moving, None] * one
            wrong = np.where(found.kind == Kind.SMOOTH, found.error, found.side_error)
            error[moving] = size[moving, None] * np.where(np.isfinite(wrong), wrong, 0.0)
        return slopes, error

    def _by_convention(self, p: _Run, found: Refined) -> Array:
        from gradcheck.numerics import Kind

        smooth = found.kind == Kind.SMOOTH
        if smooth.all():
            return np.array(found.value)
        low, high = np.fmin(found.left, found.right), np.fmax(found.left, found.right)
        share: Any = {Convention.LOW: 0.0, Convention.HIGH: 1.0}.get(p.decisions.convention, 0.5)
        if p.decisions.convention is Convention.RANDOM:
            share = (p.deviations(*low.shape) > 0).astype(np.float64)
        return np.where(smooth, found.value, low + share * (high - low))

    def filled(self, p: _Run, directions: Array, slopes: Array) -> Any:
        """The outputs, with their slopes."""
        results: list[Any] = []
        start = 0
        beside: list[list[Array]] | None = None
        for k, output in enumerate(self._outputs):
            if k in self._floats:
                width = output.size * (2 if np.iscomplexobj(output) else 1)
                rows = np.ascontiguousarray(slopes[:, start : start + width])
                start += width
                rows = rows.view(np.complex128) if np.iscomplexobj(output) else rows
                results.append(Jet(output, (rows.reshape(len(rows), *output.shape),)))
            elif p.decisions.convention is Convention.ALONG and p.directions:
                beside = self._beside(directions[: p.directions]) if beside is None else beside
                results.append(self._decided(p, output, [row[k] for row in beside]))
            else:
                results.append(output)
        return results if len(results) > 1 else results[0]

    def _beside(self, directions: Array) -> list[list[Array]]:
        """All outputs a little further along each direction."""
        scale = _BESIDE * max(1.0, float(np.abs(self._x).max(initial=0.0)))
        size = np.maximum(np.abs(directions).max(axis=1, initial=0.0), np.finfo(float).tiny)
        return [self._listed(self._at(self._x + scale * row / by)) for row, by in zip(directions, size, strict=True)]

    def _decided(self, p: _Run, at: Array, rows: list[Array]) -> Any:
        if any(row.shape != at.shape for row in rows):
            raise NoRule(self.node.op, self.node.name, "the shape of its output changes beside the point")
        if all(np.array_equal(row, at) for row in rows):
            return at
        p.decisions.note(1, 1)
        return p.decisions.decided(at, np.stack(rows))
