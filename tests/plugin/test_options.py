"""Options and ini keys: what they choose, and how wrong values are refused."""

from __future__ import annotations

import importlib.metadata
import json

import pytest

SHOW_DEFAULTS = """
def test_defaults(gradcheck):
    print("DEFAULTS", dict(recording.defaults()))
"""


def installed() -> bool:
    return any(entry.name == "gradcheck" for entry in importlib.metadata.entry_points(group="pytest11"))


def test_modes_are_the_defaults_of_every_check(run) -> None:
    result = run(SHOW_DEFAULTS, "-s", "--gradcheck-modes=xla,graph")
    result.stdout.fnmatch_lines(["*DEFAULTS {'modes': ('graph', 'xla')}*"])


def test_without_options_all_modes(run) -> None:
    result = run(SHOW_DEFAULTS, "-s")
    result.stdout.fnmatch_lines(["*DEFAULTS {'modes': ('eager', 'graph', 'dynamic', 'xla')}*"])


def test_engine_and_examples(run) -> None:
    result = run(SHOW_DEFAULTS, "-s", "--gradcheck-engine=reference", "--gradcheck-max-examples=7")
    result.stdout.fnmatch_lines(["*'engine': 'reference'*'max_examples': 7*"])


@pytest.mark.parametrize(
    ("ini", "shown"),
    [
        ("gradcheck_modes = graph, dynamic", "'modes': ('graph', 'dynamic')"),
        ("gradcheck_modes =\n    graph\n    dynamic", "'modes': ('graph', 'dynamic')"),
        ("gradcheck_engine = reference", "'engine': 'reference'"),
        ("gradcheck_max_examples = 3", "'max_examples': 3"),
        ("gradcheck_shrink_seconds = 2.5", "'shrink_seconds': 2.5"),
    ],
)
def test_ini_keys(run, pytester: pytest.Pytester, ini: str, shown: str) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    assert shown in run(SHOW_DEFAULTS, "-s").stdout.str()


def test_the_command_line_wins_over_the_ini_file(run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngradcheck_modes = graph\ngradcheck_engine = reference\n")
    result = run(SHOW_DEFAULTS, "-s", "--gradcheck-modes=eager", "--gradcheck-engine=compiled")
    result.stdout.fnmatch_lines(["*'modes': ('eager',)*'engine': 'compiled'*"])


def test_the_command_line_restricts_the_modes_that_a_call_names(run) -> None:
    plain = """
def test_some():
    print("LEFT", recording.restricted(("graph", "xla")))

def test_none():
    print("LEFT", recording.restricted(("graph",)))
"""
    result = run(plain, "-s", "-rs", "--gradcheck-modes=xla")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*LEFT ('xla',)*", "*--gradcheck-modes=xla leaves none of this test's modes: graph*"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--gradcheck-modes=graph,xal", "--gradcheck-modes: 'xal' is not one of eager, graph, dynamic, xla"),
        ("--gradcheck-modes=", "--gradcheck-modes is empty; give some of eager, graph, dynamic, xla"),
        (
            "--gradcheck-engine=fast",
            "--gradcheck-engine: 'fast' is not one of exact, measured, compiled, reference, projected",
        ),
        (
            "--gradcheck-shrink-seconds=long",
            "--gradcheck-shrink-seconds: 'long' is not a number of seconds; give 0 or more",
        ),
        (
            "--gradcheck-max-examples=0",
            "--gradcheck-max-examples: '0' is not a number of examples; give an integer*",
        ),
        ("--gradcheck-max-examples=ten", "--gradcheck-max-examples: 'ten' is not a number of examples*"),
        ("--gradcheck-unresolved=warn", "--gradcheck-unresolved: 'warn' is not one of show, fail"),
    ],
)
def test_wrong_options_are_usage_errors(run, option: str, said: str) -> None:
    result = run("def test(): pass", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def test_a_wrong_ini_value_names_its_key(run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngradcheck_modes = fast\n")
    result = run("def test(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ini key gradcheck_modes: 'fast' is not one of eager, graph, dynamic, xla"])


def test_unresolved_is_shown_by_default_and_can_fail(run) -> None:
    source = "def test_it(): checked(eager='PASS', xla='UNRESOLVED')"
    run(source).assert_outcomes(passed=1)
    result = run(source, "--gradcheck-unresolved=fail")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*undecided, and --gradcheck-unresolved=fail:*", "*layer, mode xla: *"])


def test_json_holds_what_was_checked(run, pytester: pytest.Pytester) -> None:
    run(
        "def test_right(): checked('right', eager='PASS')\n"
        "def test_wrong(): checked('wrong', eager='PASS', xla='MISMATCH')",
        "--gradcheck-json=out/results.json",
    )
    document = json.loads((pytester.path / "out" / "results.json").read_text())
    assert (document["schema"], document["kind"]) == (1, "pytest")
    right, wrong = document["results"]
    assert (right["subject"], right["outcome"], right["report"]) == ("right", "passed", None)
    assert right["modes"]["eager"]["counts"] == {"PASS": 1}
    assert (wrong["outcome"], wrong["modes"]["xla"]["verdict"]) == ("failed", "MISMATCH")
    assert wrong["report"]["subject"] == "wrong"
    assert wrong["nodeid"] == "test_it.py::test_wrong"


def test_json_is_written_where_nothing_was_checked(run, pytester: pytest.Pytester) -> None:
    run("def test(): pass", "--gradcheck-json=results.json")
    assert json.loads((pytester.path / "results.json").read_text())["results"] == []


def _has_options(pytester: pytest.Pytester, *arguments: str) -> bool:
    result = pytester.runpytest_subprocess(*arguments, "--help")
    assert result.ret == 0
    return "--gradcheck-modes" in result.stdout.str()


@pytest.mark.skipif(not installed(), reason="the distribution is not installed: there is no entry point")
def test_is_found_by_its_entry_point_and_can_be_turned_off(pytester: pytest.Pytester) -> None:
    assert _has_options(pytester)
    assert not _has_options(pytester, "-p", "no:gradcheck")


def test_autoload_off(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    assert not _has_options(pytester)
    assert _has_options(pytester, "-p", "gradcheck.plugin")
