"""Quotients and roots of power series that begin with zeros: what a function is along a direction from a hole.

Coefficients are arrays ``[orders, n]``, lowest order first: ``n`` series of one variable t > 0. What is not known,
because a common power of t was divided out of series that end somewhere, is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradcheck.exact.decisions import Convention, Decided, TooFewTerms
from gradcheck.exact.jets import Array, Jet, lift

if TYPE_CHECKING:
    from gradcheck.exact.interpreter import Pass

__all__ = ["ENOUGH", "quotient_at_holes", "root_at_zeros"]

# From this order on a series of zeros is taken for something that stands still.
ENOUGH = 4


def _leading(a: Array) -> tuple[Array, Array]:
    """Order of the first coefficient that is not zero (the number of orders where all are), and the coefficient."""
    some = a != 0
    first = np.where(some.any(axis=0), some.argmax(axis=0), len(a))
    return first, np.take_along_axis(a, np.minimum(first, len(a) - 1)[None], 0)[0]


def _quotient(a: Array, b: Array) -> Array:
    """Both begin with zeros; the coefficients of a/b ``[orders, n]``.

    Raises:
        TooFewTerms: the value of a quotient or its slope is not known from these orders.
    """
    order = len(a) - 1
    found = np.full(a.shape, np.nan)
    (first, divisor), (ahead, lead) = _leading(b), _leading(a)
    unknown = np.isnan(divisor) | (np.isnan(lead) & (ahead <= first))
    if unknown.any() or (order < ENOUGH and (first > order).any()):
        raise TooFewTerms
    for start in range(1, order + 1):
        chosen = first == start
        if not chosen.any():
            continue
        pole = chosen & (ahead < start)
        found[0, pole] = np.sign(lead * divisor)[pole] * np.inf
        chosen &= ~pole
        top, below = a[start:, chosen], b[start:, chosen]
        rows: list[Array] = []
        for k in range(len(top)):
            total = top[k] - sum((below[j] * rows[k - j] for j in range(1, k + 1)), np.zeros(top.shape[1]))
            rows.append(total / below[0])
        found[: len(rows), chosen] = rows
    # Unknown, for lack of an order: not where the quotient is one of nothing by nothing, or has no value.
    lacking = (first <= order) & (ahead >= first) & ~np.isfinite(found[:2]).all(axis=0)
    if lacking.any():
        raise TooFewTerms
    return found


def _root(a: Array) -> Array:
    """The coefficients of the square root of series whose value is 0 ``[orders, n]``.

    Raises:
        TooFewTerms: the slope is not known from these orders.
    """
    order = len(a) - 1
    first, lead = _leading(a)
    if np.isnan(lead).any() or (order < 2 and (first > order).any()):
        raise TooFewTerms
    found = np.full(a.shape, np.nan)
    found[0] = 0.0
    found[: order // 2 + 1, first > order] = 0.0
    if order >= ENOUGH:
        found[:, first > order] = 0.0
    odd = (first % 2 == 1) & (first <= order)
    found[1, odd & (first == 1)] = np.where(lead > 0, np.inf, np.nan)[odd & (first == 1)]
    found[1 : (order + 1) // 2, odd & (first > 1) & (lead > 0)] = 0.0
    for start in range(2, order + 1, 2):
        chosen = (first == start) & (lead > 0)
        if not chosen.any():
            continue
        rest = a[start:, chosen]
        rows = [np.sqrt(rest[0])]
        for k in range(1, len(rest)):
            total = rest[k] - sum((rows[j] * rows[k - j] for j in range(1, k)), np.zeros(rest.shape[1]))
            rows.append(total / (2.0 * rows[0]))
        half = start // 2
        found[:half, chosen] = 0.0
        found[half : half + len(rows), chosen] = rows[: order + 1 - half]
    return found


def _at(x: Jet, where: Array, count: int, order: int) -> Array:
    """Coefficients at the places of a mask along the directions that count, ``[orders, directions · places]``."""
    n = int(where.sum())
    rows = [np.broadcast_to(np.broadcast_to(x.v, where.shape)[where], (count, n)).reshape(-1)]
    for k in range(order):
        if k < len(x.d):
            c = lift(x.d[k], where.ndim)[:count]
            rows.append(np.broadcast_to(c, (count, *where.shape))[:, where].reshape(-1))
        else:
            rows.append(np.zeros(count * n))
    return np.asarray(rows)


def _filled(base: Jet, where: Array, series: Array, count: int) -> Jet:
    """A jet with other coefficients along the directions that count at the places of a mask; lanes are 0 there."""
    coefficients = []
    for k, c in enumerate(base.d):
        new = np.array(c)
        new[:, where] = 0.0
        new[:count, where] = series[k + 1].reshape(count, -1)
        coefficients.append(new)
    return Jet(base.v, tuple(coefficients))


def quotient_at_holes(p: Pass, a: Jet, b: Jet, q: Jet) -> Jet:
    """A quotient ``q`` of jets with what it is along each direction where both are 0 and the divisor may move.

    Raises:
        gradcheck.exact.decisions.Split: its value there differs between directions.
        TooFewTerms: more orders are needed to tell.
    """
    if p.decisions.convention is not Convention.ALONG or not b.d or not p.directions:
        return q
    holes = np.broadcast_to((a.v == 0), q.v.shape) & np.broadcast_to(b.v == 0, q.v.shape)
    if not holes.any():
        return q
    count, order = p.directions, len(q.d)
    series = _quotient(_at(a, holes, count, order), _at(b, holes, count, order))
    rows = np.broadcast_to(q.v, (count, *q.v.shape)).copy()
    rows[:, holes] = series[0].reshape(count, -1)
    p.decisions.note(int(holes.sum()))
    # Equal limits differ in their last digits.
    rows[:, holes] = _rounded(rows[:, holes])
    value = p.decisions.decided(q.v, rows)
    if isinstance(value, Decided):
        raise value.split()
    return _filled(Jet(value, q.d), holes, series, count)


def _rounded(limits: Array) -> Array:
    """Limits along several directions, those that agree to twelve digits made equal to the first such one."""
    first = limits[:1]
    with np.errstate(invalid="ignore"):
        same = np.abs(limits - first) <= 1e-12 * np.abs(first)
    return np.where(same, first, limits)


def root_at_zeros(p: Pass, x: Jet, root: Jet) -> Jet:
    """The square root of a jet with what it is along each direction where the value is 0.

    Raises:
        TooFewTerms: more orders are needed to tell.
    """
    if p.decisions.convention is not Convention.ALONG or not x.d or not p.directions:
        return root
    zeros = x.v == 0
    if not zeros.any():
        return root
    count, order = p.directions, len(x.d)
    series = _root(_at(x, zeros, count, order))
    if (series[1] != 0).any():
        p.decisions.note(int(zeros.sum()))
    return _filled(root, zeros, series, count)
