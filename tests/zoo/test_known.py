"""What is known to fail: every rule speaks of something that exists, and every finding has a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck.verdicts import Verdict
from gradcheck.zoo.catalog import catalog
from gradcheck.zoo.known import KNOWN, Known, Where, known_for

SCRIPTS = Path(__file__).parents[2] / "docs" / "findings"
MODES = {exhibit.name: exhibit.modes for exhibit in catalog()}


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.key)
def test_rules_speak_of_what_there_is(known: Known) -> None:
    for where in known.where:
        for subject in where.subjects:
            assert set(where.modes) <= {"eager", "graph", "dynamic", "xla"}
            assert set(where.modes) & set(MODES[subject])
        assert all(verdict.fails for verdict in where.verdicts)
        assert where.before is None or where.since < where.before
    assert all(text.endswith((".", "`")) for text in (known.meaning, known.instead))
    assert not known.title.endswith(".")


def test_every_finding_has_a_script_and_every_script_a_finding() -> None:
    bugs = {known.key for known in KNOWN if not known.is_limit}
    assert {path.stem for path in SCRIPTS.glob("*.py")} == bugs


def test_no_script_needs_gradcheck() -> None:
    for path in SCRIPTS.glob("*.py"):
        assert "gradcheck" not in path.read_text(encoding="utf-8")


def test_a_rule_holds_from_one_version_to_another_and_for_its_keras() -> None:
    rule = Known(
        "key",
        "title",
        (Where(("a/b",), ("xla",), (Verdict.NONFINITE,), since=(2, 10), before=(2, 16), keras=(2,)),),
        "XLA",
        "meaning.",
        "instead.",
    )

    def found(subject="a/b", mode="xla", tensorflow="2.12.1", keras="2.12.0"):
        return known_for(subject, mode, tensorflow, keras, among=[rule])

    assert found() == (rule,)
    assert found(tensorflow="2.10.1") == (rule,)
    for other in (
        {"subject": "a/c"},
        {"mode": "graph"},
        {"tensorflow": "2.9.3"},
        {"tensorflow": "2.16.2"},
        {"keras": "3.1.0"},
    ):
        assert found(**other) == (), other
