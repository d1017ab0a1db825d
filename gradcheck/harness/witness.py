"""The mode that was measured entry by entry, and whether another mode does what it does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from gradcheck.agreement import combinations, gradient_bound, noise_ratio, output_bound, output_terms
from gradcheck.engines.jacobians import Examination
from gradcheck.findings import Finding
from gradcheck.harness.baseline import Baseline, close
from gradcheck.modes import Execution
from gradcheck.numerics import Status

__all__ = ["Agreement", "Witness", "Witnesses", "agreement", "unsettled"]

# How many entries of Jacobians a subject keeps of the examples that were verified, some 50 bytes each, and how large a
# Jacobian is worth keeping.
_MOST_ENTRIES = 1 << 21
_MOST_REMEMBERED = 1 << 16


@dataclass(frozen=True)
class Witness:
    """A mode that was measured entry by entry, and was not projected.

    Attributes:
        finding: what it came to.
        found: its examination.
        nearby: its outputs at the point that `Baseline.nearby` gives.
        none_gradients: numbers of the input blocks whose gradient is None.
    """

    finding: Finding
    found: Examination
    nearby: np.ndarray
    none_gradients: frozenset[int]


class Witnesses:
    """The witness of a check, and those that its subject keeps: what one mode verified is met again in the others.

    Where the caller named an engine every mode is measured by it, and there is no witness.

    Attributes:
        current: the witness of this check, or None as long as there is none: a mode in which nothing failed.
        suspect: a compiled mode whose gradient is wrong, or None. Its slopes are right, for what computes the same.
    """

    def __init__(self, baseline: Baseline) -> None:
        self._kept = baseline.subject.witnesses
        self._search = baseline.subject.searches
        self._shared = baseline.options.engine is None
        self._key = _digest(baseline)
        self.current: Witness | None = None
        if self._shared and self._key in self._kept:
            self.current = self._kept.pop(self._key)[1]
            self._kept[self._key] = (self._search, self.current)  # behind those that were met before
        self.suspect: Witness | None = None

    def remember(self, witness: Witness) -> None:
        """Make it the witness of this check, and keep it for later ones on the same numbers.

        What an earlier search met makes room, the oldest first. What this one met does not: every mode of a search
        meets the examples in the same order, so none would find again what is dropped oldest first.
        """
        if not self._shared:
            return
        self.current = witness
        size = witness.found.jacobian.size
        if size > _MOST_REMEMBERED:
            return
        held = sum(kept.found.jacobian.size for _, kept in self._kept.values())
        while held + size > _MOST_ENTRIES:
            oldest = next(iter(self._kept))
            search, dropped = self._kept[oldest]
            if search == self._search:
                return
            held -= dropped.found.jacobian.size
            del self._kept[oldest]
        self._kept[self._key] = (self._search, witness)


def _digest(baseline: Baseline) -> bytes:
    """Identifies the numbers of a problem and how they are checked."""
    problem, options = baseline.problem, baseline.options
    digest = hashlib.blake2b(
        repr((options.wrt, options.order, options.tolerance, problem.plan.inputs.signature())).encode()
    )
    digest.update(problem.x.tobytes())
    for constant in problem.constants:
        digest.update(constant.numpy().tobytes())
    return digest.digest()


@dataclass(frozen=True)
class Agreement:
    """How a mode compares with the witness: its outputs here and nearby, and its gradient."""

    outputs: bool = False
    gradient: bool = False


def agreement(baseline: Baseline, run: Execution, witness: Witness) -> Agreement:
    """Whether outputs here and nearby, and random combinations of gradient rows, equal the witness's.

    Every weight of a combination has size 0.5 … 1.5 and a random sign, so that a single wrong entry shows in each of
    them with at least half its error; for many wrong entries see `gradcheck.agreement.combinations`.
    """
    found, rows, columns = witness.found, baseline.rows, baseline.columns
    outputs, eps = baseline.problem.outputs, found.eps
    if found.center.size != outputs.size:
        return Agreement()
    jacobian = found.jacobian[np.ix_(rows, columns)]
    if not np.isfinite(jacobian).all():
        return Agreement()
    if witness.nearby.size != found.center.size:
        return Agreement()
    x = baseline.problem.x
    count = combinations(eps)
    cotangents = baseline.cotangents(count)
    weights = cotangents[:, rows]
    if run.mode == "eager":
        # A backward pass that is not needed costs as much there as one that is.
        assert baseline.outputs is not None
        ours = [baseline.outputs, *([run.forward(baseline.nearby())] if baseline.in_full else [])]
        known = baseline.pulled
        if known is not None and np.array_equal(known.cotangents, cotangents):
            pulled, run.none_gradients = known.gradients, known.none_gradients
        else:
            pulled = run.pullback(x, cotangents)
    else:
        points = np.stack([*[x] * count, baseline.nearby()])
        values, pulled = run.linearize(points, np.concatenate([cotangents, np.zeros((1, outputs.size))]))
        ours, pulled = [values[0], values[count]], pulled[:count]
    # An output that is 0 here has no rounding errors, but those of its value nearby.
    with np.errstate(invalid="ignore"):
        bound = output_bound(np.fmax(np.abs(found.center), np.abs(witness.nearby)), found.noise, eps)[rows]
    for mine, other in zip(ours, (found.center, witness.nearby), strict=False):
        if mine.size != other.size or not close(mine[rows], other[rows], bound):
            return Agreement()
    if run.none_gradients != witness.none_gradients:
        return Agreement(outputs=True)
    ratio = noise_ratio(found.center, found.noise, eps)
    terms = np.abs(weights) @ np.abs(jacobian) + output_terms(np.abs(weights), found.center[rows], x[columns])
    allowed = gradient_bound(terms, ratio, float(eps.max(initial=2.0**-52)))
    same = (np.abs(pulled[:, columns] - weights @ jacobian) <= allowed).all()
    return Agreement(outputs=True, gradient=bool(same))


def unsettled(witness: Witness, jacobian: np.ndarray) -> np.ndarray:
    """Inputs at which another theoretical Jacobian of the same function is not settled by the witness's slopes.

    Args:
        witness: the witness, whose outputs the mode shares here and nearby.
        jacobian: the mode's own, ``[y_size, x_size]``.
    """
    judgement, rows, columns = witness.found.judgement, witness.found.rows, witness.found.columns
    with np.errstate(invalid="ignore"):
        settled = np.abs(jacobian[np.ix_(rows, columns)].T - judgement.numerical) <= judgement.bound
    settled &= judgement.status == Status.PASS
    return np.asarray(columns[~settled.all(axis=1)])
