"""NumPy arrays and plain Python values as code that gives back exactly the same value."""

from __future__ import annotations

import base64
import math
import textwrap
import zlib
from typing import Any

import numpy as np

__all__ = ["UnwritableError", "array_code", "plain_code", "scalar_code"]

_WIDTH = 92
# Beyond this many numbers nobody reads an array, and it is written compressed.
_READABLE = 2_000
# Beyond this many a script is no longer something to paste.
_WRITABLE = 200_000


class UnwritableError(Exception):
    """Something cannot be written as code; the message says what."""


def _float_code(value: float) -> str:
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(value)


def _dtype_code(dtype: np.dtype[Any]) -> str:
    # NumPy knows bfloat16 and its like only through TensorFlow.
    if dtype.kind == "b":
        return "np.bool_"
    return f"np.{dtype.name}" if dtype.kind in "iufc" else f"tf.{dtype.name}.as_numpy_dtype"


def scalar_code(value: Any) -> str:
    """One element, in the fewest digits that give it back in its own dtype."""
    if isinstance(value, np.complexfloating):
        return f"complex({scalar_code(value.real)}, {scalar_code(value.imag)})"
    if isinstance(value, np.floating):
        return _float_code(float(value)) if not np.isfinite(value) else str(value)
    return repr(value.item())


def _elements(array: np.ndarray[Any, Any], indent: int = 0) -> str:
    """Nested brackets: on one line where they fit, else a line for each part, indented as Python code is."""
    if array.ndim == 0:
        return scalar_code(array[()])
    inner = indent + 4
    parts = [_elements(part, inner) for part in array] if array.ndim > 1 else [scalar_code(item) for item in array]
    line = "[" + ", ".join(parts) + "]"
    # The room that ``name = np.array(..., np.float32)`` takes around it.
    if "\n" not in line and len(line) + max(indent, 36) <= _WIDTH + 8:
        return line
    space = " " * inner
    if array.ndim == 1:
        parts = textwrap.wrap(", ".join(parts), _WIDTH - inner, break_long_words=False, break_on_hyphens=False)
        return "[\n" + "\n".join(space + part for part in parts) + "\n" + " " * indent + "]"
    return "[\n" + "".join(f"{space}{part},\n" for part in parts) + " " * indent + "]"


def array_code(array: Any) -> str:
    """A NumPy array or scalar as an expression with the same dtype, shape and bits (the payload of a NaN excepted).

    Raises:
        UnwritableError: for arrays of objects other than text, and for very large ones.
    """
    array = np.asarray(array)
    if array.dtype.kind in "SUO":
        items = array.ravel().tolist()
        if not all(isinstance(item, (str, bytes)) for item in items):
            raise UnwritableError("an array of Python objects")
        flat = f"np.array({items!r}, dtype=object)"
        return flat if array.ndim == 1 else f"{flat}.reshape({array.shape!r})"
    dtype = _dtype_code(array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.size == 0:
        return f"np.zeros({array.shape!r}, {dtype})"
    if array.size > _WRITABLE:
        raise UnwritableError(f"an array of {array.size} numbers")
    first = array.flat[0]
    if array.size > 8 and array.tobytes() == np.full_like(array, first).tobytes():
        if not dtype.startswith("np."):
            return f"np.full({array.shape!r}, {_float_code(float(first))}).astype({dtype})"
        return f"np.full({array.shape!r}, {plain_code(first.item())}, {dtype})"
    if array.size > _READABLE:
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()
        lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(packed, _WIDTH))
        return f"np.frombuffer(zlib.decompress(base64.b64decode(\n{lines}\n)), {dtype}).reshape({array.shape!r}).copy()"
    if not dtype.startswith("np."):
        return f"np.array({_elements(array.astype(np.float32))}, np.float32).astype({dtype})"
    elements = _elements(array)
    if array.dtype in (np.dtype(np.float64), np.dtype(np.bool_)):
        return f"np.array({elements})"
    return f"np.array({elements}, {dtype})"


def plain_code(value: Any) -> str | None:
    """A Python value whose ``repr`` is code, or None for any other. Containers of such values count."""
    if value is None or value is Ellipsis or (isinstance(value, (bool, int, str, bytes)) and type(value) in _EXACT):
        return repr(value)
    if type(value) is float:
        return _float_code(value)
    if type(value) is complex:
        return f"complex({_float_code(value.real)}, {_float_code(value.imag)})"
    if type(value) is range:
        return repr(value)
    if type(value) is slice:
        parts = [plain_code(part) for part in (value.start, value.stop, value.step)]
        return None if None in parts else f"slice({', '.join(map(str, parts))})"
    return None


_EXACT = (bool, int, str, bytes)
