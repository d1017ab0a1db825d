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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.screening import NOISE_FACTOR, check_samples

__all__ = ["Kind", "Refined", "refine"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kinds = NDArray[np.int8]

# Two slopes are different when they are further apart than this many of their errors.
SEPARATION = 10.0

# Noise as part of the output beyond which a measured slope is no evidence against another.
_ILLEGIBLE = 2.0**-10

# A one-sided slope at the edge of a domain must be known to this part of the slopes on the way there.
_EDGE = 0.01

# Both sides together are taken for the slope where their errors are this part of that of the central one.
_SHARPER = 0.01


# What does not move over so many of the shortest steps stands still.
_SHORTEST = 5


class Kind(enum.IntEnum):
    """What the function looks like along one direction, as far as the ladder could see."""

    SMOOTH = 0
    """One slope, the same from both sides."""
    KINK = 1
    """A corner at the point: different slopes to the left and to the right; one of them may be infinite."""
    ONE_SIDED = 2
    """The function exists on one side only; that side's slope."""
    JUMP = 3
    """The value jumps at the point. ``left`` and ``right`` are the slopes of the pieces at the sides of the jump."""
    UNRESOLVED = 4
    """No step size gives a slope that the shorter ones confirm."""
    STEPS = 5
    """The value follows the input in many small steps. No ladder says so: see `gradcheck.engines.quantisation`."""


@dataclass(frozen=True)
class Refined:
    """What the ladder found. All arrays are ``[n_directions, y_size]``.

    Attributes:
        value: the slope; at a corner that of the central difference. 0 where there is none.
        error: how far ``value`` may be wrong; infinite where there is none.
        left, right: slopes on the two sides, NaN where there is none, infinite where they grow without bound.
        side_error: how far ``left`` and ``right`` may be wrong.
        kind: `Kind` of every entry, as int8.
        disputed: the step sizes do not agree on which of two slopes is right, ``value`` or the theoretical one.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    side_error: Array
    kind: Kinds
    disputed: Mask


def refine(center: Any, plus: Any, minus: Any, steps: Any, noise: Any, *, theoretical: Any = None) -> Refined:
    """Slopes, their errors and the kind of point from a ladder of steps.

    Args:
        center: outputs at the point, ``[y_size]``.
        plus, minus: outputs at ``x + h·u`` and ``x - h·u``, ``[rungs, n_directions, y_size]``. NaN and Inf
            are welcome: the step left the domain.
        steps: ``h``, ``[rungs, n_directions]``, as `gradcheck.numerics.refine_steps` returns them.
        noise: standard deviation of the rounding errors, ``[y_size]``, from `gradcheck.numerics.noise_level`.
        theoretical: ``[n_directions, y_size]``, for ``disputed``; without it that is false.

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
        plus = np.where(np.isfinite(plus), plus, np.nan)
        minus = np.where(np.isfinite(minus), minus, np.nan)
        level = np.maximum(noise, 2.0**-54 * np.fmax(np.abs(plus), np.abs(minus)))
        grain = NOISE_FACTOR * np.where(np.isnan(level), noise, level) / h
        found = _refine(center, plus, minus, h, grain)
        disputed = _disputed(center, plus, minus, h, grain, found.value, theory) | _illegible(plus, minus, noise)
        return replace(found, disputed=disputed)


@dataclass(frozen=True)
class _Side:
    """One side of the point: its slopes at every rung, their limit, how far that may be wrong, and what is there."""

    slopes: Array
    value: Array
    error: Array
    jumps: Mask
    exists: Mask

    @classmethod
    def of(cls, values: Array, center: Array, h: Array, grain: Array, sign: int) -> _Side:
        slopes = sign * (values - center) / h
        value, error = _limit(slopes, h, 2 * grain, power=1, depth=3)
        jumps = _jumps(slopes, h, grain)
        value, error = _unbounded(value, error, slopes, h, grain)
        outer, outer_error = _piece(values, h, grain * h / NOISE_FACTOR)
        value, error = np.where(jumps, sign * outer, value), np.where(jumps, outer_error, error)
        return cls(slopes, value, error, jumps, np.asarray(np.isfinite(values).any(axis=0)))

    @property
    def known(self) -> Mask:
        return np.isfinite(self.error)

    @property
    def sharp(self) -> Mask:
        """Slopes at the edge of a domain tend to grow without bound, and noise can pass for a limit there."""
        seen = np.nanmax(np.abs(self.slopes), axis=0, initial=0.0)
        return np.asarray(np.isfinite(self.value) & (self.error < _EDGE * seen))


def _refine(center: Array, plus: Array, minus: Array, h: Array, grain: Array) -> Refined:
    value, error = _limit((plus - minus) / (2 * h), h, grain, power=2, depth=2)
    right, left = _Side.of(plus, center, h, grain, 1), _Side.of(minus, center, h, grain, -1)
    both = right.known & left.known
    side_error = np.where(both, np.fmax(right.error, left.error), np.fmin(right.error, left.error))
    between = np.abs(right.value - left.value)
    unbounded = np.isinf(right.value) | np.isinf(left.value)
    apart = both & ((between > SEPARATION * (right.error + left.error)) | (unbounded & (right.value != left.value)))
    only_right, only_left = right.known & ~left.exists, left.known & ~right.exists

    kind = np.full(value.shape, Kind.UNRESOLVED, np.int8)
    kind[np.isfinite(error) & both & ~apart] = Kind.SMOOTH
    kind[apart] = Kind.KINK
    kind[(only_right & right.sharp) | (only_left & left.sharp)] = Kind.ONE_SIDED
    kind[both & unbounded & (right.value == left.value)] = Kind.UNRESOLVED  # a vertical tangent
    kind[right.jumps | left.jumps] = Kind.JUMP
    kind[:, ~np.isfinite(center)] = Kind.UNRESOLVED

    # What depends on |x| has odd powers in the error of a central difference, such as x / (|x| + 1e-6) at 0. Each side
    # by itself is extrapolated in all powers.
    sharper = (kind == Kind.SMOOTH) & ~unbounded & (side_error + between / 2 < _SHARPER * error)
    value = np.where(sharper, (right.value + left.value) / 2, np.where(np.isfinite(error), value, 0.0))
    error = np.where(sharper, side_error + between / 2, error)
    lone = kind == Kind.ONE_SIDED
    value = np.where(lone, np.where(only_right, right.value, left.value), value)
    error = np.where(lone, np.where(only_right, right.error, left.error), error)
    none = (kind == Kind.UNRESOLVED) | (kind == Kind.JUMP)
    return Refined(
        value=np.where(kind == Kind.UNRESOLVED, 0.0, value),
        error=np.where(none, np.inf, error),
        left=np.where(left.known, left.value, np.nan),
        right=np.where(right.known, right.value, np.nan),
        side_error=side_error,
        kind=kind,
        disputed=np.zeros(value.shape, bool),
    )


def _disputed(center: Array, plus: Array, minus: Array, h: Array, grain: Array, value: Array, theory: Array) -> Mask:
    """Whether step sizes disagree: two neighbouring ones speak for ``theory`` on both sides, or short ones say nothing.

    What rounds inside stands still over short steps and climbs over long ones, if there are any that it does not
    swallow. What stands still is therefore no evidence against a slope.
    """
    gap = np.abs(theory - value)
    off = np.maximum(np.abs((plus - center) / h - theory), np.abs((center - minus) / h - theory))
    speaks = (off < gap / 2) & (grain < gap / 2)
    still = ((plus == center) & (minus == center))[-_SHORTEST:].all(axis=0) & (theory != 0)
    return np.asarray((speaks[:-1] & speaks[1:]).any(axis=0) | still)


def _illegible(plus: Array, minus: Array, noise: Array) -> Mask:
    """Whether not three digits of the output come out the same twice: whatever that is, it is evidence of nothing."""
    moves = (plus != minus).any(axis=0)
    return np.asarray(moves & (noise > _ILLEGIBLE * np.fmax.reduce(np.fmax(np.abs(plus), np.abs(minus)))))


def _limit(slopes: Array, h: Array, grain: Array, *, power: int, depth: int) -> tuple[Array, Array]:
    """Limit of ``slopes`` for ``h → 0`` and its error, which is infinite where no window counts.

    Neville's scheme in ``h**power`` (a central difference has only even powers in its error), which needs no
    even spacing of the rungs. ``grain`` is the noise of ``slopes``; it grows with every extrapolation.
    """
    value, error = _best_window(slopes, grain)
    sequence, noise = slopes, grain
    for level in range(1, depth + 1):
        weight: Array = 1 / ((h[:-level] / h[level:]) ** power - 1)
        sequence = sequence[1:] + (sequence[1:] - sequence[:-1]) * weight
        noise = noise[1:] * (1 + weight) + noise[:-1] * weight
        candidate, candidate_error = _best_window(sequence, noise)
        better = candidate_error < error
        value, error = np.where(better, candidate, value), np.where(better, candidate_error, error)
    return value, error


def _best_window(sequence: Array, noise: Array) -> tuple[Array, Array]:
    """The most accurate window of three members that all later ones confirm: its value and error."""
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
    return np.take_along_axis(value, best, 0)[0], np.take_along_axis(ranked, best, 0)[0]


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


def _piece(values: Array, h: Array, level: Array) -> tuple[Array, Array]:
    """Slope, along the direction away from the point, of the piece at one side of a jump: the centre is not used."""
    width = h[:-1] - h[1:]
    return _best_window((values[:-1] - values[1:]) / width, 2 * NOISE_FACTOR * level[1:] / width)
