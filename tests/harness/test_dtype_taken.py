"""Code that takes float32 only, as most published layers do, is found out at the first call and given float32."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict
from gradcheck import strategies as st

BATCH = Batch(np.array([[[0.5, -1.0], [0.25, 2.0]]]), [1])
CAST = "the subject takes float32 and not float64, so its arguments were cast to float32"


def masked_sum(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], tf.float32)
    return tf.reduce_sum(tf.tanh(values) * mask[..., tf.newaxis], axis=1)


class Projection(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([[1.0, 2.0], [0.5, -1.0]])

    def __call__(self, values):
        return tf.tanh(values @ self.weight)


@tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float32)])
def declared(values):
    return tf.sin(values)


@pytest.mark.parametrize("subject", [masked_sum, Projection, declared], ids=["function", "module", "input_signature"])
def test_float64_batches_are_cast_and_the_report_says_so_once(subject):
    report = gradcheck.check(subject, BATCH)
    assert {result.verdict for result in report.modes.values()} == {Verdict.PASS}, str(report)
    assert "dtype=np.float32" in report.arguments
    assert " ".join(str(report).split()).count(CAST) == 1


def test_other_arguments_than_batches_are_cast_too():
    assert gradcheck.check(lambda scale: scale * tf.constant(2.0), 1.5).ok
    assert gradcheck.check(lambda pair: pair["a"] * tf.constant(2.0), {"a": np.ones(2)}).ok
    report = gradcheck.check(lambda z: tf.abs(z * tf.complex(1.0, 2.0)), np.array([1 + 2j]))
    assert report.ok
    assert "takes complex64 and not complex128" in " ".join(str(report).split())


def test_half_precision_only_code_is_given_what_its_error_names():
    report = gradcheck.check(lambda values: values * tf.constant(2.0, tf.bfloat16), BATCH, modes="eager")
    assert report["eager"].verdict is not Verdict.ERROR
    assert "bfloat16" in report.arguments


def test_a_search_draws_float32_without_being_told():
    result = gradcheck.search(masked_sum, st.batches(features=2), max_examples=8, seed=0)
    assert result.ok, str(result)
    assert " ".join(str(result).split()).count(CAST) == 1


def test_a_wrong_gradient_in_float32_code_is_found_with_a_script_in_float32():
    def wrong(values, lengths):
        return (
            masked_sum(values, lengths)
            + tf.reduce_sum(tf.stop_gradient(values[:, 0]) * tf.constant(0.5), axis=-1)[:, None]
        )

    report = gradcheck.check(wrong, Batch(np.array([[[0.5, -1.0]]]), [1]))
    assert {result.verdict for result in report.modes.values()} == {Verdict.MISMATCH}, str(report)
    assert "np.float32" in report.scripts["graph"]


def test_an_error_of_another_kind_is_no_question_of_dtype():
    calls = []

    def picky(values):
        calls.append(values.dtype)
        raise ValueError("no such row")

    assert gradcheck.check(picky, BATCH, modes="eager")["eager"].verdict is Verdict.ERROR
    assert set(calls) == {tf.float64}


def test_what_fails_in_float32_too_is_reported_as_it_was_given():
    def mixed(values):
        return values * tf.constant(2.0) * tf.constant(1.0, tf.float64)

    report = gradcheck.check(mixed, BATCH, modes="eager")
    assert report["eager"].verdict is Verdict.ERROR
    assert "float32" not in report.arguments
