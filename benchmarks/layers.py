"""Stock Keras layers for sequences: what makes each, in some precision, and how a batch is passed to it."""

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
LAYERS: dict[str, tuple[Callable[[str], Any], Any]] = {
    "LSTM": (lambda dtype: K.LSTM(2, dtype=dtype), None),
    "LSTM, all steps": (lambda dtype: K.LSTM(2, return_sequences=True, dtype=dtype), None),
    "GRU": (lambda dtype: K.GRU(2, dtype=dtype), None),
    "GRU, backwards": (lambda dtype: K.GRU(2, return_sequences=True, go_backwards=True, dtype=dtype), None),
    "SimpleRNN": (lambda dtype: K.SimpleRNN(2, dtype=dtype), None),
    "Bidirectional(LSTM)": (
        lambda dtype: K.Bidirectional(K.LSTM(2, return_sequences=True, dtype=dtype), dtype=dtype),
        None,
    ),
    "Attention": (lambda dtype: K.Attention(dtype=dtype), _self_attended),
    "AdditiveAttention": (lambda dtype: K.AdditiveAttention(dtype=dtype), _self_attended),
    "MultiHeadAttention": (lambda dtype: K.MultiHeadAttention(2, 2, dtype=dtype), _self_attended_by_heads),
    "GlobalAveragePooling1D": (lambda dtype: K.GlobalAveragePooling1D(dtype=dtype), None),
    "GlobalMaxPooling1D": (lambda dtype: K.GlobalMaxPooling1D(dtype=dtype), None),
    "Masking": (lambda dtype: K.Masking(dtype=dtype), None),
    "Embedding": (lambda dtype: K.Embedding(5, 2, dtype=dtype), _embedded),
    "LayerNormalization": (lambda dtype: K.LayerNormalization(dtype=dtype), None),
    "BatchNormalization": (lambda dtype: K.BatchNormalization(dtype=dtype), None),
}


def made(name: str, *, seed: int = 0, dtype: str = "float64") -> tuple[Any, Any]:
    """A built layer with weights that are not 0, and its ``call``."""
    make, call = LAYERS[name]
    layer = make(dtype)
    values = tf.zeros([1, 2, 3], dtype)
    (layer(values) if call is None else call(layer, *[values, None][: 1 if name == "Embedding" else 2]))
    random = np.random.default_rng(seed)
    layer.set_weights([w + 0.25 * random.uniform(-1, 1, w.shape) for w in layer.get_weights()])
    return layer, call
