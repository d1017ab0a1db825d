"""Sorting and its ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from .interpreted import check_slopes, check_value, slopes

_X = np.array([[1.5, -2.0, 0.3, 7.0], [0.7, -1.1, 4.0, 0.1]])

CASES: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "top_k": (lambda x: tf.math.top_k(x, 3), [_X]),
    "sort": (lambda x: tf.sort(x), [_X]),
    "sort along the first axis": (lambda x: tf.sort(x, axis=0, direction="DESCENDING"), [_X]),
    "argsort and gather": (lambda x: tf.gather(x, tf.argsort(x), batch_dims=1), [_X]),
    "nth element": (lambda x: tf.raw_ops.NthElement(input=x, n=1), [_X]),
    "nth from the top": (lambda x: tf.raw_ops.NthElement(input=x, n=1, reverse=True), [_X]),
    "arg max": (lambda x: tf.gather(x, tf.argmax(x, axis=-1), batch_dims=1) ** 2, [_X]),
    "arg min": (lambda x: tf.gather(x, tf.argmin(x, axis=0), axis=0) ** 2, [_X]),
    "search": (
        lambda x: x * tf.cast(tf.searchsorted(tf.constant([[0.0, 0.5, 2.0]] * 2, tf.float64), x), tf.float64),
        [_X],
    ),
    "search from the right": (
        lambda x: (
            x * tf.cast(tf.searchsorted(tf.constant([[0.0, 0.5, 2.0]] * 2, tf.float64), x, side="right"), tf.float64)
        ),
        [_X],
    ),
    "bucketize": (lambda x: x * tf.cast(tf.raw_ops.Bucketize(input=x, boundaries=[0.0, 1.0]), tf.float64), [_X]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_slopes(name: str) -> None:
    function, arrays = CASES[name]
    check_value(function, *arrays)
    check_value(function, np.zeros((2, 4)))
    check_value(function, np.full((2, 4), -800.0))
    check_slopes(function, *arrays)


def test_in_top_k() -> None:
    def function(x: Any) -> Any:
        return x * tf.cast(tf.math.in_top_k([3, 1], tf.cast(x, tf.float32), 2), tf.float64)[:, None]

    check_value(function, _X)
    check_slopes(function, _X)
    check_value(function, np.zeros((2, 4)))


def test_distance_to_the_sorted() -> None:
    """|sort(x) - x| at two ties: exact on both sides."""
    x = np.array([-1.0, 0.0, 0.0, 1.0, -1.0])
    found = slopes(lambda v: tf.abs(tf.sort(v) - v), x)
    h = 2.0**-20

    def at(point: np.ndarray) -> np.ndarray:
        return np.abs(np.sort(point) - point)

    e = np.eye(5) * h
    np.testing.assert_allclose(found.right, [(at(x + d) - at(x)) / h for d in e], atol=1e-12)
    np.testing.assert_allclose(found.left, [(at(x) - at(x - d)) / h for d in e], atol=1e-12)


def test_distance_of_two_sorted() -> None:
    a, b = np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0])

    def at(point: np.ndarray) -> float:
        return float(np.abs(np.sort(point[:3]) - np.sort(point[3:])).sum())

    found = slopes(lambda p, q: tf.reduce_sum(tf.abs(tf.sort(p) - tf.sort(q))), a, b)
    x, h = np.concatenate([a, b]), 2.0**-20
    np.testing.assert_allclose(found.right[:, 0], [(at(x + d) - at(x)) / h for d in np.eye(6) * h], atol=1e-12)
    np.testing.assert_allclose(found.left[:, 0], [(at(x) - at(x - d)) / h for d in np.eye(6) * h], atol=1e-12)


def test_a_median_of_equal_numbers() -> None:
    found = slopes(lambda x: tf.sort(x)[1], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(found.right[:, 0], 0.0)
    np.testing.assert_array_equal(found.left[:, 0], 0.0)
    assert (found.low <= 0.0).all()
    assert (found.high >= 1.0).any()  # some order among equal ones gives TensorFlow's 1


def test_places_that_differ_by_direction() -> None:
    """The largest by its place: at a tie each direction reads another entry."""
    found = slopes(lambda x: tf.gather(x, tf.argmax(x)) * tf.constant(3.0, tf.float64), [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(found.right[:, 0], [3.0, 3.0, 0.0])
    np.testing.assert_array_equal(found.left[:, 0], [0.0, 0.0, 0.0])
    found = slopes(lambda x: tf.gather(x**2, tf.argsort(x))[0], [1.0, 1.0])
    np.testing.assert_array_equal(found.right[:, 0], [0.0, 0.0])
    np.testing.assert_array_equal(found.left[:, 0], [2.0, 2.0])


def test_another_tensor_at_the_largest_place_jumps() -> None:
    found = slopes(lambda x: tf.gather(tf.constant([5.0, 7.0], tf.float64), tf.argmax(x)) + x[0], [1.0, 1.0])
    np.testing.assert_array_equal(found.right[:, 0], [1.0, np.nan])
    np.testing.assert_array_equal(found.left[:, 0], [np.nan, 0.0])
