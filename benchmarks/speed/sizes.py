"""(d) Cost of one check against the number of inputs, from 10 to a million.

The function has as many outputs as inputs, each depending on four inputs and on the mean of all. `gradcheck.check`
chooses its engine by itself; `tf.test.compute_gradient` is run as long as a run stays below the budget, jax's
check_grads and torch's fast_mode (one random direction each) where they are installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Row, in_process, interleaved, peak_of

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
_BUDGET_S = 30.0


def rows(*, quick: bool) -> list[Row]:
    found: list[Row] = []
    slowest: dict[str, float] = {}
    for size in SIZES[:3] if quick else SIZES:
        # compute_gradient takes time proportional to the size squared here, and memory too.
        skip = [what for what, seconds in slowest.items() if seconds * 100 > _BUDGET_S]
        result = in_process("sizes", {"size": size, "runs": 2 if quick else 7, "skip": skip})
        for data in result["rows"]:
            row = Row.from_dict(data)
            found.append(row)
            if row.median is not None and not row.what.startswith("gradcheck"):
                slowest[row.what] = row.median if "compute_gradient" in row.what else 0.0
    return found


def main(size: int, runs: int, skip: list[str]) -> dict[str, Any]:
    import tensorflow as tf

    import gradcheck
    from gradcheck.subject.adapter import subject_of

    x = np.random.default_rng(0).normal(size=size)

    def function(x: Any) -> Any:
        return tf.tanh(x) * tf.roll(x, 1, 0) + tf.sin(tf.roll(x, -1, 0)) * tf.roll(x, 2, 0) + tf.reduce_mean(x**2)

    def check(mode: str) -> Callable[[], Any]:
        def run() -> Any:
            subject_of(function).witnesses.clear()
            return gradcheck.check(function, x, modes=mode)

        return run

    contestants = {f"gradcheck.check, {mode}": check(mode) for mode in ("graph", "xla")}
    compiled = tf.function(function)
    contestants["tf.test.compute_gradient, graph"] = lambda: tf.test.compute_gradient(compiled, [tf.constant(x)])
    missing = []
    try:
        import torch
    except ImportError as error:
        missing.append(f"torch: {error}")
    else:
        y = torch.tensor(x, requires_grad=True)

        def twin(x: Any) -> Any:
            return (
                torch.tanh(x) * torch.roll(x, 1) + torch.sin(torch.roll(x, -1)) * torch.roll(x, 2) + (x**2).mean()
            )  # fmt: skip

        # Rounding grows with the size beyond torch's own tolerance, which is a constant.
        contestants["torch gradcheck, fast_mode"] = lambda: torch.autograd.gradcheck(
            twin, (y,), fast_mode=True, raise_exception=False
        )
    try:
        import jax
        from jax.test_util import check_grads
    except ImportError as error:
        missing.append(f"jax: {error}")
    else:
        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        z = jnp.asarray(x)

        @jax.jit
        def other(x: Any) -> Any:
            return jnp.tanh(x) * jnp.roll(x, 1) + jnp.sin(jnp.roll(x, -1)) * jnp.roll(x, 2) + jnp.mean(x**2)

        contestants["jax check_grads under jit"] = lambda: check_grads(other, (z,), 1, ["rev"], rtol=1e-2, atol=1e-2)
    contestants = {what: run for what, run in contestants.items() if what not in skip}
    found, peaks, notes = [], {}, {}
    for what in list(contestants):
        start = time.perf_counter()
        try:
            result, peaks[what] = peak_of(contestants[what])
        except Exception as error:
            found.append(Row("d", f"{size} inputs", "", what, note=f"{type(error).__name__}: {str(error)[:80]}"))
            del contestants[what]
            continue
        if what.startswith("gradcheck"):
            mode = result[what.rsplit(" ", 1)[1]]
            notes[what] = f"{mode.verdict.value}, engine {mode.engine}, cold {time.perf_counter() - start:.2g} s"
        elif result is False:
            notes[what] = "calls the right gradient wrong"
    times = interleaved(contestants, runs=runs)
    found = [
        Row("d", f"{size} inputs", "", what, seconds, peak_mib=peaks[what], note=notes.get(what, ""))
        for what, seconds in times.items()
    ] + found
    found += [Row("d", f"{size} inputs", "", what, note=f"not run: beyond {_BUDGET_S:.0f} s") for what in skip]
    found += [Row("d", f"{size} inputs", "", reason.split(":")[0], note=f"left out ({reason})") for reason in missing]
    return {"rows": [row.to_dict() for row in found]}
