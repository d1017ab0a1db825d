"""How noisy a function is: the size of its rounding errors, measured and not assumed.

The idea is ECnoise's (J. Moré and S. Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33, 2011): sample
the function at points so close together and equally spaced that its smooth part is a low-degree polynomial. High
differences of the samples then contain nothing but noise, and with ``γ_k = (k!)²/(2k)!`` the root mean square of the
k-th differences, times ``√γ_k``, estimates its standard deviation.

What is different here, and why:

- ECnoise looks for a level ``k`` where the estimates stop changing. The smooth part can only add to them, so the
  smallest over several levels is the same number where there is one, and still an upper bound where there is none.
- Samples lie on either side of the point separately and leave it out: a corner or jump exactly at the point (the most
  common place for one) would look like noise if a sequence ran across it.
- Three spacings: rounding errors do not depend on the spacing, bends and corners near the point do, and a function
  that computes in float32 or bfloat16 inside stands still between samples that are too close.
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

_SAMPLES = 7  # on each side
_LEVELS = (3, 4, 5)
_GAMMA = {3: 36 / 720, 4: 576 / 40320, 5: 14400 / 3628800}

# Few samples can come out close together by luck, and the smallest of several estimates is a low one.
_SAFETY = 2.0


def _spacings(eps: float) -> tuple[float, float, float]:
    """Fine, middle and coarse distance between neighbouring samples, relative to the coordinates."""
    return (2.0**-36, 2.0**-20, 2.0**-10) if eps < 2.0**-40 else (2.0**-17, 2.0**-14, 2.0**-9)


def noise_points(x: Any, *, eps: float = FLOAT64_EPS, seed: int = 0) -> Array:
    """Points at which to evaluate the function, for `noise_level`.

    Args:
        x: the point, ``[x_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.
        seed: of the direction.

    Returns:
        float64 ``[42, x_size]``: three spacings times two sides times seven samples.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise InputError(f"the point must be a flat vector [x_size], got shape {values.shape}; ravel it first")
    random = np.random.default_rng(seed)
    direction = random.uniform(0.5, 1.5, values.shape) * np.where(random.random(values.shape) < 0.5, -1.0, 1.0)
    # In proportion to the coordinate, so that samples stay inside the domain of log and sqrt. A zero has no scale
    # of its own; 2⁻¹⁰ keeps the samples well below the 1e-6 at which the usual epsilons bend a function.
    direction = direction * np.maximum(np.abs(values), 2.0**-10)
    multiples = np.arange(1, _SAMPLES + 1, dtype=np.float64)
    offsets = np.concatenate([side * multiples * h for h in _spacings(eps) for side in (1.0, -1.0)])
    return np.asarray(values + offsets[:, np.newaxis] * direction)


def noise_level(center: Any, samples: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """Standard deviation of the rounding errors of every output near the point.

    Args:
        center: outputs at the point, ``[y_size]``.
        samples: outputs at the points of `noise_points`, ``[42, y_size]``.
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
    if values.shape != (6 * _SAMPLES, *middle.shape):
        raise InputError(
            f"samples must be outputs at the {6 * _SAMPLES} points of noise_points, shape "
            f"{(6 * _SAMPLES, *middle.shape)}, got {values.shape}"
        )
    sequences = values.reshape(3, 2, _SAMPLES, *middle.shape)
    with np.errstate(invalid="ignore", over="ignore"):
        sigma = _estimate(sequences)  # [spacing, side, y]
        still = np.mean(np.diff(sequences, axis=2) == 0, axis=2).min(axis=1) > 0.5  # [spacing, y]
    sides_high, sides_low = np.fmax(sigma[:, 0], sigma[:, 1]), np.fmin(sigma[:, 0], sigma[:, 1])
    # Noise is alike on both sides; where one side has far more, it holds a corner and not more noise.
    level = np.where(sides_high > 8 * sides_low, sides_low, sides_high)
    fine, medium, _ = level
    result = np.where(still[0] | ~(medium > 8 * fine), np.fmax(fine, medium), fine)
    # Standing still at both small spacings: a constant, or steps of an inner dtype of very few bits. The latter move
    # on both sides at the coarse spacing; a constant that ends at a corner moves on one.
    result = np.where(still[0] & still[1], np.fmax(result, sides_low[2]), result)
    floor = 0.5 * eps * np.abs(middle)
    result = np.where(np.isfinite(result), np.maximum(_SAFETY * result, floor), 8 * floor)
    return np.asarray(np.where(np.isfinite(middle), result, 0.0))


def _estimate(sequences: Array) -> Array:
    """Smallest difference-table estimate over the levels, along axis 2; NaN where a sequence is not finite."""
    differences = np.diff(sequences, n=_LEVELS[0], axis=2)
    best: Array | None = None
    for order in _LEVELS:
        if order > _LEVELS[0]:
            differences = np.diff(differences, axis=2)
        sigma = np.sqrt(_GAMMA[order] * np.mean(differences**2, axis=2))
        best = sigma if best is None else np.minimum(best, sigma)
    assert best is not None
    return best
