"""When two results of the same computation differ by more than rounding explains.

Two executions of one function (another mode, another order of summation, other padding) round differently. How
much that may come to is not a constant: it is read off the noise of the function itself, which was measured on the way
(Moré & Wild, "Estimating computational noise", 2011), and of the gradient's terms.
"""

from __future__ import annotations

import numpy as np

__all__ = ["gradient_bound", "noise_ratio", "output_bound"]

# Noise is a standard deviation; two executions are two draws, and the largest of many entries counts.
_DEVIATIONS = 100.0
_ROUNDINGS = 32.0


def output_bound(center: np.ndarray, noise: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """How far two executions' outputs may lie apart, ``[y_size]``.

    Args:
        center: the outputs ``[y_size]``.
        noise: standard deviation of their rounding errors ``[y_size]``.
        eps: machine epsilon of each output ``[y_size]``.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(_DEVIATIONS * noise + _ROUNDINGS * eps * np.abs(center))


def noise_ratio(center: np.ndarray, noise: np.ndarray, eps: np.ndarray) -> float:
    """By what factor the function's rounding errors exceed one rounding of its results: 1 or more."""
    use = np.isfinite(center) & (center != 0) & np.isfinite(noise)
    if not use.any():
        return 1.0
    return float(np.clip((noise[use] / (eps[use] * np.abs(center[use]))).max(), 1.0, 1e9))


def gradient_bound(terms: np.ndarray, ratio: float, eps: float) -> np.ndarray:
    """How far two executions' gradients may lie apart, shaped as ``terms``.

    Args:
        terms: sum of the sizes of the terms of each gradient entry, such as ``|cotangents| @ |J|``.
        ratio: from `noise_ratio`: the backward pass loses as many digits as the forward pass.
        eps: machine epsilon of the gradient.
    """
    largest = terms.max(axis=-1, keepdims=True) if terms.size else np.zeros((*terms.shape[:-1], 1))
    return np.asarray(_ROUNDINGS * eps * ratio * (terms + largest))
