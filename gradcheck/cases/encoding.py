"""Arguments of a subject as JSON and back: arrays of every dtype, batches, ragged and sparse tensors, nested ones.

Each value is an object with a ``type``. Reading needs TensorFlow for ragged and sparse tensors only (and for bfloat16
where ml_dtypes is not installed). Reading imports and calls nothing that the data names: a named tuple comes back as a
generic one, and `with_classes` gives it its class once the subject has been imported by somebody who may.
"""

from __future__ import annotations

import base64
import collections
import keyword
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError, in_words
from gradcheck.strategies import Batch, Ragged
from gradcheck.strategies._literals import array_from_dict, array_to_dict
from gradcheck.subject.importing import spec_of

__all__ = ["class_names", "decode", "encode", "with_classes"]


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
        spec = _class_in_file(type(value)) or spec_of(type(value))[0]
        if spec is None:
            raise InputError(f"{type(value).__name__} is defined inside a function: a case file cannot name it")
        items = [encode(item) for item in value]
        return {"type": "namedtuple", "class": spec, "fields": list(value._fields), "items": items}
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
    except RecursionError:
        raise InputError(f"an argument of type {data['type']!r} is nested too deeply to be read") from None
    except Exception as error:  # TensorFlow has errors of its own, for parts that do not fit together
        raise InputError(
            f"an argument of type {data['type']!r} is damaged ({in_words(error)}): {_short(data)}"
        ) from None


def _short(data: Any) -> str:
    try:
        text = repr(data)
    except RecursionError:
        return "..."
    return text if len(text) <= 80 else text[:77] + "..."


def with_classes(value: Any, modules: Iterable[ModuleType]) -> Any:
    """The same value with the named tuples that `decode` made as those that these modules have.

    Nothing is imported, and of the class no code runs. Where no module has the class, the generic tuple stays.

    Args:
        value: from `decode`.
        modules: of the subject, already imported. A class counts that is defined in one of them, that one of them has
            under some name, or whose module one of them has.
    """
    known = tuple(modules)

    def walk(found: Any) -> Any:
        if type(found) is dict:
            return {walk(key): walk(item) for key, item in found.items()}
        if type(found) in (list, tuple):
            return type(found)(map(walk, found))
        spec = _class_in_file(type(found))
        if spec is None:
            return found
        items = tuple(map(walk, found))
        named = _known_class(spec, known)
        if named is None or len(named._fields) != len(items):
            return tuple.__new__(type(found), items)
        return tuple.__new__(named, items)  # its own __new__ might do anything

    return walk(value)


def class_names(value: Any) -> list[str]:
    """Import paths of the named tuple classes in a value that `encode` takes, each once."""
    found: dict[str, None] = {}

    def walk(part: Any) -> None:
        if isinstance(part, Mapping):
            for key, item in part.items():
                walk(key)
                walk(item)
        elif isinstance(part, (list, tuple)):
            if hasattr(part, "_fields") and (spec := spec_of(type(part))[0]) is not None:
                found[spec] = None
            for item in part:
                walk(item)

    walk(value)
    return list(found)


def _class_in_file(kind: type) -> str | None:
    """The name that a file has for the class of a generic named tuple; None of any other class."""
    spec = vars(kind).get(_CLASS)
    return spec if isinstance(spec, str) else None


def _known_class(spec: str, modules: tuple[ModuleType, ...]) -> Any:
    """The named tuple class of that name; None where it is no such class, or none of the modules has it."""
    where, _, name = spec.partition(":")
    found: Any = sys.modules.get(where)
    for part in name.split("."):
        # Not getattr: a module may have a __getattr__ that imports.
        found = vars(found).get(part) if isinstance(found, (ModuleType, type)) else None
    fields = vars(found).get("_fields") if isinstance(found, type) and issubclass(found, tuple) else None
    if not isinstance(fields, tuple):
        return None
    home = sys.modules.get(where)
    for module in modules:
        if module is home or any(thing is found or thing is home for thing in list(vars(module).values())):
            return found
    return None


def _strings(data: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    items = np.empty(len(data["data"]), dtype=object)
    items[:] = [base64.b64decode(item, validate=True) for item in data["data"]]
    shaped: np.ndarray[Any, Any] = items.reshape(data["shape"])
    return shaped


def _named(data: Mapping[str, Any]) -> Any:
    spec, items = data["class"], tuple(decode(item) for item in data["items"])
    fields = data.get("fields", [f"field_{i}" for i in range(len(items))])  # not in files of earlier builds
    if not isinstance(spec, str) or len(fields) != len(items):
        raise ValueError("it needs a class, and as many fields as items")
    name = spec.rpartition(":")[2].rpartition(".")[2]
    usual = name if name.isidentifier() and not keyword.iskeyword(name) else "Items"
    kind: Any = collections.namedtuple(usual, fields)  # type: ignore[misc]
    setattr(kind, _CLASS, spec)
    return kind(*items)


def _python(data: Mapping[str, Any]) -> Any:
    value = data["value"]
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise ValueError("it holds a text, a number, true, false or null")
    return value


def _items(data: Mapping[str, Any]) -> list[Any]:
    if not isinstance(data["items"], list):
        raise ValueError("its items are no list")
    return [decode(item) for item in data["items"]]


def _ragged(data: Mapping[str, Any]) -> Any:
    splits = [decode(part) for part in data["row_splits"]]
    return tensorflow().RaggedTensor.from_nested_row_splits(decode(data["values"]), splits)


def _sparse(data: Mapping[str, Any]) -> Any:
    return tensorflow().SparseTensor(decode(data["indices"]), decode(data["values"]), decode(data["dense_shape"]))


# What a generic named tuple's own class keeps the name under that the file gives.
_CLASS = "_class_in_file"

_READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "array": array_from_dict,
    "batch": Batch.from_dict,
    "bytes": lambda data: base64.b64decode(data["value"], validate=True),
    "dict": lambda data: {decode(key): decode(item) for key, item in data["items"]},
    "float": lambda data: float(data["value"]),
    "list": _items,
    "namedtuple": _named,
    "python": _python,
    "ragged": _ragged,
    "row_splits": lambda data: Ragged(decode(data["values"]), decode(data["row_splits"])),
    "sparse": _sparse,
    "strings": _strings,
    "tuple": lambda data: tuple(_items(data)),
}
