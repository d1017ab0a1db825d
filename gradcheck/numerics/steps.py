"""Which steps to take from a point.

A finite difference is wrong for two reasons that pull in opposite directions: a long step sees the curvature of
the function (*truncation*), a short one sees its rounding errors (*noise*, divided by the step). No single step
is right for all functions, so both functions here return several: `screen_steps` three, for a first look at
every entry of a Jacobian, `refine_steps` a ladder from far to near, for the few entries that the first look
could not settle.

Every step is a power of two, so that ``x + h`` and ``x - h`` are exact or wrong by one rounding of ``x``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError

__all__ = ["FLOAT64_EPS", "LOW_PRECISION", "refine_steps", "screen_steps"]

Array = NDArray[np.float64]

FLOAT64_EPS = float(np.finfo(np.float64).eps)

# Above this relative rounding error the function does not compute in float64, whatever its arguments say.
LOW_PRECISION = 2.0**-40

# Below this magnitude a coordinate is treated as zero: steps in proportion to it would underflow.
_ZERO = 2.0**-100


def _coordinates(x: Any) -> Array:
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise InputError(f"the point must be a flat vector [x_size], got shape {values.shape}; ravel it first")
    return values


def _check_eps(eps: float) -> None:
    if not FLOAT64_EPS / 4 <= eps <= 2.0**-6:
        raise InputError(
            "eps is the relative rounding error of the function and must lie between 2**-54 and 2**-6, "
            f"got {eps}; "
            "for lower precision compare with the float64 gradient instead of measuring slopes"
        )


def screen_steps(x: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """Steps for the first look at every coordinate.

    Args:
        x: the point, ``[x_size]``.
        eps: relative rounding error of the function: the machine epsilon of the dtype it computes in.

    Returns:
        float64 ``[3, x_size]``, from far to near. In float64 they are 2⁻⁸, 2⁻¹² and 2⁻¹⁷, times the square
        root of ``|x|`` where that is above 1: a compromise between functions that see ``|x|`` as their scale
        (log) and those that do not (sin). The nearest one is there to notice corners beside the point.

    Raises:
        InputError: ``x`` is not a vector, or ``eps`` is not a rounding error.
    """
    values = _coordinates(x)
    _check_eps(eps)
    exponents = (-8, -12, -17) if eps < LOW_PRECISION else (-4, -6, -8)
    magnitude = np.where(np.isfinite(values), np.abs(values), 1.0)
    half = np.floor(np.log2(np.maximum(magnitude, 1.0)) / 2)
    return np.asarray(np.exp2(np.asarray(exponents, np.float64)[:, np.newaxis] + half))


def refine_steps(x: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """The long ladder for coordinates that the first look could not settle.

    Args:
        x: the point, ``[x_size]``.
        eps: relative rounding error of the function.

    Returns:
        float64 ``[rungs, x_size]``, strictly falling along the first axis; 29 rungs in float64, 17 in lower
        precision. In float64 they go from 2⁻⁴·max(1, |x|) to the smaller of 2⁻³² and 2⁻¹⁶·|x|
        (but not below 2⁻⁴⁴·|x|): neighbours differ by 2 for ordinary coordinates, by more for tiny and huge ones,
        where the ladder must span more magnitudes: the same point may be an argument of ``log``, whose scale is
        ``|x|``, and of ``sin``, whose scale is 1.

    Raises:
        InputError: as for `screen_steps`.
    """
    values = _coordinates(x)
    _check_eps(eps)
    low = eps >= LOW_PRECISION
    rungs, top, bottom, relative = (17, -4, -20, -18) if low else (29, -4, -32, -16)
    magnitude = np.where(np.isfinite(values), np.abs(values), 1.0)
    exponent = np.floor(np.log2(np.where(magnitude < _ZERO, 1.0, magnitude)))
    first = top + np.maximum(exponent, 0.0)
    if low:
        # x + h must differ from x in the low precision too, so no rung goes below the spacing of numbers at
        # x.
        last = exponent + relative
    else:
        # Nearer than 2⁻⁴⁴·|x| the rounding of x + h itself would count.
        last = np.minimum(float(bottom), exponent + relative)
        last = np.maximum(last, exponent - 44.0)
    last = np.minimum(last, first - (rungs - 1))
    fraction = np.linspace(0.0, 1.0, rungs)[:, np.newaxis]
    return np.asarray(np.exp2(np.round(first + (last - first) * fraction)))
