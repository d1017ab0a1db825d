"""Elementwise operations: arithmetic, powers, exponentials, trigonometry, activations, and those that decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gradcheck.exact.decisions import Decided
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, Value, function, jet, lift
from gradcheck.exact.series import quotient_at_holes, root_at_zeros
from gradcheck.exact.table import Bound, rule

_Function: TypeAlias = "Callable[[Value], Jet]"

__all__ = ["UNARY", "cosh", "exp", "log", "log1p", "reciprocal", "root", "sigmoid", "sqrt", "square", "tanh"]

# -- functions of one variable: value, derivative -------------------------------------------------------------


def square(x: Value) -> Jet:
    """x²."""
    x = jet(x)
    return x * x


def _sigmoid(v: Array) -> Array:
    small = np.exp(-np.abs(v))
    return np.where(v >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def _softplus(v: Array) -> Array:
    return np.maximum(v, 0.0) + np.log1p(np.exp(-np.abs(v)))


def reciprocal(x: Value) -> Jet:
    """1/x."""
    return 1.0 / jet(x)


exp: _Function = function(np.exp, lambda x: exp(x))
expm1: _Function = function(np.expm1, lambda x: exp(x))
log: _Function = function(np.log, lambda x: reciprocal(x))
log1p: _Function = function(np.log1p, lambda x: reciprocal(x + 1.0))
sqrt: _Function = function(np.sqrt, lambda x: 0.5 / sqrt(x))
rsqrt: _Function = function(lambda v: 1.0 / np.sqrt(v), lambda x: -0.5 / (sqrt(x) * x))
sin: _Function = function(np.sin, lambda x: cos(x))
cos: _Function = function(np.cos, lambda x: -sin(x))
tan: _Function = function(np.tan, lambda x: square(reciprocal(cos(x))))
asin: _Function = function(np.arcsin, lambda x: rsqrt((1.0 - x) * (1.0 + x)))
acos: _Function = function(np.arccos, lambda x: -rsqrt((1.0 - x) * (1.0 + x)))
atan: _Function = function(np.arctan, lambda x: reciprocal(1.0 + square(x)))
sinh: _Function = function(np.sinh, lambda x: cosh(x))
cosh: _Function = function(np.cosh, lambda x: sinh(x))
asinh: _Function = function(np.arcsinh, lambda x: rsqrt(1.0 + square(x)))
acosh: _Function = function(np.arccosh, lambda x: rsqrt((x - 1.0) * (x + 1.0)))
atanh: _Function = function(np.arctanh, lambda x: reciprocal((1.0 - x) * (1.0 + x)))
# Derivatives that no subtraction takes digits from: TensorFlow's own 1 - y² and y(1 - y) are 0 far out.
tanh: _Function = function(np.tanh, lambda x: square(_sech(x)))
_sech: _Function = function(lambda v: 1.0 / np.cosh(v), lambda x: -(_sech(x) * tanh(x)))
sigmoid: _Function = function(_sigmoid, lambda x: sigmoid(x) * sigmoid(-x))
softplus: _Function = function(_softplus, lambda x: sigmoid(x))
softsign: _Function = function(lambda v: v / (1.0 + np.abs(v)), lambda x: square(reciprocal(1.0 + _size(x))))

UNARY: dict[str, Callable[[Value], Jet]] = {
    "Exp": exp,
    "Expm1": expm1,
    "Log": log,
    "Log1p": log1p,
    "Rsqrt": rsqrt,
    "Sin": sin,
    "Cos": cos,
    "Tan": tan,
    "Asin": asin,
    "Acos": acos,
    "Atan": atan,
    "Sinh": sinh,
    "Cosh": cosh,
    "Asinh": asinh,
    "Acosh": acosh,
    "Atanh": atanh,
    "Square": square,
    "Reciprocal": reciprocal,
    "Inv": reciprocal,
}
# Those whose local derivative is customarily computed from values of size 1.
SATURATING: dict[str, Callable[[Value], Jet]] = {
    "Tanh": tanh,
    "Sigmoid": sigmoid,
    "Softplus": softplus,
    "Softsign": softsign,
}


def _size(x: Jet) -> Jet:
    """|x| off 0."""
    return Jet(np.abs(x.v), tuple(np.sign(x.v) * c for c in x.d))


def _unary(table: dict[str, Callable[[Value], Jet]], grain: float) -> None:
    for op, evaluate in table.items():

        def bind(node: Node, evaluate: Callable[[Value], Jet] = evaluate) -> Bound:
            return lambda run, x: evaluate(x) if isinstance(x, Jet) else evaluate(x).v

        bind.__module__ = __name__
        rule(op, grain=grain)(bind)


_unary(UNARY, 0.0)
_unary(SATURATING, 1.0)


# -- arithmetic -------------------------------------------------------------------------------------------------


def _binary(of_arrays: Callable[[Any, Any], Any], of_jets: Callable[[Jet, Jet], Jet]) -> Bound:
    def run(_: Pass, a: Any, b: Any) -> Any:
        if type(a) is Jet or type(b) is Jet:
            return of_jets(a if type(a) is Jet else jet(a), b if type(b) is Jet else jet(b))
        with np.errstate(all="ignore"):
            return of_arrays(a, b)

    return run


@rule("Add", "AddV2")
def _add(node: Node) -> Bound:
    return _binary(lambda a, b: np.asarray(a + b), lambda a, b: a + b)


@rule("Sub")
def _sub(node: Node) -> Bound:
    return _binary(lambda a, b: np.asarray(a - b), lambda a, b: a - b)


@rule("Mul")
def _mul(node: Node) -> Bound:
    return _binary(lambda a, b: np.asarray(a * b), lambda a, b: a * b)


@rule("Neg", moves_only=True)
def _neg(node: Node) -> Bound:
    return lambda run, x: -x


@rule("RealDiv", "Div", "Xdivy", "DivNoNan", "MulNoNan")
def _div(node: Node) -> Bound:
    integers = node.dtypes[0].startswith(("int", "uint"))

    def divided(a: Any, b: Any) -> Any:
        return np.asarray(np.trunc(a / b).astype(a.dtype) if integers else a / b)

    if node.op == "MulNoNan":
        return _guarded(lambda p, a, b: a * b, lambda a, b: b)
    if node.op == "DivNoNan":
        return _guarded(_quotient, lambda a, b: b)
    if node.op == "Xdivy":
        return _guarded(_quotient, lambda a, b: a)

    def run(p: Pass, a: Any, b: Any) -> Any:
        if isinstance(a, Jet) or isinstance(b, Jet):
            return _quotient(p, jet(a), jet(b))
        with np.errstate(all="ignore"):
            return divided(a, b)

    return run


def _quotient(p: Pass, a: Jet, b: Jet) -> Jet:
    """A quotient: where both are 0 and move, what it is along each direction."""
    q = a / b
    return quotient_at_holes(p, a, b, q) if not b.v.all() else q


@rule("Xlogy", "Xlog1py")
def _xlogy(node: Node) -> Bound:
    of = log if node.op == "Xlogy" else log1p
    return _guarded(lambda p, a, b: a * of(b), lambda a, b: a)


def _guarded(evaluate: Callable[[Pass, Jet, Jet], Jet], guard: Callable[[Jet, Jet], Jet]) -> Bound:
    """0 where the guard is 0, and the function elsewhere: at a 0 that moves, what lies beside it counts."""

    def run(p: Pass, a: Any, b: Any) -> Any:
        moving = isinstance(a, Jet) or isinstance(b, Jet)
        a, b = jet(a), jet(b)
        held = guard(a, b)
        zero = np.broadcast_to(held.v == 0, np.broadcast_shapes(a.v.shape, b.v.shape))
        result = evaluate(p, a, b)
        if zero.any():
            still = zero
            if held.d:
                moves = np.any([(c[: p.directions] != 0).any(axis=0) for c in held.d], axis=0)
                still = zero & ~np.broadcast_to(moves, zero.shape)
            v = np.where(zero & ~np.isfinite(result.v), 0.0, np.where(still, 0.0, result.v))
            result = Jet(v, tuple(np.where(still, 0.0, c) for c in result.d))
        return result if moving else result.v

    return run


@rule("FloorDiv", "TruncateDiv")
def _floor_div(node: Node) -> Bound:
    floor = np.floor if node.op == "FloorDiv" else np.trunc
    if node.dtypes[0].startswith(("int", "uint")):
        if node.op == "FloorDiv":
            return lambda run, a, b: np.asarray(np.asarray(a) // np.asarray(b))
        return lambda run, a, b: np.asarray(np.trunc(np.asarray(a) / b).astype(np.asarray(a).dtype))

    def run(p: Pass, a: Any, b: Any) -> Any:
        q = jet(a) / jet(b)
        return p.decisions.pieces(floor, q, q - np.rint(q.v))

    return run


@rule("FloorMod", "Mod", "TruncateMod")
def _mod(node: Node) -> Bound:
    if node.dtypes[0].startswith(("int", "uint")):
        whole = np.mod if node.op == "FloorMod" else np.fmod
        return lambda run, a, b: np.asarray(whole(a, b))
    floor = np.floor if node.op == "FloorMod" else np.trunc

    def run(p: Pass, a: Any, b: Any) -> Any:
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            with np.errstate(invalid="ignore"):
                return np.asarray(np.mod(a, b) if node.op == "FloorMod" else np.fmod(a, b))
        q = jet(a) / jet(b)
        with np.errstate(invalid="ignore"):
            return jet(a) - jet(b) * p.decisions.pieces(floor, q, q - np.rint(q.v))

    return run


@rule("AddN", "AccumulateNV2")
def _add_n(node: Node) -> Bound:
    def run(_: Pass, *parts: Any) -> Any:
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    return run


@rule("Pow")
def _pow(node: Node) -> Bound:
    def of_jets(p: Pass, a: Jet, b: Jet) -> Jet:
        if not b.d:
            return (
                root(p, Jet(*_broadcast(a, np.broadcast_shapes(a.v.shape, b.v.shape))))
                if (b.v == 0.5).all() and b.v.size
                else _power(a, b.v)
            )
        # a^b with a moving exponent: exp(b log a), and 0 where the base is 0 and stays it.
        result = exp(b * log(a))
        value = np.power(a.v, b.v)
        return Jet(value, tuple(np.where((a.v == 0) & ~np.isfinite(c), 0.0, c) for c in result.d))

    def run(p: Pass, a: Any, b: Any) -> Any:
        if isinstance(a, Jet) or isinstance(b, Jet):
            return of_jets(p, jet(a), jet(b))
        with np.errstate(all="ignore"):
            return np.asarray(np.power(a, b))

    return run


def _power(a: Jet, exponent: Array) -> Jet:
    """A to a power that stands still."""
    n = np.asarray(exponent, np.float64)
    return function(lambda v: np.power(v, n), lambda x: _scaled_power(x, n))(
        Jet(*_broadcast(a, np.broadcast_shapes(a.v.shape, n.shape)))
    )


def _scaled_power(x: Jet, n: Array) -> Jet:
    """n·x^(n-1), which is 0 for n = 0 whatever x is."""
    lower = np.where(n == 0, 1.0, n - 1.0)
    return jet(n) * (_power(x, lower) if x.d else jet(np.power(x.v, lower)))


def _broadcast(a: Jet, shape: tuple[int, ...]) -> tuple[Array, tuple[Array, ...]]:
    v = np.broadcast_to(a.v, shape)
    return v, tuple(np.broadcast_to(lift(c, v.ndim), (c.shape[0], *shape)) for c in a.d)


@rule("SquaredDifference")
def _squared_difference(node: Node) -> Bound:
    return _binary(lambda a, b: np.asarray((a - b) ** 2), lambda a, b: square(a - b))


@rule("Atan2")
def _atan2(node: Node) -> Bound:
    def of_jets(y: Jet, x: Jet) -> Jet:
        # d atan2 = (x dy - y dx) / (x² + y²), order by order.
        value = np.arctan2(y.v, x.v)
        slope_y, slope_x = x / (square(x) + square(y)), -y / (square(x) + square(y))
        return integrated(value, [(slope_y, y), (slope_x, x)])

    return _binary(lambda a, b: np.asarray(np.arctan2(a, b)), of_jets)


def integrated(value: Array, terms: list[tuple[Jet, Jet]]) -> Jet:
    """A function of several variables from its value and its partial derivatives: ``y' = sum of g_i · x_i'``.

    Args:
        value: at the point.
        terms: partial derivative and variable.
    """
    order = max(len(x.d) for _, x in terms)
    coefficients = []
    for k in range(1, order + 1):
        total: Any = 0.0
        for g, x in terms:
            for j in range(1, min(k, len(x.d)) + 1):
                factor = g.coefficient(k - j)
                if factor is not None:
                    moved = lift(x.d[j - 1], value.ndim)
                    total = total + moved * (lift(factor, value.ndim) if k > j else factor) * (j / k)
        coefficients.append(np.broadcast_to(total, (np.shape(total)[0], *value.shape)))
    return Jet(value, tuple(coefficients))


# -- what decides ----------------------------------------------------------------------------------------------


def _relu(p: Pass, x: Any, usual: float = 0.0) -> Any:
    if not isinstance(x, Jet):
        return np.maximum(x, 0)
    factor = p.decisions.step(x, usual)
    return Jet(np.maximum(x.v, 0.0), tuple(c * factor for c in x.d))


@rule("Relu", moves_only=True)
def _relu_rule(node: Node) -> Bound:
    return _relu


@rule("Relu6", moves_only=True)
def _relu6(node: Node) -> Bound:
    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return np.clip(x, 0, 6)
        low = p.decisions.step(x, 0.0)
        high = p.decisions.step(6.0 - x, 0.0)
        return Jet(np.clip(x.v, 0.0, 6.0), tuple(c * low * high for c in x.d))

    return run


@rule("LeakyRelu")
def _leaky_relu(node: Node) -> Bound:
    alpha = np.float64(np.float32(node.attributes.get("alpha", 0.2)))

    def run(p: Pass, x: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        positive = p.decisions.step(x, 0.0)
        factor = alpha + (1.0 - alpha) * positive
        v = np.where(x.v > 0, x.v, alpha * x.v)
        return Jet(v, tuple(c * factor for c in x.d)) if moving else v

    return run


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@rule("Elu", "Selu", grain=1.0)
def _elu(node: Node) -> Bound:
    alpha, scale = (_SELU_ALPHA, _SELU_SCALE) if node.op == "Selu" else (1.0, 1.0)

    def run(p: Pass, x: Any) -> Any:
        moving, x = isinstance(x, Jet), jet(x)
        positive = p.decisions.step(x, 0.0)
        negative = expm1(x) * alpha
        v = np.where(x.v > 0, x.v, negative.v) * scale
        d = tuple(
            scale * (positive * c + (1.0 - positive) * np.where(np.isfinite(n), n, 0.0))
            for c, n in zip(x.d, negative.d, strict=True)
        )
        return Jet(v, d) if moving else v

    return run


@rule("Abs", moves_only=True)
def _abs(node: Node) -> Bound:
    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return np.abs(x)
        sign = 2.0 * p.decisions.step(x, 0.5) - 1.0
        return Jet(np.abs(x.v), tuple(c * sign for c in x.d))

    return run


@rule("ComplexAbs")
def _complex_abs(node: Node) -> Bound:
    def run(p: Pass, x: Any) -> Any:
        x = jet(x)
        squares = Jet(x.v.real, tuple(c.real for c in x.d)), Jet(x.v.imag, tuple(c.imag for c in x.d))
        return root(p, square(squares[0]) + square(squares[1]))

    return run


@rule("Sqrt")
def _sqrt(node: Node) -> Bound:
    return lambda p, x: root(p, x) if isinstance(x, Jet) else sqrt(x).v


def root(p: Pass, x: Jet) -> Jet:
    """The square root: at 0, where it may be a cone such as √(x² + y²), what it is along each direction."""
    found = sqrt(x)
    return root_at_zeros(p, x, found) if not x.v.all() and x.v.dtype == np.float64 else found


@rule("Maximum", "Minimum", moves_only=True)
def _maximum(node: Node) -> Bound:
    largest = node.op == "Maximum"
    pick: Any = np.maximum if largest else np.minimum

    def run(p: Pass, a: Any, b: Any) -> Any:
        if not isinstance(a, Jet) and not isinstance(b, Jet):
            return np.asarray(pick(a, b))
        a, b = jet(a), jet(b)
        gap = a - b if largest else b - a
        first = p.decisions.step(gap, 1.0)
        v = np.asarray(pick(a.v, b.v))
        blend = _blend(first, a, b, v.ndim)
        return Jet(v, blend)

    return run


def _blend(first: Array, a: Jet, b: Jet, rank: int) -> tuple[Array, ...]:
    """``first`` times the coefficients of one jet and the rest of those of another."""
    second = 1.0 - first
    coefficients = []
    for k in range(max(len(a.d), len(b.d))):
        total: Any = 0.0
        # What is not chosen may be infinite, and has no say.
        if k < len(a.d):
            total = total + np.where(first == 0, 0.0, first * lift(a.d[k], rank))
        if k < len(b.d):
            total = total + np.where(second == 0, 0.0, second * lift(b.d[k], rank))
        coefficients.append(total)
    return tuple(coefficients)


@rule("ClipByValue", moves_only=True)
def _clip(node: Node) -> Bound:
    def run(p: Pass, x: Any, low: Any, high: Any) -> Any:
        if not any(isinstance(part, Jet) for part in (x, low, high)):
            return np.asarray(np.clip(x, low, high))
        x, low, high = jet(x), jet(low), jet(high)
        above = p.decisions.step(x - low, 1.0)
        v = np.maximum(x.v, low.v)
        raised = Jet(v, _blend(above, x, low, v.ndim))
        below = p.decisions.step(high - raised, 1.0)
        v = np.minimum(raised.v, high.v)
        return Jet(v, _blend(below, raised, high, v.ndim))

    return run


@rule("Sign")
def _sign(node: Node) -> Bound:
    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return np.sign(x)
        return p.decisions.pieces(np.sign, x, x)

    return run


@rule("Floor", "Ceil", "Round", "Rint")
def _round(node: Node) -> Bound:
    round_ = {"Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Rint": np.rint}[node.op]

    def run(p: Pass, x: Any) -> Any:
        if not isinstance(x, Jet):
            return np.asarray(x if np.asarray(x).dtype.kind in "iu" else round_(x))
        jumps = np.rint(x.v) if node.op in ("Floor", "Ceil") else np.floor(x.v) + 0.5
        return p.decisions.pieces(round_, x, x - jumps)

    return run


@rule("Cast", decisions=True)
def _cast(node: Node) -> Bound:
    source, target = node.attributes["SrcT"], node.attributes["DstT"]
    numbers = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
    integer = None if target in numbers else np.dtype("bool" if target == "bool" else target)
    complex_out, complex_in = target.startswith("complex"), source.startswith("complex")

    def run(p: Pass, x: Any) -> Any:
        if isinstance(x, Decided):
            x = p.decisions.settled(x)
        if integer is not None:
            if isinstance(x, Jet):
                if integer == np.bool_:
                    return p.decisions.holds(np.not_equal, x, np.zeros(()))
                return p.decisions.pieces(np.trunc, x, x - np.rint(x.v)).astype(integer)
            return np.asarray(x).astype(integer)
        if not isinstance(x, Jet):
            return np.asarray(x).astype(np.complex128 if complex_out else np.float64)
        if complex_out and not complex_in:
            return Jet(x.v.astype(np.complex128), tuple(c.astype(np.complex128) for c in x.d))
        if complex_in and not complex_out:
            return Jet(np.ascontiguousarray(x.v.real), tuple(np.ascontiguousarray(c.real) for c in x.d))
        return x

    return run


_COMPARISONS = {
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "Equal": np.equal,
    "NotEqual": np.not_equal,
}


@rule(*_COMPARISONS, moves_only=True)
def _compare(node: Node) -> Bound:
    comparison: Any = _COMPARISONS[node.op]
    return lambda p, a, b: p.decisions.holds(comparison, a, b)


@rule("LogicalAnd", "LogicalOr", moves_only=True, decisions=True)
def _logical(node: Node) -> Bound:
    combine: Any = np.logical_and if node.op == "LogicalAnd" else np.logical_or

    def run(p: Pass, a: Any, b: Any) -> Any:
        if not isinstance(a, Decided) and not isinstance(b, Decided):
            return np.asarray(combine(a, b))
        at = [x.at if isinstance(x, Decided) else np.asarray(x) for x in (a, b)]
        rank = np.broadcast(at[0], at[1]).ndim
        rows = [lift(x.rows, rank) if isinstance(x, Decided) else np.asarray(x) for x in (a, b)]
        return p.decisions.decided(combine(*at), combine(*rows))

    return run


@rule("LogicalNot", moves_only=True, decisions=True)
def _not(node: Node) -> Bound:
    return lambda p, a: Decided(~a.at, ~a.rows) if isinstance(a, Decided) else np.logical_not(a)


@rule("Select", "SelectV2", "Where3", moves_only=True, decisions=True)
def _select(node: Node) -> Bound:
    by_rows = node.op == "Select"

    def run(p: Pass, condition: Any, a: Any, b: Any) -> Any:
        if by_rows:
            # The older operation takes a condition per row, which does not broadcast from the right.
            rank = np.ndim(a.v if isinstance(a, Jet) else a)
            at = condition.at if isinstance(condition, Decided) else np.asarray(condition)
            if at.ndim == 1 and rank > 1:
                shape = (*at.shape, *(1,) * (rank - 1))
                if isinstance(condition, Decided):
                    condition = Decided(at.reshape(shape), condition.rows.reshape(-1, *shape))
                else:
                    condition = at.reshape(shape)
        return p.decisions.choose(condition, a, b)

    return run


@rule("IsFinite", "IsInf", "IsNan", moves_only=True)
def _is(node: Node) -> Bound:
    ask: Any = {"IsFinite": np.isfinite, "IsInf": np.isinf, "IsNan": np.isnan}[node.op]
    return lambda p, x: np.asarray(ask(x.v if isinstance(x, Jet) else x))


# -- complex numbers -------------------------------------------------------------------------------------------


@rule("Real", "Imag", "Conj", moves_only=True)
def _parts(node: Node) -> Bound:
    take: Any = {"Real": np.real, "Imag": np.imag, "Conj": np.conj}[node.op]

    def run(p: Pass, x: Any) -> Any:
        if isinstance(x, Jet):
            return Jet(np.ascontiguousarray(take(x.v)), tuple(np.ascontiguousarray(take(c)) for c in x.d))
        return np.ascontiguousarray(take(x))

    return run


@rule("Complex", moves_only=True)
def _complex(node: Node) -> Bound:
    def run(p: Pass, re: Any, im: Any) -> Any:
        both = jet(re) + jet(im) * np.complex128(1j)
        return both if isinstance(re, Jet) or isinstance(im, Jet) else both.v

    return run


@rule("Angle")
def _angle(node: Node) -> Bound:
    def run(p: Pass, x: Any) -> Any:
        z = jet(x)
        re = Jet(z.v.real, tuple(c.real for c in z.d))
        im = Jet(z.v.imag, tuple(c.imag for c in z.d))
        size = square(re) + square(im)
        return integrated(np.angle(z.v), [(re / size, im), (-im / size, re)]) if z.d else np.angle(z.v)

    return run
