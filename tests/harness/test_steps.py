"""A loss over labels and weights per step: drawn, checked in every mode, kept in cases and scripts."""

from __future__ import annotations

import pytest
import tensorflow as tf

import gradcheck
from gradcheck import InputError, Verdict
from gradcheck import strategies as st
from gradcheck.cases import Case

STRATEGY = st.batches(features=3, max_length=3, steps={"labels": 3, "weights": (0.5, 2.0)})


def loss(values, mask, labels, weights):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, values)
    return tf.reduce_sum(each * weights * tf.cast(mask, values.dtype), axis=1)


def by_all_steps(values, mask, labels, weights):
    return loss(values, mask, labels, weights) / tf.cast(tf.shape(values)[1], values.dtype)


def called(subject, values, mask, labels, weights):
    return subject(values, mask, labels, weights)


def test_a_right_loss():
    result = gradcheck.search(loss, STRATEGY, call=called, max_examples=8, seed=0, modes=("eager", "dynamic"))
    assert result.ok, str(result)


def test_a_loss_that_counts_the_padding():
    result = gradcheck.search(by_all_steps, STRATEGY, call=called, max_examples=12, seed=0, modes=("graph",))
    found = result["graph"]
    assert found.verdict is Verdict.PADDING_LEAK, str(result)
    assert set(found.counterexample.steps) == {"labels", "weights"}
    assert "steps={'labels':" in str(result)
    assert found.case is not None
    again = Case.from_dict(found.case.to_dict())
    assert set(again.batch.steps) == {"labels", "weights"}
    assert "labels = " in found.script


def test_a_name_that_nobody_draws():
    with pytest.raises(InputError, match=r"got a parameter 'labels'.*steps=\{'labels'"):
        gradcheck.search(loss, st.batches(features=3), call=called, max_examples=2, seed=0)
