"""What the README shows is what happens: its test fails as shown, its remedy passes, and what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import gradcheck

from .run_page import agrees

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def pytest_of(text, folder, *options):
    (folder / "test_direction.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_direction.py", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, "COLUMNS": "80"})


def test_the_test_fails_as_shown(tmp_path):
    test, _ = blocks("python")
    done = pytest_of(test, tmp_path)
    (shown,) = blocks("text")
    assert agrees(f"…\n{shown}", done.stdout), done.stdout + done.stderr


def test_the_remedy_passes(tmp_path):
    test, remedy = blocks("python")
    fixed = re.sub(r"^    return .*\n", remedy, test, flags=re.MULTILINE)
    assert fixed != test
    # Few examples: the empty row that fails is among the first.
    done = pytest_of(fixed, tmp_path, "-q", "--gradcheck-max-examples=10")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_names_in_the_readme_exist():
    from gradcheck.cli import main

    commands = re.findall(r"`gradcheck (\w+)", README)
    assert len(commands) >= 2
    assert set(commands) <= set(main.commands)
    for name in re.findall(r"`gradcheck\.(\w+)[(`]", README):
        assert hasattr(gradcheck, name), name


def test_links_in_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([\w./-]+)(?:#([\w-]+))?\)", README)
    assert len(links) > 15
    for path, anchor in links:
        assert (ROOT / path).exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, (path, anchor, slugs)
