"""The page as text: complete in itself, everything escaped, one card for what is the same, an address for each cell."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import gradcheck
from gradcheck.errors import InputError
from gradcheck.rendering.html import fragment, render_html, write_html
from gradcheck.rendering.html.view import GLYPHS, page_of
from gradcheck.report import ModeResult, Report
from gradcheck.results.reading import results_of
from gradcheck.results.rows import Results, Row
from gradcheck.verdicts import Verdict

from .documents import changing, document, evidence, larger, several


def results(documents: list[dict[str, Any]]) -> Results:
    # By way of JSON, as files are read.
    return Results.joined(results_of(json.loads(json.dumps(one, allow_nan=False))) for one in documents)


class Page(HTMLParser):
    """Elements, ids and links of a page; fails where elements are not closed in order."""

    VOID = frozenset(["meta", "link", "input", "br", "hr", "img", "wbr"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.scripts += tag == "script"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(results(several()))


def test_it_is_one_file_with_one_script_and_no_network(page: str) -> None:
    parsed = Page(page)
    assert parsed.scripts == 1
    outside = [link for link in parsed.links if not link.startswith(("#", "data:"))]
    assert outside == []
    assert not re.search(r"https?://", page)
    assert "default-src 'none'" in page


def test_every_address_is_there_once_and_every_link_leads_somewhere(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert "pooling.masked_mean-xla-2.9.3" in parsed.ids


def test_names_are_shown_and_not_run(page: str) -> None:
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "print(&#39;&lt;/script&gt;&lt;b&gt;&#39;" in page  # in the script to copy


def test_everything_that_a_file_can_hold_is_escaped() -> None:
    poison = "\"'><img src=x onerror=alert(1)>"
    nasty = document(poison, poison, xla="MISMATCH")
    nasty["arguments"] = nasty["modes"]["xla"]["cause"] = nasty["modes"]["xla"]["detail"] = poison
    nasty["modes"]["xla"]["notes"] = [poison]
    nasty["modes"]["xla"]["entry"]["output"] = nasty["modes"]["xla"]["again"] = poison
    nasty["versions"]["python"] = nasty["origin"] = poison
    found = evidence(missing=[{"part": "slope", "why": poison}])
    found["inputs"][0]["name"] = found["outputs"][0]["axes"][0] = poison
    nasty["evidence"]["xla"] = found
    page = render_html(results([nasty]), title=poison)
    assert "<img" not in page
    assert Page(page).scripts == 1
    assert html.escape(poison, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page


@pytest.mark.parametrize("broken", ["columns", "numerical", "status"])
def test_a_picture_whose_numbers_do_not_fit_together_does_not_cost_the_page(broken: str) -> None:
    found = evidence()
    found["jacobian"][broken] = {"columns": [0, 7], "numerical": [[], []], "status": [[], []]}[broken]
    damaged = document("s", "2.21.0", xla="MISMATCH")
    damaged["evidence"]["xla"] = found
    page = render_html(results([damaged]))
    assert "A picture is missing: the numbers in the file do not fit together" in page


def test_what_is_the_same_on_many_versions_has_one_card_and_an_address_for_each() -> None:
    made = page_of(results(several()))
    cards = {card.subject: card for card in made.failures}
    card = cards["pooling.masked_mean"]
    assert card.where == "xla on 2.8 to 2.10"
    assert [one.anchor for one in card.occurrences] == [
        f"pooling.masked_mean-xla-{version}" for version in ("2.8.4", "2.9.3", "2.10.1")
    ]
    assert card.shown.version == "2.10.1"
    assert card.history == "MISMATCH up to 2.10.1, fixed in 2.15.1 or earlier"
    assert cards["recurrent.gru"].where == "graph, xla on 2.15, 2.21"
    assert [card.subject for card in made.expected] == ["ranges.map_fn"]
    assert made.expected[0].where == "xla on every version"
    assert [card.subject for card in made.undecided] == ["norm.layer"]
    assert [line.history.subject for line in made.changes] == ["pooling.masked_mean", "recurrent.gru"]


def test_counts() -> None:
    counts = page_of(results(several())).counts
    assert (counts["subjects"], counts["failing"]) == (6, 3)
    # Three versions of masked_mean, two modes on two versions of gru, five versions of the subject with a tag as name.
    assert (counts["fail"], counts["expected"], counts["undecided"]) == (3 + 4 + 5, 5, 1)
    assert counts["fine"] == 6 * 4 * 5 - 12 - 5 - 1


def test_other_batches_of_the_same_failure_are_kept() -> None:
    first, second = document("s", "2.8.4", xla="MISMATCH"), document("s", "2.9.3", xla="MISMATCH")
    second["arguments"] = "Batch(other)"
    (card,) = page_of(results([first, second])).failures
    assert card.arguments == "Batch(other)"  # the newest is shown
    assert [(other.where, other.code.startswith("Batch(values")) for other in card.others] == [("xla on 2.8", True)]


def test_one_version_has_modes_as_columns_and_words_in_its_cells() -> None:
    page = render_html(results([document("s", "2.8.4", xla="MISMATCH")]))
    assert 'data-mode="xla"' in page
    assert "on TensorFlow 2.8.4" in page
    assert 'id="changes"' not in page


def test_old_files_without_pictures_are_shown() -> None:
    plain = document("s", "2.8.4", with_evidence=False, xla="MISMATCH")
    del plain["evidence"], plain["scripts"], plain["modes"]["xla"]["case"], plain["modes"]["xla"]["entry"]
    page = render_html(results([plain]))
    assert "gc-map" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "the gradient is 1.5 times the slope" in page.lower()


def test_nothing_and_nothing_known() -> None:
    assert "The files hold no results." in render_html(Results())
    unknown = Row("s", "", {"xla": ModeResult("xla", Verdict.PASS)})
    assert "Nothing failed: 1 subject, in 1 mode." in " ".join(render_html(Results.of([unknown])).split())


def test_a_large_jacobian_says_that_it_is_a_part() -> None:
    found = larger(3, 24)
    found["jacobian"] |= {"whole": False, "shape": [300, 240]}
    part = document("s", "2.8.4", xla="MISMATCH")
    part["evidence"]["xla"] = found
    assert "The Jacobian has 300 × 240 entries; this is the block of 3 × 24 around the worst one." in " ".join(
        render_html(results([part])).split()
    )


def test_every_verdict_has_a_sign_of_its_own() -> None:
    assert set(GLYPHS) == set(Verdict)
    assert len(set(GLYPHS.values())) == len(GLYPHS)
    assert all(len(glyph) == 1 for glyph in GLYPHS.values())


def test_write_html(tmp_path: Path) -> None:
    path = write_html([{"schema": 1, "kind": "merged", "results": several()}], tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(InputError, match="holds no results"):
        write_html([{}], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_in_a_notebook() -> None:
    one = document("s", "2.8.4", xla="MISMATCH", graph="KINK")
    (row,) = results([one]).rows
    text = fragment(row)
    parsed = Page(text)
    assert parsed.scripts == 0
    assert parsed.ids == ["gc-hatch", "gc-cross"]  # no addresses that could meet others of the notebook
    assert text.count('<details class="gc-card"') == 2
    assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_reports_show_themselves() -> None:
    report = Report(
        "a < b", {"xla": ModeResult("xla", Verdict.MISMATCH, "c")}, "Batch(…)", evidence={"xla": evidence()}
    )
    shown = report._repr_html_()
    assert "a &lt; b" in shown
    assert 'class="gc-map"' in shown
    assert callable(gradcheck.SearchResult._repr_html_)


def test_three_hundred_subjects_on_fourteen_versions_stay_small() -> None:
    names = [f"2.{minor}.0" for minor in range(8, 22)]
    many = [
        document(
            f"subject_{number:03}",
            version,
            with_evidence=number % 30 == 0,
            xla="MISMATCH" if number % 10 == 0 else "PASS",
        )
        for number in range(300)
        for version in names
    ]
    page = render_html(results(many))
    assert len(page) < 4_000_000
    assert page.count('<tbody role="rowgroup" id="subject-') == 300


def test_the_upgrade_is_there_without_a_script_and_before_the_matrix() -> None:
    page = render_html(results(changing()))
    assert "2 were refused before, now run and are wrong; 14 stay right" in page
    assert page.index('id="upgrade"') < page.index('id="matrix"')
    assert "<h3>Refused before, now runs and is wrong: 2</h3>" in page
    assert "5 of 6 subjects can be compared" in page
    changed = [line.history.subject for line in page_of(results(changing())).changes]
    assert changed == ["breaks", "fixed", "loops/cut_rows", "loops/stacked"]


def test_development_versions_are_called_so_and_not_chosen_where_few_subjects_ran() -> None:
    some = [document(f"s{number}", version) for number in range(5) for version in ("2.8.4", "2.21.0")]
    made = page_of(results([*some, document("s1", "2.22.0-dev20260905")]))
    assert made.columns == ("2.8", "2.21", "2.22-dev")
    assert made.upgrade is not None
    chosen = {choice.value: choice.label for choice in made.upgrade.choices}
    assert (chosen[made.upgrade.before], chosen[made.upgrade.after]) == ("2.8.4", "2.21.0")
    assert "2.22.0-dev20260905 (1 subject)" in chosen.values()


def test_better_than_expected_is_no_failure() -> None:
    gone = document("s", "2.8.4")
    gone["modes"]["xla"]["expected"] = ["UNSUPPORTED"]
    made = page_of(results([gone]))
    assert (made.counts["fail"], made.counts["better"], made.failures) == (0, 1, ())
    assert (
        made.better[0].expectation
        == "UNSUPPORTED was expected here and is gone; if it was fixed, remove the expectation."
    )
    assert "The subject is as expected or better, in 4 modes on TensorFlow 2.8.4." in " ".join(
        render_html(results([gone])).split()
    )
