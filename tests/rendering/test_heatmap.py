"""The Jacobians of a failure as text: what stands in a terminal, and what a plain one gets."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gradcheck.rendering.heatmap import heat_map_lines, plain_text_wanted
from gradcheck.rendering.layout import text_width

Snapshot = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that shows everything, whatever runs the tests."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))


def evidence(theoretical: Any, numerical: Any, wrong: list[tuple[int, int]], **more: Any) -> dict[str, Any]:
    rows, columns = len(theoretical), len(theoretical[0])
    status = [["MISMATCH" if (i, j) in wrong else "PASS" for j in range(columns)] for i in range(rows)]
    jacobian = {
        "shape": [rows, columns],
        "rows": list(range(rows)),
        "columns": list(range(columns)),
        "whole": True,
        "theoretical": theoretical,
        "numerical": numerical,
        "status": status,
        "worst": list(wrong[0]) if wrong else None,
        **more,
    }
    block = {"dtype": "float64", "axes": ["row", "time"]}
    return {
        "inputs": [{**block, "name": "values", "shape": [1, columns]}],
        "outputs": [{**block, "name": "output", "shape": [1, rows]}],
        "padded_inputs": [columns - 1],
        "padded_outputs": [],
        "jacobian": jacobian,
    }


SMALL = evidence(
    [[3.0, 0.0], ["nan", -0.123456789], [1e-12, 1.0]], [[2.0, 0.0], [0.5, 0.0], [0.0, 1.0]], [(0, 0), (1, 1)]
)


def wide(columns: int) -> dict[str, Any]:
    values = [[((3 * j + 5 * i) % 9 - 4) / 4 for j in range(columns)] for i in range(3)]
    wrong = [list(line) for line in values]
    wrong[2][1] = 1.0
    return evidence(wrong, values, [(2, 1)])


@pytest.mark.parametrize(("name", "given"), [("numbers", SMALL), ("blocks", wide(10)), ("below", wide(20))])
def test_looks(snapshot: Snapshot, name: str, given: dict[str, Any]) -> None:
    lines = heat_map_lines(given)
    assert all(len(line) <= text_width() for line in lines)
    snapshot(f"heatmap-{name}", "\n".join(lines))


def test_in_a_plain_terminal(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = "\n".join(heat_map_lines(wide(10)))
    assert text.isascii()
    snapshot("heatmap-plain", text)


def test_who_asks_for_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not plain_text_wanted()
    for change in (
        lambda patch: patch.setenv("NO_COLOR", "1"),
        lambda patch: patch.setenv("TERM", "dumb"),
        lambda patch: patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii")),
        lambda patch: patch.setattr(sys, "stdout", None),
    ):
        with monkeypatch.context() as patch:
            change(patch)
            assert plain_text_wanted()
    assert not plain_text_wanted()


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"jacobian": None},
        evidence([[1.0]], [[2.0]], [(0, 0)]),  # the numbers above it say it all
        evidence([[1.0, 2.0]], [[2.0, 2.0]], [(0, 0)], whole=False),
        wide(60),
        evidence([[1.0, 2.0]] * 17, [[1.0, 1.0]] * 17, [(0, 1)]),
    ],
)
def test_nothing_where_it_would_not_help(given: dict[str, Any] | None) -> None:
    assert heat_map_lines(given) == []


def test_not_measured() -> None:
    given = evidence([["nan", "nan"]], [[0.0, 0.0]], [])
    given["jacobian"]["numerical"] = [["nan", "nan"]]
    text = "\n".join(heat_map_lines(given))
    assert "theoretical" in text
    assert "numerical" not in text


def test_what_is_wrong_by_little_is_not_written_alike() -> None:
    text = "\n".join(heat_map_lines(evidence([[3.00003, 0.5]], [[3.0, 0.5]], [(0, 0)])))
    assert "[3.00003]" in text
    assert "[3]" in text
    assert text.count("0.5") == 2
