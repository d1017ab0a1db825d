r"""Text on its way out. Names, causes and versions may come from a stranger's file, and a name may hold anything.

What is not to be read but acts on the reader is shown as Python writes it: ``\x1b``, ``\u202e``. Every format has one
function here, through which everything goes that is written in it.
"""

from __future__ import annotations

import html
import re

__all__ = ["for_github", "for_html", "for_markdown", "for_terminal", "for_xml", "html_words", "markdown_words"]

# Control characters of both sets but for line breaks and tabs; what reorders text or cannot be seen; other line
# breaks; halves of surrogate pairs, which no file can hold; what XML does not have.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# A line that GitHub's runner takes for a command: ::error ...:: at its start, ##[error] anywhere.
_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=\[)", re.MULTILINE)


def _shown(text: str) -> str:
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


def for_terminal(text: str) -> str:
    """Text for a terminal, or for a log: nothing in it moves a cursor, changes what was written, or is a command."""
    return _COMMAND.sub(lambda found: f"{found[1] or ''}\\x3a" if ":" in found[0] else "\\x23#", _shown(text))


def for_github(text: str, *, is_property: bool = False) -> str:
    """The text of a workflow command, or one of its properties."""
    text = _shown(text).replace("%", "%25").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text


def for_markdown(text: str) -> str:
    """A whole document of Markdown, in which the words of others went through `markdown_words`."""
    return _shown(text)


def markdown_words(text: str) -> str:
    """Words in one line of Markdown, in which nothing is markup: causes hold names such as ``__init__`` and ``a*b``."""
    kept = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    for character in ("\\", "|", "*", "_", "`", "[", "]"):
        kept = kept.replace(character, "\\" + character)
    # Nobody is notified, and nothing is linked.
    return _shown(kept).replace("@", "&#64;").replace("://", ":&#47;/")


def html_words(text: str) -> str:
    """Words in one line of HTML, which a document of Markdown may hold too: markup of Markdown means nothing there."""
    return _shown(html.escape(" ".join(text.split()), quote=False))


def for_xml(text: str) -> str:
    """Text for JUnit XML: only what XML can hold. Its markup is for whoever writes the file to escape."""
    return _shown(text)


def for_html(page: str) -> str:
    """A whole page, in which its template has escaped the words of others."""
    return _shown(page)
