"""Special functions: error functions, gamma and beta functions, Bessel functions, integrals.

Values are those of TensorFlow's float64 kernels. Derivatives are written so that no subtraction takes digits from
them: every one counts relative to itself, in the tails as well.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, Value, function, jet, lift
from gradcheck.exact.kernels import kernel
from gradcheck.exact.rules.elementwise import exp, integrated, log, log1p, reciprocal, sqrt, square
from gradcheck.exact.table import Bound, NoRule, rule

__all__ = ["BOUNDED", "SMOOTH"]

_Function: TypeAlias = "Callable[[Value], Jet]"

_ROOT_PI = math.sqrt(math.pi)


@functools.cache
def _double(op: str) -> Callable[..., Any]:
    """A kernel in float64."""
    return kernel(Node(op, op, (), (), ("float64",), {"T": "float64"}))


def _kernel(op: str) -> Callable[..., Array]:
    """The same, looked up when it is first called: TensorFlow need not be there before."""
    return lambda *inputs: np.asarray(_double(op)(*inputs))


def _where(condition: Array, a: Jet, b: Jet) -> Jet:
    """``a`` where a condition on the values holds and ``b`` elsewhere; all of one shape."""
    count = max(len(a.d), len(b.d))
    pairs = [(a.coefficient(k), b.coefficient(k)) for k in range(1, count + 1)]
    coefficients = (np.where(condition, 0.0 if c is None else c, 0.0 if e is None else e) for c, e in pairs)
    return Jet(np.where(condition, a.v, b.v), tuple(coefficients))


def _within(x: Jet, condition: Array, default: float) -> Jet:
    """A jet where a condition holds, and a constant elsewhere."""
    return Jet(np.where(condition, x.v, default), tuple(np.where(condition, c, 0.0) for c in x.d))


def _polynomial(x: Jet, coefficients: Sequence[float]) -> Jet:
    """The polynomial with these coefficients, lowest order first, by Horner's scheme."""
    found = jet(np.full(x.v.shape, coefficients[-1]))
    for coefficient in reversed(coefficients[:-1]):
        found = found * x + coefficient
    return found


# -- error functions --------------------------------------------------------------------------------------------


def _square_parts(v: Array) -> tuple[Array, Array]:
    """v² as a rounded number and what the rounding left out (Dekker's product)."""
    big = v * 134217729.0
    high = big - (big - v)
    low = v - high
    p = v * v
    return p, ((high * high - p) + 2.0 * high * low) + low * low


def _gauss_value(v: Array) -> Array:
    with np.errstate(all="ignore"):
        p, rest = _square_parts(np.clip(v, -1e9, 1e9))
        return np.exp(-p) * (1.0 - rest)


_gauss: _Function = function(_gauss_value, lambda x: -2.0 * (x * _gauss(x)))
erf: _Function = function(_kernel("Erf"), lambda x: (2.0 / _ROOT_PI) * _gauss(x))
erfc: _Function = function(_kernel("Erfc"), lambda x: (-2.0 / _ROOT_PI) * _gauss(x))
erfinv: _Function = function(_kernel("Erfinv"), lambda x: (_ROOT_PI / 2.0) * exp(square(erfinv(x))))
ndtri: _Function = function(_kernel("Ndtri"), lambda x: math.sqrt(2.0 * math.pi) * exp(0.5 * square(ndtri(x))))


# D(x) = 1/(2x) · sum of (2k - 1)!! / (2x²)^k; 1 - 2x D(x) is what the sum has behind its first term.
_DAWSON = [float(math.prod(range(1, 2 * k, 2))) for k in range(40)]


def _dawson_slope(x: Jet) -> Jet:
    far = np.abs(x.v) > 7.0
    near = 1.0 - 2.0 * x * dawson(_within(x, ~far, 0.0))
    if not far.any():
        return near
    u = reciprocal(2.0 * square(_within(x, far, 8.0)))
    return _where(far, -(u * _polynomial(u, _DAWSON[1:])), near)


dawson: _Function = function(_kernel("Dawsn"), _dawson_slope)
expint: _Function = function(_kernel("Expint"), lambda x: exp(x) / x)


def _quarter_turns(of: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The sine or cosine of π/2·x², with all digits for large x as well."""

    def evaluated(v: Array) -> Array:
        with np.errstate(all="ignore"):
            p, rest = _square_parts(v)
            return of(np.pi / 2.0 * (np.fmod(p, 4.0) + rest))

    return evaluated


_sin_square: _Function = function(_quarter_turns(np.sin), lambda x: math.pi * x * _cos_square(x))
_cos_square: _Function = function(_quarter_turns(np.cos), lambda x: -(math.pi * x * _sin_square(x)))
fresnel_sin: _Function = function(_kernel("FresnelSin"), lambda x: _sin_square(x))
fresnel_cos: _Function = function(_kernel("FresnelCos"), lambda x: _cos_square(x))

# log(1 + t)/t is 1 at 0, where the quotient is none.
_LOG_SERIES = [(-1.0) ** k / (k + 1) for k in range(24)]


def _log1p_over(t: Jet) -> Jet:
    near = np.abs(t.v) < 0.125
    series = _polynomial(_within(t, near, 0.0), _LOG_SERIES)
    apart = _within(t, ~near, 1.0)
    return _where(near, series, log1p(apart) / apart)


spence: _Function = function(_kernel("Spence"), lambda x: -_log1p_over(x - 1.0))


# -- gamma functions --------------------------------------------------------------------------------------------


def polygamma(n: Array) -> Callable[[Value], Jet]:
    """The function ψ⁽ⁿ⁾ for an array of whole numbers ``n``."""
    return function(lambda v: _polygamma_value(n, v), lambda x: polygamma(n + 1.0)(x))


def _polygamma_value(n: Array, v: Array) -> Array:
    return _kernel("Polygamma")(*np.broadcast_arrays(n, v))


def _trigamma_value(v: Array) -> Array:
    """ψ′, through its reflection on the left, where the kernel of the zeta function sums what cancels."""
    left = v < 0.5
    found = _polygamma_value(np.ones(()), np.where(left, 1.0 - v, v))
    turns = np.sin(np.pi * (v - np.rint(v)))
    return np.where(left, (np.pi / turns) ** 2 - found, found)


trigamma: _Function = function(_trigamma_value, lambda x: polygamma(np.asarray(2.0))(x))
digamma: _Function = function(_kernel("Digamma"), lambda x: trigamma(x))
lgamma: _Function = function(_kernel("Lgamma"), lambda x: digamma(x))


def _moving_together(*inputs: Any) -> list[Jet]:
    """Jets of one shape."""
    shape = np.broadcast_shapes(*(np.shape(x.v if isinstance(x, Jet) else x) for x in inputs))
    found = []
    for x in map(jet, inputs):
        coefficients = (np.broadcast_to(lift(c, len(shape)), (c.shape[0], *shape)) for c in x.d)
        found.append(Jet(np.broadcast_to(x.v, shape), tuple(coefficients)))
    return found


def _moves(*inputs: Any) -> bool:
    return any(isinstance(x, Jet) and x.d for x in inputs)


@rule("Polygamma")
def _polygamma(node: Node) -> Bound:
    def run(_: Pass, n: Any, x: Any) -> Any:
        if _moves(n):
            raise NoRule(node.op, node.name, "its order moves")
        n, x = _moving_together(n, x)
        found = polygamma(n.v)(x)
        return found if x.d else found.v

    return run


@rule("Zeta")
def _zeta(node: Node) -> Bound:
    def of(s: Array) -> Callable[[Value], Jet]:
        return function(lambda v: _kernel("Zeta")(s, v), lambda q: -s * of(s + 1.0)(q))

    def run(_: Pass, s: Any, q: Any) -> Any:
        if _moves(s):
            raise NoRule(node.op, node.name, "its exponent moves")
        s, q = _moving_together(s, q)
        found = of(s.v)(q)
        return found if q.d else found.v

    return run


_MOST_TERMS = 20000


def _still(found: Jet, term: Jet) -> bool:
    """Whether a term changes neither a value nor a coefficient any more."""
    pairs = [(found.v, term.v), *zip(found.d, term.d, strict=False)]
    return all(bool((np.abs(t) <= 1e-17 * np.abs(f) + 1e-300).all()) for f, t in pairs)


def _gamma_series(a: Jet, x: Jet) -> Jet:
    """P(a, x) for x < a + 1: x^a e^-x / Γ(a + 1) · sum of x^n / ((a + 1) … (a + n)); all terms are positive."""
    term = jet(np.ones(a.v.shape)) + 0.0 * a + 0.0 * x
    total = term
    for n in range(1, _MOST_TERMS):
        term = term * x / (a + float(n))
        total = total + term
        if n > 4 and _still(total, term):
            break
    return exp(a * log(x) - x - lgamma(a + 1.0)) * total


def _gamma_fraction(a: Jet, x: Jet) -> Jet:
    """Q(a, x) for x > a + 1, by the continued fraction of Legendre and Lentz's method."""
    b = x + 1.0 - a
    c: Jet = jet(np.full(a.v.shape, 1e300))
    d = 1.0 / b
    h = d
    for n in range(1, _MOST_TERMS):
        an = (a - float(n)) * float(n)
        b = b + 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        change = d * c
        h = h * change
        if n > 4 and _still(jet(np.ones(())), change - 1.0):
            break
    return exp(a * log(x) - x - lgamma(a)) * h


def _incomplete_gamma(a: Jet, x: Jet) -> Jet:
    """P(a, x) with its derivatives in both arguments; the value is good for nothing else."""
    low = x.v < a.v + 1.0
    series = _gamma_series(_within(a, low, 1.0), _within(x, low & (x.v > 0), 0.5))
    if low.all():
        return series
    fraction = _gamma_fraction(_within(a, ~low, 1.0), _within(x, ~low, 3.0))
    return _where(low, series, 1.0 - fraction)


@rule("Igamma", "Igammac", grain=1.0)
def _igamma(node: Node) -> Bound:
    value, sign = _kernel(node.op), 1.0 if node.op == "Igamma" else -1.0

    def run(_: Pass, a: Any, x: Any) -> Any:
        moving = _moves(a, x)
        a, x = _moving_together(a, x)
        v = value(a.v, x.v)
        if not moving:
            return v
        with np.errstate(all="ignore"):
            if not a.d:  # the density, which has its digits in both tails
                order = len(x.d)
                y = x.truncated(order - 1)
                density = exp((a.v - 1.0) * log(y) - y - _kernel("Lgamma")(a.v))
                density = _where(y.v == 0, _at_zero(a.v), density) if (y.v == 0).any() else density
                return integrated(v, [(sign * density, x)])
            inside = (a.v > 0) & (x.v > 0) & np.isfinite(a.v) & np.isfinite(x.v)
            found = _incomplete_gamma(_within(a, inside, 1.0), _within(x, inside, 0.5))
        edge = np.where(x.v >= 0, 0.0, np.nan)  # P(a, 0) is 0 for every a
        return Jet(v, tuple(sign * np.where(inside, c, edge) for c in found.d))

    return run


def _at_zero(a: Array) -> Jet:
    """The density of the gamma distribution at 0."""
    return jet(np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.inf)))


def _beta_fraction(a: Jet, b: Jet, x: Jet) -> Jet:
    """The continued fraction of the incomplete beta function for x < (a + 1)/(a + b + 2), by Lentz's method."""
    one = jet(np.ones(a.v.shape))
    c = one
    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, _MOST_TERMS):
        even = float(m) * (b - float(m)) * x / ((a + (2.0 * m - 1.0)) * (a + 2.0 * m))
        odd = -((a + float(m)) * (a + b + float(m)) * x) / ((a + 2.0 * m) * (a + (2.0 * m + 1.0)))
        before = h
        for step in (even, odd):
            d = 1.0 / (1.0 + step * d)
            c = 1.0 + step / c
            h = h * (d * c)
        if m > 4 and _still(h, h - before):
            break
    return h


def _incomplete_beta(a: Jet, b: Jet, x: Jet) -> Jet:
    """I_x(a, b) with its derivatives in all arguments."""

    def half(a: Jet, b: Jet, x: Jet) -> Jet:
        front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
        return front * _beta_fraction(a, b, x) / a

    low = x.v < (a.v + 1.0) / (a.v + b.v + 2.0)
    first = half(_within(a, low, 1.0), _within(b, low, 1.0), _within(x, low, 0.25))
    second = half(_within(b, ~low, 1.0), _within(a, ~low, 1.0), _within(1.0 - x, ~low, 0.25))
    return _where(low, first, 1.0 - second)


@rule("Betainc", grain=1.0)
def _betainc(node: Node) -> Bound:
    def run(_: Pass, a: Any, b: Any, x: Any) -> Any:
        moving, by_parameters = _moves(a, b, x), _moves(a, b)
        a, b, x = _moving_together(a, b, x)
        v = _kernel("Betainc")(a.v, b.v, x.v)
        if not moving:
            return v
        with np.errstate(all="ignore"):
            if not by_parameters:
                y = x.truncated(len(x.d) - 1)
                lgamma_ = _kernel("Lgamma")
                size = lgamma_(a.v) + lgamma_(b.v) - lgamma_(a.v + b.v)
                return integrated(v, [(exp(_times(a.v - 1.0, log(y)) + _times(b.v - 1.0, log1p(-y)) - size), x)])
            inside = (a.v > 0) & (b.v > 0) & (x.v > 0) & (x.v < 1)
            found = _incomplete_beta(_within(a, inside, 1.0), _within(b, inside, 1.0), _within(x, inside, 0.5))
        return Jet(v, tuple(np.where(inside, c, np.where((x.v == 0) | (x.v == 1), 0.0, np.nan)) for c in found.d))

    return run


def _times(n: Array, x: Jet) -> Jet:
    """A product that is 0 where the first factor is."""
    product = n * x
    return Jet(np.where(n == 0, 0.0, product.v), tuple(np.where(n == 0, 0.0, c) for c in product.d))


# -- Bessel functions -------------------------------------------------------------------------------------------


def _ratio_at_zero(of: _Function) -> Callable[[Jet], Jet]:
    """of(x)/x for the functions of order 1, which are x/2 near 0."""

    def ratio(x: Jet) -> Jet:
        zero = x.v == 0
        apart = _within(x, ~zero, 1.0)
        return _where(zero, jet(np.full(x.v.shape, 0.5)) + 0.0 * x, of(apart) / apart)

    return ratio


i0: _Function = function(_kernel("BesselI0"), lambda x: i1(x))
i1: _Function = function(_kernel("BesselI1"), lambda x: i0(x) - _i1_over(x))
j0: _Function = function(_kernel("BesselJ0"), lambda x: -j1(x))
j1: _Function = function(_kernel("BesselJ1"), lambda x: j0(x) - _j1_over(x))
y0: _Function = function(_kernel("BesselY0"), lambda x: -y1(x))
y1: _Function = function(_kernel("BesselY1"), lambda x: y0(x) - y1(x) / x)
k0: _Function = function(_kernel("BesselK0"), lambda x: -k1(x))
k1: _Function = function(_kernel("BesselK1"), lambda x: -k0(x) - k1(x) / x)
_i1_over: Callable[[Jet], Jet] = _ratio_at_zero(lambda x: i1(x))
_j1_over: Callable[[Jet], Jet] = _ratio_at_zero(lambda x: j1(x))


def _hankel(order: int, sign: float) -> list[float]:
    """Coefficients of the expansion of a scaled Bessel function in 1/x, without its factor 1/sqrt(x)."""
    found = [1.0]
    for k in range(1, 30):
        found.append(sign * found[-1] * (4.0 * order**2 - (2 * k - 1) ** 2) / (8.0 * k))
    return found


def _far_slope(order: int, sign: float, factor: float) -> Callable[[Jet], Jet]:
    """Derivative of ``factor · x^-½ · sum of c_k x^-k``, term by term."""
    terms = [-(k + 0.5) * c for k, c in enumerate(_hankel(order, sign))]

    def slope(x: Jet) -> Jet:
        u = reciprocal(x)
        return factor * (_polynomial(u, terms) * u * sqrt(u))

    return slope


def _scaled(near: Callable[[Jet], Jet], far: Callable[[Jet], Jet]) -> Callable[[Jet], Jet]:
    """A slope for small arguments, and one for large ones, where the first is a difference of almost equal numbers."""

    def slope(x: Jet) -> Jet:
        large = x.v > 30.0
        if not large.any():
            return near(x)
        return _where(large, far(_within(x, large, 40.0)), near(_within(x, ~large, 1.0)))

    return slope


_I = 1.0 / math.sqrt(2.0 * math.pi)
_K = math.sqrt(math.pi / 2.0)
# For x > 0, or with the factor of one side at 0.
i0e: _Function = function(_kernel("BesselI0e"), _scaled(lambda x: i1e(x) - i0e(x), _far_slope(0, -1.0, _I)))
i1e: _Function = function(
    _kernel("BesselI1e"), _scaled(lambda x: i0e(x) - _i1e_over(x) - i1e(x), _far_slope(1, -1.0, _I))
)
k0e: _Function = function(_kernel("BesselK0e"), _scaled(lambda x: k0e(x) - k1e(x), _far_slope(0, 1.0, _K)))
k1e: _Function = function(_kernel("BesselK1e"), _scaled(lambda x: k1e(x) - k1e(x) / x - k0e(x), _far_slope(1, 1.0, _K)))
_i1e_over: Callable[[Jet], Jet] = _ratio_at_zero(lambda x: i1e(x))


@rule("BesselI0e", "BesselI1e")
def _exponentially_scaled(node: Node) -> Bound:
    """exp(-|x|) times a Bessel function: even or odd, with a kink at 0."""
    odd = node.op == "BesselI1e"
    of = i1e if odd else i0e

    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet) or not x.d:
            v = _kernel(node.op)(x.v if isinstance(x, Jet) else x)
            return Jet(v) if isinstance(x, Jet) else v
        side = 2.0 * p.decisions.step(x, 0.5) - 1.0
        size = of(Jet(np.abs(x.v), tuple(c * side for c in x.d)))
        if not odd:
            # Between the sides (no side is chosen) the factor is that of the function without its scale.
            return Jet(size.v, size.d)
        slopes = tuple(np.where(side == 0, 0.5 * x.d[0] if k == 0 else 0.0, side * c) for k, c in enumerate(size.d))
        return Jet(_kernel(node.op)(x.v), slopes)

    return run


# -- the table --------------------------------------------------------------------------------------------------

SMOOTH: dict[str, _Function] = {
    "Lgamma": lgamma,
    "Digamma": digamma,
    "Expint": expint,
    "Spence": spence,
    "Ndtri": ndtri,
    "Erfinv": erfinv,
    "BesselI0": i0,
    "BesselI1": i1,
    "BesselK0": k0,
    "BesselK1": k1,
    "BesselY0": y0,
    "BesselY1": y1,
}
# Those whose local derivative is customarily computed from values of size 1.
BOUNDED: dict[str, _Function] = {
    "Erf": erf,
    "Erfc": erfc,
    "Dawsn": dawson,
    "FresnelCos": fresnel_cos,
    "FresnelSin": fresnel_sin,
    "BesselJ0": j0,
    "BesselJ1": j1,
    "BesselK0e": k0e,
    "BesselK1e": k1e,
}


def _enter(table: dict[str, _Function], grain: float) -> None:
    for op, evaluate in table.items():

        def bind(node: Node, evaluate: _Function = evaluate) -> Bound:
            return lambda run, x: evaluate(x) if isinstance(x, Jet) else evaluate(x).v

        bind.__module__ = __name__
        rule(op, grain=grain)(bind)


_enter(SMOOTH, 0.0)
_enter(BOUNDED, 1.0)
