"""The HTML report: one file with everything in it, made with Jinja2; and the same pictures as a fragment for notebooks.

Nothing is fetched and nothing but the page's own script runs: the page's security policy names that script by its
digest. Needs neither TensorFlow nor a network.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gradcheck._version import __version__
from gradcheck.releases.names import version_key
from gradcheck.rendering.html.svg import PATTERNS, element
from gradcheck.rendering.html.view import Cell, page_of
from gradcheck.results.reading import results_of
from gradcheck.results.rows import Results, Row
from gradcheck.results.upgrade import Side
from gradcheck.support.files import write_text
from gradcheck.support.outgoing import for_html

__all__ = ["fragment", "render_html", "write_html"]

_FOLDER = Path(__file__).parent


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(patterns=PATTERNS)
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(name: str) -> Markup:
    """A name that a narrow column breaks between its words."""
    return Markup("<wbr>").join(re.split(r"(?<=[_./(])", name))


def _mark(cell: Cell) -> Markup:
    """A narrow cell: one character, with its words for whoever does not see it."""
    if cell.verdict is None:
        return element("span", "", class_="gc-mark gc-none", title=cell.title)
    kind = f"gc-mark gc-{cell.tone}"
    if not cell.href:
        word = element("span", cell.glyph, role="img", aria_label=cell.verdict.value)
        return element("span", word, class_=kind)
    return element("a", cell.glyph, class_=kind, href=cell.href, title=cell.title, aria_label=cell.title)


def _badge(cell: Cell) -> Markup:
    """A wide cell: character and word."""
    if cell.verdict is None:
        return element("span", "–", class_="gc-badge gc-none", title="not run")
    kind = f"gc-badge gc-{cell.tone}"
    inside = (element("span", cell.glyph, aria_hidden="true"), cell.verdict.value)
    if not cell.href:
        return element("span", *inside, class_=kind)
    return element("a", *inside, class_=kind, href=cell.href, title=cell.title)


def _style(*names: str, notebook: bool = False) -> Markup:
    """The style sheet, its colours following the system, or the theme of the notebook that it is shown in."""
    light, dark = _text("light.css"), _text("dark.css")
    colours = f".gc {{\n{light}}}\n@media (prefers-color-scheme: dark) {{ .gc {{\n{dark}}} }}\n"
    if notebook:
        colours += f'[data-jp-theme-light="true"] .gc, .vscode-light .gc, html[theme="light"] .gc {{\n{light}}}\n'
        colours += f'[data-jp-theme-light="false"] .gc, .vscode-dark .gc, html[theme="dark"] .gc {{\n{dark}}}\n'
    return Markup(colours + "".join(map(_text, names)))


def render_html(results: Results, title: str = "Gradient checks", upgrade: tuple[Side, Side] | None = None) -> str:
    """The report of some results as one HTML page.

    Args:
        results: from `gradcheck.results.reading.read_results` or `results_of`; of one TensorFlow version or of many.
        title: its heading.
        upgrade: from what to what an upgrade is shown first; where omitted from the oldest to the newest version that
            has most of the subjects. Any other can be chosen on the page.
    """
    page = page_of(results, title, upgrade)
    script = _text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    anchors = {block.name: block.anchor for block in page.blocks}
    ordered = sorted(results.rows, key=lambda row: version_key(row.tensorflow))
    origins = list(dict.fromkeys(row.origin for row in ordered if row.origin and "::" not in row.origin))
    shown = ", ".join(origins[:14]) + (f" and {len(origins) - 14} more" if len(origins) > 14 else "")
    rendered: str = (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            style=_style("style.css", "page.css"),
            fragment=False,
            script=Markup(script),
            script_hash=Markup(f"'sha256-{digest}'"),
            mark=_mark,
            badge=_badge,
            anchor_of=anchors.__getitem__,
            own_version=__version__,
            origins=shown,
        )
    )
    return for_html(rendered)


def fragment(row: Row, summary: str = "") -> str:
    """One row as a fragment of HTML for a notebook: verdicts by mode, and the card of each failure; without script.

    Args:
        row: the results of one subject.
        summary: a line below the verdicts.
    """
    rendered: str = (
        _environment()
        .get_template("fragment.html")
        .render(
            page=page_of(Results.of([row])),
            style=_style("style.css", notebook=True),
            badge=lambda cell: _badge(replace(cell, href="")),
            summary=summary,
            fragment=True,
        )
    )
    return for_html(rendered)


def write_html(documents: Iterable[Mapping[str, Any]], path: str | Path, title: str = "Gradient checks") -> Path:
    """Write the report of some result documents, as ``to_dict()`` gives them, to one HTML file.

    Args:
        documents: results of any kind: of a check, a search, the pytest plugin, merged ones.
        path: where to; folders are made, and the file is written whole or not at all.
        title: the heading of the page.

    Raises:
        InputError: where a document holds no results of gradcheck.
    """
    return write_text(Path(path), render_html(Results.joined(map(results_of, documents)), title))
