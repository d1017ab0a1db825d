"""Searches: Hypothesis draws, a check looks, Hypothesis shrinks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.searching.searches import Checks as Checks
    from gradcheck.searching.searches import LocalChecks as LocalChecks
    from gradcheck.searching.searches import ModeSearch as ModeSearch
    from gradcheck.searching.searches import SearchResult as SearchResult
    from gradcheck.searching.searches import as_arguments as as_arguments
    from gradcheck.searching.searches import search as search
    from gradcheck.searching.searches import search_with as search_with

__all__ = [
    "Checks",
    "LocalChecks",
    "ModeSearch",
    "SearchResult",
    "as_arguments",
    "search",
    "search_with",
]

# Resolved on first use (PEP 562): reading a file, or starting pytest, pays only for what it uses.
_LAZY = {
    "Checks": "gradcheck.searching.searches",
    "LocalChecks": "gradcheck.searching.searches",
    "ModeSearch": "gradcheck.searching.searches",
    "SearchResult": "gradcheck.searching.searches",
    "as_arguments": "gradcheck.searching.searches",
    "search": "gradcheck.searching.searches",
    "search_with": "gradcheck.searching.searches",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
