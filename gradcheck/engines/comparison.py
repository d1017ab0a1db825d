"""A mode's gradient beside the exact reference: one judgement of each entry, within a bound that is computed for it.

The bound of an entry is what rounding in the subject's own precision can come to. A few roundings of the entry itself
are allowed at once. For what is further off the rounding errors of all operations on the way are sampled: each is
shaken by a random part of its type's unit roundoff, and what the derivative moves by is a sample of its error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.engines.exact import Reference
from gradcheck.exact.jets import Array
from gradcheck.exact.reference import Slopes
from gradcheck.numerics import Judgement, Kind, Status
from gradcheck.numerics.judgement import default_resolution_limit

__all__ = [
    "Tolerance",
    "judge_directions",
    "judge_entries",
    "judge_products",
    "loses_digits",
    "precision_of",
    "scale_of",
    "underflow",
]

# Roundings of an entry that are allowed without a look at how it is computed. In double precision more of them cost
# nothing that anybody misses, and a look costs two passes.
_ROUNDINGS, _ROUNDINGS_DOUBLE = 8.0, 32.0

# So many times the largest sample of the rounding errors is allowed: samples are few, and a mode may take another way
# to the same number.
_DEVIATIONS = 16.0

# Directions along which slopes are linear where a function is differentiable.
_LINEAR = 3

# Samples for every entry in doubt, and for those that would be called wrong.
_SAMPLES, _MORE_SAMPLES = 2, 8


# An entry that is off by more roundings of itself is far off as a number, be its formula right.
_FAR = 1e3

# Outputs whose rounding errors are so many times those of their last digit get a look at how they are computed.
_AMPLIFIED = 1e3


# Machine epsilon below which a type is double precision.
_SINGLE = 2.0**-40


@dataclass(frozen=True)
class Tolerance:
    """What a caller set: ``rtol`` and ``atol`` in place of computed bounds, the coarsest resolution of a pass."""

    rtol: float | None = None
    atol: float | None = None
    resolution_limit: float | None = None

    @property
    def given(self) -> bool:
        """Whether bounds are the caller's."""
        return self.rtol is not None or self.atol is not None

    def limits(self, eps: Array) -> Array:
        """The coarsest resolution of a pass for outputs with these machine epsilons."""
        if self.resolution_limit is not None:
            return np.full(eps.shape, self.resolution_limit)
        return np.array([default_resolution_limit(float(level)) for level in eps])

    def bound(self, sizes: Array) -> Array:
        """The caller's bound."""
        return np.asarray((self.atol or 0.0) + (self.rtol or 0.0) * sizes)


def judge_entries(
    reference: Reference,
    jacobian: Array,
    center: Array,
    *,
    rows: Array,
    columns: Array,
    eps: Array,
    tolerance: Tolerance,
) -> Judgement:
    """Every entry of a theoretical Jacobian beside the reference.

    Args:
        reference: of the problem.
        jacobian: theoretical ``[y_size, x_size]``.
        center: the mode's outputs ``[y_size]``.
        rows, columns: the outputs and inputs that count.
        eps: machine epsilon of each output ``[y_size]``.
        tolerance: the caller's.

    Returns:
        Arrays are ``[len(columns), len(rows)]``.
    """
    slopes = reference.slopes(columns)
    theory = jacobian[np.ix_(rows, columns)].T
    right, left, low, high = (a[:, rows] for a in (slopes.right, slopes.left, slopes.low, slopes.high))
    units = eps[rows][None]
    with np.errstate(all="ignore"):
        size = np.fmax(np.fmax(np.abs(low), np.abs(high)), np.abs(theory))
        bound = tolerance.bound(size) if tolerance.given else _roundings(units) * size + underflow(units)
        built = _smooth_though_built_of_kinks(reference, slopes, columns, rows, units)
        low, high = np.where(built, right, low), np.where(built, right, high)
        outside = _outside(theory, low, high)
        if not tolerance.given and loses_digits(slopes, rows, eps):
            wide = _DEVIATIONS * reference.deviation(columns, _SAMPLES)[:, rows]
            bound = np.fmax(bound, np.where(np.isfinite(wide), wide, np.inf))
        if not tolerance.given and (outside > bound).any():
            for samples in (_SAMPLES, _MORE_SAMPLES):
                wide = _DEVIATIONS * reference.deviation(columns, samples)[:, rows]
                # Off the doubtful entries bounds stay as sharp as they were shown to be.
                bound = np.where(outside > bound, np.fmax(bound, np.where(np.isfinite(wide), wide, np.inf)), bound)
                if not (outside > bound).any():
                    break
        limits = tolerance.limits(eps[rows])
        scale = scale_of(slopes, reference.problem.x, rows, bound, limits)
        if not tolerance.given:
            # An output that has lost its digits may have a gradient that has lost them.
            lost = np.abs(center - slopes.value)[rows] > limits * np.abs(slopes.value[rows]) + underflow(eps[rows])
            bound = np.where(lost & (outside > bound), np.inf, bound)
        found = _judged(slopes, theory, right, left, low, high, bound, outside, scale, units, limits, tolerance.given)
        far = (found.status == Status.PASS) & (outside > _FAR * units * size) & (not tolerance.given)
        if far.any():
            by_chance = _DEVIATIONS * reference.deviation(columns, _MORE_SAMPLES, formulas=False)[:, rows]
            far &= ~(outside <= by_chance)
        return replace(found, inaccurate=far)


def _smooth_though_built_of_kinks(
    reference: Reference, slopes: Slopes, columns: Array, rows: Array, units: Array
) -> Array:
    """Where corners cancel, so that the function has a slope there, and conventions need not give it, ``[k, rows]``.

    An output is differentiable where its one-sided slopes are linear in the direction. A tie that only rounding makes
    says nothing of that.
    """
    right, left = slopes.right[:, rows], slopes.left[:, rows]
    close = np.sqrt(units) * np.fmax(np.abs(right), np.abs(left))
    with np.errstate(invalid="ignore"):
        even = (np.abs(right - left) <= close) & (slopes.low[:, rows] < slopes.high[:, rows])
    even &= slopes.fuzzy == 0
    if not even.any():
        return np.asarray(even)
    weights = np.random.default_rng(0).standard_normal((_LINEAR, len(columns)))
    directions = np.zeros((_LINEAR, reference.problem.x.size))
    directions[:, columns] = weights
    along = reference.along(directions)
    terms = np.sqrt(units) * (np.abs(weights) @ np.abs(right))
    with np.errstate(invalid="ignore"):
        linear = np.abs(along.right[:, rows] - weights @ right) <= terms
        linear &= np.abs(along.left[:, rows] - weights @ right) <= terms
    return np.asarray(even & linear.all(axis=0))


def _outside(theory: Array, low: Array, high: Array) -> Array:
    """How far entries lie outside of what is allowed, 0 inside; 0 where nothing is known."""
    away = np.fmax(np.fmax(low - theory, theory - high), 0.0)
    return np.where(np.isfinite(theory), away, np.inf)


def loses_digits(slopes: Slopes, rows: Array, eps: Array) -> bool:
    """Whether some output has rounding errors far beyond a few roundings of itself: digits cancel, or are absorbed."""
    size = np.abs(slopes.value[rows])
    with np.errstate(invalid="ignore"):
        return bool((slopes.noise[rows] > _AMPLIFIED * eps[rows] * np.fmax(size, size.max(initial=0.0))).any())


def _roundings(eps: Array) -> Array:
    """How many roundings are allowed at once, by machine epsilon, times that."""
    return np.where(eps < _SINGLE, _ROUNDINGS_DOUBLE, _ROUNDINGS) * eps


def underflow(eps: Array) -> Array:
    """The smallest normal number of types with some machine epsilons: what is less may come out as 0."""
    return np.where(eps < _SINGLE, 2.0**-1022, 2.0**-126)


def precision_of(slopes: Slopes, eps: Array) -> Array:
    """Machine epsilon with which each output is really computed ``[y_size]``: that of a lower precision inside, if any.

    Args:
        slopes: of the outputs.
        eps: of their types.
    """
    coarse = np.maximum(eps, 2 * slopes.coarsest)
    # Of an output that is 0 nothing is known.
    coarser = (slopes.noise > 4 * eps * np.abs(slopes.value)) | (slopes.value == 0)
    return np.asarray(np.where(coarser, coarse, eps))


def scale_of(slopes: Slopes, x: Array, rows: Array, bound: Array, limits: Array) -> Array:
    """What errors of each output's gradient are relative to ``[len(rows)]``: its largest entry.

    Where a gradient vanishes up to rounding there is no such entry, and ordinary numbers take its place; but not where
    rounding is all that is left of the output as well.
    """
    right = np.where(np.isfinite(slopes.right[:, rows]), slopes.right[:, rows], 0.0)
    largest = np.abs(right).max(axis=0, initial=0.0)
    value = np.abs(np.where(np.isfinite(slopes.value[rows]), slopes.value[rows], 0.0))
    ordinary = max(float(np.abs(np.where(np.isfinite(x), x, 0.0)).max(initial=0.0)), float(value.max(initial=0.0)))
    ordinary = ordinary or 1.0  # at zeros nothing tells how large numbers are
    lost = ~(slopes.noise[rows] <= limits * ordinary)
    vanishing = (largest <= bound.max(axis=0, initial=0.0)) & ~lost
    return np.asarray(np.where(vanishing, np.maximum(1.0, largest), np.maximum(largest, 1e-300)))


def _judged(
    slopes: Slopes,
    theory: Array,
    right: Array,
    left: Array,
    low: Array,
    high: Array,
    bound: Array,
    outside: Array,
    scale: Array,
    units: Array,
    limits: Array,
    given: bool,
) -> Judgement:
    status = np.zeros(theory.shape, np.int8)
    kind = np.full(theory.shape, Kind.SMOOTH, np.int8)
    jump = np.isnan(right) | np.isnan(left)
    spread = np.where(np.isfinite(high - low), high - low, 0.0)
    cornered = ~jump & (spread > np.fmax(bound, _roundings(units) * np.fmax(np.abs(low), np.abs(high))))
    kind[cornered], kind[jump] = Kind.KINK, Kind.JUMP
    status[cornered | jump] = Status.KINK
    if not given:  # a caller who sets a tolerance means it, however coarse it is
        status[(bound > limits * scale) & ~cornered & ~jump] = Status.UNRESOLVED
    status[(outside > bound) & ~jump] = Status.MISMATCH
    status[~np.isfinite(theory)] = Status.NONFINITE
    nearest = np.where(np.abs(theory - right) <= np.abs(theory - left), right, left)
    numerical = np.where(np.isfinite(nearest), nearest, 0.0)
    # Roundings are no trace to follow; what a caller's tolerance allows is one.
    told = (outside > bound) | given
    excess = np.where(told & (outside > 0), outside / np.fmax(bound, 1e-300), 0.0)
    passed = (status == Status.PASS) & (bound > 0)
    resolution = float((bound / scale)[passed].max(initial=0.0)) if passed.any() else float(_roundings(units).max())
    return Judgement(
        status=status,
        numerical=numerical,
        bound=np.where(jump, np.inf, bound),
        excess=np.where(np.isfinite(excess), excess, 0.0),
        left=np.where(cornered, left, np.nan),
        right=np.where(cornered, right, np.nan),
        kind=kind,
        resolution=resolution,
    )


def judge_directions(
    reference: Reference,
    pulled: Array,
    cotangents: Array,
    directions: Array,
    *,
    columns: Array,
    eps: Array,
    tolerance: Tolerance,
) -> Judgement:
    """Random combinations of outputs along random directions beside the reference, for a Jacobian too large to form.

    Args:
        reference: of the problem.
        pulled: what the mode pulls the cotangents back to ``[m, x_size]``.
        cotangents: ``[m, y_size]``; 0 where an output does not count.
        directions: ``[k, x_size]``; 0 where an input does not count.
        columns, eps, tolerance: as for `judge_entries`.

    Returns:
        Arrays are ``[k, m]``.
    """
    slopes = reference.along(directions)
    counted = cotangents.any(axis=0)
    weights, level = cotangents[:, counted].T, float(eps[counted].max(initial=2.0**-52))
    right, left, low, high = (a[:, counted] for a in (slopes.right, slopes.left, slopes.low, slopes.high))
    up, down = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
    with np.errstate(all="ignore"):
        theory = directions[:, columns] @ pulled[:, columns].T
        terms = np.abs(directions[:, columns]) @ np.abs(pulled[:, columns]).T + np.abs(right) @ np.abs(weights)
        lowest, highest = low @ up + high @ down, high @ up + low @ down
        bound = tolerance.bound(np.abs(right @ weights)) if tolerance.given else _roundings(np.asarray(level)) * terms
        outside = _outside(theory, lowest, highest)
        if not tolerance.given and (outside > bound).any():
            wide = _DEVIATIONS * reference.deviation_along(directions, _MORE_SAMPLES)[:, counted] @ np.abs(weights)
            bound = np.where(outside > bound, np.fmax(bound, np.where(np.isfinite(wide), wide, np.inf)), bound)
        scale = np.fmax(np.abs(right @ weights).max(axis=0, initial=0.0), 1e-300)
        units = np.full((1, theory.shape[1]), level)
        limits = tolerance.limits(units[0])
        return _judged(
            slopes, theory, right @ weights, left @ weights, lowest, highest, bound, outside, scale, units, limits,
            tolerance.given,
        )  # fmt: skip


def judge_products(
    reference: Reference,
    pulled: Array,
    cotangents: Array,
    *,
    columns: Array,
    eps: Array,
    tolerance: Tolerance,
) -> tuple[bool, float]:
    """Whether random combinations of gradient rows are those of the reference, and how sharp that is.

    Args:
        reference: of the problem.
        pulled: what the mode pulls the cotangents back to ``[m, x_size]``.
        cotangents: ``[m, y_size]``; 0 where an output does not count.
        columns, eps, tolerance: as for `judge_entries`.

    Returns:
        Whether they agree at a point without ties, and the resolution: the bound relative to the largest product.
    """
    slopes = reference.slopes(columns)
    if slopes.ties:
        return False, np.nan
    counted = cotangents.any(axis=0)
    weights = cotangents[:, counted]
    entries = slopes.right[:, counted]
    level = float(eps[counted].max(initial=0.0))
    with np.errstate(all="ignore"):
        expected = weights @ entries.T
        terms = np.abs(weights) @ np.abs(entries).T
        off = np.abs(pulled[:, columns] - expected)
        bound = tolerance.bound(np.abs(expected)) if tolerance.given else _roundings(np.asarray(level)) * terms
        if not tolerance.given and not (off <= bound).all():
            wide = _DEVIATIONS * np.abs(weights) @ reference.deviation(columns, _SAMPLES)[:, counted].T
            bound = np.where(off <= bound, bound, np.fmax(bound, wide))
        if not (off <= bound).all():
            return False, np.nan
        largest = np.fmax(np.abs(expected).max(axis=1, initial=0.0), np.fmax(terms.max(axis=1, initial=0.0), 1e-300))
        resolution = float((bound.max(axis=1, initial=0.0) / largest).max(initial=0.0))
    return True, resolution
