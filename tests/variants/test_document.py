"""The generated page: made from measurements, and stale when anything it is made from changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradcheck.errors import InputError
from gradcheck.variants import catalog, document, expected
from gradcheck.variants.claims import CLAIMS, ClaimResult, Observation


def measurement(version):
    cells = {}
    for variant in catalog():
        modes = {}
        for mode in ("eager", "graph", "dynamic", "xla"):
            rule = expected(variant.construct.name, mode, version, variant.consumer)
            failed = rule.verdict.fails
            modes[mode] = {
                "verdict": rule.verdict.value,
                "cause": "a <cause> with `ticks` | bars" if failed else "",
                "arguments": "Batch(lengths=[0, 1])" if failed else "",
            }
        cells[variant.name] = {"subject": variant.name, "family": variant.family, "modes": modes}
    seen = Observation("map_fn_range/pooling", "xla", (3, 1), "raises", "not reached", "Input 1 of `Range`")
    claims = [ClaimResult(c.letter, c.text, "does not hold", "this was seen", (seen,)) for c in CLAIMS]
    return {
        "kind": "variants",
        "versions": {"tensorflow": version},
        "interrupted": False,
        "results": list(cells.values()),
        "claims": [claim.to_dict() for claim in claims],
    }


@pytest.fixture
def folder(tmp_path):
    for version in ("2.8.4", "2.21.0"):
        name = "variants-" + version.rsplit(".", 1)[0] + ".json"
        (tmp_path / name).write_text(json.dumps(measurement(version)), encoding="utf-8")
    return tmp_path


def run(folder, what):
    return document.main([what, "--measurements", str(folder), "--page", str(folder / "page.md")])


def test_written_page_is_up_to_date(folder, capsys):
    assert run(folder, "--write") == 0
    assert run(folder, "--check") == 0
    page = (folder / "page.md").read_text(encoding="utf-8")
    for variant in catalog():
        assert f"`{variant.name}`" in page
    for claim in CLAIMS:
        assert claim.text in page
    assert "TensorFlow 2.8.4: **does not hold**. This was seen." in page
    assert page.index("TensorFlow 2.8.4:") < page.index("TensorFlow 2.21.0:")
    assert "def broadcast_range(lengths: Any, width: Any) -> Any:" in page


def test_messages_are_shown_as_text(folder):
    run(folder, "--write")
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert "“a &lt;cause> with ticks \\| bars”. Smallest batch that shows it: `Batch(lengths=[0, 1])`." in page


def test_a_missing_page_is_stale(folder, capsys):
    assert run(folder, "--check") == 1
    assert "--write" in capsys.readouterr().err


def test_a_changed_measurement_makes_it_stale(folder, capsys):
    run(folder, "--write")
    path = folder / "variants-2.8.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["results"][0]["modes"]["eager"]["cause"] = "something else"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert run(folder, "--check") == 1


def test_a_changed_construct_makes_it_stale(folder, monkeypatch, tmp_path_factory):
    run(folder, "--write")
    copy = tmp_path_factory.mktemp("package")
    for name in ("constructs.py", "through.py", "consumers.py"):
        text = (document._PACKAGE / name).read_text(encoding="utf-8")
        (copy / name).write_text(text.replace("tf.ragged.range(lengths)", "tf.ragged.range(0, lengths)"))
    monkeypatch.setattr(document, "_PACKAGE", copy)
    assert run(folder, "--check") == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.update(interrupted=True), "not a whole run"),
        (lambda data: data.update(claims=[]), "not a whole run"),
        (lambda data: data["results"].pop(), "lacks broadcast_rows/recurrence"),
        (
            lambda data: data["results"][0]["modes"]["xla"].update(verdict="PASS"),
            "map_fn_range/pooling in mode xla on TensorFlow 2.8.4 was measured as PASS, and expected is UNSUPPORTED",
        ),
    ],
)
def test_measurements_that_will_not_do(folder, capsys, damage, message):
    path = folder / "variants-2.8.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    damage(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    assert run(folder, "--write") == 2
    assert message in capsys.readouterr().err


def test_what_differs_from_run_to_run_is_not_kept(tmp_path):
    data = {**measurement("2.21.0"), "seconds": 12.3, "max_examples": 20}
    data["results"][0]["modes"]["xla"].update(cause="told so (through.py:36, in map_fn_rows)", detail="/home/me")
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    page, folder = tmp_path / "page.md", tmp_path / "kept"
    arguments = ["--write", str(tmp_path / "run.json"), "--measurements", str(folder), "--page", str(page)]
    assert document.main(arguments) == 0
    text = (folder / "variants-2.21.json").read_text(encoding="utf-8")
    assert "told so" in text
    assert not any(part in text for part in ("through.py", "/home/me", "12.3"))
    assert document.main(["--check", "--measurements", str(folder), "--page", str(page)]) == 0


def test_check_takes_no_results(tmp_path):
    with pytest.raises(SystemExit):
        document.main(["--check", str(tmp_path / "run.json")])


def test_no_measurements(tmp_path):
    with pytest.raises(InputError, match=r"has no variants-\*\.json"):
        document.read_measurements(tmp_path)


def test_the_committed_page_is_up_to_date():
    if not (Path(__file__).parents[2] / "docs").is_dir():
        pytest.skip("the documentation is in the checkout only")
    root = Path(__file__).parents[2]
    page = document.render_page(document.read_measurements(root / "docs" / "measurements"))
    assert (root / "docs" / "variable-length-layers.md").read_text(encoding="utf-8") == page
