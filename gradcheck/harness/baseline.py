"""A subject bound to its arguments, what eager mode showed of it, and which entries count."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.engines.exact import Reference
from gradcheck.engines.jacobians import FAINT, random_weights
from gradcheck.harness.options import Options
from gradcheck.numerics.precision import eps_of
from gradcheck.numerics.tolerance import combinations
from gradcheck.strategies import Batch
from gradcheck.subject.adapter import Subject
from gradcheck.subject.problem import Problem
from gradcheck.subject.valid import steps_mask, valid_inputs, valid_outputs
from gradcheck.support.patience import TooLongError

__all__ = ["NEARBY", "Baseline", "Pulled", "close", "looked_at_in_full"]

# Where `Baseline.nearby` lies, in a cause.
NEARBY = "next to this batch (every number moved by less than 1 %, or 0.01)"


@dataclass(frozen=True)
class Pulled:
    """Gradients in eager mode.

    Attributes:
        cotangents: `Baseline.passed_back`.
        gradients: what they are pulled back to ``[m, x_size]``.
        none_gradients: numbers of the input blocks whose gradient is None.
    """

    cotangents: np.ndarray
    gradients: np.ndarray
    none_gradients: frozenset[int]


@dataclass
class Baseline:
    """A subject bound to its arguments, and what one eager call showed of it.

    Attributes:
        problem: the bound problem, its ``outputs`` laid out as eager mode gave them.
        options: how the check is made.
        outputs: what eager mode returned, float64 ``[y_size]``; None where it raised.
        error: what it raised.
        again: what a second call returned, where there was one and that was something else.
        twin: the problem in float64, for a subject in lower precision.
        no_twin: why there is none.
        reference: the exact derivative of the traced graph; None where there is none.
        no_reference: why there is none.
        pulled: what the last of these calls pulls back, where eager mode's turn is still to come.
        recalled: whether all this was observed for another mode of the same search.
        held: modes that did what eager mode does on this batch, and in which the invariants held.
        choices: by mode, the gradients at corners ``[y_size, x_size]``, NaN elsewhere.
    """

    problem: Problem
    options: Options
    outputs: np.ndarray | None = None
    error: Exception | TooLongError | None = None
    again: np.ndarray | None = None
    twin: Problem | None = None
    no_twin: str = ""
    reference: Reference | None = None
    no_reference: str = ""
    pulled: Pulled | None = None
    recalled: bool = False
    held: set[str] = field(default_factory=set)
    choices: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def deterministic(self) -> bool:
        """Whether no second call in eager mode returned something else."""
        return self.again is None

    @property
    def subject(self) -> Subject:
        return self.problem.subject

    @property
    def x(self) -> np.ndarray:
        """The point, float64 ``[x_size]``."""
        return self.problem.x

    @property
    def batch(self) -> Batch | None:
        return self.problem.batch

    @property
    def mask(self) -> np.ndarray | None:
        """Valid steps ``[batch, time]`` as the subject is told of them; None where it is told nothing."""
        return None if self.batch is None else steps_mask(self.batch, self.subject.style)

    @property
    def side(self) -> str:
        """Side of the padding."""
        assert self.batch is not None
        return self.batch.padding.side

    @property
    def columns(self) -> np.ndarray:
        """Inputs that are differentiated: all of them, or the valid ones where the padding holds NaN or Inf."""
        mask = self.mask
        if mask is None or np.isfinite(self.problem.x).all():
            return np.arange(self.problem.x.size)
        return np.flatnonzero(valid_inputs(self.problem.plan, mask))

    @property
    def rows(self) -> np.ndarray:
        """Outputs that count: all of them, or the valid ones where the padding holds NaN or Inf."""
        mask = self.mask
        if mask is None or np.isfinite(self.problem.x).all():
            return np.arange(self.problem.outputs.size)
        return np.flatnonzero(valid_outputs(self.problem.outputs, mask, self.side))

    @property
    def eps(self) -> np.ndarray:
        """Machine epsilon for each output: its own dtype's, or the coarsest of what it is computed from."""
        coarsest = max((eps_of(block.dtype) for block in self.problem.plan.inputs.blocks), default=2.0**-52)
        eps = [np.full(block.size, max(eps_of(block.dtype), coarsest)) for block in self.problem.outputs.blocks]
        return np.concatenate(eps) if eps else np.zeros(0)

    @property
    def seed(self) -> int:
        """Of everything random in the check: always the same for the same batch."""
        return zlib.crc32(self.problem.x.tobytes())

    def loose(self, outputs: np.ndarray) -> np.ndarray:
        """A first bound on rounding, before any noise was measured."""
        eps = self.eps if self.problem.outputs.size == outputs.size else np.full(outputs.size, 2.0**-23)
        size = np.abs(np.where(np.isfinite(outputs), outputs, 0.0))
        return np.asarray(1e4 * eps * np.maximum(size, size.max(initial=0.0)))

    def cotangents(self, count: int) -> np.ndarray:
        """Random combinations ``[count, y_size]`` of the outputs that count: always the same for the same batch."""
        return random_weights(np.random.default_rng(self.seed), count, self.problem.outputs.size, self.rows)

    def passed_back(self) -> np.ndarray:
        """What a search pulls back on this batch, as `cotangents` and of a size that varies from batch to batch.

        A backward pass that clips, or drops what is small, shows where other sizes are passed back.
        """
        return self.cotangents(combinations(self.eps)) * _SIZES[self.seed % len(_SIZES)]

    @property
    def in_full(self) -> bool:
        """Whether eager mode is run on this batch for what other modes of the search have shown of it already.

        Its outputs and its gradient are compared with theirs on every batch. A further call, nearby or with another
        padding, is one more point at which to do so: on one batch in four, where theirs on this one are all in order.
        """
        return not (self.recalled and self.held) or looked_at_in_full(self.seed)

    def nearby(self) -> np.ndarray:
        """A point close to the batch, every input that counts moved a little: always the same for the same batch."""
        x: np.ndarray = self.problem.x.copy()
        columns = self.columns
        random = np.random.default_rng(self.seed)
        x[columns] += 2.0**-7 * np.maximum(1.0, np.abs(x[columns])) * random.uniform(-1, 1, columns.size)
        return x

    def held_exactly(self, count: int, *, zeros: bool = False) -> np.ndarray:
        """The batch and points close to it that its dtypes hold exactly, ``[count, x_size]``: always the same.

        Args:
            count: how many.
            zeros: whether zeros move as well.
        """
        x, columns = self.problem.x, self.columns
        dtypes = np.concatenate([np.full(b.size, eps_of(b.dtype)) for b in self.problem.plan.inputs.blocks])[columns]
        random = np.random.default_rng(self.seed)
        points: np.ndarray = np.repeat(x[None], count, axis=0)
        for point in points[1:]:
            size = np.where(x[columns] == 0, 1.0, x[columns]) if zeros else x[columns]
            moved = x[columns] + size * 2.0**-5 * random.uniform(-1, 1, columns.size)
            unit = np.exp2(np.floor(np.log2(np.maximum(np.abs(moved), 1e-30)))) * dtypes
            point[columns] = np.round(moved / unit) * unit
        return points

    def rebound(self, args: Sequence[Any]) -> Problem:
        """The same subject, weights and state on another batch, or on other arguments."""
        plan, problem = self.problem.plan, self.problem
        other = Problem.bind(self.subject, args, wrt=self.options.wrt, variables=plan.variables, state=plan.state)
        # The variables hold the last point that was evaluated; the weights of this check are those of its own point.
        weights = problem.x[problem.x.size - sum(b.size for b in plan.inputs.blocks[plan.input_count :]) :]
        other.x[other.x.size - weights.size :] = weights
        other.state_values = problem.state_values
        return other


# Sizes of what is passed back, one for each batch. Powers of two: what is linear gives the same digits.
_SIZES = (1.0, 8.0, FAINT)

# Beyond the first batches of a search, eager mode is asked for everything on one in so many.
_IN_FULL_ONE_IN = 4


def looked_at_in_full(seed: int) -> bool:
    """Whether a batch with this seed is one of those of a search on which eager mode is asked for everything."""
    return seed % _IN_FULL_ONE_IN == 0


def close(one: np.ndarray, two: np.ndarray, bound: np.ndarray) -> bool:
    """Whether two results agree within a bound; NaN agrees with NaN."""
    if one.size != two.size:
        return False
    with np.errstate(invalid="ignore"):
        same = (one == two) | (np.isnan(one) & np.isnan(two)) | (np.abs(one - two) <= bound)
    return bool(same.all())
