"""Findings with the operation that makes them what they are, and the line of the code that made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding, entry_at
from gradcheck.engines.comparison import underflow
from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import Examination
from gradcheck.engines.operations import (
    RIGHT,
    whose_gradient_is_inaccurate,
    whose_gradient_is_not_finite,
    whose_gradient_is_wrong,
)
from gradcheck.execution.modes import Execution
from gradcheck.graph.paths import what_cuts
from gradcheck.records.reasons import Reason
from gradcheck.verdicts import Verdict

__all__ = ["blamed", "inaccurate"]


def blamed(reference: Reference, finding: Finding) -> Finding:
    """A gradient that is wrong, or not finite, with the operation whose own gradient is."""
    if finding.entry is None or finding.place is None or finding.place[1] is None:
        return finding
    if finding.verdict is Verdict.MISMATCH or (
        finding.verdict is Verdict.DISCONNECTED and not _cut(reference, finding)
    ):
        operation = whose_gradient_is_wrong(reference)
        if operation == RIGHT:
            note = "each operation's own gradient is right on this batch, so the fault is in how they work together"
            return replace(finding, notes=(*finding.notes, note))
        tie = reference.where_it_ties(reference.columns)
        if not operation and tie:
            operation = f"the corner of {tie} cancels in the function, and not in its gradient"
        if operation:
            return replace(finding, cause=f"{finding.cause}: {operation}")
    if finding.verdict is Verdict.NONFINITE:
        operation = whose_gradient_is_not_finite(reference)
        if operation:
            return replace(finding, cause=f"{finding.cause}: {operation}")
    return finding


def inaccurate(reference: Reference, run: Execution, found: Examination) -> Finding:
    """INACCURATE for the entry that is off the most though its formula is right."""
    entries = found.judgement.inaccurate
    assert entries is not None
    judgement = found.judgement
    theory = found.jacobian[np.ix_(found.rows, found.columns)].T
    off = np.where(entries, np.abs(theory - judgement.numerical), -1.0)
    j, i = (int(k) for k in np.unravel_index(int(np.argmax(off)), off.shape))
    entry = entry_at(run, found, i, j)
    operation = whose_gradient_is_inaccurate(reference)
    by = f": {operation} loses the digits" if operation else ""
    assert entry.numerical is not None
    if abs(entry.numerical) < underflow(found.eps[[found.rows[i]]])[0]:
        by = ": it is less than the smallest normal number of its type"
    cause = (
        f"the formula is right and the number is not: the gradient of {entry.output} w.r.t. {entry.input} is "
        f"{entry.theoretical:.6g} where the exact value is {entry.numerical:.6g} "
        f"({int(entries.sum())} of {entries.size} entries){by}"
    )
    place = (int(found.rows[i]), int(found.columns[j]))
    return Finding(Verdict.INACCURATE, cause, entry, place=place, reasons=(Reason.INACCURATE,))


def _cut(reference: Reference, finding: Finding) -> str:
    """What cuts the path of a finding's entry, which its cause names."""
    assert finding.place is not None
    row, column = finding.place
    assert column is not None
    problem = reference.problem
    return what_cuts(problem, problem.plan.inputs.block_of(column), problem.outputs.block_of(row))
