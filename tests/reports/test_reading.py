"""What is read back: nothing that is damaged is taken for a result, and what was not run is no pass."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.cli import main
from gradcheck.errors import InputError
from gradcheck.report import ModeResult
from gradcheck.results.reading import read_results, results_of
from gradcheck.results.rows import Results, Row
from gradcheck.schemas import schema
from gradcheck.schemas.validation import validate
from gradcheck.verdicts import Verdict

from .documents import document, evidence

CELL = {"verdict": "PASS", "ok": True}


def report(**changed: Any) -> dict[str, Any]:
    return {"schema": 1, "kind": "report", "subject": "s", "ok": True, "modes": {"xla": CELL}, **changed}


def cell(**changed: Any) -> dict[str, Any]:
    return report(modes={"xla": {**CELL, **changed}})


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (report(schema=0), "has schema 0; schemas are whole numbers from 1 to 1"),
        (report(schema=-5), "has schema -5; "),
        (report(schema=True), "has schema True; "),
        (report(schema="1"), "has schema '1'; "),
        (report(kind="banana"), "kind: 'banana' is not one of report, search, "),
        (report(kind=3), "kind: 3 is not one of "),
        (report(kind=["scripts"]), "kind: ['scripts'] is not one of "),
        (report(subject=5), "subject: 5 is not a text"),
        (report(modes=[]), "modes: [] is not an object"),
        (report(modes={"xla": "PASS"}), "modes.xla: 'PASS' is not an object"),
        (cell(verdict="FINE"), "modes.xla.verdict: 'FINE' is not one of CRASH, "),
        (cell(verdict=["PASS"]), "modes.xla.verdict: ['PASS'] is not one of "),
        (cell(ok=1), "modes.xla.ok: 1 is not true or false"),
        (cell(ok=False), "says of mode xla that it failed, and that its verdict is PASS"),
        (cell(expected="PASS"), "modes.xla.expected: 'PASS' is not a list"),
        (cell(resolution="small"), "modes.xla.resolution: 'small' is not a number or one of nan, inf, -inf or null"),
        (cell(resolution=1e400), "modes.xla.resolution: inf is not a number"),
        (cell(seconds=True), "modes.xla.seconds: True is not a number"),
        (cell(examples=-1), "modes.xla.examples: -1 is less than 0"),
        (cell(counts={"PASS": 1.5}), "modes.xla.counts.PASS: 1.5 is not a whole number"),
        (
            cell(entry={"output": "o", "input": "i", "theoretical": 1, "numerical": 1, "index": [1]}),
            "1 entries are less",
        ),
        ({"schema": 1, "kind": "merged", "results": [report(), {"subject": "s"}]}, "results[1]: 'modes' is missing"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(damaged: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        results_of(damaged)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps(cell())[:-3] + ', "verdict": "MISMATCH"}}}', "the key 'verdict' is there 2 times in one object"),
        (json.dumps(report())[:-1] + ', "modes": {}}', "the key 'modes' is there 2 times in one object"),
        (json.dumps(cell(resolution=float("nan"))), "NaN is no number in JSON"),
        ('{"a":' * 100_000, "is nested too deeply"),
        ('{"schema": 1' + "0" * 5000 + "}", "a whole number of 5001 digits; 300 are the most"),
        (json.dumps(report())[:-1] + ', "x": 1e400}', "1e400 is beyond the largest number"),
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=r"r\.json: ") as caught:
        read_results(tmp_path / "r.json")
    assert said in str(caught.value)


def test_a_file_without_an_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCHECK_LARGEST_FILE_MIB", "2")
    with pytest.raises(InputError, match=r"zero: is larger than 2 MiB, .* GRADCHECK_LARGEST_FILE_MIB=4 in the env"):
        read_results("/dev/zero")


def test_numbers_as_long_as_a_float_can_be_are_read(tmp_path: Path) -> None:
    text = json.dumps(report())[:-1] + f', "gaps": [], "x": [1e308, {"9" * 299}, "1e400"]}}'
    (tmp_path / "r.json").write_text(text)
    assert read_results(tmp_path / "r.json").ok


def test_fields_that_the_schema_does_not_know_are_not_looked_at() -> None:
    odd = report(nodeid=5, place={"a": 1}, settings=3, report=7, again=[], max_examples="many")
    odd["modes"] = {"xla": {**CELL, "report": "none", "complete": "no"}}
    (row,) = results_of(odd).rows
    assert (row.subject, row.place, row.max_examples, row.ok) == ("s", "", 0, True)


# -- what was not run ----------------------------------------------------------------------------------------

SEARCHED = {"mode": "xla", "verdict": "PASS", "ok": True, "examples": 3, "counts": {"PASS": 3}, "report": None}


def search(**changed: Any) -> dict[str, Any]:
    return {"schema": 1, "kind": "search", "subject": "s", "ok": True, "modes": {"xla": {**SEARCHED, **changed}}}


REPLAYED = {**report(), "case": "c.json", "outcome": "not checked", "before": {"verdict": "MISMATCH"}}
ROWS = {"versions": {}, "results": [report()]}


@pytest.mark.parametrize(
    ("unfinished", "said"),
    [
        (search(complete=False), "s in xla: the search was interrupted after 3 examples"),
        (
            {"schema": 1, "kind": "searches", "complete": False, "results": [search()]},
            "some subjects: the run was inter",
        ),
        (
            {"schema": 1, "kind": "zoo", "ok": True, "interrupted": True, **ROWS},
            "some subjects: the run was interrupted",
        ),
        ({"schema": 1, "kind": "variants", "interrupted": True, **ROWS}, "some subjects: the run was interrupted"),
        (
            {"schema": 1, "kind": "sweep", "ok": True, "units": {"total": 100, "done": 1}, "results": [search()]},
            "99 of 100 searches: the sweep has not come to its end",
        ),
        ({"schema": 1, "kind": "replays", "ok": True, "results": [REPLAYED]}, "c.json: the mode of this case was not"),
        (report(modes={}), "s: it was checked in no mode"),
        (report(ok=False), "some of it: the file says that something failed, and not what"),
        (
            {"schema": 1, "kind": "merged", "gaps": [{"what": "m:f", "why": "no module m"}], "results": [report()]},
            "m:f: no module m",
        ),
    ],
)
def test_what_was_not_run_is_no_pass(tmp_path: Path, monkeypatch, unfinished: dict[str, Any], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.json").write_text(json.dumps(unfinished))
    outputs = ["--html", "r.html", "--markdown", "r.md", "--json", "again.json"]
    result = CliRunner().invoke(main, ["report", "r.json", *outputs])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert re.search(r"nothing failed$", result.output, re.MULTILINE) is None
    assert said in Path("r.html").read_text()
    assert "Nothing failed:" not in Path("r.html").read_text()
    assert said in Path("r.md").read_text().replace("\\", "")
    again = json.loads(Path("again.json").read_text())
    assert (again["ok"], again["complete"]) == (False, False)
    assert CliRunner().invoke(main, ["report", "again.json"]).exit_code == 1


def test_nothing_at_all_is_no_pass(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.json").write_text(json.dumps({"schema": 1, "kind": "merged", "results": []}))
    result = CliRunner().invoke(main, ["report", "r.json"])
    assert result.exit_code == 2
    assert "nothing was checked" in result.output


# -- checks of subjects of one name --------------------------------------------------------------------------


def row(verdict: str, version: str = "2.8.4", **about: Any) -> Row:
    return Row("f", version, {"xla": ModeResult("xla", Verdict[verdict])}, **about)


@pytest.mark.parametrize("order", [1, -1])
def test_of_one_check_the_worst_result_stays(order: int) -> None:
    (found,) = Results.of([row("PASS"), row("MISMATCH"), row("KINK")][::order]).rows
    assert found.modes["xla"].verdict is Verdict.MISMATCH


def test_different_checks_have_different_names() -> None:
    found = Results.of(
        [
            row("PASS", place="a.py:f"),
            row("MISMATCH", place="b.py:f"),
            row("PASS", place="a.py:f", settings={"wrt": "inputs", "order": "2"}),
            row("PASS", place="a.py:f", settings={"wrt": "inputs", "order": "1"}),
            Row("f (b.py:f)", "2.8.4", {"xla": ModeResult("xla", Verdict.PASS)}),
        ]
    )
    assert [one.subject for one in found.rows] == [
        "f (a.py:f)",
        "f (b.py:f) 2",
        "f (a.py:f, order=2, wrt=inputs)",
        "f (a.py:f, order=1, wrt=inputs)",
        "f (b.py:f)",
    ]
    assert Results.of(found.rows) == found
    again = results_of(json.loads(json.dumps(found.to_dict())))
    assert [(one.subject, one.ok) for one in again.rows] == [(one.subject, one.ok) for one in found.rows]


def test_a_check_that_moved_between_versions_is_the_same() -> None:
    found = Results.of([row("PASS", "2.8.4", place="a.py:f"), row("MISMATCH", "2.9.3", place="b.py:f")])
    assert {one.subject for one in found.rows} == {"f"}


def test_with_tf_keras_the_ending_stays_at_the_end() -> None:
    name = "f (tf_keras)"
    rows = [Row(name, "2.21.0", {}, place=place) for place in ("a.py:f", "b.py:f")]
    assert [one.subject for one in Results.of(rows).rows] == ["f (a.py:f) (tf_keras)", "f (b.py:f) (tf_keras)"]


def test_old_files_of_the_plugin_are_told_apart_by_their_ids() -> None:
    rows = [
        {"nodeid": f"test_it.py::{test}[{mode}]", "subject": "f", "outcome": "passed", "modes": {mode: CELL}}
        for test in ("test_a", "test_b")
        for mode in ("eager", "xla")
    ]
    found = results_of({"schema": 1, "kind": "pytest", "results": rows})
    assert [(one.subject, list(one.modes)) for one in found.rows] == [
        ("f (test_a)", ["eager", "xla"]),
        ("f (test_b)", ["eager", "xla"]),
    ]


# -- the validator against jsonschema ------------------------------------------------------------------------

REFERENCE = jsonschema.Draft202012Validator(schema("results"))
SAMPLES = [
    document("s", "2.8.4", xla="MISMATCH"),
    search(report=report()),
    {"schema": 1, "kind": "merged", "results": [{**report(), "settings": {"wrt": "inputs"}}]},
    {"schema": 1, "kind": "pytest", "results": [{"nodeid": "t", **report()}]},
    {"schema": 1, "kind": "replays", "results": [REPLAYED]},
    report(evidence={"xla": evidence()}),
]
ODD = [None, True, False, 0, -1, 1, 1.0, 2.5, "", "nan", "PASS", [], [1], [1, 2], {}, {"a": 1}, "report"]


def places(node: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all that a document holds."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way, *(found for step, one in inner for found in places(one, (*way, step)))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_it_agrees_with_jsonschema_on_damaged_documents(data: st.DataObject) -> None:
    damaged = copy.deepcopy(data.draw(st.sampled_from(SAMPLES)))
    way = data.draw(st.sampled_from(places(damaged)[1:]))
    holder = damaged
    for step in way[:-1]:
        holder = holder[step]
    if data.draw(st.booleans()):
        holder[way[-1]] = data.draw(st.sampled_from(ODD))
    else:
        del holder[way[-1]]
    try:
        validate(damaged, "results")
        fits = True
    except InputError:
        fits = False
    assert fits == REFERENCE.is_valid(damaged), way
