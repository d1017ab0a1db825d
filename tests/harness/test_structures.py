"""Nested, ragged, sparse, complex and low-precision arguments and results: what compute_gradient itself cannot take."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict

from .subjects import BATCH, masked_mean, scaled

X = np.array([[0.5, 1.25], [2.0, -1.0]])
Pair = namedtuple("Pair", "left right")


def wrong(x):
    @tf.custom_gradient
    def double(x):
        return 2 * x, lambda upstream: tf.cast(2.2, upstream.dtype) * upstream

    return double(x)


def both(right, broken, *args, where, **options):
    """The right subject passes in every mode; its twin is found, in the right place."""
    report = gradcheck.check(right, *args, **options)
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    report = gradcheck.check(broken, *args, **options)
    for result in report.modes.values():
        assert result.verdict is Verdict.MISMATCH, str(report)
        assert where[0] in result.entry.output
        assert where[1] in result.entry.input


def test_nested_inputs_and_outputs():
    tree = {"a": X, "b": [X + 1, (X + 2, 3)], "c": Pair(X + 3, np.array([1, 2]))}

    def right(inputs, scale):
        a, (b, (c, n)), pair = inputs["a"], inputs["b"], inputs["c"]
        return {"sum": a * b + scale, "rest": (tf.sin(c) * n, Pair(pair.left**2, pair.right), None)}

    def broken(inputs, scale):
        result = right(inputs, scale)
        return {**result, "rest": (wrong(inputs["b"][1][0]), *result["rest"][1:])}

    both(right, broken, tree, 0.5, where=("output['rest'][0][", "inputs['b'][1][0]["))


def test_several_arguments_and_outputs_are_named():
    def broken(first, second):
        return first + 1.0, wrong(second)

    both(lambda first, second: (first + 1.0, 2 * second), broken, X, X + 1, where=("output[1][", "second["))


def test_ragged_inputs_and_outputs():
    ragged = tf.RaggedTensor.from_row_splits(tf.constant([1.0, 2.0, 3.0], tf.float64), [0, 2, 2, 3])

    def right(rows):
        return tf.reduce_sum(rows**2, axis=1), rows * 2

    def broken(rows):
        return tf.reduce_sum(rows**2, axis=1), rows.with_flat_values(wrong(rows.flat_values))

    both(right, broken, ragged, where=("output[1]", "rows["), modes=("eager", "graph", "dynamic"))


def test_sparse_gradients_become_dense():
    ids = np.array([0, 1, 1])

    def broken(table, ids):
        return wrong(tf.gather(table, ids))

    both(lambda table, ids: tf.gather(2 * table, ids), broken, X, ids, where=("output[", "table["))


def test_complex_numbers_are_two_reals():
    z = (X + 1j * X[::-1]).astype(np.complex128)

    def right(z):
        return tf.math.real(z * tf.math.conj(z)), tf.exp(z)  # the first is not holomorphic

    def broken(z):
        return tf.math.real(z * tf.math.conj(z)), wrong(z)

    both(right, broken, z, where=("(output[1][", "(z["))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "complex64"])
def test_dtypes(dtype):
    np_dtype = tf.as_dtype(dtype).as_numpy_dtype
    batch = Batch(BATCH.values.astype(np_dtype), BATCH.lengths)

    def right(values, lengths):
        return values * values * tf.cast(tf.sequence_mask(lengths, tf.shape(values)[1]), values.dtype)[..., None]

    report = gradcheck.check(right, batch)
    assert {r.verdict for r in report.modes.values()} <= {Verdict.PASS, Verdict.KINK}, str(report)


def test_what_is_too_small_for_float16_is_no_mistake():
    """The tail of a softmax: 2e-8 is 0 in float16, or the smallest number that it has, 6e-8."""
    values = np.array([[[0.0, 17.8, 1.0]]], np.float16)
    modes = ("eager", "graph")  # XLA of 2.8 ends the process on exp in float16
    report = gradcheck.check(tf.nn.softmax, values, modes=modes)
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    assert not gradcheck.check(lambda x: wrong(tf.nn.softmax(x)), values, modes=modes).ok


@pytest.mark.parametrize("value", [-17.0, -16.5])
def test_an_output_that_is_the_smallest_number_of_float16(value):
    report = gradcheck.check(tf.exp, np.array([value], np.float16), modes=("eager", "graph"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_gradient_that_cancels_to_rounding_errors(dtype):
    """The divergence of two equal distributions: value and gradient are 0, made of terms of size 0.1 to 1."""

    def divergence(p, q):
        log_p, log_q = tf.nn.log_softmax(p), tf.nn.log_softmax(q)
        return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), -1)

    x = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, -1.0]], dtype)
    report = gradcheck.check(divergence, x, x, modes=("graph", "xla"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    assert not gradcheck.check(lambda p, q: divergence(wrong(p), q), x, -x, modes=("graph", "xla")).ok


def test_a_layer_of_integers_need_not_be_built():
    ids = np.array([[1, 2, 0]], np.int32)
    report = gradcheck.check(tf.keras.layers.Embedding(5, 3), ids, modes="graph")
    assert report["graph"].verdict is Verdict.PASS
    with pytest.raises(gradcheck.InputError, match="nothing to differentiate"):
        gradcheck.check(tf.keras.layers.Embedding(5, 3), ids, modes="graph", wrt="inputs")


def test_a_row_that_is_hidden_as_a_whole_is_undecided_in_float32():
    """1e9 is taken from all of its scores, and float32 has no digits left for them. A mask in the forward pass alone
    stands still as well, and is wrong.
    """

    def hidden(values):
        return tf.nn.softmax(tf.cast(values, tf.float32) - 1e9)

    def masked(values):
        @tf.custom_gradient
        def forward_only(x):
            return x * 0 + 0.5, lambda upstream: upstream

        return forward_only(tf.cast(values, tf.float32))

    values = np.array([[-0.6875, -0.1875]], np.float32)
    report = gradcheck.check(hidden, values, modes=("eager", "graph"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.UNRESOLVED}, str(report)
    report = gradcheck.check(masked, values, modes=("eager", "graph"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.MISMATCH}, str(report)


def test_small_errors_in_float32_are_found():
    batch = Batch(BATCH.values.astype(np.float32), BATCH.lengths)
    for result in gradcheck.check(scaled(1.0001), batch, modes=("graph", "xla")).modes.values():
        assert result.verdict is Verdict.MISMATCH
    for result in gradcheck.check(scaled(1.0), batch, modes=("graph", "xla")).modes.values():
        assert result.verdict is Verdict.PASS
        assert result.resolution < 1e-3  # of an output that saturates; tests/harness/test_exact.py has ordinary ones


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_errors_in_few_bits_are_found_through_the_float64_twin(dtype):
    np_dtype = tf.as_dtype(dtype).as_numpy_dtype
    batch = Batch(BATCH.values.astype(np_dtype), BATCH.lengths)
    report = gradcheck.check(scaled(1.0001), batch, modes=("graph", "xla"))
    for result in report.modes.values():
        assert result.verdict is Verdict.MISMATCH
        assert any("float64 twin" in note for note in result.notes)
    assert gradcheck.check(scaled(1.0), batch, modes=("graph", "xla")).ok


def test_an_error_in_low_precision_only_is_found_beside_the_twin():
    def subject(values, lengths):
        @tf.custom_gradient
        def double(x):
            factor = 2.0 if x.dtype == tf.float64 else 2.02
            return 2 * x, lambda upstream: tf.cast(factor, upstream.dtype) * upstream

        return masked_mean(double(values), lengths)

    batch = Batch(BATCH.values.astype(np.float32), BATCH.lengths)
    report = gradcheck.check(subject, batch, modes=("eager", "xla"))
    for result in report.modes.values():
        assert result.verdict is Verdict.MISMATCH
        assert "1.01 times" in result.cause


def test_keras_layers_in_float32_are_measured_on_a_twin_made_from_their_config():
    layer = tf.keras.layers.Dense(3, activation="tanh")  # float32, whatever it is given
    # Not so large that tanh saturates, where float32 leaves no digits of its slope.
    batch = Batch(0.1 * BATCH.values.astype(np.float32), BATCH.lengths)
    report = gradcheck.check(layer, batch)
    for result in report.modes.values():
        assert result.verdict is Verdict.PASS, str(report)
        assert not any("low precision" in note for note in result.notes)


class CastsToFloatx(tf.keras.layers.Layer):
    """Casts to Keras's floatx whatever its own dtype is, as many layers do that were written for Keras 1."""

    factor = 1.0

    def call(self, inputs, mask=None):
        scores = inputs / tf.sqrt(tf.cast(tf.shape(inputs)[1], tf.keras.backend.floatx()))
        if mask is not None:
            scores -= 1e4 * (1.0 - tf.cast(mask, tf.keras.backend.floatx()))[..., None]

        @tf.custom_gradient
        def off(x):
            return tf.identity(x), lambda upstream: upstream * self.factor

        return off(tf.nn.softmax(scores, axis=1) * inputs)


class OffByLittle(CastsToFloatx):
    factor = 1.0001


def test_a_layer_that_casts_to_floatx_is_measured_on_a_twin():
    """A row without a valid step leaves three digits to its scores in float32."""
    batch = Batch(np.array([[[0.3, -0.8], [0.6, 0.1]], [[0.2, 0.7], [-0.4, 0.9]]], np.float32), [1, 0])
    kept = tf.keras.backend.floatx()
    report = gradcheck.check(CastsToFloatx(), batch)
    for result in report.modes.values():
        assert result.verdict is Verdict.PASS, str(report)
        assert not any("low precision" in note for note in result.notes)
    wrong = OffByLittle()
    for _ in range(2):
        assert gradcheck.check(wrong, batch, modes="graph")["graph"].verdict is Verdict.MISMATCH
    assert tf.keras.backend.floatx() == kept == "float32"


class RaisesInFloat64(CastsToFloatx):
    def call(self, inputs, mask=None):
        if tf.keras.backend.floatx() == "float64":
            raise RuntimeError("in float64")
        return super().call(inputs, mask)


def test_floatx_is_as_before_also_where_the_twin_raises():
    batch = Batch(BATCH.values.astype(np.float32), BATCH.lengths)
    report = gradcheck.check(RaisesInFloat64(), batch, modes="graph")
    assert report["graph"].engine == "exact"
    assert tf.keras.backend.floatx() == "float32"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_layer_of_mixed_precision_is_checked_against_float64(policy):
    """Keras 2 hands out wrapped variables there, and tapes know the wrapped ones."""
    batch = Batch(np.array([[[0.25, -0.5], [1.0, 0.75]]], np.float32), [2])
    layer = tf.keras.layers.Dense(2, activation="tanh", dtype=policy)
    report = gradcheck.check(layer, batch, modes=("eager", "graph"))
    for mode in ("eager", "graph"):
        assert report[mode].verdict is Verdict.PASS, report
        assert not any("low precision" in note for note in report[mode].notes), report

    class Wrong(tf.keras.layers.Dense):
        def call(self, inputs):
            @tf.custom_gradient
            def scaled(x):
                return tf.identity(x), lambda upstream: upstream * 1.05

            return scaled(super().call(inputs))

    wrong = Wrong(2, activation="tanh", dtype=policy)
    assert gradcheck.check(wrong, batch, modes="graph")["graph"].verdict is Verdict.MISMATCH


def test_no_twin_is_needed_for_the_exact_reference():
    weight = tf.Variable([[0.5], [2.0]])

    def subject(values, lengths):  # a float32 weight: no float64 twin can be had
        return masked_mean(values @ weight, lengths)

    batch = Batch(BATCH.values.astype(np.float32), BATCH.lengths)
    report = gradcheck.check(subject, batch)
    for result in report.modes.values():
        assert result.verdict is Verdict.PASS, str(report)
        assert result.resolution < 1e-4


def test_empty_outputs():
    report = gradcheck.check(lambda x: x[:0], X)
    assert report.ok
    assert any("empty" in note for note in report["graph"].notes)


def test_a_subject_that_could_not_take_a_batch_is_shown_with_its_arguments() -> None:
    """What is needed for batches alone is not asked of arguments that are none."""

    @tf.custom_gradient
    def wrong(values, labels):
        return values * labels, lambda upstream: (3.0 * upstream * labels, upstream * values)

    def loss(values, labels):
        return wrong(values, labels)

    text = str(gradcheck.check(loss, np.ones((1, 2)), np.ones((1, 2)), modes="graph"))
    assert "the gradient is 3 times the slope" in text


@pytest.mark.parametrize("wrt", ["all", "variables"])
def test_a_variable_that_is_read_where_no_tape_looks(wrt: str) -> None:
    """`tf.stop_gradient` of a variable leaves it off the tape, as if it played no part."""

    class Stopped(tf.Module):
        def __init__(self) -> None:
            super().__init__(name="stopped")
            self.scale = tf.Variable([2.0, 3.0], dtype=tf.float64, name="scale")
            self.unused = tf.Variable([2.0, 3.0], dtype=tf.float64, name="unused")

        def __call__(self, values):
            return values * tf.stop_gradient(self.scale)

    stopped = Stopped()
    report = gradcheck.check(
        stopped, Batch(np.ones((1, 1, 2)), np.array([1], np.int32)), modes=["eager", "xla"], wrt=wrt
    )
    for result in report.modes.values():
        assert result.verdict is Verdict.DISCONNECTED
        assert "variable scale" in result.cause
    assert stopped.scale.numpy().tolist() == stopped.unused.numpy().tolist() == [2.0, 3.0]
