"""``gradcheck search``: what it searches, what it prints and writes, how it exits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gradcheck.errors import InputError, MissingTensorFlowError
from gradcheck.results.reading import read_results


@pytest.fixture(autouse=True)
def _forget_the_file(monkeypatch: pytest.MonkeyPatch):
    """Importing a subject's file leaves a module and a path entry behind; the next test has another file."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if "layers_for_cli" in name]:
        del sys.modules[name]


def test_a_right_subject_exits_with_0(run, searches, layers) -> None:
    calls = searches({})
    result = run("search", "layers_for_cli.py:right")
    assert result.exit_code == 0, result.output
    assert "right: PASS in eager, graph, dynamic, xla" in result.output
    # In one search: examples that one mode verifies serve the others.
    assert [call["modes"] for call in calls] == [("eager", "graph", "dynamic", "xla")]


def test_a_wrong_subject_exits_with_1_and_says_what_is_wrong(run, searches, layers) -> None:
    searches({"wrong": {"xla": "MISMATCH"}})
    result = run("search", "layers_for_cli:wrong")
    assert result.exit_code == 1
    assert "wrong: MISMATCH in xla" in result.output
    assert "off by 2" in result.output


def test_undecided_is_no_failure(run, searches, layers) -> None:
    searches({"right": {"xla": "UNRESOLVED"}})
    result = run("search", "layers_for_cli:right")
    assert result.exit_code == 0
    assert "UNRESOLVED" in result.output


def test_an_expected_failure_is_none_and_an_expected_failure_that_passes_is_one(run, searches, layers) -> None:
    searches({"wrong": {"xla": "UNSUPPORTED"}})
    assert run("search", "layers_for_cli:wrong", "--expect", "xla=UNSUPPORTED|ERROR").exit_code == 0
    assert run("search", "layers_for_cli:right", "--expect", "xla=UNSUPPORTED").exit_code == 1


def test_a_subject_that_cannot_be_searched_does_not_cost_the_others(run, searches, layers) -> None:
    calls = searches({"wrong": {"eager": InputError("wrong returns no floating-point tensor")}})
    result = run("search", "layers_for_cli:wrong", "layers_for_cli:right", "--json", "results.json")
    assert result.exit_code == 2
    assert len(calls) == 2
    assert "right: PASS in eager" in result.output
    assert "layers_for_cli:wrong was not searched: wrong returns no" in result.stderr
    assert not json.loads(Path("results.json").read_text())["complete"]


def test_batches_that_cannot_be_drawn_are_bad_input(run, layers) -> None:
    result = run("search", "layers_for_cli:right", "--min-length", 9, "--max-length", 2, "--modes", "eager")
    assert result.exit_code == 2
    assert "min_length=9 is greater than max_length=2" in " ".join(result.stderr.split())


def test_invariants_are_passed_on_and_their_names_checked(run, searches, layers) -> None:
    calls = searches({})
    assert run("search", "layers_for_cli.py:right", "--invariants", "row_alone,permutation").exit_code == 0
    assert calls[0]["invariants"] == "row_alone,permutation"
    refused = run("search", "layers_for_cli.py:right", "--invariants", "row_along")
    assert refused.exit_code == 2
    assert "Did you mean 'row_alone'" in refused.stderr
    assert len(calls) == 1


def test_several_subjects_one_failing(run, searches, layers, tmp_path: Path) -> None:
    searches({"wrong": {"graph": "ERROR"}})
    result = run(
        "search",
        "layers_for_cli:right",
        "layers_for_cli:wrong",
        "--json",
        "out/r.json",
        "--modes=graph,eager",
    )
    assert result.exit_code == 1
    rows = read_results(tmp_path / "out" / "r.json").rows
    assert [(row.subject, row.ok, list(row.modes)) for row in rows] == [
        ("right", True, ["eager", "graph"]),
        ("wrong", False, ["eager", "graph"]),
    ]
    assert rows[1].cases == {"graph": "Batch(…)"}


def test_json_on_standard_output_is_nothing_but_json(run, searches, layers) -> None:
    searches({"wrong": {"xla": "MISMATCH"}})
    result = run("search", "layers_for_cli:wrong", "--json", "-")
    document = json.loads(result.stdout)
    assert (document["kind"], document["complete"]) == ("searches", True)
    assert "MISMATCH in xla" in result.stderr


def test_quiet_prints_failures_only(run, searches, layers) -> None:
    searches({"wrong": {"xla": "MISMATCH"}})
    assert run("search", "layers_for_cli:right", "-q").output == ""
    assert "MISMATCH" in run("search", "layers_for_cli:wrong", "-q").output


def test_scripts_are_written_for_each_failing_mode(run, searches, layers, tmp_path: Path) -> None:
    searches({"wrong": {"xla": "MISMATCH", "graph": "ERROR"}})
    run("search", "layers_for_cli:wrong", "--scripts", "scripts")
    written = {path.name: path.read_text() for path in (tmp_path / "scripts").iterdir()}
    assert written == {"wrong-graph.py": "# wrong graph\n", "wrong-xla.py": "# wrong xla\n"}


def test_ctrl_c_keeps_the_modes_that_were_finished(run, searches, layers, tmp_path: Path) -> None:
    searches({"right": {"eager": "MISMATCH", "dynamic": KeyboardInterrupt()}})
    result = run("search", "layers_for_cli:right", "--json", "r.json", "--scripts", "scripts")
    assert result.exit_code == 130
    assert "right: MISMATCH in eager; PASS in graph" in result.output
    assert "interrupted in layers_for_cli:right; searched until then: right (eager, graph)" in result.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["complete"] is False
    assert list(document["results"][0]["modes"]) == ["eager", "graph"]
    assert (tmp_path / "scripts" / "right-eager.py").exists()


def test_ctrl_c_before_anything(run, searches, layers) -> None:
    searches({"right": {"eager": KeyboardInterrupt()}})
    result = run("search", "layers_for_cli:right")
    assert result.exit_code == 130
    assert "searched until then: nothing" in result.stderr


def test_no_tensorflow_exits_with_3_and_the_remedy(run, searches, layers) -> None:
    searches({"right": {"eager": MissingTensorFlowError("install it like this")}})
    result = run("search", "layers_for_cli:right")
    assert result.exit_code == 3
    assert result.stderr == "gradcheck: install it like this\n"


def test_options_reach_the_search(run, searches, layers) -> None:
    calls = searches({})
    run(
        *[
            "search",
            "layers_for_cli:right",
            "--modes",
            "xla",
            "--max-examples",
            "7",
            "--seed",
            "3",
            "--wrt",
            "inputs",
            "--engine",
            "reference",
        ]
    )
    (call,) = calls
    assert (call["max_examples"], call["seed"], call["wrt"], call["engine"]) == (7, 3, "inputs", "reference")


def test_strategy_options_reach_the_strategy(run, searches, layers) -> None:
    calls = searches({})
    run(
        *[
            "search",
            "layers_for_cli:right",
            "--modes",
            "xla",
            "--features",
            "0",
            "--max-batch",
            "2",
            "--max-length",
            "4",
            "--dtype",
            "float32",
        ]
    )
    text = repr(calls[0]["strategy"])
    for part in ("features=None", "max_batch=2", "max_length=4", "float32"):
        assert part in text


def test_a_strategy_of_one_s_own(run, searches, layers) -> None:
    layers.write_text(
        layers.read_text() + "from hypothesis import strategies as st\nmine = st.just(1)\ndef make(): return mine\n"
    )
    calls = searches({})
    for name in ("mine", "make"):
        result = run("search", "layers_for_cli:right", "--strategy", f"layers_for_cli:{name}", "--modes", "xla")
        assert result.exit_code == 0, result.output
    assert [repr(call["strategy"]) for call in calls] == ["just(1)", "just(1)"]


def test_dotted_names(run, searches, layers) -> None:
    calls = searches({})
    run("search", "layers_for_cli:Holder.layer", "--modes", "xla")
    assert calls[0]["subject"].__name__ == "right"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["layers_for_cli"],
            "subject 'layers_for_cli' is not of the form pkg.module:name or path/file.py:name",
        ),
        (["no_such_module:f"], "subject 'no_such_module:f': there is no module 'no_such_module' here"),
        (["no_such_file.py:f"], "subject 'no_such_file.py:f': there is no file no_such_file.py in"),
        (
            ["layers_for_cli:f"],
            "subject 'layers_for_cli:f': layers_for_cli has no 'f'; it has right, wrong, Holder",
        ),
        (["broken_for_cli:f"], "importing it failed: ZeroDivisionError: division by zero"),
        (
            ["layers_for_cli:right", "--modes", "xal"],
            "'xal' is not a mode; the modes are eager, graph, dynamic, xla",
        ),
        (["layers_for_cli:right", "--modes", ","], "no mode given; the modes are eager, graph, dynamic, xla"),
        (
            ["layers_for_cli:right", "--expect", "xal=PASS"],
            "--expect 'xal=PASS' is not MODE=VERDICT; the modes are",
        ),
        (
            ["layers_for_cli:right", "--expect", "xla=OK"],
            "--expect 'xla=OK': 'OK' is not one of CRASH, ERROR",
        ),
        (["layers_for_cli:right", "--max-examples", "0"], "Invalid value for '--max-examples'"),
        (
            ["layers_for_cli:right", "--strategy", "layers_for_cli:wrong", "--max-length", "3"],
            "--max-length belongs to the built-in strategy, and --strategy layers_for_cli:wrong was given",
        ),
        ([], "Missing argument 'SUBJECT...'"),
    ],
)
def test_wrong_usage_exits_with_2(run, searches, layers, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "broken_for_cli.py").write_text("1 / 0\n")
    searches({})
    result = run("search", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
