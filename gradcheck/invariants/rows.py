"""Rows of a batch beside one another: alone, in another order, changed, empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.invariants.comparing import Example, halved, matching
from gradcheck.records.results import Entry
from gradcheck.rendering.causes import cause_of
from gradcheck.strategies import Batch
from gradcheck.subject.valid import valid_inputs, valid_outputs
from gradcheck.verdicts import Verdict

__all__ = ["empty_row", "permutation", "row_alone", "rows_independent"]


def row_alone(example: Example) -> Finding | None:
    """Each row alone and without its padding gives what it gives in the batch."""
    batch = example.batch
    if not _has_rows(example, "row_alone"):
        return None
    for row in range(batch.size):
        alone = _alone(batch, row, example)
        if alone is None:
            continue
        changed = f"row {row} was taken alone" + (", without its padding" if alone.time < batch.time else "")
        try:
            second = example.another([alone])
        except Exception as error:
            return example.raised("row_alone", changed, error, [alone])
        finding = example.difference(second, matching(example, second, [(row, 0)]), "row_alone", changed)
        if finding is not None:
            return finding
    return None


def _alone(batch: Batch, row: int, example: Example) -> Batch | None:
    """One row and its valid steps (an empty row keeps one padded step); None where that is the batch itself."""
    mask = example.mask
    kept = slice(None)
    if mask is not None:
        steps = max(1, int(batch.lengths[row]))
        kept = slice(steps) if example.side == "post" else slice(batch.time - steps, None)
    alone = batch.cut(slice(row, row + 1), kept)
    return None if alone.values.shape == batch.values.shape else alone


def permutation(example: Example) -> Finding | None:
    """The rows in another order give the same results in that order."""
    batch = example.batch
    if batch.size < 2:
        return None
    order = np.roll(np.arange(batch.size), 1)  # every row moves
    changed = f"the rows were put in the order {', '.join(map(str, order))}"
    moved = batch.rows(order.tolist())
    try:
        second = example.another([moved], example.problem.outputs)
    except Exception as error:
        return example.raised("permutation", changed, error, [moved])
    places = matching(example, second, [(int(row), number) for number, row in enumerate(order)])
    return example.difference(second, places, "permutation", changed)


def rows_independent(example: Example) -> Finding | None:
    """No output of one row depends on another row, neither on its values nor on its length."""
    batch = example.batch
    if batch.size < 2 or not _has_rows(example, "rows_independent"):
        return None
    return _blocks_beside_the_diagonal(example) or _other_rows_changed(example)


def _blocks_beside_the_diagonal(example: Example) -> Finding | None:
    for row in range(example.batch.size):
        outputs, _ = _places_of(example, row)
        others = [_places_of(example, other)[1] for other in range(example.batch.size) if other != row]
        finding = example.nonzero(
            outputs,
            np.concatenate(others),
            "rows_independent",
            lambda output, place: f"{output} depends on {place}, which is in another row",
        )
        if finding is not None:
            return finding
    return None


def _places_of(example: Example, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Valid outputs of a row, and its inputs."""
    problem = example.problem
    mask = example.mask
    valid = np.ones(problem.outputs.size, bool) if mask is None else valid_outputs(problem.outputs, mask, example.side)
    outputs, inputs = (
        np.concatenate(
            [np.arange(b.start, b.stop).reshape(b.shape[0], -1)[row] for b in blocks if b.axes[:1] == ("row",)]
            or [np.zeros(0, int)]
        )
        for blocks in (problem.outputs.blocks, problem.plan.inputs.blocks[: problem.plan.input_count])
    )
    return outputs[valid[outputs]], inputs


def _other_rows_changed(example: Example) -> Finding | None:
    batch, told = example.batch, example.mask is not None
    for kept in (0, 1):
        rows = [row for row in range(batch.size) if row % 2 == kept]
        others = [row for row in range(batch.size) if row % 2 != kept]
        words = f"row{'s' * (len(others) > 1)} {', '.join(map(str, others))}"
        values = np.array(batch.values)
        # Smaller, of the same sign: still in the domain of a logarithm, and of probabilities.
        with np.errstate(all="ignore"):
            values[others] = np.where(values[others] == 0, 0.5, 0.75 * values[others]).astype(values.dtype)
        changes = [(batch.with_values(values), f"the values of {words} were scaled by 0.75 (0 became 0.5)")]
        if told and (batch.lengths[others] > 1).any():
            lengths = np.array(batch.lengths)
            lengths[others] = np.minimum(lengths[others], 1)
            shorter = batch.with_lengths(lengths)
            changes.append((shorter, f"the length{'s' * (len(others) > 1)} of {words} became at most 1"))
        for changed_batch, changed in changes:
            try:
                second = example.another([changed_batch])
            except Exception as error:
                return example.raised("rows_independent", changed, error, [changed_batch])
            places = matching(example, second, [(row, row) for row in rows])
            finding = example.difference(second, places, "rows_independent", changed)
            if finding is not None:
                return finding
    return None


def empty_row(example: Example) -> Finding | None:
    """A row of length 0 gives finite outputs and gradients, its own and those of the other rows."""
    batch = example.batch
    filled = np.flatnonzero(batch.lengths)
    if not filled.size:
        return None
    row = int(filled[0])
    lengths = np.array(batch.lengths)
    lengths[row] = 0
    changed = f"row {row} was made empty (length 0)"
    emptied = batch.with_lengths(lengths)
    try:
        second = example.another([emptied])
    except Exception as error:
        cause = f"{changed}, and the subject raises: {cause_of(error, example.run.mode)}"
        return Finding(Verdict.ERROR, cause, changed=changed, rule="empty_row", first=example.bind([emptied]))
    found = Finding(Verdict.NONFINITE, changed=changed, rule="empty_row", first=second.problem)
    mask, outputs, inputs = second.mask, second.problem.outputs, second.problem.plan.inputs
    assert mask is not None
    rows = np.flatnonzero(valid_outputs(outputs, mask, second.side))
    bad = rows[~np.isfinite(second.center[rows])]
    if bad.size:
        place = int(bad[0])
        cause = f"{changed}, and {outputs.describe(place)} is {second.center[place]}"
        return replace(found, cause=cause, place=(place, None))
    # Padded inputs count, too: what is upstream of them has weights. Unless they are NaN or Inf themselves.
    columns = np.flatnonzero(valid_inputs(second.problem.plan, mask) | np.isfinite(second.problem.x).all())

    def gradients(cotangents: np.ndarray) -> np.ndarray:
        spread = np.zeros((len(cotangents), second.center.size))
        spread[:, rows] = cotangents
        return second.pulled(spread)[:, columns]

    pulled = gradients(np.ones((1, rows.size)))[0]
    if not rows.size or np.isfinite(pulled).all():
        return None
    number = int(np.flatnonzero(~np.isfinite(pulled))[0])
    place = int(rows[halved(lambda cotangents: gradients(cotangents)[:, number], rows.size)])
    column = int(columns[number])
    words = outputs.describe(place), inputs.describe(column)
    cause = f"{changed}, and the gradient of {words[0]} w.r.t. {words[1]} is {pulled[number]}"
    entry = Entry(*words, float(pulled[number]), None, index=(place, column))
    return replace(found, cause=cause, place=(place, column), entry=entry)


def _has_rows(example: Example, name: str) -> bool:
    if any(block.axes[:1] == ("row",) for block in example.problem.outputs.blocks):
        return True
    example.notes.append(f"{name}: no output has an axis of rows, so there was nothing to compare")
    return False
