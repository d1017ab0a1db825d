"""Rules of sparse tensors, and of operations that put rows elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.table import NoRule
from tests.exact.checking import compare, slopes

_RANDOM = np.random.default_rng(10)
PLACES = np.array([[0, 1], [0, 3], [2, 0], [2, 2], [2, 3]])
OTHERS = np.array([[0, 1], [1, 1], [2, 2]])
VALUES, FEW = _RANDOM.normal(size=5), _RANDOM.normal(size=3)
SHAPE = [3, 4]
DENSE = _RANDOM.normal(size=(4, 2))


def _sparse(values: Any, places: Any = PLACES) -> Any:
    return tf.SparseTensor(tf.constant(places, tf.int64), values, SHAPE)


def _two(function: Any) -> Any:
    def both(a: Any, b: Any) -> Any:
        return function(_sparse(a), _sparse(b, OTHERS)).values

    return both


def _reorder(values: Any) -> Any:
    order = [3, 0, 4, 1, 2]
    return tf.sparse.reorder(_sparse(tf.gather(values, order), PLACES[order])).values


def _dense_pair(function: Any) -> Any:
    return lambda a, b: function(_sparse(a), b).values


CASES: dict[str, tuple[Any, ...]] = {
    "product": (lambda v, b: tf.sparse.sparse_dense_matmul(_sparse(v), b), VALUES, DENSE),
    "product, adjoint": (
        lambda v, b: tf.sparse.sparse_dense_matmul(_sparse(v), b, adjoint_a=True, adjoint_b=True),
        VALUES,
        _RANDOM.normal(size=(2, 3)),
    ),
    "product, complex": (
        lambda v, b: tf.sparse.sparse_dense_matmul(_sparse(tf.complex(v, v * v)), tf.complex(b, -b)),
        VALUES,
        DENSE,
    ),
    "reorder": (_reorder, VALUES),
    "to dense": (lambda v, d: tf.sparse.to_dense(_sparse(v), d), VALUES, np.array(0.5)),
    "concat": (lambda a, b: tf.sparse.concat(1, [_sparse(a), _sparse(b, OTHERS)]).values, VALUES, FEW),
    "split": (lambda a: [part.values for part in tf.sparse.split(sp_input=_sparse(a), num_split=2, axis=1)], VALUES),
    "slice": (lambda a: tf.sparse.slice(_sparse(a), [1, 1], [2, 3]).values, VALUES),
    "reduce": (lambda a: tf.sparse.reduce_sum(_sparse(a), 1), VALUES),
    "reduce, kept": (lambda a: tf.sparse.reduce_sum(_sparse(a), 0, keepdims=True), VALUES),
    "softmax": (lambda a: tf.sparse.softmax(_sparse(a)).values, VALUES),
    "add": (_two(tf.sparse.add), VALUES, FEW),
    "add dense": (lambda a, b: tf.sparse.add(_sparse(a), b), VALUES, _RANDOM.normal(size=SHAPE)),
    "times dense": (_dense_pair(lambda a, b: a * b), VALUES, _RANDOM.normal(size=SHAPE)),
    "times a row": (_dense_pair(lambda a, b: a * b), VALUES, _RANDOM.normal(size=SHAPE[1:])),
    "by dense": (_dense_pair(lambda a, b: a / b), VALUES, _RANDOM.normal(size=SHAPE)),
    "maximum": (_two(tf.sparse.maximum), VALUES, FEW),
    "minimum": (_two(tf.sparse.minimum), VALUES, FEW),
    "empty rows": (lambda a, d: tf.sparse.fill_empty_rows(_sparse(a), d)[0].values, VALUES, np.array(0.5)),
    "stitch": (lambda a, b: tf.dynamic_stitch([[0, 2], [1, 2, 3]], [a, b]), DENSE[:2], DENSE[1:]),
    "partition": (lambda a: tf.dynamic_partition(a, [1, 0, 1, 2], 4), DENSE),
    "matrix": (
        lambda a, b: tf.raw_ops.SparseMatMul(
            a=tf.cast(a, tf.float32), b=tf.cast(b, tf.float32), transpose_a=True, transpose_b=False
        ),
        DENSE,
        DENSE,
    ),
    "nothing": (lambda a: tf.sparse.reduce_sum(tf.SparseTensor(np.zeros((0, 2), np.int64), a, SHAPE), 1), FEW[:0]),
}


# TensorFlow has no gradient of these, one that fails, or one that passes back to what was overwritten.
WITHOUT_GRADIENT = {"split", "concat", "maximum", "minimum", "stitch"}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    single = name == "matrix"
    compare(function, *arrays, gradient=name not in WITHOUT_GRADIENT, rtol=1e-6 if single else 1e-9)


def test_a_row_that_nothing_writes_has_no_derivative() -> None:
    with pytest.raises(NoRule, match="whatever the memory held"):
        slopes(lambda a, b: tf.dynamic_stitch([[0, 2], [1, 4]], [a, b]), DENSE[:2], DENSE[1:3])
