"""What a run shows: the matrix, the failures, and nothing where there is nothing."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from gradcheck.isolation.environment import installed_versions

TWO = """
def test_right(): checked('right', eager='PASS', xla='PASS')
def test_wrong(): checked('wrong', eager='PASS', xla='MISMATCH')
"""


def test_nothing_is_shown_where_nothing_was_checked(run) -> None:
    result = run("def test(): pass")
    assert "= gradcheck =" not in result.stdout.str()


def test_matrix_and_failures(run, pytester: pytest.Pytester) -> None:
    result = run(TWO)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*= gradcheck =*",
            "subject*eager*xla*",
            "right*PASS*PASS",
            "wrong*PASS*MISMATCH !",
            "",
            "test_it.py::test_wrong: wrong",
            "  MISMATCH in xla: off by 2",
            "    script  .pytest_cache/d/gradcheck/wrong-*-xla.py",
            "  again: pytest test_it.py::test_wrong --gradcheck-modes=xla",
        ]
    )
    assert _script(result, pytester.path) == "print('script')\n"


def _script(result: pytest.RunResult, folder: Path) -> str:
    """What stands in the script that the terminal names."""
    (line,) = [line for line in result.stdout.lines if line.startswith("    script  ")]
    return (folder / line.removeprefix("    script  ")).read_text()


def test_the_command_runs_the_failing_test_again_and_no_other(run, pytester: pytest.Pytester) -> None:
    result = run(TWO)
    (again,) = [line for line in result.stdout.lines if line.startswith("  again: ")]
    command = shlex.split(again.removeprefix("  again: "))
    assert command[0] == "pytest"
    result = pytester.runpytest_subprocess(*command[1:])
    result.assert_outcomes(failed=1)


def test_the_command_is_right_below_the_root_too(run, pytester: pytest.Pytester, monkeypatch) -> None:
    pytester.mkdir("inner")
    (pytester.path / "inner" / "test_deep.py").write_text(f"from pretended_harness import *\n{TWO}")
    monkeypatch.chdir(pytester.path / "inner")
    result = run("def test(): pass", "test_deep.py")
    result.stdout.fnmatch_lines(["  again: pytest test_deep.py::test_wrong --gradcheck-modes=xla"])


def test_the_command_names_a_file_outside_the_root(run, pytester: pytest.Pytester, monkeypatch) -> None:
    root = pytester.mkdir("root")
    (root / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(root)
    result = run(TWO, "-c", "pytest.ini", str(pytester.path / "test_it.py"))
    result.stdout.fnmatch_lines(["*again: pytest ../test_it.py::test_wrong --gradcheck-modes=xla"])


def test_modes_with_the_same_cause_share_lines_and_others_do_not(run) -> None:
    result = run(
        """
def test_it():
    first = report_of(eager='MISMATCH', graph='MISMATCH', xla='NONFINITE')
    recording.publish(first)
    raise GradientError(first)
"""
    )
    result.stdout.fnmatch_lines(
        ["  MISMATCH in eager, graph: off by 2", "    script  *-eager.py", "  NONFINITE in xla: off by 2"]
    )


def test_a_search_in_a_test_shows_every_mode_with_its_own_batch(run) -> None:
    result = run(
        "pretend_search(graph='MISMATCH', xla='NONFINITE')\n"
        "def layer(x): ...\n"
        "def test_it(gradcheck): gradcheck.search(layer, None)",
        "--tb=no",  # else the batches are told above
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "layer*PASS*MISMATCH !*PASS*NONFINITE !",
            "  MISMATCH in graph: off by 2",
            "    batch   batch of graph",
            "  NONFINITE in xla: off by 2",
            "    batch   batch of xla",
            "  again: pytest test_it.py::test_it --gradcheck-modes=graph,xla",
        ]
    )


def test_with_q_subjects_that_pass_are_counted(run) -> None:
    result = run(TWO, "-q")
    assert not [line for line in result.stdout.lines if line.startswith("right ")]
    result.stdout.fnmatch_lines(["wrong*MISMATCH !", "1 more subject passed in every mode (-v shows them)"])


def test_of_many_subjects_those_that_pass_are_counted(run) -> None:
    source = (
        "import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): checked(f'layer {n}', xla='PASS')"
    )
    result = run(source)
    result.stdout.fnmatch_lines(["50 subjects passed in every mode (-v shows them)"])
    result = run(source, "-v")
    assert len([line for line in result.stdout.lines if line.startswith("layer ")]) == 50


def test_a_script_that_cannot_be_made_costs_no_result(run) -> None:
    result = run(
        """
class Scripts(dict):
    def __getitem__(self, mode): raise OSError("no source")
    def items(self): raise OSError("no source")
def test_it():
    import dataclasses
    report = dataclasses.replace(report_of(xla="MISMATCH"), scripts=Scripts(xla=""))
    recording.publish(report)
    raise GradientError(report)
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["layer: no script: OSError: no source", "layer*MISMATCH !"])


def test_where_the_cache_is_off_scripts_go_to_a_temporary_folder(run, pytester: pytest.Pytester, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(pytester.mkdir("temporary")))
    result = run(TWO, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    assert _script(result, pytester.path) == "print('script')\n"
    assert list(pytester.path.glob("temporary/gradcheck-*/wrong-*-xla.py"))


def test_xdist_shows_the_same(run) -> None:
    pytest.importorskip("xdist")
    result = run(TWO, "-n", "2", subprocess=True)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["right*PASS*PASS"])
    result.stdout.fnmatch_lines(
        ["wrong*PASS*MISMATCH !", "*test_it.py::test_wrong: wrong", "  MISMATCH in xla: off by 2"]
    )


def test_a_dying_xdist_worker_takes_no_other_result_with_it(run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    dying = """
import os, pytest
@pytest.mark.gradcheck(modes=["graph", "xla"])
def test_dies(): os._exit(9)
@pytest.mark.gradcheck(modes="xla")
def test_dies_too(gradcheck_mode): os._exit(9)
def test_dies_without_gradients(): os._exit(9)
"""
    result = run(TWO + dying, "-n", "2", "--gradcheck-json=out.json", subprocess=True)
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(["right*PASS*PASS"])
    result.stdout.fnmatch_lines(["wrong*PASS*MISMATCH !"])
    result.stdout.fnmatch_lines(["test_dies *CRASH !*CRASH !"])
    result.stdout.fnmatch_lines(["  CRASH in graph, xla: worker * crashed while running *; in which of the"])
    result.stdout.fnmatch_lines(["  again: pytest 'test_it.py::test_dies_too[[]xla]'"])
    rows = json.loads((pytester.path / "out.json").read_text())["results"]
    assert {row["test"].split("::")[1] for row in rows} == {"test_right", "test_wrong", "test_dies", "test_dies_too"}
    # What died was of this version, too: no column of its own in the report.
    died = [row for row in rows if row["test"].split("::")[1].startswith("test_dies")]
    assert [row["versions"] for row in died] == [dict(installed_versions())] * 2


def test_unittest_classes(run) -> None:
    result = run(
        """
import unittest
class Test(unittest.TestCase):
    def test_right(self): checked('right', xla='PASS')
    def test_wrong(self): checked('wrong', xla='MISMATCH')
"""
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["right*PASS", "wrong*MISMATCH !", "*again: pytest test_it.py::Test::test_wrong*"])


def test_under_given_only_the_shrunk_example_counts(run) -> None:
    result = run(
        """
from hypothesis import given, settings, strategies as st
@settings(max_examples=200, database=None, derandomize=True)
@given(st.integers(0, 1000))
def test_it(n):
    checked('layer', arguments=f'batch {n}', eager='PASS' if n < 17 else 'MISMATCH')
""",
        "--tb=no",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["layer*MISMATCH !", "    batch   batch 17"])


def test_a_layer_that_is_made_for_each_example_is_one_subject(run) -> None:
    body = """
from hypothesis import given, settings, strategies as st

made = []

@settings(max_examples=20, database=None, derandomize=True)
@given(st.integers(0, 40))
def test_it(n):
    made.append(n)
    name = f"SineLayer 'sine_layer_{len(made)}'"
    checked(name, arguments=f'batch {n}', eager='PASS' if n < 17 else 'MISMATCH')
"""
    result = run(body, "-v", "--tb=no")
    result.stdout.fnmatch_lines(["SineLayer *MISMATCH !", "    batch   batch 17"])
    assert result.stdout.str().count("again: pytest") == 1
    assert not re.search(r"^SineLayer 'sine_layer", result.stdout.str(), re.MULTILINE)  # in the matrix


def test_several_failures_of_one_test_are_taken_from_the_group(run) -> None:
    result = run(
        """
from hypothesis import given, settings, strategies as st
@settings(max_examples=200, database=None, derandomize=True)
@given(st.integers(0, 1000))
def test_it(n):
    if n > 100:
        checked('second', eager='ERROR')
    if n > 17:
        checked('first', eager='MISMATCH')
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*first*MISMATCH !*"])
    result.stdout.fnmatch_lines(["*second*ERROR !*"])


def test_of_a_passing_test_the_worst_verdict_is_shown(run) -> None:
    result = run(
        """
from hypothesis import given, settings, strategies as st
@settings(database=None, derandomize=True)
@given(st.integers(0, 9))
def test_it(n):
    checked('layer', eager='KINK' if n == 0 else 'PASS', xla='PASS')
"""
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["layer*KINK*PASS"])


def test_subjects_of_one_name_are_told_apart_by_their_tests(run) -> None:
    result = run("def test_a(): checked(xla='PASS')\ndef test_b(): checked(xla='KINK')\n")
    result.stdout.fnmatch_lines(["layer (test_a)*PASS", "layer (test_b)*KINK"])


def test_junit_properties(run, pytester: pytest.Pytester) -> None:
    run(TWO, "--junitxml=junit.xml")
    properties = {
        (found.get("name"), found.get("value"))
        for found in ElementTree.parse(pytester.path / "junit.xml").iter("property")
    }
    assert ("gradcheck: wrong: xla", "MISMATCH") in properties
    assert ("gradcheck: right: eager", "PASS") in properties


def test_a_failure_that_is_not_ours_shows_what_was_checked_before(run) -> None:
    result = run("def test_it():\n    checked(xla='PASS')\n    assert False\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["layer*PASS"])
    assert "again: pytest" not in result.stdout.str()


RESTING = """
import pytest
@pytest.mark.parametrize("n", range(3))
def test_fine(n): checked('fine', resolution=10.0 ** -(n + 8), eager='PASS', xla='PASS')
def test_coarse(): checked('coarse', resolution=2e-5, xla='KINK')
def test_unknown(): checked('unknown', eager='PASS')
def test_undecided(): checked('undecided', resolution=0.5, xla='UNRESOLVED')
"""


def test_it_says_what_a_pass_rests_on(run, pytester: pytest.Pytester) -> None:
    said = (
        "passed on 8 examples, each mode counted by itself; detection limit: an error of 1e-09 of the gradient's size "
        "(median; worst 2e-05) (coarse in xla)"
    )
    result = run(RESTING, "--gradcheck-json=out.json")
    assert said in " ".join(result.stdout.str().split())
    assert "fine (test_fine[0]) " in result.stdout.str()
    assert "1 in eager, xla" not in result.stdout.str()
    rows = json.loads((pytester.path / "out.json").read_text())["results"]
    assert [row["modes"]["xla"].get("resolution") for row in rows if "xla" in row["modes"]] == [
        1e-8,
        1e-9,
        1e-10,
        2e-5,
        None,
    ]
    loud = " ".join(run(RESTING, "-v").stdout.str().split())
    assert said in loud
    assert "fine (test_fine[0]) 1 in eager, xla; detection limit: an error of 1e-08 of the" in loud
    assert "unknown 1 in eager" in loud
    assert "passed on" not in run(RESTING, "-q").stdout.str()


def test_of_a_search_the_examples_are_counted(run) -> None:
    result = run(
        """
import gradcheck
from gradcheck.report import Report
def test_it():
    found = {"eager": {"PASS": 90, "KINK": 10}, "xla": {"PASS": 60}}
    recording.publish(dataclasses.replace(report_of(resolution=1e-7, eager="PASS", xla="PASS"), counts=found))
"""
    )
    assert (
        "passed on 160 examples, each mode counted by itself; detection limit: an error of 1e-07 of the gradient's "
        "size (xla)"
    ) in " ".join(result.stdout.str().split())
