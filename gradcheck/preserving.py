"""Whatever the user had before a check is the same after it, also when the subject raises half way."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow

__all__ = ["preserved"]


@contextlib.contextmanager
def preserved(variables: Sequence[Any]) -> Iterator[None]:
    """Restore variables, bit for bit, and the random state of Python, NumPy and TensorFlow's global generator."""
    saved = [(variable, variable.numpy()) for variable in variables]
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    generator = _global_generator()
    generator_state = None if generator is None else generator.state.numpy()
    op_seeds = _op_seeds()
    seeds_state = None if op_seeds is None else op_seeds.getstate()
    try:
        yield
    finally:
        for variable, value in saved:
            if variable.numpy().tobytes() != value.tobytes():
                variable.assign(value)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if generator is not None:
            generator.state.assign(generator_state)
        if op_seeds is not None:
            op_seeds.setstate(seeds_state)


def _global_generator() -> Any:
    """TensorFlow's global generator where one exists already: asking the public function would create it."""
    from tensorflow.python.ops import stateful_random_ops

    tensorflow()
    return getattr(stateful_random_ops, "global_generator", None)


def _op_seeds() -> Any:
    """The Python generator from which eager TensorFlow draws the seeds of its random operations."""
    from tensorflow.python.eager import context

    return getattr(context.context(), "_rng", None)
