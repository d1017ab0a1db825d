"""A Jacobian too large to form, along random directions; and the way from a wrong combination to the wrong entry.

Every weight has size 0.5 … 1.5 and a random sign, so one wrong entry shows in *every* draw with at least a quarter of
its error; opposite errors cancel only by coincidence of real numbers, never of signs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck import numerics
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import DIRECTIONS, Examination, Recorder, random_weights, rounding
from gradcheck.execution.modes import Execution
from gradcheck.numerics import Status

__all__ = [
    "Halves",
    "certain",
    "halves_by_reference",
    "halves_by_slopes",
    "locate",
    "locate_nonfinite",
    "missed",
    "project",
]

Halves = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""How far theoretical and numerical lie apart for each of a few pairs of a direction and a cotangent."""

# Most values in one group of points.
_GROUP_VALUES = 1 << 22


def project(
    run: Execution,
    x: np.ndarray,
    *,
    eps: float,
    rows: np.ndarray,
    columns: np.ndarray,
    seed: int,
    options: dict[str, Any],
    directions: np.ndarray | None = None,
    cotangents: np.ndarray | None = None,
) -> Examination:
    """Compare along random directions, weighing the outputs with random cotangents: cost about constant in the size.

    Args:
        run, x, rows, columns, options: as for `gradcheck.engines.jacobians.examine`.
        eps: machine epsilon of the outputs.
        seed: of the directions.
        directions, cotangents: ``[k, x_size]`` and ``[m, y_size]`` where the caller chooses them.
    """
    random = np.random.default_rng(seed)
    size = run.problem.outputs.size
    if directions is None:
        directions = random_weights(random, DIRECTIONS, x.size, columns)
    if cotangents is None:
        cotangents = random_weights(random, DIRECTIONS, size, rows)
    pulled = run.pullback(x, cotangents)
    recorder = Recorder(run, x, np.arange(x.size))
    points = int(np.clip(_GROUP_VALUES // max(1, x.size, size), 4, 4096))
    weights = cotangents
    judgement = numerics.compare(
        lambda parts: recorder(parts)[:, rows] @ weights[:, rows].T,
        x,
        # The gradient at padding may be NaN, and 0 · NaN with it.
        directions[:, columns] @ pulled[:, columns].T,
        directions=directions,
        eps=eps,
        max_points=points,
        **options,
    )
    assert recorder.first is not None
    rounded = rounding(recorder.first, np.full(size, eps))
    return Examination(
        center=recorder.first[0],
        jacobian=pulled,
        judgement=judgement,
        rows=np.arange(len(cotangents)),
        columns=np.arange(len(directions)),
        noise=rounded.noise,
        eps=rounded.eps,
        grainy=rounded.grainy,
        cotangents=cotangents,
        directions=directions,
    )


def missed(error: float, *, bound: float, pairs: int = DIRECTIONS) -> float:
    """Most probability that random directions pass a gradient whose worst entry is wrong by ``error``.

    A projection of the error is ``v·E·u``. With everything but one weight of u fixed it is ``a + s·w``, where w has a
    density of at most 1/2 and s is an entry of ``v·E``; so it lies within the bound with a probability of at most
    ``bound/|s|``. By the same argument for v, ``|s| ≤ t`` has a probability of at most ``t/error``. Together that is
    ``r·(1 + log(1/r))`` with ``r = bound/error``, whatever the other entries of E are, and to that power for
    independent pairs of u and v. A single wrong entry does better: it shows in every projection with at least a
    quarter of its size, so beyond ``4·bound`` it is never missed.

    Args:
        error: size of the largest wrong entry.
        bound: how far a projection may be off without being called wrong.
        pairs: independent pairs of a direction and a cotangent.
    """
    if error <= bound:
        return 1.0
    r = max(bound / error, 1e-300)
    return float(min(1.0, r * (1.0 - np.log(r))) ** pairs)


def certain(bound: float, *, probability: float = 1e-6, pairs: int = DIRECTIONS) -> float:
    """Size of an error that random directions pass with at most this probability: the inverse of `missed`."""
    low, high = 0.0, 60.0  # log2(error / bound)
    for _ in range(60):
        middle = (low + high) / 2
        if missed(bound * 2.0**middle, bound=bound, pairs=pairs) > probability:
            low = middle
        else:
            high = middle
    return float(bound * 2.0**high)


def halves_by_reference(run: Execution, reference: Reference, columns: np.ndarray) -> Halves:
    """What is off, beside the exact reference."""
    x = reference.problem.x

    def off(directions: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        counted = cotangents.any(axis=0)
        theory = directions[:, columns] @ run.pullback(x, cotangents)[:, columns].T
        slopes = reference.along(directions).right[:, counted] @ cotangents[:, counted].T
        return np.asarray(np.abs(np.nan_to_num(theory - slopes)).reshape(-1))

    return off


def halves_by_slopes(
    run: Execution, x: np.ndarray, eps: float, rows: np.ndarray, columns: np.ndarray, options: dict[str, Any]
) -> Halves:
    """What is off, beside measured slopes, in units of what is allowed."""

    def off(directions: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        half = project(
            run, x, eps=eps, rows=rows, columns=columns, seed=0, options=options,
            directions=directions, cotangents=cotangents,
        )  # fmt: skip
        return np.asarray(half.judgement.excess.reshape(-1))

    return off


def locate(
    x: np.ndarray, found: Examination, off: Halves, pull: Callable[[np.ndarray], np.ndarray], *,
    rows: np.ndarray, columns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """The entry behind a wrong combination: halve the inputs, then the outputs, and look at each half.

    Takes about ``log2(x_size) + log2(y_size)`` rounds of a few dozen evaluations each.

    Args:
        x: the point.
        found: what random directions showed; at least one status is MISMATCH or NONFINITE.
        off: which of two halves is off the more.
        pull: pulls back one cotangent.
        rows, columns: the outputs and inputs that count.

    Returns:
        A Jacobian of which the row of the output is known, the output and the input.
    """
    assert found.directions is not None
    assert found.cotangents is not None
    judgement = found.judgement
    wrong = (judgement.status == Status.MISMATCH) | (judgement.status == Status.NONFINITE)
    k, m = np.unravel_index(int(np.argmax(np.where(wrong, judgement.excess, -1.0))), wrong.shape)
    direction, cotangent = found.directions[k], found.cotangents[m]
    column = columns
    while column.size > 1:
        halves = np.array_split(column, 2)
        distances = off(np.stack([_only(direction, half) for half in halves]), cotangent[None])
        column = halves[int(np.argmax(distances))]
    unit = _only(np.ones_like(direction), column)
    row = rows
    while row.size > 1:
        halves = np.array_split(row, 2)
        distances = off(unit[None], np.stack([_only(cotangent, half) for half in halves]))
        row = halves[int(np.argmax(distances))]
    # One row is known; a view repeats it, so that no Jacobian of the full size is ever held.
    pulled = pull(_only(np.ones_like(cotangent), row)[None])[0]
    return np.broadcast_to(pulled, (cotangent.size, x.size)), row, column


def locate_nonfinite(
    run: Execution, x: np.ndarray, cotangent: np.ndarray, *, rows: np.ndarray, columns: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """The output whose gradient is not finite, by halving the outputs: about ``log2(y_size)`` rounds of two pullbacks.

    Args:
        run, x, rows, columns: as for `gradcheck.engines.jacobians.examine`.
        cotangent: ``[y_size]``, pulled back to something that is not finite.

    Returns:
        Its number and its gradient ``[x_size]``; None where the gradient of each output is finite, and only the sum
        overflows.
    """
    places = rows
    while places.size > 1:
        halves = np.array_split(places, 2)
        pulled = run.pullback(x, np.stack([_only(cotangent, half) for half in halves]))
        bad = ~np.isfinite(pulled[:, columns]).all(axis=1)
        if not bad.any():
            return None
        places = halves[int(np.argmax(bad))]
    gradient = run.pullback(x, _only(np.ones_like(cotangent), places)[None])[0]
    return None if np.isfinite(gradient[columns]).all() else (int(places[0]), gradient)


def _only(weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    kept = np.zeros_like(weights)
    kept[places] = weights[places]
    return kept
