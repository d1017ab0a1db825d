"""What the plugin tells GitHub Actions, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

TWO = """
def test_right(): checked('right', eager='PASS', xla='PASS')
def test_wrong(): checked('wrong|<b>', cause='50% off:\\n2, not 1', eager='PASS', xla='MISMATCH')
"""


@pytest.fixture
def summary(pytester: pytest.Pytester) -> Path:
    return pytester.path / "summary.md"


@pytest.mark.parametrize(
    ("arguments", "environment", "speaks"),
    [
        ([], {}, False),
        ([], {"GITHUB_ACTIONS": "true"}, True),
        (["--gradcheck-github=on"], {}, True),
        (["--gradcheck-github=off"], {"GITHUB_ACTIONS": "true"}, False),
        (["--gradcheck-github=auto"], {"GITHUB_ACTIONS": "false"}, False),
    ],
)
def test_it_speaks_where_asked_or_on_github(run, summary: Path, arguments, environment, speaks: bool) -> None:
    result = run(TWO, *arguments, GITHUB_STEP_SUMMARY=str(summary), **environment)
    result.assert_outcomes(passed=1, failed=1)
    assert any(line.startswith("::error ") for line in result.stdout.lines) == speaks
    assert summary.exists() == speaks


def test_by_the_ini_file(run, pytester: pytest.Pytester, summary: Path) -> None:
    pytester.makeini("[pytest]\ngradcheck_github = on\n")
    run(TWO, GITHUB_STEP_SUMMARY=str(summary))
    assert summary.exists()


def test_an_annotation_stands_at_the_test_and_is_escaped(run, pytester: pytest.Pytester) -> None:
    result = run(TWO, "--gradcheck-github=on", GITHUB_WORKSPACE=str(pytester.path.parent))
    (line,) = [line for line in result.stdout.lines if line.startswith("::")]
    assert line == (
        f"::error file={pytester.path.name}/test_it.py,line=4,title=wrong|<b>%3A MISMATCH::"
        "xla: MISMATCH: 50%25 off:%0A2, not 1%0Aon Batch(values=np.array([[1.0]]))"
    )


def test_the_summary_is_a_table_and_is_escaped(run, summary: Path) -> None:
    summary.write_text("from an earlier step\n")
    run(TWO, "--gradcheck-github=on", GITHUB_STEP_SUMMARY=str(summary))
    text = summary.read_text()
    assert text.startswith("from an earlier step\n### Gradient checks, TensorFlow 2.8.4\n")
    assert "| subject | eager | xla |\n|---|---|---|\n| `right` | PASS | PASS |" in text
    assert "| `wrong\\|<b>` | PASS | **MISMATCH** |" in text
    assert "test_it.py::test_wrong: wrong|&lt;b&gt;</summary>" in text
    assert "- xla: **MISMATCH** 50% off: 2, not 1" in text


def test_without_results_and_without_a_file_nothing_happens(run, summary: Path) -> None:
    result = run("def test(): pass", "--gradcheck-github=on", GITHUB_STEP_SUMMARY=str(summary))
    result.assert_outcomes(passed=1)
    assert not summary.exists()
    run(TWO, "--gradcheck-github=on").assert_outcomes(passed=1, failed=1)


def test_xdist_annotates_once(run) -> None:
    pytest.importorskip("xdist")
    result = run(TWO, "-n", "2", "--gradcheck-github=on", subprocess=True)
    assert len([line for line in result.stdout.lines if line.startswith("::error ")]) == 1
