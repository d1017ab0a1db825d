"""The whole method on one Jacobian, given a function that evaluates many points at once.

``evaluate(points [k, x_size]) -> outputs [k, y_size]`` is all that is asked of a subject; an engine makes it
one compiled call. There are two rounds (a third where a corner needs a second look): noise and screen
together, then the ladder for the directions that need it, each in pieces of at most `max_points` points.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.crossroads import among_rare_pieces, between, reconsider
from gradcheck.numerics.first_look import Estimate, screen
from gradcheck.numerics.holes import AFAR, may_be_holes, measured_from_afar
from gradcheck.numerics.judging import Judgement, Status, judge, passes_screen
from gradcheck.numerics.ladder import Kind, Refined, refine
from gradcheck.numerics.noise import (
    FINEST_INSIDE,
    at_a_pole,
    beside,
    eps_further_away,
    grain_noise,
    grows_inwards,
    noise_level,
    noise_line,
    rounding_eps,
    rounding_noise,
    standing,
    swallowed,
    unrest,
)
from gradcheck.numerics.stairs import stairs, tread_noise
from gradcheck.numerics.steps import FLOAT64_EPS, refine_steps, screen_steps

__all__ = ["compare", "concatenate_refined", "typical_slope"]

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
    least_noise: Any = None,
    swept: bool = False,
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
        least_noise: ``[y_size]``, standard deviation that the rounding errors of each output are known to have at
            least. None: what is measured near the point holds, unless treads turn out to be wider than that.
        swept: the function is known to climb no stairs about the point (`gradcheck.numerics.stairs`), for they were
            looked for in another one that computes the same.

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
    finite = np.abs(point[np.isfinite(point)])  # poisoned padding is no direction's
    along = point if one_hot else np.full(ways.shape[0], np.median(finite) if finite.size else 0.0)

    def values(points: Array | _Points) -> Array:
        pieces = [evaluate(points[k : k + max_points]) for k in range(0, len(points), max_points)]
        return np.concatenate([np.asarray(piece, np.float64) for piece in pieces])

    def sides(steps: Array, which: Array) -> _Points:
        lines = np.tile(np.arange(steps.shape[1]), 2 * len(steps))
        return _Points(point, np.concatenate([steps.reshape(-1), -steps.reshape(-1)]), lines, which)

    steps = screen_steps(along, eps=eps)
    offsets, line = noise_line(point, eps=eps, seed=seed)
    # The point, the noise probes, the sides: all of them in as few calls as there can be.
    first = sides(steps, ways)
    first.before = [(np.concatenate([[0.0], offsets]), line)]
    out = values(first)
    center, samples, rest = out[0], out[1 : 1 + len(offsets)], out[1 + len(offsets) :]
    # Noise beside a hole says nothing of the precision in which other outputs are computed.
    deep = grows_inwards(samples, eps=eps)
    noise = _apart_from(deep, noise_level, center, samples, eps=eps)
    middle, drawn = center, samples[:_DRAWS]
    torn = at_a_pole(center, samples, noise)
    if torn.any():
        near = beside(point, seed=seed)
        places = np.concatenate([[0.0], offsets])
        elsewhere = values(_Points(near, places, np.zeros(places.size, np.intp), line[np.newaxis]))
        middle, samples = np.where(torn, elsewhere[0], center), np.where(torn, elsewhere[1:], samples)
        noise = _apart_from(deep, noise_level, middle, samples, eps=eps)
    still = standing(middle, samples)
    short = _far_away(eps_further_away, values, point, still)
    noise = np.fmax(noise, rounding_noise(short, center))
    plus, minus = rest.reshape(2, *steps.shape, center.size)  # at the steps of the screen
    noise = np.fmax(noise, grain_noise(values, point, middle, samples, rest, seed=seed))
    noise = noise if least_noise is None else np.fmax(noise, least_noise)
    estimate = screen(center, plus, minus, steps, noise)
    # The (lower) median, so that one output with cancellation does not coarsen the check of all. What never moves, such
    # as an output that is masked, computes in no precision.
    levels = np.fmax(_apart_from(deep, rounding_eps, middle, samples, noise, eps=eps), short)
    moving = (samples != middle).any(axis=0) | (rest != center).any(axis=0) | (short > 0)
    voting = np.sort(levels[moving & ~deep])
    real_eps = float(voting[(len(voting) - 1) // 2]) if len(voting) else eps

    theory = np.asarray(theoretical, np.float64)
    doubtful = ~passes_screen(theory, estimate, eps=eps)
    todo = doubtful.any(axis=1)
    refined, followed = None, np.zeros(theory.shape, bool)
    if todo.any():
        ladder = refine_steps(along[todo], eps=eps)
        group = max(1, max_points // (2 * len(ladder)))
        parts = []
        for start in range(0, ladder.shape[1], group):
            rungs, which = ladder[:, start : start + group], ways[todo][start : start + group]
            right, left = values(sides(rungs, which)).reshape(2, *rungs.shape, center.size)
            wanted, chosen = theory[todo][start : start + group], doubtful[todo][start : start + group]
            parts.append(_refine_some(chosen, center, right, left, rungs, noise, wanted))
        refined = concatenate_refined(parts)
        followed[todo] = refined.followed
    ordinary = typical_slope(point, center)
    if real_eps <= FINEST_INSIDE:  # with less, a slope near by is no more than a tread or two
        ordinary = np.fmax(ordinary, _slope_nearby(center, plus, minus, steps))
    found = judge(
        theory, estimate, refined, todo, eps=real_eps, coarser=levels, noise=noise / _reach(point),
        scale=ordinary, rtol=rtol, atol=atol, resolution_limit=resolution_limit,
    )  # fmt: skip
    found = replace(found, short=short)
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
    if not np.isin(found.status, (Status.MISMATCH, Status.UNRESOLVED)).any():
        return found  # what follows takes such statuses back, and most points have none
    mismatch = found.status == Status.MISMATCH
    wrong = mismatch & (_far_away(swallowed, values, point, still & mismatch.any(axis=0)) > 0)
    # What moves with some inputs may be lost to others, as scores of which 1e9 was taken are and values are not.
    unmoved = mismatch & ~wrong & (found.numerical == 0)
    if unmoved.any():
        lines = unmoved.any(axis=1)
        lost = partial(swallowed, ways=ways[lines])
        wrong[lines] |= unmoved[lines] & (_far_away(lost, values, point, unmoved.any(axis=0)) > 0)
    swept = swept or (real_eps > FINEST_INSIDE and mismatch.any() and _random(values, point, offsets, line, drawn))
    if real_eps > FINEST_INSIDE and not swept and (mismatch & ~wrong).any():
        lines = (mismatch & ~wrong).any(axis=1)
        climbed = partial(stairs, ways=ways[lines], noise=noise, eps=real_eps)
        wrong[lines] |= mismatch[lines] & (_far_away(climbed, values, point, mismatch.any(axis=0)) > 0)
    treads = mismatch & ~wrong & followed
    if treads.any():
        lines = treads.any(axis=1)
        climbed = partial(stairs, ways=ways[lines], noise=noise, fine=True)
        climbing = treads[lines] & (_far_away(climbed, values, point, treads.any(axis=0)) > 0)
        outputs = climbing.any(axis=0)
        if outputs.any() and least_noise is None:
            # The samples all lay within one tread. Once more, with the noise that the treads are.
            known = _far_away(tread_noise, values, point, outputs)
            return compare(
                evaluate, x, theoretical, directions=directions, eps=eps, seed=seed, rtol=rtol, atol=atol,
                resolution_limit=resolution_limit, max_points=max_points, least_noise=known, swept=swept,
            )  # fmt: skip
        wrong[lines] |= climbing
    if wrong.any():
        bound = np.where(wrong, np.fmax(found.bound, np.abs(theory - found.numerical)), found.bound)
        found = replace(found, bound=bound, status=np.where(wrong, Status.UNRESOLVED, found.status))
    apart = _apart(center, plus, minus, noise)
    drowned = _drowned(center, (plus, minus, samples[np.newaxis]), np.fmax(noise, unrest(samples)))
    if apart.any() or drowned.any():
        # Measured slopes are those of the surroundings, and the gradient is that of the point: neither is the other's.
        status = found.status.copy()
        status[(apart | drowned) & (status == Status.MISMATCH)] = Status.UNRESOLVED
        found = replace(found, status=status)
    with np.errstate(invalid="ignore"):
        differs = np.isin(found.status, (Status.MISMATCH, Status.UNRESOLVED)) & (found.kind == Kind.SMOOTH)
        differs &= (np.abs(theory - found.numerical) > found.bound) & ~drowned
    tied = differs.any(axis=1)
    if tied.any():
        with np.errstate(over="ignore", invalid="ignore"):
            inside, several, turns = between(
                values, point, ways[tied], theory[tied], found.numerical[tied], noise, differs[tied], eps=real_eps
            )
        status = found.status.copy()
        status[tied] = np.where(differs[tied] & several, Status.UNRESOLVED, status[tied])
        status[tied] = np.where(differs[tied] & inside, Status.KINK, status[tied])
        found = replace(found, status=status)
        outside[tied] |= differs[tied] & turns
    blamed = outside & (found.status == Status.MISMATCH)
    lines = blamed.any(axis=1)
    if lines.any():
        smooth = found.kind == Kind.SMOOTH
        left, right = (np.where(smooth, found.numerical, side)[lines] for side in (found.left, found.right))
        explained = among_rare_pieces(
            values, point, ways[lines], theory[lines], left, right, noise, blamed[lines], eps=real_eps
        )
        status = found.status.copy()
        status[lines] = np.where(explained, Status.KINK, status[lines])
        found = replace(found, status=status)
    unknown = np.isin(found.status, (Status.MISMATCH, Status.UNRESOLVED))
    unknown &= may_be_holes(center, samples, eps=eps) & ~torn
    for some in _groups(np.asarray(unknown.any(axis=1)), max(1, max_points // AFAR)):
        again, beside_it = measured_from_afar(values, point, ways[some], along[some], center, theory[some])
        seen = judge(
            theory[some], Estimate(again.value, again.error, np.ones_like(again.staircase)), again, eps=eps,
            scale=ordinary, rtol=rtol, atol=atol, resolution_limit=resolution_limit,
        )  # fmt: skip
        known = unknown[some] & beside_it & (again.kind == Kind.SMOOTH) & (seen.status != Status.UNRESOLVED)
        if not known.any():
            break  # it takes many points, and what is no hole for some directions is hardly one for others
        found = found.corrected(some, known, seen)
    return found


def _groups(lines: NDArray[np.bool_], most: int) -> Iterator[NDArray[np.intp]]:
    """The numbers of the chosen lines, so many at a time."""
    chosen = np.flatnonzero(lines)
    for start in range(0, len(chosen), most):
        yield chosen[start : start + most]


def _apart_from(some: NDArray[np.bool_], question: Callable[..., Any], *arrays: Array, eps: float) -> Array:
    """What ``question`` says of ``some`` outputs by themselves and of the rest by themselves, ``[y_size]``.

    Args:
        some: ``[y_size]``.
        question: takes the arrays and ``eps``, and looks at all outputs that it is given for the precision of each.
        arrays: ``[..., y_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.
    """
    if not some.any():
        return np.asarray(question(*arrays, eps=eps))
    answer = np.zeros(some.size)
    for part in (some, ~some):
        if part.any():
            answer[part] = question(*(array[..., part] for array in arrays), eps=eps)
    return answer


# So many samples are taken twice, and differ by this part of the largest where they are drawn at random.
_DRAWS = 4
_ANOTHER = 2.0**-10


def _random(values: Callable[[Any], Array], point: Array, offsets: Array, line: Array, drawn: Array) -> bool:
    """Whether the first samples are others when they are taken again: what is random seems to be stairs all over."""
    again = values(_Points(point, offsets[:_DRAWS], np.zeros(_DRAWS, np.intp), line[np.newaxis]))
    with np.errstate(invalid="ignore", over="ignore"):
        return bool((np.abs(again - drawn) > _ANOTHER * np.abs(drawn).max(axis=0, initial=0.0)).any())


def _far_away(question: Callable[..., Any], values: Evaluate, point: Array, outputs: NDArray[np.bool_]) -> Array:
    """The answer ``[y]`` or ``[n, y]`` to a question about some outputs, asked further away than they need be defined.

    0 where there are none, or where it is not.
    """
    if outputs.any():
        with contextlib.suppress(Exception), np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(question(values, point, outputs), np.float64)
    return np.zeros(outputs.size)


# An output at the point is another one than nearby if it is off by this part of its size, at every step alike.
_APART = 1e-3


def _apart(center: Array, plus: Array, minus: Array, noise: Array) -> NDArray[np.bool_]:
    """Directions along which some output has a value at the point that it has nowhere beside it, ``[n, 1]``.

    Such as the sign of the triangle of a QR decomposition, which is another one for a matrix that is triangular
    already. Then the point does not belong to the function around it, and an output that happens to be 0 there, and so
    does not jump itself, may have the slope of the other branch.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        gap = (plus + minus) / 2 - center  # [steps, n, y]
        size = np.abs(gap)
        tall = size.min(axis=0) > _APART * np.fmax(np.abs(center), np.abs(plus[-1])) + 1000 * noise
        # What has a corner, or a vertical tangent, comes nearer with shorter steps. A jump on one side only is another
        # matter: the sides differ, and it is seen as what it is.
        tall &= (size[-1] > 0.9 * size[0]) & (np.abs(plus[-1] - minus[-1]) < 0.01 * size[-1])
    return np.asarray(tall.any(axis=1, keepdims=True))


# Noise that is this part of all that an output does leaves no slope to be measured: sin(1e12·x), or a random number.
_DROWNED = 2.0**-5


def _drowned(center: Array, seen: tuple[Array, ...], noise: Array) -> NDArray[np.bool_]:
    """Outputs that are noise and nothing else at every distance looked at, ``[1, y]``."""
    reach = np.abs(center)
    for values in seen:
        reach = np.fmax(reach, np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=(0, 1), initial=0.0))
    return np.asarray((noise > _DROWNED * reach)[np.newaxis])


class _Points:
    """Points on lines through one point, made when they are sliced: never all of them at once.

    Attributes:
        point: ``[x_size]``.
        steps: how far each point lies along its line ``[k]``.
        lines: number of the line of each point ``[k]``.
        ways: directions of the lines ``[n_lines, x_size]``.
        before: points on one more line, which come before the others: steps and direction.
    """

    def __init__(self, point: Array, steps: Array, lines: NDArray[np.intp], ways: Array) -> None:
        self.point, self.steps, self.lines, self.ways = point, steps, lines, ways
        self.before: list[tuple[Array, Array]] = []

    def __len__(self) -> int:
        return len(self.steps) + sum(len(steps) for steps, _ in self.before)

    def __getitem__(self, part: slice) -> Array:
        start, stop = part.start, min(part.stop, len(self))
        pieces = []
        for steps, way in self.before:
            some = self.point + steps[start:stop, np.newaxis] * way
            some[steps[start:stop] == 0] = self.point  # adding 0 would turn -0.0 into 0.0
            pieces.append(some)
            start, stop = max(0, start - len(steps)), max(0, stop - len(steps))
        steps = self.steps[start:stop, np.newaxis]
        pieces.append(self.point + steps * self.ways[self.lines[start:stop]])
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]


def _refine_some(
    chosen: NDArray[np.bool_], center: Array, plus: Array, minus: Array, rungs: Array, noise: Array, theory: Array
) -> Refined:
    """`refine` for some entries ``[n_directions, y_size]`` only; what stands in the others means nothing.

    Extrapolating is most of what a comparison costs, and usually few outputs of a direction are in doubt.
    """
    if 2 * chosen.sum() > chosen.size:
        return refine(center, plus, minus, rungs, noise, theoretical=theory)
    columns, group_of = np.unique(rungs, axis=1, return_inverse=True)
    whole: dict[str, Array] = {}
    for number in range(columns.shape[1]):
        # Entries with the same ladder are one direction with that many outputs.
        ways, outputs = np.nonzero(chosen & (group_of.reshape(-1) == number)[:, np.newaxis])
        part = refine(
            center[outputs],
            plus[:, ways, outputs][:, np.newaxis],
            minus[:, ways, outputs][:, np.newaxis],
            columns[:, number : number + 1],
            noise[outputs],
            theoretical=theory[ways, outputs][np.newaxis],
        )
        for name in Refined.__dataclass_fields__:
            found = getattr(part, name)
            whole.setdefault(name, np.zeros(chosen.shape, found.dtype))[ways, outputs] = found[0]
    return Refined(**whole)  # type: ignore[arg-type]


def typical_slope(point: Array, center: Array) -> Array:
    """Output by input, for outputs whose gradient gives no scale: what a slope is usually as large as; 1 where zero."""
    size = np.where(np.isfinite(center), np.abs(center), 0.0)
    return np.asarray(np.where(size > 0, size / _reach(point), 1.0))


def _slope_nearby(center: Array, plus: Array, minus: Array, steps: Array) -> Array:
    """How steep each output is over the longer steps of the first look, ``[y_size]``; 0 where nothing is known of it.

    At the top of a wave there is no slope to compare with, and rounding errors of those beside it. (Two steps, for of
    one a wave can be a whole number long.)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        rises = np.abs(np.stack([plus, minus]) - center)  # [side, step, n, y]
        slopes = rises[:, :2] / steps[:2, :, np.newaxis]
        # What is as high over the shortest step is a jump, or a pole, and no slope.
        slopes = np.where(rises[:, 2:] < rises[:, 1:2] / 4, slopes, 0.0)
    return np.asarray(np.where(np.isfinite(slopes), slopes, 0.0).max(axis=(0, 1, 2), initial=0.0))


def _reach(point: Array) -> float:
    """Size of the largest coordinate, 1 at least."""
    return max(1.0, float(np.abs(point[np.isfinite(point)]).max(initial=0.0)))
