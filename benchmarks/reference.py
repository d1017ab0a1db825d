"""What the exact reference costs, beside other ways to the same Jacobian: one table, all of it from one run.

    python benchmarks/reference.py [--only NAME ...] [--repeats 5]

For each subject, in float64: the full Jacobian by the interpreter, by `tf.test.compute_gradient` in graph mode, and by
measured slopes in graph mode and under XLA (both compiled before). Medians in milliseconds, and the ratio of each to
the interpreter. *apart* is the largest difference between the interpreter's Jacobian and TensorFlow's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

ROWS, STEPS, FEATURES = 3, 6, 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    import tensorflow as tf

    tf.keras.backend.set_floatx("float64")
    print(f"{'subject':<12}{'inputs':>7}{'outputs':>8}{'exact':>9}{'compute_gradient':>20}"
          f"{'measured, graph':>20}{'measured, XLA':>20}{'apart':>10}")  # fmt: skip
    for name, subject in _subjects(tf).items():
        if arguments.only is None or name in arguments.only:
            print(_row(name, subject, arguments.repeats), flush=True)
    return 0


def _row(name: str, subject: Any, repeats: int) -> str:
    import numpy as np

    from gradcheck.engines.jacobians import examine, theoretical_jacobian
    from gradcheck.engines.reference import compute_gradient
    from gradcheck.execution.modes import execution
    from gradcheck.harness.observation import observe
    from gradcheck.harness.options import Options
    from gradcheck.subject.adapter import subject_of

    values = np.random.default_rng(0).normal(size=(ROWS, STEPS, FEATURES))
    baseline = observe(subject_of(subject, None), (values,), Options())
    reference = baseline.reference
    if reference is None:
        return f"{name:<12} no exact reference: {baseline.no_reference}"
    problem, rows, columns = baseline.problem, baseline.rows, baseline.columns
    units = np.eye(problem.x.size)[columns]

    def measured(mode: str) -> Callable[[], Any]:
        run = execution(problem, mode)

        def whole() -> Any:
            jacobian = theoretical_jacobian(run, problem.x, rows).jacobian
            return examine(run, problem.x, jacobian, eps=baseline.eps, rows=rows, columns=columns, options={})

        return whole

    jacobian = theoretical_jacobian(execution(problem, "graph"), problem.x, rows).jacobian
    apart = float(np.abs(reference.along(units).right.T - jacobian[:, columns]).max())
    ours = _median(lambda: reference.along(units), repeats)
    ways = (lambda: compute_gradient(execution(problem, "graph"), problem.x), measured("graph"), measured("xla"))
    others = [_median(way, repeats) for way in ways]
    cells = "".join(f"{f'{other:.1f} ({other / ours:.1f}x)':>20}" for other in others)
    return f"{name:<12}{columns.size:>7}{rows.size:>8}{ours:>9.1f}{cells}{apart:>10.1e}"


def _median(way: Callable[[], Any], repeats: int) -> float:
    """Milliseconds of a call, the median of some after a first one."""
    way()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        way()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def _subjects(tf: Any) -> dict[str, Any]:
    layers = tf.keras.layers
    attention = layers.MultiHeadAttention(2, 3)

    def attend(values: Any) -> Any:
        return attention(values, values)

    def loop(values: Any) -> Any:
        states = tf.TensorArray(values.dtype, size=STEPS)

        def body(step: Any, state: Any, states: Any) -> Any:
            state = tf.tanh(state + values[:, step])
            return step + 1, state, states.write(step, state)

        first = (0, tf.zeros_like(values[:, 0]), states)
        return tf.while_loop(lambda step, *_: step < STEPS, body, first, maximum_iterations=STEPS)[2].stack()

    return {
        "dense": layers.Dense(3),
        "gru": layers.GRU(3, return_sequences=True),
        "lstm": layers.LSTM(3, return_sequences=True),
        "attention": attend,
        "while_loop": loop,
    }


if __name__ == "__main__":
    raise SystemExit(main())
