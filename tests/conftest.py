"""What the whole test suite shares."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(autouse=True)
def path_as_before() -> Iterator[None]:
    """The command line puts the current folder on sys.path, which must not make the checkout importable for others."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are laid out for the terminal in which they are read, whatever that of the person who runs the tests is."""
    monkeypatch.setenv("COLUMNS", "104")


@pytest.fixture
def snapshot() -> Callable[[str, str], None]:
    """Compare a text with ``tests/snapshots/NAME.txt``; ``UPDATE_SNAPSHOTS=1`` writes it, to be read by a person."""

    def compare(name: str, text: str) -> None:
        path = _SNAPSHOTS / f"{name}.txt"
        if os.environ.get("UPDATE_SNAPSHOTS"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.exists(), f"{path.name} is missing; UPDATE_SNAPSHOTS=1 pytest ... writes it"
        assert text + "\n" == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_SNAPSHOTS=1 rewrites it"

    return compare
