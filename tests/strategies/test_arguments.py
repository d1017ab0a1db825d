"""Every argument check of every strategy, both ways: what is refused, with its message, and what is just within."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.errors import InvalidArgument

from gradcheck import strategies as st


def draw(strategy: Any, examples: int = 25) -> list[Any]:
    drawn: list[Any] = []

    @settings(max_examples=examples, database=None)
    @given(strategy)
    def collect(example: Any) -> None:
        drawn.append(example)

    collect()
    return drawn


REFUSED = [
    (st.batches, {"features": 0}, "features=0 is too small. Use 1 or more"),
    (st.batches, {"features": 2.0}, "features=2.0 must be an integer"),
    (st.batches, {"features": True}, "features=True must be an integer"),
    (st.batches, {"min_batch": 0}, "min_batch=0 is too small"),
    (st.batches, {"min_batch": 4}, "min_batch=4 is greater than max_batch=3"),
    (st.batches, {"max_batch": "3"}, "max_batch='3' must be an integer"),
    (st.batches, {"min_length": -1}, "min_length=-1 is too small. Use 0 or more"),
    (st.batches, {"min_length": 7}, "min_length=7 is greater than max_length=6"),
    (
        st.batches,
        {"max_length": 10**9},
        r"has 9000000018 numbers .* the limit is max_numbers=10000000\. .* raise the limit with max_numbers=9000000018",
    ),
    (st.batches, {"max_numbers": 71}, r"has 72 numbers \(max_batch=3 · \(max_length \+ max_extra\)=8 · features=3\)"),
    (st.batches, {"max_numbers": 0}, "max_numbers=0 is too small"),
    (st.batches, {"max_length": -1}, "max_length=-1 is too small"),
    (st.batches, {"max_extra": -1}, "max_extra=-1 is too small"),
    (st.batches, {"min_time": 9}, r"min_time=9 is beyond the longest time axis, max_length=6 \+ max_extra=2"),
    (st.batches, {"min_time": -1}, "min_time=-1 is too small"),
    (st.batches, {"max_length": 0, "max_extra": 0}, "min_time=1 is beyond the longest time axis"),
    (st.batches, {"sides": "post"}, "sides='post' must be a tuple of names"),
    (st.batches, {"sides": ()}, r"sides=\(\) is empty"),
    (st.batches, {"sides": ("left",)}, r"sides has 'left', which is none of \('post', 'pre'\)"),
    (st.batches, {"fills": ("nan",)}, "fills has 'nan', which is none of"),
    (st.batches, {"poison": 1}, "poison=1 must be True or False"),
    (st.batches, {"singular": None}, "singular=None must be True or False"),
    (st.batches, {"dtype": "float12"}, "dtype 'float12' is not a NumPy dtype|'float12' is not a dtype"),
    (st.batches, {"dtype": np.str_}, "cannot be drawn. Use a dtype that TensorFlow has"),
    (st.batches, {"dtype": None}, "dtype=None .*cannot be drawn"),
    (st.batches, {"dtype": [1]}, r"dtype=\[1\] is not a dtype"),
    (st.batches, {"lengths_dtype": np.float32}, "lengths_dtype=.*float32.* cannot hold lengths. Use np.int32"),
    (st.batches, {"lengths_dtype": np.int16}, "int16.* cannot hold lengths"),
    (st.batches, {"min_value": 3.0, "max_value": 1.0}, "min_value=3.0 is greater than max_value=1.0"),
    (st.batches, {"min_value": float("nan")}, "min_value=nan must be finite"),
    (st.batches, {"max_value": float("inf")}, "max_value=inf must be finite.*poison=True"),
    (st.batches, {"min_value": "0"}, "min_value='0' must be a real number"),
    (st.batches, {"max_value": 1e6, "dtype": np.float16}, "max_value=1000000.0 is beyond the largest float16"),
    (st.batches, {"max_value": 0.5, "dtype": np.int32}, "max_value=0.5 is not a number of dtype int32"),
    (st.batches, {"domain": "complex"}, "domain='complex' is not known. Use one of"),
    (st.batches, {"domain": "unit", "max_value": 2.0}, "domain='unit' goes from 0 to 1 by itself"),
    (st.batches, {"domain": "positive", "dtype": np.int32}, "domain='positive' needs a float dtype; got int32"),
    (st.batches, {"domain": "positive", "min_value": 0.0}, "min_value=0.0 is not positive"),
    (st.batches, {"domain": "probabilities", "features": None}, "needs features to sum over; got features=None"),
    (st.batches, {"domain": "probabilities", "dtype": np.complex64}, "needs a real dtype; got complex64"),
    (st.lengths, {"min_batch": -1}, "min_batch=-1 is too small"),
    (st.lengths, {"min_length": 3, "max_length": 2}, "min_length=3 is greater than max_length=2"),
    (st.lengths, {"dtype": np.float32}, "dtype=.*float32.* cannot hold lengths"),
    (st.lengths, {"dtype": ["int32"]}, "is not a dtype"),
    (st.paddings, {"max_extra": -1}, "max_extra=-1 is too small"),
    (st.paddings, {"sides": ("up",)}, "sides has 'up'"),
    (st.paddings, {"fills": ()}, r"fills=\(\) is empty"),
    (st.paddings, {"poison": "yes"}, "poison='yes' must be True or False"),
    (st.masks, {"min_time": 20}, "min_time=20 is beyond the longest time axis"),
    (st.masks, {"holes": 1}, "holes=1 must be True or False"),
    (st.masks, {"time_major": 0}, "time_major=0 must be True or False"),
    (st.masks, {"dtype": np.complex64}, "complex64.* cannot be drawn"),
    (st.masks, {"min_batch": 3, "max_batch": 2}, "min_batch=3 is greater than max_batch=2"),
    (st.values, {"shape": (2, -1)}, r"shape\[1\]=-1 is too small"),
    (st.values, {"shape": "2"}, "shape='2' must be a tuple of integers"),
    (st.values, {"shape": (), "domain": "probabilities"}, r"shape=\(\) has no axis"),
    (st.values, {"shape": 3, "min_value": 1.00001, "max_value": 1.00002, "dtype": np.float16}, "No float16 lies from"),
    (st.ragged, {"features": 0}, "features=0 is too small"),
    (st.ragged, {"row_splits_dtype": np.uint32}, "cannot hold lengths"),
]


@pytest.mark.parametrize(("strategy", "options", "message"), REFUSED)
def test_refused_when_first_drawn_from(strategy: Any, options: dict[str, Any], message: str) -> None:
    lazy = strategy(**options)  # no error yet, as with Hypothesis's own
    with pytest.raises(InvalidArgument, match=message):
        draw(lazy)


WITHIN = [
    (st.batches, {"features": 1, "min_batch": 3, "max_batch": 3}),
    (st.batches, {"features": None, "min_length": 6, "max_length": 6, "max_extra": 0}),
    (st.batches, {"max_length": 0}),
    (st.batches, {"max_numbers": 72}),
    (st.batches, {"max_length": 0, "max_extra": 0, "min_time": 0}),
    (st.batches, {"min_time": 8}),
    (st.batches, {"sides": ["pre"]}),
    (st.batches, {"fills": ("data",), "poison": True}),
    (st.batches, {"dtype": "float16", "max_value": 65504}),
    (st.batches, {"min_value": 1.5, "max_value": 1.5}),
    (st.batches, {"max_value": -8.0}),
    (st.batches, {"min_value": 1000.0}),
    (st.batches, {"min_value": 0.7, "max_value": 0.9, "dtype": np.float32}),
    (st.batches, {"dtype": np.int64, "min_value": 1, "max_value": 1}),
    (st.batches, {"domain": "positive", "max_value": 0.001}),
    (st.batches, {"domain": "probabilities", "features": 1}),
    (st.batches, {"lengths_dtype": "int64"}),
    (st.batches, {"max_batch": 40, "max_length": 300, "features": 1}),
    (st.lengths, {"min_batch": 0, "max_batch": 0}),
    (st.lengths, {"min_length": 5, "max_length": 5, "dtype": np.int64}),
    (st.lengths, {"max_length": 1000, "max_batch": 30}),
    (st.paddings, {"max_extra": 0, "sides": ("post",), "fills": ("zero",)}),
    (st.masks, {"holes": True, "time_major": True, "dtype": np.float32, "min_time": 0}),
    (st.values, {"shape": ()}),
    (st.values, {"shape": 4}),
    (st.values, {"shape": (0, 2)}),
    (st.values, {"shape": (2, 3, 4, 2), "domain": "probabilities"}),
    (st.values, {"shape": (3, 400), "dtype": np.float16}),
    (st.ragged, {"features": None, "domain": "unit"}),
]


@pytest.mark.parametrize(("strategy", "options"), WITHIN)
def test_limits_are_within_and_hold(strategy: Any, options: dict[str, Any]) -> None:
    for example in draw(strategy(**options), 60):
        numbers = example.values if isinstance(example, (st.Batch, st.Ragged)) else example
        if isinstance(example, st.Batch):
            assert options.get("min_batch", 1) <= example.size <= options.get("max_batch", 3)
            assert example.time >= options.get("min_time", 1)
            assert example.time <= options.get("max_length", 6) + options.get("max_extra", 2)
            assert (example.lengths >= options.get("min_length", 0)).all()
            assert (example.lengths <= options.get("max_length", 6)).all()
            assert example.padding.side in options.get("sides", ("post", "pre"))
            assert example.lengths.dtype == options.get("lengths_dtype", np.int32)
            numbers = example.values[example.mask]
        if strategy in (st.batches, st.values, st.ragged):
            assert numbers.dtype == options.get("dtype", np.float64)
            assert np.isfinite(numbers).all()
            if options.get("min_value") is not None:
                assert (numbers.astype(np.float64) >= options["min_value"]).all()
            if options.get("max_value") is not None:
                assert (numbers.astype(np.float64) <= options["max_value"]).all()
            if options.get("domain") == "probabilities":
                assert (numbers.sum(axis=-1) == 1.0).all()
                assert (numbers >= 0).all()
            if options.get("domain") == "positive":
                assert (numbers > 0).all()
        if strategy is st.lengths:
            assert options.get("min_batch", 1) <= len(example) <= options.get("max_batch", 3)
            assert example.dtype == options.get("dtype", np.int32)
        if strategy is st.masks:
            assert example.dtype == options.get("dtype", np.bool_)
        if isinstance(example, st.Padding):
            assert example.extra <= options["max_extra"]
            assert example.side in options["sides"]


@pytest.mark.parametrize("name", st.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    documented = getattr(st, name).__doc__ or ""
    assert len(documented) > 80, f"{name} has no documentation to speak of"
    if name in ("batches", "lengths", "masks", "paddings", "ragged", "values"):
        assert "Args:" in documented
        assert "Raises:" in documented


@pytest.mark.parametrize("name", ["batches", "lengths", "masks", "paddings", "ragged", "values"])
def test_every_argument_is_keyword_only_and_described(name: str) -> None:
    import inspect

    strategy = getattr(st, name)
    for parameter in inspect.signature(strategy).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.name in strategy.__doc__, f"{name} does not describe {parameter.name}"


def test_strategies_print_as_the_call_that_made_them() -> None:
    assert repr(st.batches(features=None, max_length=8)) == "batches(features=None, max_length=8)"
