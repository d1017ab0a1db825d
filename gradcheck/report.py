"""What a check found, as plain data: one `ModeResult` a mode, together a `Report`.

Nothing here needs TensorFlow: a report is read back, merged and rendered where TensorFlow is not installed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.verdicts import Verdict

__all__ = ["SCHEMA_VERSION", "Entry", "Evidence", "ModeResult", "Report", "jsonable"]

SCHEMA_VERSION = 1


def jsonable(value: float | None) -> float | str | None:
    """A float as JSON can hold it: NaN and the infinities become the strings ``"nan"``, ``"inf"``, ``"-inf"``."""
    if value is None or math.isfinite(value):
        return value
    return str(float(value))


@dataclass(frozen=True)
class Entry:
    """One entry of a Jacobian: how one output element changes with one input element.

    Attributes:
        output: the output element in words, such as ``output[row 1, time 2, feature 0]``.
        input: the input element in words, such as ``values[row 0, time 3, feature 1]``.
        theoretical: what TensorFlow's gradient says. ``None`` where there was no gradient at all.
        numerical: the slope measured on the function.
        bound: how far the two may lie apart before it counts.
        left, right: one-sided slopes below and above the point, where they were measured.
        index: row and column of the entry in the Jacobian ``[y_size, x_size]``.
        reference: what ``tf.test.compute_gradient`` gives for the entry, as (theoretical, numerical), where the
            failure was confirmed with it.
    """

    output: str
    input: str
    theoretical: float | None
    numerical: float | None
    bound: float | None = None
    left: float | None = None
    right: float | None = None
    index: tuple[int, int] | None = None
    reference: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "output": self.output,
            "input": self.input,
            "theoretical": jsonable(self.theoretical),
            "numerical": jsonable(self.numerical),
            "bound": jsonable(self.bound),
            "left": jsonable(self.left),
            "right": jsonable(self.right),
            "index": None if self.index is None else list(self.index),
            "reference": None if self.reference is None else [jsonable(v) for v in self.reference],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Entry:
        """The entry that `to_dict` wrote."""

        def known(name: str) -> float | None:
            value = data.get(name)
            return None if value is None else float(value)

        index, reference = data.get("index"), data.get("reference")
        return cls(
            output=str(data.get("output") or ""),
            input=str(data.get("input") or ""),
            theoretical=known("theoretical"),
            numerical=known("numerical"),
            bound=known("bound"),
            left=known("left"),
            right=known("right"),
            index=None if index is None else (int(index[0]), int(index[1])),
            reference=None if reference is None else (float(reference[0]), float(reference[1])),
        )


@dataclass(frozen=True)
class ModeResult:
    """What one mode came to.

    Attributes:
        mode: ``eager``, ``graph``, ``dynamic`` or ``xla``.
        verdict: the verdict.
        cause: one line that says what happened; empty for a plain ``PASS``.
        entry: the worst entry, for verdicts that have one.
        detail: the whole text behind ``cause`` (such as TensorFlow's full error message); may be empty.
        changed: where an invariant does not hold, what was changed, in words.
        resolution: the smallest error of the gradient, relative to its size, that this check could have seen.
        engine: the engine that formed the Jacobians: ``compiled``, ``reference`` or ``projected``.
        notes: remarks that are not failures.
        expected: the verdicts that the caller expected; empty where nothing was said.
        seconds: wall-clock time that the mode took.
        rule: the name of the invariant that does not hold; see `gradcheck.invariants`.
        excess: the largest difference between a gradient and its slope, in units of what is allowed there, corners
            left out; above 1 it is a finding.
    """

    mode: str
    verdict: Verdict
    cause: str = ""
    entry: Entry | None = None
    detail: str = field(default="", repr=False)
    changed: str = ""
    resolution: float | None = None
    engine: str = ""
    notes: tuple[str, ...] = ()
    expected: tuple[Verdict, ...] = ()
    seconds: float = 0.0
    rule: str = ""
    excess: float | None = None

    @property
    def ok(self) -> bool:
        """True where the verdict is no failure, or is one of those expected (and only then, if any was)."""
        if self.expected:
            return self.verdict in self.expected
        return not self.verdict.fails

    @property
    def better(self) -> bool:
        """True where a failure was expected and it is right: not as expected, and good news all the same."""
        right = not self.verdict.fails and self.verdict is not Verdict.UNRESOLVED
        return right and bool(self.expected) and all(verdict.fails for verdict in self.expected)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "mode": self.mode,
            "verdict": self.verdict.value,
            "ok": self.ok,
            "expected": [verdict.value for verdict in self.expected],
            "cause": self.cause,
            "changed": self.changed,
            "rule": self.rule,
            "excess": jsonable(self.excess),
            "entry": None if self.entry is None else self.entry.to_dict(),
            "resolution": jsonable(self.resolution),
            "engine": self.engine,
            "notes": list(self.notes),
            "detail": self.detail,
            "seconds": round(self.seconds, 6),
        }


class Evidence(Mapping[str, Mapping[str, Any]]):
    """What the pictures of some modes are made from, measured when it is first looked up.

    Args:
        measure: for each mode what measures it.
    """

    def __init__(self, measure: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
        self._measure = measure
        self._measured: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def joined(cls, reports: Mapping[str, Report]) -> Evidence:
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


@dataclass(frozen=True)
class Report:
    """What `gradcheck.check` returns: the verdicts of one batch in every mode that was asked for.

    ``report["xla"]`` is the `ModeResult` of a mode, ``report.ok`` says whether nothing failed, ``str(report)`` is
    the text for a terminal.

    Attributes:
        subject: name of the subject.
        modes: results by mode, in the order in which they ran.
        arguments: the checked batch or arguments as code that can be pasted.
        versions: versions of ``python``, ``tensorflow``, ``keras`` and ``numpy``.
        wrt: what was differentiated: ``inputs``, ``variables`` or ``all``.
        scripts: for each failing mode a script that shows the failure with plain TensorFlow and NumPy.
        evidence: for each mode that did not simply pass what its pictures are made from (Jacobians, batch, the
            function along the worst entry), as plain data; measured when it is looked up. See `gradcheck.evidence`.
        counts: where this is a whole search for whoever listens, by mode how often each verdict was met.
    """

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

    @property
    def ok(self) -> bool:
        """Whether every mode is as it should be."""
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

    def _repr_html_(self) -> str:
        """What notebooks show: verdicts, and pictures of what failed."""
        from gradcheck.rendering.html.notebook import report_fragment

        return report_fragment(self)

    def __str__(self) -> str:
        from gradcheck.rendering import render_report

        return render_report(self)
