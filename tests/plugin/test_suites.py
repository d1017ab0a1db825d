"""`gradcheck.suite`: one test for each mode, and what pytest can do with them."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ElementTree

import pytest

SUITE = """
import gradcheck
pretend_search({"wrong": {"xla": "MISMATCH"}})
def right(values, lengths): ...
def wrong(values, lengths): ...
test_right = gradcheck.suite(right)
"""


def nodes(result: pytest.RunResult) -> list[str]:
    """The ids that ``--collect-only -q`` shows."""
    return [line.partition("::")[2] for line in result.stdout.lines if "::" in line]


def test_one_test_for_each_mode(run) -> None:
    result = run(SUITE + "test_wrong = gradcheck.suite(wrong)", "-v", "--strict-markers")
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_right[[]eager] PASSED*",
            "test_it.py::test_wrong[[]xla] FAILED*",
            "*_ test_wrong[[]xla] _*",
            "right *PASS *PASS *PASS *PASS",
            "wrong *PASS *PASS *PASS *MISMATCH !",
            "test_it.py::test_wrong[[]xla]: wrong",
            "  again: pytest 'test_it.py::test_wrong[[]xla]'",
        ]
    )
    assert "All traceback entries are hidden" not in result.stdout.str()
    assert "suites.py" not in result.stdout.str()


def test_without_a_variable_it_is_named_after_its_subject(run) -> None:
    result = run(
        SUITE + "gradcheck.suite(wrong, modes='xla')\n"
        "gradcheck.suite(wrong, modes='graph')\n"
        "gradcheck.suite(wrong, modes='graph', name='test_mine')\n"
        "anything = gradcheck.suite(right, modes='graph')\n",
        "--collect-only",
        "-q",
    )
    assert nodes(result) == [
        *(f"test_right[{mode}]" for mode in ("eager", "graph", "dynamic", "xla")),
        "test_wrong_gradients[xla]",
        "test_wrong_gradients_2[graph]",
        "test_mine[graph]",
        "anything[graph]",
    ]


def test_an_id_runs_that_test_named_or_not(run) -> None:
    source = SUITE + "gradcheck.suite(wrong)"
    run(source, "test_it.py::test_wrong_gradients[xla]").assert_outcomes(failed=1)
    run(source, "test_it.py::test_right[xla]").assert_outcomes(passed=1)


def test_in_a_class_and_with_autouse_fixtures(run) -> None:
    result = run(
        SUITE + "import pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def seeded(): print('SEEDED')\n"
        "class TestLayers:\n"
        "    gradients = gradcheck.suite(right, modes='eager,xla')\n",
        "-v",
        "-s",
        "-k",
        "TestLayers",
    )
    result.assert_outcomes(passed=2, deselected=4)
    result.stdout.fnmatch_lines(["*TestLayers::gradients[[]xla]*SEEDED*"])


def test_k_m_and_last_failed_select(run) -> None:
    source = SUITE + "test_wrong = gradcheck.suite(wrong)\ndef test_other(): pass"
    run(source, "-k", "wrong and xla").assert_outcomes(failed=1, deselected=8)
    run(source, "-m", "gradcheck").assert_outcomes(failed=1, passed=7, deselected=1)
    result = run(source, "--lf", "-v")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_wrong[[]xla] FAILED*"])


def test_marks_of_ones_own(run) -> None:
    result = run(SUITE + "import pytest\ntest_slow = pytest.mark.skip(reason='slow')(gradcheck.suite(wrong))", "-rs")
    result.assert_outcomes(passed=4, skipped=4)


def test_an_expected_verdict_passes_and_a_pass_that_was_not_expected_fails(run) -> None:
    result = run(
        SUITE + "test_wrong = gradcheck.suite(wrong, expect={'xla': 'MISMATCH', 'graph': 'UNSUPPORTED'})",
        "-k",
        "wrong",
        "-q",  # an unexpected pass is no subject that simply passes
    )
    result.assert_outcomes(passed=3, failed=1, deselected=4)
    result.stdout.fnmatch_lines(["wrong *PASS +*MISMATCH [*]", "  PASS in graph (expected UNSUPPORTED)"])


def test_arguments_reach_the_search_and_the_command_line_fills_in_the_rest(run) -> None:
    result = run(
        SUITE + "test_mine = gradcheck.suite(right, modes='xla', wrt='inputs', seed=3)",
        "-s",
        "-k",
        "mine",
        "--gradcheck-max-examples=7",
        "--gradcheck-engine=reference",
    )
    line = next(line for line in result.stdout.lines if "SEARCHED" in line)
    for part in ("('xla',)", "'max_examples': 7", "'engine': 'reference'", "'wrt': 'inputs'", "'seed': 3", "batches("):
        assert part in line


@pytest.mark.parametrize("where", ["option", "ini"])
def test_modes_left_out_are_deselected(run, pytester: pytest.Pytester, where: str) -> None:
    if where == "ini":
        pytester.makeini("[pytest]\ngradcheck_modes = graph, xla\n")
    arguments = ["--gradcheck-modes=graph,xla"] if where == "option" else []
    result = run(SUITE, *arguments)
    result.assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("gradcheck.suite(3)", "InputError: suite needs a callable subject, or a factory of one; got 3"),
        ("gradcheck.suite(right, 3)", "InputError: suite needs a Hypothesis strategy, such as *; got 3"),
        ("gradcheck.suite(right, expect='WRONG')", "InputError: expect names an unknown verdict 'WRONG'; *"),
        ("gradcheck.suite(right, modes='xal')", "InputError: unknown mode 'xal'; the modes are eager, *"),
        ("(lambda: gradcheck.suite(right))()", "InputError: gradcheck.suite was called inside the function *"),
    ],
)
def test_what_cannot_be_a_suite_is_an_error_of_collection(run, call: str, said: str) -> None:
    result = run(SUITE + call)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"E   gradcheck.{said}"])


def test_with_xdist(run) -> None:
    pytest.importorskip("xdist")
    result = run(SUITE + "gradcheck.suite(wrong)", "-n", "2", subprocess=True)
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["wrong *PASS *PASS *PASS *MISMATCH !"])


def test_named_suites_are_tests_with_the_plugin_off_too(run) -> None:
    result = run(
        SUITE + "test_wrong = gradcheck.suite(wrong)", "-p", "no:gradcheck", "--strict-markers", subprocess=True
    )
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_wrong[[]xla]*"])


REFUSING = """
import gradcheck
from gradcheck import InputError
def refuse(subject, strategy, **arguments):
    raise InputError("the subject returns integers")
gradcheck.search = gradcheck.searching.searches.search = refuse
def subject(values): ...
test_mine = gradcheck.suite(
    subject, modes="xla"
)
class TestMine:
    gradients = gradcheck.suite(subject, modes="xla")
def test_given(gradcheck):
    gradcheck.search(subject, gradcheck)
"""


@pytest.mark.parametrize("style", ["auto", "short"])
def test_of_an_argument_that_cannot_be_checked_message_and_line_are_shown(run, style: str) -> None:
    result = run(REFUSING, f"--tb={style}")
    result.assert_outcomes(failed=3)
    shown = result.stdout.str().partition("= gradcheck =")[0]
    assert shown.count("InputError: the subject returns integers") == 3
    for line in (
        "test_mine = gradcheck.suite(",
        "gradients = gradcheck.suite(",
        "gradcheck.search(subject, gradcheck)",
    ):
        assert line in shown
    for inside in ("suites.py", "checker.py", "result = gradcheck.search", "^^^"):
        assert inside not in shown, shown


def test_the_whole_traceback_is_there_for_whoever_asks(run) -> None:
    result = run(REFUSING, "--full-trace", "test_it.py::test_mine")
    result.assert_outcomes(failed=1)
    assert "suites.py" in result.stdout.str()


FAILING_ALIKE = """
import gradcheck
pretend_search(batch="[1.0]", eager="MISMATCH", graph="MISMATCH", dynamic="MISMATCH", xla="ERROR")
def wrong(values, lengths): ...
test_wrong = gradcheck.suite(wrong)
"""


def told(result: pytest.RunResult) -> dict[str, str]:
    """The failures by the test's name."""
    text = result.stdout.str().partition("= FAILURES =")[2].partition("= gradcheck =")[0]
    parts = re.split(r"^_+ (test_\S+) _+$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_what_modes_share_is_one_block(run, pytester: pytest.Pytester, workers: list[str]) -> None:
    if workers:
        pytest.importorskip("xdist")
    result = run(FAILING_ALIKE, "--junitxml=junit.xml", *workers, subprocess=bool(workers))
    result.assert_outcomes(failed=4)
    failures = told(result)
    assert list(failures) == ["test_wrong[eager]", "test_wrong[xla]"]
    block = failures["test_wrong[eager]"]
    assert "\nwrong: MISMATCH in eager, graph, dynamic\n" in block
    assert "eager, graph, dynamic: MISMATCH\n" in block
    assert [block.count(part) for part in ("What to do:", "on this batch:", "Cause: off by 2")] == [1, 1, 1]
    assert "What to do:" in failures["test_wrong[xla]"]  # another verdict
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_wrong: wrong",
            "  MISMATCH in eager, graph, dynamic: off by 2",
            "    script *",
            "  ERROR in xla: off by 2",
            "    script *",
            "  again: pytest test_it.py::test_wrong --gradcheck-modes=eager,graph,dynamic,xla",
            "*= short test summary info =*",
        ]
    )
    summary = result.stdout.str().partition("short test summary info")[2]
    for mode in ("eager", "graph", "dynamic"):
        assert f"FAILED test_it.py::test_wrong[{mode}] - MISMATCH in {mode}: off by 2 (wrong)\n" in summary
    # What others read is whole.
    cases = ElementTree.parse(pytester.path / "junit.xml").getroot().iter("failure")
    assert all("What to do:" in str(failure.text) for failure in cases)


def test_the_command_for_several_modes_runs_them_again(run, pytester: pytest.Pytester) -> None:
    result = run(FAILING_ALIKE)
    (again,) = [line for line in result.stdout.lines if line.startswith("  again: pytest ")]
    rerun = pytester.runpytest_subprocess(*shlex.split(again.removeprefix("  again: pytest ")))
    rerun.assert_outcomes(failed=4)


def test_the_same_cause_on_another_batch_is_one_block_that_says_so(run) -> None:
    source = FAILING_ALIKE.replace('batch="[1.0]", ', "")
    block = told(run(source))["test_wrong[eager]"]
    assert "on this batch:\n  batch of eager\n" in block
    assert "Note: numbers and batch are those of eager; the other modes have their own" in block


def test_failures_of_several_files_are_told_in_the_order_of_the_files(run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    slow = "import time\ntime.sleep(1)\n"
    for name, before in (("a", slow), ("b", "")):
        body = FAILING_ALIKE.replace("wrong", f"wrong_{name}")
        (pytester.path / f"test_{name}.py").write_text(f"from pretended_harness import *\n{before}{body}")
    result = run("def test(): pass", "-n", "2", "--dist=loadfile", subprocess=True)
    assert list(told(result)) == [f"test_wrong_{name}[{mode}]" for name in "ab" for mode in ("eager", "xla")]


def test_the_first_mode_that_runs_is_told_in_full(run) -> None:
    (failure,) = told(run(FAILING_ALIKE, "-k", "dynamic")).values()
    assert "What to do:" in failure


def test_an_expected_failure_is_not_told_and_the_others_are(run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_itemcollected(item):\n"
        "    if 'eager' in item.name: item.add_marker(pytest.mark.xfail)"
    )
    failures = told(run(FAILING_ALIKE))
    assert list(failures) == ["test_wrong[graph]", "test_wrong[xla]"]
    assert "MISMATCH in graph, dynamic" in failures["test_wrong[graph]"]


def test_where_the_test_has_a_source_the_first_is_told_with_it(run) -> None:
    result = run(
        "import pytest\n"
        "def test_it(gradcheck_mode): checked(**{gradcheck_mode: 'MISMATCH'})\n"
        "def test_other(): assert 1 == 2\n"
    )
    result.assert_outcomes(failed=5)
    failures = told(result)
    assert list(failures) == ["test_it[eager]", "test_other"]
    assert "def test_it(gradcheck_mode)" in failures["test_it[eager]"]
    same = "The same in test_it.py::test_it[graph], test_it.py::test_it[dynamic], test_it.py::test_it[xla]."
    assert same in failures["test_it[eager]"]


@pytest.mark.parametrize("columns", ["80", "60"])
def test_the_short_summary_begins_with_verdict_and_cause(run, columns: str) -> None:
    result = run("def test_it(): checked(eager='PASS', graph='MISMATCH', xla='MISMATCH')", COLUMNS=columns)
    line = next(line for line in result.stdout.lines if line.startswith("FAILED "))
    assert line.startswith("FAILED test_it.py::test_it - MISMATCH in graph, xla: ")


UNITTEST = """
import gradcheck, unittest
class TestIt(unittest.TestCase):
    def test_refused(self):
        gradcheck.search(len, "no strategy")
    def test_own_error(self):
        self.assertEqual(1, 2)
"""


def test_the_inside_of_gradcheck_is_left_out_in_unittest_classes_too(run) -> None:
    result = run(UNITTEST)
    result.assert_outcomes(failed=2)
    shown = result.stdout.str().partition("short test summary")[0]
    assert shown.count("InputError: search needs a Hypothesis strategy") == 1
    assert '>       gradcheck.search(len, "no strategy")' in shown
    assert "AssertionError: 1 != 2" in shown
    assert "searches.py" not in shown, shown
    assert "searches.py" in run(UNITTEST, "--full-trace").stdout.str()


COUNTED = """
import gradcheck
pretend_search({"wrong": {"xla": "MISMATCH", "graph": "MISMATCH"}})
def right(values, lengths): ...
def wrong(values, lengths): ...
test_wrong = gradcheck.suite(wrong)
"""


def searched(result: pytest.RunResult) -> list[str]:
    """The modes of each search that was made."""
    return [line.partition("wrong ")[2].partition(")")[0] + ")" for line in result.stdout.lines if "SEARCHED" in line]


def test_the_tests_of_a_suite_share_one_search(run, pytester: pytest.Pytester) -> None:
    result = run(COUNTED, "-s", "--gradcheck-json=found.json")
    result.assert_outcomes(passed=2, failed=2)
    assert searched(result) == ["('eager', 'graph', 'dynamic', 'xla')"]
    parts = json.loads((pytester.path / "found.json").read_text())["results"]
    modes = ("eager", "graph", "dynamic", "xla")
    assert [(part["nodeid"], list(part["modes"])) for part in parts] == [
        (f"test_it.py::test_wrong[{mode}]", [mode]) for mode in modes
    ]
    assert [part["modes"][mode]["counts"] for part, mode in zip(parts, modes, strict=True)] == [
        {"PASS": 3}, {}, {"PASS": 3}, {}
    ]  # fmt: skip


def test_a_selected_mode_is_searched_alone_and_others_together(run) -> None:
    assert searched(run(COUNTED, "-s", "-k", "xla")) == ["('xla',)"]
    assert searched(run(COUNTED, "-s", "-k", "xla or graph")) == ["('graph', 'xla')"]


def test_a_search_that_raises_is_tried_for_each_mode_alone(run) -> None:
    asking = REFUSING.partition("test_mine")[0].replace(
        "    raise", "    print('ASKED', arguments['modes'])\n    raise"
    )
    result = run(asking + "test_it = gradcheck.suite(subject)\n", "-s")
    result.assert_outcomes(failed=4)
    asked = [line.partition("ASKED ")[2] for line in result.stdout.lines if "ASKED (" in line]
    assert asked == ["('eager', 'graph', 'dynamic', 'xla')", "('graph',)", "('dynamic',)", "('xla',)"]


@pytest.mark.parametrize(("distribution", "searches"), [("loadgroup", 2), ("load", 8)])
def test_workers_share_where_a_suite_stays_on_one(run, distribution: str, searches: int, tmp_path) -> None:
    pytest.importorskip("xdist")
    noting = (
        "import gradcheck.searching.searches as s\n"
        "_pretended = s.search\n"
        "def noted(*args, **kwargs):\n"
        f"    with open({str(tmp_path / 'noted')!r}, 'a') as file: file.write('.')\n"
        "    return _pretended(*args, **kwargs)\n"
        "s.search = noted\n"
    )
    source = COUNTED.replace("test_wrong =", noting + "test_right = gradcheck.suite(right)\ntest_wrong =")
    result = run(source, "-n", "2", "--dist", distribution, "--gradcheck-json=found.json", subprocess=True)
    result.assert_outcomes(passed=6, failed=2)
    assert len((tmp_path / "noted").read_text()) == searches
    assert "again: pytest test_it.py::test_wrong --gradcheck-modes=graph,xla" in result.stdout.str()
