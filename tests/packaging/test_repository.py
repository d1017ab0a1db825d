"""The parts of the repository that must agree with each other: table, constraints, sessions, CI, README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcheck.versions import RELEASES, find_release, newest, oldest

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_has_every_minor_release_once_and_in_order() -> None:
    assert [release.minor for release in RELEASES] == [f"2.{minor}" for minor in range(8, 22)]
    assert (oldest().session, newest().session) == ("tf28", "tf221")
    assert [release.keras for release in RELEASES] == [2] * 8 + [3] * 6


@pytest.mark.parametrize(
    ("version", "minor"),
    [("2.8.4", "2.8"), ("2.8", "2.8"), ("2.21.0-rc1", "2.21"), ("2.80.0", None), ("1.15.0", None)],
)
def test_find_release(version: str, minor: str | None) -> None:
    found = find_release(version)
    assert (found.minor if found else None) == minor


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.session)
def test_constraints_belong_to_the_table(release) -> None:
    text = (ROOT / release.constraints).read_text()
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", text, flags=re.MULTILINE))
    assert pins["tensorflow-cpu"] == release.version
    assert f"on Python {release.python}," in text.splitlines()[0]
    # Everything a session installs is pinned, or next year's session is another one.
    assert {
        "numpy",
        "hypothesis",
        "pytest",
        "click",
        "rich",
        "packaging",
        "pytest-xdist",
        "pytest-cov",
    } <= set(pins)
    unpinned = [line for line in text.splitlines() if line and not line.startswith("#") and "==" not in line]
    assert unpinned == []


def test_there_are_no_other_constraints() -> None:
    files = {f"constraints/{path.name}" for path in (ROOT / "constraints").iterdir()}
    assert files == {release.constraints for release in RELEASES}


def test_the_oldest_gets_the_numpy_and_protobuf_it_can_load() -> None:
    pins = dict(re.findall(r"^(numpy|protobuf)==(\d+\.\d+)", (ROOT / oldest().constraints).read_text(), re.MULTILINE))
    numpy, protobuf = (tuple(map(int, pins[name].split("."))) for name in ("numpy", "protobuf"))
    assert numpy < (1, 24)
    assert protobuf < (3, 20)


def test_every_python_of_the_table_can_be_found() -> None:
    listed = (ROOT / ".python-version").read_text().split()
    assert {release.python for release in RELEASES} <= set(listed)
    assert listed[0] == "3.11"


def ci_commands() -> list[str]:
    """The commands of `readme_tests` in .ci/run."""
    text = (ROOT / ".ci" / "run").read_text()
    body = re.search(r"^readme_tests\(\) \{\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL)
    assert body is not None
    return [line.strip() for line in body[1].splitlines() if line.strip() and not line.strip().startswith("#")]


def test_ci_runs_the_readme_s_test_command_word_for_word() -> None:
    (command,) = ci_commands()
    assert command in [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert command.endswith("nox -s tests")


def test_the_readme_has_the_main_job_as_one_command() -> None:
    (tests_command,) = ci_commands()
    main_job = tests_command.removesuffix("tests") + "tf28"
    assert main_job in [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]


def test_a_missing_interpreter_is_an_error() -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    assert re.search(r"^nox\.options\.error_on_missing_interpreters = True$", noxfile, flags=re.MULTILINE)
    assert "set -euo pipefail" in (ROOT / ".ci" / "run").read_text()
