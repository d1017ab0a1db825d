"""Wrong gradients planted in variants are found by the search that the run makes, and shrunk; the right ones pass."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import gradcheck  # noqa: E402
from gradcheck.variants import catalog  # noqa: E402
from gradcheck.verdicts import Verdict  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Converting sparse IndexedSlices:UserWarning")

BATCHES = gradcheck.strategies.batches(features=2, max_batch=3, max_length=4, sides=("post",))


def passing_back(values, change):
    """``values`` unchanged, with ``change`` applied to the gradient that passes back."""

    @tf.custom_gradient
    def identity(x):
        return tf.identity(x), change

    return identity(values)


def one_row_factor(values, lengths):
    """1.001 for rows as long as the time axis, 1 for the others."""
    longest = tf.cast(tf.equal(lengths, tf.shape(values)[1]), values.dtype)
    return (1 + longest / 1000)[:, tf.newaxis, tf.newaxis]


PLANTED = {
    "a factor of 1.001": lambda values, lengths: passing_back(values, lambda upstream: upstream * 1.001),
    "the sign": lambda values, lengths: passing_back(values, lambda upstream: -upstream),
    "a dropped mask": lambda values, lengths: passing_back(values, tf.ones_like),
    "only where a row fills the time axis": lambda values, lengths: passing_back(
        values, lambda upstream: upstream * one_row_factor(values, lengths)
    ),
}


def found_in(name, mode, plant, max_examples=100):
    variant = next(variant for variant in catalog() if variant.name == name)

    def planted(values, lengths):
        return variant.subject(plant(values, lengths), lengths)

    return gradcheck.search(planted, BATCHES, max_examples=max_examples, modes=mode, seed=1)[mode]


@pytest.mark.parametrize(
    ("name", "mode", "error"),
    [
        *(("while_loop_tensor_array/recurrence", "dynamic", error) for error in PLANTED),
        ("broadcast_rows/attention", "xla", "a factor of 1.001"),
        ("ragged_rows/pooling", "graph", "only where a row fills the time axis"),
    ],
)
def test_planted(name, mode, error):
    found = found_in(name, mode, PLANTED[error])
    assert found.verdict in (Verdict.MISMATCH, Verdict.PADDING_LEAK)
    assert found.counterexample.values.shape[:2] == (1, 1)
    if error == "only where a row fills the time axis":
        np.testing.assert_array_equal(found.counterexample.lengths, [1])


@pytest.mark.parametrize(("name", "mode"), [("scan_steps/attention", "dynamic"), ("scatter_rows/recurrence", "graph")])
def test_right_variants_stay_silent(name, mode):
    found = found_in(name, mode, lambda values, lengths: values, max_examples=40)
    assert found.verdict is Verdict.PASS
    assert found.counts == {"PASS": 40}
