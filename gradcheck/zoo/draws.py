"""The strategies that the zoo's subjects are searched with: small shapes, few of them, everything else varied.

Each function takes nothing and returns a Hypothesis strategy, so that a search can be written down as two import
paths. Needs no TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as hypothesis_strategies
from hypothesis.strategies import SearchStrategy

from gradcheck.strategies import Batch, Ragged, batches, ragged, values

_SMALL: dict[str, Any] = {"features": 2, "max_batch": 2, "max_length": 3, "max_extra": 1}


def steps() -> SearchStrategy[Batch]:
    """Batches `[batch, time, 2]`, lengths from 0 on, padding on either side."""
    return batches(**_SMALL)


def steps_behind() -> SearchStrategy[Batch]:
    """The same with padding behind only, as lengths without a mask mean."""
    return batches(**_SMALL, sides=("post",))


def steps_float32() -> SearchStrategy[Batch]:
    """Batches of float32."""
    return batches(**_SMALL, dtype=np.float32)


def steps_float32_nonempty() -> SearchStrategy[Batch]:
    """Batches of float32 without an empty row."""
    return batches(**_SMALL, min_length=1, dtype=np.float32)


def steps_nonempty() -> SearchStrategy[Batch]:
    """Batches without an empty row, padding on either side."""
    return batches(**_SMALL, min_length=1)


def steps_behind_nonempty() -> SearchStrategy[Batch]:
    """Batches without an empty row, padding behind."""
    return batches(**_SMALL, min_length=1, sides=("post",))


def steps_for_one_label() -> SearchStrategy[Batch]:
    """Batches of float32 logits of two classes, no row empty: ``tf.nn.ctc_loss`` takes no other dtype."""
    return batches(**_SMALL, min_length=1, sides=("post",), dtype=np.float32)


def steps_for_labels() -> SearchStrategy[Batch]:
    """Batches of float32 logits of three classes, each row long enough for two labels with a blank between them."""
    return batches(features=3, max_batch=2, min_length=3, max_length=4, max_extra=1, sides=("post",), dtype=np.float32)


def positive_steps() -> SearchStrategy[Batch]:
    """Batches of positive numbers, padding behind and in front."""
    return batches(**_SMALL, domain="positive")


def moderate_steps() -> SearchStrategy[Batch]:
    """Batches of numbers from -2 to 2, for losses that clip probabilities near 0 and 1, padding behind."""
    return batches(**_SMALL, min_value=-2, max_value=2, sides=("post",))


def scores() -> SearchStrategy[Batch]:
    """Batches `[batch, time]`."""
    return batches(**{**_SMALL, "features": None})


def scores_behind() -> SearchStrategy[Batch]:
    """Batches `[batch, time]`, padding behind."""
    return batches(**{**_SMALL, "features": None}, sides=("post",))


def scores_float32_of_one_row() -> SearchStrategy[Batch]:
    """Batches `[1, time]` of float32, the row not empty."""
    return batches(**{**_SMALL, "features": None, "max_batch": 1}, min_length=1, dtype=np.float32)


def arrays() -> SearchStrategy[Any]:
    """Arrays `[2, 3, 2]`, zeros, ties and large numbers among them."""
    return values(shape=(2, 3, 2))


def long_arrays() -> SearchStrategy[Any]:
    """Arrays `[1, 5, 2]`."""
    return values(shape=(1, 5, 2))


def positive_arrays() -> SearchStrategy[Any]:
    """Arrays `[2, 3, 2]` of positive numbers."""
    return values(shape=(2, 3, 2), domain="positive")


def arrays_float32() -> SearchStrategy[Any]:
    """Arrays `[2, 3, 2]` of float32."""
    return values(shape=(2, 3, 2), dtype=np.float32)


def pairs() -> SearchStrategy[Any]:
    """Two arrays `[2, 3, 2]`."""
    return hypothesis_strategies.tuples(arrays(), arrays())


def step_and_state() -> SearchStrategy[Any]:
    """One step `[2, 2]` and a state `[2, 2]`."""
    return hypothesis_strategies.tuples(values(shape=(2, 2)), values(shape=(2, 2)))


def identifiers() -> SearchStrategy[Any]:
    """Identifiers from 0 to 3, int32 `[2, 4]`; 0 is padding."""
    return values(shape=(2, 4), dtype=np.int32, min_value=0, max_value=3)


def identifiers_nonempty() -> SearchStrategy[Any]:
    """The same, the first of each row not 0."""
    return identifiers().map(_with_a_first)


def _with_a_first(drawn: Any) -> Any:
    changed = np.array(drawn)
    changed[:, 0] = np.maximum(changed[:, 0], 1)
    return changed


def matrices() -> SearchStrategy[Any]:
    """Two matrices `[2, 2, 2]`, singular numbers among them but no huge ones."""
    return values(shape=(2, 2, 2), min_value=-2, max_value=2)


def small_matrices() -> SearchStrategy[Any]:
    """Two matrices `[2, 2, 2]` of numbers from -1 to 1: with a multiple of the identity they can be inverted."""
    return values(shape=(2, 2, 2), min_value=-1, max_value=1)


def ragged_rows() -> SearchStrategy[Ragged]:
    """Ragged rows of steps of two features."""
    return ragged(features=2, max_batch=2, max_length=3)
