"""Attention layers of Keras, and the masked softmax that they are made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers
_STEPS = np.zeros([1, 2, 2])


def softmax() -> Any:
    """``Softmax`` over the time axis with a mask, scores of `[batch, time]`."""
    return _LAYERS.Softmax(dtype="float64")


def softmax_float32() -> Any:
    """The same in float32, the dtype that is used in practice, of one row: XLA of 2.8 treats that as a broadcast mask.
    It is not empty: beside the -1e9 that masks every score of such a row, its scores are lost, in every mode.
    """
    return _LAYERS.Softmax()


def softmax_heads() -> Callable[..., Any]:
    """``Softmax`` in float32 over scores `[batch, heads, query, key]` with a mask broadcast to them, as
    ``MultiHeadAttention`` uses it; no row is empty.
    """
    layer = _LAYERS.Softmax(axis=(3,))

    def over_keys(values: Any, mask: Any) -> Any:
        scores = tf.matmul(values, values, transpose_b=True)[:, tf.newaxis]
        return layer(scores, mask=mask[:, tf.newaxis, tf.newaxis, :])[:, 0]

    return over_keys


def _self_attention(layer: Any, **keywords: Any) -> Callable[..., Any]:
    attention = with_weights(layer, [_STEPS, _STEPS], mask=[tf.constant([[True, True]])] * 2, **keywords)

    def attend(values: Any, mask: Any) -> Any:
        return attention([values, values], mask=[mask, mask], **keywords)

    return attend


def dot_attention() -> Callable[..., Any]:
    """``Attention(use_scale=True)`` of a sequence to itself, masked."""
    return _self_attention(_LAYERS.Attention(use_scale=True, dtype="float64"))


def dot_attention_causal() -> Callable[..., Any]:
    """Causal ``Attention`` of a sequence to itself, masked: ``causal=True`` up to 2.9, ``use_causal_mask=True``
    from 2.10 on.
    """
    if "use_causal_mask" in inspect.signature(_LAYERS.Attention.call).parameters:
        return _self_attention(_LAYERS.Attention(dtype="float64"), use_causal_mask=True)
    return _self_attention(_LAYERS.Attention(causal=True, dtype="float64"))


def concat_attention() -> Callable[..., Any]:
    """``Attention(score_mode="concat")`` of a sequence to itself, masked."""
    return _self_attention(_LAYERS.Attention(score_mode="concat", dtype="float64"))


def additive_attention() -> Callable[..., Any]:
    """``AdditiveAttention`` of a sequence to itself, masked."""
    return _self_attention(_LAYERS.AdditiveAttention(dtype="float64"))


def cross_attention() -> Callable[..., Any]:
    """``Attention`` of two queries of its own to a masked sequence. A row without a valid step attends to its
    padding, so lengths start at 1.
    """
    attention = _LAYERS.Attention(dtype="float64")
    queries = np.array([[[0.5, -0.25], [1.25, 0.75]]])

    def attend(values: Any, mask: Any) -> Any:
        rows = tf.tile(tf.constant(queries), [tf.shape(values)[0], 1, 1])
        return attention([rows, values], mask=[None, mask])

    return attend


def _multi_head(layer: Any, dtype: Any, with_mask: bool = True, **keywords: Any) -> Callable[..., Any]:
    steps = _STEPS.astype(dtype)
    attention = with_weights(layer, steps, steps)

    def attend(values: Any, mask: Any) -> Any:
        keys = {"attention_mask": mask[:, tf.newaxis, :]} if with_mask else {}
        return attention(values, values, **keys, **keywords)

    return attend


def multi_head_attention() -> Callable[..., Any]:
    """``MultiHeadAttention`` of a sequence to itself, the padding masked as keys, no row empty."""
    return _multi_head(_LAYERS.MultiHeadAttention(2, 2, dtype="float64"), "float64")


def multi_head_attention_float32() -> Callable[..., Any]:
    """The same in float32, the dtype that is used in practice."""
    return _multi_head(_LAYERS.MultiHeadAttention(2, 2), "float32")


def multi_head_attention_causal() -> Callable[..., Any]:
    """``MultiHeadAttention`` of a sequence to itself with ``use_causal_mask=True`` and padding behind, which the
    causal mask alone keeps out.
    """
    return _multi_head(_LAYERS.MultiHeadAttention(2, 2, dtype="float64"), "float64", False, use_causal_mask=True)


def multi_head_attention_implicit() -> Callable[..., Any]:
    """``MultiHeadAttention`` that is told of the padding as Keras itself does, by the mask of its inputs."""
    attention = with_weights(_LAYERS.MultiHeadAttention(2, 2, dtype="float64"), _STEPS, _STEPS)
    keys = "query_mask" in inspect.signature(attention.call).parameters

    def attend(values: Any, mask: Any) -> Any:
        if keys:
            return attention(values, values, query_mask=mask, value_mask=mask)
        marked = tf.identity(values)
        marked._keras_mask = mask
        return attention(marked, marked)

    return attend


def group_query_attention() -> Callable[..., Any]:
    """``GroupQueryAttention`` of a sequence to itself, the padding masked as keys, no row empty."""
    return _multi_head(_LAYERS.GroupQueryAttention(2, 2, 1, dtype="float64"), "float64")
