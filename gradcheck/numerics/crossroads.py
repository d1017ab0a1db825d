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

__all__ = ["reconsider"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NEIGHBOURS = 8
_DISTANCE = 2.0**-20
_STEP = 2.0**-27

# Slopes this far apart, as part of the difference between the two sides, are different slopes.
_DIFFERENT = 0.01

# What a smooth function's slope may change by, relative to itself, over the distance of the places looked at.
_CURVATURE = 2.0**-17


def reconsider(
    values: Callable[[Array], Array],
    point: Array,
    ways: Array,
    theory: Array,
    left: Array,
    right: Array,
    noise: Array,
    *,
    seed: int = 0,
) -> tuple[Mask, Mask]:
    """Look around corners at which the theoretical value lies outside the side slopes.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        point: ``[x_size]``.
        ways: the directions, ``[n, x_size]``.
        theory, left, right: theoretical value and side slopes, ``[n, y_size]``.
        noise: standard deviation of the rounding errors, ``[y_size]``.
        seed: of the places to look at.

    Returns:
        Two masks, ``[n, y_size]``: where the value lies inside the hull of the slopes around the point after
        all; and where more corners than one meet, or the value is exactly 0 as for units that are all
        switched off, so that lying outside proves nothing.
    """
    random = np.random.default_rng(seed)
    shifts = random.uniform(0.5, 1.5, (_NEIGHBOURS, point.size)) * random.choice((-1, 1), (_NEIGHBOURS, point.size))
    places = point + _DISTANCE * np.maximum(np.abs(point), 1.0) * shifts
    starts = np.repeat(places, len(ways), axis=0)
    offsets = np.tile(_STEP * ways, (_NEIGHBOURS, 1))
    outputs = values(np.concatenate([starts + offsets, starts - offsets]))
    plus, minus = outputs.reshape(2, _NEIGHBOURS, len(ways), -1)
    slopes = (plus - minus) / (2 * _STEP)
    slopes = np.concatenate([slopes, np.where(np.isfinite(left), left, np.nan)[None]])
    slopes = np.concatenate([slopes, np.where(np.isfinite(right), right, np.nan)[None]])
    apart = np.where(np.isfinite(right - left), np.abs(right - left), 0.0)
    grain = 8 * noise / _STEP + _DIFFERENT * apart
    ordered = np.sort(np.where(np.isfinite(slopes), slopes, np.inf), axis=0)
    with np.errstate(invalid="ignore"):
        several = ((np.diff(ordered, axis=0) > grain) & np.isfinite(ordered[1:])).sum(axis=0) > 1
        low, high = np.fmin.reduce(slopes), np.fmax.reduce(slopes)
        slack = 8 * noise / _STEP + _CURVATURE * np.fmax(np.abs(low), np.abs(high))
        inside = (theory >= low - slack) & (theory <= high + slack)
    # Beside an infinite slope nothing can be concluded from finite ones.
    finite = np.isfinite(left) & np.isfinite(right)
    return np.asarray(inside & finite), np.asarray((several & finite) | (theory == 0))
