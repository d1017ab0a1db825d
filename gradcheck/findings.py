"""From what the engine measured to a verdict: which entry is the worst, and what it means in words."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.engines.jacobians import Examination
from gradcheck.graph.paths import what_cuts
from gradcheck.modes import Execution
from gradcheck.numerics import Kind, Status
from gradcheck.problem import Problem
from gradcheck.records.results import Entry
from gradcheck.support.layout import Block, Layout
from gradcheck.treads import REACH
from gradcheck.verdicts import Verdict

__all__ = ["Finding", "entry_at", "judged", "nonfinite"]


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
        cause = (
            f"the output itself is not finite: {outputs.describe(row)} is {center[row]} although every input that "
            f"counts is finite ({bad.size} of {rows.size} outputs)"
        )
        return Finding(Verdict.NONFINITE, cause, place=(row, None))
    block = jacobian[np.ix_(rows, columns)]
    if np.isfinite(block).all():
        return None
    i, j = (int(k[0]) for k in np.nonzero(~np.isfinite(block)))
    row, column = int(rows[i]), int(columns[j])
    count = int((~np.isfinite(block)).sum())
    cause = (
        f"the output is finite and its gradient is not: that of {outputs.describe(row)} w.r.t. "
        f"{inputs.describe(column)} is {block[i, j]} ({count} of {block.size} entries)"
    )
    entry = Entry(outputs.describe(row), inputs.describe(column), float(block[i, j]), None, index=(row, column))
    return Finding(Verdict.NONFINITE, cause, entry, place=(row, column))


def judged(run: Execution, found: Examination) -> Finding:
    """The verdict of one mode's comparison of theoretical and numerical Jacobian (entry by entry)."""
    judgement = found.judgement
    resolution = None if np.isnan(judgement.resolution) else float(judgement.resolution)
    for status, verdict in ((Status.MISMATCH, Verdict.MISMATCH), (Status.UNRESOLVED, Verdict.UNRESOLVED)):
        where = np.argwhere(judgement.status == status)
        if not len(where):
            continue
        j, i = _worst(found, where)
        row, column = int(found.rows[i]), int(found.columns[j])
        entry = entry_at(run, found, i, j)
        if verdict is Verdict.UNRESOLVED:
            cause = (
                f"the slope of {entry.output} w.r.t. {entry.input} could not be measured well enough: "
                f"{_undecided(entry)}{_why(found, row)} ({len(where)} of {judgement.status.size} entries)"
            )
            return Finding(verdict, cause, entry, place=(row, column), resolution=resolution)
        wrong = _wrong(run, found, i, j, len(where), resolution)
        return replace(wrong, step=REACH) if judgement.kind[j, i] == Kind.STEPS else wrong
    kinks = np.argwhere(judgement.status == Status.KINK)
    if len(kinks):
        # A corner before a step, and that before a guard: there the gradient says something.
        j, i = (int(k) for k in min(kinks.tolist(), key=lambda place: _TELLING.get(judgement.kind[tuple(place)], 0)))
        entry = entry_at(run, found, i, j)
        of = f"{len(kinks)} of {judgement.status.size} entries"
        if judgement.kind[j, i] == Kind.JUMP:
            cause = (
                f"{entry.output} jumps where {entry.input} passes this point, as what is rounded or cast to an integer "
                f"does; its slope is {_sides(entry)} ({of})"
            )
        elif judgement.kind[j, i] == Kind.GUARD:
            cause = (
                f"{entry.output} has a value at this point that it has nowhere beside it in {entry.input}, as where "
                f"tf.where puts a constant in the place of what has no limit; the gradient is the constant's, 0 ({of})"
            )
        else:
            cause = f"{entry.output} has a corner in {entry.input} at this point: its slope is {_sides(entry)} ({of})"
        place = (int(found.rows[i]), int(found.columns[j]))
        return Finding(Verdict.KINK, cause, entry, place=place, resolution=resolution)
    return Finding(Verdict.PASS, resolution=resolution)


# The less a gradient says at a point of a kind, the larger.
_TELLING = {Kind.JUMP: 1, Kind.GUARD: 2}


def _sides(entry: Entry) -> str:
    """The slopes below and above the point and the gradient, in words."""
    below, above = ("of no known size" if side is None else f"{side + 0.0:.4g}" for side in (entry.left, entry.right))
    sides = f"{below} on either side" if below == above else f"{below} below it and {above} above it"
    return f"{sides}, and the gradient says {(entry.theoretical or 0.0) + 0.0:.4g}"


def _undecided(entry: Entry) -> str:
    """What was measured, in words."""
    said = "" if entry.theoretical is None else f"; the gradient says {entry.theoretical:.4g}"
    if entry.numerical is None or entry.bound is None or not np.isfinite(entry.bound):
        return f"no two steps give the same one{said}"
    return f"it is {entry.numerical:.4g}, give or take {entry.bound:.2g}{said}"


# Epsilons of low precisions, and their names.
_PRECISIONS = ((2.0**-8, "bfloat16"), (2.0**-12, "float16"), (2.0**-26, "float32"))


def _why(found: Examination, row: int) -> str:
    """The precision of an output where it is coarser than float64: the commonest reason, and one that can be helped."""
    output = found.center[row]
    if output == 0 or np.float32(output) != output:  # noise of another kind, or a number that tells nothing
        return ""
    for least, name in _PRECISIONS:
        if found.eps[row] > least:
            return f". This output has no more digits than {name} has: computed in float64 it could be checked"
    return ""


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
    looked, every = found.judgement.status.size, inputs.size * outputs.size
    # Random directions lead to one entry, which is then judged by itself.
    of = f"{count} of {looked} entries" if looked > 1 or every == 1 else f"the one entry looked at, of {every:.3g}"
    in_steps = " in steps so small that it follows" if found.judgement.kind[j, i] == Kind.STEPS else ""
    moves = f"moving {entry.input} moves {entry.output}{in_steps}"
    if entry.theoretical is None:
        cut = what_cuts(run.problem, inputs.block_of(column), outputs.block_of(row))
        by = f"cut by {cut}" if cut else "cut, as by an operation without a gradient or a gradient that returns None"
        cause = f"the gradient w.r.t. {block.name} is None, yet {moves}: the path is {by}"
        return Finding(Verdict.DISCONNECTED, cause, entry, place=(row, column), resolution=resolution)
    part = found.jacobian[output.start : output.stop, block.start : block.stop]
    if not part.any():
        cut = what_cuts(run.problem, inputs.block_of(column), outputs.block_of(row))
        by = f"the path is cut by {cut}" if cut else "some operation's gradient returns zeros here"
        if _passes_next_to(run, row, block):
            by = (
                f"zeros are passed back here, and not where {block.name} is a little different (by less than 1 %, or "
                "0.01), so the path is there and a formula is wrong at these values"
            )
            by += f"; another way is cut by {cut}" if cut else ""
        cause = f"the gradient of {output.name} w.r.t. {block.name} is zero throughout, yet {moves}: {by} ({of})"
        return Finding(Verdict.DISCONNECTED, cause, entry, place=(row, column), resolution=resolution)
    cause = f"the gradient is {_relation(entry)} ({of})"
    return Finding(Verdict.MISMATCH, cause, entry, place=(row, column), resolution=resolution)


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


def _relation(entry: Entry) -> str:
    """How the wrong value relates to the right one, in words."""
    theory, slope = entry.theoretical, entry.numerical
    assert theory is not None
    assert slope is not None
    small = entry.bound if entry.bound is not None and np.isfinite(entry.bound) else 0.0
    if abs(slope) <= small:
        return f"{theory:.6g} where the function does not move at all"
    if theory == 0:
        return f"zero where the slope is {slope:.6g}"
    ratio = theory / slope
    if abs(ratio + 1) <= 1e-6:
        return "of the wrong sign"
    if abs(ratio - 1) < 1e-4:
        return f"off by {abs(ratio - 1):.2g} of the slope"
    return f"{ratio:.7g} times the slope" if 1e-3 < abs(ratio) < 1e3 else f"{theory:.6g} where the slope is {slope:.6g}"
