"""Segments, scatters and stitches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from .interpreted import check_slopes, check_value, slopes

_IDS = [0, 0, 2, 2, 2]
_UNSORTED = [3, 0, -1, 3, 0]
_X = np.array([[1.5, -2.0], [0.3, 0.7], [-1.1, 4.0], [2.2, 0.4], [0.6, -0.9]])

# One line an operation: the function of float64 tensors, and where it is tried.
CASES: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "SegmentSum": (lambda x: tf.math.segment_sum(x, _IDS), [_X]),
    "SegmentMean": (lambda x: tf.math.segment_mean(x, _IDS), [_X]),
    "SegmentProd": (lambda x: tf.math.segment_prod(x, _IDS), [_X]),
    "SegmentMax": (lambda x: tf.math.segment_max(x, _IDS), [_X]),
    "SegmentMin": (lambda x: tf.math.segment_min(x, _IDS), [_X]),
    "UnsortedSegmentSum": (lambda x: tf.math.unsorted_segment_sum(x, _UNSORTED, 5), [_X]),
    "UnsortedSegmentSum, ids of rank 2": (
        lambda x: tf.math.unsorted_segment_sum(x, [[0, 1], [1, -1], [0, 0], [2, 2], [1, 0]], 4),
        [_X],
    ),
    "UnsortedSegmentMean": (lambda x: tf.math.unsorted_segment_mean(x, _UNSORTED, 5), [_X]),
    "UnsortedSegmentSqrtN": (lambda x: tf.math.unsorted_segment_sqrt_n(x, _UNSORTED, 5), [_X]),
    "UnsortedSegmentProd": (lambda x: tf.math.unsorted_segment_prod(x, _UNSORTED, 5), [_X]),
    "UnsortedSegmentMax": (lambda x: tf.math.unsorted_segment_max(x, _UNSORTED, 5), [_X]),
    "UnsortedSegmentMin": (lambda x: tf.math.unsorted_segment_min(x, _UNSORTED, 5), [_X]),
    "SparseSegmentSum": (lambda x: tf.sparse.segment_sum(x, [0, 4, 4, 1], [0, 0, 1, 3]), [_X]),
    "SparseSegmentMean": (lambda x: tf.sparse.segment_mean(x, [0, 4, 4, 1], [0, 0, 1, 3]), [_X]),
    "SparseSegmentSqrtN": (lambda x: tf.sparse.segment_sqrt_n(x, [0, 4, 4, 1], [0, 0, 1, 3]), [_X]),
    "SparseSegmentMeanWithNumSegments": (
        lambda x: tf.sparse.segment_mean(x, [0, 4, 4, 1], [0, 0, 1, 3], num_segments=6),
        [_X],
    ),
    "TensorScatterMax": (lambda x, u: tf.tensor_scatter_nd_max(x, [[0], [3], [0]], u), [_X, 3 * _X[1:4] + 0.1]),
    "TensorScatterMin": (lambda x, u: tf.tensor_scatter_nd_min(x, [[0, 1], [3, 0]], u), [_X, [-7.0, 7.0]]),
    "ScatterNdNonAliasingAdd": (
        lambda x, u: tf.raw_ops.ScatterNdNonAliasingAdd(input=x, indices=[[0], [3], [0]], updates=u),
        [_X, _X[1:4]],
    ),
    "TensorStridedSliceUpdate": (
        lambda x, u: tf.raw_ops.TensorStridedSliceUpdate(
            input=x, begin=[1, 0], end=[4, 1], strides=[2, 1], value=u, shrink_axis_mask=2
        ),
        [_X, [5.0, 7.0]],
    ),
    "DynamicPartition": (lambda x: tf.dynamic_partition(x, [1, 0, 2, 2, 0], 4), [_X]),
    "DynamicStitch": (
        lambda x, y: tf.dynamic_stitch([[3, 0], [[1, 5], [4, 2]]], [x, y]),
        [_X[:2], np.arange(8.0).reshape(2, 2, 2)],
    ),
}
_WITHOUT_GRADIENT = {
    # TensorFlow's gradient goes to all of several rows for one place, though the last one counts.
    "DynamicStitch, places twice": (
        lambda x, y: tf.dynamic_stitch([[2, 0], [1, 2]], [x, y]),
        [_X[:2], _X[2:4]],
    ),
    "Bincount": (lambda w: tf.math.bincount([1, 4, 1, 0, 3], weights=w, maxlength=5, minlength=5), [_X[:, 0]]),
    "DenseBincount": (
        lambda w: tf.math.bincount([[1, 4], [1, 0]], weights=w, minlength=5, maxlength=5, axis=-1),
        [_X[:2]],
    ),
}


@pytest.mark.parametrize("name", [*CASES, *_WITHOUT_GRADIENT])
def test_values_and_slopes(name: str) -> None:
    function, arrays = {**CASES, **_WITHOUT_GRADIENT}[name]
    check_value(function, *arrays)
    check_slopes(function, *arrays, gradient=name in CASES)


@pytest.mark.parametrize("name", [name for name in CASES if "Segment" in name])
def test_singular_values(name: str) -> None:
    function, arrays = CASES[name]
    for value in (0.0, -800.0, 1e30):
        check_value(function, np.full_like(arrays[0], value))
        if value == 0.0:
            continue
    check_value(function, np.zeros((5, 0)) if "rank 2" not in name else np.zeros((5, 2)))


def test_products_with_zeros() -> None:
    found = slopes(lambda x: tf.math.segment_prod(x, [0, 0, 0]), [2.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.right[:, 0], [0.0, 6.0, 0.0])
    assert found.ties == 0


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", ["segment", "unsorted_segment"])
def test_ties(kind: str, largest: bool) -> None:
    name = f"{kind}_{'max' if largest else 'min'}"
    more = (3,) if kind.startswith("unsorted") else ()
    found = slopes(lambda x: getattr(tf.math, name)(x, [0, 0, 2], *more), [1.0, 1.0, 5.0])
    one, other = (found.right, found.left) if largest else (found.left, found.right)
    np.testing.assert_array_equal(one[:2, 0], [1.0, 1.0])
    np.testing.assert_array_equal(other[:2, 0], [0.0, 0.0])
    assert (found.low[:2, 0] <= 0).all()
    assert (found.high[:2, 0] >= 1).all()
    assert found.right[2, 2] == found.left[2, 2] == 1.0
    together = slopes(lambda x: getattr(tf.math, name)(tf.stack([x, x]), [0, 0], *more), 1.0)
    assert together.right[0, 0] == together.left[0, 0] == 1.0


def test_lowest_number_of_the_type_in_an_empty_segment() -> None:
    def function(x: Any) -> Any:
        return tf.math.unsorted_segment_max(tf.cast(x, tf.float32), [0, 2], 3)

    check_value(function, [1.5, 2.5])


@pytest.mark.parametrize("kind", ["add", "sub", "mul", "div", "update"])
def test_variables(kind: str) -> None:
    variable = tf.Variable([[1.0, 2.0], [3.0, 5.0], [4.0, 7.0]], dtype=tf.float64)

    def function(x: Any) -> Any:
        variable.assign(tf.constant([[1.0, 2.0], [3.0, 5.0], [4.0, 7.0]], tf.float64))
        places = [2, 0] if kind == "update" else [2, 2]
        getattr(variable, f"scatter_{kind}")(tf.IndexedSlices(x, tf.constant(places)))
        return variable.read_value()

    x = np.array([[1.5, 2.5], [0.5, -0.5]])
    check_value(function, x)
    check_slopes(function, x, gradient=False)
