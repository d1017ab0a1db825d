"""How nested tensors lie in one flat vector of reals, and what each place in it is called.

Jacobians are formed over flat vectors: all differentiated inputs (and weights) one after another on one side, all
floating-point outputs on the other. A complex number takes two places, its real part first, as in
`tf.test.compute_gradient`. Pure NumPy: a layout outlives the tensors that it describes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Block", "Layout"]


@dataclass(frozen=True)
class Block:
    """One tensor of a layout.

    Attributes:
        name: what the user calls it, such as ``values`` or ``output['logits']``.
        shape: its shape, complex numbers counted once.
        dtype: TensorFlow's name of its dtype, such as ``float64``.
        axes: words for its axes (``row``, ``time``, ``feature``); empty words for axes without a meaning.
        start: where it begins in the flat vector.
        leaf: which leaf of the nested structure it is, counted over all leaves, integers and all.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[str, ...] = ()
    start: int = 0
    leaf: int = 0

    @property
    def is_complex(self) -> bool:
        return self.dtype.startswith("complex")

    @property
    def size(self) -> int:
        """Number of reals."""
        return math.prod(self.shape) * (2 if self.is_complex else 1)

    @property
    def stop(self) -> int:
        return self.start + self.size

    def locate(self, offset: int) -> tuple[tuple[int, ...], str]:
        """Index within the tensor of a place in the block, and ``"real"``, ``"imag"`` or ``""``."""
        part = ""
        if self.is_complex:
            offset, imaginary = divmod(offset, 2)
            part = "imag" if imaginary else "real"
        index = np.unravel_index(offset, self.shape) if self.shape else ()
        return tuple(int(i) for i in index), part

    def describe(self, offset: int) -> str:
        """The place in words, such as ``values[row 0, time 3, feature 1]``."""
        index, part = self.locate(offset)
        words = [
            f"{axis} {i}" if axis else str(i) for axis, i in zip(self.axes or [""] * len(index), index, strict=False)
        ]
        text = f"{self.name}[{', '.join(words)}]" if words else self.name
        return f"{part}({text})" if part else text


@dataclass(frozen=True)
class Layout:
    """Blocks one after another in a flat vector."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Layout:
        """Lay blocks out one after another, whatever their ``start`` said."""
        placed, start = [], 0
        for block in blocks:
            placed.append(replace(block, start=start))
            start += placed[-1].size
        return cls(tuple(placed))

    @property
    def size(self) -> int:
        return self.blocks[-1].stop if self.blocks else 0

    def block_of(self, place: int) -> int:
        """Number of the block that holds a place of the flat vector."""
        for number, block in enumerate(self.blocks):
            if block.start <= place < block.stop:
                return number
        raise IndexError(f"place {place} lies outside the layout of size {self.size}")

    def describe(self, place: int) -> str:
        """A place of the flat vector in words."""
        block = self.blocks[self.block_of(place)]
        return block.describe(place - block.start)

    def signature(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return tuple((block.dtype, block.shape) for block in self.blocks)
