"""A low-precision gradient beside its float64 twin's: what rounding explains there although no Jacobian shows it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, strategies
from gradcheck.verdicts import Verdict

from .subjects import mask_of


def attention(values, factor=1.0):
    """Each row's attention to itself, every step of it masked as Keras does; and one ordinary row, with a gradient that
    is off by a factor.
    """

    @tf.custom_gradient
    def scaled(x):
        return tf.identity(x), lambda upstream: tf.cast(factor, x.dtype) * upstream

    scores = tf.linalg.matmul(values, values, transpose_b=True) - 1e9
    return tf.linalg.matmul(tf.nn.softmax(scores), values), 40 * tf.sin(scaled(values[0, 0]))


VALUES = np.array([[[-0.6875, -0.1875, -0.9375], [-0.4375, -1.6875, 1.5625]]], np.float32)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_what_float32_loses_beside_a_mask_is_left_undecided(mode):
    """Where no score is left in float32 the outputs are others than in float64, and so may the gradients be."""
    found = gradcheck.check(attention, VALUES, modes=mode)[mode]
    assert found.verdict is Verdict.UNRESOLVED, found
    assert "its digits are lost in Sub (test_low_precision.py:" in found.cause


def test_an_output_that_loses_nothing_is_held_to_its_gradient():
    found = gradcheck.check(lambda values: attention(values, 1.01), VALUES, modes="graph")["graph"]
    assert found.verdict is Verdict.MISMATCH, found


def masked_rows(values, lengths, factor=1.0, hides=1e9):
    """Attention with the mask added to the scores; every output scaled, with a gradient that is off by a factor."""

    @tf.custom_gradient
    def scaled(x):
        return tf.identity(x), lambda upstream: tf.cast(factor, x.dtype) * upstream

    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)
    scores = tf.linalg.matmul(values, values, transpose_b=True) - hides * (1 - mask[:, None])
    return scaled(tf.linalg.matmul(tf.nn.softmax(scores), tf.sin(values)))


# Outputs of the first row are so different in float64 that there is no twin.
MASKED = np.array([[[0.78125, 1.90625], [-0.09375, 0.15625], [1.40625, -1.09375], [-1.96875, -0.46875]]], np.float32)
MASKED = np.concatenate([MASKED, MASKED[:, ::-1] / 2])


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_row_that_float32_makes_another_one_convicts_nobody(mode):
    found = gradcheck.check(masked_rows, Batch(MASKED, [0, 3]), modes=mode)[mode]
    assert found.verdict is Verdict.UNRESOLVED, found
    assert "its digits are lost in Sub (test_low_precision.py:" in found.cause


def test_what_is_wrong_in_another_row_too_is_wrong():
    found = gradcheck.check(lambda v, n: masked_rows(v, n, 2.0), Batch(MASKED, [0, 3]), modes="graph")["graph"]
    assert found.verdict is Verdict.MISMATCH, found


# Multiples of 2⁻⁴: their scores are exact beside 1e12, only what lies between them is not.
SHORT = np.array([[[-0.6875, -0.1875], [-0.9375, -0.4375]]])


@pytest.mark.parametrize("mode", ["eager", "graph", "dynamic"])
@pytest.mark.parametrize(("hides", "dtype"), [(1e12, np.float64), (1e30, np.float64), (1e30, np.float32)])
def test_a_row_that_a_mask_makes_another_one_in_float64_convicts_nobody(mode, hides, dtype):
    def subject(values, lengths):
        return masked_rows(values, lengths, hides=hides)

    found = gradcheck.check(subject, Batch(SHORT.astype(dtype), [0]), modes=mode)[mode]
    assert found.verdict is Verdict.UNRESOLVED, found
    assert "its digits are lost in Sub (test_low_precision.py:" in found.cause
    assert gradcheck.check(subject, Batch(SHORT.astype(dtype), [1]), modes=mode).ok


@pytest.mark.parametrize("hides", [1e12, 1e30])
@pytest.mark.parametrize("length", [0, 1])
def test_a_mask_excuses_no_wrong_gradient(hides, length):
    def subject(values, lengths):
        return masked_rows(values, lengths, 1.01, hides)

    found = gradcheck.check(subject, Batch(SHORT, [length]), modes="graph")["graph"]
    # Beside 1e30 no digit is left of a row of which all is hidden, not even of what is wrong there.
    nothing_left = length == 0 and hides == 1e30
    assert found.verdict is (Verdict.UNRESOLVED if nothing_left else Verdict.MISMATCH), found


@pytest.mark.parametrize(
    ("factor", "length", "verdict"), [(1.0, 0, "UNRESOLVED"), (1.0, 1, "PASS"), (1.01, 1, "MISMATCH")]
)
def test_slopes_convict_only_where_the_exact_reference_does(factor, length, verdict):
    """Beside 1e30 the output moves as if nothing depended on the scores, at every step and next to the point."""

    def subject(values, lengths):
        return masked_rows(values, lengths, factor, 1e30)

    found = gradcheck.check(subject, Batch(SHORT, [length]), modes="graph", engine="measured")["graph"]
    assert found.verdict.value == verdict, found


def test_a_mask_in_a_loop_beside_a_variable():
    """What is made anew has a body of a loop with the constant, and a variable."""
    weight = tf.Variable([[1.0, 0.5], [-0.25, 2.0]], dtype=tf.float64)

    def subject(values, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)

        def body(step, scores):
            return step + 1, scores + tf.linalg.matmul(values, values, transpose_b=True) - 1e30 * (1 - mask[:, None])

        scores = tf.zeros([tf.shape(values)[0], tf.shape(values)[1], tf.shape(values)[1]], values.dtype)
        _, scores = tf.while_loop(lambda step, _: step < 2, body, (0, scores))
        return tf.linalg.matmul(tf.linalg.matmul(tf.nn.softmax(scores), values), weight)

    found = gradcheck.check(subject, Batch(SHORT, [0]), modes="graph")["graph"]
    assert found.verdict is Verdict.UNRESOLVED, found


def self_attention(layer, values, mask):
    return layer([values, values], mask=[mask, mask])


def test_roundings_of_large_scores_convict_nobody():
    """A score of 96² beside others of 0: the softmax is 1, and 1 - 1 is what its gradient is made of."""
    values = np.zeros((1, 8, 3), np.float32)
    values[0, 0, 0] = 96.0
    batch = Batch(values, [1], strategies.Padding(extra=7))
    report = gradcheck.check(tf.keras.layers.Attention(), batch, call=self_attention, modes="eager,graph,xla")
    assert report.ok, str(report)


def test_a_wrong_factor_is_found_at_numbers_of_ordinary_size():
    @tf.custom_gradient
    def scaled(x):
        return tf.identity(x), lambda upstream: tf.cast(1.001, x.dtype) * upstream

    def wrong(values):
        scores = tf.linalg.matmul(scaled(values), values, transpose_b=True)
        return tf.linalg.matmul(tf.nn.softmax(scores), values)

    batches = strategies.batches(features=2, dtype="float32", max_batch=2, max_length=3)
    found = gradcheck.search(wrong, batches, modes="graph", max_examples=30, seed=0)["graph"]
    assert found.verdict is Verdict.MISMATCH, found


def test_a_huge_input_without_a_gradient_excuses_nothing():
    """A column of identifiers beside the values: nothing is made of its squares."""

    def wrong(values):
        @tf.custom_gradient
        def scaled(x):
            return tf.identity(x), lambda upstream: tf.cast(1.01 if x.dtype == tf.float32 else 1, x.dtype) * upstream

        return tf.sin(scaled(values[..., 0])) + 0 * tf.round(values[..., 1])

    values = np.array([[[0.5, 123456.0], [0.25, 98765.0]]], np.float32)
    found = gradcheck.check(wrong, values, modes="graph")["graph"]
    assert found.verdict is Verdict.MISMATCH, found


@pytest.mark.parametrize(
    ("dtype", "finest", "coarsest"), [("float64", 0, 1e-6), ("float32", 1e-7, 1e-4), ("bfloat16", 5e-3, 3e-2)]
)
def test_the_smallest_error_seen_is_that_of_the_precision(dtype, finest, coarsest):
    """What the float64 twin is measured to says nothing of how far the low precision may be off."""
    values = tf.constant([[[0.5, -0.25], [1.5, 0.75]]], dtype)
    for result in gradcheck.check(lambda values: tf.sin(values), values).modes.values():
        assert result.verdict is Verdict.PASS, result
        assert finest <= result.resolution <= coarsest


def test_a_search_in_low_precision_tells_its_coarsest_batch_from_the_others():
    """The gradient next to a small value beside a large output is a mere rounding error of that output."""
    batches = strategies.batches(features=2, dtype="bfloat16")
    result = gradcheck.search(
        lambda values: tf.reduce_logsumexp(values, axis=1), batches, modes="graph", max_examples=20, seed=0
    )
    found = result["graph"]
    assert found.verdict is Verdict.PASS
    assert found.report["graph"].resolution > 0.1
    assert 5e-3 < found.report["graph"].typical < 0.1


def test_constants_in_few_bits_are_no_wrong_gradient():
    """2/3, 1.2 and the logarithms of bfloat16 are off by up to 0.4 % each, in the output and in its gradient alike."""

    def hard_concrete(values, lengths):
        noise = tf.constant([0.2, 0.5, 0.8], values.dtype)
        gates = tf.sigmoid((tf.math.log(noise) - tf.math.log(1 - noise) + values) / (2 / 3))
        return tf.clip_by_value(gates * 1.2 - 0.1, 0.0, 1.0) * mask_of(values, lengths)

    batch = Batch(np.zeros((3, 3, 3)).astype(tf.bfloat16.as_numpy_dtype), np.array([0, 0, 3], np.int32))
    report = gradcheck.check(hard_concrete, batch, modes="graph")
    assert report["graph"].verdict is Verdict.PASS, str(report)
    assert report["graph"].resolution > 0.01  # what it leaves unseen is said


def test_a_softmax_that_comes_to_one_in_few_bits_is_left_undecided():
    """1 - 0.0012 is 1 in bfloat16, and the scores are squares of 2: the gradient of 1.016 comes out as 1."""

    def attention(values, lengths):
        steps = tf.range(tf.shape(values)[1])
        apart = tf.cast(tf.abs(steps[:, None] - steps[None, :]), values.dtype)
        scores = tf.matmul(values, values, transpose_b=True) - 0.5 * apart
        seen = (steps[None, :] <= steps[:, None])[None] & (mask_of(values, lengths) > 0)[:, None, :, 0]
        scores = tf.where(seen, scores, tf.constant(-np.inf, values.dtype))
        return tf.matmul(tf.nn.softmax(scores), values)

    values = np.array([[[0, 0, -1], [0, 0.5, 2]]]).astype(tf.bfloat16.as_numpy_dtype)
    report = gradcheck.check(attention, Batch(values, np.array([2], np.int32)), modes="graph")
    assert report["graph"].verdict in (Verdict.PASS, Verdict.UNRESOLVED), str(report)


def test_a_gradient_has_the_constants_of_its_type():
    """1e-6 is 1.013e-6 in float16, and 1 by its root 993: at 0 no output shows it."""

    def normalised(values, factor=1.0):
        @tf.custom_gradient
        def off(x):
            half = x.dtype == tf.float16
            return tf.identity(x), lambda upstream: upstream * tf.cast(factor if half else 1.0, x.dtype)

        x = off(values)
        return x * tf.math.rsqrt(tf.reduce_sum(x * x, axis=-1, keepdims=True) + 1e-6)

    zeros = np.zeros((1, 2), np.float16)
    report = gradcheck.check(normalised, zeros, modes=("eager", "graph"))
    assert [result.verdict for result in report.modes.values()] == [Verdict.PASS] * 2, str(report)
    for factor in (0.97, 1.03):
        report = gradcheck.check(lambda values, f=factor: normalised(values, f), zeros, modes="graph")
        assert report["graph"].verdict is Verdict.MISMATCH, str(report)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_what_cancels_in_few_bits_differs_between_modes(factor):
    """0.1016 - 0.1001 is 0.0020 or 0.0034, as a graph or eager mode rounds; three times an ordinary output is a bug."""

    def stretched(values):
        odds = tf.constant([0.2, 0.5, 0.8], values.dtype)
        gates = tf.sigmoid((tf.math.log(odds) - tf.math.log(1 - odds) + values) / (2 / 3))
        off = factor if values.dtype == tf.bfloat16 and not tf.executing_eagerly() else 1.0
        return tf.clip_by_value(gates * 1.2 - 0.1, 0.0, 1.0) * off

    values = np.array([[-0.1875, 0, 0]]).astype(tf.bfloat16.as_numpy_dtype)
    report = gradcheck.check(stretched, values, modes=("eager", "graph"))
    assert report["graph"].verdict is (Verdict.PASS if factor == 1.0 else Verdict.DISAGREEMENT), str(report)


@pytest.mark.parametrize(
    ("tolerance", "verdict"),
    [
        ({}, "MISMATCH"),
        ({"rtol": 0.1}, "PASS"),
        ({"atol": 0.1}, "PASS"),
        ({"rtol": 0.03}, "MISMATCH"),
        ({"atol": 0.01}, "MISMATCH"),
    ],
)
def test_a_tolerance_of_ones_own_holds_in_low_precision(tolerance, verdict):
    @tf.custom_gradient
    def steeper(x):
        factor = tf.cast(1.05 if x.dtype == tf.bfloat16 else 1.0, x.dtype)
        return tf.tanh(x), lambda upstream: upstream * (1 - tf.tanh(x) ** 2) * factor

    values = np.array([0.5, 0.25]).astype(tf.bfloat16.as_numpy_dtype)
    report = gradcheck.check(lambda x: steeper(x), values, modes="graph", **tolerance)
    assert report["graph"].verdict.value == verdict, str(report)
