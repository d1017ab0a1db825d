"""What the variants should compute, in plain NumPy and row by row: no masks, no padding, no TensorFlow."""

from __future__ import annotations

import numpy as np


def rows_through(construct: str, row: np.ndarray) -> np.ndarray:
    """One unpadded row ``[length, features]`` after it passed through a construct of family two."""
    if construct != "scan_steps":
        return np.tanh(row)
    state, states = np.zeros(row.shape[1:]), []
    for step in row:
        state = np.tanh(step + state / 2)
        states.append(state)
    return np.array(states).reshape(row.shape)


def pooling(row: np.ndarray) -> np.ndarray:
    weights = np.arange(1, len(row) + 1)[:, np.newaxis]
    return (weights * row).sum(axis=0) / max(weights.sum(), 1)


def attention(row: np.ndarray) -> np.ndarray:
    if not len(row):
        return row
    scores = row @ row.T / np.sqrt(row.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)) @ row


def recurrence(row: np.ndarray) -> np.ndarray:
    state = np.zeros(row.shape[1:])
    for step in row:
        state = np.tanh(step + state / 2)
    return state


CONSUMERS = {"pooling": pooling, "attention": attention, "recurrence": recurrence}


def expected_output(construct: str, consumer: str, values: np.ndarray, lengths: list[int]) -> np.ndarray:
    """The output of the variant ``construct/consumer`` in float64; each row is computed alone and
    unpadded.
    """
    results = []
    for row, length in zip(values.astype("float64"), lengths, strict=True):
        row = row[:length]
        if construct.endswith(("_rows", "_steps")):
            row = rows_through(construct, row)
        result = CONSUMERS[consumer](row)
        if consumer == "attention":
            result = np.pad(result, [(0, values.shape[1] - length), (0, 0)])
        results.append(result)
    return np.array(results)


def expected_gradient(construct: str, consumer: str, values: np.ndarray, lengths: list[int]) -> np.ndarray:
    """Gradient of the sum of squares of the output, by central differences of the NumPy version.

    Squares, so that no output hides behind another; a step of 2⁻¹⁷ leaves an error of about 1e-9 in float64.
    """
    step = 2.0**-17
    gradient = np.zeros(values.shape)
    for place in np.ndindex(*values.shape):
        ends = []
        for sign in (1, -1):
            moved = values.astype("float64")
            moved[place] += sign * step
            ends.append((expected_output(construct, consumer, moved, lengths) ** 2).sum())
        gradient[place] = (ends[0] - ends[1]) / (2 * step)
    return gradient
