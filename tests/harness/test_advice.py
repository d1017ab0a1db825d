"""What a report says of faults that are often met: read in the text, as whoever has the fault reads it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict
from gradcheck.rendering.causes import is_unsupported

X = np.arange(1.0, 7.0).reshape(2, 3)
WIDE = tf.constant(1.0, tf.float64)


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
    assert "the gradient w.r.t. x has another shape than x itself: [2], not [2, 3]" in text
    assert "a gradient of that input's shape" in text
    assert "rows of length 0" not in text


def test_a_gradient_of_another_shape_that_nobody_knows_while_it_is_traced():
    def function(x):
        y = tf.py_function(lambda some: tf.constant(np.sin(some.numpy())), [x], x.dtype)
        y.set_shape(x.shape)
        return y

    text = text_of(function, X, modes=("eager", "graph", "dynamic"))
    assert "the gradient w.r.t. x has another shape than x itself: 1 numbers where there are 6" in text
    assert "gradcheck itself failed" not in text


def test_a_gradient_of_another_shape_within_the_subject():
    function = with_gradient(row_sums)
    text = text_of(lambda v: tf.sin(function(v * tf.ones([2, 3], tf.float64))), X)
    assert "eager, graph, dynamic, xla: ERROR" in text
    assert "Cause: in the backward pass, Mul: shapes [2] and [2, 3] do not fit together" in text
    assert "a gradient of that input's shape" in text


@pytest.mark.parametrize(
    ("subject", "cause"),
    [
        (lambda v: v * tf.ones(3) * WIDE, "Mul: arguments of different dtypes, float32 and float64"),
        (
            lambda v: tf.concat([v, tf.ones([2, 3])], 0) * WIDE,
            "ConcatV2: arguments of different dtypes, float32 and float64",
        ),
        (lambda v: tf.convert_to_tensor(v, tf.float32) * WIDE, "a tensor of dtype float64 where float32 is asked for"),
    ],
)
def test_a_subject_of_two_dtypes(subject, cause):
    text = text_of(subject, X)
    assert "eager, graph, dynamic, xla: ERROR" in text
    assert f"Cause: {cause} (test_advice.py:" in text
    assert "Let the subject's constants follow its input: tf.cast(..., values.dtype)" in text


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
    assert re.search(r"then \d+; TensorFlow draws no random number in it, so something else differs from call", text)
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


def zero_at_zero(x, upstream):
    return tf.where(tf.equal(x, 0.0), tf.zeros_like(x), 2.0 * upstream)


def in_numpy(x):
    return tf.ensure_shape(tf.numpy_function(lambda a: 2.0 * a, [x], x.dtype), x.shape)


def overwriting(x, upstream):
    """Of a gather that reads row 0 twice: what comes back to it last replaces what came first."""
    return tf.tensor_scatter_nd_update(tf.zeros_like(x), [[0]], upstream[1:])


ZERO = np.zeros((1, 1))
HERE = "zeros are passed back here, and not where x is a little different (by less than 1 %, or 0.01)"


@pytest.mark.parametrize("forward", [lambda x: 2.0 * x, in_numpy, lambda x: 2.0 * tf.stop_gradient(x)])
def test_a_formula_that_is_zero_at_this_point_only_is_no_cut(forward):
    # What the forward pass of a custom gradient is made of is not differentiated, and cuts nothing.
    text = text_of(with_gradient(zero_at_zero, forward), ZERO, modes="eager,graph")
    assert "eager, graph: DISCONNECTED" in text
    assert f"{HERE}, so the path is there and a formula is wrong at these values (1 of 1 entries)" in text
    assert "a formula that is wrong where the input is 0" in text
    assert "cut by" not in text


def test_a_formula_that_is_zero_everywhere():
    text = text_of(with_gradient(lambda x, upstream: tf.zeros_like(x), in_numpy), ZERO, modes="graph")
    assert "some operation's gradient returns zeros here (1 of 1 entries)" in text
    assert "no cast to an integer was found). Look at the gradients on the way" in text


def test_a_gradient_function_that_returns_none_is_not_taken_for_what_it_replaces():
    text = text_of(with_gradient(lambda x, upstream: None, in_numpy), ZERO, modes="graph")
    assert "the path is cut, as by an operation without a gradient or a gradient that returns None" in text


def test_a_cut_beside_a_way_that_is_there():
    function = with_gradient(zero_at_zero)
    text = text_of(lambda x: function(x) + tf.stop_gradient(x), ZERO, modes="graph")
    assert f"{HERE}, so the path is there" in text
    assert "; another way is cut by tf.stop_gradient (test_advice.py:" in text
    assert "What to do: Look for what cuts the path" in text


def test_a_cut_is_still_named_where_the_gradient_is_zero():
    text = text_of(lambda x: 2.0 * tf.stop_gradient(x) + 0.0 * x, ZERO, modes="graph")
    assert "the path is cut by tf.stop_gradient (test_advice.py:" in text
    assert "What to do: Look for what cuts the path" in text


@pytest.mark.parametrize(
    ("function", "where"),
    [
        (with_gradient(zero_at_zero), [[0.0, 1.0], [2.0, 3.0]]),
        (with_gradient(overwriting, lambda x: tf.gather(x, [0, 0])), [[1.0, 2.0]]),
        (with_gradient(lambda x, upstream: tf.where(x > 1, 3.0 * upstream, 0.0 * x), lambda x: 3.0 * x), [[0.5, 2.0]]),
    ],
)
def test_entries_that_are_zero_beside_others_that_are_not(function, where):
    text = text_of(function, np.array(where), modes="graph")
    assert "Cause: the gradient is zero where the slope is " in text
    assert "The path is there: other entries of the same input do get a gradient" in text
    assert "a sum over repeated indices that was forgotten" in text


@pytest.mark.parametrize(
    "backward",
    [
        lambda x, upstream: tf.clip_by_value(upstream, -5.0, 5.0) * tf.cos(x),
        lambda x, upstream: tf.clip_by_norm(upstream, 1.0) * tf.cos(x),
    ],
)
def test_a_backward_pass_that_is_not_linear(backward):
    text = text_of(with_gradient(backward, tf.sin), X / 3)
    assert "eager, graph, dynamic, xla: MISMATCH The gradient of several outputs together has to be the sum" in text
    assert "Cause: the gradient is not linear in what is passed back to it, as where the backward pass clips" in text
    assert "gradient, all at once" in text
    assert "numerical (measured)" not in text.partition("Jacobian")[0]
    assert "What to do: Look for what changes a gradient on its way back" in text
    assert "ENGINES DIFFER" not in text


def test_who_called_the_check_is_no_place_in_the_subject():
    def summed(values):
        steps = tf.shape(values)[1]
        loop = tf.while_loop(lambda i, _: i < steps, lambda i, h: (i + 1, tf.tanh(h + values[:, i])), (0, values[:, 0]))
        return loop[1]

    result = gradcheck.check(summed, np.ones((2, 3)), modes="xla")["xla"]
    assert result.verdict is gradcheck.Verdict.UNSUPPORTED
    assert "give tf.while_loop maximum_iterations" in result.cause
    assert "in test_who_called" not in result.cause


def test_a_batch_of_many_numbers_does_not_bury_the_report():
    text = text_of(lambda x: 2.0 * tf.stop_gradient(x), np.random.default_rng(0).normal(size=(30, 30)), modes="graph")
    assert len(text) < 8000
    assert "more characters: print(report.arguments)" in text


def as_many_steps_as_the_values_say(v):
    """XLA compiles such a loop, and not its gradient."""
    count = tf.cast(tf.reduce_sum(tf.abs(v)), tf.int32)
    return tf.while_loop(lambda i, s: i < count, lambda i, s: (i + 1, tf.sin(s)), (0, v))[1]


@tf.custom_gradient
def without_a_backward_pass(v):
    def gradient(upstream):
        raise RuntimeError("not today")

    return v * 2.0, gradient


@pytest.mark.parametrize(
    ("subject", "mode", "verdict"),
    [(as_many_steps_as_the_values_say, "xla", "UNSUPPORTED")]
    + [(without_a_backward_pass, mode, "ERROR") for mode in ("eager", "graph", "dynamic", "xla")],
)
def test_it_is_said_where_only_the_gradient_fails(subject, mode, verdict):
    text = text_of(subject, X, modes=mode)
    assert f"{mode}: {verdict} This mode computes the outputs and not their gradient" in text
    assert "Cause: the forward pass succeeds, its gradient does not: " in text
    assert "cannot run the subject at all" not in text


def test_it_is_not_said_where_the_forward_pass_fails_too():
    text = text_of(lambda v: v * v[0, 0].numpy(), X, modes="graph")
    assert "graph: UNSUPPORTED This mode cannot run the subject at all" in text
    assert "forward pass succeeds" not in text


@pytest.mark.skipif(not hasattr(tf.keras, "Variable"), reason="Keras 2 has no variables of its own")
def test_a_keras_variable_as_an_argument_of_a_function_is_an_error_of_the_code():
    weight = tf.keras.Variable(np.ones(3))
    inner = tf.function(lambda v, w: v * w)
    text = text_of(lambda v: inner(v, weight), X, modes="graph")
    assert "graph: ERROR" in text
    assert "a Keras variable is handed to a tf.function as an argument" in text
    assert ".numpy()" not in text


@pytest.mark.parametrize(
    "message",
    [
        "RET_CHECK failure (external/local_xla/xla/service/dynamic_padder.cc:2077) op_support != "
        "OpDynamismSupport::kNoSupport Dynamic inputs unexpectedly found",
        "Slice dim size 5 greater than dynamic slice dimension: 3.",
        "during context [hlo verifier]: in external/local_xla/xla/service/hlo_verifier.cc: shapes differ",
    ],
)
def test_what_fails_inside_xla_is_unsupported_by_one_rule(message):
    for error in (tf.errors.InternalError, tf.errors.InvalidArgumentError):
        assert is_unsupported(error(None, None, message), "xla")
        assert not is_unsupported(error(None, None, message), "graph")


def test_the_line_that_calls_a_library_is_named_where_that_draws():
    dropout = tf.keras.layers.Dropout(0.5, dtype="float64")

    def subject(v):
        return dropout(v, training=True)

    text = text_of(subject, X, modes="graph")
    assert "graph: NONDETERMINISTIC" in text
    assert "the subject draws random numbers" in text
    assert "Random" in text
    assert "(test_advice.py:" in text.partition("the subject draws random numbers")[2]


def read_twice(v):
    array = tf.TensorArray(v.dtype, size=2).unstack(v)
    return array.read(0) + array.read(0)


class Unbuildable(tf.keras.layers.Layer):
    def build(self, shape):
        raise ValueError("no such width")

    def call(self, values):
        return values


@pytest.mark.parametrize(
    ("subject", "advice"),
    [
        (read_twice, "clear_after_read=False"),
        (Unbuildable, ""),
        (lambda v: v.no_such_attribute, ""),
        (lambda v: tf.math.top_k(v, 1, index_type=tf.int64)[0], "Ask for int32 indices"),
    ],
)
def test_advice_about_batches_is_not_given_where_no_batch_helps(subject, advice):
    text = text_of(subject, X, modes="eager")
    assert "eager: ERROR" in text
    assert "rows of length 0" not in text
    assert "tf.custom_gradient" not in text
    assert advice in text
    assert ("What to do" in text) is bool(advice)


def test_a_mode_that_returns_what_eager_mode_refuses_is_not_said_to_be_right_there():
    text = text_of(read_twice, X, modes="graph")
    assert "graph: DISAGREEMENT" in text
    assert "usually right in eager mode" not in text
    assert "Look at the error that eager mode raises" in text


def test_a_number_that_float16_does_not_hold():
    def masked(v):
        return tf.nn.softmax(v + tf.cast(-1e9, v.dtype) * (v * 0.0))

    text = text_of(masked, X.astype(np.float16), modes="eager")
    assert "eager: NONFINITE" in text
    assert "; Cast (test_advice.py:" in text
    assert "overflows in float16, and the first NaN comes from Mul (test_advice.py:" in text
    assert "What to do: Take a number that the dtype holds" in text


def test_an_empty_row_is_named_with_the_option_that_draws_none():
    def mean(values, lengths):
        return tf.reduce_sum(values, axis=1) / tf.cast(lengths, values.dtype)[:, tf.newaxis]

    batch = gradcheck.Batch(np.zeros((1, 1, 1)), [0])
    text = text_of(mean, batch, modes="eager")
    assert "the first NaN comes from RealDiv (test_advice.py:" in text
    assert "min_length=1" in text
    full = gradcheck.Batch(np.ones((1, 1, 1)), [1])
    assert "min_length" not in text_of(lambda values, lengths: mean(values, lengths * 0), full, modes="eager")


def square_root(values):
    return tf.sqrt(tf.abs(values))


def masked_logarithm(values):
    return tf.where(values > 0, tf.math.log(values), 0.0)


@tf.custom_gradient
def _divides_by_nothing(values):
    def backward(upstream):
        return upstream / (values - values)

    return values * 2.0, backward


def divides_by_nothing(values):
    return _divides_by_nothing(values)


@pytest.mark.parametrize(
    ("subject", "begins"),
    [
        (square_root, r"the gradient of Sqrt \(test_advice\.py:\d+\)"),
        (masked_logarithm, r"the gradient of Log \(test_advice\.py:\d+\)"),
        (divides_by_nothing, r"the custom gradient \(test_advice\.py:\d+\)"),
    ],
)
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_the_operation_and_line_of_the_first_nan_in_a_gradient(subject, begins, mode):
    found = gradcheck.check(subject, np.array([0.0, 1.0]), modes=mode)[mode]
    assert found.verdict is Verdict.NONFINITE
    assert re.search(begins, found.cause), found.cause
