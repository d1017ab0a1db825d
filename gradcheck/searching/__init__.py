"""Searches: Hypothesis draws, a check looks, Hypothesis shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.support.lazy import on_first_use

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

__getattr__ = on_first_use(globals(), _LAZY)
