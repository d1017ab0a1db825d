"""Terminal, page, JSON, Markdown, JUnit and exit status tell the same, whatever the subjects are called."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from click.testing import CliRunner

from gradcheck.cli import main
from gradcheck.rendering.html.view import page_of
from gradcheck.results.reading import read_results

LAMBDAS = """
import gradcheck
pretend_search()
test_bad = gradcheck.suite(nameless(graph="MISMATCH"), modes="graph")
test_good = gradcheck.suite(nameless(graph="PASS"), modes="graph")
"""
UNNAMED = """
import gradcheck
pretend_search()
gradcheck.suite(nameless(graph="MISMATCH"), modes="graph")
gradcheck.suite(nameless(graph="PASS"), modes="graph")
"""
ONE_CLASS = """
def test_narrow(): checked("Layer 'layer'", graph='MISMATCH')
def test_wide(): checked("Layer 'layer_1'", graph='PASS')
"""
PARAMETERS = """
import pytest
@pytest.mark.parametrize("units", [1, 2])
def test_layer(units): checked("Layer 'layer'", graph='MISMATCH' if units == 1 else 'PASS')
"""
CLASSES = """
class TestNarrow:
    def test_it(self): checked("Layer 'layer'", graph='MISMATCH')
class TestWide:
    def test_it(self): checked("Layer 'layer_1'", graph='PASS')
"""
FILES = ["--gradcheck-json=out.json", "--gradcheck-html=page.html", "--junitxml=junit.xml"]


TWO_WORKERS = ["-n", "2"]


@pytest.mark.parametrize(
    ("source", "workers"),
    [
        *((source, []) for source in (LAMBDAS, UNNAMED, ONE_CLASS, PARAMETERS, CLASSES)),
        *((source, TWO_WORKERS) for source in (LAMBDAS, ONE_CLASS)),
    ],
)
def test_a_pass_never_covers_a_failure(run, pytester: pytest.Pytester, source: str, workers: list[str]) -> None:
    result = run(source, *FILES, *workers, subprocess=bool(workers))
    result.assert_outcomes(passed=1, failed=1)
    terminal = result.stdout.str()
    assert len(re.findall(r"^\S+ \(.+\) +MISMATCH !$", terminal, re.MULTILINE)) == 1
    assert len(re.findall(r"^\S+ \(.+\) +PASS$", terminal, re.MULTILINE)) == 1

    found = read_results(pytester.path / "out.json")
    assert sorted(row.modes["graph"].verdict.value for row in found.rows) == ["MISMATCH", "PASS"]
    assert not found.ok
    counts = page_of(found).counts
    assert (counts["subjects"], counts["failing"], counts["fail"], counts["fine"]) == (2, 1, 1, 1)
    page = " ".join((pytester.path / "page.html").read_text().split())
    assert "1 of 2 subjects failed" in page
    (failing,) = (row.subject for row in found.rows if not row.ok)
    assert f'data-subject="{failing}"'.replace("<", "&lt;").replace(">", "&gt;") in page

    reported = CliRunner().invoke(main, ["report", "out.json", "--markdown", "out.md", "--json", "again.json"])
    assert reported.exit_code == 1
    assert "2 subjects: 1 verdict failed" in reported.output
    assert (pytester.path / "out.md").read_text().count("**MISMATCH**") == 1
    assert read_results(pytester.path / "again.json") == found
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("tests")) == ("1", "2")


@pytest.mark.parametrize("workers", [[], TWO_WORKERS])
def test_modes_of_one_suite_are_one_line(run, pytester: pytest.Pytester, workers: list[str]) -> None:
    source = LAMBDAS.replace(', modes="graph"', "")
    run(source, *FILES, *workers, subprocess=bool(workers)).assert_outcomes(passed=7, failed=1)
    found = read_results(pytester.path / "out.json")
    assert [list(row.modes) for row in found.rows] == [["eager", "graph", "dynamic", "xla"]] * 2
    assert [row.subject for row in found.rows] == ["<lambda> (test_bad)", "<lambda> (test_good)"]


def status(pytester: pytest.Pytester) -> int:
    return CliRunner().invoke(main, ["report", str(pytester.path / "out.json")]).exit_code


def test_a_failure_that_the_test_expects_is_none(run, pytester: pytest.Pytester) -> None:
    result = run(
        "import pytest\n"
        "def test_raises():\n    with pytest.raises(GradientError): checked(xla='MISMATCH')\n"
        "@pytest.mark.xfail\ndef test_xfail(): checked('other', xla='MISMATCH')\n",
        *FILES,
    )
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["layer *MISMATCH [*]", "other *MISMATCH [*]"])
    assert status(pytester) == result.ret == 0
    counts = page_of(read_results(pytester.path / "out.json")).counts
    assert (counts["fail"], counts["expected"]) == (0, 2)


UNDECIDED = "def test_it(): checked(xla='UNRESOLVED')"
NOT_OURS = "def test_it():\n    checked(xla='PASS')\n    assert 1 == 2, 'something else'"
BAD_INPUT = "import gradcheck\ndef test_it(): gradcheck.search(len, 'no strategy')"
BAD_SET_UP = (
    "import gradcheck, pytest\npretend_search()\n@pytest.fixture(autouse=True)\n"
    "def broken(): raise OSError('no data')\ntest_it = gradcheck.suite(nameless(), modes='xla')"
)
BAD_TEAR_DOWN = "import pytest\n@pytest.fixture(autouse=True)\ndef broken():\n    yield\n    raise OSError('no data')\n"
BAD_TEAR_DOWN += "def test_it(): checked(xla='PASS')"
BAD_MARKER = "import pytest\n@pytest.mark.gradcheck(modes='xal')\ndef test_it(): checked(xla='PASS')"
BAD_MODULE = "import nothing_of_that_name\ndef test_it(): checked(xla='PASS')"


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        (BAD_SET_UP, TWO_WORKERS, "test_it.py::test_it[xla]: its set-up failed: OSError: no data"),
        (BAD_MODULE, TWO_WORKERS, "test_it.py: it could not be collected"),
        (UNDECIDED, ["--gradcheck-unresolved=fail"], "test_it.py::test_it: the test failed: Failed: undecided"),
        (NOT_OURS, [], "test_it.py::test_it: the test failed: AssertionError: something else"),
        (BAD_INPUT, [], "test_it.py::test_it: the test failed: InputError: search needs a Hypothesis strategy"),
        (BAD_SET_UP, [], "test_it.py::test_it[xla]: its set-up failed: OSError: no data"),
        (BAD_TEAR_DOWN, [], "test_it.py::test_it: its tear-down failed: OSError: no data"),
        (BAD_MARKER, [], "test_it.py::test_it: its set-up failed: "),
        (BAD_MODULE, [], "test_it.py: it could not be collected"),
    ],
)
def test_what_failed_otherwise_is_no_pass(
    run, pytester: pytest.Pytester, source: str, arguments: list[str], said: str
) -> None:
    result = run(source, *FILES, *arguments, subprocess=arguments == TWO_WORKERS)
    assert result.ret != 0
    document = json.loads((pytester.path / "out.json").read_text())
    assert document["complete"] is False or document["results"][0]["outcome"] == "failed"
    reported = CliRunner().invoke(main, ["report", str(pytester.path / "out.json")])
    assert reported.exit_code == 1
    assert said in " ".join(reported.output.split())
    assert 'id="not-checked"' in (pytester.path / "page.html").read_text()


def test_a_run_that_stops_early_says_so(run, pytester: pytest.Pytester) -> None:
    result = run(ONE_CLASS, *FILES, "-x")
    result.assert_outcomes(failed=1)
    said = "the tests behind the last one: stopping after 1 failures"
    assert f"Not checked: {said}" in result.stdout.str()
    reported = CliRunner().invoke(main, ["report", str(pytester.path / "out.json")])
    assert said in reported.output
