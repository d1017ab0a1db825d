"""Batch and Padding: what they accept, what they say, and that nothing is lost on the way to a file and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hypothesis_strategies

from gradcheck import InputError
from gradcheck import strategies as st
from gradcheck.strategies import Batch, Padding, Ragged

NAMES = {"np": np, "Batch": Batch, "Padding": Padding, "Ragged": Ragged}

SPECIALS = [0.0, -0.0, np.nan, np.inf, -np.inf, 0.1, 1e-7, 65504.0]


def same(one: Batch, other: Batch) -> None:
    """Equal in every bit that counts: -0.0 is not 0.0, and NaN is NaN."""
    for mine, theirs in ((one.values, other.values), (one.lengths, other.lengths)):
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        if mine.dtype.name == "bfloat16":  # which NumPy cannot compare where there is a NaN
            mine, theirs = mine.astype(np.float64), theirs.astype(np.float64)
        np.testing.assert_array_equal(mine, theirs)
        if mine.dtype.kind in "fc":
            np.testing.assert_array_equal(np.signbit(mine.real), np.signbit(theirs.real))
            np.testing.assert_array_equal(np.signbit(mine.imag), np.signbit(theirs.imag))
    assert repr(one.padding) == repr(other.padding)


def example(dtype: str) -> Batch:
    numbers = np.array([*SPECIALS, 1.0, -1.5, 2.0, 3.0]).reshape(2, 3, 2)
    if np.dtype(dtype).kind == "i":
        numbers = np.arange(12).reshape(2, 3, 2)
    if np.dtype(dtype).kind == "c":
        complexes = np.zeros((2, 3, 2), np.complex128)
        complexes.real, complexes.imag = numbers, numbers[::-1]
        numbers = complexes
    return Batch(numbers.astype(dtype), np.array([3, 1], np.int64), Padding("pre"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128", "int32", "int64"])
def test_every_dtype_survives_a_case_file_and_the_printed_code(dtype: str) -> None:
    batch = example(dtype)
    same(batch, Batch.from_dict(json.loads(json.dumps(batch.to_dict(), allow_nan=False))))
    same(batch, eval(repr(batch), NAMES))


def test_bfloat16_survives_too() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    batch = Batch(np.array([[0.1, np.nan, -np.inf]], ml_dtypes.bfloat16), [2])
    same(batch, Batch.from_dict(json.loads(json.dumps(batch.to_dict(), allow_nan=False))))
    same(batch, eval(repr(batch), NAMES))


def test_bfloat16_padding_of_nan_pastes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    batch = Batch(np.full((1, 2, 2), np.nan, ml_dtypes.bfloat16), np.array([0], np.int32))
    pasted = eval(repr(batch), {"Batch": Batch, "Padding": Padding, "np": np})
    assert repr(pasted) == repr(batch)


@given(
    st.batches(poison=True) | st.batches(features=None, dtype=np.float16) | st.batches(dtype=np.complex64, min_time=0)
)
def test_drawn_batches_print_as_code_and_survive_a_case_file(batch: Batch) -> None:
    same(batch, eval(repr(batch), NAMES))
    same(batch, Batch.from_dict(json.loads(json.dumps(batch.to_dict(), allow_nan=False))))


def test_what_hypothesis_prints_is_the_code() -> None:
    from hypothesis.vendor.pretty import pretty

    batch = example("float32")
    assert pretty(batch) == repr(batch)


def test_repr_is_short_for_what_is_plain() -> None:
    batch = Batch(np.zeros((1, 1, 3)), [1])
    assert repr(batch) == ("Batch(values=np.array([[[0.0, 0.0, 0.0]]]), lengths=np.array([1], dtype=np.int32))")
    assert repr(Batch(np.full((3, 4), -1.0, np.float32), [1, 2, 0], Padding("pre"))) == (
        "Batch(values=np.full((3, 4), -1.0, dtype=np.float32), lengths=np.array([1, 2, 0], dtype=np.int32), "
        "padding=Padding('pre', extra=2, fill=-1.0))"
    )


BAD = [
    (
        lambda: Batch(np.zeros((2, 3)), [1.0, 2.0]),
        r"lengths must be integers; got dtype float64 \(lengths\[0\] = .*1\.0",
    ),
    (lambda: Batch(np.zeros((2, 3)), [True, False]), "lengths must be integers; got dtype bool"),
    (lambda: Batch(np.zeros((2, 3)), [[1, 2]]), r"lengths must be a vector.* shape \(1, 2\)"),
    (lambda: Batch(np.zeros((2, 3)), [1, -1]), r"lengths\[1\] = -1 is negative.*0 … 3"),
    (lambda: Batch(np.zeros((2, 3)), [4, 1]), r"lengths\[0\] = 4 is beyond the time axis.* 3 steps"),
    (lambda: Batch(np.zeros((2, 3)), [1]), "lengths has 1 entries and values has 2 rows"),
    (lambda: Batch(np.zeros(3), [1]), r"values must be \[batch, time, features\].*\(3,\)"),
    (lambda: Batch(np.zeros((1, 2, 3, 4)), [1]), r"values must be \[batch, time, features\].*\(1, 2, 3, 4\)"),
    (lambda: Batch(np.array([["a"]]), [1]), "values must be numbers"),
    (lambda: Batch(np.zeros((1, 1)), [1], "post"), "padding='post' is not a Padding"),
    (lambda: Batch(np.zeros((1, 3)), [1], Padding(extra=1)), "extra=1, but the time axis has 3 .*leaves 2"),
    (lambda: Batch(np.zeros((1, 3)), [1], Padding(fill=7.0)), r"fill=7.0, but the padded cells hold 0\.0"),
    (lambda: Padding("left"), "side='left'.*'post' or 'pre'"),
    (lambda: Padding(extra=-1), "extra=-1 is not a number of padded columns"),
    (lambda: Padding(extra=1.5), "extra=1.5 is not a number of padded columns"),
    (lambda: Padding(fill="nan"), "fill='nan' is not a number"),
    (lambda: Batch(np.zeros((1, 2)), [1]).rows(1), "Row 1 is not in a batch of 1"),
    (lambda: Batch(np.zeros((1, 2)), [1]).with_values(np.zeros((1, 3))), r"begin with shape \(1, 2\); got \(1, 3\)"),
    (lambda: Batch(np.zeros((1, 2), int), [1]).with_fill(np.nan), "fill=np.nan does not fit values of dtype int64"),
    (lambda: Batch.from_dict({"values": {}}), "no 'lengths'"),
    (lambda: Batch.from_dict({"values": {"dtype": "float64"}, "lengths": {}}), "'data'"),
    (lambda: Ragged(np.zeros(3), [0, 2]), "go up from 0 to the 3 steps"),
    (lambda: Ragged(np.zeros(3), [0, 4, 3]), "go up from 0 to the 3 steps"),
    (lambda: Ragged(np.zeros(3), [0.0, 3.0]), "vector of integers"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_says_what_is_wrong(make: object, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        make()  # type: ignore[operator]


GOOD = [
    (Batch(np.zeros((2, 3)), [3, 0]), [[True] * 3, [False] * 3]),
    (
        Batch(np.zeros((2, 3, 1)), np.array([1, 2], np.int64), Padding("pre")),
        [[False, False, True], [False, True, True]],
    ),
    (Batch(np.zeros((2, 3), np.float32), np.array([1, 2], np.uint8)), [[True, False, False], [True, True, False]]),
    (Batch(np.zeros((0, 3)), []), np.zeros((0, 3), bool)),
    (Batch(np.zeros((1, 0, 2)), [0]), np.zeros((1, 0), bool)),
]


@pytest.mark.parametrize(("batch", "mask"), GOOD)
def test_mask_follows_lengths_and_side(batch: Batch, mask: object) -> None:
    np.testing.assert_array_equal(batch.mask, mask)
    assert batch.lengths.dtype in (np.int32, np.int64)


def test_padding_describes_what_is_in_the_values() -> None:
    values = np.array([[1.0, 2.0, 9.0], [3.0, 9.0, 9.0]])
    assert Batch(values, [2, 1]).padding == Padding("post", 1, 9.0)
    values[1, 2] = 8.0
    assert Batch(values, [2, 1]).padding == Padding("post", 1, None)
    assert Batch(values, [3, 3]).padding == Padding()
    assert np.isnan(Batch(values, [2, 1]).with_fill(np.nan).padding.fill)


def test_a_batch_cannot_be_written_to_and_does_not_freeze_what_it_was_made_from() -> None:
    values = np.zeros((1, 2))
    batch = Batch(values, [1])
    with pytest.raises(ValueError, match="read-only"):
        batch.values[0, 0] = 1.0
    values[0, 0] = 1.0


@given(
    st.batches(dtype=np.float32),
    hypothesis_strategies.integers(0, 3),
    hypothesis_strategies.sampled_from(["post", "pre"]),
)
def test_changes_of_padding_keep_every_valid_step(batch: Batch, extra: int, side: str) -> None:
    before = [batch.sequence(row) for row in range(batch.size)]
    for changed in (batch.with_extra(extra), batch.with_side(side), batch.trimmed(), batch.with_fill(7.0)):
        for row, sequence in enumerate(before):
            np.testing.assert_array_equal(changed.sequence(row), sequence)
    assert batch.with_extra(extra).padding.extra == extra
    assert batch.with_extra(extra).time == batch.longest + extra
    assert batch.with_side(side).padding.side == side
    same(batch.with_side(side).with_side(batch.padding.side), batch)
    assert batch.trimmed().time == batch.longest
    if not batch.mask.all():
        assert batch.with_fill(7.0).padding.fill == 7.0
        assert batch.with_extra(extra + 1).padding.fill == batch.padding.fill


def test_rows_come_in_the_order_asked_for() -> None:
    batch = Batch(np.arange(6.0).reshape(3, 2), [2, 1, 0])
    chosen = batch.rows([2, 0])
    assert chosen.lengths.tolist() == [0, 2]
    np.testing.assert_array_equal(chosen.values, [[4.0, 5.0], [0.0, 1.0]])
    assert batch.rows(1).values.shape == (1, 2)
    assert batch.rows(-1).lengths.tolist() == [0]


def test_keys_tell_batches_apart_by_every_bit() -> None:
    batch = Batch(np.zeros((1, 2)), [1])
    assert batch.key() == Batch(np.zeros((1, 2)), [1]).key()
    others = [
        Batch(np.zeros((1, 2)), [2]),
        Batch(np.zeros((1, 2), np.float32), [1]),
        Batch(np.zeros((1, 2)), np.array([1])),
        Batch(np.array([[0.0, -0.0]]), [1]),
        Batch(np.zeros((1, 2)), [1], Padding("pre")),
        Batch(np.zeros((1, 2, 1)), [1]),
    ]
    assert len({batch.key(), *(other.key() for other in others)}) == len(others) + 1


@given(st.ragged() | st.ragged(features=None, row_splits_dtype=np.int32))
def test_ragged_batches_are_the_valid_steps(ragged: Ragged) -> None:
    batch = ragged.to_batch()
    assert batch.padding.extra == 0
    again = Ragged.from_batch(batch.with_side("pre").with_extra(2))
    np.testing.assert_array_equal(again.values, ragged.values)
    np.testing.assert_array_equal(again.row_splits, ragged.row_splits)
    code = eval(repr(ragged), NAMES)
    np.testing.assert_array_equal(code.values, ragged.values)
    assert code.row_splits.dtype == ragged.row_splits.dtype
    assert [len(row) for row in ragged.rows()] == ragged.lengths.tolist()
