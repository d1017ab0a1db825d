"""Lists of tensors, as loops and their gradients keep them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.exact.jets import Jet

__all__ = ["TensorList"]


@dataclass(frozen=True)
class TensorList:
    """A list of tensors; an item that was never written is None.

    Attributes:
        items: the tensors.
        shape: of each item, as far as it is known; None where nothing is.
        dtype: of the items.
    """

    items: tuple[Any, ...]
    shape: tuple[int, ...] | None
    dtype: str

    def zeros(self) -> TensorList:
        """A list of as many zeros of the same shapes."""
        return replace(self, items=tuple(None if x is None else _zeros(x) for x in self.items))

    def __add__(self, other: TensorList) -> TensorList:
        """Item by item; one that was never written counts as zeros."""
        pairs = zip(self.items, other.items, strict=True)
        return replace(self, items=tuple(b if a is None else a if b is None else a + b for a, b in pairs))


def _zeros(item: Any) -> Any:
    if isinstance(item, TensorList):
        return item.zeros()
    array = item.v if isinstance(item, Jet) else np.asarray(item)
    return np.zeros(array.shape, array.dtype)
