"""docs/strategies.md: its code runs, and it names every strategy there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradcheck import strategies as st

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code_runs(block: str) -> None:
    names: dict[str, object] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    tests = [test for name, test in names.items() if name.startswith("test_")]
    for test in tests:
        test()  # type: ignore[operator]
    assert tests or "assert" in block, "a block that shows nothing"


@pytest.mark.parametrize("name", sorted(set(st.__all__)))
def test_every_public_name_is_explained(name: str) -> None:
    assert re.search(rf"`{name}\b", PAGE.read_text(encoding="utf-8")), f"docs/strategies.md does not mention {name}"
