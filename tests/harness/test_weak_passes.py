"""A pass that says little says so first; the detection limit is told by its median and its worst."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st

STILL = "no output moves when an input does"
UNUSED = "float16 was not tested: the subject converts its input to float32"


def dead(values):
    return tf.nn.relu(values - 1e9)


def cut(values):
    return tf.stop_gradient(tf.ones_like(values))


def alive(values):
    return tf.nn.relu(values)


def in_float16(values):
    return tf.cast(values * values.dtype.as_numpy_dtype(3.0), tf.float32)


def searched(subject, **options):
    strategy = st.batches(features=2, max_length=3, **options)
    return gradcheck.search(subject, strategy, modes=("eager", "graph"), max_examples=8, seed=1)


@pytest.mark.parametrize("subject", [dead, cut])
def test_an_output_that_never_moves(subject):
    result = searched(subject)
    assert result.ok
    for mode in result:
        assert result[mode].verdict is Verdict.PASS
        assert result[mode].result.weak[0].startswith(STILL)
    first, _, second, *_ = str(result).splitlines()
    assert first.endswith("PASS (weak) in eager, graph")
    assert second.strip().startswith(f"Weak pass: {STILL}")
    assert "detection limit" not in str(result) or "an error of 0 of" not in str(result)


def test_an_output_that_moves_now_and_then_is_tested():
    result = searched(alive)
    assert result["eager"].result.weak == ()
    assert "weak" not in str(result)


def test_one_batch_on_which_nothing_moves():
    report = gradcheck.check(alive, np.array([-1.0, -2.0]), modes="graph")
    assert report["graph"].weak[0].startswith(STILL)
    assert report.to_dict()["modes"]["graph"]["weak"] == list(report["graph"].weak)


def test_a_precision_that_is_asked_for_and_not_used():
    layer = tf.keras.layers.Dense(2, dtype="float32")
    result = searched(layer, dtype="float16")
    assert any(words.startswith(UNUSED) for words in result["graph"].result.weak)
    assert not gradcheck.check(in_float16, np.array([1.0, 2.0], np.float16), modes="graph")["graph"].weak


def test_a_coarse_detection_limit():
    one = gradcheck.check(
        lambda values: values * values, np.array([1.0, 2.0]), modes="graph", engine="measured", rtol=0.41
    )
    assert one["graph"].verdict is Verdict.PASS
    assert "an error below 41% of the gradient's size would not have been seen" in one["graph"].weak


def test_the_median_comes_before_the_worst():
    result = searched(lambda values: tf.reduce_sum(tf.sin(values), axis=-1), dtype="float32")
    found = result["graph"].result
    assert 0 < found.typical <= found.resolution
    line = next(line for line in str(result).splitlines() if "detection limit" in line)
    assert "of the gradient's size" in line
