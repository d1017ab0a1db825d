"""What a run shows: the matrix, the failures, and nothing where there is nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

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
            "  xla: MISMATCH: off by 2",
            "  smallest case: Batch(values=np.array(*",
            "  script (xla): *wrong-xla-*.py",
            "  again: pytest test_it.py::test_wrong --gradcheck-modes=xla",
        ]
    )
    script = next(line for line in result.stdout.lines if line.startswith("  script (xla): "))
    assert Path(script.removeprefix("  script (xla): ")).read_text() == "print('script')\n"


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


def test_scripts_are_not_written_where_the_cache_is_off(run) -> None:
    result = run(TWO, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    assert "script (xla)" not in result.stdout.str()


def test_xdist_shows_the_same(run) -> None:
    pytest.importorskip("xdist")
    result = run(TWO, "-n", "2", subprocess=True)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["right*PASS*PASS"])
    result.stdout.fnmatch_lines(
        ["wrong*PASS*MISMATCH !", "*test_it.py::test_wrong: wrong", "  xla: MISMATCH: off by 2"]
    )


def test_a_dying_xdist_worker_takes_no_other_result_with_it(run) -> None:
    pytest.importorskip("xdist")
    result = run(TWO + "def test_dies():\n    import os; os._exit(9)\n", "-n", "2", subprocess=True)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["right*PASS*PASS"])
    result.stdout.fnmatch_lines(["wrong*PASS*MISMATCH !"])


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
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["layer*MISMATCH !", "  smallest case: batch 17"])


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
