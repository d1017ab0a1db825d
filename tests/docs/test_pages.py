"""The documentation: what its pages tell one to do is done, and what they show is what comes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck
from gradcheck import Verdict
from gradcheck.cli.document import render_page
from gradcheck.plugin import settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RUNNER = Path(__file__).with_name("run_page.py")

# One process each: what a page needs of TensorFlow is imported once.
PAGES = [
    ["index.md", "numerics.md", "tutorial.md"],
    [
        f"how-to/{name}.md"
        for name in ("own-layer", "weights", "several-inputs", "second-derivatives", "expected-failures")
    ],
]


def follow(pages: list[Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "104", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    for name in ("GITHUB_ACTIONS", "CI", "FORCE_COLOR", "PYTEST_ADDOPTS", "COV_CORE_SOURCE"):
        environment.pop(name, None)
    command = [sys.executable, str(RUNNER), *map(str, pages)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages[0])
def test_a_page_says_what_happens(pages: list[str], tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    done = follow([DOCS / page for page in pages], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "wrong"),
    [
        ("```python\nprint(1)\n```\n```text\n2\n```\n", 1),
        ("```python\nprint(1)\n```\n```text\n1\n```\n", 0),
        ('```python title="a.py"\nprint("a\\nb\\nc")\n```\n```console\n$ python a.py\na\n…\nc\n```\n', 0),
        ('```python title="a.py"\nprint("a\\nb\\nc")\n```\n```console\n$ python a.py\na\n…\nd\n```\n', 1),
    ],
)
def test_the_runner_sees_what_differs(tmp_path: Path, page: str, wrong: int) -> None:
    (tmp_path / "page.md").write_text(page)
    assert follow([tmp_path / "page.md"], tmp_path).returncode == wrong


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    assert (DOCS / "reference" / "cli.md").read_text(encoding="utf-8") == render_page()


@pytest.mark.parametrize("verdict", Verdict, ids=str)
def test_every_verdict_has_a_row_and_is_spoken_of(verdict: Verdict) -> None:
    text = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{verdict.value}` \|.*\| (.*) \|$", text, re.MULTILINE)
    assert row.startswith("yes") == verdict.fails
    assert verdict is Verdict.PASS or re.search(rf"^### .*\b{verdict.value}\b", text, re.MULTILINE)


def test_every_option_of_the_plugin_is_documented() -> None:
    text = (DOCS / "reference" / "pytest.md").read_text(encoding="utf-8")
    source = Path(settings.__file__).read_text(encoding="utf-8")
    names = re.findall(r'^    option\(\s*"([\w-]+)"', source, re.MULTILINE)
    assert len(names) >= 7
    for name in names:
        assert f"`--gradcheck-{name}=" in text
        assert f"`gradcheck_{name.replace('-', '_')}`" in text


def test_every_public_name_is_in_the_api_reference() -> None:
    text = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    missing = [name for name in gradcheck.__all__ if not re.search(rf"gradcheck\.(\w+\.)?{name}\b", text)]
    assert missing == []


def test_the_workflow_runs_versions_that_exist() -> None:
    from gradcheck.releases.table import RELEASES

    text = (DOCS / "how-to" / "continuous-integration.md").read_text(encoding="utf-8")
    known = {release.version: release for release in RELEASES}
    rows = re.findall(r'\{ tensorflow: "([\d.]+)", python: "([\d.]+)", limits: "(.*?)" \}', text)
    assert len(rows) == 3
    for version, python, limits in rows:
        assert known[version].python == python
        # Quoted, for a shell takes `numpy<2` for a file.
        assert set(limits.split()) == {f"'{requirement}'" for requirement in known[version].requirements}


def test_pages_link_to_pages_that_exist() -> None:
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).resolve().exists(), f"{page}: {target}"
