"""Many results as Markdown, as GitHub's step summary shows it, and as a table of letters in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcheck.rendering.markdown import render_markdown
from gradcheck.rendering.versions import LETTERS, render_versions
from gradcheck.results.history import histories
from gradcheck.results.reading import results_of
from gradcheck.results.rows import Results
from gradcheck.verdicts import Verdict

from .documents import document, several

Snapshot = Callable[[str, str], None]


def results(documents: list[dict[str, Any]]) -> Results:
    return Results.joined(map(results_of, documents))


def test_many_versions(snapshot: Snapshot) -> None:
    snapshot("markdown-versions", render_markdown(results(several())))


def test_one_version(snapshot: Snapshot) -> None:
    one = [document("pooling.masked_mean", "2.8.4", xla="MISMATCH"), document("a|b", "2.8.4", xla="UNSUPPORTED*")]
    snapshot("markdown-one", render_markdown(results(one)))


def test_nothing() -> None:
    assert "The files hold no results." in render_markdown(Results())


def test_a_batch_with_backticks_stays_in_its_fence() -> None:
    found = document("s", "2.8.4", xla="MISMATCH")
    found["arguments"] = "Batch('''```''')"
    lines = render_markdown(results([found])).splitlines()
    assert lines.count("  ````python") == lines.count("  ````") == 1


def test_many_versions_in_the_terminal(snapshot: Snapshot) -> None:
    gone = document("gone", "2.21.0")
    gone["modes"]["xla"]["expected"] = ["ERROR"]
    text = render_versions(histories(results([*several(), gone])))
    assert text.isascii()
    assert all(len(line) <= 100 for line in text.splitlines())
    snapshot("versions", text)


def test_all_well_in_the_terminal() -> None:
    well = [document("s", version) for version in ("2.8.4", "2.9.3", "2.21.0")]
    assert render_versions(histories(results(well))) == "1 subject, each of which passes wherever it ran"


def test_every_verdict_has_a_letter() -> None:
    assert set(LETTERS) == set(Verdict)
    assert len({letter.lower() for letter in LETTERS.values()}) == len(LETTERS)
