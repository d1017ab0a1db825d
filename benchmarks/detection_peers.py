"""One table: false alarms, detections and smallest detected error of this checker and of four others.

    python benchmarks/detection_peers.py [--examples 25] [--seed 0] [--functions NAME ...]

The same functions (written for TensorFlow, torch and jax), the same examples (drawn by the default strategies, float64)
and the same planted mistakes for all: a factor on the gradient everywhere, in one entry, only at zeros, only at ties,
only in rows that stand still. A checker has found a mistake if it complains on some example of the wrong twin on which
it is silent about the right one; an alarm about the right one is a false alarm. The smallest detected error is that of
one entry, found at every one of five ordinary points. Peers that are not installed are left out, and it is said.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Checker = Callable[[str, str, float, np.ndarray], bool]

ERRORS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)

# Each function in terms of a namespace `m` that hides the framework. All take [rows, steps].
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "x sin x": lambda m, x: x * m.sin(x),
    "tanh of 3x": lambda m, x: m.tanh(3.0 * x),
    "softmax": lambda m, x: m.softmax(x),
    "log-sum-exp": lambda m, x: m.lse(x),
    "layer norm": lambda m, x: (x - m.mean(x)) / m.sqrt(m.mean((x - m.mean(x)) ** 2) + 1e-3),
    "norm, eps 1e-12": lambda m, x: m.sqrt(m.sum(x * x) + 1e-12),
    "relu": lambda m, x: m.relu(x),
    "|x|": lambda m, x: m.abs(x),
    "clip to ±1": lambda m, x: m.clip(x),
    "max over steps": lambda m, x: m.max(x),
    "sort over steps": lambda m, x: m.sort(x),
    "cumulated sum": lambda m, x: m.cumsum(x) ** 2,
}

# By what the gradient is multiplied, in NumPy: the point [rows, steps] to factors of its shape.
MISTAKES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "none": lambda x, error: np.ones_like(x),
    "factor 1.001": lambda x, error: np.full_like(x, 1.001),
    "one entry": lambda x, error: 1.0 + error * (np.arange(x.size).reshape(x.shape) == x.size // 2),
    "at zeros": lambda x, error: np.where(x == 0, 3.0, 1.0),
    "at ties": lambda x, error: np.where((x[:, :, None] == x[:, None, :]).sum(-1) > 1, 1.5, 1.0),
    "in rows at rest": lambda x, error: (
        np.where((x == x[:, :1]).all(1, keepdims=True) & (x.shape[1] > 1), 0.5, 1.0) * np.ones_like(x)
    ),
}


def tensorflow_checkers() -> dict[str, Checker]:
    """This checker (graph mode), and `tf.test.compute_gradient` with `assert_allclose`."""
    import tensorflow as tf

    import gradcheck

    class Names:
        sin, tanh, sqrt, abs, relu = tf.sin, tf.tanh, tf.sqrt, tf.abs, tf.nn.relu
        softmax = staticmethod(lambda x: tf.nn.softmax(x))
        lse = staticmethod(lambda x: tf.reduce_logsumexp(x, -1))
        mean = staticmethod(lambda x: tf.reduce_mean(x, -1, keepdims=True))
        sum = staticmethod(lambda x: tf.reduce_sum(x, -1))
        clip = staticmethod(lambda x: tf.clip_by_value(x, -1.0, 1.0))
        max = staticmethod(lambda x: tf.reduce_max(x, -1))
        sort = staticmethod(lambda x: tf.sort(x, -1))
        cumsum = staticmethod(lambda x: tf.cumsum(x, -1))

    def planted(name: str, factors: np.ndarray) -> Callable[[Any], Any]:
        function = FUNCTIONS[name]

        @tf.custom_gradient
        def twin(x: Any) -> Any:
            def backward(upstream: Any) -> Any:
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = function(Names, x)
                return tape.gradient(y, x, output_gradients=upstream) * factors

            return function(Names, x), backward

        return twin

    def ours(name: str, mistake: str, error: float, x: np.ndarray) -> bool:
        twin = planted(name, MISTAKES[mistake](x, error))
        return not gradcheck.check(lambda values: twin(values), x, modes="graph").ok

    def plain(name: str, mistake: str, error: float, x: np.ndarray) -> bool:
        twin = planted(name, MISTAKES[mistake](x, error))
        theoretical, numerical = tf.test.compute_gradient(twin, [tf.constant(x)])
        return not np.allclose(theoretical[0], numerical[0], rtol=1e-4, atol=1e-4)

    return {"this checker": ours, "compute_gradient": plain}


def torch_checkers() -> dict[str, Checker]:
    """`torch.autograd.gradcheck`, slow and fast, with its own tolerances."""
    import torch

    class Names:
        sin, tanh, sqrt, abs, relu = torch.sin, torch.tanh, torch.sqrt, torch.abs, torch.relu
        softmax = staticmethod(lambda x: torch.softmax(x, -1))
        lse = staticmethod(lambda x: torch.logsumexp(x, -1))
        mean = staticmethod(lambda x: x.mean(-1, keepdim=True))
        sum = staticmethod(lambda x: x.sum(-1))
        clip = staticmethod(lambda x: torch.clamp(x, -1.0, 1.0))
        max = staticmethod(lambda x: torch.amax(x, -1))
        sort = staticmethod(lambda x: torch.sort(x, -1).values)
        cumsum = staticmethod(lambda x: torch.cumsum(x, -1))

    def check(fast: bool) -> Checker:
        def alarm(name: str, mistake: str, error: float, x: np.ndarray) -> bool:
            function, factors = FUNCTIONS[name], torch.tensor(MISTAKES[mistake](x, error))

            class Twin(torch.autograd.Function):
                @staticmethod
                def forward(ctx: Any, x: Any) -> Any:
                    ctx.save_for_backward(x)
                    return function(Names, x)

                @staticmethod
                def backward(ctx: Any, upstream: Any) -> Any:
                    (x,) = ctx.saved_tensors
                    with torch.enable_grad():
                        x = x.detach().requires_grad_()
                        (gradient,) = torch.autograd.grad(function(Names, x), x, upstream)
                    return gradient * factors

            point = torch.tensor(x, requires_grad=True)
            return not torch.autograd.gradcheck(Twin.apply, (point,), fast_mode=fast, raise_exception=False)

        return alarm

    return {"torch, slow": check(False), "torch, fast": check(True)}


def jax_checkers() -> dict[str, Checker]:
    """`jax.test_util.check_grads` in reverse mode, with its own tolerances."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    class Names:
        sin, tanh, sqrt, abs, relu = jnp.sin, jnp.tanh, jnp.sqrt, jnp.abs, jax.nn.relu
        softmax = staticmethod(lambda x: jax.nn.softmax(x, -1))
        lse = staticmethod(lambda x: jax.nn.logsumexp(x, -1))
        mean = staticmethod(lambda x: x.mean(-1, keepdims=True))
        sum = staticmethod(lambda x: x.sum(-1))
        clip = staticmethod(lambda x: jnp.clip(x, -1.0, 1.0))
        max = staticmethod(lambda x: x.max(-1))
        sort = staticmethod(lambda x: jnp.sort(x, -1))
        cumsum = staticmethod(lambda x: jnp.cumsum(x, -1))

    def alarm(name: str, mistake: str, error: float, x: np.ndarray) -> bool:
        function, factors = FUNCTIONS[name], MISTAKES[mistake](x, error)

        @jax.custom_vjp
        def twin(x: Any) -> Any:
            return function(Names, x)

        twin.defvjp(
            lambda x: (function(Names, x), x),
            lambda x, upstream: (jax.vjp(lambda z: function(Names, z), x)[1](upstream)[0] * factors,),
        )
        try:
            check_grads(twin, (jnp.asarray(x),), order=1, modes=("rev",))
        except AssertionError:
            return True
        return False

    return {"jax": alarm}


def examples(count: int, seed: int) -> list[np.ndarray]:
    """What the default strategies draw: values ``[rows, steps]``, each once."""
    import hypothesis
    from hypothesis import HealthCheck, given, settings

    from gradcheck import strategies as st

    drawn: list[np.ndarray] = []

    @hypothesis.seed(seed)
    @settings(max_examples=4 * count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.batches(features=None))
    def draw(batch: Any) -> None:
        values = np.asarray(batch.values, np.float64)
        if values.size and not any(v.shape == values.shape and (v == values).all() for v in drawn):
            drawn.append(values)

    draw()
    return drawn[:count]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--functions", nargs="*", default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    checkers: dict[str, Checker] = {}
    for make, package in ((tensorflow_checkers, "tensorflow"), (torch_checkers, "torch"), (jax_checkers, "jax")):
        try:
            checkers |= make()
        except ImportError as error:
            print(f"{package} is not installed and left out ({error})")
    names = [name for name in FUNCTIONS if arguments.functions is None or name in arguments.functions]
    points = examples(arguments.examples, arguments.seed)
    random = np.random.default_rng(arguments.seed)
    ordinary = [random.uniform(0.3, 0.9, (2, 3)) * random.choice([-1, 1], (2, 3)) for _ in range(5)]
    planted = [mistake for mistake in MISTAKES if mistake not in ("none", "one entry")]

    print(f"\n{len(names)} functions, {len(points)} examples each\n")
    print(f"{'':18s} false alarms   found of the functions in which the mistake shows    smallest error of one entry")
    print(f"{'':18s} {'':14s} " + "".join(f"{mistake:>17s}" for mistake in planted) + "    median (worst)")
    for label, alarm in checkers.items():
        alarms, found, shown = 0, dict.fromkeys(planted, 0), dict.fromkeys(planted, 0)
        smallest = []
        for name in names:
            silent = []
            for x in points:
                alarmed = alarm(name, "none", 0.0, x)
                alarms += alarmed
                if not alarmed:
                    silent.append(x)
            for mistake in planted:
                meets = [x for x in points if (MISTAKES[mistake](x, 0.0) != 1).any()]
                shown[mistake] += bool(meets)
                quiet = {id(x) for x in silent}
                found[mistake] += any(alarm(name, mistake, 0.0, x) for x in meets if id(x) in quiet)
            least = np.inf
            if not any(alarm(name, "none", 0.0, x) for x in ordinary):
                for error in ERRORS:
                    if not all(alarm(name, "one entry", error, x) for x in ordinary):
                        break
                    least = error
            smallest.append(least)
        total = len(names) * len(points)
        cells = "".join(f"{f'{found[m]} of {shown[m]}':>17s}" for m in planted)
        print(
            f"{label:18s} {f'{alarms} of {total}':>14s} {cells}    {np.median(smallest):.0e} ({max(smallest):.0e})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
