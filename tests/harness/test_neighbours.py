"""What about the smallest batch matters is tried and said."""

from __future__ import annotations

import pytest
import tensorflow as tf

import gradcheck
from gradcheck import strategies as st
from gradcheck.harness.neighbours import NEIGHBOURS


@tf.custom_gradient
def _off(values):
    return values * 1.0, lambda upstream: 1.1 * upstream


def always(values):
    return _off(values)


def for_one_row(values):
    return tf.cond(tf.equal(tf.shape(values)[0], 1), lambda: _off(values), lambda: values * 1.0)


def for_an_empty_row(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return tf.reduce_sum(values * mask, axis=1) / tf.cast(lengths, values.dtype)[:, tf.newaxis]


def beyond_one(values):
    return tf.where(values > 1.9, _off(values), values)


@pytest.mark.parametrize(
    ("subject", "said", "unsaid"),
    [
        (always, ["any other values fail as well"], ["row only", "length 0", "needs these"]),
        (for_one_row, ["any other values fail as well", "fails for one row only"], ["length 0"]),
        (for_an_empty_row, ["it needs a row of length 0 (min_length=1 draws none)"], ["who never has one"]),
        (beyond_one, ["it needs these values"], ["any other values"]),
    ],
)
def test_what_matters(subject, said, unsaid):
    result = gradcheck.search(
        subject, st.batches(features=1, max_length=3, max_value=3.0), modes="graph", max_examples=40, seed=3
    )
    assert not result.ok
    (told,) = (note for note in result["graph"].result.notes if note.startswith(NEIGHBOURS))
    for words in said:
        assert words in told
    for words in unsaid:
        assert words not in " ".join(str(result).split())
