"""Points that a formula leaves out and a ``where`` fills in: rounding errors grow towards them, a slope is there."""

import numpy as np
import pytest

from gradcheck.numerics import Status, compare


def _filled(at, value, formula):
    """``formula``, and ``value`` at ``at``, where it would be 0/0."""

    def function(x):
        hit = x == at
        return np.where(hit, value, formula(np.where(hit, at + 1.0, x)))

    return function


# Name: the function, where the hole is, and the slope there.
HOLES = {
    "(e^x - 1)/x": (_filled(0.0, 1.0, lambda x: (np.exp(x) - 1) / x), 0.0, 1 / 2),
    "x/(e^x - 1)": (_filled(0.0, 1.0, lambda x: x / (np.exp(x) - 1)), 0.0, -1 / 2),
    "(1 - cos x)/x": (_filled(0.0, 0.0, lambda x: (1 - np.cos(x)) / x), 0.0, 1 / 2),
    "(sqrt(1 + x) - 1)/x": (_filled(0.0, 0.5, lambda x: (np.sqrt(1 + x) - 1) / x), 0.0, -1 / 8),
    "(e^x - 1 - x)/x^2": (_filled(0.0, 0.5, lambda x: (np.exp(x) - 1 - x) / x**2), 0.0, 1 / 6),
    "(x^2 - 1)/(x - 1)": (_filled(1.0, 2.0, lambda x: (x**2 - 1) / (x - 1)), 1.0, 1.0),
    "log(x)/(x - 1)": (_filled(1.0, 1.0, lambda x: np.log(x) / (x - 1)), 1.0, -1 / 2),
}


def _status(function, point, slopes):
    point = np.asarray(point, np.float64)
    return compare(function, point, np.diag(np.asarray(slopes, np.float64)))


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("others", [0, 1, 5])
def test_a_constant_that_fills_a_hole_has_no_gradient_and_the_function_has_one(name, others):
    """With other entries at ordinary places beside it, which stay as sharp as they are without."""
    function, at, slope = HOLES[name]
    places = np.linspace(2.0, 3.0, others)
    ordinary = (function(places + 1e-5) - function(places - 1e-5)) / 2e-5
    # What is right to nine digits only would not pass at ordinary places: the slopes there are the measured ones.
    ordinary = np.diag(_status(function, places, ordinary).numerical) if others else ordinary

    right = _status(function, [at, *places], [slope, *ordinary])
    assert set(right.status.ravel()) == {Status.PASS}
    assert right.resolution < 1e-4
    for factor in (0.0, 2.0, 1.001):
        wrong = _status(function, [at, *places], [factor * slope, *ordinary])
        assert wrong.status[0, 0] == Status.MISMATCH
        assert wrong.numerical[0, 0] == pytest.approx(slope, rel=1e-5)
        assert (np.delete(wrong.status.ravel(), 0) == Status.PASS).all()


@pytest.mark.parametrize("others", [0, 3])
def test_a_flat_place_is_no_hole(others):
    """Nothing moves within 1e-9 of 0, where the slope is 0, and nothing is rounded there."""

    def dead_zone(x):
        return np.sign(x) * np.maximum(np.abs(x) - 1e-9, 0.0)

    found = _status(dead_zone, [0.0, *np.ones(others)], [0.0, *np.ones(others)])
    assert found.status[0, 0] != Status.MISMATCH


@pytest.mark.parametrize("large", [1e6, 1e9, 1e12])
def test_stairs_are_no_hole(large):
    """What is lost beside a large number is lost at every distance: that noise has no end further out."""
    found = _status(lambda x: (x + large) - large, [0.3, -0.7], [1.0, 1.0])
    assert not (found.status == Status.MISMATCH).any()
    found = _status(lambda x: np.float64(np.float32(x)) * 2.0, [0.3, -0.7], [2.0, 2.0])
    assert not (found.status == Status.MISMATCH).any()


def test_less_than_float64_has_the_noise_of_its_type():
    function, at, slope = HOLES["(e^x - 1)/x"]
    found = compare(function, np.array([at]), np.array([[slope]]), eps=2.0**-23)
    assert found.status[0, 0] != Status.MISMATCH
