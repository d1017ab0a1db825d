"""Arrays as Python code that can be pasted, and as JSON that every TensorFlow version can read back."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.errors import InputError, shown

__all__ = ["array_code", "array_from_dict", "array_to_dict", "dtype_named", "number_code"]

#: From this many equal elements on, `np.full` reads better than the list of them.
_FULL_FROM = 9

#: A file holds no larger array. An empty one of a larger shape has no derivatives that could be written down.
_MOST_NUMBERS = 1 << 32

_NONFINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dtype_named(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; `bfloat16` comes from `ml_dtypes` (which TensorFlow installs).

    Raises:
        InputError: for a name that is no dtype here.
    """
    if not isinstance(name, str):
        raise InputError(f"dtype {shown(name)} is not the name of a dtype. Use one such as 'float64' or 'complex64'.")
    try:
        return np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        pass
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            # TensorFlow up to 2.10 has a bfloat16 of its own; whoever reads one back has that loaded.
            loaded = sys.modules.get("tensorflow")
            if loaded is not None and hasattr(loaded, "bfloat16"):
                found: np.dtype[Any] = np.dtype(loaded.bfloat16.as_numpy_dtype)
                return found
            raise InputError(
                "dtype 'bfloat16' needs the package ml_dtypes, which is not installed. "
                "Install it (TensorFlow 2.11 and later bring it), or use float16 or float32."
            ) from None
        named: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return named
    raise InputError(f"dtype {shown(name)} is not a NumPy dtype. Use one such as 'float64' or 'complex64'.")


def number_code(number: Any) -> str:
    """One NumPy or Python scalar as code: the shortest text that gives the same number in the same dtype."""
    if isinstance(number, (complex, np.complexfloating)):
        real, imag = number_code(number.real), number_code(number.imag)
        if all(math.isfinite(part) and math.copysign(1.0, part) > 0 for part in (number.real, number.imag)):
            return f"{real}+{imag}j"
        # `-1-0j` and `0+nan*1j` do not give back what was printed; `complex(...)` always does.
        return f"complex({real}, {imag})"
    if isinstance(number, (bool, np.bool_)):
        return str(bool(number))
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    if math.isnan(number):
        return "np.nan"
    if math.isinf(number):
        return "np.inf" if number > 0 else "-np.inf"
    return str(number)


def _nested(array: np.ndarray[Any, Any]) -> str:
    if array.ndim == 0:
        return number_code(array[()])
    return "[" + ", ".join(_nested(part) for part in array) + "]"


def _dtype_code(dtype: np.dtype[Any]) -> str:
    return f"np.{dtype.name}" if hasattr(np, dtype.name) else repr(dtype.name)


def array_code(array: np.ndarray[Any, Any]) -> str:
    """Code that makes an array equal to this one, in shape, dtype and every bit but the payload of a NaN.

    It needs `import numpy as np`, and for bfloat16 also `import ml_dtypes`. A dtype is left out only where
    NumPy would choose the same one by itself on every platform: for float64, complex128 and bool.
    """
    if array.dtype.kind in "OSU":  # strings; TensorFlow keeps them as objects
        return f"np.array({array.tolist()!r}{', dtype=object' if array.dtype.kind == 'O' else ''})"
    dtype = _dtype_code(array.dtype)
    inferred = array.size > 0 and array.dtype in (np.float64, np.complex128, np.bool_)
    suffix = "" if inferred else f", dtype={dtype}"
    if array.size == 0:
        return f"np.zeros({array.shape}{'' if array.dtype == np.float64 else f', dtype={dtype}'})"
    flat = array.reshape(-1)  # array.flat has 32 axes at most
    first = number_code(flat[0])
    if array.size >= _FULL_FROM and all(number_code(number) == first for number in flat):
        return f"np.full({array.shape}, {first}{suffix})"
    return f"np.array({_nested(array)}{suffix})"


def _json_number(number: Any) -> Any:
    if isinstance(number, complex):
        return [_json_number(number.real), _json_number(number.imag)]
    if isinstance(number, float) and not math.isfinite(number):
        return "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")
    return number


def array_to_dict(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """`{"dtype", "shape", "data"}` of JSON types only, `data` flat and row by row.

    Floats are written as the float64 of equal value, which every float dtype gives back exactly; NaN and the
    infinities as strings, since JSON has no numbers for them; complex numbers as pairs.
    """
    wide: np.ndarray[Any, Any] = array
    if array.dtype.name == "bfloat16":
        wide = array.astype(np.float64)
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": [_json_number(number) for number in wide.reshape(-1).tolist()],
    }


def _number(item: Any) -> Any:
    if isinstance(item, str):
        return _NONFINITE[item]
    if isinstance(item, (list, tuple)):
        real, imag = item
        return complex(_number(real), _number(imag))
    return item


def array_from_dict(data: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The array that `array_to_dict` wrote.

    Raises:
        InputError: when a key is missing, the data does not fit the shape, or a number cannot be read.
    """
    try:
        dtype = dtype_named(data["dtype"])
        if dtype.kind in "OSUmM" or dtype.type is np.void:  # what ml_dtypes adds is of kind V as well
            raise InputError(f"An array of numbers cannot have the dtype {shown(data['dtype'])}.")
        numbers = [_number(item) for item in data["data"]]
        shape = tuple(data["shape"])
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"its shape is {shown(data['shape'])}")
        if math.prod(max(size, 1) for size in shape) > _MOST_NUMBERS:
            raise ValueError(f"its shape {shown(data['shape'])} is beyond {_MOST_NUMBERS} numbers")
        return np.array(numbers, dtype=dtype).reshape(shape)
    except InputError:
        raise
    except KeyError as error:
        raise InputError(
            f"This is not an array that gradcheck wrote: {shown(error.args[0])} is not understood or missing. "
            "It needs the keys 'dtype', 'shape' and 'data'."
        ) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"This is not an array that gradcheck wrote: {error}.") from None
