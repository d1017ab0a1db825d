"""Checks of strategy arguments: what is wrong, the value, the limit, the remedy.

They run when a strategy is first drawn from and raise `hypothesis.errors.InvalidArgument`, as Hypothesis's
own do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis.errors import InvalidArgument

from gradcheck.errors import shown
from gradcheck.strategies._literals import dtype_named, number_code

__all__ = [
    "MOST_NUMBERS",
    "bounded",
    "choices",
    "dtype_of",
    "flag",
    "hashable",
    "integer",
    "inward",
    "length_dtype",
    "number",
    "ordered",
    "representable",
    "shape_of",
]


def integer(name: str, value: Any, *, at_least: int) -> int:
    """`value` as an int from `at_least` on."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InvalidArgument(f"{name}={shown(value)} must be an integer. Use {at_least} or more.")
    if value < at_least:
        raise InvalidArgument(f"{name}={shown(value)} is too small. Use {at_least} or more.")
    return int(value)


MOST_NUMBERS = 10_000_000
"""Most numbers of a batch where nothing else is said: 80 MB in float64, of which a check holds many copies."""


def bounded(factors: Mapping[str, int], limit: Any) -> None:
    """That a batch of these sizes has no more numbers than `limit`."""
    most = integer("max_numbers", limit, at_least=1)
    size = math.prod(factors.values())
    if size > most:
        sizes = " · ".join(f"{name}={value}" for name, value in factors.items())
        raise InvalidArgument(
            f"the largest batch has {size} numbers ({sizes}); the limit is max_numbers={most}. Lower one of the sizes, "
            f"or raise the limit with max_numbers={size} where there is memory for many copies of such a batch."
        )


def number(name: str, value: Any) -> float | int | None:
    """`value` as a finite real number, or None."""
    if value is None:
        return None
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidArgument(f"{name}={shown(value)} must be a real number, or None for the default.")
    if not math.isfinite(value):
        raise InvalidArgument(
            f"{name}={shown(value)} must be finite. NaN and Inf are drawn as padding only, with poison=True."
        )
    return int(value) if isinstance(value, (int, np.integer)) else float(value)


def ordered(low_name: str, low: Any, high_name: str, high: Any) -> None:
    """That `low` is not above `high`."""
    if low > high:
        raise InvalidArgument(
            f"{low_name}={shown(low)} is greater than {high_name}={shown(high)}. Lower the one or raise the other."
        )


def choices(name: str, value: Any, allowed: Sequence[str]) -> tuple[str, ...]:
    """`value` as a tuple of one or more distinct names out of `allowed`, in the order of `allowed`."""
    if isinstance(value, str) or not isinstance(value, (tuple, list, set, frozenset)):
        raise InvalidArgument(f"{name}={shown(value)} must be a tuple of names. Use one or more of {tuple(allowed)}.")
    for item in value:
        if item not in allowed:
            raise InvalidArgument(f"{name} has {shown(item)}, which is none of {tuple(allowed)}.")
    if not value:
        raise InvalidArgument(f"{name}={shown(value)} is empty. Use one or more of {tuple(allowed)}.")
    return tuple(item for item in allowed if item in value)


def flag(name: str, value: Any) -> bool:
    """`value` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{name}={shown(value)} must be True or False.")
    return bool(value)


def dtype_of(name: str, value: Any, *, kinds: str = "fci") -> np.dtype[Any]:
    """`value` (a dtype, its name, or an object such as `tf.float32` that knows its NumPy dtype) as a NumPy
    dtype.

    Args:
        kinds: which NumPy kinds are allowed; bfloat16 counts as a float.
    """
    known = getattr(value, "as_numpy_dtype", value)
    try:
        dtype = dtype_named(known) if isinstance(known, str) else np.dtype(known)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"{name}={shown(value)} is not a dtype: {error}") from None
    words = {"f": "float", "c": "complex", "i": "signed integer", "u": "unsigned integer", "b": "boolean"}
    kind = "f" if dtype.name == "bfloat16" else dtype.kind
    if value is None or kind not in kinds or dtype.name in {"float128", "complex256", "longdouble", "clongdouble"}:
        allowed = ", ".join(words[kind] for kind in kinds)
        raise InvalidArgument(
            f"{name}={shown(value)} ({dtype.name}) cannot be drawn. "
            f"Use a dtype that TensorFlow has, of kind: {allowed}."
        )
    return dtype


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """`value` as a tuple of axis lengths, each from 0 on."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        value = (value,)
    if not isinstance(value, (tuple, list)):
        raise InvalidArgument(f"{name}={shown(value)} must be a tuple of integers, or a strategy that draws them.")
    return tuple(integer(f"{name}[{axis}]", length, at_least=0) for axis, length in enumerate(value))


def representable(name: str, value: float | int, dtype: np.dtype[Any]) -> None:
    """That a bound survives in `dtype`: a float16 cannot hold 1e6, an integer cannot hold 0.5."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if value != int(value) or not limits.min <= value <= limits.max:
            raise InvalidArgument(
                f"{name}={shown(value)} is not a number of dtype {dtype.name}. "
                f"Use an integer from {limits.min} to {limits.max}."
            )
        return
    with np.errstate(all="ignore"):
        rounded = np.asarray(value).astype(dtype)
    if not np.isfinite(rounded.astype(np.complex128)):
        raise InvalidArgument(
            f"{name}={shown(value)} is beyond the largest {dtype.name}, which it becomes as "
            f"{number_code(float(np.real(rounded)))}. Use a smaller one or a wider dtype."
        )


def length_dtype(name: str, value: Any) -> np.dtype[Any]:
    """`value` as int32 or int64, the two that TensorFlow accepts as lengths everywhere."""
    dtype = dtype_of(name, value, kinds="fciub")
    if dtype not in (np.int32, np.int64):
        raise InvalidArgument(
            f"{name}={shown(value)} ({dtype.name}) cannot hold lengths. Use np.int32, as TensorFlow does, or np.int64."
        )
    return dtype


def hashable(value: Any, name: str = "dtype") -> Any:
    """`value`, which plans are cached by."""
    try:
        hash(value)
    except TypeError:
        raise InvalidArgument(f"{name}={shown(value)} is not a {name}. Use one such as np.float32.") from None
    return value


def inward(bound: float, dtype: np.dtype[Any], *, up: bool) -> float:
    """The number of a float dtype next to `bound`, on the inner side: float32 has no 0.7, and what it rounds
    that to is below a `min_value` of 0.7.
    """
    with np.errstate(all="ignore"):
        real = np.asarray(bound).astype(dtype).real
    wide = float(real)  # NumPy 2 would round the bound to the dtype before it compares
    if (up and wide < bound) or (not up and wide > bound):
        real = np.nextafter(real, np.asarray(np.inf if up else -np.inf, dtype=real.dtype))
    return float(real)
