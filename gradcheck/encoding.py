"""Arguments of a subject as JSON and back: arrays of every dtype, batches, ragged and sparse tensors, nested ones.

Each value is an object with a ``type``. Reading needs TensorFlow for ragged and sparse tensors only (and for bfloat16
where ml_dtypes is not installed).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError
from gradcheck.importing import load_object, spec_of
from gradcheck.strategies import Batch, Ragged
from gradcheck.strategies._literals import array_from_dict, array_to_dict

__all__ = ["decode", "encode"]


def encode(value: Any) -> dict[str, Any]:
    """A value as JSON types only.

    A tensor becomes an array: a check makes no difference between the two.

    Args:
        value: a `Batch`, a `Ragged`, an array or tensor of numbers, booleans or strings, a ragged or sparse tensor, a
            Python number, string, bytes or None, or dicts, lists, tuples and named tuples of these.

    Raises:
        InputError: for anything else.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return {"type": "python", "value": value}
    # By exact type: np.float64 is a float to Python, and np.bytes_ are bytes.
    if type(value) is float:
        return {"type": "python", "value": value} if math.isfinite(value) else {"type": "float", "value": str(value)}
    if type(value) is bytes:
        return {"type": "bytes", "value": base64.b64encode(value).decode()}
    if isinstance(value, Batch):
        return {"type": "batch", **value.to_dict()}
    if isinstance(value, Ragged):
        return {"type": "row_splits", "values": _array(value.values), "row_splits": _array(value.row_splits)}
    if isinstance(value, Mapping):
        return {"type": "dict", "items": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        spec, _ = spec_of(type(value))
        if spec is None:
            raise InputError(f"{type(value).__name__} is defined inside a function: a case file cannot name it")
        return {"type": "namedtuple", "class": spec, "items": [encode(item) for item in value]}
    if isinstance(value, (list, tuple)):
        return {"type": type(value).__name__, "items": [encode(item) for item in value]}
    return _tensor(value)


def _tensor(value: Any) -> dict[str, Any]:
    if isinstance(value, (np.ndarray, np.generic, complex)):
        return _array(np.asarray(value))
    parts = ("flat_values", "nested_row_splits"), ("indices", "values", "dense_shape")
    if all(hasattr(value, part) for part in parts[0]):
        splits = [_array(part.numpy()) for part in value.nested_row_splits]
        return {"type": "ragged", "values": _array(value.flat_values.numpy()), "row_splits": splits}
    if all(hasattr(value, part) for part in parts[1]) and type(value).__name__.startswith("SparseTensor"):
        return {"type": "sparse", **{part: _array(getattr(value, part).numpy()) for part in parts[1]}}
    if callable(getattr(value, "numpy", None)):
        return _array(np.asarray(value.numpy()))
    raise InputError(
        f"a {type(value).__name__} cannot be written to a case file: {value!r}. It holds arrays, tensors, ragged and "
        "sparse tensors, Python numbers and strings, and dicts, lists and tuples of these"
    )


def _array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    if array.dtype.kind in "OSU":  # strings; TensorFlow keeps them as bytes
        items = [item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1).tolist()]
        data = [base64.b64encode(item).decode() for item in items]
        return {"type": "strings", "shape": list(array.shape), "data": data}
    return {"type": "array", **array_to_dict(array)}


def decode(data: Any) -> Any:
    """The value that `encode` wrote.

    Raises:
        InputError: where the data is not what `encode` writes: what is wrong with it.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise InputError(f"an argument must be an object with a 'type'; got {_short(data)}")
    reader = _READERS.get(data["type"])
    if reader is None:
        raise InputError(
            f"an argument has the type {data['type']!r}, which is none of {', '.join(sorted(_READERS))}. Was it "
            "written by a newer gradcheck?"
        )
    try:
        return reader(data)
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"an argument of type {data['type']!r} has no {error.args[0]!r}: {_short(data)}") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"an argument of type {data['type']!r} is damaged ({error}): {_short(data)}") from None


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 80 else text[:77] + "..."


def _strings(data: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    items = np.empty(len(data["data"]), dtype=object)
    items[:] = [base64.b64decode(item, validate=True) for item in data["data"]]
    shaped: np.ndarray[Any, Any] = items.reshape(data["shape"])
    return shaped


def _named(data: Mapping[str, Any]) -> Any:
    return load_object(data["class"], "named tuple")(*(decode(item) for item in data["items"]))


def _ragged(data: Mapping[str, Any]) -> Any:
    splits = [decode(part) for part in data["row_splits"]]
    return tensorflow().RaggedTensor.from_nested_row_splits(decode(data["values"]), splits)


def _sparse(data: Mapping[str, Any]) -> Any:
    return tensorflow().SparseTensor(decode(data["indices"]), decode(data["values"]), decode(data["dense_shape"]))


_READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "array": array_from_dict,
    "batch": Batch.from_dict,
    "bytes": lambda data: base64.b64decode(data["value"], validate=True),
    "dict": lambda data: {decode(key): decode(item) for key, item in data["items"]},
    "float": lambda data: float(data["value"]),
    "list": lambda data: [decode(item) for item in data["items"]],
    "namedtuple": _named,
    "python": lambda data: data["value"],
    "ragged": _ragged,
    "row_splits": lambda data: Ragged(decode(data["values"]), decode(data["row_splits"])),
    "sparse": _sparse,
    "strings": _strings,
    "tuple": lambda data: tuple(decode(item) for item in data["items"]),
}
