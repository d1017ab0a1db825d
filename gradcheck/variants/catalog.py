"""The list of variants: every construct with every consumer.

Plain data; TensorFlow is imported only when a variant's ``subject`` is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CONSTRUCTS", "CONSUMERS", "Construct", "Variant", "catalog"]

_SUBJECTS = "gradcheck.variants.subjects"


@dataclass(frozen=True)
class Construct:
    """One way of writing it.

    Attributes:
        name: name of its function.
        family: ``range`` where it makes the positions, ``through`` where the values pass through it.
        doc: what it does, in one line.
    """

    name: str
    family: str
    doc: str


CONSTRUCTS: tuple[Construct, ...] = (
    Construct("map_fn_range", "range", "tf.map_fn of tf.range over the lengths, dense output"),
    Construct("map_fn_padded_range", "range", "the same, each range padded inside the mapped function"),
    Construct("while_loop_tensor_array", "range", "tf.while_loop that writes each padded range to a TensorArray"),
    Construct("map_fn_ragged_range", "range", "tf.map_fn with a ragged output signature, then made dense"),
    Construct("ragged_range", "range", "tf.ragged.range made dense"),
    Construct("scatter_range", "range", "positions written into zeros by tf.scatter_nd"),
    Construct("broadcast_range", "range", "one static range compared with the lengths"),
    Construct("map_fn_rows", "through", "tf.map_fn over rows, each cut to its length"),
    Construct("map_fn_padded_rows", "through", "the same, each row padded inside the mapped function"),
    Construct("while_loop_rows", "through", "tf.while_loop that writes each padded row to a TensorArray of floats"),
    Construct("map_fn_ragged_rows", "through", "tf.map_fn over rows with a ragged output signature, then made dense"),
    Construct("ragged_rows", "through", "a round trip by tf.RaggedTensor"),
    Construct("scatter_rows", "through", "valid steps gathered, then written back by tf.scatter_nd"),
    Construct("scan_steps", "through", "tf.scan over the time axis"),
    Construct("broadcast_rows", "through", "padding replaced by zeros, every step computed"),
)

CONSUMERS = {
    "pooling": "mean of the valid steps, weighted by position",
    "attention": "scaled dot-product self-attention over the valid steps",
    "recurrence": "a recurrence that holds its state at padding",
}


@dataclass(frozen=True)
class Variant:
    """One layer that is checked: a construct and what it is used for.

    ``subject(values, lengths)`` takes float32 or float64 ``[batch, time, features]`` and int32 or int64
    ``[batch]``; reading the attribute imports TensorFlow (raises ImportError where there is none).
    """

    construct: Construct
    consumer: str

    @property
    def name(self) -> str:
        """``construct/consumer``, such as ``"map_fn_range/pooling"``."""
        return f"{self.construct.name}/{self.consumer}"

    @property
    def family(self) -> str:
        """``range`` or ``through``."""
        return self.construct.family

    @property
    def doc(self) -> str:
        """What is checked, in one line."""
        return f"{self.construct.doc}; {CONSUMERS[self.consumer]}"

    @property
    def path(self) -> str:
        """Where the function is, as ``gradcheck search`` takes it."""
        return f"{_SUBJECTS}:{self.construct.name}_{self.consumer}"

    @property
    def subject(self) -> Callable[..., Any]:
        """The function itself."""
        module, function = self.path.split(":")
        subject: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return subject


def catalog() -> tuple[Variant, ...]:
    """All variants, those of family ``range`` first, in the order in which they are shown."""
    return tuple(Variant(construct, consumer) for construct in CONSTRUCTS for consumer in CONSUMERS)
