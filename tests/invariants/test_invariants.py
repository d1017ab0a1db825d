"""Each invariant passes the subject that keeps it and finds the one that does not, by name and with the place."""

from __future__ import annotations

import re
import runpy

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, InputError, Padding, Verdict
from gradcheck import strategies as st
from gradcheck.invariants import BY_DEFAULT, INVARIANTS, Chosen, parse_invariants

from . import subjects
from .subjects import PAIRS, Pair

MODES = ("eager", "graph", "dynamic", "xla")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.name}-{pair.wrong.__name__}")
def test_pairs(pair: Pair) -> None:
    options = {"modes": "dynamic", "seed": 0, "invariants": (pair.name,), "max_examples": 25}
    batches = st.batches(features=2, **pair.batch)
    right = gradcheck.search(pair.right, batches, **options)
    assert right.ok, str(right)
    found = gradcheck.search(pair.wrong, batches, **options)["dynamic"]
    assert (found.verdict, found.result.rule) == (pair.verdict, pair.name), str(found.report)
    assert all(word in found.cause for word in pair.words), found.cause
    batch = found.counterexample
    assert batch.size <= pair.most_rows, repr(batch)
    assert batch.time <= pair.most_steps, repr(batch)


BATCH = Batch(np.array([[[1.5, -0.5], [0.25, 2.0]], [[0.75, 1.0], [-1.25, 0.5]]]), np.array([1, 2], np.int32))


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (subjects.counts_zeros, "padding_content"),
        (subjects.by_the_time_axis, "padding_amount"),
        (subjects.masked_and_scaled, "all_true_mask"),
        (subjects.by_the_longest, "row_alone"),
        (subjects.by_the_place, "permutation"),
        (subjects.centred, "rows_independent"),
        (subjects.by_the_longest, "rows_independent"),
        (subjects.logarithm_of_length, "empty_row"),
        (subjects.norm, "empty_row"),
        (subjects.refuses_empty, "empty_row"),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_every_mode_finds_it_and_its_script_shows_it(subject, name, tmp_path) -> None:
    modes = ("graph", "xla") if subject is not subjects.refuses_empty else ("graph",)  # XLA drops assertions
    batch = BATCH.with_fill(0) if name == "padding_content" else BATCH
    report = gradcheck.check(subject, batch, modes=("eager", "dynamic", *modes), padding=False, invariants=name)
    for mode in report.modes:
        assert report[mode].verdict is not Verdict.PASS, str(report)
        assert report[mode].rule == name, str(report)
        assert report[mode].to_dict()["rule"] == name
    path = tmp_path / "script.py"
    for mode in ("eager", "graph"):
        path.write_text(report.scripts[mode])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        tf.config.run_functions_eagerly(False)
        assert ended.value.code == 1, report.scripts[mode]


@pytest.mark.parametrize("subject", [subjects.cumulated, subjects.mean, subjects.optional_lengths, subjects.masked])
def test_right_subjects_keep_all_that_can_be_held(subject) -> None:
    names = [name for name in INVARIANTS if name != "all_true_mask" or subject.__defaults__]
    for batch in (BATCH, Batch(BATCH.values, [0, 2]), Batch(BATCH.values, [2, 2])):
        report = gradcheck.check(subject, batch, invariants=names)
        assert report.ok, str(report)
        assert not any(result.notes for result in report.modes.values()), str(report)


@pytest.mark.parametrize("side", ["pre", "post"])
def test_masks_on_either_side(side) -> None:
    report = gradcheck.check(
        subjects.masked, Batch(BATCH.values, [1, 2], Padding(side)), invariants="all", modes=("eager", "dynamic")
    )
    assert report.ok, str(report)


def test_the_amount_of_padding_is_looked_at_in_compiled_modes_where_it_is_asked_for() -> None:
    batch = Batch(BATCH.values, [1, 2])
    default = gradcheck.check(subjects.by_the_time_axis, batch, modes=("graph", "dynamic"))
    assert [result.rule for result in default.modes.values()] == ["padding_amount", "padding_amount"]
    asked = gradcheck.check(subjects.by_the_time_axis, batch, modes=("graph", "xla"), invariants="padding_amount")
    assert [result.rule for result in asked.modes.values()] == ["padding_amount"] * 2


# -- poison -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf])
def test_poison_must_not_reach_what_is_valid(fill) -> None:
    clean, poisoned = BATCH, BATCH.with_fill(fill)
    assert gradcheck.check(subjects.multiplied, clean).ok
    found = gradcheck.check(subjects.multiplied, poisoned)
    assert {result.verdict for result in found.modes.values()} == {Verdict.NONFINITE}
    assert gradcheck.check(subjects.selected_early, poisoned).ok


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("fill", [np.nan, np.inf, np.finfo(np.float64).max])
@pytest.mark.parametrize("engine", [None, "projected"])
def test_numpy_says_nothing_of_poison(engine, fill) -> None:
    report = gradcheck.check(subjects.selected_early, BATCH.with_fill(fill), engine=engine)
    assert report.ok, str(report)


@pytest.mark.parametrize("engine", [None, "projected"])
def test_poison_in_the_backward_pass_alone(engine) -> None:
    poisoned = BATCH.with_fill(np.nan)
    late = gradcheck.check(subjects.selected_late, poisoned, engine=engine)
    assert {result.rule for result in late.modes.values()} == {"padding_gradient"}, str(late)
    assert "values[row 0, time 1, feature 0], which is padding" in late["xla"].cause
    assert gradcheck.check(subjects.selected_late, BATCH, engine=engine).ok

    # The gradient of the weights is a sum over all steps, and 0 · NaN is in it.
    weighted = gradcheck.check(subjects.Weighted(), poisoned, engine=engine)
    for mode in MODES:
        assert weighted[mode].verdict is Verdict.NONFINITE, str(weighted)
        assert "variable" in weighted[mode].cause
    assert gradcheck.check(subjects.Weighted(), BATCH, engine=engine).ok


def test_a_search_with_poison_finds_and_shrinks_it() -> None:
    found = gradcheck.search(
        subjects.selected_late, st.batches(features=1, poison=True), modes="xla", seed=3, max_examples=60
    )["xla"]
    # A fill of NaN leaks; one that is finite, and whose square is not, makes the gradient NaN.
    expected = {(Verdict.PADDING_LEAK, "padding_gradient"), (Verdict.NONFINITE, "")}
    assert (found.verdict, found.result.rule) in expected
    assert found.counterexample.values.shape == (1, 1, 1)
    assert not (np.abs(found.counterexample.values) < 1e150).all()


# -- what stays the same while shrinking, and large Jacobians ------------------------------------------------------


def test_an_invariant_of_rows_is_not_called_padding() -> None:
    report = gradcheck.check(subjects.centred, BATCH, modes="dynamic", padding=False, invariants="rows_independent")
    text = " ".join(str(report).split())
    assert "does not keep the invariant rows_independent, which was asked for: no output of one row depends on" in text
    assert "padding, or how much" not in text
    assert "Mask the padded steps" not in text


def test_shrinking_keeps_the_invariant() -> None:
    # Row 1 beside row 0 breaks two invariants; a smaller batch breaks the other one.
    result = gradcheck.search(
        subjects.by_the_longest, st.batches(features=1), modes="dynamic", seed=1, invariants=("rows_independent",)
    )
    found = result["dynamic"]
    assert found.result.rule == "rows_independent"
    again = gradcheck.check(
        subjects.by_the_longest, found.counterexample, modes="dynamic", invariants="row_alone, rows_independent"
    )
    assert not again.ok
    assert found.case.rule == "rows_independent"
    assert found.case.options == {"invariants": ["rows_independent"]}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (subjects.everything, "padding_gradient"),
        (subjects.centred, "rows_independent"),
        (subjects.by_the_place, "permutation"),
        (subjects.norm, "empty_row"),
        (subjects.mean, None),
    ],
)
def test_along_random_directions_too(subject, name) -> None:
    report = gradcheck.check(subject, BATCH, modes="graph", engine="projected", invariants=name)
    assert report["graph"].rule == (name or ""), str(report)
    assert report["graph"].engine == "projected"
    if name and name != "permutation":
        assert report["graph"].entry is not None


# -- names ----------------------------------------------------------------------------------------------------------


def test_names() -> None:
    assert parse_invariants(None) == Chosen(BY_DEFAULT)
    assert parse_invariants(None, padding=False).names == ()
    assert parse_invariants("all").names == tuple(INVARIANTS)
    assert parse_invariants("row_alone, permutation", padding=False) == Chosen(
        ("row_alone", "permutation"), frozenset({"row_alone", "permutation"})
    )
    assert parse_invariants(["permutation"]).names == (*BY_DEFAULT, "permutation")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rows", "'rows' is not an invariant. The invariants are padding_gradient, padding_content, "),
        ("row_along", "'row_along' is not an invariant. Did you mean 'row_alone' (each row alone, without its padding"),
        (("row_alone", 3), "3 is not an invariant"),
        (3, "invariants must be names, such as ('row_alone', 'permutation'); got 3"),
    ],
)
def test_wrong_names(given, words) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        gradcheck.check(subjects.mean, BATCH, invariants=given)


@pytest.mark.parametrize(
    ("subject", "args", "name", "words"),
    [
        (subjects.mean, [BATCH], "all_true_mask", "mean cannot be called without its lengths"),
        (tf.abs, [BATCH], "empty_row", "takes neither lengths nor a mask"),
        (tf.abs, [BATCH.values], "permutation", "the arguments are no gradcheck.Batch"),
    ],
)
def test_what_cannot_be_held(subject, args, name, words) -> None:
    with pytest.raises(InputError, match=f"invariant '{name}' cannot be held: .*{words}"):
        gradcheck.check(subject, *args, invariants=name)
    assert gradcheck.check(subject, *args, modes="eager").ok


def test_a_call_that_is_given_none_for_the_mask() -> None:
    def call(subject, values, mask):
        return subject(values, mask)

    assert gradcheck.check(subjects.masked, BATCH, call=call, invariants="all_true_mask", modes=("eager", "graph")).ok
    wrong = gradcheck.check(subjects.masked_and_scaled, BATCH, call=call, invariants="all_true_mask", modes="graph")
    assert wrong["graph"].rule == "all_true_mask"


def test_without_an_axis_of_rows_there_is_nothing_to_compare() -> None:
    report = gradcheck.check(subjects.sum_of_squares, BATCH, modes="eager", invariants="row_alone")
    assert report.ok
    assert report["eager"].notes == ("row_alone: no output has an axis of rows, so there was nothing to compare",)


def _attention_in_float32(values, lengths):
    """Casts to float32 inside, so that its rounding is of that size although float64 comes and goes."""
    inner = tf.cast(values, tf.float32)
    mask = tf.sequence_mask(lengths, tf.shape(values)[1])[..., tf.newaxis]
    weights = tf.nn.softmax(tf.where(mask, inner, -1e9), axis=1) * tf.cast(mask, tf.float32)
    pooled = tf.math.divide_no_nan(tf.reduce_sum(weights * inner, 1), tf.reduce_sum(weights, 1))
    return 3.3 * tf.cast(pooled, values.dtype)


def _leaking_attention_in_float32(values, lengths):
    return _attention_in_float32(values, lengths) + 1e-4 * tf.reduce_sum(values, 1)


def test_float32_inside_is_no_leak_and_hides_none() -> None:
    batches = st.batches(features=2, max_batch=3, max_length=4, min_value=-3, max_value=3)
    options = {"modes": ("eager", "graph"), "max_examples": 25}
    for seed in (0, 1):
        right = gradcheck.search(_attention_in_float32, batches, seed=seed, **options)
        assert right.ok, str(right)
    wrong = gradcheck.search(_leaking_attention_in_float32, batches, seed=0, **options)
    assert wrong["graph"].verdict is Verdict.PADDING_LEAK, str(wrong)


@pytest.mark.parametrize("fill", [0.0, -1.5])
def test_a_row_that_is_masked_altogether_in_float32(fill) -> None:
    def weights(values, mask):
        kept = tf.cast(mask, values.dtype)
        return tf.nn.softmax(tf.where(mask, tf.reduce_sum(values, -1), tf.constant(-1e9, values.dtype)), -1), kept

    def right(values, mask):
        softmax, kept = weights(values, mask)
        return tf.einsum("bt,btf->bf", softmax * kept, values * kept[..., tf.newaxis])

    def averages_the_padding(values, mask):
        return tf.einsum("bt,btf->bf", weights(values, mask)[0], values)

    batch = Batch(np.full((2, 4, 2), 0.5, np.float32), np.array([0, 2], np.int32), Padding("post")).with_fill(fill)
    modes = ("eager", "graph", "dynamic", "xla")
    assert gradcheck.check(right, batch, modes=modes).ok
    report = gradcheck.check(averages_the_padding, batch, modes=modes)
    assert {report[mode].verdict for mode in modes} == {Verdict.PADDING_LEAK}, str(report)


def test_a_mode_that_computes_something_else_does_not_leak():
    """Outputs that are 0 hide that eager mode, which knows the number of steps, heeds the mask."""

    def total(values, lengths):
        steps = values.shape[1]
        mask = (
            tf.ones_like(values) if steps is None else tf.sequence_mask(lengths, steps, values.dtype)[..., tf.newaxis]
        )
        return tf.reduce_sum(values * mask, axis=1)

    zeros = Batch(np.zeros((1, 2, 2)), np.array([1], np.int32))
    found = gradcheck.check(total, zeros, modes="dynamic")["dynamic"]
    assert found.verdict is Verdict.DISAGREEMENT
    assert "in eager mode; on the batch itself" in found.cause


def rotated(values, lengths):
    """The real part of what is imaginary: 0 but for the roundings of two Fourier transforms."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    steps_last = tf.cast(tf.transpose(values * mask, [0, 2, 1]), tf.complex128)
    turned = tf.signal.ifft(tf.signal.fft(steps_last) * tf.constant(1j, tf.complex128))
    return tf.math.real(turned)


def through_few_bits(values, lengths):
    """The cotangent goes through float16 as the values do: weights of many bits come back rounded."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return tf.cast(tf.cast(values, tf.float16), values.dtype) * mask


@pytest.mark.parametrize(
    ("subject", "batch"),
    [
        (rotated, Batch(np.zeros((1, 6, 3)), [1], Padding(extra=5))),
        (rotated, Batch(np.zeros((2, 6, 3)), [0, 1], Padding(extra=5))),
        (through_few_bits, Batch(np.full((1, 1, 3), 2.0**-20), [1])),
    ],
)
def test_roundings_of_the_backward_pass_are_no_leak(subject, batch) -> None:
    report = gradcheck.check(subject, batch, modes=("eager", "graph", "dynamic"))
    assert all(result.verdict is not Verdict.PADDING_LEAK for result in report.modes.values()), str(report)


def _masked(values, lengths):
    return values * tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]


def last_first(values, lengths):
    """What `go_backwards` returns: the sums from the last step on, that of the last step first."""
    return tf.cumsum(tf.reverse(_masked(values, lengths), [1]), axis=1)


def by_the_steps(values, lengths):
    return last_first(values, lengths) / tf.cast(tf.shape(values)[1], values.dtype)


def forwards_by_the_steps(values, lengths):
    return _masked(values, lengths) / tf.cast(tf.shape(values)[1], values.dtype)


@pytest.mark.parametrize("lengths", [[2, 2], [1, 2], [0, 2]])
def test_outputs_in_reverse_order_of_steps_are_told_as_such(lengths) -> None:
    batch = Batch(np.array([[[1.5], [0.25]], [[0.75], [-1.25]]]), np.array(lengths, np.int32))
    found = gradcheck.check(last_first, batch, modes="dynamic")["dynamic"]
    assert found.verdict is Verdict.PADDING_LEAK, found
    assert "so the outputs come in reverse (go_backwards)" in found.cause
    turned = gradcheck.check(
        lambda values, lengths: tf.reverse(last_first(values, lengths), [1]), batch, modes="dynamic"
    )
    assert turned.ok, str(turned)
    for wrong in (by_the_steps, forwards_by_the_steps):
        found = gradcheck.check(wrong, batch, modes="dynamic")["dynamic"]
        assert found.verdict is Verdict.PADDING_LEAK
        assert "reverse" not in found.cause
