"""Holes in a function that it fills with a value of its own: ``(e^x - 1) / x`` at 0, where a ``tf.where`` says 1.

Next to a hole numbers cancel, and rounding errors grow as one over the distance, or faster. What noise was measured
beside the point therefore says nothing of longer steps, from which the slope can be had after all. Here it is measured
anew around both ends of every step of the ladder. The gradient at such a point is that of the value that was filled in:
of a constant it is 0, a common mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.numerics.ladder import Refined, refine
from gradcheck.numerics.noise import PLACES, grows_inwards, left_over
from gradcheck.numerics.steps import FLOAT64_EPS, LOW_PRECISION, refine_steps

__all__ = ["AFAR", "may_be_holes", "measured_from_afar"]

Array = NDArray[np.float64]

# Samples around the end of a step lie within this part of it, which leaves nothing of a bend that a parabola of fourth
# degree does not follow, and is far above the spacing of numbers.
_WIDTH = 2.0**-6
_DEGREE = 4

# So many points of a direction are looked at: both ends of each step, and eight places around each.
AFAR = 29 * 2 * 9

# A handful of samples can come out close together by luck.
_SAFETY = 2.0


# From a step of 2⁻⁸ on the noise must be this part of what it is further in.
_FAR = 4
_QUIETER = 2.0**-10


def may_be_holes(center: Any, samples: Any, *, eps: float = FLOAT64_EPS) -> NDArray[np.bool_]:
    """Outputs ``[y_size]`` that may have a hole at the point: the noisier the nearer to it, or dead still next to it.

    The latter where a numerator has become 0. A point that is only near a hole is none: there the noise stops to grow,
    and the gradient is as noisy as the value.

    Args:
        center, samples, eps: as for `gradcheck.numerics.noise_level`.
    """
    middle, values = np.asarray(center, np.float64), np.asarray(samples, np.float64)
    nearest = values[: len(values) // 2]  # the two finest spacings
    still = (nearest == nearest[0]).all(axis=0) & (values != nearest[0]).any(axis=0) & (eps < LOW_PRECISION)
    return np.asarray((grows_inwards(values, eps=eps) | still) & np.isfinite(middle))


def measured_from_afar(
    values: Callable[[Array], Any], point: Array, ways: Array, along: Array, center: Array, theory: Array
) -> tuple[Refined, NDArray[np.bool_]]:
    """The ladder once more, with the noise that there is at the end of each step.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        point: ``[x_size]``.
        ways: directions ``[n, x_size]``.
        along: what `refine_steps` takes, ``[n]``.
        center: outputs at the point ``[y_size]``.
        theory: theoretical slopes ``[n, y_size]``.

    Returns:
        Slopes, and which of them ``[n, y_size]`` lie beside a hole indeed: long steps are much quieter than short ones.
    """
    steps = refine_steps(along)  # [rungs, n]
    # The end of each step itself, then eight places around it.
    spread = np.concatenate([[0.0], np.asarray(PLACES) * (_WIDTH / max(PLACES))])
    sides = np.array([1.0, -1.0])[:, np.newaxis, np.newaxis, np.newaxis]
    reach = sides * steps * (1 - spread)[:, np.newaxis, np.newaxis]  # [2, 9, rungs, n]
    found = values((point + reach[..., np.newaxis] * ways).reshape(-1, point.size))
    seen = np.asarray(found, np.float64).reshape(*reach.shape, center.size)
    around = seen[:, 1:].transpose(0, 2, 1, 3, 4)  # [2, rungs, 8, n, y]
    rest = left_over(around.reshape(2 * len(steps), len(PLACES), -1), _DEGREE).reshape(2, *steps.shape, center.size)
    level = np.fmax(rest[0], rest[1])
    # Three neighbours at once, for luck; and a shorter step is no quieter than a longer one.
    level[1:-1] = np.fmax(level[1:-1], np.fmax(level[:-2], level[2:]))
    level = _SAFETY * np.fmax.accumulate(np.where(np.isnan(level), np.inf, level), axis=0)
    again = refine(center, seen[0, 0], seen[1, 0], steps, level, theoretical=theory)
    return again, level[_FAR] < _QUIETER * level[-1]
