"""Arguments in another floating-point dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.strategies import Batch

__all__ = ["WIDE", "dtypes_of", "recast"]

WIDE = {"float16": "float64", "bfloat16": "float64", "float32": "float64", "complex64": "complex128"}
"""The dtypes of less than double precision, each with the one that is."""


def recast(value: Any, dtypes: Mapping[str, str]) -> Any:
    """Nested arguments with every array and tensor of some dtypes in others; the rest as it is.

    Args:
        value: a `Batch`, an array, a tensor, or dicts, lists and tuples of these.
        dtypes: for each dtype that is not to stay the one to have instead.
    """
    tf = tensorflow()
    if isinstance(value, Batch):
        wanted = dtypes.get(np.asarray(value.values).dtype.name)
        return value if wanted is None else value.astype(tf.as_dtype(wanted).as_numpy_dtype)
    if isinstance(value, dict):
        return {key: recast(item, dtypes) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(recast(item, dtypes) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(recast(item, dtypes) for item in value)
    convert = getattr(value, "to_tensorflow", None)
    if callable(convert):
        value = convert()
    if type(value) is float and "float64" in dtypes:
        value = np.float64(value)
    dtype = getattr(value, "dtype", None)
    wanted = None if dtype is None else dtypes.get(tf.as_dtype(dtype).name)
    if wanted is None:
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.astype(tf.as_dtype(wanted).as_numpy_dtype)
    return tf.cast(value, wanted)


def dtypes_of(value: Any) -> frozenset[str]:
    """Names of the dtypes of the arrays, tensors and Python floats in nested arguments."""
    tf = tensorflow()
    if type(value) is float:
        return frozenset(["float64"])
    if isinstance(value, Batch):
        return frozenset([np.asarray(value.values).dtype.name])
    if isinstance(value, dict):
        return frozenset().union(*map(dtypes_of, value.values()))
    if isinstance(value, (list, tuple)):
        return frozenset().union(*map(dtypes_of, value))
    convert = getattr(value, "to_tensorflow", None)
    if callable(convert):
        value = convert()
    dtype = getattr(value, "dtype", None)
    return frozenset() if dtype is None else frozenset([tf.as_dtype(dtype).name])
