"""Stock Keras layers for sequences: what makes each, in float64, and how a batch is passed to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["LAYERS", "made"]

K = tf.keras.layers


def _self_attended(subject: Any, values: Any, mask: Any) -> Any:
    both = None if mask is None else [mask, mask]
    return subject([values, values], mask=both)


def _self_attended_by_heads(subject: Any, values: Any, mask: Any) -> Any:
    return subject(values, values, attention_mask=None if mask is None else mask[:, None, :])


def _embedded(subject: Any, values: Any) -> Any:
    """Ids from a constant, so that what is differentiated is the table; the values weigh the rows of it."""
    ids = tf.zeros_like(values[:, :, 0], tf.int32) + tf.range(tf.shape(values)[1]) % 5
    return subject(ids) * values[:, :, :1]


# The layer, and how it is called where its signature does not say.
LAYERS: dict[str, tuple[Callable[[], Any], Any]] = {
    "LSTM": (lambda: K.LSTM(2, dtype="float64"), None),
    "LSTM, all steps": (lambda: K.LSTM(2, return_sequences=True, dtype="float64"), None),
    "GRU": (lambda: K.GRU(2, dtype="float64"), None),
    "GRU, backwards": (lambda: K.GRU(2, return_sequences=True, go_backwards=True, dtype="float64"), None),
    "SimpleRNN": (lambda: K.SimpleRNN(2, dtype="float64"), None),
    "Bidirectional(LSTM)": (
        lambda: K.Bidirectional(K.LSTM(2, return_sequences=True, dtype="float64"), dtype="float64"),
        None,
    ),
    "Attention": (lambda: K.Attention(dtype="float64"), _self_attended),
    "AdditiveAttention": (lambda: K.AdditiveAttention(dtype="float64"), _self_attended),
    "MultiHeadAttention": (lambda: K.MultiHeadAttention(2, 2, dtype="float64"), _self_attended_by_heads),
    "GlobalAveragePooling1D": (lambda: K.GlobalAveragePooling1D(dtype="float64"), None),
    "GlobalMaxPooling1D": (lambda: K.GlobalMaxPooling1D(dtype="float64"), None),
    "Masking": (lambda: K.Masking(dtype="float64"), None),
    "Embedding": (lambda: K.Embedding(5, 2, dtype="float64"), _embedded),
    "LayerNormalization": (lambda: K.LayerNormalization(dtype="float64"), None),
    "BatchNormalization": (lambda: K.BatchNormalization(dtype="float64"), None),
}


def made(name: str, *, seed: int = 0) -> tuple[Any, Any]:
    """A built layer with weights that are not 0, and its ``call``."""
    make, call = LAYERS[name]
    layer = make()
    values = tf.zeros([1, 2, 3], tf.float64)
    (layer(values) if call is None else call(layer, *[values, None][: 1 if name == "Embedding" else 2]))
    random = np.random.default_rng(seed)
    layer.set_weights([w + 0.25 * random.uniform(-1, 1, w.shape) for w in layer.get_weights()])
    return layer, call
