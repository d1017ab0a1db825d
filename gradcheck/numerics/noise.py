"""How noisy a function is: the size of its rounding errors, measured and not assumed.

The idea is ECnoise's (J. Moré and S. Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33, 2011): sample
the function at points so close together and equally spaced that its smooth part is a low-degree polynomial. High
differences of the samples then contain nothing but noise, and with ``γ_k = (k!)²/(2k)!`` the root mean square of the
k-th differences, times ``√γ_k``, estimates its standard deviation.

What is different here, and why:

- ECnoise looks for an order ``k`` where the estimates stop changing, and finds none where the noise is too small for
  the spacing. Here the orders are fixed for each spacing and the larger of two estimates counts: what is left of the
  smooth part can only add to it, and too large a noise costs sharpness where too small a one costs a false alarm.
- Samples lie on either side of the point separately and leave it out: a corner or jump exactly at the point (the most
  common place for one) would look like noise if a sequence ran across it.
- Several spacings: a function that computes in float32 or bfloat16 inside stands still between samples that are too
  close. And rounding is no random process: where neighbouring samples happen to differ by a whole number of roundings
  of an intermediate result, a sequence shows no noise at all; several sequences of unrelated spacings do not.
- The direction is random with full mantissas. Along short binary fractions arithmetic is often exact, and a noise of
  zero would be believed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.steps import FLOAT64_EPS

__all__ = ["noise_level", "noise_points"]

Array = NDArray[np.float64]

_SAMPLES = 8  # on each side

# Orders of difference for each spacing: the wider the samples, the higher the order that rids them of the smooth part.
_ORDERS = ((3, 4), (3, 4), (4, 5), (5, 6))
_GAMMA = {3: 36 / 720, 4: 576 / 40320, 5: 14400 / 3628800, 6: 518400 / 479001600}

# A handful of samples can come out close together by luck.
_SAFETY = 2.0

# Noise is alike on both sides of the point. Where one side has this many times more, it holds a corner or a jump.
_ONE_SIDED = 16.0


def _spacings(eps: float) -> tuple[float, float, float, float]:
    """Two fine, a middle and a coarse distance between neighbouring samples, relative to the coordinates."""
    return (2.0**-36, 2.0**-32, 2.0**-22, 2.0**-10) if eps < 2.0**-40 else (2.0**-17, 2.0**-16, 2.0**-14, 2.0**-9)


def noise_points(x: Any, *, eps: float = FLOAT64_EPS, seed: int = 0) -> Array:
    """Points at which to evaluate the function, for `noise_level`.

    Args:
        x: the point, ``[x_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.
        seed: of the direction.

    Returns:
        float64 ``[64, x_size]``: four spacings times two sides times eight samples.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise InputError(f"the point must be a flat vector [x_size], got shape {values.shape}; ravel it first")
    random = np.random.default_rng(seed)
    direction = random.uniform(0.5, 1.5, values.shape) * np.where(random.random(values.shape) < 0.5, -1.0, 1.0)
    # In proportion to the coordinate, so that samples stay inside the domain of log and sqrt. A zero has no scale
    # of its own; 2⁻¹⁰ keeps the samples well below the 1e-6 at which the usual epsilons bend a function.
    magnitude = np.abs(values)
    direction = direction * np.where(magnitude < 2.0**-100, 2.0**-10, magnitude)
    multiples = np.arange(1, _SAMPLES + 1, dtype=np.float64)
    offsets = np.concatenate(
        [side * random.uniform(0.7, 1.4) * multiples * h for h in _spacings(eps) for side in (1.0, -1.0)]
    )
    return np.asarray(values + offsets[:, np.newaxis] * direction)


def noise_level(center: Any, samples: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """Standard deviation of the rounding errors of every output near the point.

    Args:
        center: outputs at the point, ``[y_size]``.
        samples: outputs at the points of `noise_points`, ``[64, y_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.

    Returns:
        float64 ``[y_size]``, never below one rounding of the output itself, ``eps/2·|center|``; where samples are
        not finite (the point lies at the edge of the domain) those of the other side count, and if none are left the
        result is ``4·eps·|center|``.

    Raises:
        InputError: the shapes do not belong together.
    """
    middle = np.asarray(center, np.float64)
    values = np.asarray(samples, np.float64)
    if values.shape != (8 * _SAMPLES, *middle.shape):
        raise InputError(
            f"samples must be outputs at the {8 * _SAMPLES} points of noise_points, shape "
            f"{(8 * _SAMPLES, *middle.shape)}, got {values.shape}"
        )
    sequences = values.reshape(4, 2, _SAMPLES, *middle.shape)
    floor = 0.5 * eps * np.abs(middle)
    with np.errstate(invalid="ignore", over="ignore"):
        sigma = np.stack([_estimate(sequences[k], _ORDERS[k]) for k in range(4)])  # [spacing, side, y]
        repeats = np.mean(np.diff(sequences, axis=2) == 0, axis=2)  # [spacing, side, y]
    # Four fine sequences that agree are believed: what they see is noise and nothing else.
    fine = np.sort(np.where(np.isfinite(sigma[:2]), sigma[:2], -1.0).reshape(4, *middle.shape), axis=0)
    agreed = (fine[0] > 0.5 * floor) & (fine[3] < 8 * fine[0]) & (repeats[:2] < 0.2).all(axis=(0, 1))
    # Otherwise one may hold a corner or lie outside the domain, and up to two may be quiet by chance: the second
    # largest. The middle spacing has its say too, though it reaches further and meets more corners and bends; where
    # only one side is noisy that is a corner, unless the other side knows nothing at all.
    likely = np.where(fine[2] >= 0, fine[2], np.where(fine[3] >= 0, fine[3], np.nan))
    more, less = np.fmax(sigma[2:, 0], sigma[2:, 1]), np.fmin(sigma[2:, 0], sigma[2:, 1])
    medium = np.where((more[0] > _ONE_SIDED * less[0]) & (less[0] > floor), less[0], more[0])
    result = np.where(agreed, fine[3], np.fmax(likely, medium))
    # Standing still at all small spacings: a constant, or steps of an inner dtype of very few bits. The latter move
    # on both sides at the coarse spacing; a constant that ends at a corner moves on one.
    still = (repeats[:3] > 0.5).all(axis=(0, 1))
    result = np.where(still, np.fmax(result, less[1]), result)
    result = np.where(np.isfinite(result), np.maximum(_SAFETY * result, floor), 8 * floor)
    return np.asarray(np.where(np.isfinite(middle), result, 0.0))


def _estimate(sequences: Array, orders: tuple[int, int]) -> Array:
    """Larger of the estimates from differences of two orders: ``[side, sample, y]`` to ``[side, y]``.

    NaN where a sequence is not finite.
    """
    estimates = []
    for order in orders:
        differences = np.diff(sequences, n=order, axis=1)
        estimates.append(np.sqrt(_GAMMA[order] * np.mean(differences**2, axis=1)))
    return np.asarray(np.maximum(*estimates))
