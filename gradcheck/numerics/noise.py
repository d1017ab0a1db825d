"""How noisy a function is: the size of its rounding errors, measured and not assumed.

The idea is ECnoise's (J. Moré and S. Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33, 2011):
sample the function at points so close together that its smooth part is a polynomial of low degree. What is
left when that is taken out is noise, and its root mean square estimates the standard deviation.

What is different here, and why:

- ECnoise takes differences of equally spaced samples. Rounding is no random process, though: where
  neighbouring samples happen to differ by a whole number of roundings of some intermediate result, equally
  spaced samples show no noise at all. These are spaced irregularly, and the polynomial is taken out by
  projection instead.
- ECnoise looks for a degree from which on the estimates stop changing. Here the degree is fixed for each
  spacing: what is left of the smooth part can only add to the estimate, and too large a noise costs sharpness
  where too small a one costs a false alarm.
- Samples lie on either side of the point separately and leave it out: a corner or jump exactly at the point
  (the most common place for one) would look like noise if a sequence ran across it.
- Several spacings: a function that computes in float32 or bfloat16 inside stands still between samples that
  are too close.
- The direction is random with full mantissas. Along short binary fractions arithmetic is often exact, and a
  noise of zero would be believed.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError
from gradcheck.numerics.steps import FLOAT64_EPS, LOW_PRECISION

__all__ = [
    "FINEST_INSIDE",
    "measured_eps",
    "noise_level",
    "noise_line",
    "noise_points",
    "roughness",
    "rounding_eps",
]

Array = NDArray[np.float64]

# Places of the samples on each side, irregular on purpose.
_PLACES = (0.61, 1.83, 2.29, 3.72, 4.41, 5.87, 6.93, 7.72)
_SAMPLES = len(_PLACES)

# Degree of the polynomial taken out, for each spacing: the wider the samples, the higher.
_DEGREES = (2, 2, 3, 4)

# A handful of samples can come out close together by luck.
_SAFETY = 2.0

# Next to a zero the finest samples are so close to it that even float32 tells them apart, and a function that is no
# float64 one shows it by noise relative to the samples themselves. More noise than this is no precision: x³ or √x
# there, which no parabola follows, or what cancels.
_COARSEST_NEXT_TO_ZERO = 2.0**-18

# Relative noise of a sum of ten thousand terms in float32. Nothing below that is a lower precision inside.
FINEST_INSIDE = 2.0**-32

# Noise is alike on both sides of the point. Where one side has this many times more, it holds a corner or a
# jump.
_ONE_SIDED = 16.0


def _spacings(eps: float) -> tuple[float, float, float, float]:
    """Two fine, a middle and a coarse distance between neighbouring samples, relative to the coordinates."""
    return (2.0**-36, 2.0**-32, 2.0**-22, 2.0**-10) if eps < LOW_PRECISION else (2.0**-17, 2.0**-16, 2.0**-14, 2.0**-9)


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
    offsets, direction = noise_line(values, eps=eps, seed=seed)
    return np.asarray(values + offsets[:, np.newaxis] * direction)


def noise_line(x: Any, *, eps: float = FLOAT64_EPS, seed: int = 0) -> tuple[Array, Array]:
    """The points of `noise_points` as multiples ``[64]`` of one direction ``[x_size]``, for points too large to hold.

    Args:
        x, eps, seed: as for `noise_points`.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise InputError(f"the point must be a flat vector [x_size], got shape {values.shape}; ravel it first")
    random = np.random.default_rng(seed)
    direction = random.uniform(0.5, 1.5, values.shape) * np.where(random.random(values.shape) < 0.5, -1.0, 1.0)
    # In proportion to the coordinate, so that samples stay inside the domain of log and sqrt. A zero has no
    # scale of its own; 2⁻¹⁰ keeps the samples well below the 1e-6 at which the usual epsilons bend a
    # function.
    magnitude = np.abs(values)
    direction = direction * np.where(magnitude < 2.0**-100, 2.0**-10, magnitude)
    places = np.asarray(_PLACES)
    offsets = np.concatenate(
        [side * random.uniform(0.7, 1.4) * places * h for h in _spacings(eps) for side in (1.0, -1.0)]
    )
    return offsets, direction


def noise_level(center: Any, samples: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """Standard deviation of the rounding errors of every output near the point.

    Args:
        center: outputs at the point, ``[y_size]``.
        samples: outputs at the points of `noise_points`, ``[64, y_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.

    Returns:
        float64 ``[y_size]``, never below one rounding of the output itself, ``eps/2·|center|``; where samples
        are not finite (the point lies at the edge of the domain) those of the other side count, and if none
        are left the result is ``4·eps·|center|``.

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
        sigma = np.stack([_left_over(sequences[k], _DEGREES[k]) for k in range(4)])  # [spacing, side, y]
        repeats = np.mean(np.diff(sequences, axis=2) == 0, axis=2)  # [spacing, side, y]
    # Four fine sequences that agree are believed, and so are the two finest if what they see is well above
    # the rounding of the output: that is noise and nothing else, and the wider ones see bends.
    fine = np.sort(np.where(np.isfinite(sigma[:2]), sigma[:2], -1.0).reshape(4, *middle.shape), axis=0)
    moving = (repeats < 0.2) & np.isfinite(sigma)
    agreed = moving[:2].all(axis=(0, 1)) & (fine[0] > 0.5 * floor) & (fine[3] < 8 * fine[0])
    most = np.where(moving[0], sigma[0], 0.0).max(axis=0)
    finest = most > 8 * floor
    # Otherwise one may hold a corner or lie outside the domain, and up to two may be quiet by chance: the
    # second largest. The middle spacing has its say too, though it reaches further and meets more corners and
    # bends; where only one side is noisy that is a corner, unless the other side knows nothing at all, or most outputs
    # that are noisy are so on both: then it is quiet by chance.
    likely = np.where(fine[2] >= 0, fine[2], np.where(fine[3] >= 0, fine[3], np.nan))
    more, less = np.fmax(sigma[2:, 0], sigma[2:, 1]), np.fmin(sigma[2:, 0], sigma[2:, 1])
    noisy, lone = more[0] > 8 * floor, (more[0] > _ONE_SIDED * less[0]) & (less[0] > floor)
    if 2 * (noisy & lone).sum() < noisy.sum():
        lone = np.zeros_like(lone)
    medium = np.where(lone, less[0], more[0])
    result = np.where(agreed, fine[3], np.where(finest, most, np.fmax(likely, medium)))
    # Standing still at all small spacings: a constant, or steps of an inner dtype of very few bits. The
    # latter move on both sides at the coarse spacing; a constant that ends at a corner moves on one.
    still = (repeats[:3] > 0.5).all(axis=(0, 1))
    result = np.where(still, np.fmax(result, less[1]), result)
    result = np.where(np.isfinite(result), np.maximum(_SAFETY * result, floor), 8 * floor)
    result = np.where(np.isfinite(middle), result, 0.0)
    size = np.fmax(np.abs(middle), np.fmax.reduce(np.abs(np.where(np.isfinite(values), values, 0.0))))
    # Where the function computes in a lower precision, outputs that happened to stand still do so too.
    measured = measured_eps(size, result, eps=eps)
    # Less than float32 has is no precision: there most outputs are small because larger numbers cancel in them.
    measured = measured if measured > FINEST_INSIDE else eps
    inner = np.maximum(_inner_eps(values, repeats[3].min(axis=0) < 0.7), measured)
    lower = np.isfinite(middle) & (inner > eps)
    result = np.where(lower, np.maximum(result, 0.25 * inner * np.abs(middle)), result)
    return np.asarray(result)


def roughness(samples: Any) -> Array:
    """What no polynomial explains over any of the three finer spacings, on the rougher side: ``[y_size]``.

    `noise_level` wants several sequences to agree, for one alone may hold a corner. A random function that draws one of
    two values often draws the same for a whole sequence: whether there is anything to ask about, one sequence can say.

    Args:
        samples: as for `noise_level`.
    """
    values = np.asarray(samples, np.float64)
    sequences = values.reshape(4, 2, _SAMPLES, values.shape[1])
    with np.errstate(invalid="ignore", over="ignore"):
        rough = np.stack([_left_over(sequences[k], _DEGREES[k]) for k in range(3)])
    return np.asarray(np.where(np.isfinite(rough), rough, 0.0).max(axis=(0, 1)))


def rounding_eps(center: Any, samples: Any, noise: Any, *, eps: float = FLOAT64_EPS) -> Array:
    """Machine epsilon with which every output is really computed: ``eps``, or that of a lower precision inside.

    Other than the noise of an output beside its value, it says something where the value is 0: the rounding errors of
    a slope, or of a gradient, are no smaller there than anywhere else.

    Args:
        center, samples, eps: as for `noise_level`.
        noise: what that returned.

    Returns:
        float64 ``[y_size]``, ``eps`` or more.
    """
    values, middle = np.asarray(samples, np.float64), np.abs(np.asarray(center, np.float64))
    sequences = values.reshape(4, 2, _SAMPLES, *middle.shape)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        moves = _moves(sequences[3])
        size = np.fmax(middle, np.fmax.reduce(np.abs(np.where(np.isfinite(values), values, 0.0))))
        fine = np.stack([_left_over(sequences[k], _DEGREES[k]) / np.abs(sequences[k]).max(axis=1) for k in (0, 1)])
        fine = np.where(fine > 0, fine, 0.0).max(axis=1)  # NaN, as of 0/0, is no noise
        # A precision is the same part of the samples whatever these are. What is left where numbers cancel, as in
        # (x - y)² for equal ones, is a smaller part of larger samples.
        fine = np.where(fine[0] < 4 * fine[1], fine.max(axis=0), 0.0)
    by_noise = measured_eps(size, noise, eps=eps)
    next_to_zero = np.where((fine > 1000 * eps) & (fine <= _COARSEST_NEXT_TO_ZERO), 2 * fine, eps)
    return np.asarray(np.maximum(np.maximum(_inner_eps(values, moves), by_noise), np.maximum(next_to_zero, eps)))


def _moves(sequences: Array) -> NDArray[np.bool_]:
    """Outputs ``[y]`` that change between samples ``[side, sample, y]``: 30 % of the time, on one side at least."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.mean(np.diff(sequences, axis=1) == 0, axis=1).min(axis=0) < 0.7)


def _inner_eps(samples: Array, moves: NDArray[np.bool_]) -> Array:
    """Machine epsilon of the dtype in which outputs were computed before they became float64, ``[y]``; 0 for
    float64.

    The samples lie at points with full mantissas, so an output that ``moves`` between them and yet always is
    a float32 (or float16, or bfloat16) number was rounded to that. One that does not move may be 1 or 0 in any
    precision: it goes with the others.
    """
    result = np.zeros(samples.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        single, half = samples.astype(np.float32), samples.astype(np.float16)
        fits_single = single == samples
        fits_bfloat16 = fits_single & (single.view(np.uint32) & 0xFFFF == 0)
    fitting = ((2.0**-23, fits_single), (2.0**-10, half == samples), (2.0**-7, fits_bfloat16))
    for eps, fits in ((eps, each.all(axis=0)) for eps, each in fitting):
        if moves.any() and bool(fits[moves].mean() > 0.5):
            result = np.where(moves & ~fits, result, eps)
        else:
            result = np.where(moves & fits, eps, result)
    return np.asarray(result)


def measured_eps(size: Any, noise: Any, *, eps: float = FLOAT64_EPS) -> float:
    """Relative rounding error at which the function really computes, from the noise of its outputs.

    A function may compute in float32 whatever it is given. Its noise then is some 1e-8 of its values, and no
    choice of steps makes up for it: the resolution that can be asked for is that of float32. The median over
    the outputs decides, so that one output with cancellation does not coarsen the check of all.

    Args:
        size: largest magnitude of every output near the point, ``[y_size]``. (At the point itself it may
            happen to be next to nothing.)
        noise: from `noise_level`, ``[y_size]``.
        eps: machine epsilon of the dtype in which the function is evaluated.

    Returns:
        ``eps`` or, where the noise is more than a thousand times what ``eps`` explains, twice the relative
        noise, at most 2⁻⁷.
    """
    values, noises = np.abs(np.asarray(size, np.float64)), np.asarray(noise, np.float64)
    use = np.isfinite(values) & (values > 0) & np.isfinite(noises)
    if not use.any():
        return eps
    relative = float(np.median(noises[use] / np.maximum(values[use], np.median(values[use]))))
    return eps if relative <= 1000 * eps else min(2 * relative, 2.0**-7)


def _left_over(sequences: Array, degree: int) -> Array:
    """Root mean square of what no polynomial of ``degree`` explains: ``[side, sample, y]`` to ``[side, y]``.

    The samples lie at `_PLACES`, in any unit.

    NaN where a sequence is not finite.
    """
    # Relative to the first sample: a projection would otherwise add roundings of the value itself.
    moves = sequences - sequences[:, :1]
    return np.asarray(np.sqrt(np.mean(np.einsum("ksy,sd->kdy", moves, _beyond(degree)) ** 2, axis=1)))


@functools.cache
def _beyond(degree: int) -> Array:
    """Orthonormal directions ``[sample, d]`` that no polynomial of ``degree`` at `_PLACES` reaches."""
    powers = np.vander(np.asarray(_PLACES) / _SAMPLES, degree + 1)
    basis, _ = np.linalg.qr(powers, mode="complete")
    return np.asarray(basis[:, degree + 1 :])
