"""The whole method on one Jacobian, given a function that evaluates many points at once.

``evaluate(points [k, x_size]) -> outputs [k, y_size]`` is all that is asked of a subject; an engine makes it
one compiled call. There are up to three rounds: noise and screen together, the ladder for the directions that need
it, and a second look next to the point at what would be called wrong; each in pieces of at most `max_points` points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.judgement import Judgement, Measured, Status, judge, passes_screen
from gradcheck.numerics.ladder import Refined, refine
from gradcheck.numerics.noise import FINEST_INSIDE, noise_level, noise_line, rounding_eps
from gradcheck.numerics.screening import NOISE_FACTOR, screen
from gradcheck.numerics.steps import FLOAT64_EPS, refine_steps, screen_steps

__all__ = ["compare", "typical_slope"]

# Steps are never made for less precision than this machine epsilon.
_COARSEST = 2.0**-6

Array = NDArray[np.float64]
Evaluate = Callable[[Array], Any]


def compare(
    evaluate: Evaluate,
    x: Any,
    theoretical: Any,
    *,
    directions: Any = None,
    eps: float = FLOAT64_EPS,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    resolution_limit: float | None = None,
    max_points: int = 4096,
) -> Judgement:
    """Compare theoretical derivatives with measured ones.

    Args:
        evaluate: the function, on many points at once: ``[k, x_size]`` to ``[k, y_size]``.
        x: the point, ``[x_size]``.
        theoretical: derivatives of the outputs along the directions, ``[n_directions, y_size]``; for the
            default directions that is the Jacobian ``[y_size, x_size]`` transposed.
        directions: ``[n_directions, x_size]``, of a size of about 1 in every coordinate. None: the unit
            vectors.
        eps: machine epsilon of the dtype in which ``evaluate`` computes.
        seed: of the noise measurement.
        rtol, atol, resolution_limit: as for `gradcheck.numerics.judge`.
        max_points: most points in one call of ``evaluate``.

    Raises:
        InputError: the shapes do not belong together.
    """
    lines = _Lines.of(evaluate, x, directions, max_points)
    steps = screen_steps(lines.along, eps=eps)
    offsets, line = noise_line(lines.point, eps=eps, seed=seed)
    # The point, the noise probes, the sides: all of them in as few calls as there can be.
    probes = lines.point + np.concatenate([[0.0], offsets])[:, np.newaxis] * line
    probes[0] = lines.point  # adding 0 would turn -0.0 into 0.0
    out, plus, minus = lines.sides(steps, before=probes)
    center, samples = out[0], out[1:]
    noise = noise_level(center, samples, eps=eps)
    levels = rounding_eps(center, samples, noise, eps=eps)

    estimate = screen(center, plus, minus, steps, noise)
    theory = np.asarray(theoretical, np.float64)
    screened = passes_screen(theory, estimate, eps=eps)
    todo = np.asarray(~screened.all(axis=1))
    # Steps that a lower precision inside swallows say nothing.
    inside = float(np.median(levels)) if levels.size else eps
    inside = min(inside, _COARSEST) if inside > FINEST_INSIDE else eps
    refined = _on_the_ladder(lines, todo, center, noise, theory, inside) if todo.any() else None
    measured = Measured.of(estimate, screened, refined, todo)
    scale = typical_slope(lines.point, center)
    tolerance = {"rtol": rtol, "atol": atol, "resolution_limit": resolution_limit}
    found = judge(theory, measured, eps=levels, scale=scale, **tolerance)
    doubtful = _another_slope_nearby(lines, found, theory, noise, levels)
    if not doubtful.any():
        return found
    disputed = replace(measured.slopes, disputed=measured.slopes.disputed | doubtful)
    return judge(theory, replace(measured, slopes=disputed), eps=levels, scale=scale, **tolerance)


def typical_slope(point: Array, center: Array) -> Array:
    """Output by input, for outputs whose gradient gives no scale: what a slope is usually as large as; 1 where zero."""
    size = np.where(np.isfinite(center), np.abs(center), 0.0)
    reach = max(1.0, float(np.abs(point[np.isfinite(point)]).max(initial=0.0)))
    return np.asarray(np.where(size > 0, size / reach, 1.0))


class _Lines:
    """Lines through one point, along which a function is evaluated.

    Attributes:
        point: ``[x_size]``.
        ways: directions of the lines ``[n, x_size]``.
        along: the coordinate that decides how long steps are ``[n]``.
    """

    def __init__(self, evaluate: Evaluate, point: Array, ways: Array, along: Array, most: int) -> None:
        self._evaluate, self._most = evaluate, most
        self.point, self.ways, self.along = point, ways, along

    @classmethod
    def of(cls, evaluate: Evaluate, x: Any, directions: Any, most: int) -> _Lines:
        point = np.asarray(x, np.float64)
        if point.ndim != 1:
            raise InputError(f"the point must be a flat vector [x_size], got shape {point.shape}; ravel it first")
        ways = np.eye(point.size) if directions is None else np.asarray(directions, np.float64)
        if ways.ndim != 2 or ways.shape[1] != point.size:
            raise InputError(f"directions must be [n_directions, x_size] with x_size {point.size}, got {ways.shape}")
        # A direction moves every coordinate, so its steps are those of a coordinate of typical size.
        finite = np.abs(point[np.isfinite(point)])  # poisoned padding is no direction's
        typical = np.full(ways.shape[0], np.median(finite) if finite.size else 0.0)
        return cls(evaluate, point, ways, point if directions is None else typical, most)

    def some(self, chosen: NDArray[np.bool_] | slice, point: Array | None = None) -> _Lines:
        """Some of the lines, through another point where one is given."""
        at = self.point if point is None else point
        return _Lines(self._evaluate, at, self.ways[chosen], self.along[chosen], self._most)

    def groups(self, count: int) -> list[slice]:
        """Parts of the lines so small that ``count`` steps to both sides are one call."""
        size = max(1, self._most // (2 * count))
        return [slice(start, start + size) for start in range(0, len(self.ways), size)]

    def sides(self, steps: Array, before: Array | None = None) -> tuple[Array, Array, Array]:
        """Outputs at ``before``, and at every step ``[count, n]`` to both sides ``[count, n, y_size]``."""
        count, size = steps.size, self.point.size
        offsets = (steps[:, :, np.newaxis] * self.ways).reshape(count, size)
        first = np.zeros((0, size)) if before is None else before
        total, pieces = len(first) + 2 * count, []
        # Points are made a piece at a time: never all of them at once.
        for start in range(0, max(total, 1), self._most):
            which = np.arange(start, min(start + self._most, total)) - len(first)
            sides = which[which >= 0]
            points = self.point + np.where(sides < count, 1.0, -1.0)[:, np.newaxis] * offsets[sides % max(count, 1)]
            pieces.append(self._values(np.concatenate([first[which[which < 0] + len(first)], points])))
        out = np.concatenate(pieces)
        plus, minus = out[len(first) :].reshape(2, *steps.shape, *out.shape[1:])
        return out[: len(first)], plus, minus

    def _values(self, points: Array) -> Array:
        return np.asarray(self._evaluate(points), np.float64)


def _on_the_ladder(
    lines: _Lines, todo: NDArray[np.bool_], center: Array, noise: Array, theory: Array, eps: float
) -> Refined:
    """What the ladder finds along the lines of which ``todo`` is true."""
    chosen, wanted = lines.some(todo), theory[todo]
    ladder = refine_steps(chosen.along, eps=eps)
    parts = []
    for group in chosen.groups(len(ladder)):
        _, plus, minus = chosen.some(group).sides(ladder[:, group])
        parts.append(refine(center, plus, minus, ladder[:, group], noise, theoretical=wanted[group]))
    return Refined(*(np.concatenate([getattr(part, name) for part in parts]) for name in Refined.__dataclass_fields__))


# How many places next to the point are looked at, and how far away they lie, in roots of the machine epsilon and
# relative to a coordinate, or to 1 where that is 0. Steps there are so many times shorter.
_PLACES = 6
_NEXT_TO = 2.0**-4
_SHORTER = 8.0


def _another_slope_nearby(
    lines: _Lines, found: Judgement, theory: Array, noise: Array, levels: Array
) -> NDArray[np.bool_]:
    """Mismatches of which the slope is another one next to the point, with every coordinate moved a little.

    At a tie, a corner or a value that stands in for a hole the slope at the point is one of several, and the gradient
    may be another of them. What holds at the point and next to it is a slope.
    """
    wrong = found.status == Status.MISMATCH
    result = np.zeros(wrong.shape, bool)
    rows = wrong.any(axis=1)
    if not rows.any():
        return result
    random = np.random.default_rng(0)
    gap = np.abs(theory - found.numerical)[rows]
    root = float(np.sqrt(levels.max(initial=FLOAT64_EPS)))

    def next_to(coordinates: Array) -> Array:
        sizes = np.where(np.isfinite(coordinates), np.abs(coordinates), 0.0)
        return np.where(sizes == 0, root, _NEXT_TO * root * sizes)

    away = next_to(lines.point)
    for _ in range(_PLACES):
        moved = away * random.uniform(0.5, 1.0, away.shape) * np.where(random.random(away.shape) < 0.5, -1.0, 1.0)
        chosen = lines.some(rows, lines.point + moved)
        steps = np.exp2(np.floor(np.log2(next_to(chosen.along) / _SHORTER)))[np.newaxis]
        with np.errstate(invalid="ignore", over="ignore"):
            _, plus, minus = chosen.sides(steps)
            slope = (plus - minus)[0] / (2 * steps[0][:, np.newaxis])
            off = np.abs(slope - found.numerical[rows])
            result[rows] |= ~(off <= gap / 2 + NOISE_FACTOR * noise / steps[0][:, np.newaxis])
    return np.asarray(result & wrong)
