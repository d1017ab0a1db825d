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
from gradcheck.numerics.first_look import Estimate
from gradcheck.numerics.ladder import Kind, Refined
from gradcheck.numerics.noise import FINEST_INSIDE
from gradcheck.numerics.steps import FLOAT64_EPS

__all__ = ["SAFETY", "Judgement", "Status", "default_resolution_limit", "judge", "passes_screen", "require_tolerances"]

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
        short: machine epsilon ``[y_size]`` of outputs that are computed in so few bits that they stand still around the
            point, 0 for others; None where nobody looked.
    """

    status: Statuses
    numerical: Array
    bound: Array
    excess: Array
    left: Array
    right: Array
    kind: NDArray[np.int8]
    resolution: float
    short: Array | None = None

    def count(self, status: Status) -> int:
        """Number of entries with a status."""
        return int((self.status == status).sum())

    def corrected(self, lines: NDArray[np.intp], entries: Mask, other: Judgement) -> Judgement:
        """The same but for some ``entries`` of the directions ``lines``, of which ``other`` knows more.

        Args:
            lines: numbers of the directions that ``other`` is about.
            entries: of these directions the ones to be taken from ``other``, ``[n_lines, y_size]``.
        """
        changed = {}
        for name in ("status", "numerical", "bound", "excess", "left", "right", "kind"):
            values = getattr(self, name).copy()
            values[lines] = np.where(entries, getattr(other, name), values[lines])
            changed[name] = values
        return replace(self, **changed, resolution=float(np.fmax(self.resolution, other.resolution)))


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


def _rounding(
    theoretical: Array, numerical: Array, scale: Any, eps: float, noise: Any = None, coarser: Any = None
) -> Array:
    """Bound on rounding errors of the theoretical values; those of an output share their largest terms."""
    # A forward pass that loses more digits than float32 has is no reason to forgive the gradient as much.
    eps = min(eps, 2.0**-23)
    size = np.fmax(np.abs(np.where(np.isfinite(theoretical), theoretical, 0.0)), np.abs(numerical))
    if not size.size:
        return np.zeros_like(size)
    row = size.max(axis=0)
    ordinary = _ordinary(row, scale)
    coarse = eps * ordinary
    if noise is not None and eps < FINEST_INSIDE:
        # What is small by cancellation has a large relative error, which is nothing beside larger outputs.
        coarse = min(coarse, max(FLOAT64_EPS * ordinary, float(np.max(noise))))
    speck = max(_SPECK * ordinary, _SPECK_ROUNDINGS * coarse)
    each = eps if coarser is None else np.clip(np.asarray(coarser, np.float64), eps, 2.0**-23)
    return np.asarray(np.broadcast_to(each * _THEORY_ROUNDINGS * row + speck, size.shape))


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


def judge(
    theoretical: Any,
    estimate: Estimate,
    refined: Refined | None = None,
    refined_mask: Any = None,
    *,
    eps: float = FLOAT64_EPS,
    coarser: Any = None,
    noise: Any = None,
    scale: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    resolution_limit: float | None = None,
) -> Judgement:
    """Status of every entry, from the screen and, where it was not enough, from the ladder.

    Args:
        theoretical: ``[n_directions, y_size]``: derivative of every output along every direction.
        estimate: from `gradcheck.numerics.screen`, same shape.
        refined: from `gradcheck.numerics.refine`, for the directions of which ``refined_mask`` is true, in
            order.
        refined_mask: bool ``[n_directions]``. None: all directions, where ``refined`` is given.
        eps: machine epsilon of the dtype in which value and gradient were computed.
        coarser: ``[y_size]``, that of each output, where some are computed in a lower precision. None: all as ``eps``
            has it.
        noise: ``[y_size]``, standard deviation of the rounding errors of each output, by the size of the input, as
            ``scale``. None: as ``eps`` has it.
        scale: ``[y_size]``, size that a derivative of each output would ordinarily have, such as output by
            input, for outputs whose gradient is zero or nearly so and gives no scale for the resolution.
            None: 1.
        rtol, atol: a caller's own tolerance ``atol + rtol·|numerical|``. It then holds: an entry within it
            passes and one beyond it is a mismatch, if the measurement is accurate enough to say so, else
            unresolved.
        resolution_limit: an entry whose bound exceeds this part of its row's largest entry is UNRESOLVED.
            None: `default_resolution_limit`.

    Raises:
        InputError: shapes differ, or a tolerance is negative or not finite.
    """
    theory = _slopes(theoretical, estimate.value.shape)
    require_tolerances(rtol=rtol, atol=atol, resolution_limit=resolution_limit)
    limit = default_resolution_limit(eps) if resolution_limit is None else resolution_limit
    screened = passes_screen(theory, estimate, eps=eps)

    shape = theory.shape
    value, error = estimate.value.copy(), estimate.error.copy()
    left, right, side_error = (np.full(shape, fill) for fill in (np.nan, np.nan, np.inf))
    kind = np.where(estimate.suspicious, np.int8(Kind.UNRESOLVED), np.int8(Kind.SMOOTH))
    doubtful = np.zeros(shape, bool)
    on_ladder = np.zeros(shape, bool)
    if refined is not None:
        rows = np.ones(shape[0], bool) if refined_mask is None else np.asarray(refined_mask, bool)
        if rows.shape != (shape[0],) or int(rows.sum()) != refined.value.shape[0]:
            raise InputError(
                f"refined_mask must be bool [n_directions] = ({shape[0]},) and true for the "
                f"{refined.value.shape[0]} "
                f"refined directions, got shape {rows.shape} with {int(rows.sum())} true"
            )
        on_ladder[rows] = True
        on_ladder &= ~screened
        for target, source in (
            (value, refined.value), (error, refined.error), (left, refined.left), (right, refined.right),
            (side_error, refined.side_error), (kind, refined.kind), (doubtful, refined.staircase |
            refined.supported),
        ):  # fmt: skip
            full = np.zeros(shape, target.dtype)
            full[rows] = source
            np.copyto(target, full, where=on_ladder)

    rounding = _rounding(theory, value, scale, eps, noise, coarser)
    with np.errstate(invalid="ignore"):
        if refined is not None:
            # Noise that was measured too large lets far windows count that nearer rungs would have refuted. A
            # theoretical value that is right under either opinion about the noise is not called wrong.
            calm, calm_error = np.zeros(shape), np.full(shape, np.inf)
            calm[rows], calm_error[rows] = refined.calm_value, refined.calm_error
            missed = np.abs(theory - value) > SAFETY * error + rounding
            met = on_ladder & missed & (np.abs(theory - calm) <= SAFETY * calm_error + rounding)
            # Only where the agreement with the one is much sharper than the disagreement with the other.
            met &= np.abs(theory - calm) + SAFETY * calm_error < 0.1 * np.abs(theory - value)
            # An agreement to many digits is none by chance, however large the noise was measured: next to the edge of
            # a domain it comes out too large.
            agreed = on_ladder & (theory != 0) & (np.abs(theory - calm) <= SAFETY * calm_error + rounding)
            agreed &= SAFETY * calm_error + rounding <= min(limit, 1e-4) * np.abs(theory)
            met |= agreed & (SAFETY * error > limit * np.abs(theory))
            met &= (kind == Kind.SMOOTH) | (kind == Kind.UNRESOLVED)
            met &= np.isfinite(calm_error)
            value, error = np.where(met, calm, value), np.where(met, calm_error, error)
            kind = np.where(met, np.int8(Kind.SMOOTH), kind)
        return _judge(
            theory, value, error, left, right, side_error, kind, doubtful, screened, on_ladder, rounding,
            scale, rtol, atol, limit, eps,
        )  # fmt: skip


def _judge(
    theory: Array,
    value: Array,
    error: Array,
    left: Array,
    right: Array,
    side_error: Array,
    kind: NDArray[np.int8],
    doubtful: Mask,
    screened: Mask,
    on_ladder: Mask,
    rounding: Array,
    scale: Any,
    rtol: float | None,
    atol: float | None,
    limit: float,
    eps: float,
) -> Judgement:
    bound = SAFETY * error + rounding
    distance = np.abs(theory - value)
    smooth = (kind == Kind.SMOOTH) | (kind == Kind.ONE_SIDED)
    slack = np.where(smooth, _HULL, SAFETY) * np.where(np.isfinite(side_error), side_error, 0.0) + rounding
    below, above = np.fmin(left, right) - slack, np.fmax(left, right) + slack
    outside = np.where(theory < below, below - theory, np.where(theory > above, theory - above, 0.0))
    in_hull = (theory >= below) & (theory <= above)

    # A corner too small to tell from noise can shift the central slope by more than its claimed error, never
    # beyond the hull of the side slopes: what the ladder calls wrong must lie outside that too.
    wrong = smooth & (distance > bound) & ~(on_ladder & in_hull) & on_ladder
    cornered = np.isin(kind, (Kind.KINK, Kind.JUMP, Kind.GUARD))
    unresolved = ~(smooth | cornered)
    unresolved |= smooth & ~screened & ~on_ladder
    unresolved |= wrong & doubtful
    wrong &= ~doubtful

    size = _row_scale(theory, value, bound, rounding, scale, eps)
    # In low precision rounding adds to the bound of a small entry whatever is done, and the resolution says how much.
    known = bound if eps < FINEST_INSIDE else SAFETY * error
    sharpness = np.maximum(np.where(distance > bound, distance, 0.0), known) / size
    coarse = smooth & ~wrong & (sharpness > limit) & ~screened
    if rtol is not None or atol is not None:
        tolerance = (atol or 0.0) + (rtol or 0.0) * np.abs(value)
        beyond = smooth & (distance > tolerance)
        wrong = beyond & (distance - tolerance > error) & ~doubtful & np.isfinite(error)
        coarse = smooth & ~wrong & (beyond | (error > tolerance))
        coarse &= distance + error > tolerance
        # A part of a slope of 0 is 0, which no measurement is as good as: there the measured bound decides.
        coarse &= ~((theory == 0) & (distance <= bound) & (sharpness <= limit))
        bound = np.where(smooth, tolerance, bound)

    status = np.full(theory.shape, Status.PASS, np.int8)
    status[unresolved | coarse] = Status.UNRESOLVED
    status[wrong] = Status.MISMATCH
    status[cornered & in_hull] = Status.KINK
    status[(kind == Kind.KINK) & ~in_hull] = Status.MISMATCH
    status[(kind == Kind.JUMP) & ~in_hull] = Status.UNRESOLVED
    status[kind == Kind.GUARD] = Status.KINK
    status[~np.isfinite(theory)] = Status.NONFINITE

    bound = np.where(cornered, slack, bound)
    in_hull |= kind == Kind.GUARD
    gap = np.where(cornered, outside + np.where(in_hull, 0.0, slack), distance)
    excess = np.where(gap > 0, gap / np.maximum(bound, np.finfo(np.float64).tiny), 0.0)
    excess = np.where(np.isfinite(excess), excess, np.where(np.isfinite(theory), 0.0, np.inf))
    passed = status == Status.PASS
    # What passed beyond its bound, between the slopes of the sides, says itself how much goes unseen.
    unseen = np.fmax(np.maximum(bound, 0.0), np.where(smooth, distance, 0.0))
    resolution = float((unseen / size)[passed].max()) if passed.any() else float("nan")
    return Judgement(
        status=status, numerical=value, bound=bound, excess=excess, left=left, right=right, kind=kind,
        resolution=resolution,
    )  # fmt: skip


def _row_scale(theory: Array, value: Array, bound: Array, rounding: Array, scale: Any, eps: float) -> Array:
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
    negligible = min(max(_NEGLIGIBLE, _NEGLIGIBLE_ROOTS * float(np.sqrt(eps))), 0.05)
    return np.asarray(np.where(independent, ordinary, np.maximum(row, negligible * ordinary)))[np.newaxis]
