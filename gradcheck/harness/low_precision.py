"""A subject in low precision: its float64 twin against measured slopes, then its own gradient against the twin's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.findings import Finding, kinked, undecided, wrong
from gradcheck.engines.exact import Reference, reference_of
from gradcheck.engines.jacobians import Examination, rounding, theoretical_jacobian
from gradcheck.execution.float64_twin import widened_names
from gradcheck.execution.modes import Execution, OneByOne, execution
from gradcheck.graph.constants import with_rounded_constants
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.confirming import confirmed
from gradcheck.harness.entries import as_interpreted, measured, with_reference
from gradcheck.numerics import Status, noise_points
from gradcheck.numerics.precision import eps_of
from gradcheck.numerics.tolerance import (
    FEW_BITS,
    LARGE,
    gradient_bound,
    lost_below,
    noise_ratio,
    output_terms,
    squares_bound,
)
from gradcheck.records.reasons import Reason
from gradcheck.records.results import Entry
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["through_twin"]

# Points nearby at which a low-precision gradient must be off the same way before it counts as wrong.
_NEARBY = 16

# A gradient that is off by no more than so many times what the output is off has the output's constants.
_SHARED = 2.0

# Roundings of its terms that an output may differ by from the twin's.
_OUTPUT_ROUNDINGS = 16.0


def through_twin(baseline: Baseline, run: Execution, jacobian: np.ndarray) -> tuple[Examination, Finding]:
    """Judge a mode whose float64 twin is known.

    Args:
        baseline: with a ``twin``.
        run: the low-precision problem in a mode.
        jacobian: its theoretical Jacobian ``[y_size, x_size]``.

    Returns:
        The twin's judgement beside the mode's own outputs, noise and Jacobian; and what it came to.
    """
    assert baseline.twin is not None
    x, columns, eps = baseline.problem.x, baseline.columns, baseline.eps
    wide = _twin_execution(baseline, run)
    precise = theoretical_jacobian(wide, x).jacobian
    exact = np.full(eps.size, 2.0**-52)
    reference = reference_of(baseline.twin, columns)
    center = wide.evaluate(x[None])[0]
    if isinstance(reference, Reference) and as_interpreted(baseline, reference, center):
        found = with_reference(baseline, reference, wide, precise, center, exact)
    else:
        found = measured(baseline, wide, precise, exact)
    resolution = None if np.isnan(found.judgement.resolution) else float(found.judgement.resolution)
    finding = wrong(wide, found) or undecided(wide, found) or kinked(wide, found)
    finding = finding or Finding(Verdict.PASS, resolution=resolution)
    if finding.verdict in (Verdict.MISMATCH, Verdict.DISCONNECTED):
        note = "measured on the float64 twin: the same computation with float64 inputs and weights"
        finding = replace(confirmed(wide, x, finding), notes=(*finding.notes, note))
    values = run.evaluate(np.concatenate([x[None], noise_points(x, eps=float(eps.max()))]))
    rounded = rounding(values, eps)
    own = replace(
        found,
        center=values[0],
        jacobian=jacobian,
        noise=rounded.noise,
        eps=rounded.eps,
        grainy=found.grainy or rounded.grainy,
    )
    if finding.verdict.fails:
        return own, finding
    differs, unseen = _against_twin(baseline, run, wide, own, found.center, precise)
    if differs is not None:
        return own, differs
    if finding.resolution is not None:
        finding = replace(finding, resolution=max(finding.resolution, unseen))
        judgement = own.judgement
        own = replace(own, judgement=replace(judgement, resolution=max(judgement.resolution, unseen)))
    return own, finding


def _twin_execution(baseline: Baseline, run: Execution) -> Execution:
    """The float64 twin in the mode of an execution."""
    assert baseline.twin is not None
    inner = execution(baseline.twin, run.mode)
    return OneByOne(inner) if isinstance(run, OneByOne) else inner


def _against_twin(
    baseline: Baseline, run: Execution, wide: Execution, own: Examination, center: np.ndarray, precise: np.ndarray
) -> tuple[Finding | None, float]:
    """The low-precision gradient beside the float64 one, on the same inputs: only rounding may differ.

    Returns what was found, and the smallest difference that would have been, as a part of the gradient's size.

    ``center`` are the twin's outputs, and ``precise`` is its Jacobian. An output that is another one there says nothing
    about its gradient: what was lost on the way to it, as beside the -1e9 of a mask, the gradient need not have lost.
    That, and what roundings of large terms that cancel explain, is left undecided.
    """
    rows, columns, eps = own.rows, own.columns, baseline.eps
    mine, theirs = own.jacobian[np.ix_(rows, columns)], precise[np.ix_(rows, columns)]
    if not np.isfinite(mine).all():
        return None, 0.0  # NONFINITE, which says more
    ratio = noise_ratio(own.center, own.noise, eps)
    # Entries of an output share its terms.
    from_output = output_terms(np.eye(rows.size), own.center[rows], baseline.x[columns])
    size = np.abs(theirs)
    row_size = size.max(axis=1, initial=0.0)
    # What cancels inside the function, as 1 - y² where y is nearly 1, is lost at the size of an ordinary entry.
    ordinary = float(np.median(row_size[row_size > 0])) if row_size.any() else 0.0
    terms = np.maximum(np.maximum(row_size[:, None], from_output), min(1.0, ordinary))
    gross = gradient_bound(size + from_output, ratio, 1.0) * eps[rows][:, None]
    allowed = np.minimum(gross, np.array([_systematic_part(level) for level in eps[rows]])[:, None] * ratio * terms)
    smooth = own.judgement.status.T == Status.PASS
    allowed += lost_below(size + from_output, eps[rows][:, None])
    rtol, atol = (baseline.options.tolerance.get(name) for name in ("rtol", "atol"))
    given = rtol is not None or atol is not None
    if given:  # a caller's own tolerance holds
        allowed = (atol or 0.0) + (rtol or 0.0) * size
    scale = np.maximum(row_size, min(1.0, ordinary or 1.0))[:, None]
    unseen = float((allowed / scale)[smooth].max(initial=0.0))
    beyond = smooth & ~(np.abs(mine - theirs) <= allowed)
    if not beyond.any():
        return None, unseen
    lost = _other_outputs(baseline, own, center, theirs, ratio, eps)
    told = beyond & ~lost[:, None]
    # What padding holds may be as large as numbers are: inputs without a gradient have no say.
    counts = baseline.x[columns][((mine != 0) | (theirs != 0)).any(axis=0)]
    squares = squares_bound(terms, counts, eps[rows][:, None])
    if float(eps.max()) > FEW_BITS:
        # One rounding of a score that is such a square, as where a softmax of bfloat16 comes to exactly 1.
        # `squares_bound` has those of larger inputs.
        square = min(float(np.abs(counts[np.isfinite(counts)]).max(initial=0.0)), LARGE) ** 2
        squares = np.maximum(squares, square * eps[rows][:, None] * row_size.max(initial=0.0))
    told &= ~(np.abs(mine - theirs) <= squares)
    chosen = told if told.any() else beyond
    i, j = np.unravel_index(int(np.argmax(np.where(chosen, np.abs(mine - theirs) / allowed, 0.0))), beyond.shape)
    row, column = int(rows[i]), int(columns[j])
    outputs, inputs = baseline.problem.outputs, baseline.problem.plan.inputs
    low = widened_names([*inputs.blocks, *outputs.blocks])
    entry = Entry(
        outputs.describe(row), inputs.describe(column), float(mine[i, j]), float(theirs[i, j]),
        float(allowed[i, j]), index=(row, column),
    )  # fmt: skip
    if not given and (
        not _systematic(baseline, run, wide, row, column, float(eps[row]) * ratio)
        or _of_rounded_constants(wide, baseline.problem.x, row, column, float(mine[i, j]), float(allowed[i, j]), low)
    ):
        return None, max(unseen, float((np.abs(mine - theirs) / scale)[beyond].max()))
    of = f"({int(chosen.sum())} of {beyond.size} entries)"
    finding = Finding(Verdict.UNRESOLVED, entry=entry, place=(row, column), reasons=(Reason.LOW_PRECISION,))
    if told.any():
        cause = sentences.low_precision(entry, low, of, given=given)
        return replace(finding, verdict=Verdict.MISMATCH, cause=cause), unseen
    if lost[i]:
        cause = sentences.lost_in_low_precision(entry, low, of, (own.center[row], center[row]))
    else:
        cause = sentences.squares_lost(entry, low, of, float(np.abs(counts).max()))
    return replace(finding, cause=cause), unseen


def _other_outputs(
    baseline: Baseline, own: Examination, center: np.ndarray, precise: np.ndarray, ratio: float, eps: np.ndarray
) -> np.ndarray:
    """Outputs that count ``[m]`` and are further from where nothing is lost (``center``) than rounding explains."""
    rows = own.rows
    made_of = np.abs(center[rows]) + np.abs(precise) @ np.abs(baseline.x[own.columns])
    allowed = _OUTPUT_ROUNDINGS * ratio * eps[rows] * made_of
    return np.asarray(~(np.abs(own.center - center)[rows] <= allowed))


def _systematic_part(eps: float) -> float:
    """How large an error that does not scatter must be to count, as a part of its terms.

    A constant that a layer holds in low precision is off by up to half of ``eps``, the same way at every point. In
    bfloat16 that leaves 0.9 %, in float16 0.4 %; in float32 approximations of single functions, good to a few ``eps``,
    count too.
    """
    return max(1.2 * eps, min(32.0 * eps, 2.0**-8))


def _systematic(baseline: Baseline, run: Execution, wide: Execution, row: int, column: int, level: float) -> bool:
    """Whether a low-precision gradient is off by the same part at points nearby, and the output is not.

    Rounding errors scatter, and change their sign. A constant that the subject holds in low precision is off everywhere
    by as much, in the output as well as in its gradient. ``level`` is the size of one rounding error.
    """
    columns = baseline.columns
    cotangent = np.zeros((1, baseline.problem.outputs.size))
    cotangent[0, row] = 1.0
    parts = []
    # Both must be given the same point, so one that the lower precision can hold.
    points = baseline.held_exactly(_NEARBY)
    for number, point in enumerate(points):
        low, high = run.pullback(point, cotangent)[0], wide.pullback(point, cotangent)[0]
        if number == 0:
            size = float(np.abs(high[columns]).max(initial=0.0))
            # A gradient of 0 made of terms that cancel is as wrong as these are rounded.
            size = size if size > float(baseline.eps[row]) else 1.0
        parts.append((low[column] - high[column]) / size)
    error = np.array(parts)
    if not np.isfinite(error).all():
        return False
    mean, certain = _bias(error)
    if not (certain and mean > 0.5 * level):
        return False
    outputs = np.array([(run.forward(point)[row], wide.forward(point)[row]) for point in points])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        off, shared = _bias((outputs[:, 0] - outputs[:, 1]) / np.abs(outputs[:, 1]).max())
    return not (shared and _SHARED * off >= mean)


def _of_rounded_constants(
    wide: Execution, x: np.ndarray, row: int, column: int, mine: float, allowed: float, low: str
) -> bool:
    """Whether a low-precision gradient is what float64 gives with constants as the low precision holds them.

    Args:
        wide: the float64 twin in a mode.
        x: the point.
        row, column: the entry.
        mine: its low-precision value.
        allowed: how far the two may lie apart.
        low: names of the low-precision dtypes, with commas.
    """
    arguments = sum(block.size for block in wide.problem.plan.inputs.blocks[: wide.problem.plan.input_count])
    coarsest = max(low.split(", "), key=eps_of)
    rounded = with_rounded_constants(wide.problem, coarsest) if column < arguments else None
    if rounded is None:
        return False
    cotangent = np.zeros((1, rounded.outputs.size))
    cotangent[0, row] = 1.0
    try:
        theirs = float(execution(rounded, "graph").pullback(x, cotangent)[0, column])
    except Exception:  # what does not run says nothing
        return False
    return abs(mine - theirs) <= allowed


def _bias(error: np.ndarray) -> tuple[float, bool]:
    """The size of the mean of some errors, and whether it is none of chance; not where they are not finite."""
    mean, scatter = abs(float(error.mean())), float(error.std()) / np.sqrt(len(error))
    return mean, bool(mean > 5 * scatter and abs(np.sign(error).sum()) >= 0.8 * len(error))
