"""Quantised paths: what is rounded, compared or cast to an integer, with nothing that moves smoothly next to it.

Such a function is flat between its jumps, so that a gradient of zero or None is its derivative wherever it has one.
Whether that is what anybody meant is a matter of size. Lengths rounded to whole numbers are supposed to have no
gradient; where the steps are so small that the output follows the input like a slope, training loses something that is
there. No ladder of steps can tell the two apart: its long steps see the slope, its short ones the step. So the graph
says whether all is steps, and one sweep of equal steps how wide the steps are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.engines.jacobians import Examination, points_a_call
from gradcheck.execution.modes import Execution
from gradcheck.graph.paths import moves_in_steps
from gradcheck.numerics import Judgement, Kind, Status

__all__ = ["REACH", "by_width", "on_quantised_paths"]

# How far an input is moved to either side.
REACH = 2.0**-4

# Equal steps of the sweep, and how many of them must move an output that follows the input: steps of 1/128 and less.
_SWEEP = 32
_FOLLOWS = 16

# Part of all its movement that an output must have come further by, or it does not follow.
_ONE_WAY = 0.5

_DOUBTFUL = (Status.UNRESOLVED, Status.MISMATCH)


def on_quantised_paths(run: Execution, found: Examination) -> Examination:
    """An examination in which paths of steps are judged by the width of their steps; see `by_width`."""
    theory = found.jacobian[np.ix_(found.rows, found.columns)]
    judgement = by_width(run, found.judgement, theory, found.rows, found.columns)
    return found if judgement is found.judgement else replace(found, judgement=judgement)


def by_width(
    run: Execution, judgement: Judgement, theory: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> Judgement:
    """A judgement in which paths of steps are judged by the width of their steps.

    Looked at are pairs of an input and an output whose gradient is zero throughout. On wide steps it passes, and where
    a jump is exactly at the point it stays a corner; where the output follows the input it is wrong, by the mean slope.

    Args:
        run: the problem in a mode.
        judgement: of all pairs of ``rows`` (outputs) and ``columns`` (inputs).
        theory: theoretical Jacobian of these, ``[len(rows), len(columns)]``.

    Returns:
        The same judgement where nothing moves in steps only.
    """
    inputs, outputs = run.problem.plan.inputs, run.problem.outputs
    steps = np.zeros(judgement.status.shape, bool)
    for number, block in enumerate(inputs.blocks):
        moved = np.flatnonzero((columns >= block.start) & (columns < block.stop))
        for other, output in enumerate(outputs.blocks):
            here = np.flatnonzero((rows >= output.start) & (rows < output.stop))
            pair = np.ix_(moved, here)
            silent = moved.size and here.size and not theory[np.ix_(here, moved)].any()
            # Looking at the graph takes a trace, and zeros of a mask that hides everything are no steps.
            doubtful = number in run.none_gradients or np.isin(judgement.status[pair], _DOUBTFUL).any()
            if silent and doubtful and moves_in_steps(run.problem, number, other):
                steps[pair] = True
    lines = np.flatnonzero(steps.any(axis=1))
    if not lines.size:
        return judgement
    try:
        swept = _sweep(run, columns[lines])[:, :, rows]
    except Exception:  # an index that leaves its table, say; then nothing is known
        return judgement
    moves = np.abs(np.diff(swept, axis=1))
    rise = swept[:, -1] - swept[:, 0]
    with np.errstate(invalid="ignore"):
        climbs = ((moves > 0).sum(axis=1) >= _FOLLOWS) & (np.abs(rise) >= _ONE_WAY * moves.sum(axis=1))
    follows, slope, error = np.zeros(steps.shape, bool), np.zeros(steps.shape), np.zeros(steps.shape)
    follows[lines] = steps[lines] & climbs & np.isfinite(rise)
    # A step at either end may be cut.
    slope[lines], error[lines] = rise / (2 * REACH), moves.max(axis=1) / REACH
    flat = steps & ~follows & (judgement.status != Status.KINK)
    decided = flat | follows
    return replace(
        judgement,
        status=np.where(follows, np.int8(Status.MISMATCH), np.where(flat, np.int8(Status.PASS), judgement.status)),
        numerical=np.where(follows, slope, np.where(flat, 0.0, judgement.numerical)),
        bound=np.where(follows, error, np.where(flat, 0.0, judgement.bound)),
        excess=np.where(follows, np.abs(slope) / np.where(follows, error, 1.0), np.where(flat, 0.0, judgement.excess)),
        left=np.where(decided, np.nan, judgement.left),
        right=np.where(decided, np.nan, judgement.right),
        kind=np.where(follows, np.int8(Kind.STEPS), np.where(flat, np.int8(Kind.SMOOTH), judgement.kind)),
    )


def _sweep(run: Execution, columns: np.ndarray) -> np.ndarray:
    """Outputs ``[len(columns), _SWEEP + 1, y_size]`` along each input by itself, from one end of its reach on."""
    x = run.problem.x
    offsets = np.linspace(-REACH, REACH, _SWEEP + 1)
    group = max(1, points_a_call(run, x) // offsets.size)
    found = []
    for start in range(0, columns.size, group):
        chosen = columns[start : start + group]
        points = np.tile(x, (chosen.size, offsets.size, 1))
        points[np.arange(chosen.size), :, chosen] += offsets
        values = run.evaluate(points.reshape(-1, x.size))
        found.append(values.reshape(chosen.size, offsets.size, -1))
    return np.concatenate(found)
