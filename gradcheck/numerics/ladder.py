"""The second look: a ladder of step sizes that tells a slope from a corner, an edge, a jump and mere noise.

From every rung come three slopes: to the right, to the left, and the central one. Each of the three sequences
is extrapolated to step zero (Richardson), to several orders. A *window* is three neighbouring members of such a
sequence:

- its error is what the three differ by, plus the noise of the nearest;
- it counts only if every rung below it agrees with it. A function that bends near the point therefore cannot
  hide behind long steps that agree with each other, which is how extrapolation usually goes wrong;
- of the windows that count the one with the smallest error is taken.

The side slopes then say what is there: equal sides are a slope, different sides a corner.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.first_look import NOISE_FACTOR, check_samples

__all__ = ["Kind", "Refined", "refine"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kinds = NDArray[np.int8]

# Two slopes are different when they are further apart than this many of their errors.
SEPARATION = 10.0

# Noise as part of the output beyond which a measured slope is no evidence against another.
_ILLEGIBLE = 2.0**-10

# Height of a step that the rounding of an intermediate result of size 1 explains.
_TREAD = 2.0**-46

# Height of a step beside 1e9 in float64, as scores have it from which that was taken. Those who climb stairs of such
# steps follow the theoretical slope over so many rungs, and are this near to it on both sides.
_HIGH_TREAD = 2.0**-20
_LONG = 6
_NEAR = 0.1

# A one-sided slope at the edge of a domain must be known to this part of the slopes on the way there.
_EDGE = 0.01


# A value stands apart where these many nearest steps do not come nearer to it, each by no more than this part, and are
# all this many roundings away.
_APART_RUNGS = 8
_APART_SLACK = 1e-3
_APART_ROUNDINGS = 1e6

# Both sides together are taken for the slope where their errors are this part of that of the central one.
_SHARPER = 0.01


class Kind(enum.IntEnum):
    """What the function looks like along one direction, as far as the ladder could see."""

    SMOOTH = 0
    """One slope, the same from both sides."""
    KINK = 1
    """A corner at the point: different slopes to the left and to the right; one of them may be infinite."""
    ONE_SIDED = 2
    """The function exists on one side only; that side's slope."""
    JUMP = 3
    """The value jumps at the point. ``left`` and ``right`` are the slopes of the pieces beside the jump."""
    UNRESOLVED = 4
    """No step size gives a slope that the shorter ones confirm."""
    GUARD = 5
    """The value at the point is none that the function has beside it, and the theoretical slope is 0: a constant stands
    in for what is not defined there, or for a pole."""
    STEPS = 6
    """The value follows the input in many small steps. No ladder says so: see `gradcheck.treads`."""


@dataclass(frozen=True)
class Refined:
    """What the ladder found. All arrays are ``[n_directions, y_size]``.

    Attributes:
        value: the slope; at a corner that of the central difference. 0 where there is none.
        error: how far ``value`` may be wrong; infinite where there is none.
        left, right: slopes on the two sides, NaN where there is none, infinite where they grow without bound.
        side_error: how far ``left`` and ``right`` may be wrong.
        kind: `Kind` of every entry, as int8.
        calm_value, calm_error: slope and error under the opinion that there is no noise beyond the rounding
            of the outputs; infinite error where the nearer rungs refute that. Measured noise can be too
            large, as where the function bends between the samples.
        supported: the rungs nearer than those that ``value`` was taken from speak for the theoretical value
            and against ``value``. Only a noise estimate that is much too large brings that about.
        staircase: a slope that is no evidence: the output is mostly noise, or the function stands still nearby yet
            climbs over longer steps as the theoretical value says, because it rounds its argument.
        followed: over many longer steps both sides do as the theoretical value says, and what separates that from
            ``value`` is no more than a step beside 1e9 in float64: a staircase, unless it has no steps.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    side_error: Array
    kind: Kinds
    calm_value: Array
    calm_error: Array
    supported: Mask
    staircase: Mask
    followed: Mask


def refine(center: Any, plus: Any, minus: Any, steps: Any, noise: Any, *, theoretical: Any = None) -> Refined:
    """Slopes, their errors and the kind of point from a ladder of steps.

    Args:
        center: outputs at the point, ``[y_size]``.
        plus, minus: outputs at ``x + h·u`` and ``x - h·u``, ``[rungs, n_directions, y_size]``. NaN and Inf
            are welcome: the step left the domain.
        steps: ``h``, ``[rungs, n_directions]``, as `gradcheck.numerics.refine_steps` returns them.
        noise: standard deviation of the rounding errors, ``[y_size]``, from `gradcheck.numerics.noise_level`; or
            ``[rungs, n_directions, y_size]``, those at the end of each step.
        theoretical: ``[n_directions, y_size]``, for ``supported`` and ``staircase``; without it both are
            false.

    Raises:
        InputError: the shapes do not belong together, or there are fewer than eight rungs.
    """
    center, plus, minus, steps, noise = check_samples(center, plus, minus, steps, noise)
    if steps.shape[0] < 8:
        raise InputError(f"refine needs a ladder of at least 8 steps, got {steps.shape[0]}; use refine_steps")
    h = np.broadcast_to(steps[:, :, np.newaxis], plus.shape)
    theory = np.full(plus.shape[1:], np.nan) if theoretical is None else np.asarray(theoretical, np.float64)
    if theory.shape != plus.shape[1:]:
        raise InputError(f"theoretical must be [n_directions, y_size] = {plus.shape[1:]}, got {theory.shape}")
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return _refine(center, plus, minus, h, noise, theory)


def _refine(center: Array, plus: Array, minus: Array, h: Array, noise: Array, theory: Array) -> Refined:
    plus = np.where(np.isfinite(plus), plus, np.nan)
    minus = np.where(np.isfinite(minus), minus, np.nan)
    level = np.maximum(noise, 2.0**-54 * np.fmax(np.abs(plus), np.abs(minus)))
    level = np.where(np.isnan(level), noise, level)
    grain = NOISE_FACTOR * level / h
    slopes = (plus - minus) / (2 * h)
    central, central_error, rung = _limit(slopes, h, grain, power=2, depth=2)
    least = 2.0**-53 * np.fmax(np.abs(plus), np.abs(minus))
    calm, calm_error = central, central_error
    if (level > 16 * least).any():
        calm, calm_error, _ = _limit(slopes, h, NOISE_FACTOR * least / h, power=2, depth=2)
        # Where the near rungs do not move at all, "no noise" would mean "no slope".
        calm_error = np.where((plus[-5:] == minus[-5:]).all(axis=0), np.inf, calm_error)
    right_slopes, left_slopes = (plus - center) / h, (center - minus) / h
    right, right_error, right_rung = _limit(right_slopes, h, 2 * grain, power=1, depth=3)
    left, left_error, left_rung = _limit(left_slopes, h, 2 * grain, power=1, depth=3)

    # A side that has no limit may still have a direction: growing without bound (sqrt at 0), or jumping.
    right_jump, left_jump = (_jumps(s, h, grain) for s in (right_slopes, left_slopes))
    right, right_error = _unbounded(right, right_error, right_slopes, h, grain)
    left, left_error = _unbounded(left, left_error, left_slopes, h, grain)
    jump = right_jump | left_jump
    if jump.any():
        outer, outer_error = _piece(plus, h, level)
        right, right_error = np.where(jump, outer, right), np.where(jump, outer_error, right_error)
        outer, outer_error = _piece(minus, h, level)
        left, left_error = np.where(jump, -outer, left), np.where(jump, outer_error, left_error)

    has_right, has_left = np.isfinite(right_error), np.isfinite(left_error)
    both = has_right & has_left
    side_error = np.where(both, np.fmax(right_error, left_error), np.fmin(right_error, left_error))
    apart = both & (np.abs(right - left) > SEPARATION * (right_error + left_error))
    apart |= both & (np.isinf(right) | np.isinf(left)) & (right != left)
    vertical = both & np.isinf(right) & (right == left)
    exists_right, exists_left = np.isfinite(plus).any(axis=0), np.isfinite(minus).any(axis=0)
    only_right, only_left = has_right & ~exists_left, has_left & ~exists_right

    kind = np.full(central.shape, Kind.UNRESOLVED, np.int8)
    kind[np.isfinite(central_error) & both & ~apart] = Kind.SMOOTH
    kind[apart] = Kind.KINK
    # Slopes at the edge of a domain tend to grow without bound, and noise can pass for a limit there.
    sharp_right, sharp_left = (
        np.isfinite(limit) & (limit_error < _EDGE * np.nanmax(np.abs(seen), axis=0, initial=0.0))
        for limit, limit_error, seen in ((right, right_error, right_slopes), (left, left_error, left_slopes))
    )
    kind[(only_right & sharp_right) | (only_left & sharp_left)] = Kind.ONE_SIDED
    kind[vertical] = Kind.UNRESOLVED
    kind[jump] = Kind.JUMP
    kind[:, ~np.isfinite(center)] = Kind.UNRESOLVED

    value, error = np.where(np.isfinite(central_error), central, 0.0), central_error
    # What depends on |x| has odd powers in the error of a central difference, such as x / (|x| + 1e-6) at 0. Each side
    # by itself is extrapolated in all powers.
    sides_error = side_error + np.abs(right - left) / 2
    sharper = (kind == Kind.SMOOTH) & np.isfinite(right) & np.isfinite(left) & (sides_error < _SHARPER * central_error)
    value, error = np.where(sharper, (right + left) / 2, value), np.where(sharper, sides_error, error)
    rung = np.where(sharper, np.maximum(right_rung, left_rung), rung)
    level_place, still_error = _level_place(plus, minus, center, h, least)
    level_place &= (kind == Kind.SMOOTH) | (kind == Kind.UNRESOLVED)
    kind[level_place] = Kind.SMOOTH
    value, error = np.where(level_place, 0.0, value), np.where(level_place, still_error, error)
    # However much the noise was measured: its samples fell on the other side of a pole, say.
    unmoved = ((plus == center) & (minus == center)).all(axis=0) & (theory == 0)
    value, error = np.where(unmoved, 0.0, value), np.where(unmoved, NOISE_FACTOR * least[0] / h[0], error)
    kind[unmoved] = Kind.SMOOTH
    apart_right, apart_left = (_stands_apart(side, center, least) for side in (plus, minus))
    still_right, still_left = ((side[-_APART_RUNGS:] == center).all(axis=0) for side in (plus, minus))
    guarded = (apart_right & (apart_left | still_left)) | (apart_left & still_right)
    beyond = (theory < np.fmin(left, right)) | (theory > np.fmax(left, right))
    # Where the value jumps the slopes of the sides are no bounds for what is said of the point itself.
    kind[(apart_right | apart_left) & (kind == Kind.KINK) & beyond] = Kind.UNRESOLVED
    guarded &= (theory == 0) & (np.isin(kind, (Kind.UNRESOLVED, Kind.SMOOTH)) | ((kind == Kind.JUMP) & beyond))
    kind[guarded] = Kind.GUARD
    lone = kind == Kind.ONE_SIDED
    value = np.where(lone, np.where(only_right, right, left), value)
    error = np.where(lone, np.where(only_right, right_error, left_error), error)
    # Not three digits of the output come out the same twice: whatever that is, it convicts nobody. One that is 0 and
    # stays so at every step is no noise along this direction, though it may have some along others.
    quietest = noise if noise.ndim == 1 else noise.min(axis=0)
    illegible = quietest > _ILLEGIBLE * np.fmax.reduce(np.fmax(np.abs(plus), np.abs(minus)))
    illegible &= ((plus != center) | (minus != center)).any(axis=0)
    slopes = np.where(lone, np.where(only_right, right_slopes, left_slopes), slopes)
    rung = np.where(lone, np.where(only_right, right_rung, left_rung), rung)
    stairs, followed = _staircase(plus, minus, center, h, theory, value, rung)
    value = np.where((kind == Kind.UNRESOLVED) | (kind == Kind.GUARD), 0.0, value)
    error = np.where(np.isin(kind, (Kind.UNRESOLVED, Kind.JUMP, Kind.GUARD)), np.inf, error)
    return Refined(
        value=value,
        error=error,
        left=np.where(has_left, left, np.nan),
        right=np.where(has_right, right, np.nan),
        side_error=side_error,
        kind=kind,
        calm_value=np.where(np.isfinite(calm_error), calm, 0.0),
        calm_error=calm_error,
        supported=_supported(slopes, theory, value, plus != minus, rung, least / h),
        staircase=stairs | illegible,
        followed=followed,
    )


def _limit(slopes: Array, h: Array, grain: Array, *, power: int, depth: int) -> tuple[Array, Array, NDArray[np.intp]]:
    """Limit of ``slopes`` for ``h → 0``, its error, and the nearest rung that it was taken from.

    The error is infinite where no window counts.

    Neville's scheme in ``h**power`` (a central difference has only even powers in its error), which needs no
    even spacing of the rungs. ``grain`` is the noise of ``slopes``; it grows with every extrapolation.
    """
    value, error, rung = _best_window(slopes, grain)
    sequence, noise = slopes, grain
    for level in range(1, depth + 1):
        weight: Array = 1 / ((h[:-level] / h[level:]) ** power - 1)
        sequence = sequence[1:] + (sequence[1:] - sequence[:-1]) * weight
        noise = noise[1:] * (1 + weight) + noise[:-1] * weight
        candidate, candidate_error, nearest = _best_window(sequence, noise)
        better = candidate_error < error
        value, error = np.where(better, candidate, value), np.where(better, candidate_error, error)
        rung = np.where(better, nearest + level, rung)
    return value, error, rung


def _best_window(sequence: Array, noise: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """The most accurate window of three members that all later ones confirm: value, error, last member."""
    high = np.maximum(np.maximum(sequence[:-2], sequence[1:-1]), sequence[2:])
    low = np.minimum(np.minimum(sequence[:-2], sequence[1:-1]), sequence[2:])
    value, error = sequence[2:], high - low + noise[2:]
    # Running from the nearest rung outwards: the interval in which all members below a window must meet its
    # value.
    floor = np.maximum.accumulate((sequence - noise)[::-1], axis=0)[::-1][2:]
    ceiling = np.minimum.accumulate((sequence + noise)[::-1], axis=0)[::-1][2:]
    confirmed = (value + 2 * error >= floor) & (value - 2 * error <= ceiling)
    # A sequence with a limit closes in on it: by half a rung at first order, by 0.7 at a root. One that grows
    # without bound does not, and each of its windows would be confirmed by an error as large as its value.
    strides = np.abs(np.diff(sequence, axis=0))
    settling = strides[1:] <= 0.85 * strides[:-1] + 2 * noise[2:]
    ranked = np.where(confirmed & settling & np.isfinite(error), error, np.inf)
    best = np.argmin(ranked, axis=0)[np.newaxis]
    return np.take_along_axis(value, best, 0)[0], np.take_along_axis(ranked, best, 0)[0], best[0] + 2


def _jumps(slopes: Array, h: Array, grain: Array) -> Mask:
    """Whether the value on this side stays away from the centre's, however near one comes."""
    rise = np.abs(slopes * h)[-5:]
    noise = (grain * h)[-5:]
    steady = rise.max(axis=0) < 1.1 * rise.min(axis=0)
    return np.asarray(steady & (rise.min(axis=0) > 8 * noise.max(axis=0)))


def _unbounded(value: Array, error: Array, slopes: Array, h: Array, grain: Array) -> tuple[Array, Array]:
    """Replace a limit that does not exist by an infinite one where the slopes keep growing with one sign."""
    near, noise = slopes[-5:], grain[-5:]
    growth = np.abs(near[1:]) / np.abs(near[:-1])
    # As h^-q with q above 0.2, over five rungs, and far above noise.
    grows = (growth > (h[-5:-1] / h[-4:]) ** 0.2).all(axis=0) & (np.abs(near) > SEPARATION * noise).all(axis=0)
    grows &= (np.sign(near) == np.sign(near[-1])).all(axis=0) & ~np.isfinite(error)
    return np.where(grows, np.sign(near[-1]) * np.inf, value), np.where(grows, 0.0, error)


def _level_place(plus: Array, minus: Array, center: Array, h: Array, rounding: Array) -> tuple[Mask, Array]:
    """Where the slope is 0 beside a corner, such as that of a number just beyond its clip bound; and its error.

    One side never moves, the other one only further away, and then at every rung. The samples for the noise reach
    across the corner, and what they see is none. (What is rounded inside stands still nearby as well, but moves on both
    sides, and in steps.)
    """
    right, left = plus != center, minus != center
    near = ~(right | left)
    steps = (np.diff(plus, axis=0) != 0).sum(axis=0) + (np.diff(minus, axis=0) != 0).sum(axis=0)
    one = ~right.any(axis=0) | ~left.any(axis=0)
    moving = (right | left).sum(axis=0)
    found = one & near[-5:].all(axis=0) & (moving >= 8) & (steps >= moving - 1)
    error = np.where(near, NOISE_FACTOR * rounding / h, np.inf).min(axis=0)
    return np.asarray(found & np.isfinite(plus).all(axis=0) & np.isfinite(minus).all(axis=0)), error


def _stands_apart(side: Array, center: Array, rounding: Array) -> Mask:
    """Whether the values on one side come no nearer to that at the point: they jump, or grow without bound.

    Noise does not keep that order, and what is continuous comes nearer.
    """
    gap = np.abs(side - center)[-_APART_RUNGS:]
    far = (gap > _APART_ROUNDINGS * rounding[-_APART_RUNGS:]).all(axis=0)
    return np.asarray(far & (gap[1:] >= gap[:-1] * (1 - _APART_SLACK)).all(axis=0))


def _piece(values: Array, h: Array, level: Array) -> tuple[Array, Array]:
    """Slope, along the direction away from the point, of the piece beside a jump: the centre is not used."""
    width = h[:-1] - h[1:]
    slopes = (values[:-1] - values[1:]) / width
    value, error, _ = _best_window(slopes, 2 * NOISE_FACTOR * level[1:] / width)
    return value, error


def _supported(
    slopes: Array, theory: Array, value: Array, moves: Mask, rung: NDArray[np.intp], rounding: Array
) -> Mask:
    """Whether the rungs nearer than ``rung`` speak for ``theory`` and against ``value``.

    Either four neighbours are at least four times as close to it, or all of them, five or more, move away
    from ``value`` towards its side, each further than the one before: noise has no direction.
    """
    nearer = np.arange(slopes.shape[0]).reshape(-1, 1, 1) > rung
    # A step so short that one rounding of the output is more than what separates the two speaks for neither.
    legible = rounding < np.abs(theory - value)
    close = nearer & moves & legible & (np.abs(slopes - theory) < 0.25 * np.abs(slopes - value))
    four = (close[:-3] & close[1:-2] & close[2:-1] & close[3:]).any(axis=0)
    drift = (slopes - value) * np.sign(theory - value)
    away = (drift > 0) & np.concatenate([np.ones_like(moves[:1]), drift[1:] > drift[:-1]])
    return np.asarray(four | ((away | ~nearer).all(axis=0) & (nearer.sum(axis=0) >= 5)))


def _staircase(
    plus: Array,
    minus: Array,
    center: Array,
    h: Array,
    theory: Array,
    value: Array,
    rung: NDArray[np.intp],
) -> tuple[Mask, Mask]:
    """Still, or all but still, nearby, but climbing over longer steps on both sides as ``theory`` says.

    Second, what climbs like that and is not still at all nearby: on steps of such height it may be a staircase.
    """
    right, left = (plus - center) / h, (center - minus) / h
    still = ((plus[-5:] == center) & (minus[-5:] == center)).all(axis=0)
    gap = np.abs(theory - value)
    longer = np.arange(len(h)).reshape(-1, 1, 1) < rung - 2
    off = np.maximum(np.abs(right - theory), np.abs(left - theory))
    climbs = longer & (off < 0.5 * gap)
    stairs = still & (climbs[:-1] & climbs[1:]).any(axis=0)
    # The steps of something rounded inside need not be flat. They are small, though: what separates the two
    # slopes over the steps that `value` was taken from is a few roundings of numbers of ordinary size.
    follows = longer & (off < 0.25 * gap)
    height = gap * np.take_along_axis(h, rung[np.newaxis], 0)[0]
    stairs |= (height < _TREAD) & _in_a_row(follows, 3)
    return np.asarray(stairs), (height < _HIGH_TREAD) & _in_a_row(longer & (off < _NEAR * gap), _LONG)


def _in_a_row(rungs: Mask, count: int) -> Mask:
    """Where so many neighbouring rungs are all true."""
    return np.asarray(np.all([rungs[k : len(rungs) - count + 1 + k] for k in range(count)], axis=0).any(axis=0))
