"""Arguments survive JSON: every dtype, every number, every structure; and what is damaged is said."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from gradcheck import Batch, InputError, Padding
from gradcheck.cases.encoding import decode, encode, with_classes
from gradcheck.strategies import Ragged


class Pair(NamedTuple):
    values: Any
    weights: Any


def through_json(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


def same(one: Any, two: Any) -> bool:
    """Equal in dtype, shape and bits, but for the payload of a NaN."""
    one, two = np.asarray(one), np.asarray(two)
    if (one.dtype, one.shape) != (two.dtype, two.shape):
        return False
    if one.dtype.kind in "fc" or one.dtype.name == "bfloat16":
        one, two = (array.astype(np.complex128).view(np.float64) for array in (one.reshape(-1), two.reshape(-1)))
        return bool(np.array_equal(one, two, equal_nan=True) and (np.signbit(one) == np.signbit(two)).all())
    return bool(np.array_equal(one, two))


SPECIAL = [0.0, -0.0, 1.5, -(2.0**-14), np.nan, np.inf, -np.inf, 240.0]
FLOATS = [np.float16, tf.bfloat16.as_numpy_dtype, np.float32, np.float64]
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
def test_floats(dtype) -> None:
    array = np.array(SPECIAL).astype(dtype)
    assert same(through_json(array.reshape(2, 4)), array.reshape(2, 4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_numbers_with_all_their_digits(dtype) -> None:
    array = np.random.default_rng(0).normal(size=(3, 2)).astype(dtype) / 3
    assert same(through_json(array), array)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex(dtype) -> None:
    array = np.array([complex(a, b) for a in SPECIAL for b in SPECIAL], dtype)
    assert same(through_json(array), array)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: np.dtype(dtype).name)
def test_integers(dtype) -> None:
    array = np.array([np.iinfo(dtype).min, 0, 1, np.iinfo(dtype).max], dtype)
    assert same(through_json(array), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3), np.float32),
        np.zeros((2, 0), np.int64),
        np.array(np.nan),
        np.float32(0.1),
        np.array([True, False]),
        np.array([[b"a", b"\xff\x00"]], object),
        tf.constant([1.5, np.nan], tf.float16),
        tf.constant(["grün", "b"]),
        tf.Variable([1.0, 2.0]),
        1.5 + 2j,
    ],
    ids=lambda array: type(array).__name__,
)
def test_other_arrays_and_tensors(array) -> None:
    assert same(through_json(array), array.numpy() if hasattr(array, "numpy") else array)


@pytest.mark.parametrize(
    "batch",
    [
        Batch(np.array([[[1.0], [np.nan]], [[0.5], [-2.0]]]), np.array([1, 2], np.int32)),
        Batch(np.array([[np.inf, np.inf, 1]], np.float32), np.array([1], np.int64), Padding("pre")),
        Batch(np.zeros((2, 0, 3), np.float16), np.array([0, 0])),
        Batch(np.array([[1 + 2j, np.nan]], np.complex64), [1]),
        Batch(np.array([[3, 0]], np.int32), [1]),
        Batch(np.array([[1.5, 0.0]]).astype(tf.bfloat16.as_numpy_dtype), [1]),
    ],
    ids=repr,
)
def test_batches(batch) -> None:
    back = through_json(batch)
    assert back.padding == batch.padding or repr(back.padding) == repr(batch.padding)
    assert same(back.values, batch.values)
    assert same(back.lengths, batch.lengths)


def test_ragged_and_sparse() -> None:
    own = Ragged(np.array([[1.0], [np.inf]]), np.array([0, 0, 2], np.int32))
    back = through_json(own)
    assert (repr(back), back.row_splits.dtype) == (repr(own), np.int32)

    nested = tf.ragged.constant([[[1.0, 2.0], []], [], [[3.0]]], dtype=tf.float64, row_splits_dtype=tf.int32)
    back = through_json(nested)
    assert (back.to_list(), back.ragged_rank, back.dtype) == (nested.to_list(), 2, tf.float64)
    assert back.row_splits.dtype == tf.int32

    sparse = tf.SparseTensor([[0, 1], [2, 0]], tf.constant([1.5, -np.inf], tf.float32), [3, 4])
    back = through_json(sparse)
    assert all(same(getattr(back, p), getattr(sparse, p)) for p in ("indices", "values", "dense_shape"))


def test_structures() -> None:
    value = {"a": [1, 2.5, None, True], "b": (np.ones(2), "text", b"\x00\xff"), 3: Pair([np.nan], {})}
    back = through_json(value)
    assert list(back) == ["a", "b", 3]
    assert back["a"] == [1, 2.5, None, True]
    assert back["a"][3] is True
    assert isinstance(back["b"], tuple)
    assert same(back["b"][0], np.ones(2))
    assert back["b"][1:] == ("text", b"\x00\xff")
    assert type(back[3]).__name__ == "Pair"
    assert np.isnan(back[3].values[0])


def test_a_named_tuple_gets_its_class_from_the_subject_s_module_and_from_nowhere_else() -> None:
    back = through_json([Pair(1, 2)])
    assert type(back[0]) is not Pair
    assert (back[0].values, back[0].weights) == (1, 2)
    assert encode(back) == encode([Pair(1, 2)])
    here = sys.modules[__name__]
    assert type(with_classes(back, [here])[0]) is Pair
    assert type(with_classes(back, [json])[0]) is type(back[0])
    importer = ModuleType("importer")
    importer.structures = here
    assert type(with_classes(back, [importer])[0]) is Pair


class Sly(tuple):
    _fields = ("x",)
    made: ClassVar[list[object]] = []

    def __new__(cls, *items: object) -> Sly:
        cls.made.append(items)
        return super().__new__(cls, items)


@pytest.mark.parametrize("spec", ["os:system", "builtins:eval", "no.such:thing", "json:JSONDecoder", "", ":", "os"])
def test_reading_calls_and_imports_nothing(spec: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    before = set(sys.modules)
    items = [{"type": "python", "value": f"touch {ran}"}]
    back = decode({"type": "namedtuple", "class": spec, "items": items})
    assert with_classes(back, [os, json]) == (f"touch {ran}",)
    assert not ran.exists()
    assert set(sys.modules) == before


def test_the_class_s_own_code_does_not_run() -> None:
    back = decode({"type": "namedtuple", "class": f"{__name__}:Sly", "items": [{"type": "python", "value": 1}]})
    made = with_classes(back, [sys.modules[__name__]])
    assert (type(made), tuple(made), Sly.made) == (Sly, (1,), [])


def test_what_is_nested_too_deeply() -> None:
    data: dict[str, Any] = {"type": "list", "items": []}
    for _ in range(5000):
        data = {"type": "list", "items": [data]}
    with pytest.raises(InputError, match="nested too deeply"):
        decode(data)


def test_what_cannot_be_written() -> None:
    with pytest.raises(InputError, match="object cannot be written to a case file"):
        encode([object()])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "must be an object with a 'type'; got 3"),
        ({}, "must be an object with a 'type'"),
        ({"type": "tensor9"}, "type 'tensor9', which is none of array, batch"),
        ({"type": "array", "dtype": "float64", "shape": [2]}, "'data' is not understood or missing"),
        ({"type": "array", "dtype": "float63", "shape": [1], "data": [1]}, "'float63' is not a NumPy dtype"),
        ({"type": "array", "dtype": "float64", "shape": [3], "data": [1.0]}, "not an array that gradcheck wrote"),
        ({"type": "array", "dtype": "float64", "shape": [1], "data": ["nine"]}, "'nine' is not understood"),
        ({"type": "batch", "values": {}}, "no 'lengths'"),
        ({"type": "list"}, "type 'list' has no 'items'"),
        ({"type": "bytes", "value": "?"}, "type 'bytes' is damaged"),
        ({"type": "dict", "items": [[1]]}, "type 'dict' is damaged"),
        ({"type": "namedtuple", "class": 3, "items": []}, "needs a class"),
        ({"type": "namedtuple", "class": "a:B", "fields": ["x"], "items": []}, "as many fields as items"),
        ({"type": "namedtuple", "class": "a:B", "fields": ["_x"], "items": [{"type": "list", "items": []}]}, "damaged"),
        ({"type": "list", "items": "ab"}, "its items are no list"),
        ({"type": "python", "value": []}, "it holds a text, a number, true, false or null"),
        ({"type": "array", "dtype": "float64", "shape": [-1], "data": [1.0]}, "its shape is [-1]"),
        ({"type": "array", "dtype": "float64", "shape": [1], "data": [10**400]}, "too large"),
        ({"type": "array", "dtype": "object", "shape": [1], "data": [1.0]}, "cannot have the dtype 'object'"),
        ({"type": "array", "dtype": "V100", "shape": [1], "data": [1.0]}, "cannot have the dtype 'V100'"),
        ({"type": "array", "dtype": ["f8"], "shape": [1], "data": [1.0]}, "not the name of a dtype"),
        (
            {"type": "ragged", "values": encode(np.ones(2)), "row_splits": [encode(np.array([0, 5]))]},
            "type 'ragged' is damaged",
        ),
    ],
)
def test_damage(data, words) -> None:
    with pytest.raises(InputError) as caught:
        decode(data)
    assert words in str(caught.value)
