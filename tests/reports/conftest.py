"""A real browser: Debian's chromium, driven by Playwright. Nothing is downloaded, and pages come from files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# No background requests of chromium's own: a test machine has no network, and none is needed.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser; the tests are skipped where there is none, unless GRADCHECK_EXPECT_BROWSER says that there is."""
    missing = ""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "Playwright is not installed (the dependency group `browser`)"
    else:
        if path is None:
            missing = "there is no chromium (apt-get install chromium)"
    if missing:
        if os.environ.get("GRADCHECK_EXPECT_BROWSER"):
            pytest.fail(f"GRADCHECK_EXPECT_BROWSER is set, but {missing}")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``opened(html, width=…, dark=…, script=…, address="#…")``: a page, closed and found faultless afterwards."""
    contexts = []
    faults: list[str] = []

    def asked(request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            faults.append(f"asks for {request.url}")

    def open_page(
        text: str,
        *,
        width: int = 1280,
        dark: bool = False,
        script: bool = True,
        address: str = "",
        media: str = "screen",
    ) -> Any:
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:")) else faults.append(f"asks {request.url}")
            ),
        )
        page.emulate_media(media=media)
        page.goto(f"{path.as_uri()}{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
