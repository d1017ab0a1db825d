"""Corners upon corners: a second opinion where a value lies outside the slopes of the two sides.

Automatic differentiation goes through a corner by a convention for each elementary operation (relu' at 0 is
0). Where several corners meet, as in a layer with several relu units whose input row is all zeros, what the
conventions add up to need not lie between the slopes of the function as a whole; no framework gets it
"right", and calling it a mismatch would be a false alarm. One corner alone is another matter: there the value
must lie between.

So the slope is measured at a few points scattered about the corner. About a single corner there are two
slopes; where several meet there are more. (F. Clarke's generalized gradient is the hull of those slopes: a
value inside it is as good as any.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gradcheck.numerics.steps import LOW_PRECISION

__all__ = ["among_rare_pieces", "between", "reconsider"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Places at about the same distance along every input, and uneven ones: a piece of the function can be a narrow cone,
# such as that in which one input moves three times as much as another.
_EVEN, _UNEVEN = 8, 16
_NEIGHBOURS = _EVEN + _UNEVEN
_DISTANCE = 2.0**-20
_STEP = 2.0**-27

# The same for functions that compute in less than float64, whose roundings would drown such steps.
_LOW_DISTANCE = 2.0**-6
_LOW_STEP = 2.0**-10
_LOW_DISTANCES = (2.0**-8, 2.0**-10)
_LOW_STRIDE = 2.0**-4

# Steps as parts of the distance of the places they start from; few cross a corner.
_STRIDE = _STEP / _DISTANCE

# Ties of many numbers make many pieces: that of the theoretical value must be among those looked at. One in which all
# that ties has one certain order is rare, so before a value is called wrong other places are looked at, so many times.
_PIECES = 30
_RARE = 6
# Groups of inputs are formed in so many ways; in fewer where there are so many inputs in all of them together.
_GROUPINGS = 12
_MOST_GROUPED = 2**17
_DISTANCES = (2.0**-20, 2.0**-34)

# A slope that is less sharp than this part of what it has to explain explains nothing.
_SHARP = 0.1

# Slopes this far apart, as part of the difference between the two sides, are different slopes.
_DIFFERENT = 0.01

# How much the slopes of the two sides of one step may differ within a piece, as part of how far all slopes lie apart.
_BENT = 2.0**-6

# What a smooth function's slope may change by, relative to itself, over the distance of the places looked at, as so
# many times that distance.
_CURVATURE = 8.0


def reconsider(
    values: Callable[[Array], Array],
    point: Array,
    ways: Array,
    theory: Array,
    left: Array,
    right: Array,
    noise: Array,
    *,
    eps: float = 2.0**-52,
    seed: int = 0,
) -> tuple[Mask, Mask]:
    """Look around corners at which the theoretical value lies outside the side slopes.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        point: ``[x_size]``.
        ways: the directions, ``[n, x_size]``.
        theory, left, right: theoretical value and side slopes, ``[n, y_size]``.
        noise: standard deviation of the rounding errors, ``[y_size]``.
        eps: relative rounding error at which the function computes.
        seed: of the places to look at.

    Returns:
        Two masks, ``[n, y_size]``: where the value lies inside the hull of the slopes around the point after
        all; and where more corners than one meet, or the value is exactly 0 as for units that are all
        switched off, so that lying outside proves nothing.
    """
    random = np.random.default_rng(seed)
    distance, step = (_DISTANCE, _STEP) if eps < LOW_PRECISION else (_LOW_DISTANCE, _LOW_STEP)
    even = random.uniform(0.5, 1.5, (_EVEN, point.size))
    uneven = 2.0 ** random.uniform(-4.0, 0.5, (_UNEVEN, point.size))
    shifts = np.concatenate([even, uneven]) * random.choice((-1, 1), (_NEIGHBOURS, point.size))
    shifts = np.concatenate([_by_position(point), shifts])
    # Neighbours in a long run of rising shifts are close to each other.
    step = min(step, 0.5 * distance / max(point.size, 1))
    places = point + distance * np.maximum(np.abs(point), 1.0) * shifts
    slopes, whole = _slopes_at(values, places, ways, step)
    slopes = np.concatenate([slopes, np.where(np.isfinite(left), left, np.nan)[None]])
    slopes = np.concatenate([slopes, np.where(np.isfinite(right), right, np.nan)[None]])
    apart = np.where(np.isfinite(right - left), np.abs(right - left), 0.0)
    grain = 8 * noise / step + _DIFFERENT * apart
    with np.errstate(invalid="ignore"):
        # A step across a corner, between two inputs that tie, measures no piece's slope.
        bent = 8 * noise / step + _BENT * (np.fmax.reduce(slopes) - np.fmin.reduce(slopes))
        pure = np.isfinite(slopes) & np.concatenate([whole <= bent, np.ones((2, *whole.shape[1:]), bool)])
        ordered = np.sort(np.where(pure, slopes, np.inf), axis=0)
        several = ((np.diff(ordered, axis=0) > grain) & np.isfinite(ordered[1:])).sum(axis=0) > 1
        low, high = np.fmin.reduce(slopes), np.fmax.reduce(slopes)
        slack = 8 * noise / step + 8 * distance * np.fmax(np.abs(low), np.abs(high))
        inside = (theory >= low - slack) & (theory <= high + slack)
    # Beside an infinite slope nothing can be concluded from finite ones.
    finite = np.isfinite(left) & np.isfinite(right)
    return np.asarray(inside & finite), np.asarray((several & finite) | (theory == 0))


def between(
    values: Callable[[Array], Array],
    point: Array,
    ways: Array,
    theory: Array,
    measured: Array,
    noise: Array,
    differs: Mask,
    *,
    eps: float = 2.0**-52,
) -> tuple[Mask, Mask, Mask]:
    """Whether values that differ from a measured slope lie between the slopes of pieces that meet in the point.

    Where several inputs tie, moving any single one of them may leave the output as it is: the median of three equal
    numbers, or what `tf.sort` puts second. The slope along every axis is then 0, from both sides, although no piece of
    the function around the point has that gradient, and the 1 of automatic differentiation is as good as any. So
    slopes are measured close to the point, twice: those of different pieces stay apart at a 16 000th of the distance,
    where those of a smooth function, however curved, close in on each other, and a corner beside the point, be it
    1e-9 away, is left outside. A function that computes in float32 cannot be looked at that closely: at a quarter of
    the distance, there.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        point: ``[x_size]``.
        ways: the directions, ``[n, x_size]``.
        theory, measured: theoretical value and slope at the point, ``[n, y_size]``.
        noise: standard deviation of the rounding errors, ``[y_size]``.
        differs: the entries that matter, ``[n, y_size]``: those where the two are not the same.
        eps: relative rounding error at which the function computes.

    Returns:
        Three masks, ``[n, y_size]``: where they do; where that cannot be told: where there are more than two
        different slopes about the point, as of leaky units behind leaky units, so that lying between none of them
        proves nothing, or where rounding hides the pieces close to it; and where the point may be a crossroads at all.
    """
    random = np.random.default_rng(0)
    distances, stride = (_DISTANCES, _STRIDE) if eps < LOW_PRECISION else (_LOW_DISTANCES, _LOW_STRIDE)
    shifts = random.uniform(0.5, 1.5, (_PIECES, point.size)) * random.choice((-1, 1), (_PIECES, point.size))
    shifts = np.concatenate([_by_position(point), shifts])
    # Most points are no crossroads: there what two small steps together do is what they do one after the other.
    steps = np.concatenate([shifts, _in_groups(point.size)])
    reach = distances[0] * np.maximum(np.abs(point), 1.0) * steps
    outputs = values(np.concatenate([point[np.newaxis], point + reach, point + (reach + np.roll(reach, 1, axis=0))]))
    with np.errstate(invalid="ignore", over="ignore"):
        one, two = (outputs[1:] - outputs[0]).reshape(2, len(steps), -1)
        turn = np.abs(two - one - np.roll(one, 1, axis=0)).max(axis=0) / distances[0]
        apart = np.abs(theory - measured)
        # A smooth function bends a little; and what hardly turns explains no wrong value.
        bend = np.fmin(_CURVATURE * np.abs(one).max(axis=0), _SHARP * apart)
        turns = ~(turn < np.fmax(_DIFFERENT * apart, bend))
        met = (differs & turns).any(axis=1)
    result, several = (np.repeat(met[:, np.newaxis], theory.shape[1], axis=1) for _ in range(2))
    if not met.any():
        return result, several, turns
    theory, measured = theory[met], measured[met]
    spread = np.zeros(theory.shape)
    perhaps = np.ones(theory.shape, bool)
    for distance in distances:
        slopes, whole, step = _slopes_about(values, point, ways[met], shifts, distance, stride)
        with np.errstate(invalid="ignore", over="ignore"):
            slopes = np.concatenate([slopes, measured[np.newaxis]])
            slack = 8 * noise / step + _CURVATURE * distances[0] * np.abs(slopes).max(axis=0)
            inside = (theory >= slopes.min(axis=0) - slack) & (theory <= slopes.max(axis=0) + slack)
            sharp = slack < _SHARP * np.abs(theory - measured)
            result[met] &= inside & sharp
            # A step across a corner measures no piece's slope. Pieces may bend as much as they are near, as eigenvalues
            # do that meet in one matrix.
            bent = slack + _BENT * (slopes.max(axis=0) - slopes.min(axis=0))
            pure = np.concatenate([np.where(whole <= bent, slopes[:-1], measured), slopes[-1:]])
            ordered = np.sort(pure, axis=0)
            apart = ordered[-1] - ordered[0]
            gaps = np.diff(ordered, axis=0)
            several[met] &= (gaps > 2 * bent + _DIFFERENT * apart).sum(axis=0) > 1
            # Further away pieces explain it, and not a bend, which has all slopes between its first and its last;
            # whether they meet in the point is too close to tell.
            perhaps &= (inside & sharp & (gaps.max(axis=0) > apart / 2)) | (~sharp & (distance != distances[0]))
            # Those of pieces lie as far apart at any distance; and what hardly differs explains no wrong value.
            several[met] &= (apart > spread / 2) & (apart > _SHARP * np.abs(theory - measured))
            spread = apart
    several[met] |= perhaps & ~result[met]
    return result, several, turns


def among_rare_pieces(
    values: Callable[[Array], Array],
    point: Array,
    ways: Array,
    theory: Array,
    left: Array,
    right: Array,
    noise: Array,
    blamed: Mask,
    *,
    eps: float = 2.0**-52,
) -> Mask:
    """Whether values that are to be called wrong lie between the slopes at one of many more places about a crossroads.

    The sum of the distances between two sorted rows has a piece for each order of what ties, and that with the gradient
    of automatic differentiation may be one in a hundred. A single value that stands makes a gradient wrong, so the ways
    are taken by how wrong they are, and the first that stands is the last.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        point: ``[x_size]``.
        ways: the directions, ``[n, x_size]``.
        theory: the theoretical values, ``[n, y_size]``.
        left, right: slopes of the two sides, ``[n, y_size]``. Where they are the same, pieces must meet in the point
            itself and not beside it, so these are looked for much closer to it as well.
        noise: standard deviation of the rounding errors, ``[y_size]``.
        blamed: the entries in question, ``[n, y_size]``.
        eps: relative rounding error at which the function computes.

    Returns:
        A mask ``[n, y_size]``: where they do.
    """
    random = np.random.default_rng(1)
    explained = np.zeros(theory.shape, bool)
    with np.errstate(invalid="ignore"):
        beyond = np.where(blamed, np.fmax(theory - np.fmax(left, right), np.fmin(left, right) - theory), -np.inf)
    for way in np.argsort(-beyond.max(axis=1), kind="stable"):
        if not blamed[way].any():
            break
        hull = np.minimum(left[way], right[way]), np.maximum(left[way], right[way])
        for turn in range(_RARE):
            scattered = random.uniform(0.5, 1.5, (_PIECES, point.size)) * random.choice((-1, 1), (_PIECES, point.size))
            shifts = scattered if turn % 2 else _in_groups(point.size, random if turn else None)
            explained[way] |= blamed[way] & _explained(
                values, point, ways[way : way + 1], theory[way], *hull, noise, shifts, eps=eps
            )
            if (explained | ~blamed)[way].all():
                break
        else:
            break
    return explained


def _explained(
    values: Callable[[Array], Array],
    point: Array,
    way: Array,
    theory: Array,
    lowest: Array,
    highest: Array,
    noise: Array,
    shifts: Array,
    *,
    eps: float,
) -> Mask:
    """Whether values ``[y_size]`` lie between the slopes along one way at places, and those at the point."""
    distances, stride = (_DISTANCES, _STRIDE) if eps < LOW_PRECISION else (_LOW_DISTANCES, _LOW_STRIDE)
    cornered = lowest != highest
    explained = np.ones(theory.shape, bool)
    for distance in distances:
        slopes, _, step = _slopes_about(values, point, way, shifts, distance, stride)
        slopes = slopes[:, 0]
        with np.errstate(invalid="ignore", over="ignore"):
            # Beside the edge of a domain slopes of any size belong to one piece: NaN explains nothing.
            slack = 8 * noise / step[0] + _CURVATURE * distances[0] * np.abs(slopes).max(axis=0)
            below, above = np.minimum(slopes.min(axis=0), lowest), np.maximum(slopes.max(axis=0), highest)
            inside = (theory >= below - slack) & (theory <= above + slack)
            # Where rounding is as large as what is to be explained nothing is.
            inside &= slack < _SHARP * np.fmax(theory - highest, lowest - theory)
            if eps >= LOW_PRECISION and distance == distances[0]:
                # Not close enough to tell pieces from a bend, which has all slopes between its first and its last.
                ordered = np.sort(slopes, axis=0)
                inside &= cornered | (np.diff(ordered, axis=0).max(axis=0) > (ordered[-1] - ordered[0]) / 4)
        explained &= inside | (cornered & (distance != distances[0]))
        if not explained.any() or cornered[explained].all():
            break
        # The others are no nearer to the value there either.
        shifts = shifts[np.unique([slopes[:, explained].argmin(axis=0), slopes[:, explained].argmax(axis=0)])]
    return explained


def _by_position(point: Array) -> Array:
    """Shifts ``[4, x_size]`` that part ties as operations do, by position: the inputs rise with it, or fall.

    In the latter two only among equals: an input that is larger than another by less than the distance of the places
    stays so, and is no tie to an operation.
    """
    position = np.arange(point.size)
    rising = np.linspace(-1.0, 1.0, point.size)
    shifts = [rising, -rising]
    for among_equals in (position, -position):
        shift = np.empty(point.size)
        shift[np.lexsort((among_equals, point))] = rising
        shifts.append(shift)
    return np.stack(shifts)


def _in_groups(size: int, random: np.random.Generator | None = None) -> Array:
    """Shifts ``[k, size]`` that part ties by position, and the inputs of one feature, step or row from those of others.

    That all of one feature lie above all of another is one in hundreds of independent orders, and what a function of
    two sequences does next depends on it. Such inputs lie side by side or at equal distances, whatever the shape. The
    groups are in order, as operations take them, or in a random one.
    """
    position, rising = np.arange(size), np.linspace(-0.4, 0.4, size)
    widths = [width for width in range(1, size + 1) if size % width == 0]
    shifts = []
    for width in widths[: max(1, min(_GROUPINGS, _MOST_GROUPED // size))]:
        for group in (position % width, position // width):
            places = np.linspace(-1.1, 1.1, group[-1] + 1)
            apart = (places if random is None else random.permutation(places))[group]
            shifts += [order + sides for order in (rising, -rising) for sides in (apart, -apart)]
    return np.stack(shifts)


def _slopes_about(
    values: Callable[[Array], Array], point: Array, ways: Array, shifts: Array, distance: float, stride: float
) -> tuple[Array, Array, Array]:
    """Slopes at places about a point, with steps that are a ``stride`` of their distance.

    Returns:
        The slopes ``[places, n, y_size]``; half of what the slopes of the two sides differ by, of the same shape; and
        the steps ``[n, 1]``.
    """
    places = point + distance * np.maximum(np.abs(point), 1.0) * shifts
    # Neighbours in a long run of rising shifts are close to each other. Where the inputs are large so are the
    # outputs' roundings, as a rule, and so must be the steps.
    size = np.abs(ways) @ np.maximum(np.abs(point), 1.0) / np.maximum(np.abs(ways).sum(axis=1), 1.0)
    step = distance * min(stride, 0.5 / max(point.size, 1)) * size[:, np.newaxis]
    return (*_slopes_at(values, places, ways, step), step)


def _slopes_at(
    values: Callable[[Array], Array], places: Array, ways: Array, step: Array | float
) -> tuple[Array, Array]:
    """Slopes ``[places, n, y_size]`` for one step or one a way, ``[n, 1]``; half of what the two sides differ by."""
    starts, offsets = np.repeat(places, len(ways), axis=0), np.tile(step * ways, (len(places), 1))
    outputs = values(np.concatenate([places, starts + offsets, starts - offsets]))
    here = outputs[: len(places), np.newaxis]
    plus, minus = outputs[len(places) :].reshape(2, len(places), len(ways), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        return (plus - minus) / (2 * step), np.abs(plus + minus - 2 * here) / (2 * step)
