"""The run: deviations in either direction, crashes, interruption, and what goes into JSON."""

from __future__ import annotations

import json

import pytest

from gradcheck.errors import InputError
from gradcheck.report import ModeResult
from gradcheck.results import rows_of
from gradcheck.variants import catalog, run_variants
from gradcheck.variants import run as run_module
from gradcheck.variants.jobs import Answer, Job, run_jobs
from gradcheck.verdicts import Verdict

pytest.importorskip("tensorflow")


def answered(verdicts, died=()):
    """A stand-in for the workers: verdicts by mode; jobs with one of the modes in ``died`` kill their process."""

    def run_jobs(jobs, workers):
        for job in jobs:
            if set(job.modes) & set(died):
                yield Answer(job, None, "the process died (SIGSEGV)", "Batch(…)")
                continue
            yield Answer(
                job,
                {
                    mode: {
                        "result": ModeResult(mode, verdicts[mode]).to_dict(),
                        "counterexample": "",
                        "script": "",
                    }
                    for mode in job.modes
                },
            )

    return run_jobs


RIGHT = dict.fromkeys(("eager", "graph", "dynamic", "xla"), Verdict.PASS)


@pytest.fixture
def workers(monkeypatch):
    def replace(verdicts, died=()):
        monkeypatch.setattr(run_module, "run_jobs", answered(verdicts, died))

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
    (row,) = rows_of(document)
    assert row.subject == "broadcast_range/pooling"
    assert row.modes["graph"].verdict is Verdict.MISMATCH
    assert row.modes["graph"].expected == (Verdict.PASS,)
    assert document["results"][0]["modes"]["graph"]["reason"]


def test_an_interrupted_run_keeps_what_it_found(monkeypatch):
    def run_jobs(jobs, workers):
        yield from answered(RIGHT)(jobs[:1], workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_jobs", run_jobs)
    result = run_variants(only=["broadcast_range"], claims=False)
    assert result.interrupted
    assert {cell.variant.name for cell in result.cells} == {"broadcast_range/pooling"}
    assert "interrupted" in result.summary()


def test_what_xla_compiles_anew_gets_fewer_examples(monkeypatch):
    seen = []

    def run_jobs(jobs, workers):
        seen.extend(jobs)
        yield from answered(RIGHT)(jobs, workers)

    monkeypatch.setattr(run_module, "run_jobs", run_jobs)
    run_variants(only=["scatter_range/pooling"], claims=False)
    assert [(job.modes, job.max_examples) for job in seen] == [
        (("eager", "graph", "dynamic"), run_module.DEFAULT_EXAMPLES),
        (("xla",), run_module._SLOW_EXAMPLES),
    ]
    seen.clear()
    run_variants(only=["scatter_range/pooling"], claims=False, max_examples=50)
    assert [(job.modes, job.max_examples) for job in seen] == [(("eager", "graph", "dynamic", "xla"), 50)]


@pytest.mark.parametrize(("version", "apart"), [("2.8.4", True), ("2.21.0", False)])
def test_a_mode_that_is_known_to_kill_gets_its_own_process(version, apart):
    (variant,) = [variant for variant in catalog() if variant.name == "map_fn_rows/pooling"]
    jobs = [job.modes for job in run_module._jobs(variant, ("graph", "xla"), None, 0, version)]
    assert jobs == ([("graph",), ("xla",)] if apart else [("graph", "xla")])


def test_progress_counts_variants(workers):
    workers(RIGHT)
    seen = []
    run(progress=lambda name, done, total: seen.append((name, done, total)))
    assert seen[0] == ("starting TensorFlow", 0, 1)
    assert seen[-1] == ("broadcast_range/pooling", 1, 1)


def test_an_error_of_the_harness_is_not_a_verdict(monkeypatch):
    def run_jobs(jobs, workers):
        yield Answer(jobs[0], None, error="Traceback …")

    monkeypatch.setattr(run_module, "run_jobs", run_jobs)
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


def test_real_workers():
    """One variant for real: an expected failure shrunk to two rows of different length, and its script."""
    result = run_variants(only=["map_fn_range/pooling"], modes=["graph"], max_examples=10, claims=False, workers=1)
    (cell,) = result.cells
    assert cell.ok
    assert cell.result.verdict is Verdict.ERROR
    assert "lengths=np.array([0, 1], dtype=np.int32)" in cell.counterexample
    assert "import tensorflow as tf" in cell.script
    assert "import gradcheck" not in cell.script


def test_a_worker_that_dies_is_told_apart_from_one_that_errs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    jobs = [Job("no such variant", ("eager",), 1, 0, {"eager": ["PASS"]})]
    (answer,) = run_jobs(jobs, workers=1)
    assert answer.modes is None
    assert "StopIteration" in answer.error
    monkeypatch.setattr("gradcheck.variants.jobs.sys.executable", "/bin/false")
    (answer,) = run_jobs(jobs, workers=1)
    assert answer.error == ""
    assert answer.death == "the process died (exit status 1)"
