"""What `tf.test.compute_gradient` says of an entry that would be reported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.reference import compute_gradient
from gradcheck.execution.modes import Execution, OneByOne
from gradcheck.numerics.precision import eps_of
from gradcheck.numerics.tolerance import FEW_BITS
from gradcheck.verdicts import Verdict

__all__ = ["confirmed"]


def confirmed(run: Execution, x: np.ndarray, finding: Finding) -> Finding:
    """Recompute the entry of a finding with `tf.test.compute_gradient`, in the mode."""
    confirmable = finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED)
    if not confirmable or finding.entry is None or finding.place is None or finding.place[1] is None:
        return finding
    if finding.entry.reference is not None:
        return finding
    blocks = [*run.problem.plan.inputs.blocks, *run.problem.outputs.blocks]
    if max((eps_of(block.dtype) for block in blocks), default=0.0) > FEW_BITS:
        return finding  # its steps of 2⁻¹⁰ are lost in such a type
    row, column = finding.place
    inner = run.inner if isinstance(run, OneByOne) else run
    pair = compute_gradient(inner, x, rows=np.array([row]), columns=np.array([column]))
    reference = (float(pair[0][0, 0]), float(pair[1][0, 0]))
    return replace(finding, entry=replace(finding.entry, reference=reference))
