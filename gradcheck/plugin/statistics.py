"""Hypothesis's statistics of searches that a test without ``@given`` makes.

Hypothesis collects them for its own tests only, and shows what it finds on an item with
``--hypothesis-show-statistics``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

__all__ = ["collected"]


@contextlib.contextmanager
def collected(item: pytest.Item) -> Iterator[None]:
    """Put the statistics of the searches in this block on the item."""
    wanted = item.config.getoption("hypothesis_show_statistics", default=False)
    test = getattr(item, "obj", None)
    # A test of Hypothesis's own is looked after; and nothing imports Hypothesis for the sake of this.
    if not wanted or getattr(test, "is_hypothesis_test", False):
        yield
        return
    from hypothesis.statistics import collector, describe_statistics

    texts: list[str] = []

    def note(statistics: Mapping[str, Any]) -> None:
        name = f"{item.nodeid}, search of {statistics.get('gradcheck_search', 'something')}"
        described: Any = {**statistics, "nodeid": name}
        texts.append(describe_statistics(described))

    receiver: Any = note
    with collector.with_value(receiver):
        yield
    if texts:
        item.hypothesis_statistics = "\n\n".join(texts)  # type: ignore[attr-defined]
