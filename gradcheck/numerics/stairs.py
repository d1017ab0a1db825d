"""Staircases: where a function computes in float32 beside a large constant, and one tread is taken for its slope.

Scores from which 1e4 is taken are whole numbers of 1e-3 in float32, those from which 1e9 is taken of 64. Within one
such tread an output may well move, with the values that it is a mean of, and have a slope that can be measured to many
digits; that of the stairs is not in it. The samples of `gradcheck.numerics.noise` all lie within one tread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.numerics.steps import FLOAT64_EPS

__all__ = ["stairs", "tread_noise"]

Array = NDArray[np.float64]

_FLOAT32_EPS = 2.0**-23

# How far apart the samples of one sweep are, in sizes of the largest coordinate: for treads that the samples of
# noise lie within (float32 beside 1e4), and wider ones. Those beside 1e8 and 1e9 are 8 and 64 wide, and one step
# ends a softmax: for these there is a sweep further away, from the size on, that asks for no second step.
_SWEEPS = tuple(2.0**power for power in range(-14, 2, 2))
_FAR_SWEEP = (0.75, 1.0, 2.0**17)
_SWEEP = 96
_STEPS = 3

# The same beside 1e9 in float64: treads from 1e-9 to 3e-5 wide, whatever the size of the coordinates.
_FINE_SWEEPS = tuple(2.0**power for power in range(-32, -19, 3))

# How far around the point these treads are averaged.
_AROUND = 2.0**-14

# A rise is one of a step if it differs from those beside it by this many times what they usually do, and by this many
# times the noise.
_STEEP = 32.0
_ABOVE_NOISE = 8.0

# A step is as steep seen from so much nearer: most of the rise is in few of the parts. Two steps can lie together.
_NEARER = 128
_PARTS = 4
_MOST = 0.8
_LOOKED_AT = 8

# More directions than this are not asked each by itself whether they lead upstairs.
_ASKED_ALONE = 16


def stairs(
    values: Callable[[Array], Any],
    x: Any,
    outputs: NDArray[np.bool_],
    ways: Any,
    noise: Any,
    *,
    eps: float = FLOAT64_EPS,
    fine: bool = False,
) -> NDArray[np.bool_]:
    """Outputs ``[n_ways, y_size]`` that climb stairs where they seem smooth: what goes in is rounded beside more.

    Sweeps along each way, each four times as far as the one before, see the steps. An output that does not move at all
    near the point is `gradcheck.numerics.noise.swallowed`'s.

    Args:
        values: the function, ``[k, x_size]`` to ``[k, y_size]``.
        x: the point, ``[x_size]``.
        outputs: those in question, ``[y_size]``.
        ways: directions ``[n_ways, x_size]``. Their sum with random weights is swept first, and each by itself as far
            as that showed stairs, and far away.
        noise: standard deviation of the rounding errors near the point, ``[y_size]``.
        eps: machine epsilon with which the function computes, taken for that of float32 at least unless ``fine``.
            Further away its outputs are larger.
        fine: look for the treads of float64 beside 1e9, and for no others.
    """
    point, lines, random = np.asarray(x, np.float64), np.asarray(ways, np.float64), np.random.default_rng(0)
    weights = random.uniform(0.5, 1.5, len(lines)) * np.where(random.random(len(lines)) < 0.5, -1.0, 1.0)
    sweeps = _FINE_SWEEPS if fine else _SWEEPS
    size = 1.0 if fine else max(1.0, float(np.abs(point[np.isfinite(point)]).max(initial=0.0)))
    least = max(eps, 0.0 if fine else _FLOAT32_EPS)
    climbed = partial(_climbed, values, point, size=size, noise=np.asarray(noise, np.float64), eps=least)
    together: NDArray[np.bool_] = np.stack([climbed(weights @ lines, outputs, apart=apart) for apart in sweeps])
    seen: NDArray[np.bool_] = np.any(together, axis=1)
    if len(lines) > _ASKED_ALONE:
        far = outputs & False if fine else climbed(weights @ lines, outputs)
        return np.broadcast_to(together.any(axis=0) | far, (len(lines), outputs.size))
    beside = seen | np.append(seen[1:], False) | np.append(False, seen[:-1])
    found = np.zeros((len(lines), outputs.size), bool)
    for way, mine in zip(lines, found, strict=True):
        for apart in np.array(sweeps)[beside]:
            mine |= climbed(way, outputs & ~mine, apart=apart)
        for side in () if fine else (way, -way):
            mine |= climbed(side, outputs & ~mine)
    return found


def tread_noise(values: Callable[[Array], Any], x: Any, outputs: NDArray[np.bool_]) -> Array:
    """Noise ``[y_size]`` that the treads of float64 beside 1e9 are to whoever steps over many of them; 0 for others.

    What a parabola leaves unexplained along two directions, twice its standard deviation as
    `gradcheck.numerics.noise.noise_level` has it.

    Args:
        values, x: as for `stairs`.
        outputs: those that climb such stairs, ``[y_size]``.
    """
    point, random = np.asarray(x, np.float64), np.random.default_rng(0)
    noise = np.zeros(outputs.size)
    for _ in range(2):
        places = np.sort(random.uniform(-1.0, 1.0, _SWEEP))
        way = random.uniform(0.5, 1.5, point.shape) * np.where(random.random(point.shape) < 0.5, -1.0, 1.0)
        seen = np.asarray(values(point + _AROUND * places[:, np.newaxis] * way), np.float64)[:, outputs]
        parabola = np.vander(places, 3)
        left = seen - parabola @ np.linalg.lstsq(parabola, seen, rcond=None)[0]
        noise[outputs] = np.fmax(noise[outputs], 2 * left.std(axis=0))
    return noise


def _climbed(
    values: Callable[[Array], Any],
    point: Array,
    way: Array,
    outputs: NDArray[np.bool_],
    *,
    size: float,
    noise: Array,
    eps: float,
    apart: float | None = None,
) -> NDArray[np.bool_]:
    """Outputs ``[y]`` that climb stairs along one direction, in one sweep: of samples so far ``apart``, or far away."""
    found = np.zeros(outputs.size, bool)
    if not outputs.any():
        return found
    if apart is None:
        places = size * np.geomspace(_FAR_SWEEP[0], _FAR_SWEEP[2], _SWEEP)
    else:
        places = np.cumsum(size * apart * np.random.default_rng(0).uniform(0.5, 1.5, _SWEEP))

    def seen(some: Array) -> Array:
        return np.asarray(values(point + some[:, np.newaxis] * way), np.float64)

    steps = _steps(places, seen(places), noise, eps) & outputs
    steps &= (steps.sum(axis=0) >= _STEPS) if apart else (places[:-1, np.newaxis] > _FAR_SWEEP[1] * size)
    for _ in range(_LOOKED_AT):
        step = int(steps.sum(axis=1).argmax())
        if not steps[step].any():
            break
        rises = np.diff(seen(np.linspace(places[step], places[step + 1], _NEARER + 1)), axis=0)
        rises = np.sort(np.abs(rises - np.median(rises, axis=0)), axis=0)
        found |= steps[step] & (rises[-_PARTS:].sum(axis=0) > _MOST * rises.sum(axis=0))
        steps[step] = False
        steps &= ~found
    return found


def _steps(places: Array, seen: Array, noise: Array, eps: float) -> NDArray[np.bool_]:
    """Rises ``[sample - 1, y]`` that are those of a step, given what was seen ``[sample, y]`` and where."""
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.diff(places)[:, np.newaxis]
        slopes = np.diff(seen, axis=0) / gaps
        around = np.stack([np.roll(slopes, shift, axis=0) for shift in (-2, -1, 0, 1, 2)])
        rise = np.abs(slopes - np.median(around, axis=0)) * gaps
        rise[:2] = rise[-2:] = 0.0  # what is around these lies at the other end
        least = np.fmax(_STEEP * np.median(rise, axis=0), _ABOVE_NOISE * np.fmax(noise, eps * np.abs(seen[1:])))
        return np.asarray(np.isfinite(rise) & (rise > least))
