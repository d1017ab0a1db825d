"""The whole method on one Jacobian, given a function that evaluates many points at once.

``evaluate(points [k, x_size]) -> outputs [k, y_size]`` is all that is asked of a subject; an engine makes it
one compiled call. There are two rounds (a third where a corner needs a second look): noise and screen
together, then the ladder for the directions that need it, each in pieces of at most `max_points` points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.crossroads import between, reconsider
from gradcheck.numerics.first_look import screen
from gradcheck.numerics.judging import Judgement, Status, judge, passes_screen
from gradcheck.numerics.ladder import Kind, Refined, refine
from gradcheck.numerics.noise import measured_eps, noise_level, noise_points
from gradcheck.numerics.steps import FLOAT64_EPS, refine_steps, screen_steps

__all__ = ["compare", "concatenate_refined"]

Array = NDArray[np.float64]
Evaluate = Callable[[Array], Any]


def concatenate_refined(parts: list[Refined]) -> Refined:
    """One `Refined` from those of several groups of directions."""
    names = Refined.__dataclass_fields__
    return Refined(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


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
    point = np.asarray(x, np.float64)
    if point.ndim != 1:
        raise InputError(f"the point must be a flat vector [x_size], got shape {point.shape}; ravel it first")
    one_hot = directions is None
    ways = np.eye(point.size) if directions is None else np.asarray(directions, np.float64)
    if ways.ndim != 2 or ways.shape[1] != point.size:
        raise InputError(f"directions must be [n_directions, x_size] with x_size {point.size}, got {ways.shape}")
    # A direction moves every coordinate, so its steps are those of a coordinate of typical size.
    along = point if one_hot else np.full(ways.shape[0], np.median(np.abs(point)) if point.size else 0.0)

    def values(points: Array) -> Array:
        pieces = [evaluate(points[k : k + max_points]) for k in range(0, len(points), max_points)]
        return np.concatenate([np.asarray(piece, np.float64) for piece in pieces])

    def sides(steps: Array, which: Array) -> Array:
        offsets = steps[:, :, np.newaxis] * which
        return np.concatenate([point + offsets, point - offsets]).reshape(2 * steps.size, point.size)

    steps = screen_steps(along, eps=eps)
    probes = noise_points(point, eps=eps, seed=seed)
    out = values(np.concatenate([point[np.newaxis], probes, sides(steps, ways)]))
    center, samples, rest = out[0], out[1 : 1 + len(probes)], out[1 + len(probes) :]
    noise = noise_level(center, samples, eps=eps)
    plus, minus = rest.reshape(2, *steps.shape, center.size)
    estimate = screen(center, plus, minus, steps, noise)
    finite = np.where(np.isfinite(out), np.abs(out), 0.0)
    real_eps = measured_eps(finite[: 1 + len(probes)].max(axis=0), noise, eps=eps)

    theory = np.asarray(theoretical, np.float64)
    todo = ~passes_screen(theory, estimate, eps=eps).all(axis=1)
    refined = None
    if todo.any():
        ladder = refine_steps(along[todo], eps=eps)
        group = max(1, max_points // (2 * len(ladder)))
        parts = []
        for start in range(0, ladder.shape[1], group):
            rungs, which = ladder[:, start : start + group], ways[todo][start : start + group]
            plus, minus = values(sides(rungs, which)).reshape(2, *rungs.shape, center.size)
            wanted = theory[todo][start : start + group]
            parts.append(refine(center, plus, minus, rungs, noise, theoretical=wanted))
        refined = concatenate_refined(parts)
    found = judge(
        theory, estimate, refined, todo, eps=real_eps, scale=_typical_slope(point, center),
        rtol=rtol, atol=atol, resolution_limit=resolution_limit,
    )  # fmt: skip
    outside = (found.kind == Kind.KINK) & (found.status == Status.MISMATCH)
    corners = outside.any(axis=1)
    if corners.any():
        with np.errstate(over="ignore", invalid="ignore"):
            inside, several = reconsider(
                values,
                point,
                ways[corners],
                theory[corners],
                found.left[corners],
                found.right[corners],
                noise,
                eps=real_eps,
                seed=seed,
            )
        status = found.status.copy()
        status[corners] = np.where(outside[corners] & several, Status.UNRESOLVED, status[corners])
        status[corners] = np.where(outside[corners] & inside, Status.KINK, status[corners])
        found = replace(found, status=status)
    with np.errstate(invalid="ignore"):
        differs = np.isin(found.status, (Status.MISMATCH, Status.UNRESOLVED)) & (found.kind == Kind.SMOOTH)
        differs &= np.abs(theory - found.numerical) > found.bound
    tied = differs.any(axis=1)
    if tied.any():
        with np.errstate(over="ignore", invalid="ignore"):
            inside = between(values, point, ways[tied], theory[tied], found.numerical[tied], noise)
        status = found.status.copy()
        status[tied] = np.where(differs[tied] & inside, Status.KINK, status[tied])
        found = replace(found, status=status)
    return found


def _typical_slope(point: Array, center: Array) -> Array:
    """Output by input, for outputs whose gradient gives no scale; 1 where that is zero too."""
    finite = np.abs(point[np.isfinite(point)])
    reach = max(1.0, float(finite.max())) if finite.size else 1.0
    size = np.where(np.isfinite(center), np.abs(center), 0.0)
    return np.asarray(np.where(size > 0, size / reach, 1.0))
