"""Strategies from type hints, tensor specs and layers. None of them imports TensorFlow: stand-ins will do here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as hypothesis_strategies
from hypothesis.errors import InvalidArgument

from gradcheck import strategies as st
from gradcheck.strategies import Batch, Padding, Ragged


def draw(strategy: Any, examples: int = 60) -> list[Any]:
    drawn: list[Any] = []

    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(example: Any) -> None:
        drawn.append(example)

    collect()
    return drawn


def spec(shape: Any, dtype: Any = np.float32) -> Any:
    return SimpleNamespace(shape=shape, dtype=dtype)


@pytest.mark.parametrize("kind", [Batch, Padding, Ragged])
def test_type_hints_are_enough(kind: type) -> None:
    drawn = draw(hypothesis_strategies.from_type(kind))
    assert all(isinstance(example, kind) for example in drawn)
    if kind is Batch:
        assert {example.values.ndim for example in drawn} == {3}


def test_one_spec_gives_an_array() -> None:
    arrays = draw(st.from_signature(spec((None, None, 4))))
    assert {array.shape[2] for array in arrays} == {4}
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert len({array.shape for array in arrays}) > 1


def test_open_axes_agree_between_arguments() -> None:
    for one, two, three in draw(
        st.from_signature([spec((None, None)), spec((None, 5), np.int64), spec((None, None), np.bool_)])
    ):
        assert one.shape == three.shape
        assert two.shape == (one.shape[0], 5)
        assert three.dtype == np.bool_


def test_values_and_an_integer_vector_are_a_batch() -> None:
    batches = draw(st.from_signature([spec((2, 4, 3)), spec((2,), np.int64)]))
    assert all(batch.values.shape == (2, 4, 3) for batch in batches)
    assert all(batch.lengths.dtype == np.int64 for batch in batches)
    assert len({tuple(batch.lengths) for batch in batches}) > 5


def test_values_and_a_boolean_matrix_are_values_and_mask() -> None:
    for values, mask in draw(st.from_signature([spec((None, None)), spec((None, None), np.bool_)])):
        assert mask.shape == values.shape
        assert mask.dtype == np.bool_


def test_dtypes_of_tensorflow_are_understood() -> None:
    dtype = SimpleNamespace(as_numpy_dtype=np.float16)
    assert {array.dtype for array in draw(st.from_signature(spec((3,), dtype)))} == {np.dtype(np.float16)}


class Layer:
    """What `from_layer` looks at of a Keras layer."""

    compute_dtype = "float32"

    def __init__(self, **options: Any) -> None:
        self.input_spec = SimpleNamespace(**({"ndim": None, "min_ndim": None, "axes": None, "shape": None} | options))

    def call(self, inputs: Any) -> Any:
        return inputs


class Masked(Layer):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs


def test_a_layer_with_a_mask_gets_batches_of_its_features() -> None:
    batches = draw(st.from_layer(Masked(ndim=3, axes={-1: 5})))
    assert all(isinstance(batch, Batch) for batch in batches)
    assert {batch.features for batch in batches} == {5}
    assert {batch.values.dtype for batch in batches} == {np.dtype(np.float32)}


def test_a_layer_without_a_mask_gets_arrays() -> None:
    arrays = draw(st.from_layer(Layer(min_ndim=2, axes={-1: 4})))
    assert {array.shape[-1] for array in arrays} == {4}
    assert {array.ndim for array in arrays} == {2}


@pytest.mark.parametrize("told", ["build config", "inputs"])
def test_a_built_layer_says_how_many_features_it_was_built_for(told: str) -> None:
    """Keras 3 leaves them out of the input spec of its recurrent layers; a Sequential model has no input spec."""
    layer = Masked(ndim=3) if told == "build config" else Layer()
    if told == "build config":
        layer.get_build_config = lambda: {"input_shape": (1, 2, 5)}  # type: ignore[attr-defined]
    else:
        layer.input_spec, layer.inputs = None, [spec((None, None, 5))]  # type: ignore[attr-defined]
    drawn = draw(st.from_layer(layer))
    assert {getattr(one, "values", one).shape[-1] for one in drawn} == {5}
    assert len({getattr(one, "values", one).shape[:2] for one in drawn}) > 1


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (lambda: st.from_signature([]), "no tensor in it"),
        (lambda: st.from_signature(7), "no tensor spec"),
        (lambda: st.from_signature(spec((2,), np.str_)), "cannot be drawn"),
        (lambda: st.from_signature(spec((2,)), max_batch=0), "max_batch=0 is too small"),
        (lambda: st.from_signature(spec((2,)), max_length=0), "max_length=0 is too small"),
        (lambda: st.from_signature(spec(SimpleNamespace(rank=None))), "unknown rank"),
        (lambda: st.from_layer(SimpleNamespace(input_spec=None)), "no input_spec.*Say it: batches"),
        (lambda: st.from_layer(SimpleNamespace(input_spec=[1, 2])), "2 input specs"),
        (lambda: st.from_layer(SimpleNamespace(input_spec=[])), "0 input specs"),
        (lambda: st.from_layer(Layer), "takes a layer, not the class Layer"),
        (lambda: st.from_layer(Masked(ndim=4)), "takes a mask and inputs of rank 4"),
    ],
)
def test_refused_when_first_drawn_from(strategy: Any, message: str) -> None:
    lazy = strategy()
    with pytest.raises(InvalidArgument, match=message):
        draw(lazy, 2)
