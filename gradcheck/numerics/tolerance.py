"""When two results of the same computation differ by more than rounding explains.

Two executions of one function (another mode, another order of summation, other padding) round differently. How
much that may come to is not a constant: it is read off the noise of the function itself, which was measured on the way
(Moré & Wild, "Estimating computational noise", 2011), and of the gradient's terms.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "FEW_BITS",
    "LARGE",
    "combinations",
    "gradient_bound",
    "lost_below",
    "noise_ratio",
    "output_bound",
    "output_terms",
    "squares_bound",
]

# Noise is a standard deviation; two executions are two draws, and the largest of many entries counts.
_DEVIATIONS = 100.0
_ROUNDINGS = 32.0

# Inputs larger than this square to terms that no Jacobian shows where they cancel; so many of their roundings may be
# left.
LARGE = 8.0
_SQUARE_ROUNDINGS = 4.0

# Machine epsilon above which a type has as few bits as float16 and bfloat16.
FEW_BITS = 2.0**-20

# Poison in the padding is as large as numbers are; its square is none.
_LARGEST = 1e100


def lost_below(terms: np.ndarray, eps: np.ndarray | float) -> np.ndarray:
    """How much may be missing where results are too small for their type, shaped as ``terms``.

    What is less than the smallest number of a type comes out as 0, in one execution or in all. In float16 that is 6e-8,
    a size that gradients have: the tail of a softmax is lost there. The other types reach down to 1e-38 at least; their
    subnormal numbers count as 0, since kernels flush them.

    Args:
        terms: sizes of what the results are made of; a factor above 1 magnifies what was lost before it.
        eps: machine epsilon of the results; it tells the type.
    """
    smallest = np.where(np.asarray(eps) == 2.0**-10, 2.0**-24, 2.0**-126)
    largest = np.where(np.isfinite(terms), terms, 0.0).max(axis=-1, keepdims=True, initial=0.0)
    return np.asarray(_ROUNDINGS * smallest * np.maximum(1.0, np.broadcast_to(largest, terms.shape)))


def combinations(eps: np.ndarray) -> int:
    """How many random combinations of gradient rows tell two Jacobians apart.

    A combination with random weights of density at most 1/2 hides an error E with a probability of at most
    ``bound/|E|``. In float64 bounds are some 1e-13 of the gradient, and one combination leaves a chance of 1e-6 for an
    error of 1e-7. In lower precision bounds are a million times as wide, and three are needed for as much.

    Args:
        eps: machine epsilon of each output ``[y_size]``.
    """
    return 1 if float(eps.max(initial=2.0**-52)) < 2.0**-40 else 3


def output_bound(center: np.ndarray, noise: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """How far two executions' outputs may lie apart, ``[y_size]``.

    Args:
        center: the outputs ``[y_size]``.
        noise: standard deviation of their rounding errors ``[y_size]``.
        eps: machine epsilon of each output ``[y_size]``.
    """
    with np.errstate(invalid="ignore"):
        size = np.abs(center)
        return np.asarray(_DEVIATIONS * noise + _ROUNDINGS * eps * size + lost_below(size, eps))


def noise_ratio(center: np.ndarray, noise: np.ndarray, eps: np.ndarray) -> float:
    """By what factor the function's rounding errors exceed one rounding of its results: 1 or more."""
    use = np.isfinite(center) & (center != 0) & np.isfinite(noise)
    if not use.any():
        return 1.0
    return float(np.clip((noise[use] / (eps[use] * np.abs(center[use]))).max(), 1.0, 1e9))


def output_terms(weights: np.ndarray, center: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Terms of the gradient that come from the outputs themselves, for `gradient_bound`, ``[..., x_size]``.

    A derivative that is computed from the output, as that of tanh or softmax, has the rounding error of the output,
    however small it is itself.

    Args:
        weights: sizes of the cotangents ``[..., y_size]``.
        center: the outputs ``[y_size]``.
        x: the inputs ``[x_size]``.
    """
    size = weights @ np.abs(np.where(np.isfinite(center), center, 0.0))
    return np.asarray(size[..., None] / np.maximum(1.0, np.abs(x)))


def gradient_bound(terms: np.ndarray, ratio: float, eps: float) -> np.ndarray:
    """How far two executions' gradients may lie apart, shaped as ``terms``.

    Args:
        terms: sum of the sizes of the terms of each gradient entry, such as ``|cotangents| @ |J|``.
        ratio: from `noise_ratio`: the backward pass loses as many digits as the forward pass.
        eps: machine epsilon of the gradient.
    """
    largest = terms.max(axis=-1, keepdims=True) if terms.size else np.zeros((*terms.shape[:-1], 1))
    return np.asarray(_ROUNDINGS * eps * ratio * (terms + largest) + lost_below(terms, eps))


def squares_bound(terms: np.ndarray, x: np.ndarray, eps: np.ndarray | float) -> np.ndarray:
    """How far roundings of the squares of large inputs may move a gradient, shaped as ``terms``; 0 for ordinary inputs.

    The scores of attention are such squares, and a variance is made of them. Where they cancel, what is left has their
    rounding errors, and neither the outputs nor the gradient are large enough to tell of these.

    Args:
        terms: sizes of what the gradient is made of.
        x: the inputs that count.
        eps: machine epsilon of the gradient.
    """
    largest = min(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)), _LARGEST)
    factor = _SQUARE_ROUNDINGS * largest**2 if largest > LARGE else 0.0
    return np.asarray(factor * eps * np.broadcast_to(terms.max(axis=-1, keepdims=True, initial=0.0), terms.shape))
