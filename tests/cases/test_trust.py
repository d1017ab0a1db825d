"""Nothing that a file names is imported or called unless the user says so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck import InputError, Verdict
from gradcheck.cases import Case, load_case, replay
from gradcheck.cases.named_code import code_named_by, place_of_module
from gradcheck.cli import main

HARMLESS = "def f(values):\n    return values * 2.0\n\ndef g(subject, values):\n    return subject(values)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a subject of the user's, and a module that says that it was imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "harmless_subject.py").write_text(HARMLESS)
    (tmp_path / "with_side_effects.py").write_text(f"open('ran', 'w').close()\n{HARMLESS}")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("open('ran', 'w').close()\n")
    (tmp_path / "pack" / "inner.py").write_text(HARMLESS)
    yield tmp_path
    for name in ("harmless_subject", "with_side_effects", "pack", "pack.inner"):
        sys.modules.pop(name, None)


def written(**fields: object) -> Path:
    data = Case("f", "harmless_subject:f", (np.ones(2),), "eager", Verdict.MISMATCH).to_dict()
    path = Path("case.json")
    path.write_text(json.dumps(data | fields))
    return path


def run(*arguments: object, **options: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)


NAMED = [
    {"subject": "with_side_effects:f"},
    {"subject": "pack.inner:f"},
    {"subject": None, "file": "with_side_effects.py:f"},
    {"subject": "no.such:f", "file": "with_side_effects.py:f"},
    {"call": "with_side_effects:g", "called": True},
    {"verdict": "CRASH", "subject": "with_side_effects:f"},
]


@pytest.mark.parametrize("named", NAMED, ids=str)
@pytest.mark.parametrize("options", [(), ("--isolate",)], ids=str)
def test_what_a_case_names_is_not_imported(folder: Path, named: dict[str, object], options: tuple[str, ...]) -> None:
    path = written(**named)
    done = run("replay", path, *options)
    assert done.exit_code == 2, done.output
    assert "Nothing was imported. Add --trust where you trust the file" in done.output
    spec = named.get("call") or (
        named.get("file") if named.get("subject", "no.such:f") in (None, "no.such:f") else None
    )
    assert str(spec or named["subject"]) in done.output
    assert str(folder / ("pack/inner.py" if "pack" in done.output else "with_side_effects.py")) in done.output
    with pytest.raises(InputError, match="trust=True where you trust the case"):
        replay(load_case(path))
    assert not Path("ran").exists()


@pytest.mark.parametrize("options", [(), ("--isolate",)], ids=str)
def test_a_subject_of_one_s_own_takes_the_place_of_what_the_case_names(folder: Path, options: tuple[str, ...]) -> None:
    pytest.importorskip("tensorflow")
    path = written(subject="with_side_effects:f", file="with_side_effects.py:f")
    done = run("replay", path, "--subject=harmless_subject:f", *options)
    assert (done.exit_code, "f in eager: gone" in done.output) == (0, True), done.output
    assert not Path("ran").exists()


def test_a_call_of_the_case_is_not_imported_beside_a_subject_of_one_s_own(folder: Path) -> None:
    pytest.importorskip("tensorflow")
    path = written(call="with_side_effects:g", called=True)
    refused = run("replay", path, "--subject=harmless_subject:f")
    assert refused.exit_code == 2
    assert "Give the call= yourself with --call MODULE:NAME" in refused.output
    assert not Path("ran").exists()
    assert run("replay", path, "--subject=harmless_subject:f", "--call=harmless_subject:g").exit_code == 0
    assert not Path("ran").exists()


def test_what_is_trusted_is_imported(folder: Path) -> None:
    pytest.importorskip("tensorflow")
    path = written(subject="with_side_effects:f")
    assert run("replay", path, "--trust").exit_code == 0
    assert Path("ran").exists()


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_somebody_at_a_terminal_is_asked(
    folder: Path, answer: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(sys.modules["gradcheck.cli.replay"], "_is_attended", lambda: True)
    done = run("replay", written(subject="with_side_effects:f"), input=answer)
    assert done.exit_code == status, done.output
    assert "Import and call it? [y/N]" in done.output
    assert Path("ran").exists() is (status == 0)


def test_options_that_contradict_each_other(folder: Path) -> None:
    assert run("replay", written(), "--trust", "--subject=harmless_subject:f").exit_code == 2
    assert run("replay", written(), "--call=harmless_subject:g").exit_code == 2


def test_cases_of_the_zoo_need_no_trust_and_lead_nowhere_else(folder: Path) -> None:
    pytest.importorskip("tensorflow")
    ours = written(subject="gradcheck.zoo.ordering:cumprod", file="with_side_effects.py:f")
    assert run("replay", ours, "-q").exit_code in (0, 1)
    for subject in (
        "gradcheck.zoo.ordering:tf.io.gfile.remove",
        "gradcheck.zoo.nothing:f",
        "gradcheck.support.files:write_text",
    ):
        assert run("replay", written(subject=subject)).exit_code == 2
    assert not Path("ran").exists()


def test_a_module_is_found_without_importing_its_package(folder: Path) -> None:
    (named,) = code_named_by(load_case(written(subject="pack.inner:f")))
    before = set(sys.modules)
    assert str(named) == f"subject pack.inner:f: module pack.inner, {folder}/pack/inner.py"
    assert place_of_module("os.path.nothing") == ""
    assert place_of_module("no_such_module") == ""
    assert place_of_module("json.decoder") == json.decoder.__file__
    assert set(sys.modules) == before
    assert not Path("ran").exists()
