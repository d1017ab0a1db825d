"""Which results can be told about in the same words."""

from __future__ import annotations

import re

from gradcheck.records.results import ModeResult
from gradcheck.verdicts import Verdict

__all__ = ["group_key", "wording"]


def wording(result: ModeResult) -> str:
    """Cause and change without the numbers, which differ between modes by rounding."""
    text = f"{result.cause}\n{result.changed}"
    if result.verdict in (Verdict.ERROR, Verdict.UNSUPPORTED, Verdict.CRASH):
        # Here a number is a shape, or a line of code: another number is another failure.
        return text
    return re.sub(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", "#", text)


def group_key(result: ModeResult) -> tuple[object, ...]:
    """Equal where two results are the same failure, as far as words tell."""
    return (result.verdict, result.expected, wording(result))
