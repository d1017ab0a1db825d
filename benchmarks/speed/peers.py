"""(c) The checks of torch and jax on the same function, shape and numbers, warm.

`gradcheck.check` compares every entry of the Jacobian, with an error bound for each, or random directions.
`torch.autograd.gradcheck` compares every entry with a fixed step and tolerance, with ``fast_mode=True`` one random
projection, and jax's `jax.test_util.check_grads` one random direction. Functions are written out in the three libraries
from the same formula; whichever library is missing is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Row, in_process, interleaved, peak_of

FUNCTIONS = ("dense", "gru", "attention")
ROWS, STEPS, FEATURES, UNITS = 3, 6, 4, 5


def rows(*, quick: bool) -> list[Row]:
    found: list[Row] = []
    for name in FUNCTIONS[:1] if quick else FUNCTIONS:
        result = in_process("peers", {"name": name, "runs": 2 if quick else 15})
        found += [Row.from_dict(row) for row in result["rows"]]
    return found


def numbers() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    lengths = np.array([6, 3, 1])
    return {
        "x": random.normal(size=(ROWS, STEPS, FEATURES)),
        "mask": (np.arange(STEPS) < lengths[:, None]).astype(np.float64),
        "dense": random.normal(size=(FEATURES, UNITS)) / 2,
        "kernel": random.normal(size=(FEATURES, 3 * UNITS)) / 2,
        "recurrent": random.normal(size=(UNITS, 3 * UNITS)) / 2,
    }


def _tensorflow(name: str, n: dict[str, np.ndarray]) -> Callable[[Any], Any]:
    import tensorflow as tf

    w = {key: tf.constant(value) for key, value in n.items()}

    def dense(x: Any) -> Any:
        return tf.tanh(tf.matmul(x, w["dense"]))

    def attention(x: Any) -> Any:
        scores = tf.matmul(x, x, transpose_b=True) / 2.0 + (w["mask"][:, None, :] - 1.0) * 1e9
        return tf.matmul(tf.nn.softmax(scores), x)

    def gru(x: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            value, keep = given
            a, b = tf.matmul(value, w["kernel"]), tf.matmul(state, w["recurrent"])
            gate = tf.sigmoid(a[:, : 2 * UNITS] + b[:, : 2 * UNITS])
            z, r = gate[:, :UNITS], gate[:, UNITS:]
            new = (1 - z) * tf.tanh(a[:, 2 * UNITS :] + r * b[:, 2 * UNITS :]) + z * state
            return keep * new + (1 - keep) * state

        steps = (tf.transpose(x, [1, 0, 2]), tf.transpose(w["mask"])[:, :, None])
        return tf.scan(step, steps, initializer=tf.zeros([ROWS, UNITS], tf.float64))

    return {"dense": dense, "gru": gru, "attention": attention}[name]


def _torch(name: str, n: dict[str, np.ndarray]) -> Callable[[Any], Any]:
    import torch

    w = {key: torch.tensor(value) for key, value in n.items()}

    def dense(x: Any) -> Any:
        return torch.tanh(x @ w["dense"])

    def attention(x: Any) -> Any:
        scores = x @ x.transpose(1, 2) / 2.0 + (w["mask"][:, None, :] - 1.0) * 1e9
        return torch.softmax(scores, -1) @ x

    def gru(x: Any) -> Any:
        state, states = torch.zeros(ROWS, UNITS, dtype=torch.float64), []
        for t in range(STEPS):
            a, b, keep = x[:, t] @ w["kernel"], state @ w["recurrent"], w["mask"][:, t, None]
            gate = torch.sigmoid(a[:, : 2 * UNITS] + b[:, : 2 * UNITS])
            z, r = gate[:, :UNITS], gate[:, UNITS:]
            new = (1 - z) * torch.tanh(a[:, 2 * UNITS :] + r * b[:, 2 * UNITS :]) + z * state
            state = keep * new + (1 - keep) * state
            states.append(state)
        return torch.stack(states)

    return {"dense": dense, "gru": gru, "attention": attention}[name]


def _jax(name: str, n: dict[str, np.ndarray]) -> Callable[[Any], Any]:
    import jax
    import jax.numpy as jnp

    w = {key: jnp.asarray(value) for key, value in n.items()}

    def dense(x: Any) -> Any:
        return jnp.tanh(x @ w["dense"])

    def attention(x: Any) -> Any:
        scores = x @ x.transpose(0, 2, 1) / 2.0 + (w["mask"][:, None, :] - 1.0) * 1e9
        return jax.nn.softmax(scores, -1) @ x

    def gru(x: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            value, keep = given
            a, b = value @ w["kernel"], state @ w["recurrent"]
            gate = jax.nn.sigmoid(a[:, : 2 * UNITS] + b[:, : 2 * UNITS])
            z, r = gate[:, :UNITS], gate[:, UNITS:]
            new = (1 - z) * jnp.tanh(a[:, 2 * UNITS :] + r * b[:, 2 * UNITS :]) + z * state
            new = keep * new + (1 - keep) * state
            return new, new

        steps = (x.transpose(1, 0, 2), w["mask"].T[:, :, None])
        return jax.lax.scan(step, jnp.zeros((ROWS, UNITS)), steps)[1]

    return {"dense": dense, "gru": gru, "attention": attention}[name]


def main(name: str, runs: int) -> dict[str, Any]:
    import gradcheck
    from gradcheck.subject.adapter import subject_of

    n = numbers()
    function = _tensorflow(name, n)

    def check(mode: str, engine: str | None = None) -> Callable[[], Any]:
        def run() -> Any:
            subject_of(function).witnesses.clear()
            return gradcheck.check(function, n["x"], modes=mode, engine=engine)

        return run

    contestants: dict[str, Callable[[], Any]] = {
        "gradcheck.check, graph, full Jacobian": check("graph"),
        "gradcheck.check, xla, full Jacobian": check("xla"),
        "gradcheck.check, xla, random directions": check("xla", "projected"),
    }
    missing: list[str] = []
    try:
        import torch
    except ImportError as error:
        missing.append(f"torch: {error}")
    else:
        twin, x = _torch(name, n), torch.tensor(n["x"], requires_grad=True)
        np.testing.assert_allclose(twin(x).detach().numpy(), function(n["x"]).numpy(), atol=1e-12)
        gradcheck_of = torch.autograd.gradcheck
        contestants["torch gradcheck, full Jacobian"] = lambda: gradcheck_of(twin, (x,))
        contestants["torch gradcheck, fast_mode (one projection)"] = lambda: gradcheck_of(twin, (x,), fast_mode=True)
    try:
        import jax
        from jax.test_util import check_grads
    except ImportError as error:
        missing.append(f"jax: {error}")
    else:
        jax.config.update("jax_enable_x64", True)
        other, y = _jax(name, n), jax.numpy.asarray(n["x"])
        np.testing.assert_allclose(np.asarray(other(y)), function(n["x"]).numpy(), atol=1e-12)
        compiled = jax.jit(other)
        contestants["jax check_grads, reverse mode (one direction)"] = lambda: check_grads(other, (y,), 1, ["rev"])
        contestants["jax check_grads under jit (one direction)"] = lambda: check_grads(compiled, (y,), 1, ["rev"])
    peaks = {what: peak_of(run)[1] for what, run in contestants.items()}  # also warms up
    for run in contestants.values():
        run()
    times = interleaved(contestants, runs=runs)
    ours = float(np.median(times["gradcheck.check, xla, full Jacobian"]))
    found = []
    for what, seconds in times.items():
        # How many times longer than ours a peer takes is the ratio of ours; for the peer itself it is left out.
        is_ours = what.startswith("gradcheck")
        note = "" if is_ours else f"{float(np.median(seconds)) / ours:.2f} times our time under XLA"
        found.append(Row("c", name, "", what, seconds, peak_mib=peaks[what], note=note))
    found += [Row("c", name, "", reason.split(":")[0], note=f"left out ({reason})") for reason in missing]
    return {"rows": [row.to_dict() for row in found]}
