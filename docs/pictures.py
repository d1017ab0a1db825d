"""Makes the pictures of docs/reports.md anew, from the results in docs/measurements and in a real browser.

    python docs/pictures.py

The results are those of docs/examples/pooling.py, which writes them to the file that it is given: once under TensorFlow
2.8 and once under 2.21.

Needs Playwright (dependency group ``browser``) and Debian's chromium; no network.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from gradcheck.rendering.html import render_html
from gradcheck.results.reading import read_results
from gradcheck.results.rows import Results

DOCS = Path(__file__).resolve().parent
RESULTS = [Path("docs/measurements") / f"pooling-{minor}.json" for minor in ("2.8", "2.21")]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium; apt-get install chromium")
    os.chdir(DOCS.parent)  # a page names its files as they are given
    pictures = DOCS / "pictures"
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "report.html"
        page_file.write_text(render_html(Results.joined(map(read_results, RESULTS))), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        desktop = browser.new_page(viewport={"width": 1180, "height": 760}, color_scheme="light")
        desktop.goto(page_file.as_uri())
        desktop.screenshot(path=pictures / "report.png")
        card = desktop.locator("details[data-subject='smooth_l1']")
        card.evaluate("node => { node.open = true; }")
        card.screenshot(path=pictures / "failure.png")
        # Without motion the page is at its address at once, and not on the way there.
        phone = browser.new_page(viewport={"width": 390, "height": 760}, color_scheme="dark", reduced_motion="reduce")
        phone.goto(f"{page_file.as_uri()}#matrix")
        phone.screenshot(path=pictures / "phone.png")
        browser.close()
    for picture in sorted(pictures.glob("*.png")):
        print(f"{picture.relative_to(DOCS.parent)}: {picture.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
