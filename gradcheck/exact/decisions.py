"""What operations that decide (relu, maximum, select, sort, floor …) do where the decision is a tie.

A decision is about the sign of a jet. Off ties its value decides. At a tie there are two questions with two answers:

- *Along a direction*: which way does the function go when the point moves a little? The first Taylor coefficient that
  is not zero tells. What follows is the one-sided directional derivative, exactly: the lexicographic derivative of
  Nesterov, and of Khan and Barton (ACM Transactions on Mathematical Software 39, 2013).
- *By convention*: automatic differentiation goes through the tie with a factor that each elementary operation chooses
  (relu: between 0 and 1, abs: between -1 and 1). A gradient that some choice explains is no bug, even where it is no
  derivative of the whole (Bolte and Pauwels, Mathematical Programming 2021).

A difference within the rounding errors of the subject's own precision is a tie as well: the subject may decide
either way.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np

from gradcheck.exact.jets import Array, Jet, jet, lift

__all__ = ["Convention", "Decided", "Decisions", "Split", "TooFewTerms", "leading_sign"]


class Convention(Enum):
    """How a pass goes through ties."""

    ALONG = "along each direction"
    USUAL = "as TensorFlow's own gradients do"
    LOW = "the smallest factor"
    HIGH = "the largest factor"
    RANDOM = "a random factor for each tie"


class Split(Exception):
    """Directions take different decisions that change more than derivatives; each group needs a pass of its own.

    Attributes:
        pattern: ``[directions, n]``: directions with equal rows stay together.
    """

    def __init__(self, pattern: Array) -> None:
        super().__init__("directions take different decisions")
        self.pattern = pattern.reshape(len(pattern), -1)


class TooFewTerms(Exception):
    """A quotient of series that both begin with zero: one more order is needed to divide them."""


class Decided:
    """A tensor of decisions that differ from direction to direction at some ties.

    Attributes:
        at: what holds at the point itself.
        rows: what holds a little further along each direction, ``[directions, *shape]``.
    """

    __slots__ = ("at", "rows")

    def __init__(self, at: Array, rows: Array) -> None:
        self.at = at
        self.rows = rows

    def split(self) -> Split:
        """The request for a pass for each group of directions."""
        return Split(self.rows)


# Differences below so many standard deviations of their rounding errors are ties.
_ROUNDINGS = 8.0


class Decisions:
    """Decisions of one pass.

    Attributes:
        convention: how ties are gone through.
        directions: how many directions count; what follows them on the axis are lanes of rounding errors.
        ties: how many ties there were whose sides differ.
        fuzzy: how many of them are ties only within rounding errors.
        places: the operation of each decision with a tie, in order.
    """

    def __init__(self, convention: Convention, directions: int, seed: int = 0) -> None:
        self.convention = convention
        self.directions = directions
        self.ties = 0
        self.fuzzy = 0
        self.places: list[int] = []
        self.now = -1  # number of the operation that runs
        self._random = np.random.default_rng(seed)

    def noise(self, z: Jet) -> Array | float:
        """Standard deviation of the rounding errors of a jet's value, as its lanes carry them; 0 without lanes."""
        if not z.d or z.d[0].shape[0] <= self.directions:
            return 0.0
        lanes = z.d[0][self.directions :]
        return np.asarray(np.sqrt(np.mean(np.square(np.abs(lanes)), axis=0)))

    def tied(self, z: Jet) -> Array | None:
        """Where the sign of a jet that moves is undecided; None where it is decided everywhere."""
        if not z.d:
            return None
        with np.errstate(invalid="ignore"):
            tied = np.abs(z.v) <= _ROUNDINGS * self.noise(z)
        if not tied.any():
            return None
        # What stands still along every direction cannot be moved off the tie.
        moves = np.zeros(z.v.shape, bool)
        for c in z.d:
            moves |= (c[: self.directions] != 0).any(axis=0)
        exact = (z.v == 0) & moves
        tied &= exact | (z.v != 0)
        if not tied.any():
            return None
        self.note(int(tied.sum()), int((tied & (z.v != 0)).sum()))
        return np.asarray(tied)

    def note(self, ties: int, fuzzy: int = 0) -> None:
        """Count ties of the operation that runs, ``fuzzy`` of them within rounding errors only."""
        self.ties += ties
        self.fuzzy += fuzzy
        if not self.places or self.places[-1] != self.now:
            self.places.append(self.now)

    def step(self, z: Jet, usual: float) -> Array:
        """1 where a jet is positive, 0 where it is negative, and at ties what the pass says.

        Args:
            z: the jet.
            usual: TensorFlow's own factor at 0.

        Returns:
            ``[*shape]``, or ``[axis of directions, *shape]`` where directions differ.
        """
        factor = (z.v > 0).astype(np.float64)
        tied = self.tied(z)
        if tied is None:
            zero = z.v == 0
            return np.where(zero, usual, factor) if zero.any() else factor
        if self.convention is Convention.ALONG:
            exact = tied & (z.v == 0)
            if not exact.any():
                return factor
            lead = leading_sign(z, self.directions)
            rows = np.where(exact, np.where(lead == 0, 0.5, (lead > 0).astype(np.float64)), factor)
            lanes = z.d[0].shape[0] - self.directions
            if lanes:
                rows = np.concatenate([rows, np.broadcast_to(np.where(exact, 0.5, factor), (lanes, *z.v.shape))])
            return np.asarray(rows)
        return np.where(tied, self._factor(tied.shape, np.where(z.v == 0, usual, factor)), factor)

    def _factor(self, shape: tuple[int, ...], usual: Array | float) -> Array | float:
        """Factors of the convention."""
        if self.convention is Convention.LOW:
            return 0.0
        if self.convention is Convention.HIGH:
            return 1.0
        if self.convention is Convention.RANDOM:
            return self._random.integers(0, 2, shape).astype(np.float64)
        return usual

    def holds(self, comparison: Callable[[Array, Array], Array], a: Jet | Array, b: Jet | Array) -> Array | Decided:
        """A comparison of two tensors, at ties as the pass says.

        Args:
            comparison: `numpy.greater` and its like.
            a, b: the operands.
        """
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            return np.asarray(comparison(a, b))
        a, b = jet(a), jet(b)
        at = np.asarray(comparison(a.v, b.v))
        if not a.d and not b.d:
            return at
        z = a - b
        if np.iscomplexobj(z.v):
            return at
        tied = self.tied(z)
        if tied is None:
            return at
        if self.convention is Convention.ALONG:
            exact = tied & (z.v == 0)
            lead = leading_sign(z, self.directions)
            rows = np.where(exact, comparison(lead, np.zeros(())), at)
            return self.decided(at, rows)
        # No convention makes a select go by a branch that holds at a single point: what stands there fills a hole. At
        # any other exact tie it goes by the branch at the point, and within rounding errors by either.
        exact = tied & (z.v == 0)
        if comparison is np.equal or comparison is np.not_equal:
            beside = np.where(exact, comparison is np.not_equal, at)
            return at if (beside == at).all() else Decided(at, beside[None])
        if self.convention is Convention.USUAL:
            return at
        return np.where(tied & ~exact, np.asarray(self._factor(tied.shape, 0.0), bool), at)

    def decided(self, at: Array, rows: Array) -> Array | Decided:
        """Decisions by direction; a plain array where all directions agree."""
        if len(rows) == 0 or (rows == at).all():
            return at
        if self.convention is not Convention.ALONG:
            return Decided(at, np.asarray(rows))
        same = rows == rows[:1]
        if rows.dtype.kind == "f":
            same |= np.isnan(rows) & np.isnan(rows[:1])
        if same.all():
            return np.asarray(rows[0])
        return Decided(at, np.asarray(rows))

    def settled(self, value: Decided) -> Array:
        """A decision for whoever needs one for all directions: the one at the point, in a pass by convention.

        Raises:
            Split: directions have to be run in groups.
        """
        if self.convention is Convention.ALONG:
            raise value.split()
        return value.at

    def choose(self, condition: Array | Decided, a: Jet | Array, b: Jet | Array) -> Jet | Array:
        """``a`` where a condition holds and ``b`` elsewhere; the condition broadcasts."""
        if isinstance(condition, Decided) and self.convention is not Convention.ALONG:
            condition = condition.rows[0]
        if not isinstance(condition, Decided):
            if not isinstance(a, Jet) and not isinstance(b, Jet):
                return np.where(condition, a, b)
            return _chosen(condition, jet(a), jet(b))
        if not isinstance(a, Jet) and not isinstance(b, Jet) and np.asarray(a).dtype.kind not in "fc":
            raise condition.split()
        a, b = jet(a), jet(b)
        gap = a - b
        with np.errstate(invalid="ignore"):
            apart = ~(np.abs(gap.v) <= _ROUNDINGS * self.noise(gap))
        if (apart & (condition.rows != condition.at)).any():
            raise condition.split()  # the function jumps there
        base = _chosen(condition.at, a, b)
        if not base.d:
            return base
        coefficients = []
        rank = base.v.ndim
        for k, usual in enumerate(base.d):
            changed = usual.copy()
            shape = (self.directions, *base.v.shape)
            first = np.broadcast_to(lift(a.d[k], rank)[: self.directions], shape) if k < len(a.d) else 0.0
            second = np.broadcast_to(lift(b.d[k], rank)[: self.directions], shape) if k < len(b.d) else 0.0
            changed[: self.directions] = np.where(lift(condition.rows, rank), first, second)
            coefficients.append(changed)
        return Jet(base.v, tuple(coefficients))

    def pieces(self, value: Callable[[Array], Array], x: Jet, distance: Jet) -> Array:
        """A piecewise constant function: floor, round, a cast to integers.

        Args:
            value: of an array.
            x: the argument.
            distance: a jet that is 0 where the function jumps.

        Raises:
            Split: directions go to different sides of a jump.
        """
        at = np.asarray(value(x.v))
        tied = self.tied(distance) if distance.d else None
        if tied is None or self.convention is not Convention.ALONG:
            return at
        exact = tied & (distance.v == 0)
        if not exact.any():
            return at
        lead = leading_sign(distance, self.directions)
        beside = np.nextafter(x.v, np.where(lead > 0, np.inf, -np.inf))
        rows = np.where(exact & (lead != 0), value(np.where(lead == 0, x.v, beside)), at)
        decided = self.decided(at, rows)
        if isinstance(decided, Decided):
            raise decided.split()
        return decided

    def pick(self, candidates: Array) -> Array:
        """For ties among several: weights over the last axis that sum to 1, by the convention (not along directions).

        Args:
            candidates: bool ``[…, n]``, at least one in each row.
        """
        count = candidates.sum(axis=-1, keepdims=True)
        if self.convention is Convention.USUAL:
            return np.asarray(candidates / np.maximum(count, 1))
        n = candidates.shape[-1]
        if self.convention is Convention.LOW:
            place = np.argmax(candidates, axis=-1)
        elif self.convention is Convention.HIGH:
            place = n - 1 - np.argmax(candidates[..., ::-1], axis=-1)
        else:
            place = np.argmax(np.where(candidates, self._random.random(candidates.shape), -1.0), axis=-1)
        return np.asarray(np.arange(n) == place[..., None], np.float64)


def leading_sign(z: Jet, directions: int) -> Array:
    """Sign of the first coefficient that is not zero, from order 1 on, ``[directions, *shape]``."""
    sign = np.sign(z.d[0][:directions])
    for c in z.d[1:]:
        sign = np.where(sign == 0, np.sign(c[:directions]), sign)
    return np.asarray(sign)


def _chosen(condition: Array, a: Jet, b: Jet) -> Jet:
    v = np.where(condition, a.v, b.v)
    order = max(len(a.d), len(b.d))
    coefficients = []
    for k in range(order):
        first = lift(a.d[k], v.ndim) if k < len(a.d) else 0.0
        second = lift(b.d[k], v.ndim) if k < len(b.d) else 0.0
        chosen = np.where(condition, first, second)
        if chosen.shape[1:] != v.shape:
            chosen = np.broadcast_to(chosen, (chosen.shape[0], *v.shape))
        coefficients.append(chosen)
    return Jet(v, tuple(coefficients))
