"""The layers and functions that are timed, and the batch that they are timed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck import Batch
from gradcheck.strategies import Padding
from gradcheck.variants import subjects as bundled

ROWS, STEPS, FEATURES, UNITS = 3, 6, 4, 5

LOOPS = ("while_loop_rows_pooling", "map_fn_padded_rows_recurrence", "scan_steps_recurrence")


def batch(rows: int = ROWS, steps: int = STEPS, features: int = FEATURES) -> Batch:
    """Lengths from full to short, padding of zeros behind."""
    values = np.random.default_rng(0).normal(size=(rows, steps, features))
    lengths = np.linspace(steps, 1, rows).astype(np.int32)
    for row, length in enumerate(lengths):
        values[row, length:] = 0.0
    return Batch(values, lengths, Padding("post"))


def attention_call(layer: Any, values: Any, mask: Any) -> Any:
    return layer(values, values, attention_mask=mask[:, None, :])


def layer(name: str) -> tuple[Any, Callable[..., Any] | None]:
    """A subject by name, weights fixed by a seed, and its ``call``."""
    tf.random.set_seed(0)
    if name == "Dense":
        return tf.keras.layers.Dense(UNITS, activation="tanh", dtype="float64"), None
    if name == "GRU":
        return tf.keras.layers.GRU(UNITS, return_sequences=True, dtype="float64"), None
    if name == "LSTM":
        return tf.keras.layers.LSTM(UNITS, return_sequences=True, dtype="float64"), None
    if name == "MultiHeadAttention":
        return tf.keras.layers.MultiHeadAttention(2, 3, dtype="float64"), attention_call
    return getattr(bundled, name), None


def plain(name: str, example: Batch) -> tuple[Any, Callable[[Any], Any]]:
    """The subject and a function of the values alone, as one would hand it to `tf.test.compute_gradient`."""
    subject, _ = layer(name)
    mask, lengths = tf.constant(example.mask), tf.constant(example.lengths)
    if name == "MultiHeadAttention":
        return subject, lambda values: attention_call(subject, values, mask)
    if name in ("GRU", "LSTM"):
        return subject, lambda values: subject(values, mask=mask)
    if name == "Dense":
        return subject, lambda values: subject(values)
    return subject, lambda values: subject(values, lengths)
