"""Numbers as people read them: as few digits as show what matters, and never so few that a difference disappears."""

from __future__ import annotations

import math

__all__ = ["number", "pair", "precise_pair", "times"]

# Seventeen significant digits tell any two float64 values apart.
_ALL_DIGITS = 17


def number(value: float | None, digits: int = 4) -> str:
    """A number with at most ``digits`` significant digits; whole numbers without a point.

    >>> number(0.001), number(1.0), number(123456.789), number(-2.5e-12), number(None)
    ('0.001', '1', '1.235e+05', '-2.5e-12', 'none')
    """
    if value is None:
        return "none"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 10**digits:
        # "-0" would only puzzle: the sign of a zero is never what a check is about.
        return str(int(value))
    return f"{value:.{digits}g}"


def pair(first: float | None, second: float | None, digits: int = 4) -> tuple[str, str]:
    """Two numbers with the same number of digits, ``digits`` or as many as show in what they differ.

    >>> pair(1.001, 1.0)
    ('1.001', '1')
    >>> pair(1.0000000123, 1.0)
    ('1.000000012', '1')
    """
    if first is not None and second is not None and math.isfinite(first) and math.isfinite(second):
        size, difference = max(abs(first), abs(second)), abs(first - second)
        if difference > 0:
            # Two digits beyond the first one that differs.
            digits = min(_ALL_DIGITS, max(digits, math.ceil(math.log10(size) - math.log10(difference)) + 2))
            while digits < _ALL_DIGITS and number(first, digits) == number(second, digits):
                digits += 1
    return number(first, digits), number(second, digits)


def precise_pair(first: float, second: float) -> tuple[str, str]:
    """Two numbers that should be the same, with nine digits, or as many as show in what they differ.

    >>> precise_pair(1 / 3, 0.5), precise_pair(0.5, 0.5 - 2.0**-42)
    (('0.333333333', '0.5'), ('0.5', '0.499999999999773'))
    """
    return pair(float(first), float(second), 9)


# From here on nobody wants to know how many times.
_MANY_TIMES = 1e4


def times(difference: float, bound: float) -> str:
    """How far a difference lies outside its bound, in words."""
    if bound == 0:
        return "and the two should be equal"
    ratio = difference / bound
    if not ratio < _MANY_TIMES:
        return f"far more than the {number(bound, 2)} that is allowed"
    shown = f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
    return f"{shown} times the {number(bound, 2)} that is allowed"
