"""What a check found in one mode, as plain data. Nothing here needs TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gradcheck.records.reasons import Reason
from gradcheck.verdicts import Verdict

__all__ = ["SCHEMA_VERSION", "Entry", "ModeResult", "jsonable"]

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
        resolution: the detection limit: the smallest error of the gradient, relative to its size, that this check could
            have seen. Of several examples the worst.
        typical: the median detection limit, of several examples.
        weak: why a ``PASS`` says less than one should; empty for a plain one.
        engine: the engine that formed the Jacobians: ``compiled``, ``reference`` or ``projected``.
        notes: remarks that are not failures.
        expected: the verdicts that the caller expected; empty where nothing was said.
        seconds: wall-clock time that the mode took.
        rule: the name of the invariant that does not hold; see `gradcheck.invariants`.
        reasons: why, as keys, the one that says most first; empty in files of older versions.
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
    typical: float | None = None
    weak: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()

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
            "reasons": [reason.value for reason in self.reasons],
            "excess": jsonable(self.excess),
            "entry": None if self.entry is None else self.entry.to_dict(),
            "resolution": jsonable(self.resolution),
            "typical": jsonable(self.typical),
            "weak": list(self.weak),
            "engine": self.engine,
            "notes": list(self.notes),
            "detail": self.detail,
            "seconds": round(self.seconds, 6),
        }
