"""Special functions: values of TensorFlow's kernels, derivatives to the last digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.interpreter import Pass

from .interpreted import check_slopes, check_value, interpret, slopes

arb = flint.arb

# One line a function: the operation, the same in balls, and where it is tried.
_ANY = (-30.0, -6.5, -2.0, -0.7, -1e-3, 1e-9, 0.3, 1.0, 2.5, 6.9, 7.3, 26.0)
_POSITIVE = (1e-6, 0.1, 0.9, 1.0, 1.1, 2.0, 7.5, 29.0, 31.0, 300.0)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[float, ...]]] = {
    "Erf": (tf.math.erf, lambda x: x.erf(), _ANY),
    "Erfc": (tf.math.erfc, lambda x: x.erfc(), _ANY),
    "Erfinv": (tf.math.erfinv, lambda x: x.erfinv(), (-0.999, -0.5, 0.0, 0.1, 0.9)),
    "Ndtri": (tf.math.ndtri, lambda p: (2 * p - 1).erfinv() * arb(2).sqrt(), (1e-9, 0.01, 0.3, 0.5, 0.8, 0.999)),
    "Dawsn": (
        tf.math.special.dawsn,
        lambda x: (-x * x).exp() * x.erfi() * arb.pi().sqrt() / 2,
        (*_ANY, 100.0, -1e4),
    ),
    "Expint": (tf.math.special.expint, lambda x: x.ei(), (0.1, 0.4, 1.0, 5.0, 40.0)),
    "FresnelSin": (tf.math.special.fresnel_sin, lambda x: x.fresnel_s(), (-30.1, -1.3, 0.0, 0.2, 1.0, 5.0, 99.3)),
    "FresnelCos": (tf.math.special.fresnel_cos, lambda x: x.fresnel_c(), (-30.1, -1.3, 0.0, 0.2, 0.9, 5.0, 99.3)),
    "Spence": (
        tf.math.special.spence,
        lambda x: (1 - x).polylog(2),
        (0.01, 0.4, 0.99, 0.9999999, 1.0, 1.0000001, 1.3, 1.9),
    ),
    "Lgamma": (tf.math.lgamma, lambda x: x.gamma().__abs__().log(), (-3.3, -0.5, 1e-3, 0.5, 1.7, 12.0, 160.0)),
    "Digamma": (tf.math.digamma, lambda x: x.digamma(), (-3.3, -0.5, -0.01, 1e-3, 0.5, 1.0, 1.7, 12.0, 1e5)),
    "BesselI0": (tf.math.special.bessel_i0, lambda x: x.bessel_i(0), (*_ANY, 0.0)),
    "BesselI1": (tf.math.special.bessel_i1, lambda x: x.bessel_i(1), (*_ANY, 0.0)),
    "BesselI0e": (tf.math.special.bessel_i0e, lambda x: (-abs(x)).exp() * x.bessel_i(0), (*_ANY[:4], *_POSITIVE)),
    "BesselI1e": (tf.math.special.bessel_i1e, lambda x: (-abs(x)).exp() * x.bessel_i(1), (*_ANY[:4], *_POSITIVE)),
    "BesselK0": (tf.math.special.bessel_k0, lambda x: x.bessel_k(0), _POSITIVE),
    "BesselK1": (tf.math.special.bessel_k1, lambda x: x.bessel_k(1), _POSITIVE),
    "BesselK0e": (tf.math.special.bessel_k0e, lambda x: x.exp() * x.bessel_k(0), _POSITIVE),
    "BesselK1e": (tf.math.special.bessel_k1e, lambda x: x.exp() * x.bessel_k(1), _POSITIVE),
    "BesselJ0": (tf.math.special.bessel_j0, lambda x: x.bessel_j(0), (*_ANY, 0.0, 29.9)),
    "BesselJ1": (tf.math.special.bessel_j1, lambda x: x.bessel_j(1), (*_ANY, 0.0, 29.9)),
    "BesselY0": (tf.math.special.bessel_y0, lambda x: x.bessel_y(0), _POSITIVE),
    "BesselY1": (tf.math.special.bessel_y1, lambda x: x.bessel_y(1), _POSITIVE),
    "Polygamma1": (lambda x: tf.math.polygamma(tf.ones_like(x), x), lambda x: arb(2).zeta(x), (0.2, 1.0, 8.0, 100.0)),
    "Zeta2": (lambda x: tf.math.zeta(2 * tf.ones_like(x), x), lambda x: arb(2).zeta(x), (0.1, 1.0, 8.0, 100.0)),
    "Softplus": (tf.nn.softplus, lambda x: (1 + x.exp()).log(), (-700.0, -37.43, -1.0, 0.0, 3.0, 800.0)),
    "LogSigmoid": (tf.math.log_sigmoid, lambda x: -((1 + (-x).exp()).log()), (-800.0, -30.0, 0.0, 37.43, 700.0)),
    "Silu": (lambda x: x * tf.sigmoid(x), lambda x: x / (1 + (-x).exp()), (-700.0, -30.0, 0.0, 2.0, 800.0)),
    "Tanh": (tf.tanh, lambda x: x.tanh(), (-20.0, -1.0, 0.0, 3.0, 300.0)),
}


def _slope_in_balls(of: Callable[[Any], Any], x: float) -> Any:
    """A central difference with a step of 2⁻¹⁵⁰: exact to forty digits or so, and no formula."""
    h = arb(2) ** -150
    return (of(arb(x) + h) - of(arb(x) - h)) / (2 * h)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes(name: str) -> None:
    function, in_balls, points = FUNCTIONS[name]
    check_value(function, np.asarray(points))
    check_value(function, np.zeros((2, 0)))
    found = np.diag(slopes(function, np.asarray(points)).right)
    flint.ctx.prec = 1600 if name in _DEEP else 400
    try:
        exact = [_slope_in_balls(in_balls, x) for x in points]
        off = [float(abs(arb(float(slope)) - true)) for slope, true in zip(found, exact, strict=True)]
        size = [float(abs(true)) for true in exact]
    finally:
        flint.ctx.prec = 53
    # Relative to the slope itself, except where an oscillating function has a zero nearby.
    floor = 0.05 if name in _OSCILLATING else 0.0
    np.testing.assert_array_less(off, 5e-14 * np.maximum(size, floor) + (1e-300 if name in _DEEP else 1e-80))


# Whose formulas in balls lose hundreds of digits far out.
_DEEP = ("Erf", "Erfc", "Dawsn", "Softplus", "LogSigmoid", "Silu", "Tanh")
_OSCILLATING = ("BesselJ0", "BesselJ1", "BesselY0", "BesselY1", "FresnelSin", "FresnelCos", "Digamma", "Lgamma")


PARAMETRIC: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[tuple[float, ...]]]] = {
    "Igamma": (
        tf.math.igamma,
        lambda a, x: x.gamma_lower(a, 1),
        [(0.3, 0.01), (0.3, 5.0), (2.5, 2.0), (2.5, 9.0), (40.0, 20.0), (40.0, 60.0), (300.0, 310.0)],
    ),
    "Igammac": (
        tf.math.igammac,
        lambda a, x: x.gamma_upper(a, 1),
        [(0.3, 0.01), (0.3, 5.0), (2.5, 2.0), (2.5, 9.0), (40.0, 20.0), (40.0, 60.0), (300.0, 310.0), (1.0, 600.0)],
    ),
    "Betainc": (
        tf.math.betainc,
        lambda a, b, x: x.beta_lower(a, b, 1),
        [(0.5, 0.5, 0.2), (2.0, 3.0, 0.4), (2.0, 3.0, 0.9), (20.0, 5.0, 0.7), (1.0, 1.0, 0.5), (0.3, 9.0, 0.01)],
    ),
}


@pytest.mark.parametrize("name", PARAMETRIC)
def test_functions_with_parameters(name: str) -> None:
    function, in_balls, points = PARAMETRIC[name]
    arrays = [np.asarray(column) for column in zip(*points, strict=True)]
    check_value(function, *arrays, rtol=1e-12, atol=1e-300)
    check_value(function, *(np.zeros((0, 3)) for _ in arrays))
    found = slopes(function, *arrays).right  # [parameters · points, points]
    count = len(points)
    flint.ctx.prec = 400
    for number in range(len(arrays)):
        mine = np.diag(found[number * count : (number + 1) * count])
        for point, slope in zip(points, mine, strict=True):
            before, x, after = point[:number], point[number], point[number + 1 :]
            true = float(_slope_in_balls(lambda v: in_balls(*map(arb, before), v, *map(arb, after)), x))  # noqa: B023
            assert slope == pytest.approx(true, rel=1e-12), (number, point)
    flint.ctx.prec = 53
    x_only = slopes(lambda x: function(*map(tf.constant, arrays[:-1]), x), arrays[-1]).right
    np.testing.assert_allclose(np.diag(x_only), np.diag(found[-count:]), rtol=1e-11)


def test_gradients_that_tensorflow_has_agree() -> None:
    x = np.array([0.2, 0.9, 2.4])
    for name in ("Erf", "Dawsn", "Spence", "Lgamma", "Digamma", "BesselI0e", "BesselK1e", "BesselJ1", "FresnelSin"):
        check_slopes(FUNCTIONS[name][0], x * 0.5 if name == "Spence" else x, rtol=1e-9)


def test_scaled_bessel_functions_at_zero() -> None:
    """exp(-|x|) I0(x) has a kink at 0; exp(-|x|) I1(x) has none."""
    even, odd = (slopes(tf.math.special.bessel_i0e, [0.0]), slopes(tf.math.special.bessel_i1e, [0.0]))
    assert (even.right[0, 0], even.left[0, 0]) == (-1.0, 1.0)
    assert even.low[0, 0] <= 0.0 <= even.high[0, 0]
    assert (odd.right[0, 0], odd.left[0, 0]) == (0.5, 0.5)


def test_edges_of_incomplete_functions() -> None:
    found = slopes(lambda x: tf.math.igamma(tf.constant([1.0, 2.0], tf.float64), x), np.zeros(2)).right
    np.testing.assert_array_equal(np.diag(found), [1.0, 0.0])
    assert slopes(lambda x: tf.math.igammac(tf.constant(1.0, tf.float64), x), np.array(600.0)).right[0, 0] == (
        pytest.approx(-math.exp(-600.0), rel=1e-13)
    )


def test_second_derivatives() -> None:
    """Order 2 through the same rules: the slope of a slope, from the first order a little to both sides."""
    for name, (function, _, points) in FUNCTIONS.items():
        inside = [
            x for x in points if 0.05 < abs(x) < 8 and not (name in ("Erfinv", "Spence", "Ndtri") and abs(x) > 0.6)
        ]
        if not inside:
            continue
        it, x = interpret(function, np.asarray(inside))
        second = np.diag(it.run(Pass(x.size, order=2), x, np.eye(x.size)).d[1]) * 2
        h = 1e-4
        measured = (
            np.diag(it.slopes(x + h, np.eye(x.size)).right) - np.diag(it.slopes(x - h, np.eye(x.size)).right)
        ) / (2 * h)
        np.testing.assert_allclose(second, measured, rtol=1e-4, atol=1e-6, err_msg=name)
