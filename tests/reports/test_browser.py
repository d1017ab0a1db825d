"""The page in a real browser: on a phone and a desktop, light and dark, by keyboard, on paper, without script."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from gradcheck.rendering.html import fragment, render_html
from gradcheck.results.reading import results_of
from gradcheck.results.rows import Results

from .documents import VERSIONS, changing, document, larger, several


def page_text(documents: list[dict[str, Any]]) -> str:
    return render_html(Results.joined(results_of(json.loads(json.dumps(one))) for one in documents))


def wide() -> dict[str, Any]:
    """A document with all that could be too wide: a large Jacobian, long names, long lines."""
    found = document("package.subpackage.module." + "a_very_long_name_" * 5, "2.21.0", xla="MISMATCH")
    found["evidence"]["xla"] = larger(14, 26)
    found["arguments"] = "Batch(" + "values, " * 60 + ")"
    found["modes"]["xla"]["cause"] = "x" * 300
    return found


@pytest.fixture(scope="module")
def report() -> str:
    return page_text([*several(), wide()])


VISIBLE_SUBJECTS = (
    "[...document.querySelectorAll('.gc-matrix tbody')].filter(body => !body.hidden).map(body => body.dataset.subject)"
)


def until(page: Any, condition: str) -> None:
    """Wait for a condition: Playwright's own wait evaluates text in the page, which its security policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came: {condition}")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out(opened: Any, report: str, width: int) -> None:
    page = opened(report, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # What is wider than the screen scrolls by itself.
    outside = page.evaluate(
        """(width) => [...document.querySelectorAll('.gc-page *')].filter((node) => {
            const box = node.getBoundingClientRect();
            const scrolls = node.closest('.gc-scroll, pre, .gc-matrix-frame');
            return box.width && box.right > width + 1 && !scrolls && !node.closest('svg');
        }).map((node) => node.outerHTML.slice(0, 120))""",
        width,
    )
    assert outside == []


# WCAG's contrast of two colours, and of every text with what lies behind it, tints and all.
COLOURS = """
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3])).concat(1);
  const linear = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = (c) => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
  const contrast = (one, two) => {
    const [dark, bright] = [light(one), light(two)].sort((a, b) => a - b);
    return (bright + .05) / (dark + .05);
  };
"""
CONTRAST = f"""() => {{ {COLOURS}
  const behind = (node) => {{
    const layers = [];
    for (; node; node = node.parentElement) layers.push(parse(getComputedStyle(node).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  }};
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = walker.nextNode());) {{
    const node = text.parentElement;
    if (!text.textContent.trim() || node.closest('script, style, title, svg') || !node.checkVisibility()) continue;
    const below = behind(node);
    const ratio = contrast(over(parse(getComputedStyle(node).color), below), below);
    if (ratio < 4.5) poor.add(`${{ratio.toFixed(2)}} ${{node.className}} ${{text.textContent.trim().slice(0, 40)}}`);
  }}
  return [...poor];
}}"""
# Ink on the strongest tints of a heat map.
TINTS = f"""() => {{ {COLOURS}
  const svg = document.querySelector('.gc-map');
  const fill = (name) => {{
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    rect.setAttribute('class', name);
    svg.append(rect);
    const found = parse(getComputedStyle(rect).fill);
    rect.remove();
    return found;
  }};
  const ink = parse(getComputedStyle(svg.querySelector('.gc-value')).fill);
  return ['gc-pos', 'gc-neg'].map((name) => contrast(over([...fill(name).slice(0, 3), .8], fill('gc-cell')), ink));
}}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read(opened: Any, report: str, dark: bool) -> None:
    page = opened(report, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    assert page.evaluate(CONTRAST) == []
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) < 60) == dark


def test_the_contrast_test_can_fail(opened: Any, report: str) -> None:
    page = opened(report)
    page.evaluate("document.querySelector('.gc-lead').style.color = '#999'")
    assert len(page.evaluate(CONTRAST)) == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_numbers_in_the_heat_maps_can_be_read(opened: Any, report: str, dark: bool) -> None:
    page = opened(report, dark=dark)
    assert min(page.evaluate(TINTS)) >= 4.5


def test_a_cell_leads_to_its_failure(opened: Any, report: str) -> None:
    page = opened(report)
    cell = page.locator("[data-subject='pooling.masked_mean'] a.gc-fail").nth(1)
    assert cell.get_attribute("aria-label").startswith("pooling.masked_mean, xla, TensorFlow 2.9.3: MISMATCH")
    cell.click()
    card = page.locator("details[data-subject='pooling.masked_mean']")
    assert card.get_attribute("open") is not None
    assert page.locator(".gc-target").inner_text() == "2.9.3"
    until(page, "document.activeElement.tagName === 'SUMMARY'")
    assert page.url.endswith("#pooling.masked_mean-xla-2.9.3")


def test_an_address_that_was_sent_opens_the_failure(opened: Any, report: str) -> None:
    page = opened(report, address="#recurrent.gru-graph-2.21.0")
    card = page.locator("details[data-subject='recurrent.gru']")
    assert card.get_attribute("open") is not None
    until(
        page,
        "Math.abs(document.querySelector(\"details[data-subject='recurrent.gru']\").getBoundingClientRect().y) < 60",
    )
    opened(report, address="#%E0%A4%A")  # no address at all, and no error


def test_find_and_filter(opened: Any, report: str) -> None:
    page = opened(report)
    page.keyboard.press("/")
    page.keyboard.type("GRU")
    until(page, f"{VISIBLE_SUBJECTS}.length === 1")
    assert page.evaluate(VISIBLE_SUBJECTS) == ["recurrent.gru"]
    assert page.locator("#found").inner_text() == "1 of 7 subjects"
    assert page.locator("details.gc-card:visible").count() == 1
    page.keyboard.press("Escape")
    assert len(page.evaluate(VISIBLE_SUBJECTS)) == 7
    page.select_option("#show", "changed")
    until(page, f"{VISIBLE_SUBJECTS}.length === 3")
    page.select_option("#show", "only-fine")
    until(page, f"{VISIBLE_SUBJECTS}.length === 1")
    assert page.evaluate(VISIBLE_SUBJECTS) == ["attention.dot"]
    page.select_option("#show", "")
    page.locator("input[name=mode][value=dynamic]").uncheck()
    page.locator("input[name=mode][value=eager]").uncheck()
    until(page, "document.querySelectorAll('.gc-matrix tr[hidden]').length > 0")


def test_by_keyboard(opened: Any, report: str) -> None:
    page = opened(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the matrix"
    first = page.locator(".gc-matrix a.gc-mark").first
    first.focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    before = page.evaluate("document.activeElement.title")
    page.keyboard.press("ArrowRight")
    after = page.evaluate("document.activeElement.title")
    assert before != after
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.title") == before
    page.keyboard.press("Enter")
    until(page, "document.activeElement.tagName === 'SUMMARY'")


def test_copy_buttons(opened: Any, report: str) -> None:
    page = opened(report, address="#pooling.masked_mean-xla-2.8.4")
    card = page.locator("details[data-subject='pooling.masked_mean']")
    card.get_by_role("button", name="Copy script").click()
    card.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("import tensorflow as tf\nprint('</script>")
    assert not page.evaluate("document.querySelector('details.gc-code').open")  # copied, not unfolded
    card.get_by_role("button", name="Copy batch").click()
    until(page, "navigator.clipboard.readText().then(text => text.startsWith('Batch('))")


def test_the_case_file_can_be_saved(opened: Any, report: str) -> None:
    page = opened(report, address="#pooling.masked_mean-xla-2.8.4")
    with page.expect_download() as saved:
        page.locator("details[data-subject='pooling.masked_mean'] a[download]").click()
    assert json.loads(saved.value.path().read_text())["kind"] == "case"
    assert saved.value.suggested_filename == "pooling.masked_mean-xla-2.10.1.json"


def test_is_the_upgrade_safe(opened: Any, report: str) -> None:
    page = opened(report)
    outcome = page.locator("#outcome")
    assert outcome.locator("p").inner_text().startswith("2 that work on 2.8.4 are broken on 2.21.0; ")
    assert outcome.locator("h3").all_inner_texts()[:4] == [
        *("Newly broken: 2", "Refused before, now runs and is wrong: 0", "Fixed: 1", "Broken in both: 2"),
    ]
    page.select_option("#to", label=VERSIONS[1])
    assert outcome.locator("p").inner_text().startswith("Nothing that works on 2.8.4 is broken on 2.9.3; ")
    page.select_option("#from", label=VERSIONS[1])
    assert outcome.inner_text() == "Choose two different versions."


def test_what_the_script_says_of_an_upgrade_is_what_the_page_says_without_it(opened: Any) -> None:
    unlike = [document("a (tf_keras)", "2.15.1", xla="MISMATCH"), document("a", "2.8.4"), document("a", "2.9.3")]
    page = opened(page_text([*changing(), *unlike]))
    outcome = page.locator("#outcome")
    first = page.evaluate("document.getElementById('outcome').innerHTML.replace(/\\s+/g, ' ').replaceAll('> <', '><')")
    assert "loops/stacked</a> in xla: UNSUPPORTED → DISCONNECTED" in first
    assert "2 were refused before, now run and are wrong;" in first
    page.select_option("#to", label="2.15.1 + tf_keras (1 subject)")
    assert outcome.locator("p").inner_text() == (
        "Only 1 of 6 subjects can be compared. "
        "1 that works on 2.8.4 is broken on 2.15.1 + tf_keras; 3 stay right (counted by subject and mode)."
    )
    assert outcome.locator("li a").first.get_attribute("href") == "#a-tf_keras-xla-2.15.1"
    page.select_option("#to", label="2.15.1")
    again = page.evaluate("document.getElementById('outcome').innerHTML")
    assert again == first


@pytest.mark.parametrize("width", [400, 1280])
def test_the_upgrade_comes_first(opened: Any, report: str, width: int) -> None:
    page = opened(report, width=width)
    top = page.locator("#upgrade-title").bounding_box()["y"]
    assert top < 844
    assert top < page.locator("#matrix-title").bounding_box()["y"]


def test_on_a_phone_what_is_right_everywhere_is_folded_away(opened: Any) -> None:
    fine = [document(f"fine_{number}", version) for number in range(12) for version in ("2.8.4", "2.9.3")]
    text = page_text([*several(), *fine])
    page = opened(text, width=400)
    shown = page.locator(".gc-matrix tbody:visible")
    assert shown.count() == 5
    page.fill("#find", "fine_3")
    until(page, "document.querySelector('#found').textContent === '1 of 18 subjects'")
    assert shown.count() == 1
    page.fill("#find", "")
    until(page, "document.querySelector('#found').textContent === ''")
    button = page.get_by_role("button", name="Show the 13 that passed everywhere")
    button.click()
    assert shown.count() == 18
    page.get_by_role("button", name="Hide the 13 that passed everywhere").click()
    assert shown.count() == 5
    page.evaluate("location.hash = '#fine_3-xla-2.8.4'")
    until(page, "document.querySelectorAll('.gc-folded').length === 0")
    wide_page = opened(text)
    assert wide_page.locator(".gc-matrix tbody:visible").count() == 18
    assert wide_page.locator("#unfold:visible").count() == 0


def test_an_address_may_be_the_name_as_it_is_printed(opened: Any) -> None:
    text = page_text([*changing(), document("recurrent/gru (tf_keras)", "2.15.1", xla="MISMATCH")])
    for address, anchor in (
        ("#loops/cut_rows-xla-2.15.1", "loops-cut_rows-xla-2.15.1"),
        ("#recurrent/gru (tf_keras)-xla-2.15.1", "recurrent-gru-tf_keras-xla-2.15.1"),
    ):
        page = opened(text, address=address)
        assert page.locator(f"[id='{anchor}']:visible").count() == 1
    page = opened(text, address="#loops/cut_rows-eager-2.15.1")  # it is right, and has no card
    until(page, "scrollY > 0")
    assert page.locator("[id='subject-loops-cut_rows']").bounding_box()["y"] < 900


def test_versions_that_have_nothing_in_common_say_nothing_of_an_upgrade(opened: Any) -> None:
    page = opened(page_text([document("pooling.max", "2.8.4"), document("recurrent.gru", "2.21.0")]))
    text = page.locator("#outcome p").inner_text()
    assert text == "Nothing was checked on both 2.8.4 and 2.21.0, so nothing is known of this upgrade."


def test_without_script_everything_is_there(opened: Any, report: str) -> None:
    page = opened(report, script=False, address="#pooling.masked_mean-xla-2.8.4")
    assert page.locator(".gc-needs-js:visible").count() == 0
    assert page.locator(".gc-matrix tbody:visible").count() == 7
    card = page.locator("details[data-subject='recurrent.gru'] > summary")
    card.click()
    assert page.get_by_text("elements of different shapes").last.is_visible()
    assert page.locator(".gc-changes li").count() == 2


def test_on_paper(opened: Any, report: str) -> None:
    page = opened(report, media="print")
    assert page.locator(".gc-tools:visible, .gc-button:visible").count() == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.pdf().startswith(b"%PDF")


def test_pictures_and_buttons_have_names(opened: Any, report: str) -> None:
    page = opened(report)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('svg[role=img], button, a[href], input, select')].filter((node) =>
            !(node.getAttribute('aria-label') || node.textContent.trim() || node.title || node.labels?.length)
        ).map((node) => node.outerHTML.slice(0, 100))"""
    )
    assert nameless == []
    assert page.evaluate("[...document.querySelectorAll('svg:not([role=img])')].every(n => n.ariaHidden === 'true')")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(n => Number(n.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_names_are_shown_and_not_run(opened: Any, report: str) -> None:
    page = opened(report)
    shown = page.locator(".gc-subject").all_inner_texts()
    assert "<script>alert(1)</script>" in shown  # the fixture fails where a dialog opened


def test_on_a_phone_the_matrix_needs_no_scrolling(opened: Any) -> None:
    fourteen = [
        document("a_subject", f"2.{minor}.0", xla="MISMATCH" if minor < 15 else "PASS") for minor in range(8, 22)
    ]
    page = opened(page_text(fourteen), width=390)
    boxes = [cell.bounding_box() for cell in page.locator(".gc-matrix tbody tr").last.locator("td.gc-cellbox").all()]
    assert len(boxes) == 14
    assert len({round(box["y"]) for box in boxes}) == 1
    assert all(one["x"] + one["width"] <= two["x"] for one, two in itertools.pairwise(boxes))
    assert boxes[0]["x"] >= 0
    assert boxes[-1]["x"] + boxes[-1]["width"] <= 390
    heads = [head.bounding_box() for head in page.locator("thead th.gc-cellbox").all()]
    centers = [[box["x"] + box["width"] / 2 for box in row] for row in (heads, boxes)]
    assert all(abs(head - box) < 2 for head, box in zip(*centers, strict=True))
    assert all(one["x"] + one["width"] <= two["x"] for one, two in itertools.pairwise(heads))


def test_three_hundred_subjects_on_fourteen_versions_are_quick(opened: Any) -> None:
    many = [
        document(f"subject_{number:03}", f"2.{minor}.0", with_evidence=number % 30 == 0, xla=verdict)
        for number in range(300)
        for minor in range(8, 22)
        for verdict in ["MISMATCH" if number % 10 == 0 else "PASS"]
    ]
    text = page_text(many)
    started = time.perf_counter()
    page = opened(text)
    page.keyboard.press("/")
    page.keyboard.type("subject_29")
    until(page, f"{VISIBLE_SUBJECTS}.length === 10")
    # About a second on two slow cores; a page that lays out every keystroke anew takes minutes.
    assert time.perf_counter() - started < 10


def test_in_a_notebook(opened: Any) -> None:
    (row,) = results_of(document("s", "2.8.4", xla="MISMATCH")).rows
    shown = (
        f"<!doctype html><html><body data-jp-theme-light='false' style='background: #111'>{fragment(row)}</body></html>"
    )
    page = opened(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.locator("svg.gc-map").count() == 3
    # JupyterLab's theme counts, whatever the system's is.
    assert page.evaluate("getComputedStyle(document.querySelector('.gc-card')).backgroundColor") == "rgb(23, 29, 38)"
