"""Rules of ragged tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare

_RANDOM = np.random.default_rng(11)
VALUES = _RANDOM.normal(size=6)
ROWS = _RANDOM.normal(size=(6, 2))
SPLITS = [0, 2, 2, 5, 6]


def _ragged(values: Any) -> Any:
    return tf.RaggedTensor.from_row_splits(values, tf.constant(SPLITS, tf.int64))


def _deep(values: Any) -> Any:
    return tf.RaggedTensor.from_row_splits(_ragged(values), tf.constant([0, 3, 4], tf.int64))


def _mapped(values: Any) -> Any:
    return tf.map_fn(tf.reduce_sum, _ragged(values), fn_output_signature=tf.TensorSpec([], tf.float64))


def _mapped_to_ragged(values: Any) -> Any:
    spec = tf.RaggedTensorSpec([None], tf.float64, ragged_rank=0)
    return tf.map_fn(lambda row: row * row, _ragged(values), fn_output_signature=spec).flat_values


def _mapped_deep(values: Any) -> Any:
    spec = tf.TensorSpec([], tf.float64)
    return tf.map_fn(lambda part: tf.reduce_sum(part.flat_values**2), _deep(values), fn_output_signature=spec)


CASES: dict[str, tuple[Any, ...]] = {
    "to tensor": (lambda v: _ragged(v).to_tensor(), VALUES),
    "to tensor, default": (lambda v, d: _ragged(v).to_tensor(d), VALUES, np.array(0.5)),
    "to tensor, rows": (lambda v: _ragged(v).to_tensor(shape=[3, 2, 2]), ROWS),
    "to tensor, deep": (lambda v: _deep(v).to_tensor(), VALUES),
    "gather": (lambda v: tf.gather(_ragged(v), [2, 0, 2]).flat_values, VALUES),
    "to sparse": (lambda v: _ragged(v).to_sparse().values, VALUES),
    "softmax": (lambda v: tf.reduce_sum(tf.nn.softmax(_ragged(v).to_tensor(-1e9)), 1), VALUES),
    "concat": (lambda v: tf.concat([_ragged(v), _ragged(2 * v)], 1).flat_values, VALUES),
    "map": (_mapped, VALUES),
    "map to ragged": (_mapped_to_ragged, VALUES),
    "map, deep": (_mapped_deep, VALUES),
    "range": (lambda v: tf.ragged.range(v[:2], v[:2] + 2.5, 0.5 + v[:2] * 0).flat_values, VALUES * 0.1),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    compare(function, *arrays, gradient=name != "range")
