"""SVG written by hand, everything escaped: an element is `markupsafe.Markup`, so templates show it as it is."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

__all__ = ["PATTERNS", "element", "fixed", "text"]


def fixed(value: float) -> str:
    """A coordinate with at most two decimals: a hundredth of a pixel is enough, and files stay small."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def element(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element with escaped children and attributes.

    Underscores in an attribute's name become hyphens, a trailing one (``class_``) goes; None leaves it out.
    """
    parts = []
    for key, value in attributes.items():
        if value is None:
            continue
        shown = fixed(value) if isinstance(value, float) else value
        parts.append(Markup(' {}="{}"').format(Markup(key.rstrip("_").replace("_", "-")), shown))
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(parts), inside)


def text(content: str, x: float, y: float, **attributes: Any) -> Markup:
    """A text element."""
    return element("text", content, x=float(x), y=float(y), **attributes)


# Once a page; every picture refers to them. Size 0 rather than display:none, which would switch patterns off.
PATTERNS = element(
    "svg",
    element(
        "defs",
        element(
            "pattern",
            element("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2", class_="gc-hatching"),
            id="gc-hatch",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        ),
        element(
            "pattern",
            element("path", d="M0,0 l5,5 M5,0 l-5,5", class_="gc-crossing"),
            id="gc-cross",
            width=5,
            height=5,
            patternUnits="userSpaceOnUse",
        ),
    ),
    width=0,
    height=0,
    aria_hidden="true",
    class_="gc-patterns",
)
