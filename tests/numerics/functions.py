"""Functions with known derivatives, for tests of the numerics: a table of pairs, and random compositions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.numerics import Status

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


def in_float32(function: Function) -> Function:
    """The same function computed in float32 whatever it is given, as some Keras losses are."""
    return lambda x: np.asarray(function(x.astype(np.float32)), np.float64)


def in_float16(function: Function) -> Function:
    """The same function on an argument rounded to float16."""
    return lambda x: np.asarray(function(x.astype(np.float16).astype(np.float64)), np.float64)


def wholly_in_float16(function: Function) -> Function:
    """Argument and result rounded to float16, as of a function that computes in it whatever it is given."""
    return lambda x: np.asarray(function(_float16(x)).astype(np.float16).astype(np.float64))


def wholly_in_bfloat16(function: Function) -> Function:
    """Argument and result rounded to bfloat16."""
    return lambda x: _bfloat16(function(_bfloat16(x)))


def _float16(x: Array) -> Array:
    return x.astype(np.float16).astype(np.float64)


def _bfloat16(x: Array) -> Array:
    bits = np.asarray(x, np.float32).view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))  # ties to even
    return (nearest & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Pair:
    """A scalar function at a point, with a right derivative and a wrong one, and what each must come to."""

    name: str
    function: Function
    x: float
    right: float
    wrong: float
    status: Status = Status.PASS
    wrong_status: Status = Status.MISMATCH
    options: dict[str, Any] = field(default_factory=dict)


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def norm(x: Array) -> Array:
    return np.sqrt(x * x + 1e-12)


def safe_sqrt(x: Array) -> Array:
    return np.sqrt(np.maximum(x, 0.0))


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.0447 * x**3)))


def masked_scores(x: Array) -> Array:
    """A softmax over two scores from which 1e9 was taken as the mask of both, beside what keeps its precision."""
    first, second = 0.7 * x - 1e9, -0.4 * x - 1e9
    return 0.1 * np.sin(x) + 1 / (1 + np.exp(second - first))


def _masked_scores_slope(x: float) -> float:
    weight = 1 / (1 + np.exp(-1.1 * x))
    return float(0.1 * np.cos(x) + 1.1 * weight * (1 - weight))


def aliased(x: Array) -> Array:
    """Every step down to 2⁻¹⁴ is a whole number of its periods."""
    return np.sin(2 * np.pi * 2.0**14 * x) / 2.0**14


def _gelu_slope(x: float) -> float:
    # 1 + tanh(u) as 2/(1 + exp(-2u)), without the cancellation that the function itself has.
    u = 0.8 * (x + 0.0447 * x**3)
    return 1 / (1 + np.exp(-2 * u)) + 0.5 * x / np.cosh(u) ** 2 * 0.8 * (1 + 3 * 0.0447 * x * x)


def _acos_slope(x: float) -> float:
    return float(-1 / np.sqrt((1 - x) * (1 + x)))


# Slopes do not convict at corners, beside what stands still, and where the slope next to the point is another one.
UNDECIDED = Status.UNRESOLVED

PAIRS = (
    # Smooth. The wrong twin is off by a relative 1e-5, by a factor 2, by a sign, or is a forgotten 0.
    Pair("sin, 1e-5 off", np.sin, 0.7, np.cos(0.7), np.cos(0.7) * (1 + 1e-5)),
    Pair("sin, doubled", np.sin, 0.7, np.cos(0.7), 2 * np.cos(0.7)),
    Pair("sin, sign", np.sin, 0.7, np.cos(0.7), -np.cos(0.7)),
    Pair("sin, zero", np.sin, 0.7, np.cos(0.7), 0.0),
    Pair("exp of 100x", lambda x: np.exp(100 * x), 1.0, 100 * np.exp(100), 100 * np.exp(100) * (1 + 1e-5)),
    Pair("tiny values", lambda x: 1e-30 * np.sin(x), 0.7, 1e-30 * np.cos(0.7), 2e-30 * np.cos(0.7)),
    Pair(
        "saturated",
        lambda x: np.tanh(50 * x),
        0.7,
        float(50 / np.cosh(35.0) ** 2),
        50.0,
        wrong_status=UNDECIDED,
    ),
    Pair("x³ at 0", lambda x: x**3, 0.0, 0.0, 1e-4),
    Pair("|x|^1.5 at 0", lambda x: np.abs(x) ** 1.5, 0.0, 0.0, 1e-2),
    Pair("sin at 1e4", np.sin, 1e4, np.cos(1e4), np.cos(1e4) * (1 + 1e-4), wrong_status=UNDECIDED),
    Pair("aliased by long steps", aliased, 0.0, 2 * np.pi, 0.0, wrong_status=UNDECIDED),
    # The function has large rounding errors against its slope.
    Pair("value dwarfs slope", lambda x: 1e6 + x, 0.7, 1.0, 1 + 1e-5),
    Pair("cancellation", lambda x: (1e5 + np.sin(x)) - 1e5, 0.7, np.cos(0.7), np.cos(0.7) * (1 + 1e-4)),
    Pair("float32 inside", in_float32(np.sin), 0.7, np.cos(0.7), np.cos(0.7) * 1.01),
    Pair("float32 inside, zero", in_float32(np.sin), 0.7, np.cos(0.7), 0.0),
    Pair("float32 identity", in_float32(lambda x: x), 0.7, 1.0, 1.01),
    Pair("gelu far left", gelu, -3.5, _gelu_slope(-3.5), 1e-5),
    # Corners beside the point: a slope like any other.
    *(Pair(f"relu at {d:g}", relu, d, 1.0, 0.0) for d in (1e-3, 1e-5, 1e-7, 1e-9)),
    *(Pair(f"relu at {-d:g}", relu, -d, 0.0, 1.0, wrong_status=UNDECIDED) for d in (1e-3, 1e-5, 1e-7, 1e-9)),
    Pair("relu at 1e-6, mean of sides", relu, 1e-6, 1.0, 0.5),
    Pair("norm at 1e-7", norm, 1e-7, 1e-7 / np.sqrt(1e-14 + 1e-12), 1.0),
    Pair("norm at 0", norm, 0.0, 0.0, 1.0),
    # Corners at the point.
    Pair("relu at 0", relu, 0.0, 0.0, 1.5, Status.KINK, UNDECIDED),
    Pair("relu at 0, other side", relu, 0.0, 1.0, -0.5, Status.KINK, UNDECIDED),
    Pair("|x| at 0", np.abs, 0.0, 0.0, 2.0, Status.KINK, UNDECIDED),
    Pair("clip at its bound", lambda x: np.clip(x, -1, 1), 1.0, 1.0, -1e-4, Status.KINK, UNDECIDED),
    Pair(
        "slopes 1 and 1.001",
        lambda x: np.where(x > 0, 1.001, 1.0) * x,
        0.0,
        1.0005,
        1.01,
        Status.KINK,
        Status.UNRESOLVED,
    ),
    # Jumps, and what stands still.
    Pair("round", np.round, 0.3, 0.0, 1.0, wrong_status=UNDECIDED),
    Pair("sign at 0", np.sign, 0.0, 0.0, 1.0, Status.KINK, UNDECIDED),
    Pair("floor at 1", np.floor, 1.0, 0.0, -1.0, Status.KINK, UNDECIDED),
    Pair("constant", lambda x: 0 * x + 5, 1.0, 0.0, 1e-9, wrong_status=UNDECIDED),
    Pair("zero", lambda x: 0 * x, 1.0, 0.0, 1e-9, wrong_status=UNDECIDED),
    Pair("rounded to float16", in_float16(lambda x: x), 0.7, 1.0, np.nan, Status.UNRESOLVED, Status.NONFINITE),
    # Too fast for any step: what looks like noise has no slope that could convict, or acquit.
    Pair("sin of 1e12·x", lambda x: np.sin(1e12 * x), 0.0, 1e12, 1.0, Status.UNRESOLVED, Status.UNRESOLVED),
    # Flat steps with a slope of their own: the scores of a masked row of attention, in float64.
    Pair("softmax of masked scores", masked_scores, 0.7, _masked_scores_slope(0.7), 0.5 * _masked_scores_slope(0.7)),
    # Edges of the domain.
    Pair("log at 1e-6", np.log, 1e-6, 1e6, 1e6 * (1 + 1e-5)),
    Pair("sqrt at 1e-9", np.sqrt, 1e-9, 0.5 / np.sqrt(1e-9), 0.51 / np.sqrt(1e-9)),
    Pair(
        "acos at 1-1e-8",
        np.arccos,
        1 - 1e-8,
        _acos_slope(1 - 1e-8),
        0.9 * _acos_slope(1 - 1e-8),
        wrong_status=UNDECIDED,
    ),
    Pair("x·sqrt(x) at 0", lambda x: x * np.sqrt(x), 0.0, 0.0, 1.0, wrong_status=UNDECIDED),
    Pair(
        "domain ends, slope does not",
        lambda x: np.where(x < 0, np.nan, 3 * x),
        0.0,
        3.0,
        3.001,
        wrong_status=UNDECIDED,
    ),
    Pair("safe sqrt at 0", safe_sqrt, 0.0, 0.0, -1.0, Status.KINK, UNDECIDED),
    Pair("sqrt at 0", np.sqrt, 0.0, 0.0, np.inf, Status.UNRESOLVED, Status.NONFINITE),
)


class Dual:
    """Values ``[k, n]`` with derivatives ``[k, n, x]``: forward-mode differentiation in twenty lines."""

    def __init__(self, value: Array, slope: Array) -> None:
        self.value, self.slope = value, slope

    def map(self, function: Function, derivative: Function) -> Dual:
        return Dual(function(self.value), derivative(self.value)[..., np.newaxis] * self.slope)

    def mix(self, matrix: Array, bias: Array) -> Dual:
        return Dual(self.value @ matrix.T + bias, np.einsum("mn,knx->kmx", matrix, self.slope))

    def times_first(self) -> Dual:
        first, rate = self.value[:, :1], self.slope[:, :1]
        return Dual(self.value * first, self.slope * first[..., np.newaxis] + self.value[..., np.newaxis] * rate)


def _sigmoid(x: Array) -> Array:
    # Without the cancellation of 1 + tanh where x is far below 0.
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


SMOOTH: dict[str, tuple[Function, Function]] = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "exp": (
        lambda x: np.exp(np.clip(x, -20, 20) * 0.3),
        lambda x: 0.3 * np.exp(np.clip(x, -20, 20) * 0.3) * (np.abs(x) < 20),
    ),
    "square": (np.square, lambda x: 2 * x),
    "softplus": (lambda x: np.logaddexp(0, x), _sigmoid),
    "norm": (lambda x: np.sqrt(x * x + 1e-6), lambda x: x / np.sqrt(x * x + 1e-6)),
    "log": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
}
CORNERED: dict[str, tuple[Function, Function]] = {
    "relu": (relu, lambda x: np.where(x > 0, 1.0, 0.0)),
    "abs": (np.abs, np.sign),
    "clip": (lambda x: np.clip(x, -1, 1), lambda x: np.where(np.abs(x) <= 1, 1.0, 0.0)),
    "leaky": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1.0, 0.1)),
}


@dataclass(frozen=True)
class Composition:
    """Layers of affine maps and nonlinearities ``[k, x] -> [k, y]``, with its exact Jacobian."""

    layers: tuple[tuple[Array, Array, str], ...]

    def stages(self, points: Array) -> Iterator[tuple[str, Dual, Dual]]:
        """Each layer's nonlinearity, what goes into it, and what comes out."""
        x = Dual(points, np.broadcast_to(np.eye(points.shape[1]), (*points.shape, points.shape[1])))
        for matrix, bias, name in self.layers:
            before = x.mix(matrix, bias)
            x = before.times_first() if name == "times" else before.map(*{**SMOOTH, **CORNERED}[name])
            yield name, before, x

    def dual(self, points: Array) -> Dual:
        return list(self.stages(points))[-1][2]

    def corners(self, x: Array) -> Array:
        """Slopes ``[m, x_size]`` of what goes into the units that stand on a corner at ``x`` and move with it."""
        found = [np.zeros((0, x.size))]
        for name, before, _ in self.stages(x[np.newaxis]):
            if name in CORNERED:
                value, slope = before.value[0], before.slope[0]
                at = np.abs(value) == 1.0 if name == "clip" else value == 0.0
                found.append(slope[at & slope.any(axis=-1)])
        return np.concatenate(found)

    def __call__(self, points: Array) -> Array:
        return self.dual(points).value

    def jacobian(self, x: Array) -> Array:
        """``[x_size, y_size]``, as `gradcheck.numerics.compare` takes it."""
        return self.dual(x[np.newaxis]).slope[0].T
