"""What Hypothesis draws for an example: a few short strings of bytes of fixed size, read field by field.

Why not a draw for each field. (1) Each draw costs 20-40 µs whatever it draws; bytes cost 0.4 µs each. (2)
Every field stays at its place whatever the others say, so the shrinker can lower one and leave the rest
alone; with draws that depend on one another, lowering the number of rows would shift all that follows. (3)
Bytes are drawn uniformly in every Hypothesis version, while small integers are not.

Why not one string for everything. Hypothesis first tries a whole string of zeros, then to sort it, and then
lowers byte by byte, the leftmost first. A second string, for single numbers, is reset in one step. Both have
the same size: while generating, Hypothesis also copies one drawn string over another, and where sizes differ
    it puts zeros instead.

A byte n is tried as 0, 1, n-1, n-2 and n without its high bits. A choice of up to five kinds as n % 5 is
therefore
minimised for certain: each simpler kind is 0 or 1, or one or two below.
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["Genome", "genomes", "rare_width", "table"]


class Genome:
    """Reads fields off the bytes, one after the other."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """The next byte, 0 … 255."""
        at = self._at
        self._at = at + 1
        return self._data[at]

    def pair(self) -> int:
        """The next two bytes as a number, 0 … 65535."""
        at = self._at
        self._at = at + 2
        return self._data[at] << 8 | self._data[at + 1]

    def rare(self, width: int) -> int:
        """The greater of the next two numbers of ``width`` bytes each: below 7, say, in one of 1300 draws of width 1.

        For codes that only the shrinker should use. It lowers one number to 0 without effect and then has the whole
        range in the other. (A gate, "if the first byte is 0 the second counts", would not do: while it is shut,
        the second byte is lowered for nothing, and what it says when the gate opens may no longer fail.)
        """
        return max(int.from_bytes(self.bytes(width), "big"), int.from_bytes(self.bytes(width), "big"))

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        at = self._at
        self._at = at + count
        return self._data[at : at + count]


def rare_width(codes: int) -> int:
    """How many bytes wide `Genome.rare` must be for a draw to be one of ``codes`` small ones in 1 of 400 at most."""
    width = 1
    while (codes / 256**width) ** 2 > 1 / 400:
        width += 1
    return width


def genomes(size: int, count: int = 1) -> st.SearchStrategy[bytes]:
    """`count` strings of exactly `size` bytes, one after the other."""
    string = st.binary(min_size=size, max_size=size)
    return string if count == 1 else st.tuples(*[string] * count).map(b"".join)


def table(weights: dict[str, int]) -> tuple[str, ...]:
    """256 names, the simplest first, each as often as its weight asks: what a byte means as a choice of one
    of them.

    Every name gets at least one place, so that none is unreachable.
    """
    total = sum(weights.values())
    names: list[str] = []
    done = 0
    for index, (name, weight) in enumerate(weights.items()):
        done += weight
        end = max(round(256 * done / total), len(names) + 1)
        end = min(end, 256 - (len(weights) - 1 - index))
        names += [name] * (end - len(names))
    return tuple(names)
