"""The code on the pages about invariants, keeping a failure, and findings runs, and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gradcheck import Batch, Padding
from gradcheck.invariants import BY_DEFAULT, INVARIANTS

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("invariants", "keeping-a-failure")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / f"{name}.md").read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_code_runs(block: str, capsys) -> None:
    assert "assert" in block
    exec(compile(block, "page", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert not printed or printed in (DOCS / "invariants.md").read_text()


def test_every_invariant_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", (DOCS / "invariants.md").read_text(), re.MULTILINE)
    assert {name: words for name, words, _ in rows} == INVARIANTS
    assert [name for name, _, held in rows if held.startswith("by default")] == list(BY_DEFAULT)


def test_batches_of_the_findings_can_be_pasted() -> None:
    page = (DOCS / "findings.md").read_text()
    batches = re.findall(r"```python\n(Batch\(.*?)```", page, re.DOTALL)
    assert len(batches) >= 5
    for text in batches:
        batch = eval(text, {"Batch": Batch, "Padding": Padding, "np": np})
        assert re.sub(r"\s", "", repr(batch)) == re.sub(r"\s", "", text).replace(",)", ")")
