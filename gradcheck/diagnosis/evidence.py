"""What the pictures of a failure are made from: both Jacobians, the batch, and the function along the failing entry.

Measured only when someone looks (a failing report is written down or shown), with the problem as it was checked: a
passing check pays nothing for it. All of it is plain data that JSON can hold, NaN and the infinities as strings; the
published schema (`gradcheck report --schema`) describes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck import numerics
from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.comparison import Tolerance, judge_entries
from gradcheck.engines.exact import Reference, reference_of
from gradcheck.engines.quantisation import by_width
from gradcheck.execution.modes import EagerExecution, Execution, OneByOne, execution
from gradcheck.invariants.names import BY_DEFAULT
from gradcheck.numerics import Status
from gradcheck.numerics.precision import eps_of
from gradcheck.records.results import ModeResult, jsonable
from gradcheck.strategies import Batch
from gradcheck.subject.problem import Problem
from gradcheck.subject.restoring import preserved
from gradcheck.subject.valid import steps_mask, valid_inputs, valid_outputs
from gradcheck.support.layout import Block, Layout
from gradcheck.support.patience import TooLongError
from gradcheck.verdicts import Verdict

__all__ = ["Scene", "batch_evidence", "evidence_of"]

# A Jacobian up to this size is kept whole: its picture still shows every entry on a phone.
_MOST_ROWS, _MOST_COLUMNS, _MOST_ENTRIES = 24, 36, 400
# Of a larger one this block around the worst entry.
_BLOCK_ROWS, _BLOCK_COLUMNS = 12, 24
# Most output elements of two calls that are compared.
_MOST_OUTPUTS = 96
# Most values of a batch that are kept.
_MOST_VALUES = 4096

# Points of the picture along the failing input, and the reaches tried for it, in units of half the input's size.
_POINTS = 41
_REACHES = 14
# A difference is seen where the curve departs from its line by less than this part of it.
_CURVED = 0.35

_MEASURED = frozenset(
    {
        Verdict.MISMATCH,
        Verdict.DISCONNECTED,
        Verdict.NONFINITE,
        Verdict.KINK,
        Verdict.UNRESOLVED,
        Verdict.DISAGREEMENT,
        Verdict.PADDING_LEAK,
    }
)


@dataclass(frozen=True)
class Scene:
    """One mode of a check that did not simply pass, as far as its pictures need it.

    Attributes:
        problem: the problem that was checked.
        result: what the mode came to.
        finding: the same with places in the flat vectors.
        twin: the problem in float64, for a subject in low precision.
        eager_outputs: what eager mode gave ``[y_size]``; None where it raised.
        options: ``rtol``, ``atol``, ``resolution_limit`` of the check.
    """

    problem: Problem
    result: ModeResult
    finding: Finding
    twin: Problem | None = None
    eager_outputs: np.ndarray | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def execution(self, problem: Problem | None = None) -> Execution:
        """The problem in the mode, as it was run."""
        run = execution(self.problem if problem is None else problem, self.result.mode)
        return OneByOne(run) if self.result.engine == "reference" and self.result.mode != "eager" else run


def evidence_of(scene: Scene) -> dict[str, Any]:
    """Measure what the pictures of one mode show.

    Never raises: what cannot be measured is None, and ``missing`` says why. Variables and random state are as before
    afterwards.
    """
    problem = scene.problem
    batch = problem.batch
    # Of arguments that are no batch the subject need not say how it takes one.
    mask = None if batch is None else steps_mask(batch, problem.subject.style)
    padded_inputs = np.zeros(0, int) if mask is None else np.flatnonzero(~valid_inputs(problem.plan, mask))
    padded_outputs = np.zeros(0, int)
    if mask is not None and batch is not None:
        padded_outputs = np.flatnonzero(~valid_outputs(problem.outputs, mask, batch.padding.side))
    second = None if scene.finding.other is None else scene.finding.other.batch
    found: dict[str, Any] = {
        "inputs": _blocks(problem.plan.inputs, problem.plan.input_count),
        "outputs": _blocks(problem.outputs, len(problem.outputs.blocks)),
        "padded_inputs": padded_inputs.tolist(),
        "padded_outputs": padded_outputs.tolist(),
        "batch": None if batch is None else batch_evidence(batch, mask),
        "changed": None if second is None else batch_evidence(second, None),
        "jacobian": None,
        "slope": None,
        "compared": None,
        "missing": [],
    }
    variables = problem.subject.every_variable()
    if scene.twin is not None:
        variables += scene.twin.subject.every_variable()
    with preserved(variables), np.errstate(all="ignore"):
        # A leak that shows in a second call is nothing that a slope at the first one would show.
        told = not scene.result.rule or _worst(scene) is not None
        if scene.result.verdict in _MEASURED and told and problem.outputs.size and problem.x.size:
            with _noted(found, "jacobian"):
                found["jacobian"] = _jacobian(scene)
            with _noted(found, "slope"):
                found["slope"] = _slope(scene, found["jacobian"])
        with _noted(found, "compared"):
            found["compared"] = _compared(scene)
    return found


@contextlib.contextmanager
def _noted(found: dict[str, Any], part: str) -> Iterator[None]:
    """A picture that cannot be made must not cost the report: say so in its place."""
    try:
        yield
    except (Exception, TooLongError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:200]
        found["missing"].append({"part": part, "why": f"{type(error).__name__}: {first}"})


def _blocks(layout: Layout, arguments: int) -> list[dict[str, Any]]:
    return [_block(block, number < arguments) for number, block in enumerate(layout.blocks)]


def _block(block: Block, argument: bool) -> dict[str, Any]:
    return {
        "name": block.name,
        "shape": list(block.shape),
        "dtype": block.dtype,
        "axes": list(block.axes),
        "start": block.start,
        "size": block.size,
        "variable": not argument,
    }


def batch_evidence(batch: Batch, mask: np.ndarray | None) -> dict[str, Any] | None:
    """A batch with its mask as the subject is told of it; the case file's format (`Batch.to_dict`) and ``mask``."""
    if batch.values.size > _MOST_VALUES:
        return None
    shown = batch.mask if mask is None else mask
    return {**batch.to_dict(), "mask": [[bool(step) for step in row] for row in shown]}


def _numbers(array: np.ndarray) -> list[Any]:
    """A matrix or vector as JSON can hold it."""
    if array.ndim == 1:
        return [jsonable(float(value)) for value in array]
    return [_numbers(row) for row in array]


def _known_only(array: np.ndarray) -> list[list[Any]]:
    """A matrix in which NaN says that nothing was measured: None there."""
    return [[_known(float(value)) for value in row] for row in array]


def _window(size: int, center: int, width: int) -> np.ndarray:
    start = int(np.clip(center - width // 2, 0, max(0, size - width)))
    return np.arange(start, min(size, start + width))


def _chosen(scene: Scene) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows and columns of the Jacobian that are kept, and whether that is all of them."""
    y_size, x_size = scene.problem.outputs.size, scene.problem.x.size
    if y_size <= _MOST_ROWS and x_size <= _MOST_COLUMNS and y_size * x_size <= _MOST_ENTRIES:
        return np.arange(y_size), np.arange(x_size), True
    row, column = scene.finding.place or (0, None)
    rows = _window(y_size, row, min(y_size, _BLOCK_ROWS))
    return rows, _window(x_size, column or 0, min(x_size, _BLOCK_COLUMNS)), False


def _jacobian(scene: Scene) -> dict[str, Any]:
    """Theoretical and numerical Jacobian, bound and status, in the mode itself: all of it, or the part that matters."""
    problem, x = scene.problem, scene.problem.x
    run = scene.execution()
    rows, columns, whole = _chosen(scene)
    unit = np.zeros((rows.size, problem.outputs.size))
    unit[np.arange(rows.size), rows] = 1.0
    pulled = run.pullback(x, unit)
    theoretical = pulled[:, columns]
    none = _none_columns(problem, run, columns)
    numerical = np.full(theoretical.shape, np.nan)
    bound, left, right = numerical.copy(), numerical.copy(), numerical.copy()
    status = np.full(theoretical.shape, "NOT_MEASURED", dtype=object)
    finite = np.isfinite(x[columns])  # NaN in the padding cannot be moved
    if finite.any():
        wide = run if scene.twin is None else scene.execution(scene.twin)
        exact = pulled if scene.twin is None else wide.pullback(x, unit)
        judgement = _judged(scene, wide, exact, rows, columns[finite])
        judgement = by_width(wide, judgement, exact[:, columns[finite]], rows, columns[finite])
        numerical[:, finite] = judgement.numerical.T
        bound[:, finite] = judgement.bound.T
        left[:, finite], right[:, finite] = judgement.left.T, judgement.right.T
        status[:, finite] = [[Status(int(code)).name for code in row] for row in judgement.status.T]
    return {
        "shape": [problem.outputs.size, x.size],
        "rows": rows.tolist(),
        "columns": columns.tolist(),
        "whole": whole,
        "theoretical": _numbers(theoretical),
        "numerical": _numbers(numerical),
        "bound": _numbers(bound),
        "left": _known_only(left),
        "right": _known_only(right),
        "status": status.tolist(),
        "none": none,
        "worst": _worst(scene),
    }


def _judged(
    scene: Scene, run: Execution, pulled: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> numerics.Judgement:
    """Entries beside the exact derivative, or where there is none beside measured slopes.

    Args:
        scene: the mode.
        run: the problem in it, or its twin.
        pulled: rows of the theoretical Jacobian ``[len(rows), x_size]``.
        rows, columns: the entries.
    """
    problem, x = run.problem, run.problem.x
    eps = 2.0**-52 if scene.twin is not None else _eps(scene.problem)
    reference = reference_of(problem, columns) if scene.result.engine == "exact" or scene.twin is not None else ""
    if not isinstance(reference, Reference):
        return numerics.compare(
            _moving(run, x, columns, rows), x[columns], pulled[:, columns].T, eps=eps, **scene.options
        )
    jacobian = np.zeros((problem.outputs.size, x.size))
    jacobian[rows] = pulled
    return judge_entries(
        reference, jacobian, run.evaluate(x[None])[0], rows=rows, columns=columns,
        eps=np.full(problem.outputs.size, eps), tolerance=Tolerance(**scene.options),
    )  # fmt: skip


def _worst(scene: Scene) -> list[int] | None:
    place = scene.finding.place
    return None if place is None or place[1] is None else [int(place[0]), int(place[1])]


def _none_columns(problem: Problem, run: Execution, columns: np.ndarray) -> list[int]:
    """Those columns whose gradient is None rather than zero."""
    inputs = problem.plan.inputs
    return [int(column) for column in columns if inputs.block_of(int(column)) in run.none_gradients]


def _eps(problem: Problem) -> float:
    blocks = [*problem.plan.inputs.blocks, *problem.outputs.blocks]
    return max((eps_of(block.dtype) for block in blocks), default=2.0**-52)


def _moving(run: Execution, x: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def evaluate(parts: np.ndarray) -> np.ndarray:
        points = np.repeat(x[None], len(parts), axis=0)
        points[:, columns] = parts
        return run.evaluate(points)[:, rows]

    return evaluate


# -- along the failing entry ---------------------------------------------------------------------------------


def _entry_place(scene: Scene, jacobian: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Which output to plot over which input: the worst entry, or the input that moves a wrong output the most."""
    place = scene.finding.place
    if place is None:
        return None
    row, column = place
    if column is not None:
        return row, column
    if jacobian is None or row not in jacobian["rows"]:
        return None
    number = jacobian["rows"].index(row)
    sizes = [
        max((abs(float(value)) for value in pair if np.isfinite(float(value))), default=0.0)
        for pair in zip(jacobian["theoretical"][number], jacobian["numerical"][number], strict=True)
    ]
    if not sizes:
        return None
    return row, int(jacobian["columns"][int(np.argmax(sizes))])


def _slope(scene: Scene, jacobian: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The output as a function of how far the input is moved: ``g(t)``, with ``t`` 0 at the batch itself."""
    place = _entry_place(scene, jacobian)
    if place is None or not np.isfinite(scene.problem.x[place[1]]):
        return None
    row, column = place
    problem = scene.problem
    run = scene.execution(scene.twin) if scene.twin is not None else scene.execution()
    x = problem.x
    at = _moving(run, x, np.array([column]), np.array([row]))

    def g(t: np.ndarray) -> np.ndarray:
        return at((x[column] + t)[:, None])[:, 0]

    entry = scene.result.entry
    theoretical = None if entry is None else entry.theoretical
    numerical = None if entry is None else entry.numerical
    left = None if entry is None else entry.left
    right = None if entry is None else entry.right
    if jacobian is not None and row in jacobian["rows"] and column in jacobian["columns"]:
        i, j = jacobian["rows"].index(row), jacobian["columns"].index(column)
        if entry is None:
            theoretical = float(jacobian["theoretical"][i][j])
        if numerical is None:
            numerical = float(jacobian["numerical"][i][j])
        if left is None or right is None:
            left, right = (_float(jacobian[side][i][j]) for side in ("left", "right"))
    reach = _reach(g, float(x[column]), 0.0 if theoretical is None else theoretical, numerical, left, right)
    t = np.linspace(-reach, reach, _POINTS)
    values = g(t)
    other = None
    if scene.result.verdict is Verdict.DISAGREEMENT and scene.result.mode != "eager" and not scene.result.rule:
        eager = _moving(EagerExecution(problem), x, np.array([column]), np.array([row]))
        other = {"label": "in eager mode", "g": _numbers(eager((x[column] + t)[:, None])[:, 0])}
    return {
        "output": row,
        "input": column,
        "at": jsonable(float(x[column])),
        "reach": reach,
        "t": t.tolist(),
        "g": _numbers(values),
        "theoretical": jsonable(theoretical),
        "numerical": _known(numerical),
        "left": _known(left),
        "right": _known(right),
        "other": other,
        "twin": scene.twin is not None,
    }


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _known(value: float | None) -> float | str | None:
    return None if value is None or np.isnan(value) else jsonable(float(value))


def _reach(
    g: Callable[[np.ndarray], np.ndarray],
    at: float,
    theoretical: float,
    numerical: float | None,
    left: float | None,
    right: float | None,
) -> float:
    """How far to go to either side so that a wrong slope, or a corner, is plain to see.

    The farthest at which the function still follows its own two slopes more closely than these differ from the
    gradient (or, at a corner, from each other). An eighth of the input's size where there is nothing to compare.
    """
    largest = 0.5 * max(1.0, abs(at))
    usual = largest / 4
    below = left if left is not None and np.isfinite(left) else numerical
    above = right if right is not None and np.isfinite(right) else numerical
    if below is None or above is None or not np.isfinite([below, above, theoretical]).all():
        return usual
    difference = max(abs(above - below), abs(theoretical - below), abs(theoretical - above))
    if difference == 0:
        return usual
    reaches = largest * 2.0 ** -np.arange(_REACHES)
    values = g(np.concatenate([np.zeros(1), reaches, -reaches]))
    center, plus, minus = values[0], values[1 : 1 + _REACHES], values[1 + _REACHES :]
    departure = np.maximum(np.abs(plus - center - above * reaches), np.abs(minus - center + below * reaches))
    clear = np.isfinite(departure) & (departure <= _CURVED * difference * reaches)
    # Below this the rounding of g itself is what one would see.
    clear &= difference * reaches > 1e3 * 2.0**-52 * max(abs(center), 1e-300)
    return float(reaches[np.argmax(clear)]) if clear.any() else usual


# -- two calls that should agree -----------------------------------------------------------------------------


def _compared(scene: Scene) -> dict[str, Any] | None:
    """Outputs of two calls that should be equal, beside each other."""
    verdict = scene.result.verdict
    problem = scene.problem
    rows = np.arange(problem.outputs.size)
    if verdict is Verdict.DISAGREEMENT and scene.eager_outputs is not None:
        labels = ("in this mode", "in eager mode")
        first, second = scene.execution().forward(problem.x), scene.eager_outputs
    elif verdict is Verdict.NONDETERMINISTIC:
        run = scene.execution()
        labels = ("first call", "second call")
        first, second = run.forward(problem.x), run.forward(problem.x)
    elif scene.finding.other is not None and scene.result.rule in BY_DEFAULT:  # others move rows or leave them out
        batch, other = problem.batch, scene.finding.other
        assert batch is not None
        assert other.batch is not None
        labels = ("before the change", "after the change")
        run = EagerExecution(other) if scene.result.mode == "eager" else scene.execution(other)
        _, outputs, _ = EagerExecution(other).observe(other.x)
        other.outputs = outputs
        first, second = scene.execution().forward(problem.x), run.forward(other.x)
        style = problem.subject.style
        mine, theirs = steps_mask(batch, style), steps_mask(other.batch, style)
        if mine is None or theirs is None:
            return None
        rows = np.flatnonzero(valid_outputs(problem.outputs, mine, batch.padding.side))
        there = np.flatnonzero(valid_outputs(outputs, theirs, other.batch.padding.side))
        if rows.size != there.size:
            return None
        first, second = first[rows], second[there]
    else:
        return None
    if first.size != second.size:
        return None
    worst = None if scene.finding.place is None else scene.finding.place[0]
    if rows.size > _MOST_OUTPUTS:
        center = int(np.searchsorted(rows, worst)) if worst is not None else 0
        kept = _window(rows.size, center, _MOST_OUTPUTS)
        rows, first, second = rows[kept], first[kept], second[kept]
    return {
        "labels": list(labels),
        "places": rows.tolist(),
        "first": _numbers(first),
        "second": _numbers(second),
        "worst": worst,
        "whole": bool(rows.size <= _MOST_OUTPUTS),
    }
