"""The drawn example: a padded batch of sequences of different lengths, and how it is padded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from gradcheck.errors import InputError, only_input_errors, shown
from gradcheck.strategies._literals import array_code, array_from_dict, array_to_dict, number_code

__all__ = ["SIDES", "Batch", "Padding"]

Array = np.ndarray[Any, Any]

#: Where padding can be: behind the valid steps of a row, or before them.
SIDES = ("post", "pre")


@dataclass(frozen=True)
class Padding:
    """How a batch is padded.

    Attributes:
        side: `"post"` (padding behind the valid steps, as `tf.sequence_mask` has it) or `"pre"` (before them,
            as Keras's `pad_sequences` does unless told otherwise).
        extra: padded columns (time steps) that even the longest row has, that is, time axis minus longest
            length.
        fill: the number in every padded cell; None where they differ from one another.

    Raises:
        InputError: for another side, a negative or non-integer extra, or a fill that is not a number.
    """

    side: str = "post"
    extra: int = 0
    fill: float | None = 0.0

    @only_input_errors("a padding")
    def __post_init__(self) -> None:
        if not isinstance(self.side, str) or self.side not in SIDES:
            raise InputError(f"side={shown(self.side)} is not a side to pad on. Use 'post' or 'pre'.")
        if isinstance(self.extra, bool) or not isinstance(self.extra, (int, np.integer)) or self.extra < 0:
            raise InputError(f"extra={shown(self.extra)} is not a number of padded columns. Use an integer from 0 on.")
        object.__setattr__(self, "extra", int(self.extra))
        fill: Any = self.fill
        if fill is None:
            return
        if not isinstance(fill, (bool, int, float, complex, np.number)):
            raise InputError(f"fill={shown(fill)} is not a number. Use a float, or None for mixed content.")
        object.__setattr__(self, "fill", complex(fill) if isinstance(fill, complex) else float(fill))

    def __repr__(self) -> str:
        parts = [] if self.side == "post" else [repr(self.side)]
        if self.extra:
            parts.append(f"extra={self.extra}")
        if self.fill is None:
            parts.append("fill=None")
        elif not (self.fill == 0.0 and math.copysign(1.0, np.real(self.fill)) > 0):
            parts.append(f"fill={number_code(self.fill)}")
        return f"Padding({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """`{"side", "extra", "fill"}` of JSON types; a NaN or infinite fill as a string."""
        fill = self.fill
        if fill is not None:
            fill = array_to_dict(np.asarray(fill))["data"][0]
        return {"side": self.side, "extra": self.extra, "fill": fill}


def _lengths(lengths: ArrayLike) -> Array:
    """The lengths as an int32 or int64 vector, or an InputError that says what they are instead."""
    given = np.asarray(lengths)
    if given.size == 0 and given.ndim == 1 and not isinstance(lengths, np.ndarray):
        given = given.astype(np.int32)  # NumPy makes an empty list a float array
    if given.ndim != 1:
        raise InputError(
            f"lengths must be a vector with one length a row; got an array of shape {given.shape}."
            " Pass lengths of shape [batch], such as np.array([3, 1], dtype=np.int32)."
        )
    if given.dtype.kind not in "iu":
        example = f" (lengths[0] = {shown(given[0])})" if given.size else ""
        raise InputError(
            f"lengths must be integers; got dtype {given.dtype.name}{example}. A length counts time steps: "
            "convert with lengths.astype(np.int32), and check first that nothing is lost."
        )
    if not isinstance(lengths, np.ndarray) or given.dtype.itemsize < 4:
        return given.astype(np.int32) if not given.size or given.max() < 2**31 else given.astype(np.int64)
    return given if given.dtype in (np.int32, np.int64) else given.astype(np.int64)


def _steps(steps: Mapping[str, ArrayLike], shape: tuple[int, int]) -> dict[str, Array]:
    """Read-only arrays by name, or an InputError for one that does not begin with these axes."""
    found = {}
    for name, given in steps.items():
        if not str(name).isidentifier() or name in ("values", "lengths", "mask"):
            raise InputError(f"steps has the name {name!r}. Use a Python name other than values, lengths and mask.")
        part = np.asarray(given).view()
        if part.shape[:2] != shape:
            raise InputError(
                f"steps[{name!r}] has shape {part.shape}; it must begin with {shape}, the rows and steps of values."
            )
        part.flags.writeable = False
        found[name] = part
    return found


def _mask(lengths: Array, time: int, side: str) -> Array:
    columns = np.arange(time)
    if side == "post":
        mask: Array = columns < lengths[:, None]
    else:
        mask = columns >= (time - lengths)[:, None]
    return mask


def _common_fill(padded: Array) -> float | None:
    """The one number in all padded cells (an array of at least one), or None."""
    first = padded[0]
    same = padded == first
    if first != first:
        same = padded != padded
    if not bool(same.all()):
        return None
    if padded.dtype.kind == "c":
        return complex(first)  # type: ignore[return-value]
    return float(first)


@dataclass(frozen=True, eq=False)
class Batch:
    """A padded batch of sequences: what the strategies draw and what a subject is checked on.

    Attributes:
        values: `[batch, time, features]` or `[batch, time]`, any float, complex, integer or boolean dtype.
            Padded cells included; read-only.
        lengths: `[batch]`, int32 or int64: how many steps of each row are valid. Read-only. Anything that is
            not a NumPy array (a list) becomes int32, as TensorFlow makes it.
        padding: where the padded steps are and what they hold. Only the side is free: `extra` and `fill`
            describe what is in `values`, so defaults are replaced by what is found there.
        steps: what else there is at each step, by name: arrays `[batch, time]` or `[batch, time, …]`, such as labels
            and weights. They move with the values and their padding. A subject is given them by `call=`.

    Raises:
        InputError: lengths that are not integers, are negative, are beyond the time axis or are not one a
            row; values of another rank; a padding that contradicts the values.
    """

    values: Array
    lengths: Array
    padding: Padding = field(default_factory=Padding)
    steps: Mapping[str, Array] = field(default_factory=dict)

    @only_input_errors("a batch")
    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype.kind not in "fciub" and values.dtype.name != "bfloat16":
            raise InputError(
                f"values must be numbers; got dtype {values.dtype.name}. Use a float dtype such as np.float64."
            )
        if values.ndim not in (2, 3):
            raise InputError(
                "values must be [batch, time, features] or [batch, time]; got an array of shape "
                f"{values.shape}. "
                "Reshape them to rank 3 or 2."
            )
        lengths = _lengths(self.lengths)
        rows, time = values.shape[:2]
        if len(lengths) != rows:
            raise InputError(
                f"lengths has {len(lengths)} entries and values has {rows} rows (shape {values.shape}). "
                "Give one length for each row."
            )
        longest = 0
        if rows:
            shortest, longest = int(lengths.min()), int(lengths.max())
            if shortest < 0:
                row = int(lengths.argmin())
                raise InputError(
                    f"lengths[{row}] = {shortest} is negative. A length counts valid steps: use 0 … {time}."
                )
            if longest > time:
                row = int(lengths.argmax())
                raise InputError(
                    f"lengths[{row}] = {longest} is beyond the time axis of values, which has {time} steps "
                    f"(shape {values.shape}). Shorten the length or pad the values."
                )
        if not isinstance(self.padding, Padding):
            raise InputError(f"padding={shown(self.padding)} is not a Padding. Use Padding('post') or Padding('pre').")
        object.__setattr__(self, "steps", _steps(self.steps, (rows, time)))
        values, lengths = values.view(), lengths.view()
        values.flags.writeable = lengths.flags.writeable = False  # a subject must not change its own input
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "padding", self._described(time - longest))

    def _described(self, extra: int) -> Padding:
        """The padding with the `extra` and `fill` that the values really have."""
        given = self.padding
        if given.extra not in (0, extra):
            raise InputError(
                f"padding says extra={given.extra}, but the time axis has {self.time} steps and the longest "
                "row "
                f"{self.longest}, which leaves {extra}. Leave extra out: it is worked out from the values."
            )
        padded = self.values[~self.mask]
        fill = _common_fill(padded.reshape(-1)) if padded.size else 0.0
        if padded.size and given.fill is not None and given.fill != 0.0:
            with np.errstate(all="ignore"):
                expected = np.asarray(given.fill).astype(self.values.dtype)
            if fill is None or not np.array_equal(
                np.asarray(fill),
                expected.astype(np.asarray(fill).dtype),
                equal_nan=expected.dtype.kind in "fc" or expected.dtype.name == "bfloat16",
            ):
                raise InputError(
                    f"padding says fill={number_code(given.fill)}, but the padded cells hold "
                    f"{'different numbers' if fill is None else number_code(fill)}. Leave fill out (it is "
                    "worked "
                    "out from the values), or write it into the values with batch.with_fill(...)."
                )
        if (extra, fill) == (given.extra, given.fill):
            return given
        return Padding(given.side, extra, fill)

    # What it holds

    @property
    def mask(self) -> Array:
        """Boolean `[batch, time]`: True at the valid steps, on the side that `padding.side` leaves them."""
        return _mask(self.lengths, self.time, self.padding.side)

    @property
    def size(self) -> int:
        """The number of rows."""
        return int(self.values.shape[0])

    @property
    def time(self) -> int:
        """The number of time steps, padding included."""
        return int(self.values.shape[1])

    @property
    def features(self) -> int | None:
        """The number of features; None where values are `[batch, time]`."""
        return int(self.values.shape[2]) if self.values.ndim == 3 else None

    @property
    def longest(self) -> int:
        """The largest length; 0 where there are no rows."""
        return int(self.lengths.max()) if len(self.lengths) else 0

    def sequence(self, row: int) -> Array:
        """The valid steps of one row, `[length, features]` or `[length]`."""
        part: Array = self.values[row][self.mask[row]]
        return part

    def key(self) -> tuple[Any, ...]:
        """A hashable key: equal exactly when two batches hold the same bits. For caches of results."""
        values, lengths = self.values, self.lengths
        return (
            self.padding.side,
            values.shape,
            values.dtype.name,
            values.tobytes(),
            lengths.dtype.name,
            lengths.tobytes(),
            *((name, part.shape, part.dtype.name, part.tobytes()) for name, part in sorted(self.steps.items())),
        )

    def __repr__(self) -> str:
        padding = "" if repr(self.padding) == "Padding()" else f", padding={self.padding!r}"
        parts = ", ".join(f"{name!r}: {array_code(part)}" for name, part in self.steps.items())
        steps = f", steps={{{parts}}}" if parts else ""
        return f"Batch(values={array_code(self.values)}, lengths={array_code(self.lengths)}{padding}{steps})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis and IPython print: the same code. They would write out the arrays in NumPy's own
        way.
        """
        printer.text(repr(self))

    # What can be made of it

    def _with(
        self,
        values: Array,
        lengths: Array | None = None,
        side: str | None = None,
        steps: Mapping[str, Array] | None = None,
    ) -> Batch:
        return Batch(
            values,
            self.lengths if lengths is None else lengths,
            Padding(side or self.padding.side),
            self.steps if steps is None else steps,
        )

    def with_lengths(self, lengths: ArrayLike) -> Batch:
        """The same arrays with other lengths, on the same side.

        Raises:
            InputError: as for a batch with these lengths.
        """
        return self._with(self.values, np.asarray(lengths))

    def cut(self, rows: Any, steps: Any) -> Batch:
        """Some rows and steps of all arrays, as NumPy takes them, each row as long as before."""
        parts = {name: part[rows][:, steps] for name, part in self.steps.items()}
        return self._with(self.values[rows][:, steps], self.lengths[rows], steps=parts)

    def with_values(self, values: ArrayLike) -> Batch:
        """The same lengths and side with other values of the same batch and time axes.

        Raises:
            InputError: when rows or time steps differ in number.
        """
        new = np.asarray(values)
        if new.shape[:2] != self.values.shape[:2]:
            raise InputError(
                f"with_values needs values that begin with shape {self.values.shape[:2]}; got {new.shape}. "
                "Use with_extra(...) to change the amount of padding, rows(...) to choose rows."
            )
        return self._with(new)

    def with_fill(self, fill: float) -> Batch:
        """The same valid values with this number in every padded cell.

        Raises:
            InputError: when the dtype of the values cannot hold it (NaN in integers).
        """
        if self.values.dtype.kind in "iub":
            limits = np.iinfo(self.values.dtype) if self.values.dtype.kind != "b" else None
            low, high = (limits.min, limits.max) if limits else (0, 1)
            if not (math.isfinite(fill) and fill == int(fill) and low <= fill <= high):
                raise InputError(
                    f"fill={number_code(fill)} does not fit values of dtype {self.values.dtype.name}. "
                    f"Use an integer from {low} to {high}, or float values."
                )
        values = self.values.copy()
        with np.errstate(all="ignore"):  # a large fill becomes Inf in float16; that is what was asked for
            values[~self.mask] = fill
        return self._with(values)

    def with_extra(self, extra: int) -> Batch:
        """The same rows with `extra` padded columns beyond the longest row: columns added or removed.

        New columns hold what the padding holds; where that is mixed, its numbers are repeated.

        Raises:
            InputError: when extra is negative or not an integer.
        """
        Padding(extra=extra)  # the same check, and the same message
        mask, time = self.mask, self.longest + int(extra)
        values: Array = np.zeros((self.size, time, *self.values.shape[2:]), self.values.dtype)
        old = self.values[~mask]
        if old.size:
            values[...] = self.padding.fill if self.padding.fill is not None else np.resize(old, values.shape)
        valid = _mask(self.lengths, time, self.padding.side)
        values[valid] = self.values[mask]
        steps = {}
        for name, part in self.steps.items():
            steps[name] = np.zeros((self.size, time, *part.shape[2:]), part.dtype)
            steps[name][valid] = part[mask]
        return self._with(values, steps=steps)

    def with_side(self, side: str) -> Batch:
        """The same rows padded on this side; each row keeps its padded content, in the same order."""
        Padding(side)
        if side == self.padding.side:
            return self
        old, new = self.mask, _mask(self.lengths, self.time, side)

        def moved(array: Array) -> Array:
            other = np.empty_like(array)
            other[new], other[~new] = array[old], array[~old]
            return other

        return self._with(moved(self.values), side=side, steps={name: moved(part) for name, part in self.steps.items()})

    def trimmed(self) -> Batch:
        """Without the padded columns that even the longest row has."""
        return self.with_extra(0)

    def rows(self, rows: int | Sequence[int]) -> Batch:
        """These rows only, in this order, with the time axis as it is. One row keeps its batch axis.

        Raises:
            InputError: for a row that is not there.
        """
        chosen = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        for row in chosen:
            if not -self.size <= row < self.size:
                raise InputError(f"Row {row} is not in a batch of {self.size}. Use 0 … {self.size - 1}.")
        steps = {name: part[chosen] for name, part in self.steps.items()}
        return self._with(self.values[chosen], self.lengths[chosen], steps=steps)

    def astype(self, dtype: DTypeLike) -> Batch:
        """The same batch with values rounded to this dtype."""
        with np.errstate(all="ignore"):
            return self._with(self.values.astype(dtype))

    # Case files

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; `Batch.from_dict` gives back the same shapes, dtypes and numbers, NaN and Inf
        included.
        """
        steps = {name: array_to_dict(part) for name, part in self.steps.items()}
        return {
            "values": array_to_dict(self.values),
            "lengths": array_to_dict(self.lengths),
            "padding": self.padding.to_dict(),
            **({"steps": steps} if steps else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Batch:
        """The batch that `to_dict` wrote.

        Raises:
            InputError: when a key is missing or the parts do not make a batch.
        """
        for key in ("values", "lengths"):
            if key not in data:
                raise InputError(f"This is not a batch that gradcheck wrote: it has no {key!r}, only {list(data)}.")
        side = data.get("padding", {}).get("side", "post")
        steps = {name: array_from_dict(part) for name, part in (data.get("steps") or {}).items()}
        return cls(array_from_dict(data["values"]), array_from_dict(data["lengths"]), Padding(side), steps)
