"""Runs of a few subjects: right ones, known failures, what kills its worker, what is new, and a run that goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcheck.cases.document import Case
from gradcheck.errors import InputError
from gradcheck.report import ModeResult
from gradcheck.results.reading import results_of
from gradcheck.verdicts import Verdict
from gradcheck.zoo import run as running
from gradcheck.zoo.catalog import catalog
from gradcheck.zoo.known import KNOWN
from gradcheck.zoo.replays import cases_from_elsewhere, replay_cases
from gradcheck.zoo.run import LONG_SEARCH, ZooCell, ZooResult, run_zoo, write_cases

VERSIONS = {"python": "3.10.1", "tensorflow": "2.8.4", "keras": "2.8.0", "numpy": "1.23.5"}
ONLY = ("ordering/cumprod", "indexing/roll")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[ZooResult, Path]:
    journal = tmp_path_factory.mktemp("zoo") / "journal"
    seen: list[tuple[str, int, int]] = []
    result = run_zoo(
        modes=("eager", "graph"),
        max_examples=4,
        only=ONLY,
        workers=1,
        journal=journal,
        progress=lambda *step: seen.append(step),
    )
    assert seen[0] == ("starting TensorFlow", 0, 3)
    assert [step[1:] for step in seen[1:]] == [(1, 3), (2, 3), (3, 3)]
    return result, journal


def test_right_subjects_pass_and_known_failures_are_known(ran: tuple[ZooResult, Path]) -> None:
    result, _ = ran
    verdicts = {name: {mode: found.verdict for mode, found in row.items()} for name, row in result.rows().items()}
    assert set(verdicts) == {"ordering/cumprod", "ordering/cumprod_nonzero", "indexing/roll"}
    assert set(verdicts["indexing/roll"].values()) == {Verdict.PASS}
    assert set(verdicts["ordering/cumprod_nonzero"].values()) == {Verdict.PASS}
    assert set(verdicts["ordering/cumprod"].values()) <= {Verdict.DISCONNECTED, Verdict.MISMATCH}
    assert result.ok
    assert "2 of them failures that are known" in result.summary()


def test_the_document_is_read_as_results(ran: tuple[ZooResult, Path]) -> None:
    result, _ = ran
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    rows = {row.subject: row for row in results_of(document).rows}
    row = rows["ordering/cumprod"]
    assert row.ok
    assert row.modes["eager"].expected
    assert row.detail("eager").arguments.startswith("np.")
    assert "import tensorflow as tf" in row.detail("eager").script
    assert Case.from_dict(row.detail("eager").case).subject == "gradcheck.zoo.ordering:cumprod"


def test_a_run_with_the_journal_of_another_does_nothing_again(
    ran: tuple[ZooResult, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, journal = ran
    size = journal.stat().st_size
    # No worker can be started any more: whatever is not in the journal would fail.
    monkeypatch.setattr("gradcheck.isolation.pool.Worker.run", None)
    again = run_zoo(modes=("eager", "graph"), max_examples=4, only=ONLY, workers=1, journal=journal)
    assert journal.stat().st_size == size
    assert [(c.exhibit.name, c.result.mode, c.result.verdict, c.arguments) for c in again.cells] == [
        (c.exhibit.name, c.result.mode, c.result.verdict, c.arguments) for c in result.cells
    ]


def test_cases_are_written_and_replayed_where_the_verdict_is_another(
    ran: tuple[ZooResult, Path], tmp_path: Path
) -> None:
    result, _ = ran
    written = write_cases(result, tmp_path / "2.7")
    assert [path.name for path in written] == ["ordering_cumprod-eager.json", "ordering_cumprod-graph.json"]
    # Found here by the search itself, or by this very version: nothing to try again.
    assert cases_from_elsewhere([tmp_path], result) == {}
    data = json.loads(written[0].read_text())
    data["versions"]["tensorflow"] = "2.7.0"
    data["verdict"] = "NONFINITE"
    written[0].write_text(json.dumps(data))
    cases = cases_from_elsewhere([tmp_path], result)
    assert list(cases) == [written[0]]
    (replayed,) = replay_cases(cases, result, workers=1)
    assert (replayed.subject, replayed.mode, replayed.found_on) == ("ordering/cumprod", "eager", "2.7.0")
    assert replayed.outcome == "changed"
    assert replayed.verdict in (Verdict.DISCONNECTED, Verdict.MISMATCH)
    assert str(replayed).startswith("ordering/cumprod in mode eager: NONFINITE on 2.7.0, here ")


def cell(name: str, mode: str, verdict: Verdict, *, examples: int = 4, known: bool = False) -> ZooCell:
    exhibit = next(exhibit for exhibit in catalog() if exhibit.name == name)
    expected = (Verdict.NONFINITE,) if known else ()
    return ZooCell(exhibit, ModeResult(mode, verdict, "why", expected=expected), KNOWN[:1] if known else (), examples)


@pytest.mark.parametrize(
    ("verdict", "known", "examples", "ok", "missed"),
    [
        (Verdict.PASS, False, 4, True, False),
        (Verdict.UNRESOLVED, False, 4, True, False),
        (Verdict.MISMATCH, False, 4, False, False),
        (Verdict.CRASH, False, 4, False, False),
        (Verdict.NONFINITE, True, 4, True, False),
        (Verdict.MISMATCH, True, 4, False, False),
        (Verdict.PASS, True, 4, True, True),  # a short search may have missed it
        (Verdict.PASS, True, LONG_SEARCH, False, True),  # a long one would have met it: it has gone
    ],
)
def test_what_is_as_it_should_be(verdict: Verdict, known: bool, examples: int, ok: bool, missed: bool) -> None:
    one = cell("indexing/roll", "eager", verdict, known=known, examples=examples)
    assert (one.ok, one.missed) == (ok, missed)
    result = ZooResult(cells=(one,), versions=VERSIONS, max_examples=examples, seconds=1.0)
    assert result.ok is ok
    document = result.to_dict()["results"][0]["modes"]["eager"]
    assert document["ok"] is ok
    # The merged report judges by verdict and expectation; it must come to the same.
    (row,) = results_of(result.to_dict()).rows
    assert row.ok is ok


def test_results_of_keras_2_beside_keras_3_are_subjects_of_their_own() -> None:
    legacy = {**VERSIONS, "tensorflow": "2.16.2", "keras": "2.16.0"}
    cells = (cell("recurrent/lstm", "eager", Verdict.PASS), cell("indexing/roll", "eager", Verdict.PASS))
    subjects = [
        row["subject"]
        for row in ZooResult(cells=cells, versions=legacy, max_examples=4, seconds=1.0).to_dict()["results"]
    ]
    assert subjects == ["recurrent/lstm (tf_keras)", "indexing/roll"]
    subjects = [
        row["subject"]
        for row in ZooResult(cells=cells, versions=VERSIONS, max_examples=4, seconds=1.0).to_dict()["results"]
    ]
    assert subjects == ["recurrent/lstm", "indexing/roll"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"modes": ("eagre",)}, "unknown mode 'eagre'; the modes are eager, graph, dynamic, xla"),
        ({"only": ("nothing like it",)}, "no subject of the zoo has 'nothing like it' in its name"),
        ({"only": ("ordering/cumsum",), "keras_only": True}, "no subject of the zoo has 'ordering/cumsum'"),
    ],
)
def test_bad_input(arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_zoo(**arguments)


def test_what_is_known_to_fail_is_searched_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of a few batches that does not meet it would make it look fixed."""
    tasks = []

    def taken(searches, *_, **__):
        tasks.extend(searches)
        yield from ()

    monkeypatch.setattr(running, "run_searches", taken)
    monkeypatch.setattr("gradcheck._tensorflow.versions", lambda: VERSIONS)
    run_zoo(only=("segments/segment_sum",))
    assert {mode: task.max_examples for task in tasks for mode in task.modes} == {
        "eager": running.DEFAULT_EXAMPLES,
        "graph": running.DEFAULT_EXAMPLES,
        "dynamic": running.DEFAULT_EXAMPLES,
        "xla": LONG_SEARCH,
    }
    tasks.clear()
    run_zoo(only=("segments/segment_sum",), max_examples=2)
    assert [(task.modes, task.max_examples) for task in tasks] == [(("eager", "graph", "dynamic", "xla"), 2)]


def test_an_error_of_the_harness_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = next(exhibit for exhibit in catalog() if exhibit.name == "indexing/roll")
    monkeypatch.setattr(type(broken), "strategy", property(lambda self: "gradcheck.zoo.draws:no_such_strategy"))
    with pytest.raises(RuntimeError, match="gradcheck failed on indexing/roll"):
        run_zoo(modes=("eager",), max_examples=1, only=("indexing/roll",), workers=1)
    assert running.DEFAULT_EXAMPLES < LONG_SEARCH
