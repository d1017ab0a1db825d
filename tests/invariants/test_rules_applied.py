"""Which rules about padding were held: another amount of it in every mode, and words where a rule was not held."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict
from gradcheck import strategies as st
from gradcheck.strategies import Padding

PADDED = Batch(np.array([[[0.5], [-1.0], [0.0]]]), [2], Padding(extra=1))
NOT_HELD = "padding: no rule was held, because the subject takes neither lengths nor a mask"
NOT_VARIED = "amount of padding: not varied"


def by_all_steps(values, lengths):
    """A mean over time that counts the padding, whatever it holds."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)
    steps = tf.cast(tf.maximum(tf.shape(values)[1], 1), values.dtype)
    return tf.reduce_sum(tf.sin(values) * mask[..., tf.newaxis], axis=1) / steps


def by_lengths(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)
    return tf.reduce_sum(tf.sin(values) * mask[..., tf.newaxis], axis=1)


@pytest.mark.parametrize("mode", ["eager", "graph", "dynamic", "xla"])
def test_an_amount_of_padding_that_counts_is_found_in_every_mode(mode):
    report = gradcheck.check(by_all_steps, PADDED, modes=mode)
    assert report[mode].verdict is Verdict.PADDING_LEAK, str(report)
    assert report[mode].rule == "padding_amount"


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_a_search_finds_and_shrinks_it_there_too(mode):
    result = gradcheck.search(by_all_steps, st.batches(features=1), modes=mode, max_examples=12, seed=0)
    assert result[mode].verdict is Verdict.PADDING_LEAK, str(result)
    assert result[mode].result.rule == "padding_amount"
    assert result.counterexample.size == 1


class ByAllRows(tf.keras.layers.Layer):
    """A normalization that divides by all steps, the padded ones among them, and keeps nothing of a batch."""

    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

    def call(self, values, mask=None):
        valid = tf.cast(mask, values.dtype)[..., tf.newaxis]
        steps = tf.cast(tf.reduce_prod(tf.shape(values)[:2]), values.dtype)
        return (values - tf.reduce_sum(values * valid, axis=[0, 1]) / steps) * valid * tf.cast(self.scale, values.dtype)


def test_a_layer_is_not_said_to_keep_what_a_new_one_was_not_asked_for():
    result = gradcheck.search(ByAllRows, st.batches(features=1), modes="graph", max_examples=8, seed=1)
    assert result["graph"].verdict is Verdict.PADDING_LEAK
    assert "newly made" not in result["graph"].cause


def test_a_search_compiles_one_amount_more_and_says_nothing():
    result = gradcheck.search(by_lengths, st.batches(features=1), modes="graph", max_examples=12, seed=0)
    assert result.ok
    assert NOT_VARIED not in " ".join(str(result).split())


def test_a_batch_that_can_show_nothing_is_said_not_to_be_varied():
    batch = Batch(np.zeros((1, 2, 1)), [0])
    text = " ".join(
        str(gradcheck.check(lambda values, lengths: by_lengths(values, lengths), batch, modes="graph")).split()
    )
    assert NOT_VARIED in text


def test_a_subject_that_is_told_nothing_of_its_padding():
    assert NOT_HELD in " ".join(str(gradcheck.check(tf.sin, PADDED)).split())
    full = Batch(np.array([[[0.5], [-1.0]]]), [2])
    assert NOT_HELD not in " ".join(str(gradcheck.check(tf.sin, full)).split())
    found = gradcheck.search(tf.sin, st.batches(features=1), modes="graph", max_examples=8, seed=0)
    assert " ".join(str(found).split()).count(NOT_HELD) == 1
    assert NOT_HELD not in " ".join(str(gradcheck.check(tf.sin, PADDED, padding=False)).split())
