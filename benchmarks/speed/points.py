"""(a) One point, both Jacobians: this project's engines against `tf.test.compute_gradient`, warm, in each mode.

Both get the same layer, weights and batch, and differentiate with respect to the values. What is timed:

- ``compute_gradient``: `tf.test.compute_gradient` on the function as it is (eager), under `tf.function` (graph,
  dynamic), or with ``jit_compile=True`` (xla). Where TensorFlow refuses the last one (a loop), on a function with a
  custom gradient whose two passes are compiled: the fastest way in which compute_gradient can be had at all.
- ``engine, same numbers``: the compiled engine, both Jacobians at compute_gradient's own step. They are compared:
  ``equal`` says to how many bits.
- ``engine, error bounds``: the Jacobians with the evaluations that give each entry its error bound.
- ``check``: all of `gradcheck.check` in that mode: that, determinism, the rule about padding, eager mode's word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from measuring import Row, in_process, interleaved, peak_of
from subjects import LOOPS, batch, layer, plain

import gradcheck
from gradcheck.engines.jacobians import examine, theoretical_jacobian
from gradcheck.engines.reference import REFERENCE_STEP, compute_gradient
from gradcheck.execution.modes import CompiledExecution, EagerExecution, OneByOne, execution
from gradcheck.subject.adapter import subject_of
from gradcheck.subject.problem import Problem

SUBJECTS = ("Dense", "GRU", "LSTM", "MultiHeadAttention", *LOOPS)
QUICK = ("Dense", "GRU")
MODES = ("eager", "graph", "dynamic", "xla")


def rows(*, quick: bool, subjects: list[str] | None = None) -> list[Row]:
    found: list[Row] = []
    for name in subjects or (QUICK if quick else SUBJECTS):
        for mode in MODES:
            result = in_process("points", {"name": name, "mode": mode, "runs": 2 if quick else 9})
            found += [Row.from_dict(row) for row in result["rows"]]
    return found


class Unlooped(OneByOne):
    """One compiled call for each forward and each backward pass, and nothing else in it."""

    inner: CompiledExecution

    def gradient(self, x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
        return self.inner.unlooped(x, cotangent)[1]


def main(name: str, mode: str, runs: int) -> dict[str, Any]:
    example = batch()
    subject, call = layer(name)
    plain_subject, function = plain(name, example)
    adapter = subject_of(subject, call)
    first = Problem.bind(adapter, [example], wrt="inputs")
    _, layout, _ = EagerExecution(first).observe(first.x)
    if hasattr(plain_subject, "get_weights"):
        function(tf.constant(example.values))  # builds it
        plain_subject.set_weights(subject.get_weights())
    problem = Problem.bind(adapter, [example], wrt="inputs")
    problem.outputs = layout
    verdict = gradcheck.check(subject, example, modes=mode, wrt="inputs", call=call)[mode]
    if verdict.verdict is gradcheck.Verdict.UNSUPPORTED:
        row = Row(part="a", subject=name, mode=mode, what="check", note=f"UNSUPPORTED: {verdict.cause}")
        return {"rows": [row.to_dict()]}
    run = execution(problem, mode)
    x, size = problem.x, layout.size
    note = ""

    def native() -> tuple[np.ndarray, np.ndarray]:
        pair = tf.test.compute_gradient(executed, [tf.constant(example.values)])
        return np.asarray(pair[0][0]), np.asarray(pair[1][0])

    signature = [tf.TensorSpec([None, None, example.values.shape[2]], tf.float64)]
    executed = {
        "eager": lambda: function,
        "graph": lambda: tf.function(function),
        "dynamic": lambda: tf.function(function, input_signature=signature),
        "xla": lambda: tf.function(function, jit_compile=True),
    }[mode]()
    baseline = native
    try:
        theirs, peak = peak_of(native)
    except Exception as error:
        note = f"refused ({type(error).__name__}): through a custom gradient around two compiled passes"
        assert isinstance(run, CompiledExecution)
        unlooped = Unlooped(run)
        baseline = lambda: compute_gradient(unlooped, x)  # noqa: E731
        theirs, peak = peak_of(baseline)

    points = np.concatenate([x + REFERENCE_STEP * np.eye(x.size), x - REFERENCE_STEP * np.eye(x.size)])

    def both() -> tuple[np.ndarray, np.ndarray]:
        theoretical = run.pullback(x, np.eye(size))
        plus, minus = np.split(run.evaluate(points), 2)
        return theoretical, ((plus - minus) / (2 * REFERENCE_STEP)).T

    def bounded() -> Any:
        jacobian = theoretical_jacobian(run, x).jacobian
        eps = np.full(size, 2.0**-52)
        return examine(
            run, x, jacobian, eps=eps, rows=np.arange(size), columns=np.arange(x.size), options={}
        )  # fmt: skip

    def checked() -> Any:
        subject_of(subject, call).witnesses.clear()
        return gradcheck.check(subject, example, modes=mode, wrt="inputs", call=call)

    ours, our_peak = peak_of(both)
    same = all(np.array_equal(one, two) for one, two in zip(theirs, ours, strict=True))
    gap = max(float(np.abs(one - two).max()) for one, two in zip(theirs, ours, strict=True))
    report, check_peak = peak_of(checked)
    contestants = {"compute_gradient": baseline, "same": both, "check": checked}
    bounded_peak = None
    if mode != "eager":  # there a check borrows the slopes of a compiled mode, for the same function
        _, bounded_peak = peak_of(bounded)
        contestants["bounded"] = bounded
    times = interleaved(contestants, runs=runs)
    reference = float(np.median(times["compute_gradient"]))
    equal = "equal to the last bit" if same else f"equal up to {gap:.1g}"
    common = {"part": "a", "subject": name, "mode": mode}
    counts = {"x_size": int(x.size), "y_size": int(size), "equal": same, "gap": gap}
    result = [
        Row(what="compute_gradient", seconds=times["compute_gradient"], peak_mib=peak, note=note, **common),
        Row(
            what="engine, same numbers", seconds=times["same"], against=reference, peak_mib=our_peak, note=equal,
            counts=counts, **common,
        ),
        Row(
            what="check", seconds=times["check"], against=reference, peak_mib=check_peak,
            note=report[mode].verdict.value, **common,
        ),
    ]  # fmt: skip
    if "bounded" in times:
        result.insert(
            2,
            Row(
                what="engine, error bounds", seconds=times["bounded"], against=reference, peak_mib=bounded_peak,
                **common,
            ),
        )  # fmt: skip
    return {"rows": [row.to_dict() for row in result]}
