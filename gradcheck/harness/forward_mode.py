"""Forward-mode differentiation as a second, noise-free witness of a gradient.

`tf.autodiff.ForwardAccumulator` computes J·u without measuring anything, so where no slope can be measured well (a
function that rounds inside, a slope next to an infinite one) it still has all digits. Of a `tf.custom_gradient` it
differentiates the forward pass, and never looks at the gradient that someone wrote: there it is evidence of its own.
Everywhere else it is derived from the same formula of each operation as reverse mode is, and an error of that formula
shows in both. So it never turns an undecided example into a pass, and where slopes were measured they have the last
word. What it adds:

- reverse and forward mode differ where the slopes are undecided: one of the two is wrong, and that is a MISMATCH;
- they differ where the slopes confirm reverse mode: a note, since whoever uses forward mode gets wrong numbers;
- they agree where the slopes are undecided: a note on how far.

It runs in eager mode, once for each subject, and again only where something is undecided and the first run was quick. A
subject that forward mode cannot run is asked once, and costs nothing more.
"""

from __future__ import annotations

import time

import numpy as np

from gradcheck.agreement import gradient_bound, output_terms
from gradcheck.engines.jacobians import random_weights
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.rules import LAST_DIGITS
from gradcheck.harness.state import ModeState
from gradcheck.modes import EagerExecution
from gradcheck.numerics import Status
from gradcheck.records.results import Entry
from gradcheck.support.number_text import precise_pair
from gradcheck.verdicts import Verdict

__all__ = ["ask_forward_mode"]

# Seconds that forward mode may have taken at first for a second look to be worth its while.
_QUICK = 1.0

# An operation whose forward pass takes longer than this in eager mode is a long loop, and its forward mode dear.
_LONG = 0.25


def ask_forward_mode(baseline: Baseline, state: ModeState) -> None:
    """Compare forward with reverse mode for an eager result that does not fail; changes its finding or its notes."""
    found, finding, subject = state.found, state.finding, baseline.subject
    if found is None or found.projected or finding.verdict.fails or baseline.options.order > 1:
        return
    if baseline.outputs is None or baseline.problem.outputs.size == 0 or baseline.twin is not None:
        return
    undecided = finding.verdict is Verdict.UNRESOLVED
    known = subject.forward_seconds
    if known is not None and not (undecided and known < _QUICK):
        return
    pushed = _pushed(baseline)
    if pushed is None:
        return
    direction, forward = pushed
    rows, columns, eps = found.rows, found.columns, found.eps
    jacobian = found.jacobian[np.ix_(rows, columns)]
    with np.errstate(invalid="ignore"):
        reverse = jacobian @ direction[columns]
        terms = np.abs(jacobian) @ np.abs(direction[columns])
        # What cancels inside, as in 1 - y², counts as an ordinary entry; a large output is no excuse.
        terms = terms + np.minimum(1.0, output_terms(np.eye(rows.size), found.center[rows], baseline.x[columns]).sum(1))
        allowed = gradient_bound(terms, 1.0, float(eps.max(initial=2.0**-52)))
        allowed = np.maximum(allowed, LAST_DIGITS * terms)
        apart = np.abs(forward[rows] - reverse)
        counts = np.isfinite(forward[rows]) & np.isfinite(reverse)
    statuses = found.judgement.status  # [columns, rows]
    counts &= ~((statuses == Status.KINK) | (statuses == Status.NONFINITE)).any(axis=0)
    beyond = counts & (apart > allowed)
    if beyond.any():
        _disagreement(baseline, state, rows, beyond, forward[rows], reverse, allowed)
    elif undecided and counts.any():
        size = max(float(np.abs(reverse[counts]).max()), 1e-300)
        state.notes.append(
            "forward mode (tf.autodiff.ForwardAccumulator) agrees with the gradient to "
            f"{apart[counts].max() / size:.1g}: what is undecided is the measured slope, not TensorFlow's arithmetic. "
            "Both use the same formula for each operation, so this is no proof"
        )


def _pushed(baseline: Baseline) -> tuple[np.ndarray, np.ndarray] | None:
    """A random direction and what forward mode gives along it; None where it cannot run the subject."""
    subject, x = baseline.subject, baseline.x
    run = EagerExecution(baseline.problem)
    start = time.perf_counter()
    run.forward(x)
    if subject.forward_seconds is None and time.perf_counter() - start > _LONG:
        subject.forward_seconds = np.inf
        return None
    direction = random_weights(np.random.default_rng(baseline.seed), 1, x.size, baseline.columns)[0]
    try:
        forward = run.pushforward(x, direction)
    except Exception:  # whatever an operation without forward mode raises
        forward = None
    if subject.forward_seconds is None:
        subject.forward_seconds = np.inf if forward is None else time.perf_counter() - start
    return None if forward is None or forward.size != baseline.problem.outputs.size else (direction, forward)


def _disagreement(
    baseline: Baseline,
    state: ModeState,
    rows: np.ndarray,
    beyond: np.ndarray,
    forward: np.ndarray,
    reverse: np.ndarray,
    allowed: np.ndarray,
) -> None:
    assert state.found is not None
    unresolved = (state.found.judgement.status == Status.UNRESOLVED).any(axis=0)
    worst = int(np.argmax(np.where(beyond, np.abs(forward - reverse) * np.where(unresolved, 1.0, 1e-9), -1.0)))
    place = baseline.problem.outputs.describe(int(rows[worst]))
    ahead, back = precise_pair(forward[worst], reverse[worst])
    numbers = f"{ahead} for the change of {place} along one direction, reverse mode {back}"
    if not unresolved[worst]:
        state.notes.append(
            f"forward mode (tf.autodiff.ForwardAccumulator) gives {numbers}. The measured slopes say that reverse "
            "mode, the gradient, is right; whoever uses forward mode gets wrong numbers"
        )
        return
    cause = (
        f"forward mode (tf.autodiff.ForwardAccumulator) gives {numbers}; both are exact but for rounding, so one is "
        "wrong. The slope could not be measured well enough to say which"
    )
    entry = Entry(
        place, "all inputs, along one direction", float(reverse[worst]), float(forward[worst]), allowed[worst]
    )
    state.finding = Finding(Verdict.MISMATCH, cause, entry, scripted=False)
