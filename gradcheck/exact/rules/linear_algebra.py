"""Linear algebra: solutions, inverses, determinants, factors, eigenvalues and singular values.

The value is TensorFlow's own or NumPy's. Coefficients follow from the equation that defines the result, order by order.
A kernel of this family is exact for a matrix beside the one that it was given, ``unit · norm`` away: that error is
made in the input, so that it comes out as large as the condition of the problem makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import UNIT, Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.products import matmul
from gradcheck.exact.rules.shapes import apply
from gradcheck.exact.rules.through import by_numbers, kernel_of
from gradcheck.exact.table import Bound, rule

__all__ = ["adjoint", "cross_terms", "disturbed", "solved"]


def adjoint(x: Any) -> Any:
    """Transposed and conjugated."""
    return apply(x, lambda a, lead: _turned(a))


def disturbed(p: Pass, x: Jet, unit: float) -> Jet:
    """A matrix with the error that its kernel makes as if in its input."""
    if not unit or not (p.lanes or p.shaken) or not x.d or (p.only is not None and p.decisions.now not in p.only):
        return x
    size = np.sqrt(np.mean(np.square(np.abs(x.v)), axis=(-1, -2), keepdims=True)) if x.v.size else x.v
    return p.rounded(x, unit, np.broadcast_to(size, x.v.shape), None, ())


def _unit(node: Node) -> float:
    return UNIT.get(node.dtypes[0], 0.0)


def cross_terms(a: Sequence[Array], b: Sequence[Array], k: int, first: int = 1) -> Array | float:
    """The sum of ``a_j b_(k-j)`` over ``first <= j < k``, whose factors are all coefficients of order 1 or more."""
    total: Any = 0.0
    for j in range(first, k):
        if j < len(a) and k - j < len(b):
            total = total + a[j] @ b[k - j]
    return total


def _turned(m: Array) -> Array:
    return np.conj(np.swapaxes(m, -1, -2))


def _series(x: Jet) -> list[Array]:
    """Value and coefficients in one list, so that indices are orders."""
    return [x.v, *x.d]


def _direct(a: Array, b: Array) -> Array:
    """``a⁻¹ b`` where ``b`` may have axes in front of those of ``a``: one factorisation for all of them."""
    lead = b.ndim - a.ndim
    if a.shape[-1] == 0 or b.size == 0:
        return np.zeros((*b.shape[:-2], a.shape[-1], b.shape[-1]), np.result_type(a, b))
    if lead <= 0:
        return np.asarray(np.linalg.solve(a, b))
    front = b.shape[:lead]
    rows = np.moveaxis(b, tuple(range(lead)), tuple(range(-lead - 1, -1)))  # […, n, *front, k]
    flat = rows.reshape(*rows.shape[: b.ndim - lead - 1], -1)
    found = np.linalg.solve(np.broadcast_to(a, (*flat.shape[:-2], *a.shape[-2:])), flat)
    found = found.reshape(*flat.shape[:-1], *front, b.shape[-1])
    return np.asarray(np.moveaxis(found, tuple(range(-lead - 1, -1)), tuple(range(lead))))


def _substituted(lower: bool) -> Callable[[Array, Array], Array]:
    """Solves with a triangle, row by row: the digits of rows of very different size are kept."""

    def solve(a: Array, b: Array) -> Array:
        n = a.shape[-1]
        kind = np.result_type(a, b)
        shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x = np.zeros((*shape, n, b.shape[-1]), kind)
        for i in range(n) if lower else range(n - 1, -1, -1):
            done = slice(0, i) if lower else slice(i + 1, n)
            known = (a[..., i : i + 1, done] @ x[..., done, :])[..., 0, :]
            x[..., i, :] = (b[..., i, :] - known) / a[..., i, i, None]
        return x

    return solve


def solved(a: Any, b: Any, direct: Callable[[Array, Array], Array] = _direct) -> Jet:
    """The solution of ``a x = b``: ``x_k = a⁻¹ (b_k - a_1 x_(k-1) - … - a_k x_0)``.

    Args:
        a: ``[…, n, n]``.
        b: ``[…, n, k]``.
        direct: solves with the value of ``a``.
    """
    a, b = jet(a), jet(b)
    with np.errstate(all="ignore"):
        x = [direct(a.v, b.v)]
        batch = x[0].shape[:-2]
        for k in range(1, max(len(a.d), len(b.d)) + 1):
            right: Any = _spread(b.d[k - 1], batch) if k <= len(b.d) else 0.0
            for j in range(1, min(k, len(a.d)) + 1):
                right = right - _spread(a.d[j - 1], batch) @ x[k - j]
            x.append(direct(a.v, np.broadcast_to(right, (np.shape(right)[0], *x[0].shape))))
    return Jet(x[0], tuple(x[1:]))


def _spread(c: Array, batch: tuple[int, ...]) -> Array:
    """A coefficient of matrices with axes of size 1 for those of a batch that it lacks."""
    missing = len(batch) - (c.ndim - 3)
    return c.reshape(c.shape[0], *(1,) * missing, *c.shape[1:]) if missing > 0 else c


def _returned(found: Jet, *inputs: Any) -> Any:
    return found if any(isinstance(x, Jet) for x in inputs) else found.v


# -- solutions and inverses -------------------------------------------------------------------------------------


@rule("MatrixInverse", matrix=True)
def _inverse(node: Node) -> Bound:
    turn, unit = bool(node.attributes.get("adjoint")), _unit(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        identity = np.broadcast_to(np.eye(x.v.shape[-1]), x.v.shape)
        found = solved(x, identity)
        return _returned(adjoint(found) if turn else found, a)

    return run


@rule("MatrixSolve", matrix=True)
def _solve(node: Node) -> Bound:
    turn, unit = bool(node.attributes.get("adjoint")), _unit(node)

    def run(p: Pass, a: Any, b: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        return _returned(solved(adjoint(x) if turn else x, b), a, b)

    return run


@rule("MatrixTriangularSolve", "BatchMatrixTriangularSolve", matrix=True)
def _triangular_solve(node: Node) -> Bound:
    lower = bool(node.attributes.get("lower", True))
    turn = bool(node.attributes.get("adjoint"))
    triangle: Any = np.tril if lower else np.triu

    def run(_: Pass, a: Any, b: Any) -> Any:
        used = apply(jet(a), lambda m, lead: triangle(m))
        return _returned(solved(adjoint(used) if turn else used, b, _substituted(lower != turn)), a, b)

    return run


@rule("BandedTriangularSolve", matrix=True)
def _banded_solve(node: Node) -> Bound:
    lower = bool(node.attributes.get("lower", True))
    turn = bool(node.attributes.get("adjoint"))

    def run(_: Pass, bands: Any, b: Any) -> Any:
        full = apply(jet(bands), lambda m, lead: _from_bands(m, lower))
        return _returned(solved(adjoint(full) if turn else full, b, _substituted(lower != turn)), bands, b)

    return run


def _from_bands(bands: Array, lower: bool) -> Array:
    """A triangle from its diagonals, of which each row of the triangle reads its own column."""
    count, n = bands.shape[-2:]
    full = np.zeros((*bands.shape[:-2], n, n), bands.dtype)
    for k in range(count):
        offset = k if lower else count - 1 - k  # distance from the main diagonal
        places = np.arange(n - offset)
        if lower:
            full[..., places + offset, places] = bands[..., k, offset:]
        else:
            full[..., places, places + offset] = bands[..., k, : n - offset]
    return full


@rule("TridiagonalSolve", matrix=True)
def _tridiagonal_solve(node: Node) -> Bound:
    unit = _unit(node)

    def assembled(m: Array, lead: int) -> Array:
        n = m.shape[-1]
        full = np.zeros((*m.shape[:-2], n, n), m.dtype)
        i = np.arange(n)
        full[..., i[:-1], i[1:]] = m[..., 0, : n - 1]
        full[..., i, i] = m[..., 1, :]
        full[..., i[1:], i[:-1]] = m[..., 2, 1:]
        return full

    def run(p: Pass, diagonals: Any, b: Any) -> Any:
        return _returned(solved(disturbed(p, apply(jet(diagonals), assembled), unit), b), diagonals, b)

    return run


@rule("TridiagonalMatMul")
def _tridiagonal_matmul(node: Node) -> Bound:
    def row(x: Any) -> Jet:
        return apply(jet(x), lambda a, lead: np.swapaxes(a, -1, -2))

    def run(_: Pass, above: Any, main: Any, below: Any, b: Any) -> Any:
        x = jet(b)

        def shifted(a: Array, lead: int, by: int) -> Array:
            found = np.zeros_like(a)
            if by > 0:
                found[..., :-by, :] = a[..., by:, :]
            else:
                found[..., -by:, :] = a[..., :by, :]
            return found

        after = apply(x, lambda a, lead: shifted(a, lead, 1))
        before = apply(x, lambda a, lead: shifted(a, lead, -1))
        found = row(main) * x + row(above) * after + row(below) * before
        return _returned(found, above, main, below, b)

    return run


@rule("MatrixSolveLs", matrix=True)
def _least_squares(node: Node) -> Bound:
    unit, fast = _unit(node), bool(node.attributes.get("fast", True))

    def run(p: Pass, a: Any, b: Any, regularizer: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        rows, columns = x.v.shape[-2:]
        strength = np.asarray(regularizer.v if isinstance(regularizer, Jet) else regularizer) if fast else 0.0
        turned = adjoint(x)
        if rows >= columns:
            normal = matmul(turned, x) + strength * np.eye(columns)
            return _returned(solved(normal, matmul(turned, b)), a, b)
        normal = matmul(x, turned) + strength * np.eye(rows)
        return _returned(jet(matmul(turned, solved(normal, b))), a, b)

    return run


# -- determinants ------------------------------------------------------------------------------------------------


@rule("MatrixDeterminant", matrix=True)
def _determinant_rule(node: Node) -> Bound:
    unit = _unit(node)

    def run(p: Pass, a: Any) -> Any:
        if not isinstance(a, Jet):
            return np.linalg.det(a)
        x = disturbed(p, a, unit)
        found = _determinant(x)
        if not (p.shaken and p.formulas and found.d) or not x.v.shape[-1]:
            return found
        # The cofactors have rounding errors relative to the largest of them.
        singular = np.linalg.svd(x.v, compute_uv=False)
        largest = singular[..., :-1].prod(axis=-1) * np.sqrt(np.square(np.abs(x.d[0])).sum(axis=(-1, -2)))
        off = p.shaken * unit * largest * p.deviations(*found.d[0].shape)
        return Jet(found.v, (found.d[0] + off, *found.d[1:]))

    return run


# A matrix of a condition below it has cofactors that its inverse gives to the last digits.
_REGULAR = 1e6


def _determinant(x: Jet) -> Jet:
    """By the inverse; of a matrix that is nearly singular in the coordinates of the singular vectors.

    There the value is a product, and singular matrices are no special case.
    """
    value = np.asarray(np.linalg.det(x.v))
    if not x.d:
        return Jet(value)
    if x.v.shape[-1] == 0:
        return Jet(value, tuple(np.zeros((c.shape[0], *value.shape)) for c in x.d))
    u, s, vh = np.linalg.svd(x.v)
    if len(x.d) == 1 and (s[..., 0] < _REGULAR * s[..., -1]).all():
        cofactors = value[..., None, None] * np.swapaxes(np.linalg.inv(x.v), -1, -2)
        return Jet(value, ((cofactors * x.d[0]).sum(axis=(-1, -2)),))
    sign = np.linalg.det(u) * np.linalg.det(vh)
    turned = matmul(matmul(adjoint(u), x), adjoint(vh))
    if len(x.d) == 1:
        n = s.shape[-1]
        others = np.where(np.eye(n, dtype=bool), 1.0, s[..., None, :]).prod(axis=-1)
        diagonal = np.diagonal(turned.d[0], axis1=-2, axis2=-1)
        return Jet(value, (sign * (diagonal * others).sum(axis=-1),))
    exact = apply(turned, lambda a, lead: a if lead else s[..., None] * np.eye(s.shape[-1]))
    return Jet(value, (_berkowitz(exact) * sign).d)


def _berkowitz(x: Jet) -> Jet:
    """The determinant without any division (Berkowitz 1984)."""
    n = x.v.shape[-1]

    def part(rows: slice, columns: slice) -> Jet:
        return apply(x, lambda a, lead: a[..., rows, columns])

    # Coefficients of the characteristic polynomial of the leading blocks, the highest first.
    polynomial = [jet(np.ones(x.v.shape[:-2])), -_scalar(part(slice(0, 1), slice(0, 1)))]
    for r in range(1, n):
        block, here = part(slice(0, r), slice(0, r)), slice(r, r + 1)
        row, column = part(here, slice(0, r)), part(slice(0, r), here)
        toeplitz = [jet(np.ones(x.v.shape[:-2])), -_scalar(part(here, here))]
        for _ in range(r):
            toeplitz.append(-_scalar(jet(matmul(row, column))))
            column = jet(matmul(block, column))
        following = []
        for i in range(r + 2):
            total = jet(np.zeros(x.v.shape[:-2]))
            for j in range(max(0, i - r - 1), min(i, r) + 1):
                total = total + toeplitz[i - j] * polynomial[j]
            following.append(total)
        polynomial = following
    return polynomial[n] * (-1.0) ** n


def _scalar(x: Jet) -> Jet:
    return apply(x, lambda a, lead: a[..., 0, 0])


@rule("LogMatrixDeterminant", matrix=True)
def _log_determinant(node: Node) -> Bound:
    unit = _unit(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        sign, size = (np.asarray(part) for part in np.linalg.slogdet(x.v))
        if not isinstance(a, Jet) or not x.d:
            return [sign, size] if not isinstance(a, Jet) else [Jet(sign), Jet(size)]
        singular = sign == 0
        regular = np.where(singular[..., None, None], np.eye(x.v.shape[-1]), x.v)
        inverse = _series(solved(Jet(regular, x.d), np.broadcast_to(np.eye(x.v.shape[-1]), x.v.shape)))
        logarithm = []
        for k in range(1, len(x.d) + 1):
            total: Any = 0.0
            for j in range(1, k + 1):
                trace = (np.swapaxes(inverse[k - j], -1, -2) * x.d[j - 1]).sum(axis=(-1, -2))
                total = total + trace * (j / k)
            logarithm.append(np.where(singular, np.nan, total))
        found = Jet(size, tuple(np.ascontiguousarray(np.real(c)) for c in logarithm))
        if not np.iscomplexobj(x.v):
            return [Jet(sign, tuple(np.zeros_like(c) for c in found.d)), found]
        from gradcheck.exact.rules.elementwise import exp

        turning = exp(Jet(np.zeros(size.shape, np.complex128), tuple(1j * np.imag(c) for c in logarithm)))
        return [turning * sign, Jet(size.astype(np.complex128), tuple(c.astype(np.complex128) for c in found.d))]

    return run


# -- factors -----------------------------------------------------------------------------------------------------


@rule("Cholesky", "BatchCholesky", matrix=True)
def _cholesky(node: Node) -> Bound:
    unit = _unit(node)

    def symmetric(a: Array, lead: int) -> Array:
        lower = np.tril(a, -1)
        diagonal = np.real(np.diagonal(a, axis1=-2, axis2=-1))[..., None] * np.eye(a.shape[-1])
        return lower + np.conj(np.swapaxes(lower, -1, -2)) + diagonal

    def run(p: Pass, a: Any) -> Any:
        # The kernel reads the lower triangle only.
        x = apply(disturbed(p, jet(a), unit), symmetric)
        factor = [np.linalg.cholesky(x.v)]
        inner = _substituted(True)
        n = x.v.shape[-1]
        half = np.tril(np.ones((n, n))) - 0.5 * np.eye(n)
        for k in range(1, len(x.d) + 1):
            rest = x.d[k - 1] - cross_terms(factor, [np.conj(np.swapaxes(f, -1, -2)) for f in factor], k)
            once = inner(factor[0], rest)
            twice = inner(factor[0], np.conj(np.swapaxes(once, -1, -2)))
            factor.append(factor[0] @ (half * np.conj(np.swapaxes(twice, -1, -2))))
        return _returned(Jet(factor[0], tuple(factor[1:])), a)

    return run


@rule("Qr", matrix=True)
def _qr(node: Node) -> Bound:
    call, unit = kernel_of(node), _unit(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        q0, r0 = call(x.v)
        if not x.d:
            return [q0, r0] if not isinstance(a, Jet) else [Jet(q0), Jet(r0)]
        rows, columns = x.v.shape[-2:]
        count = min(rows, columns)
        first = apply(x, lambda m, lead: m[..., :count])
        q, r = _qr_series(first, q0[..., :count], r0[..., :count, :count])
        if columns > rows:
            rest = matmul(adjoint(q), apply(x, lambda m, lead: m[..., count:]))
            r = Jet(r0, tuple(np.concatenate([c, e], axis=-1) for c, e in zip(r.d, rest.d, strict=True)))
        if q0.shape[-1] > count:
            # Columns beyond those of the matrix are any that fit: they have no derivative.
            extra = q0.shape[-1] - count
            q = Jet(q0, tuple(_beside(c, np.full((*c.shape[:-1], extra), np.nan)) for c in q.d))
            r = Jet(r0, tuple(np.concatenate([c, np.zeros((*c.shape[:-2], extra, columns))], axis=-2) for c in r.d))
        return [q, r]

    return run


def _beside(a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def _qr_series(x: Jet, q0: Array, r0: Array) -> tuple[Jet, Jet]:
    """The factors of a matrix with as many rows as columns or more."""
    q, r = [q0], [r0]
    h = _turned
    with np.errstate(all="ignore"):
        solve_right = _substituted(True)  # m r0⁻¹ is the solution with r0ᴴ, turned
        full = np.abs(np.diagonal(r0, axis1=-2, axis2=-1)).min(axis=-1, initial=np.inf)
        full = (full > 1e-14 * np.abs(r0).max(axis=(-1, -2), initial=0.0))[..., None, None]
        for k in range(1, len(x.d) + 1):
            rest = x.d[k - 1] - cross_terms(q, r, k)
            lacking = 0.5 * cross_terms([h(m) for m in q], q, k)
            ratio = h(solve_right(h(r0), h(h(q0) @ rest))) + lacking
            low: Array = np.tril(ratio, -1)
            turn: Array = low - h(low)
            if np.iscomplexobj(ratio):
                turn = turn + 1j * np.imag(np.diagonal(ratio, axis1=-2, axis2=-1))[..., None] * np.eye(low.shape[-1])
            r_k = np.triu(ratio - turn) @ r0
            q_k = h(solve_right(h(r0), h(rest - q0 @ r_k)))
            q.append(np.where(full, q_k, np.nan))
            r.append(np.where(full, r_k, np.nan))
    return Jet(q0, tuple(q[1:])), Jet(r0, tuple(r[1:]))


@rule("Lu", matrix=True)
def _lu(node: Node) -> Bound:
    call, unit = kernel_of(node), _unit(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        packed, order = call(x.v)
        if not isinstance(a, Jet):
            return [packed, order]
        n = x.v.shape[-1]
        low, up = [np.tril(packed, -1) + np.eye(n)], [np.triu(packed)]
        results = []
        places = np.asarray(order)[..., None].astype(np.int64)
        with np.errstate(all="ignore"):
            for k in range(1, len(x.d) + 1):
                permuted = np.take_along_axis(x.d[k - 1], np.broadcast_to(places, x.d[k - 1].shape), -2)
                rest = permuted - cross_terms(low, up, k)
                part = _substituted(True)(low[0], rest)
                ratio = np.swapaxes(_substituted(True)(np.swapaxes(up[0], -1, -2), np.swapaxes(part, -1, -2)), -1, -2)
                low.append(low[0] @ np.tril(ratio, -1))
                up.append(np.triu(ratio) @ up[0])
                results.append(np.tril(low[k], -1) + up[k])
        return [Jet(packed, tuple(results)), order]

    return run


@rule("MatrixSquareRoot", matrix=True)
def _square_root(node: Node) -> Bound:
    call, unit = kernel_of(node), _unit(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), unit)
        root = [call(x.v)]
        n = x.v.shape[-1]
        if x.d and n:
            # root X + X root = right, as one system of n² equations.
            eye = np.eye(n)
            left = np.einsum("...ij,kl->...ikjl", root[0], eye) + np.einsum("ij,...lk->...ikjl", eye, root[0])
            system = left.reshape(*root[0].shape[:-2], n * n, n * n)
            for k in range(1, len(x.d) + 1):
                rest = x.d[k - 1] - cross_terms(root, root, k)
                found = _direct(system, rest.reshape(*rest.shape[:-2], n * n, 1))
                root.append(found.reshape(rest.shape))
        return _returned(Jet(root[0], tuple(root[1:])), a)

    return run


# -- diagonals ---------------------------------------------------------------------------------------------------


@rule("MatrixDiagV2", "MatrixDiagV3", moves_only=True)
def _diag(node: Node) -> Bound:
    return by_numbers(node, (0, 4))


@rule("MatrixDiagPartV2", "MatrixDiagPartV3", moves_only=True)
def _diag_part(node: Node) -> Bound:
    return by_numbers(node, (0, 2))


@rule("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3", "BatchMatrixSetDiag", moves_only=True)
def _set_diag(node: Node) -> Bound:
    return by_numbers(node, (0, 1))
