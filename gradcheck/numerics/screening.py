"""The first look at every entry of a Jacobian: three steps, six evaluations for each input element.

It has one job: to let pass what is certainly right, at little cost. Whatever it cannot settle it calls
suspicious, and a suspicious entry is no finding, only one that deserves the long ladder of
`gradcheck.numerics.ladder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.errors import InputError

__all__ = ["Estimate", "check_samples", "screen"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Noise of a slope, in standard deviations of the noise of a value divided by the step. That of a central
# difference is σ/(√2·h), so this is more than five of its own standard deviations.
NOISE_FACTOR = 4.0


@dataclass(frozen=True)
class Estimate:
    """Slopes measured with three steps. All arrays are ``[n_directions, y_size]``.

    Attributes:
        value: the slope.
        error: how far it may be wrong: disagreement between step sizes, and noise.
        suspicious: where three steps are not enough: a corner nearby, a value that is not finite, steps that
            contradict each other. ``value`` and ``error`` mean nothing there.
    """

    value: Array
    error: Array
    suspicious: Mask


def check_samples(center: Any, plus: Any, minus: Any, steps: Any, noise: Any) -> tuple[Array, ...]:
    """The arguments as float64 arrays, their shapes checked against each other.

    Raises:
        InputError: a shape is wrong, a step is not positive, or the steps do not fall.
    """
    center, plus, minus, steps, noise = (np.asarray(a, np.float64) for a in (center, plus, minus, steps, noise))
    if center.ndim != 1 or steps.ndim != 2:
        raise InputError(f"center must be [y_size] and steps [n_steps, n], got {center.shape} and {steps.shape}")
    expected = (*steps.shape, center.shape[0])
    for name, array in (("plus", plus), ("minus", minus)):
        if array.shape != expected:
            raise InputError(f"{name} must be [n_steps, n, y_size] = {expected}, got {array.shape}")
    if noise.shape != center.shape:
        raise InputError(f"noise must be [y_size] = {center.shape}, as noise_level returns it, got {noise.shape}")
    if not (steps > 0).all() or not (np.diff(steps, axis=0) < 0).all():
        raise InputError("steps must be positive and strictly falling along the first axis")
    return center, plus, minus, steps, noise


def screen(center: Any, plus: Any, minus: Any, steps: Any, noise: Any) -> Estimate:
    """Slopes from central differences with three steps, extrapolated once (Richardson).

    Two extrapolations, from the two longer and from the two shorter steps, have different truncation errors;
    what they differ by, and the noise of the shorter, is the error. The second difference
    ``(g(h)+g(-h)-2g(0))/h`` shrinks with ``h`` where the function is smooth and stays where it has a corner,
    also where the central difference cannot tell.

    Args:
        center: outputs at the point, ``[y_size]``.
        plus, minus: outputs at ``x + h·u`` and ``x - h·u``, ``[3, n_directions, y_size]``.
        steps: ``h``, ``[3, n_directions]``, as `gradcheck.numerics.screen_steps` returns them.
        noise: standard deviation of the rounding errors, ``[y_size]``, from `gradcheck.numerics.noise_level`.

    Raises:
        InputError: the shapes do not belong together.
    """
    center, plus, minus, steps, noise = check_samples(center, plus, minus, steps, noise)
    if steps.shape[0] != 3:
        raise InputError(f"screen takes three steps, got {steps.shape[0]}; refine takes a longer ladder")
    h = steps[:, :, np.newaxis]
    with np.errstate(invalid="ignore", over="ignore"):
        slope = (plus - minus) / (2 * h)
        far, near = (slope[k + 1] + (slope[k + 1] - slope[k]) / ((h[k] / h[k + 1]) ** 2 - 1) for k in (0, 1))
        grain = NOISE_FACTOR * np.maximum(noise, 2.0**-54 * np.maximum(np.abs(plus), np.abs(minus)).max(axis=0)) / h[2]
        # What does not move at the longest step either has no slope that would have moved it there.
        still = (plus == center).all(axis=0) & (minus == center).all(axis=0)
        error = np.where(still, grain * (h[2] / h[0]), np.abs(far - near) + grain)
        bend = np.abs(plus + minus - 2 * center) / h
        corner = bend[2] > 4 * bend[1] * (h[2] / h[1]) + 4 * grain
        finite = np.isfinite(plus).all(axis=0) & np.isfinite(minus).all(axis=0) & np.isfinite(center)
        suspicious = corner | ~finite | ~np.isfinite(error)
    value = np.where(suspicious, 0.0, far)
    return Estimate(value=value, error=np.where(suspicious, np.inf, error), suspicious=suspicious)
