"""Linear algebra on a stack of matrices `[batch, n, n]`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def _positive(matrices: Any) -> Any:
    """Symmetric positive definite matrices made of any matrices."""
    size = tf.shape(matrices)[-1]
    return tf.matmul(matrices, matrices, transpose_b=True) + tf.eye(size, dtype=matrices.dtype)


def _regular(matrices: Any) -> Any:
    """Matrices that can be inverted: four times the identity is added."""
    return matrices / 2 + 4 * tf.eye(tf.shape(matrices)[-1], dtype=matrices.dtype)


def matmul(matrices: Any) -> Any:
    """``tf.matmul`` of each matrix with its transpose."""
    return tf.matmul(matrices, matrices, transpose_b=True)


def inverse(matrices: Any) -> Any:
    """``tf.linalg.inv``."""
    return tf.linalg.inv(_regular(matrices))


def determinant(matrices: Any) -> Any:
    """``tf.linalg.det`` of matrices that can be inverted."""
    return tf.linalg.det(_regular(matrices))


def log_determinant(matrices: Any) -> Any:
    """``tf.linalg.logdet`` of positive definite matrices."""
    return tf.linalg.logdet(_positive(matrices))


def sign_log_determinant(matrices: Any) -> Any:
    """``tf.linalg.slogdet``, its logarithm."""
    return tf.linalg.slogdet(_regular(matrices))[1]


def cholesky(matrices: Any) -> Any:
    """``tf.linalg.cholesky`` of positive definite matrices."""
    return tf.linalg.cholesky(_positive(matrices))


def cholesky_solve(matrices: Any) -> Any:
    """``tf.linalg.cholesky_solve``, the matrix itself on the right."""
    return tf.linalg.cholesky_solve(tf.linalg.cholesky(_positive(matrices)), matrices)


def solve(matrices: Any) -> Any:
    """``tf.linalg.solve``, the matrix itself on the right."""
    return tf.linalg.solve(_regular(matrices), matrices)


def triangular_solve(matrices: Any) -> Any:
    """``tf.linalg.triangular_solve``, the matrix itself on the right."""
    return tf.linalg.triangular_solve(_regular(matrices), matrices)


def least_squares(matrices: Any) -> Any:
    """``tf.linalg.lstsq`` of regular matrices, the matrix itself on the right."""
    return tf.linalg.lstsq(_regular(matrices), matrices, fast=True)


def qr(matrices: Any) -> Any:
    """``tf.linalg.qr`` of matrices that can be inverted: the triangle, its diagonal made positive.

    Which sign a row has is a convention, and another one where the matrix is triangular already: a jump.

    The identity is not ``_regular``'s: from 2.13 on ``tf.eye`` of a size that is partly known tells the static shape of
    the sum, and the gradient, which needs one, runs only thanks to that.
    """
    identity = tf.linalg.diag(tf.ones_like(matrices[..., 0]))
    triangle = tf.linalg.qr(matrices / 2 + 4 * identity)[1]
    return tf.sign(tf.linalg.diag_part(triangle))[..., tf.newaxis] * triangle


def singular_values(matrices: Any) -> Any:
    """``tf.linalg.svd(compute_uv=False)`` of diagonals that differ plus small numbers: no two values are alike."""
    return tf.linalg.svd(_spread(matrices), compute_uv=False)


def eigenvalues(matrices: Any) -> Any:
    """``tf.linalg.eigh`` of symmetric matrices: the eigenvalues, no two alike."""
    spread = _spread(matrices)
    return tf.linalg.eigh((spread + tf.linalg.matrix_transpose(spread)) / 2)[0]


def _spread(matrices: Any) -> Any:
    size = tf.shape(matrices)[-1]
    return matrices / 16 + tf.linalg.diag(tf.cast(tf.range(1, size + 1), matrices.dtype))


def matrix_exponential(matrices: Any) -> Any:
    """``tf.linalg.expm``."""
    return tf.linalg.expm(matrices / 4)


def band_part(matrices: Any) -> Any:
    """``tf.linalg.band_part``: the diagonal and what is below it."""
    return tf.linalg.band_part(tf.sin(matrices), -1, 0)


def set_diagonal(matrices: Any) -> Any:
    """``tf.linalg.set_diag`` to the sum of each row."""
    return tf.linalg.set_diag(tf.sin(matrices), tf.reduce_sum(matrices, axis=-1))


def trace(matrices: Any) -> Any:
    """``tf.linalg.trace`` of the square."""
    return tf.linalg.trace(tf.matmul(matrices, matrices))


def tridiagonal_solve(matrices: Any) -> Any:
    """``tf.linalg.tridiagonal_solve`` of the matrices' own three diagonals."""
    return tf.linalg.tridiagonal_solve(_regular(matrices), matrices, diagonals_format="matrix")
