"""The verdicts: what one (subject, mode, batch) came to, and what each means in plain words."""

from __future__ import annotations

import enum

__all__ = ["Verdict"]


class Verdict(enum.Enum):
    """What a check of one subject in one mode on one batch came to.

    Members are ordered by how much a reader should care: when a search meets several, the one that comes
    first here is the one it reports.
    """

    CRASH = "CRASH"
    ERROR = "ERROR"
    NONFINITE = "NONFINITE"
    DISCONNECTED = "DISCONNECTED"
    MISMATCH = "MISMATCH"
    PADDING_LEAK = "PADDING_LEAK"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    DISAGREEMENT = "DISAGREEMENT"
    UNSUPPORTED = "UNSUPPORTED"
    INACCURATE = "INACCURATE"
    UNRESOLVED = "UNRESOLVED"
    KINK = "KINK"
    PASS = "PASS"

    @property
    def fails(self) -> bool:
        """Whether the verdict is a failure where nobody expected it."""
        return self not in (Verdict.PASS, Verdict.KINK, Verdict.UNRESOLVED)

    @property
    def refuses(self) -> bool:
        """Whether nothing comes out at all, which nobody overlooks; other failures run and are wrong."""
        return self in (Verdict.CRASH, Verdict.ERROR, Verdict.UNSUPPORTED)

    @property
    def meaning(self) -> str:
        """One sentence for someone who never read a numerics book."""
        return _MEANINGS[self]

    @property
    def severity(self) -> int:
        """Larger is worse; ``PASS`` is 0."""
        return len(_ORDER) - 1 - _ORDER.index(self)

    def __str__(self) -> str:
        return self.value


_ORDER = list(Verdict)

_MEANINGS = {
    Verdict.PASS: "Every entry of the gradient agrees with the slope measured on the function itself.",
    Verdict.MISMATCH: (
        "The gradient that TensorFlow computes differs from the slope measured on the function itself by more "
        "than the measurement can be wrong."
    ),
    Verdict.DISCONNECTED: (
        "TensorFlow says that the output does not depend on the input (the gradient is None, or zero throughout), but "
        "moving the input moves the output."
    ),
    Verdict.NONFINITE: "NaN or Inf comes out although every input that counts is finite.",
    Verdict.DISAGREEMENT: (
        "The same call gives another result in this mode than in eager mode, by more than rounding explains."
    ),
    Verdict.PADDING_LEAK: (
        "What stands in the padding, or how much of it there is, changes results that should not depend on it."
    ),
    Verdict.NONDETERMINISTIC: "The same call made twice gives two different results.",
    Verdict.ERROR: "The subject, or the computation of its gradient, raises an error on this batch in this mode.",
    Verdict.CRASH: "The process died or hung on this batch.",
    Verdict.UNSUPPORTED: "This mode cannot run the subject at all; that says nothing about the gradient.",
    Verdict.INACCURATE: (
        "The formula of the gradient is right, and the number that comes out is far from it: digits cancel, or a tail "
        'underflows to 0. Only checks that ask for it (accuracy="strict") fail on that.'
    ),
    Verdict.KINK: (
        "The function has a corner or a step exactly here, so no single slope; the gradient lies between the slopes "
        "on the two sides, which is all that can be asked of it."
    ),
    Verdict.UNRESOLVED: (
        "The slope could not be measured accurately enough to say whether the gradient is right; this is not a pass."
    ),
}
