"""The numbers of every engine are those of `tf.test.compute_gradient`, over variants and stock Keras layers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from gradcheck import Batch
from gradcheck.engines.jacobians import theoretical_jacobian
from gradcheck.engines.projected import project
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.execution.modes import OneByOne, execution
from gradcheck.harness.observation import observe
from gradcheck.harness.options import Options
from gradcheck.subject.adapter import subject_of
from gradcheck.variants import subjects as variants

BATCH = Batch(np.array([[[0.5, 1.25], [2.0, -1.0]], [[1.5, 0.25], [9.0, 9.0]]]), np.array([2, 1], np.int32))
K = tf.keras.layers
SUBJECTS = {
    "map_fn_padded_rows_pooling": variants.map_fn_padded_rows_pooling,
    "ragged_range_pooling": variants.ragged_range_pooling,
    "scatter_range_attention": variants.scatter_range_attention,
    "broadcast_range_recurrence": variants.broadcast_range_recurrence,
    "scan_steps_pooling": variants.scan_steps_pooling,
    "dense": K.Dense(2, activation="tanh", dtype="float64"),
    "convolution": K.Conv1D(2, 2, padding="causal", dtype="float64"),
    "layer normalization": K.LayerNormalization(dtype="float64"),
    "pooling": K.GlobalMaxPooling1D(dtype="float64"),
    "simple recurrent": K.SimpleRNN(2, dtype="float64"),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_engine_gives_the_numbers_of_compute_gradient(name):
    problem = observe(subject_of(SUBJECTS[name]), [BATCH], Options()).problem
    run, x = execution(problem, "graph"), problem.x
    random = np.random.default_rng(0)
    columns = np.sort(random.permutation(x.size)[:4])
    theoretical, numerical = compute_gradient(run, x, columns=columns)

    # compiled, and reference: the same engine on an execution that takes every point by itself
    for execute in (run, OneByOne(run)):
        jacobian = theoretical_jacobian(execute, x).jacobian
        assert (jacobian[:, columns] == theoretical).all()
        steps = REFERENCE_STEP * np.eye(x.size)[columns]
        values = execute.evaluate(np.concatenate([x + steps, x - steps]))
        slopes = (values[: columns.size] - values[columns.size :]).T / (2 * REFERENCE_STEP)
        np.testing.assert_allclose(slopes, numerical, rtol=1e-13, atol=1e-13)

    # projected: its theoretical numbers are combinations of those, and what it measures is the derivative of these
    found = project(run, x, eps=2.0**-52, rows=np.arange(problem.outputs.size), columns=columns, seed=0, options={})
    pulled = found.cotangents @ theoretical
    np.testing.assert_allclose(found.jacobian[:, columns], pulled, rtol=1e-12, atol=1e-13)
    expected = found.directions[:, columns] @ pulled.T
    smooth = found.judgement.status == 0
    np.testing.assert_allclose(found.judgement.numerical[smooth], expected[smooth], rtol=1e-6, atol=1e-9)
