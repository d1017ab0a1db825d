"""Layers that make a mask or hand one on: what a Keras model does between its input and the layer that uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers
_STEPS = np.zeros([1, 2, 2])
_IDS = np.array([[1, 2, 0]])


def masking_lstm() -> Callable[..., Any]:
    """``Masking`` and ``LSTM``: the mask is read off steps of zeros. Values are positive, so no valid step is one."""
    masking = _LAYERS.Masking(dtype="float64")
    lstm = with_weights(_LAYERS.LSTM(2, dtype="float64"), _STEPS)

    def run(values: Any, mask: Any) -> Any:
        steps = tf.where(mask[..., tf.newaxis], values, tf.zeros_like(values))
        return lstm(masking(steps), mask=masking.compute_mask(steps))

    return run


def embedding_lstm() -> Callable[..., Any]:
    """``Embedding(mask_zero=True)`` and ``LSTM``: gradients of the table, identifiers 0 to 3."""
    embedding, lstm = _embedding(), with_weights(_LAYERS.LSTM(2, dtype="float64"), _STEPS)

    def run(identifiers: Any) -> Any:
        return lstm(embedding(identifiers), mask=embedding.compute_mask(identifiers))

    return run


def embedding_average() -> Callable[..., Any]:
    """``Embedding(mask_zero=True)`` and ``GlobalAveragePooling1D``: no row without an identifier."""
    embedding, pooling = _embedding(), _LAYERS.GlobalAveragePooling1D(dtype="float64")

    def run(identifiers: Any) -> Any:
        return pooling(embedding(identifiers), mask=embedding.compute_mask(identifiers))

    return run


def _embedding() -> Any:
    return with_weights(_LAYERS.Embedding(4, 2, mask_zero=True, dtype="float64"), _IDS)


def embedding_model() -> Any:
    """A functional model of ``Embedding(mask_zero=True)``, ``Bidirectional(GRU)`` and ``Dense``, the mask handed
    on by Keras itself.
    """
    identifiers = tf.keras.Input([None], dtype="int32")
    steps = _LAYERS.Embedding(4, 2, mask_zero=True, dtype="float64")(identifiers)
    state = _LAYERS.Bidirectional(_LAYERS.GRU(2, dtype="float64"), dtype="float64")(steps)
    output = _LAYERS.Dense(1, activation="tanh", dtype="float64")(state)
    return with_weights(tf.keras.Model(identifiers, output), _IDS)


def time_distributed_dense() -> Any:
    """``TimeDistributed(Dense)`` with a mask."""
    return with_weights(_LAYERS.TimeDistributed(_LAYERS.Dense(2, "tanh", dtype="float64"), dtype="float64"), _STEPS)


def time_distributed_lstm() -> Callable[..., Any]:
    """``TimeDistributed(LSTM)``: each step is a sequence of its own, of two steps."""
    inner = _LAYERS.LSTM(2, dtype="float64")
    layer = with_weights(_LAYERS.TimeDistributed(inner, dtype="float64"), np.zeros([1, 2, 2, 1]))

    def run(values: Any) -> Any:
        return layer(values[..., tf.newaxis])

    return run


def dense() -> Any:
    """``Dense`` on every step."""
    return with_weights(_LAYERS.Dense(2, activation="tanh", dtype="float64"), _STEPS)


def pad_and_crop() -> Callable[..., Any]:
    """``ZeroPadding1D``, ``UpSampling1D`` and ``Cropping1D`` one after the other."""
    layers = [_LAYERS.ZeroPadding1D((1, 2)), _LAYERS.UpSampling1D(2), _LAYERS.Cropping1D((1, 1))]
    model = tf.keras.Sequential(
        [type(layer).from_config({**layer.get_config(), "dtype": "float64"}) for layer in layers]
    )

    def run(values: Any) -> Any:
        return model(values)

    return run
