"""Functions that workers can import."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck.isolation import Task


@pytest.fixture(autouse=True)
def _functions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "functions")


@pytest.fixture
def task():
    def make(function, key="", group="", **arguments):
        return Task(f"isolation_functions:{function}", arguments, key=key or function, group=group)

    return make
