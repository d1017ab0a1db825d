"""The run: deviations in either direction, crashes, interruption, and what goes into JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gradcheck.errors import InputError
from gradcheck.isolation.searches import SearchOutcome
from gradcheck.report import ModeResult
from gradcheck.results.reading import results_of
from gradcheck.variants import catalog, run_variants
from gradcheck.variants import run as run_module
from gradcheck.verdicts import Verdict

pytest.importorskip("tensorflow")


def answered(verdicts, died=()):
    """A stand-in for the workers: verdicts by mode; the modes in ``died`` kill their process."""

    def found(task, mode):
        result = ModeResult(mode, verdicts[mode])
        if mode in died:
            result = ModeResult(mode, Verdict.CRASH, "the process died (SIGSEGV) on this batch")
        expected = tuple(Verdict[name] for name in task.expect[mode])
        result = replace(result, expected=expected)
        return {"result": result.to_dict(), "arguments": "Batch(…)" if mode in died else "", "script": ""}

    def run_searches(tasks, workers, journal):
        for task in tasks:
            yield SearchOutcome(task, {"modes": {mode: found(task, mode) for mode in task.modes}})

    return run_searches


RIGHT = dict.fromkeys(("eager", "graph", "dynamic", "xla"), Verdict.PASS)


@pytest.fixture
def workers(monkeypatch):
    def replace(verdicts, died=()):
        monkeypatch.setattr(run_module, "run_searches", answered(verdicts, died))

    return replace


def run(**options):
    return run_variants(only=["broadcast_range/pooling"], claims=False, **options)


def test_all_as_expected(workers):
    workers(RIGHT)
    result = run()
    assert result.ok
    assert [cell.result.mode for cell in result.cells] == list(RIGHT)
    assert "all 4 verdicts as expected" in result.summary()


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
def test_anything_but_the_expected_verdict_deviates(workers, verdict):
    workers({**RIGHT, "xla": verdict})
    result = run()
    assert [cell.result.mode for cell in result.deviations] == ["xla"]
    assert f"{verdict.value}, expected PASS" in str(result)


def test_an_unexpected_pass_deviates(workers):
    workers(RIGHT)
    result = run_variants(only=["map_fn_range/pooling"], claims=False)
    assert len(result.deviations) == 4
    assert "PASS, expected ERROR" in str(result.deviations[0])
    assert not result.to_dict()["ok"]


def test_a_crash_in_one_mode_costs_only_that_mode(workers):
    workers(RIGHT, died=["xla"])
    result = run()
    assert [cell.result.verdict for cell in result.cells] == [Verdict.PASS] * 3 + [Verdict.CRASH]
    crash = result.cells[-1]
    assert crash.result.cause == "the process died (SIGSEGV) on this batch"
    assert crash.counterexample == "Batch(…)"
    assert result.deviations == (crash,)


def test_json_is_read_back(workers):
    workers({**RIGHT, "graph": Verdict.MISMATCH})
    document = json.loads(json.dumps(run().to_dict()))
    (row,) = results_of(document).rows
    assert row.subject == "broadcast_range/pooling"
    assert row.modes["graph"].verdict is Verdict.MISMATCH
    assert row.modes["graph"].expected == (Verdict.PASS,)
    assert document["results"][0]["modes"]["graph"]["reason"]


def test_an_interrupted_run_keeps_what_it_found(monkeypatch):
    def run_searches(tasks, workers, journal):
        yield from answered(RIGHT)(tasks[:1], workers, journal)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_searches", run_searches)
    result = run_variants(only=["broadcast_range"], claims=False)
    assert result.interrupted
    assert {cell.variant.name for cell in result.cells} == {"broadcast_range/pooling"}
    assert "interrupted" in result.summary()


def test_what_xla_compiles_anew_gets_fewer_examples(monkeypatch):
    seen = []

    def run_searches(tasks, workers, journal):
        seen.extend(tasks)
        yield from answered(RIGHT)(tasks, workers, journal)

    monkeypatch.setattr(run_module, "run_searches", run_searches)
    run_variants(only=["scatter_range/pooling"], claims=False)
    assert [(task.modes, task.max_examples) for task in seen] == [
        (("eager", "graph", "dynamic"), run_module.DEFAULT_EXAMPLES),
        (("xla",), run_module._SLOW_EXAMPLES),
    ]
    seen.clear()
    run_variants(only=["scatter_range/pooling"], claims=False, max_examples=50)
    assert [(task.modes, task.max_examples) for task in seen] == [(("eager", "graph", "dynamic", "xla"), 50)]


@pytest.mark.parametrize(("version", "apart"), [("2.8.4", True), ("2.21.0", False)])
def test_a_mode_that_is_known_to_kill_gets_its_own_process(version, apart):
    (variant,) = [variant for variant in catalog() if variant.name == "map_fn_rows/pooling"]
    tasks = [task.modes for task in run_module._tasks(variant, ("graph", "xla"), None, 0, version)]
    assert tasks == ([("graph",), ("xla",)] if apart else [("graph", "xla")])


def test_progress_counts_variants(workers):
    workers(RIGHT)
    seen = []
    run(progress=lambda name, done, total: seen.append((name, done, total)))
    assert seen[0] == ("starting TensorFlow", 0, 1)
    assert seen[-1] == ("broadcast_range/pooling", 1, 1)


def test_an_error_of_the_harness_is_not_a_verdict(monkeypatch):
    def run_searches(tasks, workers, journal):
        yield SearchOutcome(tasks[0], {}, error="Traceback …")

    monkeypatch.setattr(run_module, "run_searches", run_searches)
    with pytest.raises(RuntimeError, match=r"broadcast_range/pooling:\nTraceback"):
        run()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": ["jit"]}, "unknown mode 'jit'; the modes are eager, graph, dynamic, xla"),
        ({"only": ["nonsense"]}, "no variant has 'nonsense' in its name"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        run_variants(**options)


def test_real_workers(tmp_path, monkeypatch):
    """One variant for real: an expected failure shrunk to two rows of different length, and its script."""
    options = {"only": ["map_fn_range/pooling"], "modes": ["graph"], "max_examples": 10, "claims": False, "workers": 1}
    options["journal"] = tmp_path / "journal"
    result = run_variants(**options)
    (cell,) = result.cells
    assert cell.ok
    assert cell.result.verdict is Verdict.ERROR
    assert "lengths=np.array([0, 1], dtype=np.int32)" in cell.counterexample
    assert "import tensorflow as tf" in cell.script
    assert "import gradcheck" not in cell.script
    assert "earlier run" not in result.summary()
    # From the journal alone: no worker can be started any more.
    monkeypatch.setattr("gradcheck.isolation.pool.Worker.run", None)
    again = run_variants(**options)
    assert again.cells[0].result == cell.result
    assert again.summary().endswith("beside 1 search that an earlier run had finished")
