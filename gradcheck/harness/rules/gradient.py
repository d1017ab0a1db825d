"""The gradient is the slope: what is wrong, what is undecided, and where there is no one slope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding, kinked, undecided, wrong
from gradcheck.engines.projected import locate
from gradcheck.harness.comparison import Comparison
from gradcheck.harness.entries import entries_at, settled
from gradcheck.harness.operation_at_fault import blamed, inaccurate
from gradcheck.numerics import Status
from gradcheck.records.reasons import Reason
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["accurate", "decided", "gradient", "smooth"]


def gradient(c: Comparison) -> Finding | None:
    """Every entry of the gradient is the slope, within a bound."""
    if c.twin is not None:
        return c.twin if c.twin.verdict.fails else None
    if not c.found.projected:
        finding = wrong(c.run, c.found)
        return finding if finding is None or c.reference is None else blamed(c.reference, finding)
    if not np.isin(c.found.judgement.status, (Status.MISMATCH, Status.NONFINITE)).any():
        return None
    x, rows, columns = c.baseline.x, c.baseline.rows, c.baseline.columns
    single = locate(x, c.found, c.halves(), lambda weights: c.run.pullback(x, weights), rows=rows, columns=columns)
    found = entries_at(c.baseline, c.run, c.reference, *single)
    return wrong(c.run, settled(c.baseline, c.run, found))


def accurate(c: Comparison) -> Finding | None:
    """What is right in formula is right as a number: a note where it is not, or a failure where that was asked for."""
    if c.reference is None or c.found.judgement.inaccurate is None or not c.found.judgement.inaccurate.any():
        return None
    finding = inaccurate(c.reference, c.run, c.found)
    if c.baseline.options.accuracy == "strict":
        return replace(finding, resolution=c.resolution)
    c.notes.append(finding.cause)
    return None


def decided(c: Comparison) -> Finding | None:
    """Every entry could be compared well enough."""
    if c.twin is not None:
        return c.twin if c.twin.verdict is Verdict.UNRESOLVED else None
    statuses = c.found.judgement.status
    if c.found.projected:
        if np.isin(statuses, (Status.MISMATCH, Status.NONFINITE)).any():
            cause = "random combinations of gradient entries are wrong, but no single entry is beyond its bound"
        elif (statuses == Status.UNRESOLVED).any():
            cause = "the slope along random directions could not be measured well enough"
        else:
            return None
        return Finding(Verdict.UNRESOLVED, cause, reasons=(Reason.NOT_MEASURED,), resolution=c.resolution)
    finding = undecided(c.run, c.found)
    if finding is None or c.reference is None or finding.place is None:
        return finding
    operation, entry = c.reference.where_digits_are_lost(finding.place[0]), finding.entry
    if not operation or entry is None or entry.theoretical is None:
        return finding
    reasons = (Reason.DIGITS_LOST, *finding.reasons)
    return replace(finding, cause=sentences.digits_lost(entry, operation), reasons=reasons)


def smooth(c: Comparison) -> Finding | None:
    """The function has one slope at the point."""
    if c.twin is not None:
        return c.twin if c.twin.verdict is Verdict.KINK else None
    if c.found.projected:
        if not (c.found.judgement.status == Status.KINK).any():
            return None
        cause = "the function has a corner at this point; along random directions the gradient lies between the slopes"
        return Finding(Verdict.KINK, cause, reasons=(Reason.CORNER,), resolution=c.resolution)
    finding = kinked(c.run, c.found)
    operation = "" if finding is None or c.reference is None else c.reference.where_it_ties(c.baseline.columns)
    return (
        finding
        if finding is None or not operation
        else replace(finding, cause=f"{finding.cause}; {operation} decides there")
    )
