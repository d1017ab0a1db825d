"""What looks at a gradient beside the slopes of single entries: ties, linearity, the graph, XLA's iterations."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict

TIE = np.array([[1.0, 1.0, 0.5]])


def highest(x):
    return tf.reduce_max(x, axis=1)


@tf.custom_gradient
def highest_to_all(x):
    """Gives 1 to each of several equal maxima: every entry lies between its slopes."""
    top = tf.reduce_max(x, axis=1)
    return top, lambda upstream: tf.where(x == top[:, None], upstream[:, None], 0)


@tf.custom_gradient
def highest_to_none(x):
    """Gives nothing where there are several."""
    top = tf.reduce_max(x, axis=1)
    equal = tf.cast(x == top[:, None], x.dtype)
    alone = tf.cast(tf.reduce_sum(equal, 1) == 1, x.dtype)
    return top, lambda upstream: equal * (upstream * alone)[:, None]


@pytest.mark.parametrize("wrong", [highest_to_all, highest_to_none])
def test_at_a_tie_the_entries_must_be_right_together(wrong):
    report = gradcheck.check(wrong, TIE, modes=("graph", "eager"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.MISMATCH}, str(report)
    assert "a tie" in report["graph"].cause
    assert gradcheck.check(wrong, np.array([[1.0, 0.75, 0.5]]), modes="graph").ok


@pytest.mark.parametrize(
    "right",
    [
        highest,
        lambda x: tf.sort(x, axis=1),
        lambda x: tf.math.top_k(x, 2).values,
        lambda x: tf.reduce_min(x) - tf.reduce_max(x),
        lambda x: tf.maximum(x[:, 0], x[:, 1]) - tf.minimum(x[:, 1], x[:, 2]),
        lambda x: tf.nn.relu(tf.matmul(x - x, tf.constant([[1.0], [-1.0], [2.0]], tf.float64))),
        lambda x: tf.math.segment_max(x[0], tf.constant([0, 0, 0])),
        lambda x: tf.nn.max_pool1d(x[..., None], 2, 1, "SAME"),
    ],
)
@pytest.mark.parametrize("point", [np.ones((1, 3)), np.zeros((1, 3))])
def test_right_gradients_at_ties_are_not_blamed(right, point):
    report = gradcheck.check(right, point, modes="graph")
    assert report.ok, str(report)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_third_in_low_precision_three_times_is_near_enough_to_one(dtype):
    report = gradcheck.check(highest, tf.ones((1, 3), dtype), modes="graph")
    assert report.ok, str(report)


def clipping(x):
    @tf.custom_gradient
    def clipped(x):
        return tf.identity(x), lambda upstream: tf.clip_by_value(upstream, -1, 1)

    return clipped(tf.sin(x))


def test_a_gradient_that_is_clipped_is_found_although_unit_cotangents_pass():
    report = gradcheck.check(clipping, TIE)
    assert {result.verdict for result in report.modes.values()} == {Verdict.MISMATCH}, str(report)
    assert "passed back" in report["xla"].cause


@pytest.mark.parametrize("padding", [1e9, 1e200])
def test_a_gradient_that_is_clipped_is_found_beside_padding_of_any_size(padding):
    def beside(x):
        return clipping(x[:, :2])

    report = gradcheck.check(beside, np.array([[0.25, 0.5, padding]]), modes="graph")
    assert report["graph"].verdict is Verdict.MISMATCH, str(report)


def doubled(factor):
    """A gradient that someone wrote; forward mode differentiates the forward pass instead."""

    @tf.custom_gradient
    def twice(x):
        return 2 * x, lambda upstream: factor * upstream

    return twice


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (lambda x: tf.stop_gradient(x) * 2, "tf.stop_gradient"),
        (lambda x: tf.cast(tf.cast(x * 1e6, tf.int64), x.dtype), "a cast to int64"),
        (lambda x: tf.numpy_function(np.sin, [x], tf.float64), "tf.numpy_function"),
        (lambda x: tf.round(x * 1e7), "tf.round"),
        (lambda x: tf.cast(tf.argmax(tf.stack([x, x * 0.9999999]), axis=0), x.dtype) + tf.stop_gradient(x), "argmax"),
        (lambda x: {"right": 2 * x, "wrong": tf.stop_gradient(x)}, "tf.stop_gradient"),
    ],
)
def test_what_cuts_a_path_is_named(subject, words):
    result = gradcheck.check(subject, TIE, modes="graph")["graph"]
    assert result.verdict is Verdict.DISCONNECTED, result
    assert words in result.cause
    assert "test_rules.py:" in result.cause


class Stopped(tf.keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, values):
        return values * tf.stop_gradient(tf.convert_to_tensor(self.scale))


def test_what_cuts_the_path_of_a_variable_is_named():
    result = gradcheck.check(Stopped(dtype="float64"), TIE, modes="graph")["graph"]
    assert result.verdict is Verdict.DISCONNECTED, result
    assert "variable" in result.cause
    assert "the path is cut by tf.stop_gradient (test_rules.py:" in result.cause


def test_an_index_that_cuts_a_path_is_named_where_nothing_moves():
    def looked_up(x):
        return tf.gather(tf.constant([1.0, 2.0, 4.0], tf.float64), tf.cast(x + 0.25, tf.int32))

    result = gradcheck.check(looked_up, TIE, modes="graph")["graph"]
    assert not result.verdict.fails
    assert any("a cast to int32, used as an index" in note for note in result.notes), result.notes


def test_nonfinite_outputs_and_gradients_are_told_apart():
    output = gradcheck.check(tf.math.log, np.array([0.0]), modes="graph")["graph"]
    gradient = gradcheck.check(tf.sqrt, np.array([0.0]), modes="graph")["graph"]
    assert (output.verdict, gradient.verdict) == (Verdict.NONFINITE, Verdict.NONFINITE)
    assert output.cause.startswith("the output itself is not finite")
    assert gradient.cause.startswith("the output is finite and its gradient is not")


def test_eager_mode_that_is_wrong_otherwise_is_measured_for_itself():
    @tf.custom_gradient
    def wrong(x):
        factor = 1.01 if tf.executing_eagerly() else 1.001
        return tf.sin(x), lambda upstream: upstream * tf.cos(x) * factor

    report = gradcheck.check(wrong, np.array([0.5, 1.0]), modes=("graph", "eager"))
    assert ["1.001" in report["graph"].cause, "1.01 " in report["eager"].cause] == [True, True], str(report)


def test_a_gradient_that_drops_what_is_small_is_found():
    @tf.custom_gradient
    def sine(x):
        return tf.sin(
            x
        ), lambda upstream: tf.where(tf.abs(upstream) < 1e-2, tf.zeros_like(upstream), upstream) * tf.cos(x)

    found = gradcheck.check(sine, TIE, modes=("graph", "eager"))
    for result in found.modes.values():
        assert result.verdict is Verdict.MISMATCH, str(found)
        assert "weighed by numbers from 0.004 to 0.011" in result.cause


@pytest.mark.parametrize("function", [tf.linalg.eigvalsh, lambda a: tf.linalg.svd(a, compute_uv=False)])
def test_decompositions_that_stop_early_under_xla_are_no_bug(function):
    def subject(x):
        return function(tf.matmul(x, x, transpose_a=True) + tf.linalg.diag(tf.constant([0.0, 3.0, 9.0], x.dtype)))

    x = np.array([[0.75, -1.5, 0.25], [2.0, 0.5, -0.125]])
    report = gradcheck.check(subject, x, modes=("graph", "xla"))
    assert report.ok, str(report)


@pytest.mark.parametrize("x", [[[1.0, 1.0, 1.828125]], [[1.765625, -0.296875, -0.609375]]])
def test_what_xla_decomposes_may_be_further_off_than_other_gradients(x):
    """Eigenvectors have the error by which the iteration stops, divided by what separates the eigenvalues."""

    def sines(x):
        gram = tf.matmul(x, x, transpose_a=True) + tf.linalg.diag(tf.constant([1.0, 2.0, 3.0], x.dtype))
        return tf.reduce_sum(tf.sin(tf.linalg.eigvalsh(gram)))

    report = gradcheck.check(sines, np.array(x), modes="xla")
    assert report.ok, str(report)


@pytest.mark.parametrize("rows", [1, 3])
def test_what_xla_solves_with_a_large_condition_is_no_bug(rows):
    """The gradient of x / (|x|² + 1e-6), by way of a matrix with a condition of two millions."""

    def solved(x):
        gram = tf.matmul(x, x, transpose_a=True) + 1e-6 * tf.eye(3, dtype=x.dtype)
        return tf.linalg.solve(gram, tf.matmul(x, tf.ones_like(x[..., :1]), transpose_a=True))

    x = np.array([[[1.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]], [[2.0, 0.0, 1.0]]])[:rows]
    report = gradcheck.check(solved, x, modes="xla")
    assert report["xla"].verdict in (Verdict.PASS, Verdict.UNRESOLVED), str(report)
