"""What is known by hand: kinks, ties, conventions, holes, and numbers far out in a tail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.reference import Slopes

from .driving import slopes_of

F64 = tf.float64


def _entries(slopes: Slopes, name: str) -> np.ndarray:
    return getattr(slopes, name).squeeze()


@pytest.mark.parametrize(
    ("function", "x", "left", "right"),
    [
        pytest.param(tf.nn.relu, 0.0, 0.0, 1.0, id="relu"),
        pytest.param(tf.abs, 0.0, -1.0, 1.0, id="abs"),
        pytest.param(lambda x: tf.nn.relu(x) - tf.nn.relu(-x), 0.0, 1.0, 1.0, id="relu(x) - relu(-x)"),
        pytest.param(lambda x: tf.cast(x > 0, x.dtype) * x, 0.0, 0.0, 1.0, id="relu by a cast"),
        pytest.param(lambda x: tf.where(x > 0, x, tf.zeros_like(x)), 0.0, 0.0, 1.0, id="relu by a select"),
        pytest.param(lambda x: tf.clip_by_value(x, -1.0, 1.0), 1.0, 1.0, 0.0, id="clip"),
        pytest.param(lambda x: tf.maximum(x, 2.0 * x), 0.0, 1.0, 2.0, id="maximum"),
        pytest.param(lambda x: tf.minimum(x, 2.0 * x), 0.0, 2.0, 1.0, id="minimum"),
        pytest.param(lambda x: tf.nn.leaky_relu(x, 0.25), 0.0, 0.25, 1.0, id="leaky relu"),
    ],
)
def test_slopes_of_both_sides_of_a_kink(function: Callable[[Any], Any], x: float, left: float, right: float) -> None:
    slopes = slopes_of(function, np.array([x]))
    assert slopes.ties
    assert _entries(slopes, "left") == left
    assert _entries(slopes, "right") == right


@pytest.mark.parametrize("label", [0.0, 0.5, 1.0])
def test_weighted_cross_entropy_is_smooth_though_it_is_built_of_kinks(label: float) -> None:
    def loss(x: Any) -> Any:
        return tf.nn.weighted_cross_entropy_with_logits(tf.constant([label], F64), x, 3.0)

    slopes = slopes_of(loss, np.array([0.0]))
    expected = {0.0: 0.5, 0.5: -0.5, 1.0: -1.5}[label]
    assert _entries(slopes, "right") == pytest.approx(expected, abs=1e-15)
    assert _entries(slopes, "left") == pytest.approx(expected, abs=1e-15)


def test_a_three_way_tie_of_a_maximum() -> None:
    slopes = slopes_of(lambda x: tf.reduce_max(x, keepdims=True), np.ones(3))
    assert (_entries(slopes, "left") == 0).all()
    assert (_entries(slopes, "right") == 1).all()
    together = slopes_of(lambda x: tf.reduce_max(x, keepdims=True), np.ones(3), directions=np.ones((1, 3)))
    assert _entries(together, "left") == _entries(together, "right") == 1


def test_conventions_reach_what_automatic_differentiation_gives() -> None:
    slopes = slopes_of(lambda x: tf.nn.relu(x) - tf.nn.relu(-x), np.array([0.0]))
    assert _entries(slopes, "low") == 0
    assert _entries(slopes, "high") == 2


def test_a_product_with_a_zero_in_it() -> None:
    slopes = slopes_of(tf.math.cumprod, np.array([2.0, 0.0, 3.0]))
    # The last product is x0·x1·x2: 0, 6, 0.
    assert slopes.right[:, 2].tolist() == [0.0, 6.0, 0.0]


def test_a_jump_has_no_slope() -> None:
    slopes = slopes_of(tf.floor, np.array([1.0, 1.5]))
    assert np.isnan(slopes.left[0, 0])
    assert slopes.right[0, 0] == 0
    assert slopes.right[1, 1] == slopes.left[1, 1] == 0


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        pytest.param(tf.tanh, 20.0, 1.6993417021166355e-17, id="tanh"),
        pytest.param(tf.tanh, -300.0, 1.0603659582274396e-260, id="tanh far out"),
        pytest.param(tf.sigmoid, 40.0, 4.248354255291589e-18, id="sigmoid"),
    ],
)
def test_tails_keep_their_digits(function: Callable[[Any], Any], x: float, expected: float) -> None:
    assert _entries(slopes_of(function, np.array([x])), "right") == pytest.approx(expected, rel=1e-13)


def test_a_softmax_beside_a_large_number() -> None:
    slopes = slopes_of(tf.nn.softmax, np.array([[0.3, 0.6, -1e9]]))
    p = np.exp([0.3, 0.6]) / np.exp([0.3, 0.6]).sum()
    assert slopes.right[0, 0] == pytest.approx(p[0] * p[1], rel=1e-14)
    assert slopes.right[2].tolist() == [0.0, 0.0, 0.0]


def test_a_tie_that_float32_makes_is_a_tie() -> None:
    """At 1000 the numbers of float32 lie 6e-5 apart: which of two is the larger is up to rounding."""

    def pooled(x: Any) -> Any:
        return tf.reduce_max(tf.cast(x, tf.float32) + 1000.0, keepdims=True)

    slopes = slopes_of(pooled, np.array([0.0, 9.5e-7]))
    assert slopes.ties
    assert slopes.low.squeeze().tolist() == [0.0, 0.0]
    assert slopes.high.squeeze().tolist() == [1.0, 1.0]


def test_rounding_errors_are_those_of_the_type() -> None:
    """A sum that cancels has the errors of its terms."""
    slopes = slopes_of(lambda x: (tf.cast(x, tf.float32) + 1000.0) - 1000.0, np.array([0.5]))
    assert 1e-5 < slopes.noise[0] < 1e-3
    assert _entries(slopes, "right") == 1
