"""What the pictures of a report are made from, measured only if somebody looks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gradcheck.records.report import ReportRecord

__all__ = ["Evidence"]


class Evidence(Mapping[str, Mapping[str, Any]]):
    """What the pictures of some modes are made from, measured when it is first looked up.

    Args:
        measure: for each mode what measures it.
    """

    def __init__(self, measure: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
        self._measure = measure
        self._measured: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def joined(cls, reports: Mapping[str, ReportRecord]) -> Evidence:
        """Of several reports: from each that of its mode."""
        return cls(
            {
                mode: functools.partial(report.evidence.__getitem__, mode)
                for mode, report in reports.items()
                if mode in report.evidence
            }
        )

    def __getitem__(self, mode: str) -> Mapping[str, Any]:
        if mode not in self._measured:
            self._measured[mode] = self._measure[mode]()
        return self._measured[mode]

    def __contains__(self, mode: object) -> bool:
        return mode in self._measure  # the inherited one would measure

    def __iter__(self) -> Iterator[str]:
        return iter(self._measure)

    def __len__(self) -> int:
        return len(self._measure)
