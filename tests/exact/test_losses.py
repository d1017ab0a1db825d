"""Rules of losses that are one operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare

LOGITS = np.random.default_rng(4).normal(size=(3, 4))
LABELS = np.array([[0.0, 0.5, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.5, 0.0]])
TIMES = np.random.default_rng(6).normal(size=(5, 3, 4))


def _raw(name: str, output: int) -> Any:
    return lambda x, labels: getattr(tf.raw_ops, name)(features=x, labels=labels)[output]


def _sparse(output: int) -> Any:
    return lambda x: _raw("SparseSoftmaxCrossEntropyWithLogits", output)(x, tf.constant([3, 0, 1]))


CASES: dict[str, tuple[Any, ...]] = {
    "softmax": (_raw("SoftmaxCrossEntropyWithLogits", 0), LOGITS, LABELS),
    "softmax, one row of labels": (_raw("SoftmaxCrossEntropyWithLogits", 0), LOGITS, LABELS[:1]),
    "softmax, far out": (lambda x: _raw("SoftmaxCrossEntropyWithLogits", 0)(x, LABELS), LOGITS * 40),
    "softmax, no rows": (_raw("SoftmaxCrossEntropyWithLogits", 0), LOGITS[:0], LABELS[:0]),
    "sparse": (_sparse(0), LOGITS),
    "sparse, far out": (_sparse(0), LOGITS * 40),
    "sparse, masked": (lambda x: _sparse(0)(x + tf.constant([0.0, 0.0, -1e9, 0.0], tf.float64)), LOGITS),
    "sigmoid": (lambda x: tf.nn.sigmoid_cross_entropy_with_logits(logits=x, labels=LABELS), LOGITS),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    # TensorFlow has no gradient where labels broadcast.
    compare(function, *arrays, gradient=name != "softmax, one row of labels")


def test_labels_that_do_not_sum_to_one() -> None:
    """TensorFlow's gradient is that for labels that do."""
    compare(lambda x: _raw("SoftmaxCrossEntropyWithLogits", 0)(x, 0.5 * LABELS), LOGITS, gradient=False)


@pytest.mark.parametrize(
    "function", [lambda x: _raw("SoftmaxCrossEntropyWithLogits", 1)(x, LABELS), _sparse(1)], ids=["softmax", "sparse"]
)
def test_gradient_that_comes_with_the_loss(function: Any) -> None:
    compare(function, LOGITS, gradient=False)


def _ctc(logits: Any, labels: list[list[int]], lengths: list[int], **options: Any) -> Any:
    sparse = tf.RaggedTensor.from_row_splits(
        [label for row in labels for label in row], np.cumsum([0, *(len(row) for row in labels)])
    ).to_sparse()
    return tf.raw_ops.CTCLoss(
        inputs=logits,
        labels_indices=sparse.indices,
        labels_values=tf.cast(sparse.values, tf.int32),
        sequence_length=lengths,
        **options,
    ).loss


CTC: dict[str, tuple[Any, ...]] = {
    "labels": ([[0, 1], [2], [1, 0]], [5, 3, 2], {}),
    "a label twice": ([[1, 1], [0, 0], [2, 2]], [5, 4, 3], {}),
    "one step": ([[2], [0], [1]], [5, 1, 4], {}),
    "collapsed": ([[1, 1, 0], [0], [2, 2]], [5, 5, 3], {"preprocess_collapse_repeated": True}),
    "not merged": ([[1, 1], [0], [2, 0]], [5, 5, 3], {"ctc_merge_repeated": False}),
    "too long": ([[1, 0, 1], [0], [2]], [2, 5, 3], {"ignore_longer_outputs_than_inputs": True}),
}


@pytest.mark.parametrize("name", CTC)
def test_ctc(name: str) -> None:
    labels, lengths, options = CTC[name]
    compare(lambda x: _ctc(x, labels, lengths, **options), TIMES, rtol=1e-7)


def test_ctc_as_it_is_called() -> None:
    labels = tf.SparseTensor([[0, 0], [1, 0], [1, 1], [2, 0]], tf.constant([1, 2, 1, 3]), [3, 2])
    compare(
        lambda x: tf.nn.ctc_loss(
            labels, tf.cast(x, tf.float32), None, [5, 5, 4], blank_index=0, logits_time_major=True
        ),
        TIMES,
        rtol=1e-5,
    )
