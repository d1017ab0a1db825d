"""Both Jacobians of a problem in one mode, entry by entry, with an error bound for each entry.

This is the *compiled* engine (and, on a `gradcheck.modes.OneByOne` execution, the *reference* engine): the theoretical
Jacobian by one pullback of all unit cotangents, the numerical one by `gradcheck.numerics.compare` on evaluations of
many points at once. The *projected* engine for Jacobians too large to form does the same along random directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck import numerics
from gradcheck.modes import Execution

__all__ = ["Examination", "eps_of", "examine", "is_large", "project", "random_weights", "theoretical_jacobian"]

# Beyond this many evaluations for a full numerical Jacobian random directions are used instead.
_MOST_EVALUATIONS = 12_000
_MOST_ENTRIES = 1 << 21

# Most values in one group of points.
_GROUP_VALUES = 1 << 22

_DIRECTIONS = 4

_EPS = {
    "float64": 2.0**-52,
    "complex128": 2.0**-52,
    "float32": 2.0**-23,
    "complex64": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}


def eps_of(dtype: str) -> float:
    """Machine epsilon of a TensorFlow dtype, by its name."""
    return _EPS.get(dtype, 2.0**-7)


@dataclass
class Examination:
    """What the engine found in one mode.

    Attributes:
        center: outputs at the point, ``[y_size]``.
        jacobian: theoretical Jacobian ``[y_size, x_size]``, or the rows ``[m, x_size]`` for random cotangents.
        judgement: status of every entry; arrays are ``[len(columns), len(rows)]``.
        rows, columns: the outputs and inputs that were judged. For the projected engine ``rows`` numbers cotangents
            and ``columns`` directions.
        noise: standard deviation of the rounding errors of the outputs, ``[y_size]``.
        cotangents, directions: of the projected engine; None where entries were judged.
    """

    center: np.ndarray
    jacobian: np.ndarray
    judgement: numerics.Judgement
    rows: np.ndarray
    columns: np.ndarray
    noise: np.ndarray
    cotangents: np.ndarray | None = None
    directions: np.ndarray | None = None

    @property
    def projected(self) -> bool:
        return self.directions is not None


def is_large(x_size: int, y_size: int) -> bool:
    """Whether full Jacobians would cost too much to form."""
    return 6 * x_size + y_size > _MOST_EVALUATIONS or x_size * y_size > _MOST_ENTRIES


class _Recorder:
    """Evaluates points for the numerics, restricted to some outputs and inputs, and keeps the first call."""

    def __init__(self, run: Execution, x: np.ndarray, columns: np.ndarray) -> None:
        self.run, self.x, self.columns = run, x, columns
        self.first: np.ndarray | None = None

    def __call__(self, parts: np.ndarray) -> np.ndarray:
        if len(self.columns) == len(self.x):
            points = parts
        else:
            points = np.repeat(self.x[None], len(parts), axis=0)
            points[:, self.columns] = parts
        values = self.run.evaluate(points)
        if self.first is None:
            self.first = values
        return values

    def restricted(self, rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The same for some outputs only."""

        def evaluate(parts: np.ndarray) -> np.ndarray:
            return self(parts)[:, rows]

        return evaluate


def theoretical_jacobian(run: Execution, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Theoretical Jacobian ``[y_size, x_size]``, and its first row computed a second time."""
    size = run.problem.outputs.size
    if size == 0:
        # No output element, so no cotangent: pulling back nothing must still give zeros of the right shape.
        empty = run.pullback(x, np.zeros((1, 0)))
        return np.zeros((0, x.size)), empty[0]
    unit = np.eye(size)
    pulled = run.pullback(x, np.concatenate([unit, unit[:1]]))
    return np.asarray(pulled[:-1]), np.asarray(pulled[-1])


def examine(
    run: Execution,
    x: np.ndarray,
    jacobian: np.ndarray,
    *,
    eps: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    options: dict[str, Any],
) -> Examination:
    """Compare a theoretical Jacobian with the numerical one, entry by entry.

    Args:
        run: the problem in a mode.
        x: the point ``[x_size]``.
        jacobian: theoretical, ``[y_size, x_size]``.
        eps: machine epsilon for each output ``[y_size]``.
        rows, columns: the outputs and inputs that count.
        options: ``rtol``, ``atol``, ``resolution_limit`` of `gradcheck.numerics.judge`.
    """
    recorder = _Recorder(run, x, columns)
    points = int(np.clip(_GROUP_VALUES // max(1, x.size, run.problem.outputs.size), 16, 4096))
    judgements: list[tuple[np.ndarray, numerics.Judgement]] = []
    # Outputs of different precision have different noise and steps; usually there is one group.
    for level in np.unique(eps[rows]) if rows.size else [eps.max(initial=2.0**-52)]:
        chosen = rows[eps[rows] == level]
        judgement = numerics.compare(
            recorder.restricted(chosen),
            x[columns],
            jacobian[np.ix_(chosen, columns)].T,
            eps=float(level),
            max_points=points,
            **options,
        )
        judgements.append((chosen, judgement))
    first = recorder.first
    assert first is not None
    return Examination(
        center=first[0],
        jacobian=jacobian,
        judgement=judgements[0][1] if len(judgements) == 1 else _merged(judgements, rows, columns.size),
        rows=rows,
        columns=columns,
        noise=_noise(first, float(eps.max())),
    )


def _noise(first: np.ndarray, eps: float) -> np.ndarray:
    """Noise of the outputs from the first call of `numerics.compare`: the point, then its noise probes."""
    count = len(numerics.noise_points(np.zeros(1), eps=eps))
    if len(first) <= count:
        return np.asarray(4 * eps * np.abs(first[0]))
    with np.errstate(all="ignore"):
        return np.asarray(numerics.noise_level(first[0], first[1 : 1 + count], eps=eps))


def _merged(parts: list[tuple[np.ndarray, numerics.Judgement]], rows: np.ndarray, n: int) -> numerics.Judgement:
    place = {int(row): number for number, row in enumerate(rows)}
    merged: dict[str, Any] = {}
    for name in ("status", "numerical", "bound", "excess", "left", "right", "kind"):
        whole = np.zeros((n, rows.size), getattr(parts[0][1], name).dtype)
        for chosen, part in parts:
            whole[:, [place[int(row)] for row in chosen]] = getattr(part, name)
        merged[name] = whole
    resolutions = [part.resolution for _, part in parts]
    return numerics.Judgement(resolution=float(np.nanmax([*resolutions, -np.inf])), **merged)


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

    Every weight has size 0.5 … 1.5 and a random sign, so one wrong entry shows in *every* draw with at least a quarter
    of its error; opposite errors cancel only by coincidence of real numbers, never of signs.

    Args:
        run, x, rows, columns, options: as for `examine`.
        eps: machine epsilon of the outputs.
        seed: of the directions.
        directions, cotangents: ``[k, x_size]`` and ``[m, y_size]`` where the caller chooses them.
    """
    random = np.random.default_rng(seed)
    size = run.problem.outputs.size
    if directions is None:
        directions = random_weights(random, _DIRECTIONS, x.size, columns)
    if cotangents is None:
        cotangents = random_weights(random, _DIRECTIONS, size, rows)
    pulled = run.pullback(x, cotangents)
    recorder = _Recorder(run, x, np.arange(x.size))
    points = int(np.clip(_GROUP_VALUES // max(1, x.size, size), 4, 4096))
    weights = cotangents
    judgement = numerics.compare(
        lambda parts: recorder(parts)[:, rows] @ weights[:, rows].T,
        x,
        directions @ pulled.T,
        directions=directions,
        eps=eps,
        max_points=points,
        **options,
    )
    assert recorder.first is not None
    return Examination(
        center=recorder.first[0],
        jacobian=pulled,
        judgement=judgement,
        rows=np.arange(len(cotangents)),
        columns=np.arange(len(directions)),
        noise=_noise(recorder.first, eps),
        cotangents=cotangents,
        directions=directions,
    )


def random_weights(random: np.random.Generator, count: int, size: int, places: np.ndarray) -> np.ndarray:
    """Random combinations ``[count, size]`` of the places: weights of size 0.5 … 1.5 and random sign, 0 elsewhere.

    One wrong entry shows in every combination with at least half its error; opposite errors cancel only by a
    coincidence of real numbers, never of signs.
    """
    weights = np.zeros((count, size))
    shape = (count, places.size)
    weights[:, places] = random.uniform(0.5, 1.5, shape) * np.where(random.random(shape) < 0.5, -1.0, 1.0)
    return weights
