"""`order=2`: the gradient of the gradient. Each wrong twin has a right first derivative."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import InputError, Verdict

from .subjects import BATCH, masked_mean

X = np.array([[0.5, -1.25], [2.0, 0.75]])


@tf.custom_gradient
def square(x):
    return x * x, lambda upstream: 2 * upstream * x


@tf.custom_gradient
def square_stopped(x):
    """The usual way to lose a second derivative: what the backward pass reads is cut off."""
    return x * x, lambda upstream: 2 * upstream * tf.stop_gradient(x)


@tf.custom_gradient
def square_wrong_and_stopped(x):
    return x * x, lambda upstream: upstream * (1 + 2 * tf.stop_gradient(x))


def cube(x, factor=1.0):
    """A gradient that has a gradient of its own, off by a factor."""

    @tf.custom_gradient
    def backward(x, upstream):
        return 3 * x * x * upstream, lambda second: (factor * 6 * x * upstream * second, 3 * x * x * second)

    @tf.custom_gradient
    def forward(x):
        return x**3, lambda upstream: backward(x, upstream)

    return forward(x)


def cube_right(x):
    return cube(x)


def cube_wrong(x):
    return cube(x, 1.00001)


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"),
    [(square, square_stopped, Verdict.DISCONNECTED), (cube_right, cube_wrong, Verdict.MISMATCH)],
    ids=["stopped", "factor"],
)
def test_only_the_second_derivative_is_wrong(right, wrong, verdict):
    second = gradcheck.check(wrong, X, order=2)
    assert {result.verdict for result in second.modes.values()} == {verdict}, str(second)
    assert gradcheck.check(wrong, X).ok
    for result in gradcheck.check(right, X, order=2).modes.values():
        assert result.verdict is Verdict.PASS, result.cause


def test_the_entry_is_named_and_confirmed():
    result = gradcheck.check(cube_wrong, X, order=2, modes="graph")["graph"]
    entry = result.entry
    assert entry is not None
    assert entry.output.startswith("gradient['x'][")
    assert entry.input.startswith("x[")
    assert entry.reference is not None
    assert entry.reference[0] == entry.theoretical
    assert entry.reference[1] == pytest.approx(entry.numerical, rel=1e-4)


def test_weights_count():
    layer = tf.keras.layers.Dense(2, activation="tanh", dtype="float64")
    report = gradcheck.check(layer, X, order=2, modes=("graph", "eager"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    assert not report["graph"].notes


def test_a_corner_of_the_first_derivative_is_no_alarm():
    assert gradcheck.check(tf.nn.relu, np.array([0.0, 1.0, -1.0]), order=2).ok


def test_searched_with_masks():
    found = gradcheck.search(
        masked_mean, gradcheck.strategies.batches(features=2), order=2, modes="graph", max_examples=10, seed=0
    )
    assert found.ok, str(found)


def test_orders_are_one_to_three():
    with pytest.raises(InputError, match="order must be 1, the gradient, 2, the gradient of the gradient, or 3"):
        gradcheck.check(masked_mean, BATCH, order=4)


def quartic(x, factor=1.0):
    """A second derivative whose own gradient is off by a factor."""

    @tf.custom_gradient
    def second(x):
        return 12 * x * x, lambda upstream: factor * 24 * x * upstream

    @tf.custom_gradient
    def first(x):
        return 4 * x**3, lambda upstream: second(x) * upstream

    @tf.custom_gradient
    def zeroth(x):
        return x**4, lambda upstream: first(x) * upstream

    return zeroth(x)


def test_only_the_third_derivative_is_wrong():
    def wrong(x):
        return quartic(x, 1.001)

    assert gradcheck.check(quartic, X, order=3).ok
    for order in (1, 2):
        assert gradcheck.check(wrong, X, order=order).ok
    third = gradcheck.check(wrong, X, order=3)
    assert {result.verdict for result in third.modes.values()} == {Verdict.MISMATCH}, str(third)


@pytest.mark.parametrize("layer", [tf.keras.layers.GRU(2), tf.keras.layers.MultiHeadAttention(1, 2)])
def test_third_derivatives_of_layers(layer):
    values = np.random.default_rng(0).normal(size=(1, 2, 2))
    layer.build(values.shape) if isinstance(layer, tf.keras.layers.GRU) else layer(values, values)

    def subject(values):
        values = tf.cast(values, layer.compute_dtype)
        return layer(values) if isinstance(layer, tf.keras.layers.GRU) else layer(values, values)

    result = gradcheck.check(subject, values, modes=("graph",), order=3)["graph"]
    assert result.verdict is Verdict.PASS, result.cause


@pytest.mark.parametrize(("wrong", "note"), [(cube_wrong, "so only what it is"), (square_wrong_and_stopped, "order=1")])
def test_a_search_says_whether_the_first_derivative_is_right(wrong, note):
    found = gradcheck.search(
        lambda values: wrong(values) + values**2,
        gradcheck.strategies.batches(features=2),
        modes=("graph",),
        order=2,
        max_examples=20,
        seed=1,
    )["graph"]
    assert found.verdict.fails
    assert any("the gradient itself is" in text and note in text for text in found.report["graph"].notes)


@tf.custom_gradient
def _wrong_slope(x):
    return tf.cos(x), lambda upstream: -1.1 * upstream * tf.sin(x)


@tf.custom_gradient
def _sine(x):
    return tf.sin(x), lambda upstream: upstream * _wrong_slope(x)


def sine_by_another(x, y):
    return _sine(x) * y


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_failure_has_a_script(mode, tmp_path):
    report = gradcheck.check(sine_by_another, np.array([0.4, 1.0]), np.array([2.0, 3.0]), order=2, modes=mode)
    assert report[mode].verdict is Verdict.MISMATCH
    path = tmp_path / "failure.py"
    path.write_text(report.scripts[mode])
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    shown = float(re.search(r"theoretical \(tf.GradientTape\): (\S+)", done.stdout)[1])
    assert shown == pytest.approx(report[mode].entry.theoretical)
