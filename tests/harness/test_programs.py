"""How often the subject is traced, compiled and run: counts, never times."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Verdict, strategies
from gradcheck.engines.jacobians import Cost, is_large
from gradcheck.engines.projected import certain, missed
from gradcheck.execution import modes
from gradcheck.execution.modes import EagerExecution, execution
from gradcheck.searching.shape_budget import MOST_SHAPES, ShapeBudget
from gradcheck.subject.adapter import subject_of
from gradcheck.subject.problem import Problem

from .subjects import BATCH, longest_rows_wrong, masked_mean


def bound(subject, batch=BATCH):
    adapter = subject_of(subject)
    problem = Problem.bind(adapter, [batch], wrt="inputs")
    _, problem.outputs, _ = EagerExecution(problem).observe(problem.x)
    return problem


def programs(subject, mode):
    return [found for (other, _), found in subject_of(subject).programs.items() if other == mode]


@pytest.mark.parametrize("mode", ["graph", "dynamic", "xla"])
def test_pieces_give_the_same_as_the_whole(mode, monkeypatch):
    def subject(values, lengths):
        return masked_mean(values, lengths)

    problem = bound(subject)
    size = problem.outputs.size
    random = np.random.default_rng(0)
    points, cotangents = problem.x + random.normal(size=(23, problem.x.size)), random.normal(size=(23, size))
    whole = execution(problem, mode)
    expected = whole.evaluate(points), *whole.linearize(points, cotangents)
    subject_of(subject).programs.clear()
    monkeypatch.setattr(modes, "_DISPATCH_VALUES", 5 * 2 * (problem.x.size + size))
    pieces = execution(problem, mode)
    assert pieces._room("linearize", 23) == 5
    found = pieces.evaluate(points), *pieces.linearize(points, cotangents)
    for one, two in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_under_xla_a_recurrent_layer_of_another_mask_is_no_new_program():
    layer = tf.keras.layers.GRU(2, dtype="float64")
    layer(BATCH.values, mask=BATCH.mask)  # builds it
    first = bound(layer)
    run = execution(first, "xla")
    run.pullback(first.x, np.eye(first.outputs.size))
    other = bound(layer, Batch(BATCH.values[::-1], np.array([1, 3], np.int32)))
    again = execution(other, "xla")
    assert again.programs is run.programs
    # What the loop hands on is no constant of the program: TensorFlow's own analysis finds nothing to fold.
    assert run.programs._hidden() == [0]
    again.pullback(other.x, np.eye(first.outputs.size))
    assert run.programs.traces == {"linearize": 1}


def test_eager_mode_observes_each_batch_of_a_search_once():
    calls = []

    def subject(values, lengths):
        if tf.executing_eagerly():
            calls.append(values.numpy().tobytes())
        return masked_mean(values, lengths)

    gradcheck.search(subject, strategies.batches(features=1), modes=("graph", "dynamic"), max_examples=10, seed=1)
    batches = len(set(calls))
    calls_of_one_mode = len(calls)
    calls.clear()
    gradcheck.search(subject, strategies.batches(features=1), modes="graph", max_examples=10, seed=1)
    # Dynamic mode looks at more padding, once in eager mode for the layout, and at nothing else.
    assert calls_of_one_mode <= len(calls) + batches


def test_shrinking_compiles_few_shapes():
    def subject(values, lengths):
        return longest_rows_wrong(values, lengths)

    result = gradcheck.search(subject, strategies.batches(features=1), modes="graph", seed=1)
    found = result["graph"]
    assert found.verdict is Verdict.MISMATCH
    assert sorted(found.counterexample.lengths.tolist()) == [0, 1]
    assert len(programs(subject, "graph")) <= MOST_SHAPES
    assert found.script, "the report is that of the mode itself"


def test_a_failure_of_one_mode_only_keeps_to_the_budget():
    def subject(values, lengths):
        # Two rows of different lengths, and only where sizes are static: dynamic mode does not show it.
        if tf.executing_eagerly() or values.shape[1] is None:
            return masked_mean(2 * values, lengths)
        return longest_rows_wrong(values, lengths)

    result = gradcheck.search(subject, strategies.batches(features=1), modes=("dynamic", "graph"), seed=1)
    assert result["dynamic"].verdict is Verdict.PASS
    assert result["graph"].verdict is Verdict.MISMATCH
    # And one for another amount of padding, which is tried once in a search.
    assert len(programs(subject, "graph")) <= MOST_SHAPES + 1
    assert result["graph"].counterexample.size == 2


def test_the_budget_keeps_the_last_shapes_for_small_ones():
    budget = ShapeBudget("graph")

    def batch(rows, steps):
        return Batch(np.zeros((rows, steps, 1)), np.full(rows, steps, np.int32))

    for steps in range(1, 5):
        budget.add(batch(3, steps))
    assert budget.knows(batch(3, 2))
    assert not budget.affords(batch(3, 6))
    assert budget.affords(batch(2, 1))
    budget.add(batch(2, 1))
    budget.add(batch(1, 2))
    assert not budget.affords(batch(1, 1))
    assert ShapeBudget("dynamic").knows(batch(9, 9)), "one trace serves every shape"


def test_the_cost_model_depends_on_the_sizes_alone():
    assert not is_large(200, 100)
    assert not is_large(500, 500)
    assert is_large(700, 700), "seconds of judging"
    assert is_large(30_000, 30_000)
    assert is_large(10, 1 << 20), "too many cotangents"
    assert is_large(1 << 20, 1)
    one, many = Cost.of_directions(1000, 1000), Cost.of_directions(10**6, 10**6)
    assert one.evaluations == many.evaluations
    assert one.pullbacks == many.pullbacks


def test_how_often_random_directions_miss_an_error_is_no_more_than_stated():
    random = np.random.default_rng(0)

    def weights(*shape):
        return random.uniform(0.5, 1.5, shape) * random.choice((-1.0, 1.0), shape)

    # An error in every entry that cancels as well as it can, and one pair of a direction and a cotangent.
    error = np.outer([1.0, -1.0], [1.0, -1.0])
    u, v = weights(20_000, 2), weights(20_000, 2)
    projections = np.abs(np.einsum("ki,ij,kj->k", v, error, u))
    for bound in (0.01, 0.05, 0.2):
        assert (projections <= bound).mean() <= missed(1.0, bound=bound, pairs=1)
    assert missed(0.5, bound=1.0) == 1.0
    size = certain(1e-9, probability=1e-6)
    assert missed(size, bound=1e-9) == pytest.approx(1e-6, rel=0.01)
    # A single wrong entry shows in every projection with at least a quarter of its error.
    assert (np.abs(u[:, 0] * v[:, 0]) >= 0.25).all()


def test_the_report_says_what_random_directions_could_have_missed():
    result = gradcheck.check(tf.sin, np.linspace(-1, 1, 30_000), modes="graph")["graph"]
    assert result.engine == "projected"
    (note,) = [note for note in result.notes if "random directions" in note]
    assert "passes with a probability of at most 1e-06" in note
