"""The reference engine: `tf.test.compute_gradient` itself, in every mode and for every dtype and structure.

`tf.test.compute_gradient` differentiates a Python function of dense tensors from outside: under XLA it cannot
differentiate anything with a loop in it (the tape stands outside the compiled function), it knows nothing of variables,
ragged tensors or nested outputs, and in low precision its step of 2**-10 is lost. Here it is given a function over flat
float64 vectors with a custom gradient, whose values and gradients both come from the mode's compiled function of one
point; so what it measures is the mode's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.execution.modes import Execution

__all__ = ["REFERENCE_STEP", "compute_gradient"]

REFERENCE_STEP = 2.0**-10
"""The step of `tf.test.compute_gradient`, whatever the dtype."""


def compute_gradient(
    run: Execution,
    x: np.ndarray,
    *,
    rows: np.ndarray | None = None,
    columns: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Theoretical and numerical Jacobian as `tf.test.compute_gradient` gives them, in the mode of an execution.

    Args:
        run: the problem in a mode.
        x: the point, float64 ``[x_size]``.
        rows, columns: places of the outputs and inputs to which the Jacobians are restricted; all where omitted.

    Returns:
        Two float64 arrays ``[len(rows), len(columns)]``.

    Raises:
        Exception: whatever the subject or TensorFlow raises.
    """
    tf = tensorflow()
    y_size = run.problem.outputs.size
    rows = np.arange(y_size) if rows is None else np.asarray(rows)
    columns = np.arange(x.size) if columns is None else np.asarray(columns)
    if not rows.size or not columns.size:  # compute_gradient itself fails on an empty output
        return np.zeros((rows.size, columns.size)), np.zeros((rows.size, columns.size))

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def function(part: Any) -> Any:
        point = x.copy()
        point[columns] = part.numpy()

        def gradient(cotangent: Any, variables: Any = None) -> Any:
            full = np.zeros(y_size)
            full[rows] = cotangent.numpy()
            pulled = run.gradient(point, full)[columns]
            # The variables are part of the point here; compute_gradient asks for no gradient of its own for them.
            return (tf.constant(pulled), [None] * len(variables)) if variables else tf.constant(pulled)

        return tf.constant(_aside(run, point)[rows]), gradient

    if run.mode != "eager":
        run.value(x)  # traced now: a tape of the subject's own would record nothing while all tapes are paused
    theoretical, numerical = tf.test.compute_gradient(function, [tf.constant(x[columns])], delta=REFERENCE_STEP)
    return np.asarray(theoretical[0]), np.asarray(numerical[0])


def _aside(run: Execution, point: np.ndarray) -> np.ndarray:
    """The forward pass out of sight of compute_gradient's tape, which must not look inside a compiled function.

    (The gradient needs its tape, and runs when that of compute_gradient is no longer recording.)
    """
    if run.mode == "eager":
        # A tape of the subject's own, or that of a second derivative, would be paused as well. What the tape of
        # compute_gradient records here is in vain: what is returned to it is a constant.
        return run.forward(point)
    with tensorflow().init_scope():  # pauses every tape
        return run.value(point)
