"""From what the engine measured to a verdict: which entry is the worst, and what it means in words."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.engines.quantisation import REACH
from gradcheck.execution.modes import Execution
from gradcheck.graph.paths import what_cuts
from gradcheck.numerics import Kind, Status
from gradcheck.records.reasons import Reason
from gradcheck.records.results import Entry
from gradcheck.rendering import sentences
from gradcheck.subject.problem import Problem
from gradcheck.support.layout import Block, Layout
from gradcheck.verdicts import Verdict

__all__ = ["Finding", "entry_at", "kinked", "nonfinite", "undecided", "wrong"]


@dataclass(frozen=True)
class Finding:
    """A verdict before it becomes a `gradcheck.report.ModeResult`.

    Attributes:
        verdict: the verdict.
        cause: one line.
        entry: the worst entry.
        detail: the whole text behind the cause.
        changed: for rules that compare two calls, what was changed.
        rule: name of the invariant that does not hold, for those.
        place: row and column of the worst entry in the full Jacobian; a column of None where only an output counts.
        first, other: the two calls, for those rules; ``first`` is None where it is the call that was checked.
        other_place: row and column of the entry in the second call.
        reasons: why, as keys, the one that says most first.
        resolution: smallest relative error of the gradient that could have been seen.
        notes: remarks.
        scripted: whether a script that looks at one entry can show it.
        step: the step with which the slope shows, where not any small one does.
    """

    verdict: Verdict
    cause: str = ""
    entry: Entry | None = None
    detail: str = ""
    changed: str = ""
    rule: str = ""
    place: tuple[int, int | None] | None = None
    first: Problem | None = None
    other: Problem | None = None
    other_place: tuple[int, int | None] | None = None
    reasons: tuple[Reason, ...] = ()
    resolution: float | None = None
    notes: tuple[str, ...] = field(default=())
    scripted: bool = True
    step: float | None = None


def nonfinite(
    center: np.ndarray, jacobian: np.ndarray, inputs: Layout, outputs: Layout, rows: np.ndarray, columns: np.ndarray
) -> Finding | None:
    """NaN or Inf in the outputs that count, or in their gradients; None where all is finite."""
    bad = rows[~np.isfinite(center[rows])]
    if bad.size:
        row = int(bad[0])
        cause = sentences.output_not_finite(outputs.describe(row), center[row], bad.size, rows.size)
        return Finding(Verdict.NONFINITE, cause, place=(row, None), reasons=(Reason.OUTPUT_NOT_FINITE,))
    block = jacobian[np.ix_(rows, columns)]
    if np.isfinite(block).all():
        return None
    i, j = (int(k[0]) for k in np.nonzero(~np.isfinite(block)))
    row, column = int(rows[i]), int(columns[j])
    count = int((~np.isfinite(block)).sum())
    words = outputs.describe(row), inputs.describe(column)
    cause = sentences.gradient_not_finite(*words, block[i, j], count, block.size)
    entry = Entry(*words, float(block[i, j]), None, index=(row, column))
    return Finding(Verdict.NONFINITE, cause, entry, place=(row, column), reasons=(Reason.GRADIENT_NOT_FINITE,))


def wrong(run: Execution, found: Examination) -> Finding | None:
    """MISMATCH or DISCONNECTED for the worst entry that is wrong; None where none is."""
    where = np.argwhere(found.judgement.status == Status.MISMATCH)
    if not len(where):
        return None
    j, i = _worst(found, where)
    finding = _wrong(run, found, i, j, len(where), _resolution(found))
    return replace(finding, step=REACH) if found.judgement.kind[j, i] == Kind.STEPS else finding


def undecided(run: Execution, found: Examination) -> Finding | None:
    """UNRESOLVED for the worst entry that could not be compared well enough; None where all could."""
    where = np.argwhere(found.judgement.status == Status.UNRESOLVED)
    if not len(where):
        return None
    j, i = _worst(found, where)
    row, column = int(found.rows[i]), int(found.columns[j])
    entry = entry_at(run, found, i, j)
    output = found.center[row]
    # Noise of another kind, or a number that tells nothing, is no precision.
    short = output != 0 and np.float32(output) == output
    of = sentences.entries(len(where), found.judgement.status.size, 1)
    cause = sentences.not_measured(entry, of, float(found.eps[row]) if short else None)
    reasons = (Reason.NOT_MEASURED,)
    return Finding(
        Verdict.UNRESOLVED, cause, entry, place=(row, column), reasons=reasons, resolution=_resolution(found)
    )


def kinked(run: Execution, found: Examination) -> Finding | None:
    """KINK for an entry at which the function has no one slope; None where it has one everywhere."""
    judgement = found.judgement
    kinks = np.argwhere(judgement.status == Status.KINK)
    if not len(kinks):
        return None
    # A corner before a jump: there the gradient says something.
    j, i = (int(k) for k in min(kinks.tolist(), key=lambda place: judgement.kind[tuple(place)] == Kind.JUMP))
    entry = entry_at(run, found, i, j)
    of = sentences.entries(len(kinks), judgement.status.size, 1)
    jumps = judgement.kind[j, i] == Kind.JUMP
    cause = sentences.jump(entry, of) if jumps else sentences.corner(entry, of)
    place = (int(found.rows[i]), int(found.columns[j]))
    reasons = (Reason.JUMP if jumps else Reason.CORNER,)
    return Finding(Verdict.KINK, cause, entry, place=place, reasons=reasons, resolution=_resolution(found))


def _resolution(found: Examination) -> float | None:
    resolution = found.judgement.resolution
    return None if np.isnan(resolution) else float(resolution)


def _worst(found: Examination, where: np.ndarray) -> tuple[int, int]:
    """The entry that is off the most, in plain size: what a reader can see best."""
    judgement = found.judgement
    theory = found.jacobian[np.ix_(found.rows, found.columns)].T
    with np.errstate(invalid="ignore"):
        distance = np.abs(theory - judgement.numerical)[where[:, 0], where[:, 1]]
    best = int(np.nanargmax(np.where(np.isfinite(distance), distance, -1.0)))
    return int(where[best, 0]), int(where[best, 1])


def entry_at(run: Execution, found: Examination, i: int, j: int) -> Entry:
    """The `Entry` of output number ``i`` and input number ``j`` among those judged."""
    inputs, outputs = run.problem.plan.inputs, run.problem.outputs
    row, column = int(found.rows[i]), int(found.columns[j])
    judgement = found.judgement

    def known(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    none = inputs.block_of(column) in run.none_gradients
    return Entry(
        output=outputs.describe(row),
        input=inputs.describe(column),
        theoretical=None if none else float(found.jacobian[row, column]),
        numerical=float(judgement.numerical[j, i]),
        bound=float(judgement.bound[j, i]),
        left=known(judgement.left[j, i]),
        right=known(judgement.right[j, i]),
        index=(row, column),
    )


def _wrong(run: Execution, found: Examination, i: int, j: int, count: int, resolution: float | None) -> Finding:
    """MISMATCH, or DISCONNECTED where the path from the input to the output is cut altogether."""
    entry, row, column = entry_at(run, found, i, j), int(found.rows[i]), int(found.columns[j])
    inputs, outputs = run.problem.plan.inputs, run.problem.outputs
    block = inputs.blocks[inputs.block_of(column)]
    output = outputs.blocks[outputs.block_of(row)]
    of = sentences.entries(count, found.judgement.status.size, inputs.size * outputs.size)
    in_steps = bool(found.judgement.kind[j, i] == Kind.STEPS)
    finding = Finding(Verdict.DISCONNECTED, entry=entry, place=(row, column), resolution=resolution)
    if entry.theoretical is not None and found.jacobian[output.start : output.stop, block.start : block.stop].any():
        reason = Reason.ZERO_ENTRY if entry.theoretical == 0 else Reason.WRONG_ENTRY
        cause = sentences.wrong_entry(entry, of)
        return replace(finding, verdict=Verdict.MISMATCH, cause=cause, reasons=(reason,))
    cut = what_cuts(run.problem, inputs.block_of(column), outputs.block_of(row))
    reason = Reason.PATH_CUT
    if entry.theoretical is None:
        cause = sentences.nothing_comes_back(entry, block.name, cut, in_steps=in_steps)
    else:
        nearby = _passes_next_to(run, row, block)
        cause = sentences.zero_throughout(
            entry, output.name, block.name, cut, of, in_steps=in_steps, passes_nearby=nearby
        )
        reason = reason if cut else Reason.ZEROS_PASSED_BACK
    return replace(finding, cause=cause, reasons=(reason,))


def _passes_next_to(run: Execution, row: int, block: Block) -> bool:
    """Whether an output has a gradient w.r.t. an input block at a point next to the one where it is zero throughout."""
    x = run.problem.x.copy()
    part = slice(block.start, block.stop)
    # Away from 0, where formulas are wrong the most often, and every number by another part.
    step = 2.0**-7 * np.maximum(1.0, np.abs(x[part])) * np.linspace(0.5, 1.0, block.size)
    x[part] += np.where(x[part] < 0, -step, step)
    unit = np.eye(1, run.problem.outputs.size, row)
    with contextlib.suppress(Exception):  # a subject may refuse that point; then it is not known
        gradient = run.pullback(x, unit)[0, part]
        return bool(np.isfinite(gradient).all() and gradient.any())
    return False
