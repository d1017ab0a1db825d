"""What a report says of faults that are often met: read in the text, as whoever has the fault reads it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck

X = np.arange(1.0, 7.0).reshape(2, 3)


def text_of(subject, *arguments, **options):
    """The report as one line, so that words can be looked for where lines are broken."""
    return " ".join(str(gradcheck.check(subject, *arguments, **options)).split())


def with_gradient(backward, forward=lambda x: 2.0 * x):
    """``forward`` with a gradient of one's own."""

    @tf.custom_gradient
    def function(x):
        return forward(x), lambda upstream: backward(x, upstream)

    return function


def row_sums(x, upstream):
    return tf.reduce_sum(upstream, axis=1)


def in_float32(x, upstream):
    return tf.cast(2.0 * upstream, tf.float32)


def test_a_gradient_of_another_shape():
    text = text_of(with_gradient(row_sums), X)
    assert "Cause: the gradient has another shape than the input that it belongs to: [2], not [2, 3]" in text
    assert "a gradient of that input's shape" in text
    assert "rows of length 0" not in text


def test_a_gradient_of_another_shape_within_the_subject():
    function = with_gradient(row_sums)
    text = text_of(lambda v: tf.sin(function(v * tf.ones([2, 3], tf.float64))), X)
    assert "eager, graph, dynamic, xla: ERROR" in text
    assert "Cause: in the backward pass, Mul: shapes [2] and [2, 3] do not fit together" in text
    assert "a gradient of that input's shape" in text


@pytest.mark.parametrize(
    ("subject", "cause"),
    [
        (lambda v: v * tf.ones(3), "Mul: arguments of different dtypes, float32 and float64"),
        (lambda v: tf.concat([v, tf.ones([2, 3])], 0), "ConcatV2: arguments of different dtypes, float32 and float64"),
        (lambda v: tf.convert_to_tensor(v, tf.float32), "a tensor of dtype float64 where float32 is asked for"),
    ],
)
def test_a_subject_of_one_dtype_only(subject, cause):
    text = text_of(subject, X)
    assert "eager, graph, dynamic, xla: ERROR" in text
    assert f"Cause: {cause} (test_advice.py:" in text
    assert 'dtype="float32" of the strategy' in text
    assert "tf.cast(..., values.dtype)" in text
    assert gradcheck.check(subject, X.astype(np.float32)).ok


def test_a_gradient_of_another_dtype():
    function = with_gradient(in_float32)
    text = text_of(lambda v: tf.sin(function(tf.tanh(v))), X)
    assert "Cause: in the backward pass, TanhGrad: arguments of different dtypes, float32 and float64" in text
    assert "a gradient of that input's dtype" in text


def counted():
    calls = []

    def subject(v):
        calls.append(0)
        return v * float(len(calls))

    return subject


def in_a_loop(v):
    return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * tf.random.normal([], dtype=a.dtype)), [0, v])[1]


RANDOM_GRADIENT = with_gradient(lambda x, upstream: upstream * tf.random.normal([], dtype=x.dtype))
HIDDEN = (
    lambda v: v * tf.numpy_function(np.random.rand, [], tf.float64),
    lambda v: v * tf.py_function(np.random.rand, [], tf.float64),
)


def test_state_that_a_call_changes_is_told_from_random_numbers():
    text = text_of(counted(), X)
    assert "then 12; TensorFlow draws no random number in it, so something else differs from call to call" in text
    assert "What to do: Look for state that a call changes and the next one reads (a counter" in text
    assert "seed" not in text


@pytest.mark.parametrize(
    ("subject", "drawn"),
    [
        (lambda v: v * tf.random.uniform([], dtype=v.dtype), "RandomUniform (test_advice.py:"),
        (in_a_loop, "RandomStandardNormal (test_advice.py:"),
        # Inside of a function of TensorFlow's the line is not known; that of this test would be a wrong one.
        (tf.function(lambda v: v * tf.random.normal([], dtype=v.dtype)), "RandomStandardNormal What to do"),
    ],
)
def test_random_numbers_are_named(subject, drawn):
    text = text_of(subject, X, modes="eager,graph")
    assert "eager, graph: NONDETERMINISTIC" in text
    assert f"; the subject draws random numbers: {drawn}" in text
    assert "What to do: Fix the randomness: a stateless random operation with a seed" in text


@pytest.mark.parametrize("subject", [RANDOM_GRADIENT, *HIDDEN])
def test_state_and_random_numbers_are_both_named_where_the_graph_does_not_tell(subject):
    text = text_of(subject, X, modes="graph")
    assert "graph: NONDETERMINISTIC" in text
    assert "random number" not in text
    assert "If that is random, fix it" in text
    assert "Otherwise look for state that a call changes" in text
