"""Labels and weights per step, drawn beside a batch: they move with its padding, and shrink with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis.errors import InvalidArgument

from gradcheck import Batch, InputError
from gradcheck import strategies as st
from gradcheck.strategies import Padding
from gradcheck.subject.valid import extended

BATCH = Batch(
    np.array([[[1.0], [2.0], [0.0]], [[3.0], [0.0], [0.0]]]),
    [2, 1],
    Padding(extra=1),
    {"labels": np.array([[4, 5, 0], [6, 0, 0]], np.int32), "weights": np.array([[0.5, 1.0, 0.0], [0.25, 0.0, 0.0]])},
)


@given(st.batches(features=2, steps={"labels": 3, "weights": (0.5, 2.0)}))
@settings(max_examples=60)
def test_what_is_drawn(batch):
    labels, weights = batch.steps["labels"], batch.steps["weights"]
    assert labels.shape == weights.shape == batch.mask.shape
    assert labels.dtype == np.int32
    assert ((labels >= 0) & (labels < 3)).all()
    assert not labels[~batch.mask].any()
    assert ((weights[batch.mask] >= 0.5) & (weights[batch.mask] <= 2.0)).all()
    assert not weights[~batch.mask].any()


def test_it_shrinks_with_the_batch():
    found = find(st.batches(features=1, steps={"labels": 3}), lambda batch: bool((batch.steps["labels"] == 2).any()))
    assert found.size == 1
    assert found.lengths.tolist() == [1]
    assert found.steps["labels"].sum() == 2
    simplest = find(st.batches(features=1, min_length=1, steps={"labels": 3}), lambda batch: True)
    assert not simplest.steps["labels"].any()


def test_they_move_with_the_padding():
    front = BATCH.with_side("pre")
    assert front.steps["labels"].tolist() == [[0, 4, 5], [0, 0, 6]]
    assert front.with_side("post").key() == BATCH.key()
    assert BATCH.with_extra(0).steps["labels"].tolist() == [[4, 5], [6, 0]]
    assert BATCH.rows([1]).steps["weights"].tolist() == [[0.25, 0.0, 0.0]]
    assert extended(BATCH, "post")[0].steps["labels"].tolist() == [[4, 5, 0, 0, 0], [6, 0, 0, 0, 0]]
    assert BATCH.with_values(2 * BATCH.values).steps["labels"].tolist() == BATCH.steps["labels"].tolist()


def test_they_are_written_and_read_back():
    again = Batch.from_dict(json.loads(json.dumps(BATCH.to_dict())))
    assert again.key() == BATCH.key()
    pasted = eval(repr(BATCH), {"np": np, "Batch": Batch, "Padding": Padding})
    assert pasted.key() == BATCH.key()
    assert "steps" not in Batch(BATCH.values, BATCH.lengths).to_dict()


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({"labels": 0}, "Use 1 or more"),
        ({"labels": "many"}, "must be a number of labels, or a pair"),
        ({"weights": (2.0, 1.0)}, r"steps\['weights'\]"),
        (5, "must be a dict"),
    ],
)
def test_wrong_steps(steps, words):
    with pytest.raises(InvalidArgument, match=words):
        find(st.batches(steps=steps), lambda batch: True)


@pytest.mark.parametrize(
    ("steps", "words"),
    [({"labels": np.zeros((1, 3))}, "must begin with"), ({"mask": np.zeros((2, 3))}, "a Python name other than")],
)
def test_wrong_arrays(steps, words):
    with pytest.raises(InputError, match=words):
        Batch(BATCH.values, BATCH.lengths, steps=steps)
