"""Checks in another process, with a stand-in for the process: what dies, how often, and what that is called."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import Batch, Verdict
from gradcheck import strategies as st
from gradcheck.cases.encoding import decode
from gradcheck.errors import InputError
from gradcheck.isolation import Death, Limits, Outcome
from gradcheck.isolation import checks as checks_module
from gradcheck.isolation.checks import IsolatedChecks, named
from gradcheck.report import ModeResult, Report
from gradcheck.searching.searches import search_with

VERSIONS = {"python": "3.10", "tensorflow": "2.8.4", "keras": "2.8.0", "numpy": "1.23.5"}


class Process:
    """In place of `Worker`: a batch dies where ``deadly(batch, how many its process was given before)`` says so."""

    def __init__(self, deadly, kind="signal", loads=True):
        self.deadly, self.kind, self.loads = deadly, kind, loads
        self.limits = Limits()
        self.number, self.given, self.deaths, self.patience = 1, 0, 0, []

    def run(self, task, batch_seconds=None):
        if task.function.endswith("describe_in_worker"):
            if not self.loads:
                return Outcome(task.key, death=Death("signal", "the process died (SIGSEGV)", "SIGSEGV"))
            return Outcome(task.key, value={"name": "subject", "versions": VERSIONS})
        self.patience.append(batch_seconds)
        (batch,) = (decode(argument) for argument in task.arguments["arguments"])
        self.given += 1
        if self.deadly(batch, self.given - 1):
            self.deaths += 1
            self.discard()
            name = "SIGABRT" if self.kind == "signal" else ""
            return Outcome(task.key, death=Death(self.kind, "the process died", name, example=task.arguments))
        report = Report("subject", {task.arguments["mode"]: ModeResult(task.arguments["mode"], Verdict.PASS)})
        return Outcome(task.key, value={"report": report.to_dict(), "case": None}, seconds=0.1)

    def discard(self):
        self.number += 1
        self.given = 0

    def close(self):
        pass


@pytest.fixture
def search(monkeypatch):
    def run(process, **options):
        monkeypatch.setattr(checks_module, "Worker", lambda limits: process)
        strategy = st.batches(features=1, max_batch=3, max_length=4)
        arguments = {"max_examples": 60, "modes": "eager", "seed": 3, **options}
        return search_with(IsolatedChecks("module:subject"), strategy, **arguments)

    return run


def long(batch, before):
    return int(batch.lengths.max(initial=0)) >= 3


def test_a_crash_is_shrunk(search):
    process = Process(long)
    found = search(process)["eager"]
    assert found.verdict is Verdict.CRASH
    assert found.cause == "the process died on this batch"
    assert (found.counterexample.lengths.tolist(), found.counterexample.values.any()) == ([3], False)
    assert found.case.subject == "module:subject"
    assert found.case.weights is None
    assert found.result.notes == ()


def test_there_are_only_so_many_deaths(search):
    process = Process(long)
    found = search(process)["eager"]
    assert found.verdict is Verdict.CRASH
    # One more at the start, where it is confirmed, and one at the end, for good.
    assert process.deaths <= checks_module._MOST_DEATHS + 2
    assert int(found.counterexample.lengths.max()) >= 3


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_that_several_rows_make_is_shrunk_to_the_end(search, seed):
    process = Process(lambda batch, before: (batch.lengths == 0).any() and len(batch.lengths) > 1)
    found = search(process, seed=seed)["eager"]
    assert found.counterexample.lengths.tolist() == [0, 0]
    assert found.counterexample.values.shape[1] <= 1


def test_a_slow_machine_shrinks_a_crash_too(search, monkeypatch):
    """A process that takes two minutes to start, and a crash that takes more deaths to shrink than it is given."""
    process = Process(lambda batch, before: long(batch, before) and bool(batch.values[batch.mask].all()))
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: 120.0 * process.number)})
    monkeypatch.setattr(checks_module, "time", clock)
    assert search(process)["eager"].verdict is Verdict.CRASH
    assert process.deaths in range(checks_module._DEATHS_ANYWAY, checks_module._DEATHS_ANYWAY + 3)


def test_each_mode_has_deaths_of_its_own(search):
    process = Process(long)
    result = search(process, modes=["eager", "graph"])
    assert [found.verdict for found in result.modes.values()] == [Verdict.CRASH] * 2


def test_once_a_batch_hangs_smaller_ones_are_waited_for_less_but_not_the_last(search):
    process = Process(long, kind="batch time")
    search(process)
    assert process.patience[0] == 120.0
    assert checks_module._LEAST_PATIENCE in process.patience
    assert process.patience[-1] is None


def test_what_other_batches_left_behind_is_not_put_down_to_one(search):
    """Memory that runs full after twenty batches, whichever they are."""
    process = Process(lambda batch, before: before >= 20, kind="memory")
    found = search(process)["eager"]
    assert found.verdict is Verdict.PASS
    assert process.deaths >= 2


def test_a_process_that_aborts_again_and_again_is_a_crash_though_no_batch_alone_does_it(search):
    process = Process(lambda batch, before: before >= 20)
    found = search(process)["eager"]
    assert found.verdict is Verdict.CRASH
    assert any("each time after several batches" in note for note in found.result.notes)


def test_a_subject_that_dies_while_it_is_loaded_costs_one_process(search):
    process = Process(long, loads=False)
    found = search(process)["eager"]
    assert found.verdict is Verdict.CRASH
    assert found.cause == "the process died (SIGSEGV) while the subject was loaded"
    assert process.deaths == 0


def test_names():
    assert named("a.b:c", "subject") == "a.b:c"
    assert named(Batch, "subject") == "gradcheck.strategies.batch:Batch"
    with pytest.raises(InputError, match=r"subject <function .*lambda.* cannot be found by another process"):
        named(lambda values: values, "subject")


def test_what_cannot_be_carried_over_is_refused(monkeypatch):
    monkeypatch.setattr(checks_module, "Worker", lambda limits: Process(long))
    with pytest.raises(InputError, match="cannot be written"):
        IsolatedChecks("module:subject").check((object(),), "eager", {})
    report = IsolatedChecks("module:subject").check((Batch(np.ones([1, 2]), [2]),), "eager", {})
    assert report["eager"].verdict is Verdict.PASS
