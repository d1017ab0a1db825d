"""The page of findings: made from measurements, complete, and nothing on it that is not explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradcheck.errors import InputError
from gradcheck.releases import document as versions_document
from gradcheck.releases.table import RELEASES
from gradcheck.verdicts import Verdict
from gradcheck.zoo import document
from gradcheck.zoo.catalog import available, catalog
from gradcheck.zoo.known import known_for

SCRIPTS = Path(__file__).parents[2] / "docs" / "findings"


def measurement(tensorflow: str, keras: str, **changed: Any) -> dict[str, Any]:
    """What `gradcheck zoo --json` would write where all that is known fails and the rest passes."""
    results = []
    for exhibit in catalog():
        # With Keras 2 beside a newer TensorFlow the sessions search what is Keras's.
        if not available(exhibit, tensorflow, keras) or (keras == tensorflow and not exhibit.of_keras):
            continue
        modes = {}
        for mode in exhibit.modes:
            known = known_for(exhibit.name, mode, tensorflow, keras)
            verdicts = [v for one in known for v in one.verdicts(exhibit.name, mode, tensorflow, keras)]
            verdict = verdicts[0].value if verdicts else "PASS"
            cause = "it is so" if verdicts else ""
            modes[mode] = {"verdict": verdict, "cause": cause, "arguments": "np.zeros(1)" if verdicts else ""}
        results.append({"name": exhibit.name, "modes": modes})
    versions = {"tensorflow": tensorflow, "keras": keras}
    return {"kind": "zoo", "versions": versions, "max_examples": 9, "interrupted": False, "results": results, **changed}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(document, "_SCRIPTS", SCRIPTS)  # the checkout's: an installed wheel has no docs
    for tensorflow, keras in (("2.8.4", "2.8.0"), ("2.15.1", "2.15.0"), ("2.21.0", "3.15.1"), ("2.21.0", "2.21.0")):
        source = tmp_path / "in.json"
        source.write_text(json.dumps(measurement(tensorflow, keras)))
        document.keep_measurement(source, tmp_path / "kept")
        shown = {path.stem: {"outcome": "shows", "output": ""} for path in SCRIPTS.glob("*.py")}
        versions = {"tensorflow": tensorflow, "keras": keras}
        source.write_text(json.dumps({"kind": "scripts", "versions": versions, "scripts": shown}))
        document.keep_measurement(source, tmp_path / "kept")
    return tmp_path / "kept"


def test_the_page_says_every_finding_with_its_script(folder: Path) -> None:
    page = document.render_page(document.read_measurements(folder))
    for path in SCRIPTS.glob("*.py"):
        assert f"{{#{path.stem}}}" in page
        assert path.read_text().strip() in page
    assert "every version, 2.8 to 2.21" in page
    assert "### From 2.8 to 2.15" in page
    assert "### From 2.8 to 2.21\n" in page
    assert "### From 2.8 to 2.21 with Keras 2\n" in page


def test_a_failure_that_nothing_explains_stops_the_page(folder: Path) -> None:
    path = folder / "zoo-2.8.json"
    data = json.loads(path.read_text())
    data["results"]["indexing/roll"]["graph"] = ["MISMATCH", "the gradient is 2", "np.zeros(1)"]
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"indexing/roll in mode graph on TensorFlow 2\.8 was measured as MISMATCH"):
        document.read_measurements(folder)


def test_a_batch_that_is_refused_is_shown_only_where_there_is_no_other(folder: Path) -> None:
    refused, wrong = ["UNSUPPORTED", "no", "np.zeros(1)"], ["MISMATCH", "the gradient is 1", "np.zeros((1, 1))"]
    older = json.loads((folder / "zoo-2.15.json").read_text())
    older["versions"] = {"tensorflow": "2.14.1", "keras": "2.14.0"}
    older["results"]["loops/map_fn_cut_rows"]["xla"] = refused
    (folder / "zoo-2.14.json").write_text(json.dumps(older))
    for version in ("2.15", "2.21"):
        newer = json.loads((folder / f"zoo-{version}.json").read_text())
        newer["results"]["loops/map_fn_cut_rows"]["xla"] = wrong
        (folder / f"zoo-{version}.json").write_text(json.dumps(newer))
    eight = json.loads((folder / "zoo-2.8.json").read_text())
    eight["results"]["loops/map_fn_cut_rows"]["xla"] = "PASS"
    (folder / "zoo-2.8.json").write_text(json.dumps(eight))
    page = document.render_page(document.read_measurements(folder))
    assert "The smallest batch, of `loops/map_fn_cut_rows` in mode xla on 2.15: MISMATCH" in page


def test_what_was_not_measured_is_said(folder: Path) -> None:
    path = folder / "zoo-2.15.json"
    data = json.loads(path.read_text())
    del data["results"]["indexing/roll"]
    path.write_text(json.dumps(data))
    page = document.render_page(document.read_measurements(folder))
    assert "| 9 | 1: indexing |" in page


def test_a_run_of_some_subjects_adds_to_what_is_there(folder: Path, tmp_path: Path) -> None:
    some = measurement("2.8.4", "2.8.0", max_examples=3)
    some["results"] = [one for one in some["results"] if one["name"] == "indexing/roll"]
    source = tmp_path / "some.json"
    source.write_text(json.dumps(some))
    before = json.loads((folder / "zoo-2.8.json").read_text())
    after = json.loads(document.keep_measurement(source, folder).read_text())
    assert after["results"] == before["results"]
    assert (before["examples"], after["examples"]) == (9, 3)


def test_an_upgrade_says_what_its_verdict_rests_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_SCRIPTS", SCRIPTS)
    versions = ("2.8.4", "2.8.0", 9), ("2.15.1", "2.15.0", 9), ("2.21.0", "3.15.1", 4), ("2.21.0", "2.21.0", 4)
    for tensorflow, keras, batches in versions:
        found = measurement(tensorflow, keras, max_examples=batches)
        for one in found["results"]:
            # Pooling computes in float32 here; in mode xla the slope is known a hundred times worse.
            fine = 3e-4 if one["name"].startswith("pooling/") else 2e-10
            for mode, cell in one["modes"].items():
                cell["resolution"] = fine * 100 if mode == "xla" and fine < 1e-6 else fine
        source = tmp_path / "in.json"
        source.write_text(json.dumps(found))
        document.keep_measurement(source, tmp_path / "kept")
    page = document.render_page(document.read_measurements(tmp_path / "kept"))
    assert (
        "This rests on 9 batches for each subject and mode. Where it passes, an error of 1e-7 of the gradient's" in page
    )
    assert "This rests on 9 and 4 batches for each subject and mode (on 2.8 and 2.21). Where it passes" in page
    assert "and one of 1e-7 in nine of ten; in the coarsest, which compute in few digits, one of 1e-3." in page


def test_an_interrupted_run_is_no_measurement(tmp_path: Path) -> None:
    source = tmp_path / "in.json"
    source.write_text(json.dumps(measurement("2.8.4", "2.8.0", interrupted=True)))
    with pytest.raises(InputError, match="is not a whole run"):
        document.keep_measurement(source, tmp_path)


def test_kept_measurements_are_small_and_without_what_differs_between_machines(folder: Path) -> None:
    path = folder / "zoo-2.8.json"
    assert path.stat().st_size < 40_000
    kept = json.loads(path.read_text())
    assert set(kept) == {"kind", "versions", "examples", "results", "resolutions"}
    assert kept["results"]["ordering/cumprod"]["eager"][0] == Verdict.DISCONNECTED.value


def test_versions_have_names_that_say_which_keras() -> None:
    assert document.label_of("2.8.4", "2.8.0") == "2.8"
    assert document.label_of("2.21.0", "3.15.1") == "2.21"
    assert document.label_of("2.21.0", "2.21.0") == "2.21 with Keras 2"


@pytest.mark.parametrize(
    ("shows", "text"),
    [
        ([], "none of those measured"),
        (["2.8", "2.9", "2.10", "2.11"], "every version, 2.8 to 2.11"),
        (["2.8", "2.9"], "2.8 to 2.9"),
        (["2.8", "2.10", "2.11"], "2.8, 2.10 to 2.11"),
    ],
)
def test_ranges_of_versions(shows: list[str], text: str) -> None:
    assert document._ranges(shows, ["2.8", "2.9", "2.10", "2.11"]) == text


def test_a_stale_page_is_told(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "findings.md"
    where = ["--page", str(page), "--measurements", str(folder)]
    assert document.main(["--write", *where]) == 0
    assert document.main(["--check", *where]) == 0
    page.write_text(page.read_text() + "\n")
    assert document.main(["--check", *where]) == 1
    assert "Write it anew with `python -m gradcheck.zoo.document --write`" in capsys.readouterr().err


def test_the_page_of_versions_has_every_release() -> None:
    page = versions_document.render_page()
    for release in RELEASES:
        assert f"| `{release.session}` | {release.version} | {release.python} |" in page
        assert release.keras2_session in page
        assert (release.keras == 3) == bool(release.tf_keras)
    assert versions_document.main(["--check", "--page", str(SCRIPTS.parent / "versions.md")]) == 0
