"""The data of a report: the results of one check in every mode, without how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.records.results import SCHEMA_VERSION, ModeResult

__all__ = ["ReportRecord"]


@dataclass(frozen=True)
class ReportRecord:
    """What a `gradcheck.Report` holds, which says what its attributes are."""

    subject: str
    modes: Mapping[str, ModeResult]
    arguments: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    wrt: str = "all"
    scripts: Mapping[str, str] = field(default_factory=dict, repr=False)
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict, repr=False)

    def __getitem__(self, mode: str) -> ModeResult:
        try:
            return self.modes[mode]
        except KeyError:
            ran = ", ".join(self.modes) or "none"
            raise KeyError(f"mode {mode!r} was not checked; the modes of this report: {ran}") from None

    def __iter__(self) -> Iterator[str]:
        """The modes that were checked, in the order in which they were asked for."""
        return iter(self.modes)

    def __contains__(self, mode: object) -> bool:
        return mode in self.modes

    @property
    def ok(self) -> bool:
        """Whether no mode failed, or only as expected."""
        return all(result.ok for result in self.modes.values())

    @property
    def example(self) -> str:
        """The line to put above ``@given``, so that every run of a test begins with the arguments of this report."""
        return f"@example({' '.join(self.arguments.split())})" if self.arguments else ""

    @property
    def failures(self) -> tuple[ModeResult, ...]:
        """The modes that are not as they should be."""
        return tuple(result for result in self.modes.values() if not result.ok)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form; ``schema`` is raised when a key changes its meaning or goes away."""
        return {
            "schema": SCHEMA_VERSION,
            "kind": "report",
            "subject": self.subject,
            "ok": self.ok,
            "wrt": self.wrt,
            "versions": dict(self.versions),
            "arguments": self.arguments,
            "modes": {mode: result.to_dict() for mode, result in self.modes.items()},
            "scripts": dict(self.scripts),
            "evidence": {mode: dict(self.evidence[mode]) for mode in self.evidence},
        }
