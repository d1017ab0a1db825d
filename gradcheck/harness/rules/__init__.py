"""What must be true of a mode. A rule is a function of a `Comparison` that returns a `Finding`, or None where it holds.

The order of `RULES` is their precedence: the first that does not hold is the mode's finding. A rule changes nothing; it
may leave a note. A new rule is a function in a file of this folder and a place in the tuple.
"""

from __future__ import annotations

from collections.abc import Callable

from gradcheck.diagnosis.findings import Finding
from gradcheck.harness.comparison import Comparison
from gradcheck.harness.rules.determinism import deterministic
from gradcheck.harness.rules.eager_agreement import as_in_eager_mode
from gradcheck.harness.rules.finite import empty_output, finite
from gradcheck.harness.rules.gradient import accurate, decided, gradient, smooth
from gradcheck.harness.rules.invariance import invariants
from gradcheck.harness.rules.linearity import linear
from gradcheck.harness.rules.ties import consistent_at_ties
from gradcheck.harness.rules.train_step import as_a_train_step
from gradcheck.verdicts import Verdict

__all__ = ["RULES", "first_violated"]

RULES: tuple[Callable[[Comparison], Finding | None], ...] = (
    empty_output,
    finite,
    deterministic,
    as_in_eager_mode,
    gradient,
    linear,
    consistent_at_ties,
    invariants,
    as_a_train_step,
    accurate,
    # What is no failure: the least that is said of a mode.
    decided,
    smooth,
)


def first_violated(comparison: Comparison) -> Finding:
    """The finding of the first rule that does not hold; that of a pass where all of them do."""
    for rule in RULES:
        finding = rule(comparison)
        if finding is not None:
            return finding
    return Finding(Verdict.PASS, resolution=comparison.resolution)
