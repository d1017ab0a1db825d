"""A mode that chooses another slope of a corner than the others does not pass without a word."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st
from gradcheck.harness.at_corners import MODES_DIFFER


def selu(values):
    return tf.nn.selu(values)


def one_side_or_the_other(values):
    """At 0 the gradient is 1 in eager mode and 0 in a traced function."""
    return tf.maximum(values, 0.0) if tf.executing_eagerly() else tf.nn.relu(values)


def test_the_second_derivative_of_selu_just_below_zero():
    report = gradcheck.check(selu, np.array([-1e-300]), order=2, modes=("eager", "xla"))
    assert not any(result.verdict.fails for result in report.modes.values())
    text = " ".join(str(report).split())
    assert f"{MODES_DIFFER}the gradient of gradient['" in text
    assert "in eager and" in text


@pytest.mark.parametrize("modes", [("eager", "graph"), ("eager", "graph", "dynamic", "xla")])
def test_a_subject_that_takes_another_side_in_eager_mode(modes):
    report = gradcheck.check(one_side_or_the_other, np.array([0.0, 1.0]), modes=modes)
    assert report["eager"].verdict is Verdict.KINK
    assert any(note.startswith(MODES_DIFFER) for note in report["eager"].notes), str(report)


def test_the_same_side_everywhere_says_nothing():
    report = gradcheck.check(tf.nn.relu, np.array([0.0, 1.0]))
    assert MODES_DIFFER not in " ".join(str(report).split())


def test_a_search_says_so_although_corners_are_few():
    result = gradcheck.search(
        one_side_or_the_other, st.batches(features=2), modes=("eager", "graph"), max_examples=20, seed=2
    )
    assert result.ok
    assert any(note.startswith(MODES_DIFFER) for note in result["eager"].result.notes), str(result)
