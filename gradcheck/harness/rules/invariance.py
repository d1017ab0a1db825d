"""The invariants that were chosen hold: what should make no difference makes none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.iterative import LAST_DIGITS
from gradcheck.execution.modes import EagerExecution
from gradcheck.graph.random_operations import why_it_varies
from gradcheck.harness.baseline import NEARBY
from gradcheck.harness.comparison import Comparison
from gradcheck.harness.rules.determinism import nondeterministic_by_chance
from gradcheck.invariants.comparing import Example
from gradcheck.invariants.holding import violated_invariant
from gradcheck.numerics.tolerance import output_bound
from gradcheck.records.reasons import Reason
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["invariants"]


def invariants(c: Comparison) -> Finding | None:
    """The invariants that were chosen; what they remark becomes a note."""
    baseline, found = c.baseline, c.found
    if c.theory is None and not found.projected and c.run.mode == "eager" and not baseline.in_full:
        return None  # of this search's other batches some are looked at in full
    # What a loss over padded outputs passes back to the weights is no leak: the rules are ones for first derivatives.
    if baseline.batch is None or baseline.outputs is None or baseline.options.order > 1:
        return None
    example = Example(
        run=c.run,
        problem=baseline.problem,
        batch=baseline.batch,
        center=found.center,
        noise=found.noise,
        eps=found.eps,
        bind=baseline.rebound,
        jacobian=None if found.projected else found.jacobian,
        asked=baseline.options.invariants.asked,
        notes=c.notes,
    )
    finding = violated_invariant(example, baseline.options.invariants)
    if finding is None:
        return None
    # It rests on draws of other calls too. Those are made once more: what is true is found twice.
    unsteady = nondeterministic_by_chance(c, finding, asked_anew=True)
    if unsteady is not None:
        return unsteady
    again = violated_invariant(replace(example, notes=[]), baseline.options.invariants)
    if again is None or again.rule != finding.rule:
        baseline.subject.random = True
        why, reasons = why_it_varies(baseline.problem, forward=True)
        cause = (
            f"the same call twice gives two different results: {finding.cause}; once more, and it did not"
            f"{why and f'; {why}'}"
        )
        return Finding(Verdict.NONDETERMINISTIC, cause, reasons=reasons, scripted=False)
    return _another_function(c, finding) or finding


def _another_function(c: Comparison, leak: Finding) -> Finding | None:
    """DISAGREEMENT where a mode that leaks computes something else than eager mode next to the batch.

    Outputs that are 0 are the same in every mode, whatever is computed: a size that was taken while the function was
    traced, as in dynamic mode an unknown one, looks like a leak of the padding there.
    """
    baseline, run, found = c.baseline, c.run, c.found
    if run.mode == "eager" or not baseline.deterministic or baseline.twin is not None:
        return None
    near = baseline.nearby()
    mine = run.evaluate(near[None])[0]
    try:
        theirs = EagerExecution(baseline.problem).forward(near)
    except Exception:  # it refuses that point; then nothing is known of it
        return None
    if mine.size != theirs.size:
        return None
    bound = np.fmax(output_bound(mine, found.noise, found.eps), LAST_DIGITS * np.abs(mine).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        beyond = np.intersect1d(np.flatnonzero(np.abs(mine - theirs) > 100 * bound), baseline.rows)
    if not beyond.size:
        return None
    row = int(beyond[np.argmax(np.abs(mine - theirs)[beyond])])
    where = baseline.problem.outputs.describe(row)
    here, eager = precise_pair(mine[row], theirs[row])
    cause = f"{NEARBY} {where} is {here} here and {eager} in eager mode; on the batch itself {leak.cause}"
    return Finding(Verdict.DISAGREEMENT, cause, reasons=(Reason.OTHER_OUTPUT,), scripted=False)
