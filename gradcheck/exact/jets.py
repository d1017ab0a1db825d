"""Jets: arrays of numbers that carry their derivatives along many directions at once.

A `Jet` holds the value ``v`` of a tensor at a point and the Taylor coefficients ``d[k - 1]`` of order k = 1 … K along
straight lines through the point, one line for each direction. The leading axis of a coefficient numbers the
directions, the others are those of the value. What is known to stand still has no coefficients at all (``d == ()``).

Rules are written for values only. Arithmetic on jets turns each into a rule for derivatives: products are Cauchy
products, quotients their inverse, and a function of one variable follows from its own derivative by
``y' = f'(x) · x'`` (Griewank and Walther, *Evaluating Derivatives*, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Jet", "Value", "bilinear", "function", "jet", "lift", "linear", "value_of"]

Array: TypeAlias = NDArray[Any]


class Jet:
    """A tensor's value and its Taylor coefficients along directions.

    Attributes:
        v: the value, float64 or complex128 ``[*shape]``.
        d: coefficients of order 1, 2, …, each ``[directions, *shape]``; empty where nothing moves.
    """

    __slots__ = ("d", "v")
    __array_ufunc__ = None  # NumPy's operators leave mixed expressions to this class

    def __init__(self, v: Array, d: tuple[Array, ...] = ()) -> None:
        self.v = v
        self.d = d

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return tuple(self.v.shape)

    @property
    def order(self) -> int:
        """Highest order with a coefficient."""
        return len(self.d)

    def coefficient(self, k: int) -> Array | None:
        """The coefficient of order ``k``, None where it is zero throughout."""
        return self.v if k == 0 else self.d[k - 1] if k <= len(self.d) else None

    def truncated(self, order: int) -> Jet:
        """Without the coefficients above ``order``."""
        return self if len(self.d) <= order else Jet(self.v, self.d[:order])

    def __repr__(self) -> str:
        return f"Jet({self.v!r}, order {len(self.d)})"

    def __add__(self, other: Value) -> Jet:
        return _sum(self, jet(other))

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.v, tuple(-c for c in self.d))

    def __sub__(self, other: Value) -> Jet:
        return _sum(self, -jet(other))

    def __rsub__(self, other: Value) -> Jet:
        return _sum(jet(other), -self)

    def __mul__(self, other: Value) -> Jet:
        return bilinear(_times, self, jet(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Value) -> Jet:
        return _quotient(self, jet(other))

    def __rtruediv__(self, other: Value) -> Jet:
        return _quotient(jet(other), self)


Value: TypeAlias = "Jet | Array | float | int | complex"


def jet(value: Value) -> Jet:
    """A number, an array or a jet as a jet."""
    return value if isinstance(value, Jet) else Jet(_inexact(value))


def value_of(value: Any) -> Array:
    """The value without its derivatives."""
    return value.v if isinstance(value, Jet) else np.asarray(value)


def _inexact(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype == np.float64 or array.dtype == np.complex128 or array.dtype == object:
        return array
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def lift(coefficient: Array, rank: int) -> Array:
    """A coefficient ``[directions, *shape]`` with axes of size 1 for a value of a higher rank to broadcast with."""
    missing = rank + 1 - coefficient.ndim
    if missing <= 0:
        return coefficient
    return coefficient.reshape(coefficient.shape[0], *(1,) * missing, *coefficient.shape[1:])


def _sum(a: Jet, b: Jet) -> Jet:
    v = a.v + b.v
    if not a.d and not b.d:
        return Jet(v)
    rank = v.ndim
    coefficients = []
    for k in range(max(len(a.d), len(b.d))):
        if k >= len(b.d):
            total = lift(a.d[k], rank)
        elif k >= len(a.d):
            total = lift(b.d[k], rank)
        else:
            total = lift(a.d[k], rank) + lift(b.d[k], rank)
        if total.shape[1:] != v.shape:
            total = np.broadcast_to(total, (total.shape[0], *v.shape))
        coefficients.append(total)
    return Jet(v, tuple(coefficients))


def _times(a: Array, b: Array, moving: str) -> Array:
    """A product of which one or both factors are coefficients: ``"a"``, ``"b"``, ``"ab"``, or neither (``""``)."""
    with np.errstate(invalid="ignore", over="ignore"):
        if moving == "a":
            return lift(a, b.ndim) * b
        if moving == "b":
            return a * lift(b, a.ndim)
        if moving == "ab":
            rank = max(a.ndim, b.ndim) - 1
            return lift(a, rank) * lift(b, rank)
        return np.asarray(a * b)


def bilinear(product: Callable[[Array, Array, str], Array], a: Jet, b: Jet) -> Jet:
    """A product in the widest sense: linear in each of two jets.

    Args:
        product: of two arrays; told which of them are coefficients with a leading axis of directions (``"a"``,
            ``"b"``, ``"ab"`` or ``""``).
        a, b: the factors.
    """
    v = product(a.v, b.v, "")
    order = max(len(a.d), len(b.d))
    coefficients = []
    for k in range(1, order + 1):
        terms = []
        for i in range(k + 1):
            if i <= len(a.d) and k - i <= len(b.d):
                moving = ("a" if i else "") + ("b" if k - i else "")
                terms.append(product(a.v if i == 0 else a.d[i - 1], b.v if k == i else b.d[k - i - 1], moving))
        if not terms:
            break
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        coefficients.append(total)
    return Jet(v, _filled(coefficients, order, v))


def _filled(coefficients: list[Array], order: int, v: Array) -> tuple[Array, ...]:
    """Zeros in the place of the orders that no term reached."""
    if coefficients and len(coefficients) < order:
        zero = np.zeros_like(coefficients[0])
        coefficients = coefficients + [zero] * (order - len(coefficients))
    return tuple(coefficients)


def linear(operation: Callable[[Array, bool], Array], x: Jet) -> Jet:
    """A linear operation: the same on the value and on each coefficient.

    Args:
        operation: of an array; told whether it is a coefficient, with a leading axis of directions.
        x: its argument.
    """
    return Jet(operation(x.v, False), tuple(operation(c, True) for c in x.d))


def _quotient(a: Jet, b: Jet) -> Jet:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        v = np.asarray(a.v / b.v)
        order = max(len(a.d), len(b.d))
        coefficients: list[Array] = []
        for k in range(1, order + 1):
            rank = v.ndim
            total: Any = lift(a.d[k - 1], rank) if k <= len(a.d) else None
            for j in range(1, k + 1):
                if j > len(b.d):
                    break
                y = v if k == j else coefficients[k - j - 1]
                term = lift(b.d[j - 1], rank) * y
                total = -term if total is None else total - term
            coefficient = np.zeros_like(coefficients[0]) if total is None else total / b.v
            if coefficient.shape[1:] != v.shape:
                coefficient = np.broadcast_to(coefficient, (coefficient.shape[0], *v.shape))
            coefficients.append(coefficient)
        return Jet(v, tuple(coefficients))


def function(value: Callable[[Array], Array], slope: Callable[[Jet], Value]) -> Callable[[Value], Jet]:
    """A function of one variable from its value and its derivative.

    Args:
        value: of an array.
        slope: the derivative, as a function of jets.

    Returns:
        The function of jets: with ``g = slope(x)`` the coefficients are ``y_k = 1/k · sum_j j x_j g_(k-j)``.
    """

    def evaluated(x: Value) -> Jet:
        x = jet(x)
        with np.errstate(all="ignore"):
            v = np.asarray(value(x.v))
            if not x.d:
                return Jet(v)
            order = len(x.d)
            g = jet(slope(x.truncated(order - 1)))
            coefficients = []
            for k in range(1, order + 1):
                total: Any = None
                for j in range(1, k + 1):
                    factor = g.coefficient(k - j)
                    if factor is None:
                        continue
                    term = x.d[j - 1] * factor
                    if j != k:
                        term = term * (j / k)
                    total = term if total is None else total + term
                coefficients.append(np.zeros_like(x.d[0]) if total is None else total)
            return Jet(v, tuple(coefficients))

    return evaluated
