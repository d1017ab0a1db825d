"""What the places of the flat vectors are called, read back from evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.support.layout import Block, Layout

__all__ = ["Places", "real"]


def real(value: Any) -> float:
    """A number of a JSON document as a float: NaN and the infinities are strings there, and None is not known."""
    return float("nan") if value is None else float(value)


class Places:
    """The inputs or the outputs of a check."""

    def __init__(self, blocks: Sequence[Mapping[str, Any]], padded: Sequence[int]) -> None:
        self.layout = Layout.of(
            [
                Block(str(b["name"]), tuple(b["shape"]), str(b["dtype"]), tuple(str(axis) for axis in b["axes"]))
                for b in blocks
            ]
        )
        self.padded = frozenset(padded)

    def describe(self, place: int) -> str:
        """In words, such as ``values[row 0, time 3, feature 1]``."""
        return self.layout.describe(place)

    def block(self, place: int) -> int:
        """Number of the tensor that a place belongs to."""
        return self.layout.block_of(place)

    def short(self, place: int) -> str:
        """Its index in its tensor only, such as ``0,3,1``."""
        block = self.layout.blocks[self.block(place)]
        index, part = block.locate(place - block.start)
        return ",".join(map(str, index)) + (f" {part}" if part else "") or "·"

    def legend(self, places: Sequence[int]) -> str:
        """What the short names are indices of: ``values[row, time, feature]``."""
        names = []
        for number in dict.fromkeys(self.block(place) for place in places):
            block = self.layout.blocks[number]
            axes = [axis or "·" for axis in block.axes] or [f"axis {axis}" for axis in range(len(block.shape))]
            names.append(f"{block.name}[{', '.join(axes)}]" if axes else block.name)
        return "; ".join(names)
