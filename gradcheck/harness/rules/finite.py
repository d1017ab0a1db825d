"""Outputs and gradients are finite where the inputs are; an empty output has no gradient."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding, nonfinite
from gradcheck.engines.projected import locate_nonfinite
from gradcheck.harness.comparison import Comparison
from gradcheck.harness.operation_at_fault import blamed
from gradcheck.records.reasons import Reason
from gradcheck.verdicts import Verdict

__all__ = ["empty_output", "finite"]


def empty_output(c: Comparison) -> Finding | None:
    """The gradient of an empty output is zero."""
    if c.baseline.problem.outputs.size or c.theory is None:
        return None
    if c.theory.again.any():
        cause = "the output is empty, yet its gradient is not zero"
        return Finding(Verdict.MISMATCH, cause, reasons=(Reason.EMPTY_OUTPUT,))
    c.notes.append("the output is empty: its gradient is zero, as it must be")
    return None


def finite(c: Comparison) -> Finding | None:
    """No NaN and no Inf in what counts."""
    baseline, found = c.baseline, c.found
    inputs, outputs = baseline.problem.plan.inputs, baseline.problem.outputs
    rows, columns = baseline.rows, baseline.columns
    if found.cotangents is None:
        finding = nonfinite(found.center, found.jacobian, inputs, outputs, rows, columns)
        return finding if finding is None or c.reference is None else blamed(c.reference, finding)
    bad = nonfinite(found.center, np.zeros((found.center.size, 0)), inputs, outputs, rows, np.zeros(0, int))
    beyond = ~np.isfinite(found.jacobian[:, columns]).all(axis=1)
    if bad is not None or not beyond.any():
        return bad
    # A random combination of outputs has such a gradient: which output has it?
    cotangent = found.cotangents[int(np.argmax(beyond))]
    single = locate_nonfinite(c.run, baseline.problem.x, cotangent, rows=rows, columns=columns)
    if single is None:
        return None
    row, gradient = single
    # One row is known; a view repeats it, so that no Jacobian of the full size is ever held.
    jacobian = np.broadcast_to(gradient, (found.center.size, gradient.size))
    return nonfinite(found.center, jacobian, inputs, outputs, np.array([row]), columns)
