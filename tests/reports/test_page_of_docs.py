"""What docs/reports.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "reports.md", "exec"), names)
    assert "PADDING_LEAK" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_heat_map_is_a_real_one() -> None:
    snapshot = (ROOT / "tests" / "snapshots" / "heatmap-numbers.txt").read_text(encoding="utf-8")
    assert snapshot in PAGE


def test_the_pictures_are_there_and_small() -> None:
    names = re.findall(r"\]\((pictures/[^)]+)\)", PAGE)
    assert len(names) == 3
    for name in names:
        assert 5_000 < (ROOT / "docs" / name).stat().st_size < 300_000, name


def test_options_that_are_named_exist() -> None:
    from gradcheck.cli.report import report

    known = {option for parameter in report.params for option in parameter.opts}
    named = set(re.findall(r"`(--[a-z]+)(?: [A-Z]+)?`", PAGE)) - {"--json"}
    assert named <= known
    assert {"--html", "--markdown"} <= named
