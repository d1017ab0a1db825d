"""Corners upon corners: sorts whose results meet in other corners, where inputs tie."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.numerics import Status, compare

POINTS = 80


def ties(steps: tuple[int, int], seed: int = 5) -> list[np.ndarray]:
    """Points ``[2 * steps]`` made of -1, 0 and 1."""
    random = np.random.default_rng(seed)
    return [random.integers(-1, 2, 2 * random.integers(*steps)).astype(float) for _ in range(POINTS)]


def distance(x: np.ndarray) -> np.ndarray:
    """The first half of the inputs against the second half, each sorted: ``[k, 2 * n]`` to ``[k, 1]``."""
    first, second = np.split(x, 2, axis=1)
    return np.abs(np.sort(first, axis=1) - np.sort(second, axis=1)).sum(axis=1, keepdims=True)


def gradient_of_distance(x: np.ndarray) -> np.ndarray:
    """As automatic differentiation has it: equal inputs are sorted by position, and the sign of 0 is 0."""
    first, second = np.split(x, 2)
    orders = np.argsort(first, kind="stable"), np.argsort(second, kind="stable")
    sign = np.sign(first[orders[0]] - second[orders[1]])
    gradient = np.zeros((2, first.size))
    gradient[0, orders[0]], gradient[1, orders[1]] = sign, -sign
    return gradient.reshape(-1, 1)


@pytest.mark.parametrize("steps", [(2, 7), (8, 12)])
def test_a_right_gradient_of_sorted_ties_is_not_called_wrong(steps: tuple[int, int]) -> None:
    """Its piece is that of one order of what ties, and rare: 31 of the 80 longer points were called wrong."""
    for x in ties(steps):
        found = compare(distance, x, gradient_of_distance(x))
        assert not (found.status == Status.MISMATCH).any(), x


def test_a_wrong_one_is() -> None:
    called = sum(
        (compare(distance, x, 2 * gradient_of_distance(x)).status == Status.MISMATCH).any() for x in ties((2, 7))
    )
    assert called > 0.9 * POINTS


def test_what_is_smooth_along_every_axis_and_odd_is_no_smooth_point() -> None:
    """The median of three equal numbers bends in no direction: what it does forwards it does backwards."""
    found = compare(lambda x: np.sort(x, axis=1)[:, 1:2], np.zeros(3), np.array([[0.0], [1.0], [0.0]]))
    assert found.status.ravel().tolist() == [Status.PASS, Status.KINK, Status.PASS]
    found = compare(lambda x: np.sort(x, axis=1)[:, 1:2], np.zeros(3), np.array([[0.0], [1.5], [0.0]]))
    assert found.status[1, 0] == Status.MISMATCH


def test_inputs_that_move_together_are_looked_for_by_their_positions() -> None:
    """The middle two of six numbers of which five are equal: one of ten pairs, in one of two places."""
    for seed in range(40):
        x = np.zeros(6)
        x[seed % 6] = 1.0
        equal = np.flatnonzero(x == 0)
        direction = np.zeros((1, 6))
        direction[0, equal[2:4]] = 1.0
        found = compare(
            lambda x: np.sort(x, axis=1)[:, 2:4].mean(axis=1, keepdims=True), x, np.array([[1.0]]),
            directions=direction, seed=seed,
        )  # fmt: skip
        assert found.status[0, 0] != Status.MISMATCH, seed
