"""Right gradients where slopes mislead: nothing is called wrong there, whatever else it is.

Slopes serve what has no exact reference, and convict only where step sizes and places next to the point agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck.numerics import Status, compare

from .functions import in_float32, wholly_in_bfloat16, wholly_in_float16


def never_called_wrong(function: Callable[[Any], Any], x: Any, jacobian: Any) -> bool:
    with np.errstate(all="ignore"):
        found = compare(function, np.asarray(x, np.float64), np.asarray(jacobian, np.float64))
    return Status.MISMATCH not in found.status


@pytest.mark.parametrize("value", [0.0, -1.0, 0.3, 100.0])
@pytest.mark.parametrize("count", [3, 4, 8])
@pytest.mark.parametrize("inside", [lambda function: function, in_float32])
def test_equal_numbers_sorted(count: int, value: float, inside: Any) -> None:
    """What comes second does not move along any axis; TensorFlow's gradient there is 1 by convention."""
    assert never_called_wrong(inside(lambda points: np.sort(points, axis=1)), np.full(count, value), np.eye(count))


@pytest.mark.parametrize("apart", [1e-15, 3e-14, 1e-13, 9.1e-13, 1e-10, 1e-7, 1e-4])
@pytest.mark.parametrize("place", range(6))
def test_equal_numbers_sorted_next_to_one_that_is_hardly_larger(apart: float, place: int) -> None:
    x = np.zeros(6)
    x[place] = apart
    gradient = np.eye(6)[:, np.argsort(x, kind="stable")]  # [inputs, outputs]
    assert never_called_wrong(lambda points: np.sort(points, axis=1), x, gradient)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0),
        lambda x: np.where(x != 0, 1 / np.where(x != 0, x, 1.0), 0.0),
        lambda x: np.where(x != 0, x + 3, 0.0),
        lambda x: np.where(x != 0, np.expm1(x) / np.where(x != 0, x, 1.0), 1.0) * 0 + 1.0,
    ],
)
def test_a_constant_in_the_place_of_what_has_no_value(function: Any) -> None:
    """The gradient of the constant is 0, whatever the function does next to the point."""
    assert never_called_wrong(function, [0.0], [[0.0]])


@pytest.mark.parametrize("short", [wholly_in_bfloat16, wholly_in_float16])
@pytest.mark.parametrize("x", [0.3, 1.0, 2.6, 3.0, -1.7, 40.0])
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
        (np.square, lambda x: 2 * x),
        (lambda y: 3 * y, lambda x: 3.0),
        (np.sin, np.cos),
    ],
)
def test_what_stands_still_for_want_of_bits(function: Any, slope: Any, x: float, short: Any) -> None:
    assert never_called_wrong(short(function), [x], [[slope(x)]])


@pytest.mark.parametrize("hidden", [1e9, 3e38])
@pytest.mark.parametrize("x", [[-0.6875, -0.1875], [0.0, 0.0], [5.0, -7.0]])
def test_scores_that_a_large_constant_absorbs_in_float32(x: list[float], hidden: float) -> None:
    """A softmax of scores from which the constant was taken: nothing is left of them."""

    def softmax(points: np.ndarray) -> np.ndarray:
        scores = points.astype(np.float32) - np.float32(hidden)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)

    weights = softmax(np.array([x]))[0]
    assert never_called_wrong(softmax, x, np.diag(weights) - np.outer(weights, weights))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_what_is_rounded_away_beside_a_constant_that_is_taken_away_again(scale: float) -> None:
    x = np.array([2.0**-27])
    slope = scale * 2 * x / (x**2 + 0.01)
    assert never_called_wrong(lambda y: scale * (np.log(y * y + 0.01) - np.log(0.01)), x, slope[None])


def test_a_point_that_does_not_belong_to_its_surroundings() -> None:
    """The first output jumps away from the point, and the slope of the second is another branch's there."""

    def branches(points: np.ndarray) -> np.ndarray:
        sign = np.where((points == 0).all(axis=1, keepdims=True), 1.0, -1.0)
        return np.concatenate([sign * (1 + points[:, :1]), sign * points[:, :1]], axis=1)

    assert never_called_wrong(branches, [0.0], [[1.0, 1.0]])


def test_a_function_that_draws() -> None:
    random = np.random.default_rng(3)
    noisy = lambda x: np.sin(x) + 1e-3 * random.standard_normal(x.shape)  # noqa: E731
    for _ in range(20):
        assert never_called_wrong(noisy, [0.5], [[np.cos(0.5)]])
