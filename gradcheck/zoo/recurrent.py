"""Recurrent layers and cells of Keras, with a mask, with and without the sequence of their outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gradcheck.zoo._weights import with_weights

_LAYERS = tf.keras.layers
_STEPS = np.zeros([1, 2, 2])


def simple_rnn() -> Any:
    """``SimpleRNN`` with a mask."""
    return with_weights(_LAYERS.SimpleRNN(2, dtype="float64"), _STEPS)


def gru() -> Any:
    """``GRU`` with a mask."""
    return with_weights(_LAYERS.GRU(2, dtype="float64"), _STEPS)


def gru_reset_before() -> Any:
    """``GRU(reset_after=False)``, which multiplies by the reset gate before the matrix product."""
    return with_weights(_LAYERS.GRU(2, reset_after=False, dtype="float64"), _STEPS)


def lstm() -> Any:
    """``LSTM`` with a mask."""
    return with_weights(_LAYERS.LSTM(2, dtype="float64"), _STEPS)


def lstm_float32() -> Any:
    """``LSTM`` with a mask in float32, the dtype that is used in practice."""
    return with_weights(_LAYERS.LSTM(2), _STEPS.astype(np.float32))


def lstm_sequences() -> Any:
    """``LSTM(return_sequences=True)`` with a mask."""
    return with_weights(_LAYERS.LSTM(2, return_sequences=True, dtype="float64"), _STEPS)


def lstm_backwards() -> Any:
    """``LSTM(go_backwards=True)`` with a mask."""
    return with_weights(_LAYERS.LSTM(2, go_backwards=True, dtype="float64"), _STEPS)


def lstm_unrolled() -> Any:
    """``LSTM(unroll=True)`` with a mask: no loop, one copy of the cell a step."""
    return with_weights(_LAYERS.LSTM(2, unroll=True, dtype="float64"), _STEPS)


def gru_zeros_at_padding() -> Any:
    """``RNN(GRUCell, return_sequences=True, zero_output_for_mask=True)``: outputs at padding are zeros."""
    cell = _LAYERS.GRUCell(2, dtype="float64")
    return with_weights(
        _LAYERS.RNN(cell, return_sequences=True, zero_output_for_mask=True, dtype="float64"),
        _STEPS,
        mask=tf.constant([[True, True]]),
    )


def stacked_cells() -> Any:
    """``RNN`` over stacked cells, an ``LSTMCell`` and a ``GRUCell``, with a mask."""
    cells = [_LAYERS.LSTMCell(2, dtype="float64"), _LAYERS.GRUCell(2, dtype="float64")]
    # A list of cells would be stacked in float32, which Keras 2 then casts to at the first cell.
    return with_weights(_LAYERS.RNN(_LAYERS.StackedRNNCells(cells, dtype="float64"), dtype="float64"), _STEPS)


def bidirectional_lstm() -> Any:
    """``Bidirectional(LSTM)`` with a mask, both directions concatenated."""
    return with_weights(_LAYERS.Bidirectional(_LAYERS.LSTM(2, dtype="float64"), dtype="float64"), _STEPS)


def bidirectional_gru_sequences() -> Any:
    """``Bidirectional(GRU(return_sequences=True), merge_mode="sum")`` with a mask."""
    layer = _LAYERS.GRU(2, return_sequences=True, dtype="float64")
    return with_weights(_LAYERS.Bidirectional(layer, merge_mode="sum", dtype="float64"), _STEPS)


def encoder_decoder() -> Callable[..., Any]:
    """A ``GRU`` started with the last state of another one: ``return_state`` and
    ``initial_state``.
    """
    encoder = with_weights(_LAYERS.GRU(2, return_state=True, dtype="float64"), _STEPS)
    decoder = with_weights(_LAYERS.GRU(2, dtype="float64"), _STEPS, initial_state=tf.zeros([1, 2], tf.float64))

    def encode_then_decode(values: Any, mask: Any) -> Any:
        _, state = encoder(values, mask=mask)
        return decoder(values, mask=mask, initial_state=state)

    return encode_then_decode


def simple_rnn_cell() -> Callable[..., Any]:
    """One step of ``SimpleRNNCell``."""
    return _one_step(_LAYERS.SimpleRNNCell(2, dtype="float64"), 1)


def gru_cell() -> Callable[..., Any]:
    """One step of ``GRUCell``."""
    return _one_step(_LAYERS.GRUCell(2, dtype="float64"), 1)


def lstm_cell() -> Callable[..., Any]:
    """One step of ``LSTMCell``."""
    return _one_step(_LAYERS.LSTMCell(2, dtype="float64"), 2)


def _one_step(layer: Any, states: int) -> Callable[..., Any]:
    cell = with_weights(layer, np.zeros([1, 2]), [tf.zeros([1, 2], tf.float64)] * states)

    def step(values: Any, state: Any) -> Any:
        output, _ = cell(values, [state, tf.reverse(state, [1])][:states])
        return output

    return step


def conv_lstm_1d() -> Callable[..., Any]:
    """``ConvLSTM1D`` with a mask, the features as its space."""
    layer = with_weights(_LAYERS.ConvLSTM1D(2, 2, padding="same", dtype="float64"), np.zeros([1, 2, 2, 1]))

    def convolve(values: Any, mask: Any) -> Any:
        return layer(values[..., tf.newaxis], mask=mask)

    return convolve
