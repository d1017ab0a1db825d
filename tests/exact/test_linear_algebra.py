"""Rules of linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare, slopes

_RANDOM = np.random.default_rng(5)
A = _RANDOM.normal(size=(3, 3))
BATCH = _RANDOM.normal(size=(2, 3, 3))
POSITIVE = BATCH @ BATCH.transpose(0, 2, 1) + np.eye(3)
TALL, WIDE = _RANDOM.normal(size=(4, 3)), _RANDOM.normal(size=(2, 3, 4))
B = _RANDOM.normal(size=(2, 3, 2))
LOWER = np.tril(BATCH) + 3 * np.eye(3)
EMPTY = np.zeros((0, 3, 3))
NO_ROWS = np.zeros((2, 0, 0))


def _symmetric(a: Any) -> Any:
    return (a + tf.linalg.matrix_transpose(a)) / 2


def _complex(a: Any) -> Any:
    """A complex matrix of a real one."""
    return tf.complex(a, a[..., ::-1, :] * 0.5)


def _hermitian(a: Any) -> Any:
    c = _complex(a)
    return c + tf.linalg.adjoint(c)


def _gauge_free(a: Any) -> Any:
    """Of singular vectors, what does not depend on their signs."""
    s, u, v = tf.linalg.svd(a)
    return s, tf.matmul(u * s[..., None, :] ** 2, v, adjoint_b=True)


def _banded(bands: Any, b: Any, **options: Any) -> Any:
    return tf.raw_ops.BandedTriangularSolve(matrix=bands, rhs=b, **options)


def _set_band(a: Any, b: Any) -> Any:
    return tf.linalg.set_diag(a, b, k=(-1, 0), align="RIGHT_LEFT")


CASES: dict[str, tuple[Any, ...]] = {
    "inverse": (tf.linalg.inv, BATCH),
    "inverse, adjoint": (lambda a: tf.linalg.inv(a, adjoint=True), A),
    "inverse, complex": (lambda a: tf.linalg.inv(_complex(a), adjoint=True), A),
    "inverse, no matrices": (tf.linalg.inv, EMPTY),
    "inverse, no rows": (tf.linalg.inv, NO_ROWS),
    "solve": (tf.linalg.solve, BATCH, B),
    "solve, adjoint": (lambda a, b: tf.linalg.solve(a, b, adjoint=True), BATCH, B),
    "solve, complex": (lambda a, b: tf.linalg.solve(_complex(a), _complex(b), adjoint=True), BATCH, B),
    "solve, only b moves": (lambda b: tf.linalg.solve(BATCH, b), B),
    "solve, no columns": (tf.linalg.solve, BATCH, np.zeros((2, 3, 0))),
    "triangular": (tf.linalg.triangular_solve, LOWER, B),
    "triangular, upper": (lambda a, b: tf.linalg.triangular_solve(a, b, lower=False), LOWER + BATCH, B),
    "triangular, adjoint": (lambda a, b: tf.linalg.triangular_solve(a, b, adjoint=True), LOWER, B),
    "triangular, one matrix": (tf.linalg.triangular_solve, LOWER[0], B[0]),
    "triangular, batches": (tf.linalg.triangular_solve, LOWER[:1], B),
    "banded": (_banded, 2 + _RANDOM.uniform(size=(2, 2, 3)), B),
    "banded, upper": (lambda a, b: _banded(a, b, lower=False), 2 + _RANDOM.uniform(size=(2, 2, 3)), B),
    "tridiagonal": (tf.linalg.tridiagonal_solve, 1 + _RANDOM.uniform(size=(2, 3, 3)), B),
    "tridiagonal product": (tf.linalg.tridiagonal_matmul, _RANDOM.normal(size=(2, 3, 3)), B),
    "least squares": (tf.linalg.lstsq, TALL, _RANDOM.normal(size=(4, 2))),
    "least squares, wide": (lambda a, b: tf.linalg.lstsq(a, b, l2_regularizer=0.1), WIDE, B),
    "determinant": (tf.linalg.det, BATCH),
    "determinant, complex": (lambda a: tf.linalg.det(_complex(a)), BATCH),
    "determinant, no rows": (tf.linalg.det, NO_ROWS),
    "log determinant": (tf.linalg.slogdet, BATCH),
    "log determinant, complex": (lambda a: tf.linalg.slogdet(_complex(a)), BATCH),
    "cholesky": (lambda a: tf.linalg.cholesky(_symmetric(a)), POSITIVE),
    "cholesky, complex": (lambda a: tf.linalg.cholesky(tf.matmul(c := _complex(a), c, adjoint_b=True)), A),
    "qr": (tf.linalg.qr, BATCH),
    "qr, tall": (tf.linalg.qr, TALL),
    "qr, wide": (tf.linalg.qr, WIDE),
    "eigh": (lambda a: tf.linalg.eigh(_symmetric(a)), BATCH),
    "eigvalsh": (lambda a: tf.linalg.eigvalsh(_symmetric(a)), BATCH),
    "eigvalsh, complex": (lambda a: tf.linalg.eigvalsh(_hermitian(a)), A),
    "svd": (_gauge_free, BATCH),
    "svd, tall": (_gauge_free, TALL),
    "svd, wide": (_gauge_free, WIDE),
    "singular values": (lambda a: tf.linalg.svd(a, compute_uv=False), WIDE),
    "square root": (tf.linalg.sqrtm, POSITIVE),
    "diag": (lambda a, fill: tf.linalg.diag(a, k=1, padding_value=fill), A, np.array(2.0)),
    "diag of bands": (lambda a: tf.linalg.diag(a, k=(-1, 1), num_rows=3), A),
    "diag part": (lambda a, fill: tf.linalg.diag_part(a, k=(-1, 1), padding_value=fill), BATCH, np.array(2.0)),
    "set diag": (tf.linalg.set_diag, A, A[0]),
    "set bands": (_set_band, BATCH, B.transpose(0, 2, 1)),
    "exponential": (tf.linalg.expm, BATCH),
}
# TensorFlow's own gradient is wrong here: it takes the determinant for its conjugate, and padding for a constant.
WRONG_IN_TENSORFLOW = {"determinant, complex", "diag", "diag part"}
if tuple(map(int, tf.__version__.split(".")[:2])) < (
    2,
    15,
):  # there the gradient takes the adjoint of the inverse for the inverse
    WRONG_IN_TENSORFLOW |= {"inverse, adjoint", "inverse, complex"}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    compare(function, *arrays, gradient=name not in WRONG_IN_TENSORFLOW)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: tf.raw_ops.Lu(input=a, output_idx_type=tf.int32).lu,
        lambda a: tf.linalg.eigvals(a + 5.0 * tf.linalg.diag(tf.constant([1.0, 2.0, 4.0], tf.float64))),
        lambda a: tf.raw_ops.BandedTriangularSolve(matrix=a, rhs=a, lower=True, adjoint=True),
        lambda a: tf.raw_ops.MatrixSolveLs(matrix=a, rhs=a, l2_regularizer=tf.constant(0.0, tf.float64), fast=False),
    ],
    ids=["lu", "eigvals", "banded, adjoint", "least squares, slow"],
)
def test_without_a_gradient_of_tensorflow(function: Callable[..., Any]) -> None:
    compare(function, A + 2 * np.eye(3), gradient=False)


def test_eigenvectors_of_general_matrices() -> None:
    def invariant(a: Any) -> Any:
        values, vectors = tf.linalg.eig(a)
        return tf.matmul(vectors * tf.square(values)[None, :], tf.linalg.inv(vectors))

    compare(invariant, A, gradient=False, rtol=1e-8)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_determinant_of_singular_matrices(rank: int) -> None:
    q, _ = np.linalg.qr(A)
    found = slopes(tf.linalg.det, q @ np.diag([2.0, 3.0, 0.0][:rank] + [0.0] * (3 - rank)) @ q.T)
    cofactors = 6.0 * np.outer(q[:, 2], q[:, 2]) if rank == 2 else np.zeros((3, 3))
    np.testing.assert_allclose(found.right[:, 0], cofactors.reshape(-1), atol=1e-14)
    assert found.ties == 0


def test_second_order_of_a_determinant() -> None:
    from gradcheck.exact.interpreter import Pass
    from tests.exact.checking import differentiable, flat

    of_vector, x = flat(tf.linalg.det, np.diag([2.0, 0.0, 0.0]))
    direction = np.array([[0.0, 0, 0, 0, 1, 3, 0, 5, 7]])
    found = differentiable(of_vector, 9).run(Pass(1, order=3), x, direction)
    # det(diag(2, 0, 0) + t d) = 2 t² (7 - 15)
    np.testing.assert_allclose([c[0, 0] for c in found.d], [0, -16, 0], atol=1e-13)


def test_equal_eigenvalues_have_one_sided_derivatives() -> None:
    found = slopes(lambda a: tf.linalg.eigvalsh(a + tf.linalg.matrix_transpose(a)) / 2.0, np.eye(2))
    # Along an off-diagonal entry the eigenvalues part: 1 ± ½|t|.
    np.testing.assert_allclose(found.right[1], [-0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(found.left[1], [0.5, -0.5], atol=1e-12)
    np.testing.assert_allclose(found.right[0], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(found.left[0], [1.0, 0.0], atol=1e-12)
    assert found.ties
    assert (found.low <= 0.0).all()
    assert (found.high >= 0.0).all()


def test_equal_singular_values() -> None:
    found = slopes(lambda a: tf.linalg.svd(a, compute_uv=False), np.eye(2))
    np.testing.assert_allclose(found.right[0], [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.left[0], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(found.right[1], [0.5, -0.5], atol=1e-12)


def test_the_sum_of_equal_singular_values_is_smooth_by_every_convention() -> None:
    found = slopes(lambda a: tf.reduce_sum(tf.linalg.svd(a, compute_uv=False)), np.eye(3))
    for side in (found.right, found.left, found.low, found.high):
        np.testing.assert_allclose(side[:, 0], np.eye(3).reshape(-1), atol=1e-12)


def test_a_singular_value_of_zero_is_a_cone() -> None:
    found = slopes(lambda a: tf.linalg.svd(a, compute_uv=False), np.diag([2.0, 0.0]))
    np.testing.assert_allclose(found.right[3], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(found.left[3], [0.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(found.right[0], [1.0, 0.0], atol=1e-12)


def test_vectors_of_equal_values_have_no_derivative() -> None:
    found = slopes(lambda a: tf.linalg.eigh(_symmetric(a))[1], np.diag([1.0, 1.0, 2.0]))
    vectors = found.right.reshape(9, 3, 3)
    assert np.isnan(vectors[:, :, :2]).all()
    assert np.isfinite(vectors[:, :, 2]).all()


def test_rounding_errors_grow_with_the_condition() -> None:
    plain = slopes(lambda a: tf.linalg.inv(a), np.eye(2))
    hard = slopes(lambda a: tf.linalg.inv(a), np.array([[1.0, 1.0], [1.0, 1.0 + 1e-6]]))
    size = np.abs(hard.value).max()
    assert np.max(plain.noise) < 1e-15
    assert 1e-12 < np.max(hard.noise) / size < 1e-8
