"""(e) Shapes, traces, retraces and XLA compilations of one search, shrinking included.

Compilations are TensorFlow's own count: its log of the XLA compilation cache, read from the process's standard error.
A *retrace* is a program traced a second time for the same signature; there should be none.
"""

from __future__ import annotations

import re
from typing import Any

from measuring import Row, in_process

SEARCHES = ("GRU", "MultiHeadAttention", "factor 1.001", "wrong beside a shorter row", "wrong under XLA only")
QUICK = ("factor 1.001",)

# Each line of the log that tells of one compiled program.
_COMPILED = re.compile(r"ompiled \S+ \d+ times, compile time: (\d+) us")
_LOG = {
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "TF_CPP_VMODULE": "xla_compilation_cache=1,device_compiler=1,device_compilation_profiler=1",
}


def rows(*, quick: bool) -> list[Row]:
    found: list[Row] = []
    for name in QUICK if quick else SEARCHES:
        for mode in ("graph", "dynamic", "xla"):
            result = in_process(
                "compilations", {"name": name, "mode": mode, "examples": 20 if quick else 100}, environment=_LOG
            )
            compiled = [int(time) for time in _COMPILED.findall(result["stderr"])]
            counts = {**result["counts"], "xla_programs_compiled": len(compiled)}
            words = (
                f"{counts['shapes']} shapes, {counts['traces']} traces, {counts['retraces']} retraces"
                + (f", {len(compiled)} XLA compilations in {sum(compiled) / 1e6:.1f} s" if compiled else "")
                + f"; {result['verdict']}, {counts['calls']} batches"
            )
            found.append(
                Row("e", name, mode, "search", [result["seconds"]], peak_mib=result["peak"], note=words, counts=counts)
            )
    return found


def main(name: str, mode: str, examples: int) -> dict[str, Any]:
    import time

    import subjects
    import tensorflow as tf
    from measuring import process_peak

    import gradcheck
    from gradcheck import strategies as st
    from gradcheck.subject.adapter import subject_of

    def mean(values: Any, lengths: Any) -> Any:
        mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
        return tf.reduce_sum(tf.tanh(values) * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1)

    def planted(values: Any, lengths: Any) -> Any:
        @tf.custom_gradient
        def double(x: Any) -> Any:
            factor: Any = 1.001
            if name == "wrong beside a shorter row":
                wrong = tf.equal(lengths, tf.reduce_max(lengths)) & (tf.reduce_min(lengths) < tf.reduce_max(lengths))
                factor = 1 + 0.001 * tf.cast(wrong, x.dtype)[:, tf.newaxis, tf.newaxis]
            elif name == "wrong under XLA only":
                # XLA makes no denormal numbers of what is no denormal: told apart by whether a graph is being
                # compiled by it.
                factor = 1.001 if _under_xla() else 1.0
            return 2 * x, lambda upstream: 2 * factor * upstream

        return mean(double(values), lengths)

    subject, call = (planted, None) if name not in ("GRU", "MultiHeadAttention") else subjects.layer(name)
    start = time.perf_counter()
    found = gradcheck.search(subject, st.batches(features=3), modes=mode, max_examples=examples, seed=0, call=call)
    seconds = time.perf_counter() - start
    # A layer that was built on the way is another subject than before, to the cache.
    from gradcheck.subject import adapter as module

    adapters = {id(kept): kept for kept in [*module._KEPT.values(), subject_of(subject, call)]}
    programs = [
        program for adapter in adapters.values() for (other, _), program in adapter.programs.items() if other == mode
    ]
    traces = [count for program in programs for count in program.traces.values()]
    one = found[mode]
    return {
        "seconds": seconds,
        "peak": process_peak(),
        "verdict": one.verdict.value,
        "counts": {
            "shapes": len(programs), "traces": sum(traces), "retraces": sum(count - 1 for count in traces),
            "calls": one.calls,
        },
    }  # fmt: skip


def _under_xla() -> bool:
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    graph = tf.compat.v1.get_default_graph()
    return not tf.executing_eagerly() and bool(control_flow_util.GraphOrParentsInXlaContext(graph))
