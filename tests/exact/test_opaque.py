"""Operations without a rule: their slopes are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gradcheck.exact.interpreter import Pass
from gradcheck.exact.table import RULES, NoRule
from tests.exact.checking import compare, differentiable, flat, slopes

X = np.array([0.3, -0.7, 1.2])


def _python(function: Any, dtype: Any = tf.float64) -> Any:
    return lambda x: tf.ensure_shape(tf.py_function(function, [x], dtype), x.shape)


def _numpy(function: Any) -> Any:
    return lambda x: tf.ensure_shape(tf.numpy_function(function, [x], tf.float64), x.shape)


def test_a_python_function() -> None:
    found = slopes(lambda x: tf.exp(_python(lambda x: x * tf.reduce_sum(x * x))(x * 2.0)), X)
    expected = slopes(lambda x: tf.exp(2.0 * x * tf.reduce_sum(4.0 * x * x)), X)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    np.testing.assert_allclose(found.right, expected.right, rtol=1e-8)
    assert found.ties == 0


def test_a_numpy_function_has_the_derivative_of_what_it_does() -> None:
    compare(lambda x: tf.tanh(_numpy(np.sin)(x)), X, gradient=False, rtol=1e-8)


def test_an_operation_without_a_rule() -> None:
    assert "MatrixLogarithm" not in RULES
    a = np.array([[2.0, 0.3], [-0.1, 1.5]])
    compare(lambda a: tf.linalg.logm(tf.complex(a, a * 0.1)), a, gradient=False, rtol=1e-8)


def test_the_pass_names_it() -> None:
    of_vector, x = flat(_numpy(np.sin), X)
    run = Pass(3)
    differentiable(of_vector, 3).run(run, x, np.eye(3))
    (name,) = run.opaque
    assert "PyFunc" in name
    assert 0 < run.opaque[name] < 1e-8


def test_a_corner_inside() -> None:
    found = slopes(_numpy(np.abs), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found.right, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found.left, np.diag([-1.0, 1.0]), atol=1e-9)
    np.testing.assert_allclose(found.low[0, 0], -1.0, atol=1e-9)
    np.testing.assert_allclose(found.high[0, 0], 1.0, atol=1e-9)


def test_single_precision_is_seen_as_such() -> None:
    of_vector, x = flat(lambda x: tf.cast(_python(tf.sin, tf.float32)(tf.cast(x, tf.float32)), tf.float64), X)
    run = Pass(3)
    found = differentiable(of_vector, 3).run(run, x, np.eye(3))
    (error,) = run.opaque.values()
    assert 1e-8 < error < 1e-3
    np.testing.assert_allclose(found.d[0], np.diag(np.cos(X)), atol=5 * error)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_numpy(lambda x: x + np.random.default_rng().normal(size=3)), "other values"),
        (_numpy(lambda x: np.sin(1e12 * x)), "no step size|measured with an error"),
        (lambda x: tf.cast(_python(tf.sin, tf.bfloat16)(tf.cast(x, tf.bfloat16)), tf.float64), "precision is too low"),
    ],
    ids=["random", "wild", "coarse"],
)
def test_what_cannot_be_measured_is_said(function: Any, why: str) -> None:
    with pytest.raises(NoRule, match=why):
        slopes(function, X)


def test_only_first_derivatives() -> None:
    of_vector, x = flat(_numpy(np.sin), X)
    with pytest.raises(NoRule, match="only its first derivative"):
        differentiable(of_vector, 3).run(Pass(3, order=2), x, np.eye(3))


def test_integers_decide() -> None:
    """The operation has no rule and returns places."""
    edges = tf.constant([0.0, 0.5, 1.0], tf.float64)
    values = tf.constant([1.0, 2.0, 4.0, 8.0], tf.float64)

    def function(x: Any) -> Any:
        return x * tf.gather(values, tf.searchsorted(edges, x))

    compare(function, np.array([0.3, 0.7]))
    found = slopes(function, np.array([0.3, 0.5]))
    assert np.isnan(found.right[1, 1])
    np.testing.assert_allclose(found.left[1, 1], 2.0)
