"""What the strategies draw, how often, in how few shapes, and to what it shrinks."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis.errors import NoSuchExample

from gradcheck import strategies as st
from gradcheck.strategies import Batch, Padding, describe
from gradcheck.strategies._genome import Genome, rare_width, table
from gradcheck.strategies._numbers import generic_pool, permutation, simple_pool
from gradcheck.strategies._shapes import kept_rows

QUIET = {"database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


def draw(strategy: Any, examples: int, number: int = 0) -> list[Any]:
    drawn: list[Any] = []

    @seed(number)
    @settings(max_examples=examples, phases=(Phase.generate,), **QUIET)  # type: ignore[arg-type]
    @given(strategy)
    def collect(example: Any) -> None:
        drawn.append(example)

    collect()
    return drawn


def minimal(accepts: Callable[[Batch], bool], number: int = 1, **options: Any) -> Batch:
    found = find(
        st.batches(**options),
        accepts,
        settings=settings(max_examples=400, phases=(Phase.generate, Phase.shrink), **QUIET),  # type: ignore[arg-type]
        random=random.Random(number),
    )
    assert isinstance(found, Batch)
    return found


def test_every_class_of_batch_is_drawn_in_two_hundred_examples() -> None:
    """The phrases of `describe` that the defaults can reach, each in at least 2 of 200 examples."""
    expected = {
        "batch: one row",
        "batch: time axis of 1",
        *(
            f"lengths: {word}"
            for word in (
                "has 0",
                "all 0",
                "has 1",
                "all 1",
                "all full",
                "some as long as the time axis",
                "all equal",
                "duplicates",
                "ascending",
                "descending",
                "one far longer",
                "longest below the time axis",
            )
        ),
        "padding: none",
        "padding: post",
        "padding: pre",
        "padding: no extra columns",
        "padding: 1 extra column",
        "padding: 2 or more extra columns",
        "padding: filled with zero",
        "padding: filled with another number",
        "padding: filled with mixed",
        "values: generic",
        "values: all zero",
        "values: a row of zeros",
        "values: an exact zero",
        "values: a tie between steps",
        "values: a tie within a step",
        "values: equal rows",
        "values: a constant row",
        "values: tiny",
        "values: huge",
    }
    met: Counter[str] = Counter()
    for number in range(3):
        for batch in draw(st.batches(), 200, number):
            met.update(describe(batch))
    missing = {phrase for phrase in expected if met[phrase] < 6}
    assert not missing
    assert met["padding: filled with NaN"] == met["padding: filled with Inf"] == 0


def test_poison_draws_nan_and_infinities_into_the_padding_only() -> None:
    batches = draw(st.batches(poison=True, dtype=np.float32), 300)
    met = Counter(phrase for batch in batches for phrase in describe(batch))
    assert met["padding: filled with NaN"] > 5
    assert met["padding: filled with Inf"] > 5
    assert any(batch.padding.fill == np.finfo(np.float32).max for batch in batches)
    assert all(np.isfinite(batch.values[batch.mask]).all() for batch in batches)


def test_a_search_draws_few_shapes() -> None:
    """Each is a compilation in every mode. Five: the menu's four, and now and then one of the shrinker's."""
    for number in range(10):
        shapes = {batch.values.shape for batch in draw(st.batches(), 100, number)}
        assert len(shapes) <= 5, shapes


@pytest.mark.parametrize("most", [{"max_batch": 20}, {"max_batch": 300, "features": 1}, {"max_length": 400}])
def test_large_batches_are_drawn_whole(most: dict[str, int]) -> None:
    """The codes by which the shrinker cuts a batch are more for a large one, and must stay rare."""
    rows, steps = most.get("max_batch", 3), most.get("max_length", 6)
    shapes = Counter(batch.values.shape[:2] for batch in draw(st.batches(**most), 60))  # type: ignore[arg-type]
    assert shapes[rows, steps] > 12, shapes
    assert len(shapes) <= 5, shapes


def test_most_values_are_generic() -> None:
    """Generic: no zero, no ties, no opposites, nothing within 1/32 of a kink at 0, or on one at ±½ or ±1."""
    generic = 0
    batches = [batch for batch in draw(st.batches(), 300) if batch.values[batch.mask].size]
    for batch in batches:
        valid = batch.values[batch.mask].reshape(-1)
        size = np.abs(valid)
        generic += bool(size.min() >= 1 / 32 and len(set(size.tolist())) == len(size) and (valid * 8 % 1 != 0).all())
    share = generic / len(batches)
    assert 0.5 < share < 0.85, share


def test_a_time_axis_of_three_is_drawn() -> None:
    """Windows and strides of two leave a step over there; one step alone is another matter."""
    times = Counter(batch.values.shape[1] for batch in draw(st.batches(), 200))
    assert times[3] >= 10, times


def test_equal_rows_are_drawn() -> None:
    """Two rows of the same steps that are not all zero: where a distance, a determinant or a maximum is singular."""
    equal = 0
    for batch in draw(st.batches(), 200):
        rows = [batch.sequence(row) for row in range(len(batch.lengths))]
        pairs = [(a, b) for n, a in enumerate(rows) for b in rows[:n]]
        equal += any(a.size and a.any() and np.array_equal(a, b) for a, b in pairs)
    assert equal >= 5, equal


def test_generic_matrices_have_full_rank() -> None:
    """Regular patterns would be singular matrices, which no layer promises anything about."""
    deficient = 0
    for batch in draw(st.batches(singular=False, min_batch=3, min_length=6, max_extra=0), 60):
        deficient += any(np.linalg.matrix_rank(row) < 3 for row in batch.values if row.any() and len(set(row.flat)) > 9)
    assert deficient <= 1


@pytest.mark.parametrize(
    ("limits", "dtype", "size"),
    [
        ((-2.0, 2.0), "float64", 54),
        ((-2.0, 2.0), "float16", 500),
        ((0.0, 1e6), "float32", 60),
        ((3.0, 5.0), "float64", 9),
    ],
)
def test_generic_numbers_are_distinct_representable_and_within(limits: Any, dtype: str, size: int) -> None:
    pool = generic_pool(*limits, np.dtype(dtype), size)
    assert len(np.unique(pool)) == len(pool) >= size
    np.testing.assert_array_equal(pool.astype(dtype).astype(np.float64), pool)
    assert pool.min() > limits[0]
    assert pool.max() < limits[1]
    assert not set(pool.tolist()) & set((-pool).tolist())


def test_simple_numbers_come_in_the_order_people_expect() -> None:
    assert simple_pool(-2.0, 2.0, np.dtype(np.float64))[:5] == (0.0, 1.0, 0.5, -1.0, 2.0)
    assert simple_pool(0.7, 0.9, np.dtype(np.float64))[0] == 0.75
    assert simple_pool(3.0, 3.0, np.dtype(np.float64)) == (3.0,)


def test_permutations_do_not_change_between_versions() -> None:
    assert permutation(0, 6).tolist() == [0, 3, 1, 2, 4, 5]
    assert permutation(7, 8).tolist() == [6, 3, 4, 1, 5, 7, 0, 2]
    assert len({tuple(permutation(number, 6)) for number in range(200)}) > 120


def test_rows_are_dropped_from_either_end() -> None:
    assert [kept_rows(code, 3, 1) for code in range(8)] == [
        [0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2], [0, 1, 2],
    ]  # fmt: skip
    assert kept_rows(0, 3, 2) == [0, 1]
    assert kept_rows(0, 0, 1) == []


def test_the_greater_of_two_bytes_reaches_every_small_code_from_either() -> None:
    assert Genome(bytes([0, 5])).rare(1) == Genome(bytes([5, 0])).rare(1) == 5
    assert Genome(bytes([0, 0, 1, 2])).rare(2) == Genome(bytes([1, 2, 0, 3])).rare(2) == 258


def test_a_code_that_only_shrinking_should_use_is_rare() -> None:
    assert [rare_width(codes) for codes in (0, 6, 12, 13, 3276, 3277)] == [1, 1, 1, 2, 2, 3]


def test_a_table_has_every_name_in_order() -> None:
    names = table({"plain": 1000, "rare": 1, "last": 1})
    assert len(names) == 256
    assert list(dict.fromkeys(names)) == ["plain", "rare", "last"]


SHRUNK = [
    ("anything", lambda b: True, Batch(np.zeros((1, 1, 3)), [0]), {}),
    ("a valid step", lambda b: b.longest > 0, Batch(np.zeros((1, 1, 3)), [1]), {}),
    ("no empty row", lambda b: b.size > 1 and b.lengths.min() > 0, Batch(np.zeros((2, 1, 3)), [1, 1]), {}),
    ("ascending", lambda b: b.size > 1 and b.lengths[0] < b.lengths[1], Batch(np.zeros((2, 1, 3)), [0, 1]), {}),
    ("descending", lambda b: b.size > 1 and b.lengths[0] > b.lengths[1], Batch(np.zeros((2, 1, 3)), [1, 0]), {}),
    ("a length of 4", lambda b: 4 in b.lengths, Batch(np.zeros((1, 4, 3)), [4]), {}),
    (
        "pre, two extra",
        lambda b: b.padding.side == "pre" and b.padding.extra > 1 and b.longest > 0,
        Batch(np.zeros((1, 3, 3)), [1], Padding("pre")),
        {},
    ),
    (
        "NaN",
        lambda b: bool(np.isnan(b.values).any()) and b.lengths.min() > 0,
        Batch(np.zeros((1, 2, 3)), [1]).with_fill(np.nan),
        {"poison": True},
    ),
    ("not zero", lambda b: bool(b.values[b.mask].all()) and b.longest > 0, Batch(np.ones((1, 1, 3)), [1]), {}),
    (
        "neither 0 nor 1",
        lambda b: b.longest > 0 and bool((b.values[b.mask] % 1).all()),
        Batch(np.full((1, 1, 3), 0.5), [1]),
        {},
    ),
    ("equal rows", lambda b: b.size > 1 and b.lengths[0] == b.lengths[1] == 2, Batch(np.zeros((2, 2, 3)), [2, 2]), {}),
    ("twice as long", lambda b: b.longest > 0 and b.time == 2 * b.longest, Batch(np.zeros((1, 2, 3)), [1]), {}),
    ("7 rows of 12", lambda b: b.size > 6, Batch(np.zeros((7, 1, 3)), [0] * 7), {"max_batch": 12}),
    ("10 rows, none empty", lambda b: b.size > 9 and b.lengths.min() > 0, Batch(np.zeros((10, 1, 3)), [1] * 10), {
        "max_batch": 20,
    }),
    ("15 rows", lambda b: b.size > 14, Batch(np.zeros((15, 1, 3)), [0] * 15), {"max_batch": 20}),
    ("an empty row", lambda b: 0 in b.lengths, Batch(np.zeros((1, 1, 3)), [0]), {"max_batch": 20}),
    ("30 steps", lambda b: b.longest > 29, Batch(np.zeros((1, 30, 1)), [30]), {"max_length": 400, "features": 1}),
    ("minimal limits", lambda b: True, Batch(np.full((2, 4), 3.0, np.float32), [4, 4]), {
        "features": None, "min_batch": 2, "min_length": 4, "min_value": 3.0, "dtype": np.float32,
    }),
]  # fmt: skip


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("name", "accepts", "expected", "options"), SHRUNK, ids=[case[0] for case in SHRUNK])
def test_shrinks_to_the_known_minimum(
    name: str, accepts: Callable[[Batch], bool], expected: Batch, options: dict[str, Any], number: int
) -> None:
    assert repr(minimal(accepts, number, **options)) == repr(expected)


def test_what_cannot_be_drawn_is_not_drawn() -> None:
    """That the tests above can fail."""
    with pytest.raises(NoSuchExample):
        minimal(lambda batch: bool(np.isnan(batch.values).any()))
    with pytest.raises(NoSuchExample):
        minimal(lambda batch: 0 in batch.lengths, min_length=1)
    with pytest.raises(NoSuchExample):
        minimal(lambda batch: bool((np.abs(batch.values[batch.mask]) > 2).any()), min_value=-2.0, max_value=2.0)


def test_padding_that_looks_like_data_stays_so_when_the_values_are_simple() -> None:
    batch = minimal(lambda batch: batch.padding.fill is None)
    assert batch.lengths.tolist() == [0]
    assert batch.time == 1
    assert len(set(batch.values.flat)) == 3


def test_masks_have_holes_only_when_asked() -> None:
    def holed(mask: np.ndarray[Any, Any]) -> bool:
        return any(np.diff(np.flatnonzero(row)).max(initial=1) > 1 for row in mask)

    assert not any(map(holed, draw(st.masks(), 200)))
    assert sum(map(holed, draw(st.masks(holes=True), 200))) > 20


def test_paddings_reach_all_sides_and_fills() -> None:
    drawn = draw(st.paddings(poison=True, max_extra=3), 300)
    assert {padding.side for padding in drawn} == {"post", "pre"}
    assert {padding.extra for padding in drawn} == {0, 1, 2, 3}
    fills = {repr(padding.fill) for padding in drawn}
    assert fills == {
        "0.0",
        "-1.0",
        "3.0",
        "-3.0",
        "64.0",
        "None",
        "nan",
        "inf",
        "-inf",
        repr(float(np.finfo(float).max)),
    }
    assert set(draw(st.paddings(fills=("zero",), sides=("post",), max_extra=0), 50)) == {Padding()}


def test_ids_stay_ids_in_the_padding() -> None:
    for batch in draw(st.batches(features=None, dtype=np.int32, min_value=0, max_value=9), 100):
        assert batch.values.min() >= 0
        assert batch.values.max() <= 9


def test_values_take_a_strategy_of_shapes() -> None:
    from hypothesis.extra.numpy import array_shapes

    arrays = draw(st.values(shape=array_shapes(max_dims=3, max_side=4)), 100)
    assert {array.ndim for array in arrays} == {1, 2, 3}


def _modules_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_strategies_do_not_import_tensorflow() -> None:
    loaded = _modules_after("from gradcheck import strategies; strategies.batches()")
    assert "hypothesis" in loaded
    assert not {"tensorflow", "keras"} & loaded


def test_that_the_test_above_can_fail() -> None:
    fake = "import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')"
    code = f"{fake}\nfrom gradcheck import strategies"
    assert "tensorflow" in _modules_after(code)
