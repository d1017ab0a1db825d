"""Searches as tasks: a crash is confirmed, shrunk and put down to its mode, and costs nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcheck.cases.document import Case
from gradcheck.isolation import Death, Journal, Limits, Outcome
from gradcheck.isolation.checks import report_from
from gradcheck.isolation.searches import FUNCTIONS, SearchTask, _Search, run_searches
from gradcheck.report import ModeResult, Report
from gradcheck.results.reading import results_of
from gradcheck.verdicts import Verdict

TASK = SearchTask("module:subject", {"features": 2}, ("eager", "graph", "xla"), 10)
ABORT = {"kind": "signal", "text": "the process died (SIGABRT)", "signal": "SIGABRT"}


def part(mode, verdict="PASS"):
    result = ModeResult(mode, Verdict[verdict])
    document = {"mode": mode, "verdict": verdict, "ok": result.ok, "cause": "", "result": result.to_dict()}
    document |= {"examples": 1, "counts": {verdict: 1}, "report": None}  # as every search writes
    return {"mode": document, "about": {"subject": "subject", "versions": {"tensorflow": "2.8.4"}}}


class Driver:
    """A search whose tasks are answered by the test."""

    def __init__(self, task=TASK):
        self.search = _Search(task, FUNCTIONS)
        self.tasks = self.search.begin(Limits())

    def answer(self, *modes, death=None, error="", **verdicts):
        """What becomes of the task that is first in line; ``death`` is the mode in which it died."""
        task = self.tasks.pop(0)
        parts = {mode: part(mode) for mode in modes} | {mode: part(mode, name) for mode, name in verdicts.items()}
        died = None if death is None else Death(**ABORT, example={"mode": death, "code": "Batch(…)"} if death else None)
        self.tasks += self.search.take(Outcome(task.key, parts=parts, death=died, error=error, seconds=1.0))

    @property
    def waiting(self):
        return [(task.function.rpartition(":")[2].split("_")[1], task.arguments["modes"]) for task in self.tasks]

    @property
    def verdicts(self):
        assert self.search.finished
        return {mode: found["verdict"] for mode, found in self.search.outcome().document["modes"].items()}


def test_nothing_dies():
    driver = Driver()
    driver.answer("eager", "graph", "xla")
    assert driver.verdicts == {"eager": "PASS", "graph": "PASS", "xla": "PASS"}
    assert driver.search.outcome().seconds == 1.0


def test_a_death_is_looked_into_and_the_other_modes_go_on():
    driver = Driver()
    driver.answer("eager", death="graph")
    assert driver.waiting == [("carefully", ["graph"]), ("in", ["xla"])]
    driver.answer(graph="CRASH")
    driver.answer("xla")
    assert driver.verdicts == {"eager": "PASS", "graph": "CRASH", "xla": "PASS"}
    assert len(driver.search.outcome().deaths) == 1


def test_a_death_that_does_not_come_again_is_a_note():
    driver = Driver()
    driver.answer("eager", "graph", death="xla")
    driver.answer("xla")
    document = driver.search.outcome().document
    assert driver.verdicts["xla"] == "PASS"
    (note,) = document["modes"]["xla"]["result"]["notes"]
    assert note.startswith("a worker was lost in this search (the process died (SIGABRT)); in a process of its own")
    assert document["modes"]["eager"]["result"]["notes"] == []


def test_who_dies_before_the_first_batch_is_looked_into_in_every_mode():
    driver = Driver()
    driver.answer(death="")
    assert driver.waiting == [("carefully", ["eager", "graph", "xla"])]


def test_a_mode_is_given_up_at_the_third_death():
    driver = Driver()
    driver.answer("eager", "graph", death="xla")
    driver.answer(death="xla")
    assert driver.waiting == [("carefully", ["xla"])]
    driver.answer(death="xla")
    assert driver.verdicts == {"eager": "PASS", "graph": "PASS", "xla": "CRASH"}
    outcome = driver.search.outcome()
    assert outcome.result("xla").cause == "the process died (SIGABRT) on this batch"
    assert outcome.document["modes"]["xla"]["arguments"] == "Batch(…)"
    (row,) = results_of(json.loads(json.dumps(outcome.document))).rows
    assert row.cases == {"xla": "Batch(…)"}


def test_a_search_that_takes_too_long_is_undecided_and_no_crash():
    driver = Driver()
    task = driver.tasks.pop(0)
    late = Death("task time", "the task took longer than 3600 s and was stopped", example={"mode": "graph"})
    driver.tasks += driver.search.take(Outcome(task.key, parts={"eager": part("eager")}, death=late))
    assert driver.waiting == [("in", ["xla"])]
    driver.answer("xla")
    assert driver.verdicts == {"eager": "PASS", "graph": "UNRESOLVED", "xla": "PASS"}


def test_an_error_of_the_harness_is_no_verdict():
    driver = Driver()
    driver.answer("eager", error="Traceback …")
    assert driver.search.finished
    assert driver.search.outcome().error == "Traceback …"
    assert driver.search.outcome().document == {}


def test_a_journal_leads_back_to_where_it_was():
    driver = Driver()
    keys = [driver.tasks[0].key]
    driver.answer("eager", death="graph")
    keys += [task.key for task in driver.tasks]
    again = Driver()
    assert [again.tasks[0].key, *(again.answer("eager", death="graph") or [t.key for t in again.tasks])] == keys
    assert len(set(keys)) == 3


def test_tasks_differ_in_everything_that_decides_a_result():
    others = [
        SearchTask("module:other", {"features": 2}, ("eager",), 10),
        SearchTask("module:subject", {"features": 3}, ("eager",), 10),
        SearchTask("module:subject", {"features": 2}, ("graph",), 10),
        SearchTask("module:subject", {"features": 2}, ("eager",), 11),
        SearchTask("module:subject", {"features": 2}, ("eager",), 10, seed=1),
        SearchTask("module:subject", {"features": 2}, ("eager",), 10, options={"wrt": "inputs"}),
        SearchTask("module:subject", {"features": 2}, ("eager",), 10, expect={"eager": ("ERROR",)}),
    ]
    assert len({task.key for task in [TASK, *others]}) == 8
    for task in others:
        assert SearchTask.from_dict(json.loads(json.dumps(task.to_dict()))) == task


def test_reports_cross_processes_whole():
    entry = {"output": "y", "input": "x", "theoretical": float("nan"), "numerical": None, "index": (1, 2)}
    from gradcheck.report import Entry

    result = ModeResult(
        "xla",
        Verdict.MISMATCH,
        "cause",
        Entry(**entry, reference=(1.0, 2.0)),
        "detail",
        "changed",
        1e-6,
        "compiled",
        ("note",),
        (Verdict.ERROR,),
        1.5,
    )
    report = Report("name", {"xla": result}, "Batch()", {"tensorflow": "2.8.4"}, "inputs", {"xla": "script"})
    document = json.loads(json.dumps(report.to_dict()))
    assert report_from(document).to_dict() == report.to_dict()


@pytest.fixture(scope="module")
def _tensorflow():
    pytest.importorskip("tensorflow")


@pytest.mark.usefixtures("_tensorflow")
def test_real_subjects(tmp_path: Path):
    """One aborts, one is right: the crash is shrunk and can be replayed, the journal knows both."""
    strategy = {"features": 1, "max_batch": 2, "max_length": 2}
    tasks = [
        SearchTask(f"isolation_subjects:{name}", strategy, ("eager",), 6, seed=1, options={"wrt": "inputs"})
        for name in ("aborts", "right")
    ]
    with Journal(tmp_path / "journal") as journal:
        found = {o.task.subject.partition(":")[2]: o for o in run_searches(tasks, 2, journal=journal)}
    assert found["right"].result("eager").verdict is Verdict.PASS
    crash = found["aborts"]
    assert crash.error == ""
    result = crash.result("eager")
    assert result.verdict is Verdict.CRASH
    assert result.cause == ("the process died (SIGABRT) on this batch: F ops.cc:7] Check failed: rows < 1 (1 vs. 1)")
    assert "in aborts" in result.detail
    case = Case.from_dict(crash.document["modes"]["eager"]["case"])
    assert (case.subject, case.verdict) == ("isolation_subjects:aborts", Verdict.CRASH)
    assert (case.batch.size, case.batch.values.any()) == (1, False)
    assert crash.document["modes"]["eager"]["examples"] >= 1
    with Journal(tmp_path / "journal") as journal:  # and at once
        again = {o.task.subject.partition(":")[2]: o for o in run_searches(tasks, 1, journal=journal)}
    assert again["aborts"].document == crash.document


def test_what_another_build_found_is_not_taken_for_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    task = SearchTask("pkg.module:name")
    mine = task.key
    monkeypatch.setattr("gradcheck.isolation.searches.build", lambda: "0.0.0+another")
    assert task.key != mine
