"""Rules of Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare

X = np.random.default_rng(3).normal(size=(2, 2, 3, 4))


def _complex(x: Any) -> Any:
    return tf.complex(x, x[..., ::-1] * 0.5)


CASES: dict[str, tuple[Any, ...]] = {
    "fft": (lambda x: tf.signal.fft(_complex(x)), X[0, 0]),
    "fft2d": (lambda x: tf.signal.fft2d(_complex(x)), X[0]),
    "fft3d": (lambda x: tf.signal.fft3d(_complex(x)), X[0]),
    "ifft": (lambda x: tf.signal.ifft(_complex(x)), X[0, 0]),
    "ifft2d": (lambda x: tf.signal.ifft2d(_complex(x)), X[0]),
    "ifft3d": (lambda x: tf.signal.ifft3d(_complex(x)), X[0]),
    "rfft": (tf.signal.rfft, X[0]),
    "rfft, longer": (lambda x: tf.signal.rfft(x, [7]), X[0, 0]),
    "rfft, shorter": (lambda x: tf.signal.rfft(x, [3]), X[0, 0]),
    "rfft2d": (tf.signal.rfft2d, X[0]),
    "rfft2d, other sizes": (lambda x: tf.signal.rfft2d(x, [2, 6]), X[0]),
    "rfft3d": (tf.signal.rfft3d, X[0]),
    "irfft": (lambda x: tf.signal.irfft(_complex(x)), X[0, 0]),
    "irfft, odd": (lambda x: tf.signal.irfft(_complex(x), [5]), X[0, 0]),
    "irfft2d": (lambda x: tf.signal.irfft2d(_complex(x)), X[0]),
    "irfft3d": (lambda x: tf.signal.irfft3d(_complex(x)), X[0]),
    "no rows": (lambda x: tf.signal.fft(_complex(x)), np.zeros((0, 3))),
    "short time": (lambda x: tf.signal.stft(x, 4, 2), X[0, 0].reshape(-1)),
}
# TensorFlow has no gradient of these, or one that fails for lengths that are not the input's.
WITHOUT_GRADIENT = {"rfft3d", "irfft3d", "rfft, shorter", "rfft2d, other sizes", "irfft, odd"}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    compare(function, *arrays, gradient=name not in WITHOUT_GRADIENT)
