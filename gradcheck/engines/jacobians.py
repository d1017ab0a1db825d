"""Both Jacobians of a problem in one mode, entry by entry, with an error bound for each entry.

This is the *measured* engine, and, on a `gradcheck.execution.modes.OneByOne` execution, the *reference* engine: the
theoretical Jacobian by one pullback of all unit cotangents, the numerical one by `gradcheck.numerics.compare` on
evaluations of many points at once. For Jacobians too large to form see `gradcheck.engines.projected`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck import numerics
from gradcheck.execution.modes import Execution

__all__ = [
    "DIRECTIONS",
    "Cost",
    "Examination",
    "Recorder",
    "Rounding",
    "Theoretical",
    "examine",
    "is_large",
    "random_weights",
    "rounding",
    "theoretical_jacobian",
]

# Most values in one group of points.
_GROUP_VALUES = 1 << 22

DIRECTIONS = 4
"""Random directions for a Jacobian too large to form, and as many cotangents."""

# What a judgement has for every entry.
_ENTRYWISE = ("status", "numerical", "bound", "excess", "left", "right", "kind")


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
        eps: machine epsilon with which each output is really computed ``[y_size]``: that of its dtype, or of a lower
            precision inside. Another execution's gradient rounds like that, too.
        grainy: whether some output is rough as a random one is; see `Rounding`.
        cotangents, directions: of the projected engine; None where entries were judged.
    """

    center: np.ndarray
    jacobian: np.ndarray
    judgement: numerics.Judgement
    rows: np.ndarray
    columns: np.ndarray
    noise: np.ndarray
    eps: np.ndarray
    grainy: bool = False
    cotangents: np.ndarray | None = None
    directions: np.ndarray | None = None

    @property
    def projected(self) -> bool:
        return self.directions is not None


@dataclass(frozen=True)
class Cost:
    """What a comparison takes, by the sizes alone: nothing here is timed.

    Attributes:
        evaluations: runs of the subject.
        pullbacks: backward passes, each with a forward pass.
        values: numbers that these move, and that judging looks at.
    """

    evaluations: int
    pullbacks: int
    values: int

    @classmethod
    def of_entries(cls, x_size: int, y_size: int) -> Cost:
        """Every entry: a centre, noise probes, both sides of three steps for each input; a pullback for each output."""
        evaluations, pullbacks = 65 + 6 * x_size, y_size + 1
        moved = (evaluations + 3 * pullbacks) * (x_size + y_size)
        return cls(evaluations, pullbacks, moved + _PASSES * x_size * y_size)

    @classmethod
    def of_directions(cls, x_size: int, y_size: int) -> Cost:
        """Random directions: as for entries, with a few directions for the inputs and cotangents for the outputs."""
        evaluations = 65 + 6 * DIRECTIONS
        return cls(evaluations, DIRECTIONS, (evaluations + 3 * DIRECTIONS) * (x_size + y_size))

    @property
    def units(self) -> float:
        """In units of one run of a small subject in a compiled loop, some 10 µs; 20 000 numbers move in that time."""
        return self.evaluations + 3 * self.pullbacks + self.values / 20_000


# How often judging passes over the Jacobian: six samples of each entry, and what is computed from them.
_PASSES = 60

# Beyond this cost, or this many entries, every entry is too much: about a second in a compiled mode. Where each entry
# of a Jacobian has to be extrapolated, judging takes 6 µs an entry (700 by 700: 3.2 s; random directions 0.15 s).
_MOST_UNITS = 20_000
_MOST_ENTRIES = 1 << 18


def is_large(x_size: int, y_size: int) -> bool:
    """Whether comparing every entry costs too much, so that random directions have to do."""
    cost = Cost.of_entries(x_size, y_size)
    cheaper = Cost.of_directions(x_size, y_size).units < cost.units
    return cheaper and (cost.units > _MOST_UNITS or x_size * y_size > _MOST_ENTRIES)


def points_a_call(run: Execution, x: np.ndarray) -> int:
    """Most points that a comparison entry by entry evaluates at once."""
    return int(np.clip(_GROUP_VALUES // max(1, x.size, run.problem.outputs.size), 16, 4096))


class Recorder:
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


# A power of two, so that what is linear gives the same digits: the mean of a loss over a batch passes back as little.
FAINT = 2.0**-10


@dataclass(frozen=True)
class Theoretical:
    """What the gradient of a mode gives.

    Attributes:
        jacobian: ``[y_size, x_size]``, a row from each unit cotangent.
        again: its first row computed a second time, ``[x_size]``; for an empty output what pulling back nothing gives.
        weights: a cotangent ``[y_size]`` of large and exact numbers of both signs, 0 where an output does not count.
        weighed: what it is pulled back to, ``[x_size]``: the rows weighed by it, if the backward pass is linear.
        faint: what `FAINT` times it is pulled back to.
    """

    jacobian: np.ndarray
    again: np.ndarray
    weights: np.ndarray
    weighed: np.ndarray
    faint: np.ndarray


def theoretical_jacobian(
    run: Execution, x: np.ndarray, rows: np.ndarray | None = None, *, measured: bool = True
) -> Theoretical:
    """Theoretical Jacobian of an execution at a point, in one dispatch.

    Args:
        run: the problem in a mode.
        x: the point ``[x_size]``.
        rows: the outputs that count, for ``weights``; all where omitted.
        measured: whether slopes will be measured, so that a program for values alone is worth compiling beside.
    """
    size = run.problem.outputs.size
    if size == 0:
        # No output element, so no cotangent: pulling back nothing must still give zeros of the right shape.
        empty = run.pullback(x, np.zeros((1, 0)))
        nothing = np.asarray(empty[0])
        return Theoretical(np.zeros((0, x.size)), nothing, np.zeros(0), nothing, nothing)
    if measured:
        # The points of the comparison that will follow: the centre, noise probes, two sides of three steps.
        probes = len(numerics.noise_points(np.zeros(1), eps=2.0**-52))
        run.prepare(x, points=min(1 + probes + 6 * x.size, points_a_call(run, x)), cotangents=size + 3)
    unit = np.eye(size)
    weights = _exact_weights(size, np.arange(size) if rows is None else rows)
    pulled = np.asarray(run.pullback(x, np.concatenate([unit, unit[:1], weights[None], FAINT * weights[None]])))
    return Theoretical(pulled[:-3], pulled[-3], weights, pulled[-2], pulled[-1])


def _exact_weights(size: int, places: np.ndarray) -> np.ndarray:
    """Weights of 4 to 11 and both signs at some places, 0 elsewhere: numbers that bfloat16 holds exactly."""
    random = np.random.default_rng(size)
    weights = np.zeros(size)
    weights[places] = random.integers(4, 12, places.size) * np.where(random.random(places.size) < 0.5, -1.0, 1.0)
    return weights


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
        options: ``rtol``, ``atol`` and ``resolution_limit`` of `gradcheck.numerics.compare`.
    """
    recorder = Recorder(run, x, columns)
    points = points_a_call(run, x)
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
    rounded = rounding(first, eps)
    return Examination(
        center=first[0],
        jacobian=jacobian,
        judgement=judgements[0][1] if len(judgements) == 1 else _merged(judgements, rows, columns.size),
        rows=rows,
        columns=columns,
        noise=rounded.noise,
        eps=rounded.eps,
        grainy=rounded.grainy,
    )


@dataclass(frozen=True)
class Rounding:
    """How the outputs round, as their noise probes show it.

    Attributes:
        noise: standard deviation of the rounding errors of the outputs, ``[y_size]``.
        eps: machine epsilon with which each output is really computed, ``[y_size]``.
        grainy: whether some output's probes are a thousand times as rough as its dtype's precision explains: noise, or
            random draws.
    """

    noise: np.ndarray
    eps: np.ndarray
    grainy: bool


def rounding(first: np.ndarray, eps: np.ndarray) -> Rounding:
    """Noise of the outputs, and the epsilon with which they are really computed.

    Args:
        first: outputs at the point, then at its noise probes, as in the first call of `numerics.compare`.
        eps: machine epsilon for each output ``[y_size]``.
    """
    coarsest = float(eps.max(initial=2.0**-52))
    count = len(numerics.noise_points(np.zeros(1), eps=coarsest))
    if len(first) <= count:
        return Rounding(np.asarray(4 * coarsest * np.abs(first[0])), eps, grainy=False)
    probes = first[: 1 + count]
    with np.errstate(all="ignore"):
        noise = numerics.noise_level(probes[0], probes[1:], eps=coarsest)
        real_eps = np.maximum(eps, numerics.rounding_eps(probes[0], probes[1:], noise, eps=coarsest))
    size = np.abs(np.where(np.isfinite(probes), probes, 0.0)).max(axis=0, initial=0.0)
    rough = np.maximum(noise, numerics.roughness(probes[1:]))
    return Rounding(noise, real_eps, grainy=bool((rough > 1000 * coarsest * size).any()))


def _merged(parts: list[tuple[np.ndarray, numerics.Judgement]], rows: np.ndarray, n: int) -> numerics.Judgement:
    place = {int(row): number for number, row in enumerate(rows)}
    merged: dict[str, Any] = {}
    for name in _ENTRYWISE:
        whole = np.zeros((n, rows.size), getattr(parts[0][1], name).dtype)
        for chosen, part in parts:
            whole[:, [place[int(row)] for row in chosen]] = getattr(part, name)
        merged[name] = whole
    resolutions = [part.resolution for _, part in parts]
    return numerics.Judgement(resolution=float(np.nanmax([*resolutions, -np.inf])), **merged)


def random_weights(random: np.random.Generator, count: int, size: int, places: np.ndarray) -> np.ndarray:
    """Random combinations ``[count, size]`` of the places: weights of size 0.5 … 1.5 and random sign, 0 elsewhere.

    One wrong entry shows in every combination with at least half its error; opposite errors cancel only by a
    coincidence of real numbers, never of signs.
    """
    weights = np.zeros((count, size))
    shape = (count, places.size)
    weights[:, places] = random.uniform(0.5, 1.5, shape) * np.where(random.random(shape) < 0.5, -1.0, 1.0)
    return weights
