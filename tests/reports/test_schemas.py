"""The published schemas, against every kind of document; strictly, so that no field stays unpublished."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import gradcheck
from gradcheck import strategies as st
from gradcheck.cases.document import case_of
from gradcheck.errors import InputError
from gradcheck.results.reading import results_of
from gradcheck.schemas import NAMES, schema, schema_text

from .documents import evidence


def strict(name: str) -> jsonschema.Draft202012Validator:
    """The schema with unknown fields forbidden: a reader must ignore them, but we must publish what we write."""

    def closed(node: Any) -> Any:
        if isinstance(node, dict):
            node = {key: closed(value) for key, value in node.items()}
            if "properties" in node and "additionalProperties" not in node:
                node["additionalProperties"] = False
            return node
        return [closed(item) for item in node] if isinstance(node, list) else node

    published = schema(name)
    if name == "results":
        published["$defs"]["case"]["additionalProperties"] = True  # it has a schema of its own
        del published["type"], published["required"]
    return jsonschema.Draft202012Validator(closed(published))


def wrong_square(values, lengths):
    """The gradient of the square is 3x where it should be 2x; padding is masked."""
    import tensorflow as tf

    @tf.custom_gradient
    def square(x):
        return x * x, lambda upstream: upstream * 3 * x

    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return tf.reduce_sum(square(values) * mask, axis=1)


def leaking(values, lengths):
    import tensorflow as tf

    return tf.reduce_sum(tf.nn.softmax(values, axis=1) * values, axis=1)


@pytest.fixture(scope="module")
def found() -> gradcheck.SearchResult:
    return gradcheck.search(wrong_square, st.batches(features=2), modes=("graph",), max_examples=5, seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_valid_schemas_of_their_version(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:tf-gradcheck:schema:{name}-{NAMES[name]}"


def test_no_other_schema() -> None:
    with pytest.raises(InputError, match="there is no schema 'junit'; the schemas are results, case"):
        schema_text("junit")


def test_every_verdict_is_published() -> None:
    every = set(gradcheck.Verdict.__members__)
    assert set(schema("results")["$defs"]["verdict"]["enum"]) == every
    assert set(schema("case")["properties"]["verdict"]["enum"]) == every


def test_a_report_with_evidence() -> None:
    batch = gradcheck.Batch(np.array([[[1.0], [2.0]], [[0.5], [3.0]]]), np.array([2, 1], np.int32))
    report = gradcheck.check(leaking, batch, modes=("graph",))
    assert report["graph"].verdict is gradcheck.Verdict.PADDING_LEAK
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    strict("results").validate(document)
    evidence = document["evidence"]["graph"]
    assert evidence["missing"] == []
    assert evidence["padded_inputs"] == [3]


def test_a_search_and_searches(found: gradcheck.SearchResult) -> None:
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    strict("results").validate(document)
    strict("results").validate({"schema": 1, "kind": "searches", "complete": True, "results": [document]})
    strict("case").validate(document["modes"]["graph"]["case"])


def test_merged_results_and_what_they_are_made_from(found: gradcheck.SearchResult) -> None:
    merged = results_of(json.loads(json.dumps(found.to_dict()))).to_dict()
    strict("results").validate(json.loads(json.dumps(merged, allow_nan=False)))
    (row,) = results_of(merged).rows
    detail = row.detail("graph")
    assert detail.script.startswith("#")
    assert detail.evidence is not None
    assert detail.case is not None
    assert row.modes["graph"].entry == found["graph"].result.entry


def test_variants() -> None:
    from gradcheck.variants.catalog import catalog
    from gradcheck.variants.run import VariantCell, VariantsResult

    failed = gradcheck.ModeResult("xla", gradcheck.Verdict.ERROR, "c", expected=(gradcheck.Verdict.ERROR,))
    cell = VariantCell(catalog()[0], failed, "because", "Batch(...)", "# script", evidence())
    result = VariantsResult(cells=(cell,), versions={"tensorflow": "2.8.4"}, max_examples=2, seconds=1.0)
    strict("results").validate(json.loads(json.dumps(result.to_dict(), allow_nan=False)))


def test_the_zoo() -> None:
    from gradcheck.zoo.catalog import catalog
    from gradcheck.zoo.run import ZooCell, ZooResult

    failed = gradcheck.ModeResult("xla", gradcheck.Verdict.MISMATCH, "c")
    cell = ZooCell(catalog()[0], failed, (), 3, "Batch(...)", "# script", None, evidence())
    versions = {"tensorflow": "2.8.4", "keras": "2.8.0"}
    document = json.loads(
        json.dumps(ZooResult(cells=(cell,), versions=versions, max_examples=6, seconds=1.0).to_dict(), allow_nan=False)
    )
    strict("results").validate(document)
    assert results_of(document).rows[0].detail("xla").evidence == evidence()


def test_replays(tmp_path: Path, found: gradcheck.SearchResult) -> None:
    from click.testing import CliRunner

    from gradcheck.cli import main

    case = found["graph"].case
    assert case is not None
    path, out = case.save(tmp_path / "case.json"), tmp_path / "out.json"
    subject = tmp_path / "replayed_subject.py"
    subject.write_text(inspect.getsource(wrong_square))
    CliRunner().invoke(main, ["replay", str(path), "--subject", f"{subject}:wrong_square", "--json", str(out)])
    document = json.loads(out.read_text())
    strict("results").validate(document)
    assert document["results"][0]["outcome"] == "still there"


def test_pytest_runs() -> None:
    report = gradcheck.Report("s", {"xla": gradcheck.ModeResult("xla", gradcheck.Verdict.PASS)})
    cell = {"verdict": "PASS", "ok": True, "cause": "", "expected": [], "counts": {"PASS": 3}}
    row = {
        "nodeid": "test_it.py::test",
        "outcome": "passed",
        "subject": "s",
        "versions": {"tensorflow": "2.8.4"},
        "modes": {"xla": cell},
        "arguments": "",
        "scripts": {},
        "problem": "",
        "report": report.to_dict(),
    }
    strict("results").validate({"schema": 1, "kind": "pytest", "results": [row]})


def test_sweeps(found: gradcheck.SearchResult) -> None:
    searched = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    part = {key: searched[key] for key in ("subject", "ok", "versions", "modes")}
    document = {
        "schema": 1,
        "kind": "sweep",
        "sweep": "s",
        "ok": False,
        "complete": True,
        "settings": {},
        "units": {"total": 1, "done": 1},
        "started": 1.0,
        "finished": None,
        "results": [{**part, "origin": "pkg.module:name"}],
    }
    strict("results").validate(document)
    assert results_of(document).rows[0].detail("graph").evidence is not None


def test_cases_of_all_kinds_of_arguments() -> None:
    import tensorflow as tf

    arguments = (
        np.array([1.0, np.nan]),
        {"a": [tf.constant(1.5, tf.bfloat16), (None, True, 2, 0.5, float("inf"), "text", b"bytes")]},
        tf.ragged.constant([[1.0], [2.0, 3.0]]),
        tf.sparse.from_dense([[0.0, 1.0]]),
        np.array(1 + 2j),
        tf.constant(["text"]),
    )
    result = gradcheck.ModeResult("xla", gradcheck.Verdict.MISMATCH, "c")
    case = case_of(leaking, arguments, result, wrt="inputs").to_dict()
    strict("case").validate(json.loads(json.dumps(case, allow_nan=False)))


def test_damage_is_noticed(found: gradcheck.SearchResult) -> None:
    """The schema can fail: each of these is refused."""
    document = json.loads(json.dumps(found.to_dict()))
    lenient = jsonschema.Draft202012Validator(schema("results"))
    lenient.validate({**document, "added later": 1})
    for path, value in (
        (("modes", "graph", "verdict"), "FINE"),
        (("modes", "graph", "report", "evidence", "graph", "jacobian", "theoretical"), [["x"]]),
        (("kind",), "other"),
        (("schema",), 2),
    ):
        damaged = copy.deepcopy(document)
        node = damaged
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        assert not lenient.is_valid(damaged), path
