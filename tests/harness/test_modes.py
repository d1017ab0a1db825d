"""The modes run the subject as they say, engines give the same numbers, and programs are traced once."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict, strategies
from gradcheck.engines.reference import compute_gradient
from gradcheck.execution.modes import EagerExecution, execution
from gradcheck.mode_names import MODES
from gradcheck.subject.adapter import subject_of
from gradcheck.subject.problem import Problem

from .subjects import BATCH, mask_of, masked_mean


def bound(subject, batch=BATCH, **options):
    adapter = subject_of(subject)
    first = Problem.bind(adapter, [batch], wrt="inputs")
    _, layout, read = EagerExecution(first).observe(first.x)
    problem = Problem.bind(adapter, [batch], variables=list(read), **options)
    problem.outputs = layout
    return problem


def scan_sum(values, lengths):
    steps = tf.transpose(values, [1, 0, 2])
    valid = tf.transpose(mask_of(values, lengths), [1, 0, 2]) > 0

    def advance(state, step):
        value, keep = step
        return tf.where(keep, tf.tanh(state + value), state)

    return tf.scan(advance, (steps, valid), initializer=tf.zeros_like(steps[0]))[-1]


def layers():
    # Made once a test: their weights are variables.
    return {
        "gru": tf.keras.layers.GRU(2, return_sequences=True, dtype="float64"),
        "dense": tf.keras.layers.Dense(2, activation="tanh", dtype="float64"),
        "attention": tf.keras.layers.Attention(dtype="float64"),
    }


SUBJECTS = ["masked_mean", "scan_sum", "gru", "dense", "attention"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SUBJECTS)
def test_engines_give_the_numbers_of_compute_gradient(name, mode):
    # Where the layer decides: attention of the values to themselves.
    if name == "attention":
        layer = layers()["attention"]
        subject = lambda values, mask: layer([values, values], mask=[mask, mask])  # noqa: E731
    else:
        subject = {"masked_mean": masked_mean, "scan_sum": scan_sum}.get(name) or layers()[name]
    problem = bound(subject)
    run = execution(problem, mode)
    size = problem.outputs.size
    theoretical, numerical = compute_gradient(run, problem.x)
    assert theoretical.shape == numerical.shape == (size, problem.x.size)
    # The theoretical Jacobian is the same to the last bit, from one dispatch and from one an entry.
    np.testing.assert_array_equal(run.pullback(problem.x, np.eye(size)), theoretical)
    # So is the numerical one, at compute_gradient's own step.
    step = 2.0**-10
    points = np.concatenate([problem.x + step * np.eye(problem.x.size), problem.x - step * np.eye(problem.x.size)])
    plus, minus = np.split(run.evaluate(points), 2)
    np.testing.assert_array_equal(((plus - minus) / (2 * step)).T, numerical)


def test_reference_engine_gives_the_same_verdicts():
    for subject in (masked_mean, scan_sum):
        report = gradcheck.check(subject, BATCH, engine="reference")
        assert {r.verdict for r in report.modes.values()} == {Verdict.PASS}, str(report)
        assert {r.engine for r in report.modes.values()} == {"reference"}


def test_each_mode_is_what_it_says():
    seen = {}

    def subject(values, lengths):
        key = (tf.executing_eagerly(), tuple(values.shape))
        seen.setdefault(key, 0)
        seen[key] += 1
        return masked_mean(values, lengths)

    for mode in MODES:
        seen.clear()
        problem = bound(subject)
        seen.clear()
        execution(problem, mode).forward(problem.x)
        assert set(seen) == {
            {
                "eager": (True, (2, 3, 2)),
                "graph": (False, (2, 3, 2)),
                "dynamic": (False, (None, None, 2)),
                "xla": (False, (2, 3, 2)),
            }[mode]
        }


def test_lengths_are_arguments_and_never_constants():
    seen = []

    def subject(values, lengths):
        seen.append(tf.get_static_value(lengths))
        return masked_mean(values, lengths)

    gradcheck.check(subject, BATCH, modes=("graph", "xla"))
    traced = [value for value in seen if value is None]
    assert traced, "no trace saw lengths without a value"
    assert sum(value is not None for value in seen) == len(seen) - len(traced)


def test_xla_differentiates_loops():
    # tf.test.compute_gradient on a jit-compiled function cannot: its tape stands outside.
    assert gradcheck.check(scan_sum, BATCH, modes="xla")["xla"].verdict is Verdict.PASS


def traces(subject):
    counts = {}
    for (mode, _), programs in subject_of(subject).programs.items():
        counts.setdefault(mode, []).append(dict(programs.traces))
    return counts


def test_a_search_traces_each_program_once():
    def subject(values, lengths):
        return masked_mean(values, lengths)

    result = gradcheck.search(subject, strategies.batches(features=2), max_examples=40, seed=3)
    assert result.ok
    counts = traces(subject)
    assert len(counts["dynamic"]) == 1, "dynamic mode has one trace for every shape"
    for mode, programs in counts.items():
        for program in programs:
            assert set(program.values()) == {1}, (mode, program)
        assert len(programs) <= 6, f"{len(programs)} shapes in {mode} mode"


def test_a_function_made_anew_for_each_example_is_not_traced_anew():
    def once():
        return gradcheck.check(lambda values, lengths: masked_mean(values, lengths), BATCH, modes="graph")

    once()
    kept = dict(subject_of.__globals__["_KEPT"])
    once()
    assert len(subject_of.__globals__["_KEPT"]) == len(kept)


FACTOR = 1.0
HELD = np.array([1.0])


def _factor():
    return 1.0


@tf.custom_gradient
def _square(x):
    return x * x, lambda upstream: upstream * 2.0 * x * FACTOR * _factor() * HELD


def _squared(x):
    return _square(x) + 0.0


class _Squared(tf.Module):
    def __call__(self, x):
        return _square(x) + 0.0


@pytest.mark.parametrize("changed", ["FACTOR", "_factor", "HELD"])
@pytest.mark.parametrize("subject", [_squared, _Squared()], ids=["function", "module"])
def test_what_a_subject_names_may_change_between_checks(changed, subject, monkeypatch):
    """What was compiled and verified for the first check says nothing about the second, whose gradient is wrong."""
    x = np.array([0.5, 1.5])
    assert gradcheck.check(subject, x, modes=("eager", "graph")).ok
    if changed == "HELD":
        HELD[0] = 2.0
    else:
        monkeypatch.setitem(globals(), changed, 2.0 if changed == "FACTOR" else lambda: 2.0)
    try:
        report = gradcheck.check(subject, x, modes=("eager", "graph"))
    finally:
        HELD[0] = 1.0
    verdicts = {mode: result.verdict for mode, result in report.modes.items()}
    assert verdicts == {"eager": Verdict.MISMATCH, "graph": Verdict.MISMATCH}


def test_a_subject_whose_settings_changed_is_traced_anew():
    class Scale:
        def __init__(self):
            self.factor = 2.0

        def __call__(self, values, lengths):
            return masked_mean(self.factor * values, lengths)

    scale = Scale()
    assert gradcheck.check(scale, BATCH).ok
    scale.factor = 3.0
    assert gradcheck.check(scale, BATCH).ok, "the trace with the old factor was used again"


def test_python_control_flow_works_in_every_mode():
    def subject(values, lengths):
        result = values if tf.reduce_sum(values) > 1000.0 else 2 * values
        return masked_mean(result, lengths)

    assert gradcheck.check(subject, BATCH).ok


def test_a_decorated_function_is_executed_eagerly_in_eager_mode():
    seen = []

    @tf.function
    def subject(values, lengths):
        seen.append(tf.executing_eagerly())
        return masked_mean(values, lengths)

    assert gradcheck.check(subject, BATCH, modes=("eager", "graph")).ok
    assert True in seen


def test_a_subject_that_runs_but_not_in_a_loop_is_checked_call_by_call():
    calls = []

    def subject(values, lengths):
        # Fails inside tf.map_fn's body, whose graph has another name; a plain trace is fine.
        graph = tf.compat.v1.get_default_graph()
        calls.append(getattr(graph, "name", ""))
        if "while" in str(getattr(graph, "name", "")) or "body" in str(getattr(graph, "name", "")):
            raise NotImplementedError("not in a loop")
        return masked_mean(values, lengths)

    result = gradcheck.check(subject, BATCH, modes="graph")["graph"]
    assert result.verdict is Verdict.PASS
    assert result.engine == "reference"
    assert any("own call" in note for note in result.notes)


def test_batches_of_other_dtypes_of_lengths():
    for dtype in (np.int32, np.int64):
        batch = Batch(BATCH.values, np.array([3, 1], dtype))
        assert gradcheck.check(masked_mean, batch).ok


def test_what_xla_makes_nan_in_our_loop_only_is_not_reported():
    """0 times infinity is NaN or 0, as XLA's optimizer likes; what counts is the program that a user would run."""

    def root(values, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
        return tf.sqrt(tf.reduce_sum(tf.square(values - 0.5) * mask))

    @tf.function(jit_compile=True)
    def alone(values, lengths, upstream):
        with tf.GradientTape() as tape:
            tape.watch(values)
            output = root(values, lengths)
        return tape.gradient(output, values, output_gradients=upstream)

    batch = gradcheck.Batch(np.zeros((1, 1, 3)), np.array([0], np.int32))
    report = gradcheck.check(root, batch, modes=["eager", "xla"])
    theirs = alone(tf.constant(batch.values), tf.constant(batch.lengths), tf.constant(1.0, tf.float64)).numpy()
    assert report["eager"].verdict is Verdict.NONFINITE
    assert (report["xla"].verdict is Verdict.NONFINITE) == (not np.isfinite(theirs).all())
    assert not any("ENGINES DIFFER" in note for note in report["xla"].notes)


def attention_by_an_added_mask(values, lengths):
    """(1 - mask) * -1e9 added to scores of float32, as much code has it."""
    valid = tf.cast(tf.sequence_mask(lengths, tf.shape(values)[1]), values.dtype)[:, tf.newaxis, :]
    scores = tf.matmul(values, values, transpose_b=True) + (1.0 - valid) * -1e9
    return tf.matmul(tf.nn.softmax(scores), values)


SHORT = Batch(np.array([[[1, 0], [0, 0], [0.5, 2]], [[1, 2], [1, 0], [0, 0]]], np.float32), np.array([3, 2], np.int32))


def test_lengths_are_no_constants_of_the_compiled_loop():
    """TensorFlow 2.8 gives uniform weights where it fuses the mask with the softmax: in a train step it does."""
    step = tf.function(attention_by_an_added_mask, jit_compile=True)
    arguments = tf.constant(SHORT.values), tf.constant(SHORT.lengths)
    differs = float(np.abs(step(*arguments) - attention_by_an_added_mask(*arguments)).max()) > 1e-3
    report = gradcheck.check(attention_by_an_added_mask, SHORT, modes=("eager", "xla"))
    assert report["xla"].verdict is (Verdict.DISAGREEMENT if differs else Verdict.PASS), str(report)
    assert differs == tf.__version__.startswith("2.8.")


def sized_by_lengths(values, lengths):
    longest = tf.reduce_max(lengths)
    weights = tf.cast(tf.range(longest), values.dtype)[tf.newaxis, :, tf.newaxis]
    return tf.reduce_sum(tf.sin(values[:, :longest]) * weights * mask_of(values, lengths)[:, :longest], axis=1)


def test_lengths_that_are_sizes_are_constants_of_every_program():
    adapter = subject_of(sized_by_lengths)
    for batch in (BATCH, SHORT):
        report = gradcheck.check(adapter, batch, modes="xla")
        assert report["xla"].verdict is Verdict.PASS, str(report)
        assert not any("inside a loop" in note for note in report["xla"].notes)
    assert adapter.integers_are_sizes
    # Learned from the first batch: the program for the other one was traced once.
    assert all(program.traces["linearize"] == 1 for program in list(adapter.programs.values())[1:])


@pytest.mark.parametrize("place", ["output", "gradient"])
def test_a_train_step_with_other_numbers_is_no_pass(place, monkeypatch):
    from gradcheck.execution.modes import CompiledExecution

    genuine = CompiledExecution.unlooped

    def wrong(self, x, cotangent):
        value, row = genuine(self, x, cotangent)
        return (value * 1.5, row) if place == "output" else (value, row * 1.5)

    monkeypatch.setattr(CompiledExecution, "unlooped", wrong)

    scale = {"output": 2.0, "gradient": 3.0}[place]  # makes it a subject that nothing is known of yet

    def subject(values, lengths):
        return masked_mean(values, lengths) * scale

    gradcheck.check(subject, BATCH, modes=("graph", "xla"))
    found = gradcheck.check(subject, BATCH, modes=("graph", "xla"))  # and again
    assert found["graph"].verdict is Verdict.PASS
    assert found["xla"].verdict is (Verdict.DISAGREEMENT if place == "output" else Verdict.MISMATCH)
    assert found["xla"].cause.startswith("compiled by itself, as a train step is, ")
    assert "in a loop over many points it is right" in found["xla"].cause
    assert not found.ok


def test_functions_of_other_names_are_other_subjects():
    made = {}
    for name in ("first", "second"):

        def subject(values):
            return tf.square(values)

        subject.__name__ = name
        made[name] = subject
    reports = [gradcheck.check(subject, np.ones(2), modes="eager").subject for subject in made.values()]
    assert reports == ["first", "second"]
