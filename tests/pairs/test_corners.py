"""Where several pieces of a function meet: the gradient of one of them is right, another one is not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict, numerics
from gradcheck.numerics import Status


def statuses(function, x, jacobian) -> np.ndarray:
    with np.errstate(all="ignore"):
        return numerics.compare(function, np.asarray(x, np.float64), np.asarray(jacobian, np.float64)).status


@tf.custom_gradient
def twice_sorted(x):
    """Passes back twice as much as it should."""
    order = tf.argsort(x)
    return tf.gather(x, order), lambda upstream: 2 * tf.scatter_nd(order[:, None], upstream, tf.shape(x))


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 64.0])
@pytest.mark.parametrize("count", [3, 7])
def test_sorting_equal_numbers(value: float, count: int) -> None:
    """The middle of three equal numbers stays where it is whichever of them moves; its gradient is 1 all the same."""
    sort = lambda points: np.sort(points, axis=1)  # noqa: E731
    point, unit = np.full(count, value), np.eye(count)
    assert Status.MISMATCH not in statuses(sort, point, unit)
    # Slopes decide nothing at a tie; the exact reference does.
    assert set(np.diag(statuses(sort, point, 2 * unit))) <= {Status.UNRESOLVED}
    report = gradcheck.check(twice_sorted, point, modes="graph", invariants=())
    assert report["graph"].verdict is Verdict.MISMATCH, str(report)


@pytest.mark.parametrize(("gradient", "status"), [(0.0, Status.KINK), (1.3, Status.KINK), (2.5, Status.UNRESOLVED)])
def test_corner_in_float32(gradient: float, status: Status) -> None:
    """Slopes that differ by 1.3 on the two sides: what lies outside of both is undecided, and is never a pass."""

    def corner(points: np.ndarray) -> np.ndarray:
        return (np.maximum(points.astype(np.float32), 0) * np.float32(1.3) + 1).astype(np.float64)

    assert statuses(corner, [0.0], [[gradient]])[0, 0] == status


def test_corner_beside_the_point_excuses_nothing() -> None:
    """1e-9 to the right of a corner there is one slope."""
    relu = lambda points: np.maximum(points, 0)  # noqa: E731
    assert statuses(relu, [1e-9], [[0.0]])[0, 0] == Status.MISMATCH
    assert statuses(relu, [1e-9], [[1.0]])[0, 0] == Status.PASS
