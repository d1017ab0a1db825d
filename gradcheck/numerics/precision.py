"""Machine epsilons of TensorFlow's dtypes, by their names."""

from __future__ import annotations

__all__ = ["eps_of"]

_EPS = {
    "float64": 2.0**-52,
    "complex128": 2.0**-52,
    "float32": 2.0**-23,
    "complex64": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}


def eps_of(dtype: str) -> float:
    """Machine epsilon of a TensorFlow dtype, by its name."""
    return _EPS.get(dtype, 2.0**-7)
