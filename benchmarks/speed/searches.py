"""(b) A cold search in every mode against the loop that one would write: Hypothesis and `tf.test.compute_gradient`.

Each run is a fresh process that has imported TensorFlow; the clock starts then, so tracing and compiling count. The
naive loop draws shapes up to `[3, 6, 3]`, lengths and values, and calls compute_gradient with respect to the values on
the plain function, the `tf.function`, the one with unknown sizes and the one with ``jit_compile=True``. It checks no
padding, no weights, no determinism and has no error bounds; this project's search does all of that, the weights of the
layer included. The time of the processor is given too, which a busy machine changes less.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from measuring import Row, in_process, process_peak

SUBJECTS = ("GRU", "MultiHeadAttention")
MODES = ("eager", "graph", "dynamic", "xla")


def rows(*, quick: bool, examples: int = 100, naive_examples: int | None = None, repeats: int = 3) -> list[Row]:
    examples = 5 if quick else examples
    naive_examples = naive_examples or (3 if quick else examples)
    found: list[Row] = []
    for name in SUBJECTS:
        ours: list[dict[str, Any]] = []
        naive: list[dict[str, Any]] = []
        for number in range(1 if quick else repeats):
            ours.append(in_process("searches", {"who": "search", "name": name, "examples": examples, "seed": number}))
            if number == 0:  # minutes long, and it has nothing that varies
                naive.append(in_process("searches", {"who": "naive", "name": name, "examples": naive_examples}))
        scaled = [run["seconds"] * examples / naive_examples for run in naive]
        words = "; ".join(f"{mode}: {words}" for mode, words in naive[0]["notes"].items() if words)
        busy = max(run["cpu"] for run in naive) * examples / naive_examples
        note = f"{busy:.3g} s of CPU. {words}"
        if naive_examples != examples:
            note = f"{naive_examples} examples, scaled to {examples}. {note}"
        found.append(
            Row(
                "b", name, "all four", f"naive loop, {examples} examples, values only", scaled,
                peak_mib=max(run["peak"] for run in naive), note=note, counts={"by_mode": naive[0]["by_mode"]},
            )
        )  # fmt: skip
        verdicts = {mode: words for mode, words in ours[0]["notes"].items() if words != "PASS"}
        ours_busy = statistics.median(run["cpu"] for run in ours)
        remark = f"{ours_busy:.3g} s of CPU, {busy / ours_busy:.3g}× less. "
        remark += ", ".join(f"{mode}: {verdict}" for mode, verdict in verdicts.items())
        found.append(
            Row(
                "b", name, "all four", f"search, {examples} examples, values and weights",
                [run["seconds"] for run in ours], against=statistics.median(scaled),
                peak_mib=max(run["peak"] for run in ours), note=remark,
                counts={"by_mode": [run["by_mode"] for run in ours]},
            )
        )  # fmt: skip
    return found


def main(who: str, name: str, examples: int, seed: int = 0) -> dict[str, Any]:
    import subjects

    import gradcheck
    from gradcheck import strategies as st

    result: dict[str, Any] = {"by_mode": {}, "notes": {}}
    start, busy = time.perf_counter(), time.process_time()
    if who == "search":
        subject, call = subjects.layer(name)
        last = {"at": start}

        def told(mode: str, _count: int, _phase: str) -> None:
            now = time.perf_counter()
            result["by_mode"][mode] = result["by_mode"].get(mode, 0.0) + now - last["at"]
            last["at"] = now

        found = gradcheck.search(
            subject, st.batches(features=3), max_examples=examples, seed=seed, call=call, on_example=told
        )
        result["notes"] = {mode: one.verdict.value for mode, one in found.modes.items()}
    else:
        for mode in MODES:
            began = time.perf_counter()
            result["notes"][mode] = _naive(name, mode, examples)
            result["by_mode"][mode] = time.perf_counter() - began
    result["seconds"] = time.perf_counter() - start
    result["cpu"] = time.process_time() - busy
    result["peak"] = process_peak()
    return result


def _naive(name: str, mode: str, examples: int) -> str:
    """The loop of one mode; returns why it gave up, if it did."""
    import numpy as np
    import subjects
    import tensorflow as tf
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as hst
    from hypothesis.extra import numpy as hnp

    layer, call = subjects.layer(name)

    def function(values: Any, lengths: Any) -> Any:
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])
        return layer(values, mask=mask) if call is None else call(layer, values, mask)

    function(tf.zeros([1, 1, 3], tf.float64), tf.constant([1]))  # builds the weights
    signature = [tf.TensorSpec([None, None, 3], tf.float64), tf.TensorSpec([None], tf.int32)]
    executed = {
        "eager": lambda: function,
        "graph": lambda: tf.function(function),
        "dynamic": lambda: tf.function(function, input_signature=signature),
        "xla": lambda: tf.function(function, jit_compile=True),
    }[mode]()

    @hst.composite
    def batches(draw: Any) -> tuple[np.ndarray, np.ndarray]:
        shape = draw(hst.tuples(hst.integers(1, 3), hst.integers(1, 6)))
        values = draw(hnp.arrays(np.float64, (*shape, 3), elements=hst.floats(-4, 4)))
        lengths = draw(hnp.arrays(np.int32, shape[:1], elements=hst.integers(0, shape[1])))
        return values, lengths

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(batches())
    def loop(drawn: Any) -> None:
        values, lengths = drawn
        theoretical, numerical = tf.test.compute_gradient(
            lambda x: executed(x, tf.constant(lengths)), [tf.constant(values)]
        )
        np.testing.assert_allclose(theoretical[0], numerical[0], atol=1e-4, rtol=1e-3)

    try:
        loop()
    except Exception as error:
        return f"gave up: {(str(error).splitlines() or [type(error).__name__])[0][:60]}"
    return ""
