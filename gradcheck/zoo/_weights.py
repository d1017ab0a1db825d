"""Stock Keras layers with weights that are the same on every TensorFlow and every Keras.

A layer's own initial weights are random, many are zeros or ones, and the numbers of one seed differ between versions;
then a failing case of one version would not be the same case under another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["with_weights"]


def with_weights(layer: Any, *example: Any, **keywords: Any) -> Any:
    """The layer, built by one call on ``example`` and given fixed weights.

    Weights are odd multiples of 1/32 between -1 and 1, none of them zero and no two alike in a small layer; variances
    lie between 0.5 and 1.5.

    Args:
        layer: a Keras layer.
        *example: arguments of the call that builds it, of the shapes and dtypes that it will get.
        **keywords: keyword arguments of that call.
    """
    with _float_type(layer.dtype):
        layer(*example, **keywords)
    random = np.random.RandomState(7)
    fixed = []
    for weight in layer.weights:
        numbers = (2 * random.randint(-16, 16, size=tuple(weight.shape)) + 1) / 32
        if "variance" in weight.name:
            numbers = 1 + numbers / 2
        fixed.append(numbers.astype(np.float64))
    layer.set_weights(fixed)
    return layer


@contextlib.contextmanager
def _float_type(name: str) -> Iterator[None]:
    """Keras's own float type for a while: up to 2.13 layers inside a ``MultiHeadAttention`` get that, not its dtype."""
    before = tf.keras.backend.floatx()
    tf.keras.backend.set_floatx(name)
    try:
        yield
    finally:
        tf.keras.backend.set_floatx(before)
