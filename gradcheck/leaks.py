"""Whether a mode keeps the rule about padding of `gradcheck.padding`: three looks, the cheapest first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcheck.agreement import gradient_bound, noise_ratio, output_bound
from gradcheck.engines.jacobians import Examination, random_weights
from gradcheck.findings import Finding
from gradcheck.layout import Layout
from gradcheck.modes import EagerExecution, Execution, OneByOne, execution
from gradcheck.padding import valid_inputs, valid_outputs
from gradcheck.problem import Problem
from gradcheck.rendering.causes import cause_of
from gradcheck.report import Entry
from gradcheck.strategies import Batch
from gradcheck.verdicts import Verdict

__all__ = ["find_leak"]

# Random combinations of the valid outputs whose gradients are compared.
_COTANGENTS = 2


def find_leak(
    run: Execution,
    problem: Problem,
    found: Examination,
    *,
    mask: np.ndarray,
    side: str,
    eps: np.ndarray,
    refill: tuple[Batch, str] | None,
    extend: tuple[Batch, str] | None,
    rebind: Callable[[Batch], Problem],
) -> Finding | None:
    """A ``PADDING_LEAK``, or None.

    Args:
        run: the problem in a mode.
        problem: the problem.
        found: the engine's examination of it, its Jacobian verified or equal to a verified one.
        mask: valid steps ``[batch, time]`` as the subject is told of them.
        side: of the padding.
        eps: machine epsilon of each output.
        refill: the batch with other content in its padding, and what was changed in words.
        extend: the batch with more padding, likewise.
        rebind: makes a problem of another batch.
    """
    rows = valid_outputs(problem.outputs, mask, side)
    columns = valid_inputs(problem.plan, mask)
    compared = _Compared(run, problem, found, rows, columns, eps)
    leak = _gradient_at_padding(compared, None if refill is None else refill[0])
    if leak is None and refill is not None:
        leak = compared.with_other(rebind(refill[0]), refill[1], rows, columns, problem.outputs)
    if leak is None and extend is not None:
        other = rebind(extend[0])
        leak = _with_more_padding(compared, other, extend[1], mask, side)
    return leak


def _gradient_at_padding(compared: _Compared, refilled: Batch | None) -> Finding | None:
    """The gradient of valid outputs at padded inputs is zero."""
    rows, columns = np.flatnonzero(compared.rows), np.flatnonzero(~compared.columns)
    if not rows.size or not columns.size:
        return None
    jacobian = compared.found.jacobian[rows]
    at_padding = jacobian[:, columns]
    size = np.abs(np.where(np.isfinite(jacobian), jacobian, 0.0)).max(axis=1, keepdims=True)
    level = float(compared.eps.max(initial=2.0**-52))
    with np.errstate(invalid="ignore"):
        beyond = ~(np.abs(at_padding) <= 64 * level * size)
    if not beyond.any():
        return None
    i, j = np.unravel_index(
        int(np.argmax(np.where(np.isfinite(at_padding), np.abs(at_padding), np.inf) * beyond)), beyond.shape
    )
    row, column = int(rows[i]), int(columns[j])
    inputs, outputs = compared.problem.plan.inputs, compared.problem.outputs
    value = float(at_padding[i, j])
    cause = (
        f"{outputs.describe(row)} depends on {inputs.describe(column)}, which is padding: its gradient there is "
        f"{value:.6g} and should be 0 ({int(beyond.sum())} of {beyond.size} such entries)"
    )
    entry = Entry(outputs.describe(row), inputs.describe(column), value, None, index=(row, column))
    return Finding(Verdict.PADDING_LEAK, cause, entry, place=(row, column), other=refilled)


class _Compared:
    """A verified problem, and how another one that should give the same results compares."""

    def __init__(
        self,
        run: Execution,
        problem: Problem,
        found: Examination,
        rows: np.ndarray,
        columns: np.ndarray,
        eps: np.ndarray,
    ) -> None:
        self.run, self.problem, self.found = run, problem, found
        self.rows, self.columns, self.eps = rows, columns, eps
        count = int(rows.sum())
        self.weights = random_weights(np.random.default_rng(0), _COTANGENTS, count, np.arange(count))

    def executed(self, other: Problem) -> Execution:
        run = execution(other, self.run.mode)
        return OneByOne(run) if isinstance(self.run, OneByOne) else run

    def with_other(
        self, other: Problem, changed: str, rows: np.ndarray, columns: np.ndarray, outputs: Layout
    ) -> Finding | None:
        """Compare valid outputs and their gradients with those of another problem; ``rows`` and ``columns`` are its."""
        other.outputs = outputs
        run = self.executed(other)
        layout = self.problem.outputs
        try:
            center = run.evaluate(other.x[None])[0]
        except Exception as error:
            cause = f"{changed}, and the subject raises: {cause_of(error, run.mode)}"
            return Finding(Verdict.PADDING_LEAK, cause, changed=changed, other=other.batch)
        mine, theirs = self.found.center[self.rows], center[rows]
        bound = output_bound(self.found.center, self.found.noise, self.eps)[self.rows]
        with np.errstate(invalid="ignore"):
            beyond = ~((mine == theirs) | (np.abs(mine - theirs) <= bound))
        if beyond.any():
            difference = np.where(np.isfinite(theirs), np.abs(mine - theirs), np.inf) * beyond
            place = int(np.argmax(difference))
            row = int(np.flatnonzero(self.rows)[place])
            cause = (
                f"{changed}, and {layout.describe(row)} went from {mine[place]:.9g} to {theirs[place]:.9g} "
                f"({int(beyond.sum())} of {beyond.size} valid outputs changed)"
            )
            return Finding(Verdict.PADDING_LEAK, cause, changed=changed, place=(row, None), other=other.batch)
        return self._gradients(run, other, changed, rows, columns)

    def _gradients(
        self, run: Execution, other: Problem, changed: str, rows: np.ndarray, columns: np.ndarray
    ) -> Finding | None:
        # TensorFlow 2.8 compiles the gradient of a recurrent layer anew for every batch under XLA; there the
        # outputs above must do, and the other modes look at the gradients.
        if not self.weights.size or run.mode == "xla":
            return None
        cotangents = np.zeros((_COTANGENTS, rows.size))
        cotangents[:, rows] = self.weights
        theirs = run.pullback(other.x, cotangents)[:, columns]
        jacobian = self.found.jacobian[np.ix_(self.rows, self.columns)]
        mine = self.weights @ jacobian
        terms = np.abs(self.weights) @ np.abs(jacobian)
        ratio = noise_ratio(self.found.center, self.found.noise, self.eps)
        allowed = gradient_bound(terms, ratio, float(self.eps.max(initial=2.0**-52)))
        with np.errstate(invalid="ignore"):
            beyond = ~(np.abs(mine - theirs) <= allowed)
        if not beyond.any():
            return None
        k, j = (int(n[0]) for n in np.nonzero(beyond))
        column = int(np.flatnonzero(self.columns)[j])
        cause = (
            f"{changed}, and the gradient of the valid outputs w.r.t. {self.problem.plan.inputs.describe(column)} went "
            f"from {mine[k, j]:.9g} to {theirs[k, j]:.9g}"
        )
        return Finding(Verdict.PADDING_LEAK, cause, changed=changed, other=other.batch)


def _with_more_padding(
    compared: _Compared, other: Problem, changed: str, mask: np.ndarray, side: str
) -> Finding | None:
    assert other.batch is not None
    extra = other.batch.time - mask.shape[1]
    more = np.pad(mask, ((0, 0), (0, extra) if side == "post" else (extra, 0)))
    try:
        _, outputs, _ = EagerExecution(other).observe(other.x)
    except Exception:
        return None  # a subject for one fixed number of steps; nothing can be said of the amount
    rows = valid_outputs(outputs, more, side)
    if int(rows.sum()) != int(compared.rows.sum()):
        return None  # the outputs do not correspond one to one, as where steps are flattened into features
    return compared.with_other(other, changed, rows, valid_inputs(other.plan, more), outputs)
