"""From slopes and their errors to a status for every entry of a Jacobian.

The tolerance is no constant: it is `SAFETY` times the error that the measurement itself claims, plus a few
roundings of the theoretical value. A status other than PASS says why: see `Status`.
"""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError, shown
from gradcheck.numerics.ladder import Kind, Refined
from gradcheck.numerics.screening import Estimate
from gradcheck.numerics.steps import FLOAT64_EPS

__all__ = [
    "SAFETY",
    "Judgement",
    "Measured",
    "Status",
    "default_resolution_limit",
    "excused",
    "judge",
    "passes_screen",
    "require_tolerances",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Statuses = NDArray[np.int8]

# An entry counts as wrong beyond this many claimed errors. docs/numerics.md shows how often, and by how much,
# the true error exceeds the claimed one.
SAFETY = 10.0

# An entry that the screen lets pass is known to this fraction of itself (or to the second of the largest in
# its row).
_SCREEN_OWN = 2e-6
_SCREEN_ROW = 4e-9

# A gradient this small against the others, or against the output itself, need not be known to any digit: 1e-6
# in float64, 3.5e-3 in float32.
_NEGLIGIBLE = 1e-6
_NEGLIGIBLE_ROOTS = 10.0

# What lies within this many errors of the side slopes is not called wrong, whatever the central slope says.
_HULL = 3.0

# The theoretical value has rounding errors as well: those of a sum whose terms are as large as the row's
# largest entry.
_THEORY_ROUNDINGS = 64.0


# An entry smaller than this part of those of other outputs can come from terms that cancel inside the
# function, rounded more coarsely than any of its outputs shows: 1 + tanh(x) far to the left. In units of 1
# and of the machine epsilon.
_SPECK = 1e-11
_SPECK_ROUNDINGS = 4000.0


# A slope that is known no better than to this part of itself, or of an ordinary one, is no evidence against another.
_VAGUE = 0.25


class Status(enum.IntEnum):
    """What one entry of the Jacobian came to."""

    PASS = 0
    """Theoretical and numerical agree within a bound that is small enough to mean something."""
    KINK = 1
    """A corner or jump; the theoretical value lies between the slopes of the two sides."""
    UNRESOLVED = 2
    """The slope could not be measured well enough to decide."""
    MISMATCH = 3
    """The two differ by more than the bound."""
    NONFINITE = 4
    """The theoretical value, or the output at the point itself, is NaN or infinite."""


@dataclass(frozen=True)
class Judgement:
    """The status of every entry, and how sharp the check was. Arrays are ``[n_directions, y_size]``.

    Attributes:
        status: `Status` of every entry, as int8.
        numerical: measured slope, always finite.
        bound: how far theoretical and numerical may lie apart; infinite where there is no slope to compare
            with.
        excess: ``|theoretical - numerical| / bound``, 0 where both are equal: above 1 is a finding. At a
            corner the distance to the nearer side. For choosing the worst entry and as a target for a search.
        left, right: slopes of the two sides where they were measured, else NaN.
        kind: `gradcheck.numerics.Kind` of every entry, SMOOTH where the screen settled it.
        resolution: the smallest error of the gradient, relative to the largest entry for the same output,
            that this check could have seen: the worst over the entries that passed. NaN where none did.
        inaccurate: the entries that passed because the formula is right, and are far off as numbers; None where nobody
            looked.
    """

    status: Statuses
    numerical: Array
    bound: Array
    excess: Array
    left: Array
    right: Array
    kind: NDArray[np.int8]
    resolution: float
    inaccurate: Mask | None = None

    def count(self, status: Status) -> int:
        """Number of entries with a status."""
        return int((self.status == status).sum())


def default_resolution_limit(eps: float) -> float:
    """The resolution that must be reached for a PASS: 1e-4 in float64, 2.8e-2 in float32, never above 0.1.

    In lower precision the best error of a difference quotient grows as a root of the rounding error; 80·√eps
    is what ordinary layers in float32 reach with room to spare, and still far below a forgotten factor or
    sign.
    """
    return min(max(1e-4, 80.0 * float(np.sqrt(eps))), 0.1)


# What a float64 can still hold: a larger whole number of Python's is no tolerance.
_HUGE = sys.float_info.max


def require_tolerances(**numbers: Any) -> None:
    """Tolerances by name: each a finite number of at least 0, or None; a ``resolution_limit`` above 0.

    Raises:
        InputError: one is not.
    """
    for name, number in numbers.items():
        if number is None:
            continue
        is_number = isinstance(number, Real) and not isinstance(number, (bool, np.bool_))
        if not (is_number and 0 <= number < _HUGE):
            raise InputError(f"{name} must be a finite number of at least 0, got {shown(number)}")
        if number == 0 and name == "resolution_limit":
            raise InputError("resolution_limit must be above 0, got 0: every measured slope has some error")


def _slopes(theoretical: Any, shape: tuple[int, ...]) -> Array:
    values = np.asarray(theoretical, np.float64)
    if values.shape != shape:
        raise InputError(
            f"theoretical must be [n_directions, y_size] = {shape}, got {values.shape}; "
            "a Jacobian [y_size, x_size] is handed over transposed"
        )
    return values


def _rounding(theoretical: Array, numerical: Array, scale: Any, eps: Any) -> Array:
    """Bound on rounding errors of the theoretical values; those of an output share their largest terms."""
    # A forward pass that loses more digits than float32 has is no reason to forgive the gradient as much.
    levels = np.minimum(np.asarray(eps, np.float64), 2.0**-23)
    size = np.fmax(np.abs(np.where(np.isfinite(theoretical), theoretical, 0.0)), np.abs(numerical))
    if not size.size:
        return np.zeros_like(size)
    row = size.max(axis=0)
    ordinary = _ordinary(row, scale)
    speck = np.maximum(_SPECK, _SPECK_ROUNDINGS * levels.min(initial=1.0)) * ordinary
    return np.asarray(np.broadcast_to(levels * _THEORY_ROUNDINGS * row + speck, size.shape))


def _ordinary(row: Array, scale: Any) -> float:
    """Size of an ordinary derivative, given the largest for each output and what `judge` knows as ``scale``."""
    usual = float(np.median(row[row > 0])) if (row > 0).any() else 0.0
    return usual if scale is None else max(usual, min(float(np.max(scale, initial=0.0)), 1.0))


def passes_screen(theoretical: Any, estimate: Estimate, *, eps: float = FLOAT64_EPS) -> Mask:
    """Entries that the first look settles as right; all others belong on the ladder.

    An entry passes where the two values agree *and* the bound is a tiny part of the entry, so that what the
    screen lets pass is known better than what any caller needs.

    Args:
        theoretical: ``[n_directions, y_size]``.
        estimate: from `gradcheck.numerics.screen`, for the same entries.
        eps: machine epsilon of the dtype in which the gradient was computed.

    Raises:
        InputError: the shapes differ.
    """
    theory = _slopes(theoretical, estimate.value.shape)
    # What was measured across a pole is no slope, and would make that of any other input small beside it.
    known = np.where(estimate.error <= np.abs(estimate.value), estimate.value, 0.0)
    rounding = _rounding(theory, known, None, eps)
    with np.errstate(invalid="ignore"):
        bound = SAFETY * estimate.error + rounding
        own = np.abs(estimate.value)
        row = np.abs(known).max(axis=0, initial=0.0)
        limit = np.maximum(_SCREEN_OWN * own, _SCREEN_ROW * row) + rounding
        # Nothing moves and nothing should: the bound has no slope to be compared with.
        limit = np.maximum(limit, np.where((theory == 0) & (estimate.value == 0), 1e-9 + rounding, 0.0))
        return np.asarray(~estimate.suspicious & (np.abs(theory - estimate.value) <= bound) & (bound <= limit))


@dataclass(frozen=True)
class Measured:
    """What was measured of every entry, from the screen and, where that was not enough, from the ladder.

    Attributes:
        slopes: of every entry, ``[n_directions, y_size]``.
        screened: entries that the first look settled.
    """

    slopes: Refined
    screened: Mask

    @classmethod
    def of(cls, estimate: Estimate, screened: Mask, refined: Refined | None = None, rows: Any = None) -> Measured:
        """From a screen, and a ladder for the directions of which ``rows`` is true, in order.

        Raises:
            InputError: ``rows`` does not belong to ``refined``.
        """
        shape = estimate.value.shape
        unknown = np.where(estimate.suspicious | ~screened, np.int8(Kind.UNRESOLVED), np.int8(Kind.SMOOTH))
        none = np.full(shape, np.nan)
        found = Refined(
            estimate.value, estimate.error, none, none, np.full(shape, np.inf), unknown, np.zeros(shape, bool)
        )
        if refined is None:
            return cls(found, screened)
        which = np.ones(shape[0], bool) if rows is None else np.asarray(rows, bool)
        if which.shape != (shape[0],) or int(which.sum()) != refined.value.shape[0]:
            raise InputError(
                f"refined_mask must be bool [n_directions] = ({shape[0]},) and true for the "
                f"{refined.value.shape[0]} refined directions, got shape {which.shape} with {int(which.sum())} true"
            )
        merged = {}
        for name in Refined.__dataclass_fields__:
            whole = getattr(found, name).copy()
            whole[which] = np.where(screened[which], whole[which], getattr(refined, name))
            merged[name] = whole
        return cls(Refined(**merged), screened)


def judge(
    theoretical: Any,
    measured: Measured,
    *,
    eps: Any = FLOAT64_EPS,
    scale: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    resolution_limit: float | None = None,
) -> Judgement:
    """Status of every entry: the first of a few rules that applies.

    Args:
        theoretical: ``[n_directions, y_size]``: derivative of every output along every direction.
        measured: slopes of the same entries.
        eps: machine epsilon in which value and gradient were computed, one or ``[y_size]``.
        scale: ``[y_size]``, size that a derivative of each output would ordinarily have, such as output by
            input, for outputs whose gradient is zero or nearly so and gives no scale for the resolution. None: 1.
        rtol, atol: a caller's own tolerance ``atol + rtol·|numerical|``. An entry within it passes and one beyond
            it is a mismatch, if the measurement is accurate enough to say so, else unresolved.
        resolution_limit: an entry whose bound exceeds this part of its row's largest entry is UNRESOLVED.
            None: `default_resolution_limit`.

    Raises:
        InputError: shapes differ, or a tolerance is negative or not finite.
    """
    theory = _slopes(theoretical, measured.slopes.value.shape)
    require_tolerances(rtol=rtol, atol=atol, resolution_limit=resolution_limit)
    levels = np.broadcast_to(np.asarray(eps, np.float64), theory.shape[1:])
    limit = np.array([default_resolution_limit(float(level)) for level in levels])
    limit = limit if resolution_limit is None else np.full(limit.shape, resolution_limit)
    slopes = measured.slopes
    with np.errstate(invalid="ignore"):
        compared = _Compared.of(theory, slopes, scale, levels)
        vague = compared.bound > _VAGUE * np.fmax(np.abs(slopes.value), 1.0 if scale is None else scale)
        # Where some output jumps the point does not belong to its surroundings, for the other outputs neither.
        apart = (slopes.kind == Kind.JUMP).any(axis=1, keepdims=True)
        given = rtol is not None or atol is not None
        tolerance = (atol or 0.0) + (rtol or 0.0) * np.abs(slopes.value)
        wrong, coarse = compared.by_tolerance(theory, tolerance, limit) if given else compared.by_bound(limit)
        rules = (
            (~np.isfinite(theory), Status.NONFINITE),
            (measured.screened & (not given), Status.PASS),
            (compared.cornered & compared.between, Status.KINK),
            (compared.cornered | (slopes.kind == Kind.UNRESOLVED), Status.UNRESOLVED),
            (wrong & (slopes.disputed | vague | apart), Status.UNRESOLVED),
            (wrong, Status.MISMATCH),
            (coarse, Status.UNRESOLVED),
        )
        status = np.select([rule for rule, _ in rules], [int(s) for _, s in rules], int(Status.PASS)).astype(np.int8)
        return compared.judgement(status, tolerance if given else compared.bound)


@dataclass(frozen=True)
class _Compared:
    """Theoretical slopes beside measured ones. All arrays are ``[n_directions, y_size]``, ``size`` is ``[1, y_size]``.

    Attributes:
        slopes: the measured ones.
        bound: how far the two may lie apart.
        distance: how far they do.
        slack: how far a slope may lie outside of those of the two sides.
        outside: how far it does; 0 where it does not.
        between: whether it lies between them.
        cornered: whether there is a corner or a jump.
        size: of the derivatives of each output, which a resolution is relative to.
    """

    slopes: Refined
    bound: Array
    distance: Array
    slack: Array
    outside: Array
    between: Mask
    cornered: Mask
    size: Array

    @classmethod
    def of(cls, theory: Array, slopes: Refined, scale: Any, levels: Array) -> _Compared:
        rounding = _rounding(theory, slopes.value, scale, levels)
        bound = SAFETY * slopes.error + rounding
        cornered = np.isin(slopes.kind, (Kind.KINK, Kind.JUMP))
        sides = np.where(np.isfinite(slopes.side_error), slopes.side_error, 0.0)
        slack = np.where(cornered, SAFETY, _HULL) * sides + rounding
        below, above = np.fmin(slopes.left, slopes.right) - slack, np.fmax(slopes.left, slopes.right) + slack
        between = (theory >= below) & (theory <= above)
        outside = np.where(between, 0.0, np.fmax(below - theory, theory - above) + slack)
        size = _row_scale(theory, slopes.value, bound, rounding, scale, levels)
        return cls(slopes, bound, np.abs(theory - slopes.value), slack, outside, between, cornered, size)

    @property
    def sharpness(self) -> Array:
        """How much of a gradient goes unseen."""
        return np.asarray(np.maximum(np.where(self.distance > self.bound, self.distance, 0.0), self.bound) / self.size)

    def by_bound(self, limit: Array) -> tuple[Mask, Mask]:
        """Which are wrong, and which are not known well enough, by the measured bounds."""
        # A corner too small to tell from noise can shift the central slope, never beyond the slopes of the sides.
        return (self.distance > self.bound) & ~self.between, self.sharpness > limit

    def by_tolerance(self, theory: Array, tolerance: Array, limit: Array) -> tuple[Mask, Mask]:
        """The same by a tolerance that somebody gave."""
        wrong = (self.distance - tolerance > self.slopes.error) & np.isfinite(self.slopes.error)
        # A part of a slope of 0 is 0, which no measurement is as good as: there the measured bound decides.
        nothing = (theory == 0) & (self.distance <= self.bound) & (self.sharpness <= limit)
        return wrong, (self.distance + self.slopes.error > tolerance) & ~nothing

    def judgement(self, status: Statuses, bound: Array) -> Judgement:
        """With the status of every entry, by what may lie apart."""
        bound = np.where(self.cornered, self.slack, bound)
        excess = np.where(self.cornered, self.outside, self.distance) / np.maximum(bound, np.finfo(np.float64).tiny)
        excess = np.where(np.isfinite(excess), excess, np.where(status == Status.NONFINITE, np.inf, 0.0))
        passed = status == Status.PASS
        # What passed beyond its bound, between the slopes of the sides, says itself how much goes unseen.
        unseen = (np.fmax(bound, self.distance) / self.size)[passed]
        slopes = self.slopes
        return Judgement(
            status=status, numerical=slopes.value, bound=bound, excess=excess, left=slopes.left, right=slopes.right,
            kind=slopes.kind, resolution=float(unseen.max()) if passed.any() else float("nan"),
        )  # fmt: skip


def excused(judgement: Judgement, theory: Array, allowed: Array, size: Array, limit: float) -> Judgement:
    """A judgement with wider bounds for mismatches: within these they pass, or are undecided where that is too much.

    Args:
        judgement: of the entries.
        theory: theoretical slopes ``[n_directions, y_size]``.
        allowed: what each mismatch may be off by, same shape; 0 where nothing is excused.
        size: what a resolution is relative to, ``[1, y_size]``.
        limit: the coarsest resolution of a pass.
    """
    with np.errstate(invalid="ignore"):
        distance = np.abs(theory - judgement.numerical)
        within = (judgement.status == Status.MISMATCH) & (distance <= allowed)
    if not within.any():
        return judgement
    part = distance / size
    fine = within & (part <= limit)
    status = np.where(fine, np.int8(Status.PASS), np.where(within, np.int8(Status.UNRESOLVED), judgement.status))
    resolution = (
        float(np.fmax(judgement.resolution, part[fine].max(initial=0.0))) if fine.any() else judgement.resolution
    )
    return replace(judgement, status=status, bound=np.where(within, allowed, judgement.bound), resolution=resolution)


def _row_scale(theory: Array, value: Array, bound: Array, rounding: Array, scale: Any, eps: Array) -> Array:
    """Size of the derivatives of each output, ``[1, y_size]``, by which a resolution is relative.

    That of its largest entry, unless that is a mere `_NEGLIGIBLE` of those of other outputs, or of the output by the
    input: the last digits of a saturated unit are beyond measuring, and beyond caring. An output that does not depend
    on the input at all has no scale of its own and gets the ordinary one.
    """
    size = np.fmax(np.where(np.isfinite(theory), np.abs(theory), 0.0), np.abs(value))
    if not size.size:
        return np.ones((1, theory.shape[1]))
    row = size.max(axis=0)
    typical = np.broadcast_to(np.asarray(1.0 if scale is None else scale, np.float64), row.shape)
    ordinary = np.maximum(_ordinary(row, scale), typical)
    independent = ((np.abs(theory) <= rounding) & (np.abs(value) <= bound)).all(axis=0)
    negligible = np.clip(_NEGLIGIBLE_ROOTS * np.sqrt(eps), _NEGLIGIBLE, 0.05)
    return np.asarray(np.where(independent, ordinary, np.maximum(row, negligible * ordinary)))[np.newaxis]
