"""Whether an output has the time axis, or another axis that happens to be as long.

A pooled output ``[batch, features]`` on a batch with as many steps as features looks like a sequence. It is told from
one by a second look at the subject, once: on the same batch with one more valid step in every row. An axis of time
grows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.execution.modes import EagerExecution
from gradcheck.strategies import Batch, Padding
from gradcheck.subject.problem import Problem
from gradcheck.support.layout import Layout

__all__ = ["settle_time_axes"]


def settle_time_axes(problem: Problem, outputs: Layout) -> Layout:
    """The layout of the outputs, without time axes that are none. The subject keeps what was found out.

    Args:
        problem: bound to a batch, or to other arguments, which have no time axis.
        outputs: what eager mode gave, an axis called ``time`` wherever its size allows that.
    """
    subject, batch = problem.subject, problem.batch
    doubtful = [b for b in outputs.blocks if b.axes[1:2] == ("time",) and b.leaf not in subject.has_time]
    if batch is None or not doubtful:
        return outputs
    other = Problem.bind(subject, [_one_step_longer(batch)], variables=problem.plan.variables, state=problem.plan.state)
    try:
        _, longer, _ = EagerExecution(other).observe(other.x)
    except Exception:  # a subject for one number of steps only
        return outputs
    sizes = {block.leaf: block.shape for block in longer.blocks}
    for block in doubtful:
        subject.has_time[block.leaf] = sizes.get(block.leaf, ())[1:2] != block.shape[1:2]
    return _without_other_axes(outputs, subject.has_time)


def _one_step_longer(batch: Batch) -> Batch:
    """One more column, and every row one step longer: its first step again, or 0.5 where it has none."""
    values = np.full((batch.size, batch.time + 1, *batch.values.shape[2:]), 0.5).astype(batch.values.dtype)
    if batch.padding.side == "post":
        values[:, 1:] = batch.values
    else:
        values[:, :-1] = batch.values
    for row in range(batch.size):
        sequence = batch.sequence(row)
        if len(sequence):
            values[row, 0 if batch.padding.side == "post" else -1] = sequence[0]
    at = 0 if batch.padding.side == "post" else batch.time
    # Of what else there is at each step, the step next to the new one again, or zeros where there is none.
    steps = {
        name: np.insert(part, at, part[:, min(at, batch.time - 1)] if batch.time else 0, axis=1)
        for name, part in batch.steps.items()
    }
    return Batch(values, batch.lengths + 1, Padding(batch.padding.side), steps)


def _without_other_axes(outputs: Layout, has_time: dict[int, bool]) -> Layout:
    blocks = []
    for block in outputs.blocks:
        if block.axes[1:2] == ("time",) and not has_time.get(block.leaf, True):
            axes = (block.axes[0], "feature" if len(block.axes) == 2 else "", *block.axes[2:])
            block = replace(block, axes=axes)
        blocks.append(block)
    return Layout(tuple(blocks))
