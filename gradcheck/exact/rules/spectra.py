"""Eigenvalues and singular values, with their vectors.

Where values are distinct, perturbation theory gives every order. Where some are equal, the matrix that the direction
makes of their common space decides: its eigenvalues are the one-sided derivatives (Kato, *Perturbation Theory for
Linear Operators*, II §5). The vectors jump from one direction to the next there, and have no derivative: NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.decisions import Convention
from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import UNIT, Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.linear_algebra import adjoint, disturbed
from gradcheck.exact.rules.products import matmul
from gradcheck.exact.rules.shapes import apply
from gradcheck.exact.rules.through import kernel_of
from gradcheck.exact.table import Bound, rule

__all__: list[str] = []

# Values closer than so many units of the matrix's size are equal as far as anybody can tell.
_EQUAL = 16.0


@rule("SelfAdjointEigV2", matrix=True)
def _self_adjoint(node: Node) -> Bound:
    call, wants_vectors = kernel_of(node, compute_v=True), bool(node.attributes.get("compute_v", True))

    def symmetric(a: Array, lead: int) -> Array:
        lower = np.tril(a, -1)
        diagonal = np.real(np.diagonal(a, axis1=-2, axis2=-1))[..., None] * np.eye(a.shape[-1])
        return lower + np.conj(np.swapaxes(lower, -1, -2)) + diagonal

    def run(p: Pass, a: Any) -> Any:
        x = apply(disturbed(p, jet(a), UNIT[node.dtypes[0]]), symmetric)
        values, vectors = call(x.v)
        if not isinstance(a, Jet):
            return [values, vectors if wants_vectors else np.zeros(0, vectors.dtype)]
        local = matmul(matmul(adjoint(vectors), x), vectors)
        eigenvalues, turn = _perturbed(p, np.real(values), local, UNIT[node.dtypes[0]])
        moved = Jet(vectors, tuple(vectors @ c for c in turn))
        if np.iscomplexobj(values):
            eigenvalues = tuple(c.astype(values.dtype) for c in eigenvalues)
        return [Jet(values, eigenvalues), moved if wants_vectors else np.zeros(0, vectors.dtype)]

    return run


@rule("Svd", matrix=True)
def _svd(node: Node) -> Bound:
    wants_vectors = bool(node.attributes.get("compute_uv", True))
    call = kernel_of(node)

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), UNIT[node.dtypes[0]])
        s, u, v = call(x.v)
        if not isinstance(a, Jet):
            return [s, u, v]
        rows, columns = x.v.shape[-2:]
        count = min(rows, columns)
        if wants_vectors:
            left, right = _completed(u), _completed(v)
        else:
            left, _, right = np.linalg.svd(x.v)
            right = np.conj(np.swapaxes(right, -1, -2))
        # The singular values are eigenvalues of [[0, x], [xᴴ, 0]], with vectors [u, v] / √2; so are their opposites.
        basis = _both(left, right, count)
        values = np.concatenate([np.real(s), -np.real(s), np.zeros((*s.shape[:-1], rows + columns - 2 * count))], -1)
        local = matmul(matmul(adjoint(basis), apply(x, _augmented)), basis)
        found, turn = _perturbed(p, values, local, UNIT[node.dtypes[0]], descending=True, singular=count)
        moving = Jet(s, tuple(c[..., :count].astype(s.dtype) for c in found))
        if not wants_vectors:
            return [moving, u, v]
        pairs = [np.sqrt(2.0) * (basis @ c) for c in turn]
        parts = []
        for base, where in ((u, slice(0, rows)), (v, slice(rows, rows + columns))):
            extra = np.full((*base.shape[:-1], base.shape[-1] - count), np.nan)
            parts.append(
                Jet(
                    base,
                    tuple(
                        np.concatenate([c[..., where, :count], np.broadcast_to(extra, (len(c), *extra.shape))], -1)
                        for c in pairs
                    ),
                )
            )
        return [moving, *parts]

    return run


def _completed(u: Array) -> Array:
    """Orthonormal columns with others added until they span the space."""
    rows, count = u.shape[-2:]
    if rows == count or rows == 0:
        return u
    return np.concatenate([u, np.linalg.svd(u)[0][..., count:]], axis=-1)


def _both(left: Array, right: Array, count: int) -> Array:
    half = np.sqrt(0.5)
    a, b = left[..., :count] * half, right[..., :count] * half
    above = np.concatenate([a, a, left[..., count:], np.zeros((*left.shape[:-1], right.shape[-1] - count))], -1)
    below = np.concatenate([b, -b, np.zeros((*right.shape[:-1], left.shape[-1] - count)), right[..., count:]], -1)
    return np.concatenate([above, below], axis=-2)


def _augmented(a: Array, lead: int) -> Array:
    rows, columns = a.shape[-2:]
    full = np.zeros((*a.shape[:-2], rows + columns, rows + columns), a.dtype)
    full[..., :rows, rows:] = a
    full[..., rows:, :rows] = np.conj(np.swapaxes(a, -1, -2))
    return full


def _perturbed(
    p: Pass, values: Array, local: Jet, unit: float, *, descending: bool = False, singular: int | None = None
) -> tuple[tuple[Array, ...], list[Array]]:
    """Coefficients of eigenvalues, and of vectors in the coordinates of those at the point.

    Args:
        p: the pass.
        values: eigenvalues ``[…, n]``.
        local: the matrix in the coordinates of its eigenvectors.
        unit: roundoff of the type.
        descending: whether the largest of what was equal comes first.
        singular: how many of the values count; all where None.
    """
    n = values.shape[-1]
    gap = values[..., None, :] - values[..., :, None]  # λ_j - λ_i at [i, j]
    equal, alike = _clusters(p, values, gap, local, unit, singular)
    tied = np.asarray(equal.any(axis=-1))
    eye = np.eye(n, dtype=bool)
    with np.errstate(all="ignore"):
        inverse = np.where(eye, 0.0, np.where(equal | (gap == 0), np.nan, 1.0 / gap))
        series: list[Array] = [np.broadcast_to(np.eye(n), local.v.shape)]
        found: list[Array] = []
        for k in range(1, len(local.d) + 1):
            m: Any = local.d[k - 1]
            norm: Any = 0.0
            for j in range(1, k):
                m = m + local.d[j - 1] @ series[k - j] - series[k - j] * found[j - 1][..., None, :]
                norm = norm + np.conj(np.swapaxes(series[j], -1, -2)) @ series[k - j]
            here = np.real(np.diagonal(m, axis1=-2, axis2=-1)).copy()
            turn = m * inverse
            if k > 1:
                turn = turn + np.where(eye, -0.5 * norm, 0.0)
            turn = np.where(tied[..., None, :], np.nan, turn)
            if alike is not None or tied.any():
                _shared(p, here, m, k, equal, alike, descending)
            found.append(here)
            series.append(turn)
    return tuple(found), series[1:]


def _clusters(
    p: Pass, values: Array, gap: Array, local: Jet, unit: float, singular: int | None
) -> tuple[Array, Array | None]:
    """Which values are equal ``[…, n, n]``, and which are equal within the rounding errors of the type (or None)."""
    n = values.shape[-1]
    off = ~np.eye(n, dtype=bool)
    size = np.abs(values).max(axis=-1, initial=0.0)[..., None, None]
    noise = p.decisions.noise(local)
    noise = np.sqrt(np.square(noise).sum(axis=(-1, -2)))[..., None, None] if isinstance(noise, np.ndarray) else 0.0
    equal = (np.abs(gap) <= _EQUAL * UNIT["float64"] * size) & off
    alike = (np.abs(gap) <= _EQUAL * unit * size + 8.0 * noise) & off
    if not alike.any() or not local.d:
        return equal, None
    counted = np.arange(n) < (n if singular is None else singular)
    moves = (local.d[0][: p.directions] != 0).any(axis=0)
    ties = (alike & moves).any(axis=-1) & counted
    if ties.any():
        p.decisions.note(int(ties.sum()), int((ties & ~(equal.any(axis=-1))).sum()))
    return equal, alike


def _shared(p: Pass, here: Array, m: Array, k: int, equal: Array, alike: Array | None, descending: bool) -> None:
    """Put derivatives of equal values into ``here`` ``[directions, …, n]``."""
    along = p.decisions.convention is Convention.ALONG
    groups = equal if along or alike is None else alike
    for place in np.ndindex(*groups.shape[:-2]):
        done: set[int] = set()
        for first in range(groups.shape[-1]):
            members = sorted({first, *np.flatnonzero(groups[place][first])})
            if len(members) == 1 or first in done:
                continue
            done |= set(members)
            index: Any = (slice(None), *place, members)
            if k > 1:
                here[index] = np.nan
                continue
            matrices = m[index[:-1]]
            block: Array = matrices[:, members][:, :, members]
            here[index] = _derivatives(p, block, descending)


def _derivatives(p: Pass, block: Array, descending: bool) -> Array:
    """What equal values become along each direction, from the direction's matrix in their space ``[directions, n]``."""
    convention = p.decisions.convention
    if convention in (Convention.ALONG, Convention.LOW, Convention.HIGH):
        found = np.linalg.eigvalsh(block)
        return found[:, ::-1] if descending != (convention is Convention.HIGH) else found
    if convention is Convention.RANDOM:
        turn, _ = np.linalg.qr(p.deviations(block.shape[-1], block.shape[-1]))
        block = turn.T @ block @ turn
    return np.real(np.diagonal(block, axis1=-2, axis2=-1))


@rule("Eig", matrix=True)
def _eig(node: Node) -> Bound:
    call, wants_vectors = kernel_of(node, compute_v=True), bool(node.attributes.get("compute_v", True))

    def run(p: Pass, a: Any) -> Any:
        x = disturbed(p, jet(a), UNIT.get(node.attributes["T"], 0.0))
        values, vectors = call(x.v)
        if not isinstance(a, Jet):
            return [values, vectors if wants_vectors else np.zeros(0, vectors.dtype)]
        inverse = np.linalg.inv(vectors)
        local = [inverse @ c @ vectors for c in x.d]
        gram = np.conj(np.swapaxes(vectors, -1, -2)) @ vectors
        gap = values[..., None, :] - values[..., :, None]
        n = values.shape[-1]
        eye = np.eye(n, dtype=bool)
        size = np.abs(values).max(axis=-1, initial=0.0)[..., None, None]
        equal = (np.abs(gap) <= 1e-7 * size) & ~eye  # equal eigenvalues come out a root of the roundoff apart
        tied = equal.any(axis=-1)
        turned: list[Any] = [np.broadcast_to(np.eye(n), x.v.shape)]
        found: list[Array] = []
        with np.errstate(all="ignore"):
            scale = np.where(eye, 0.0, 1.0 / gap)
            for k in range(1, len(local) + 1):
                m = local[k - 1]
                norm: Any = 0.0
                for j in range(1, k):
                    m = m + local[j - 1] @ turned[k - j] - turned[k - j] * found[j - 1][..., None, :]
                    norm = norm + np.conj(np.swapaxes(turned[j], -1, -2)) @ gram @ turned[k - j]
                turn = m * scale
                # Columns keep length 1, and do not turn in the complex plane.
                turn = turn - np.where(eye, gram @ turn + 0.5 * norm, 0.0)
                found.append(np.where(tied, np.nan, np.diagonal(m, axis1=-2, axis2=-1)))
                turned.append(np.where(tied[..., None, :], np.nan, turn))
        moved = Jet(vectors, tuple(vectors @ c for c in turned[1:]))
        return [Jet(values, tuple(found)), moved if wants_vectors else np.zeros(0, vectors.dtype)]

    return run
