"""``gradcheck report``: files of every kind, together; and what is said about files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradcheck.report import Entry, ModeResult, Report
from gradcheck.results.reading import read_results, results_of
from gradcheck.results.rows import Results
from gradcheck.schemas import schema
from gradcheck.verdicts import Verdict


def report(subject: str, version: str, **verdicts: str) -> dict[str, Any]:
    modes = {
        mode: ModeResult(mode, Verdict[name], cause="off by 2" if Verdict[name].fails else "")
        for mode, name in verdicts.items()
    }
    return Report(subject, modes, "Batch(…)", {"tensorflow": version}).to_dict()


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """The same subjects on two versions, in the order in which a shell sorts them (2.10 before 2.9)."""
    new = {"schema": 1, "kind": "merged", "results": [report("gru", "2.10.1", eager="PASS", xla="PASS")]}
    old = {
        "schema": 1,
        "kind": "merged",
        "results": [report("gru", "2.9.3", eager="PASS", xla="DISAGREEMENT")],
    }
    return [write(tmp_path / "2.10.json", new), write(tmp_path / "2.9.json", old)]


def test_one_matrix_for_each_version_oldest_first(run, two: list[Path]) -> None:
    result = run("report", *two)
    assert result.exit_code == 1
    assert result.output.index("TensorFlow 2.9.3") < result.output.index("TensorFlow 2.10.1")
    assert "gru, xla on TensorFlow 2.9.3: DISAGREEMENT: off by 2" in result.output
    assert "gru, xla: DISAGREEMENT up to 2.9.3, fixed in 2.10.1" in result.output
    assert "1 subject on 2 versions: 1 verdict failed" in result.output


def test_columns_stand_in_the_usual_order_whoever_comes_first(run, tmp_path: Path) -> None:
    first = write(tmp_path / "a.json", report("a", "2.8.4", xla="PASS"))
    second = write(tmp_path / "b.json", report("b", "2.8.4", eager="PASS", graph="KINK"))
    lines = [line.split() for line in run("report", first, second).output.splitlines()]
    assert ["subject", "eager", "graph", "xla"] in lines
    assert ["a", "-", "-", "PASS"] in lines
    assert ["b", "PASS", "KINK", "-"] in lines


def test_a_case_belongs_to_its_mode_and_shared_failures_share_a_line(run, tmp_path: Path) -> None:
    document = report("gru", "2.8.4", eager="MISMATCH", graph="MISMATCH", xla="MISMATCH")
    for mode, case in (("eager", "small"), ("graph", "small"), ("xla", "large")):
        document["modes"][mode]["arguments"] = f"Batch({case})"
    output = run("report", write(tmp_path / "r.json", document)).output
    assert "gru, eager, graph: MISMATCH: off by 2\n    smallest case: Batch(small)\n" in output
    assert "gru, xla: MISMATCH: off by 2\n    smallest case: Batch(large)\n" in output
    assert "1 subject: 3 verdicts failed" in output


def test_all_well_exits_with_0(run, tmp_path: Path) -> None:
    result = run("report", write(tmp_path / "r.json", report("gru", "2.8.4", eager="PASS", xla="KINK")))
    assert result.exit_code == 0
    assert "1 subject: nothing failed" in result.output


def test_merged_json_reads_back(run, two: list[Path], tmp_path: Path) -> None:
    run("report", *two, "--json", "merged.json")
    merged = read_results(tmp_path / "merged.json")
    assert merged == Results.joined(map(read_results, two))
    assert merged.rows[0].origin == str(two[0])


def test_markdown_escapes_what_it_shows(run, tmp_path: Path) -> None:
    modes = {"xla": ModeResult("xla", Verdict.MISMATCH, cause="a<b> | c")}
    path = write(tmp_path / "r.json", Report("<script>|`x", modes).to_dict())
    run("report", path, "--markdown", "r.md")
    lines = (tmp_path / "r.md").read_text().splitlines()
    # Inside a code span nothing is HTML, outside an angle bracket must not be one.
    assert "| `<script>\\|'x` | **MISMATCH** |" in lines
    assert any(line.endswith("MISMATCH: a&lt;b> \\| c") for line in lines)


def test_files_of_the_plugin(tmp_path: Path) -> None:
    row = {
        "nodeid": "test_it.py::test",
        "outcome": "failed",
        "subject": "layer",
        "versions": {"tensorflow": "2.8.4"},
        "modes": {"xla": {"verdict": "MISMATCH", "ok": False, "cause": "c", "expected": [], "counts": {}}},
        "arguments": "Batch(…)",
    }
    (found,) = results_of({"schema": 1, "kind": "pytest", "results": [row]}).rows
    assert (found.subject, found.tensorflow, found.origin) == ("layer", "2.8.4", "test_it.py::test")
    assert found.modes["xla"].verdict is Verdict.MISMATCH
    assert not found.ok


def test_non_finite_numbers_survive_as_strict_json(tmp_path: Path) -> None:
    entry = Entry("output", "values", float("nan"), float("inf"))
    document = Report("s", {"xla": ModeResult("xla", Verdict.NONFINITE, entry=entry)}).to_dict()
    text = json.dumps(document, allow_nan=False)
    assert results_of(json.loads(text)).rows[0].modes["xla"].verdict is Verdict.NONFINITE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no results of gradcheck (no 'kind' and 'schema'); was it written with --json?"),
        ('{"kind": "report"}', "holds no results of gradcheck"),
        (
            '{"kind": "report", "schema": 99}',
            "has schema 99, and this gradcheck reads up to 1; update tf-gradcheck",
        ),
        ('{"kind": "searches", "schema": 1, "results": 3}', "results: 3 is not a list; the file is damaged"),
        ('{"kind": "report", "schema": 1, "subject": "s", "ok": true}', "'modes' is missing; the file is damaged"),
        (
            '{"kind": "report", "schema": 1, "subject": "s", "ok": true, '
            '"modes": {"xla": {"verdict": "FINE", "ok": true}}}',
            "modes.xla.verdict: 'FINE' is not one of CRASH, ",
        ),
    ],
)
def test_a_file_that_is_no_result_is_named(run, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "r.json").write_text(content)
    result = run("report", "r.json")
    assert result.exit_code == 2
    text = " ".join(result.stderr.split())
    assert said in text
    assert "r.json: " in text


def test_no_files(run) -> None:
    result = run("report")
    assert result.exit_code == 2
    assert "give result files that were written with --json" in " ".join(result.stderr.split())


def test_the_schema_is_printed(run) -> None:
    for arguments, name in ((("--schema",), "results"), (("--schema", "case"), "case")):
        result = run("report", *arguments)
        assert result.exit_code == 0
        assert json.loads(result.stdout) == schema(name)


def test_html(run, two: list[Path], tmp_path: Path) -> None:
    result = run("report", *two, "--html", "new/report.html", "--title", "a < b")
    assert result.exit_code == 1
    page = (tmp_path / "new" / "report.html").read_text()
    assert "<title>a &lt; b: TensorFlow 2.9.3 to 2.10.1</title>" in page
    assert "DISAGREEMENT up to 2.9.3, fixed in 2.10.1" in page


def test_no_such_file(run) -> None:
    result = run("report", "nothing.json")
    assert result.exit_code == 2
    assert "nothing.json" in result.stderr


def test_the_upgrade_that_was_asked_for(run, two: list[Path], tmp_path: Path) -> None:
    result = run("report", *two, "--markdown", "r.md")
    assert (
        "Upgrade from TensorFlow 2.9.3 to 2.10.1:\n  Nothing that works on 2.9.3 is broken on 2.10.1;" in result.output
    )
    assert "  Fixed: 1\n    gru, xla: DISAGREEMENT -> PASS\n" in result.output
    assert "## Upgrade from TensorFlow 2.9.3 to 2.10.1" in (tmp_path / "r.md").read_text()
    back = run("report", *two, "--from", "2.10", "--to", "2.9", "--html", "r.html").output
    assert "Upgrade from TensorFlow 2.10.1 to 2.9.3:\n  1 that works on 2.10.1 is broken on 2.9.3;" in back
    assert "1 that works on 2.10.1 is broken on 2.9.3;" in (tmp_path / "r.html").read_text()


def test_an_upgrade_of_which_nothing_is_there(run, two: list[Path]) -> None:
    for arguments, said in (
        (("--to", "2.11"), "--to 2.11: there are no results of it; there are those of 2.9.3, 2.10.1"),
        (("--from", "2.10"), "the upgrade is from 2.10.1 to itself"),
    ):
        result = run("report", *two, *arguments)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
    one = run("report", two[0], "--from", "2.10")
    assert one.exit_code == 2
    assert "--from and --to compare two versions, and the files hold one" in " ".join(one.stderr.split())


def test_only_some_subjects(run, tmp_path: Path) -> None:
    names = ("recurrent/gru", "recurrent/lstm", "losses/ctc", "losses/ctc (tf_keras)", "test[xla]")
    document = {"schema": 1, "kind": "merged", "results": [report(name, "2.8.4", xla="PASS") for name in names]}
    path = write(tmp_path / "r.json", document)
    for only, kept in (
        (("recurrent/*",), names[:2]),
        (("gru, ctc",), (names[0], *names[2:4])),
        (("losses/c?c", "--only", "[xla]"), names[2:]),
    ):
        run("report", path, "--only", *only, "--json", "kept.json")
        assert [row.subject for row in read_results(tmp_path / "kept.json").rows] == list(kept)
    result = run("report", path, "--only", "dense")
    assert result.exit_code == 2
    assert "--only dense: no subject of the files has such a name" in " ".join(result.stderr.split())


def test_what_scripts_showed_is_skipped(run, two: list[Path], tmp_path: Path) -> None:
    outcomes = {"schema": 1, "kind": "scripts", "versions": {}, "scripts": {"norm": {"outcome": "shows", "output": ""}}}
    scripts = [write(tmp_path / f"scripts-{number}.json", outcomes) for number in range(3)]
    result = run("report", *two, *scripts)
    assert result.exit_code == 1
    assert "gru, xla: DISAGREEMENT up to 2.9.3, fixed in 2.10.1" in result.output
    said = " ".join(result.stderr.split())
    assert f"skipped: {scripts[0]}: holds what plain scripts showed, which are no results of checks" in said
    assert "(and 2 more such files)" in said
    assert run("report", *scripts).exit_code == 2


def test_better_than_expected_is_not_worse(run, tmp_path: Path) -> None:
    document = report("gru", "2.8.4", eager="PASS", xla="PASS")
    document["modes"]["xla"] |= {"expected": ["UNSUPPORTED"]}
    result = run("report", write(tmp_path / "r.json", document), "--markdown", "r.md", "--html", "r.html")
    assert result.exit_code == 1  # the expectation is to be taken away
    assert "Failed:" not in result.output
    assert "Better than expected:\n  gru, xla: PASS, expected UNSUPPORTED\n" in result.output
    assert "1 subject: nothing worse, 1 better than expected" in result.output
    assert "| `gru` | PASS | PASS + |" in (tmp_path / "r.md").read_text()
    page = (tmp_path / "r.html").read_text()
    assert "<b>1</b> better than expected" in page
    assert 'id="failures"' not in page


def test_versions_stand_in_their_order_whatever_the_order_of_the_files(run, tmp_path: Path) -> None:
    versions = ("2.15.1", "2.21.0", "2.8.4")
    paths = [write(tmp_path / f"{version}.json", report("gru", version, xla="MISMATCH")) for version in versions]
    assert "gru, xla on TensorFlow 2.8.4, 2.15.1, 2.21.0: MISMATCH" in run("report", *paths).output
