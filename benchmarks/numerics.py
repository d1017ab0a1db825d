"""How far the numerics can be trusted, and how other checkers do on the same functions.

    python benchmarks/numerics.py calibrate [--directions 3000] [--seed 0]
    python benchmarks/numerics.py compare   [--points 40] [--json FILE]

`calibrate` measures, for functions with known derivatives, the largest ratio of true to claimed error: the safety
factor of the tolerance must lie far above it. `compare` runs this checker, the arithmetic of
`tf.test.compute_gradient` (central difference, step 2⁻¹⁰) with `numpy.testing.assert_allclose`,
`torch.autograd.gradcheck` (slow, fast) and `jax.test_util.check_grads` on right functions and on wrong twins of them.
torch and jax are optional; where one is missing the table says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck import numerics
from gradcheck.numerics import Kind, Status, ladder
from gradcheck.numerics.screening import NOISE_FACTOR


@dataclass(frozen=True)
class Function:
    """An elementwise function, written for any namespace ``xp`` (numpy, torch, jax.numpy), and its derivative."""

    name: str
    value: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]
    draw: Callable[[np.random.Generator, int], np.ndarray]


def _sign(random: np.random.Generator, n: int) -> np.ndarray:
    return random.choice([-1.0, 1.0], n)


FUNCTIONS = (
    Function("sin", lambda xp, x: xp.sin(x), lambda xp, x: xp.cos(x), lambda r, n: r.uniform(-6, 6, n)),
    Function("exp", lambda xp, x: xp.exp(x), lambda xp, x: xp.exp(x), lambda r, n: r.uniform(-8, 8, n)),
    Function("tanh", lambda xp, x: xp.tanh(x), lambda xp, x: 1 / xp.cosh(x) ** 2, lambda r, n: r.uniform(-9, 9, n)),
    Function("log", lambda xp, x: xp.log(x), lambda xp, x: 1 / x, lambda r, n: 10 ** r.uniform(-6, 3, n)),
    Function("sqrt", lambda xp, x: xp.sqrt(x), lambda xp, x: 0.5 / xp.sqrt(x), lambda r, n: 10 ** r.uniform(-8, 3, n)),
    Function(
        "acos", lambda xp, x: xp.arccos(x), lambda xp, x: -1 / xp.sqrt((1 - x) * (1 + x)),
        lambda r, n: _sign(r, n) * (1 - 10 ** r.uniform(-6, -0.1, n)),
    ),
    Function("1/x", lambda xp, x: 1 / x, lambda xp, x: -1 / (x * x),
             lambda r, n: _sign(r, n) * 10 ** r.uniform(-2, 2, n)),
    Function("x³", lambda xp, x: x**3, lambda xp, x: 3 * x * x,
             lambda r, n: r.normal(size=n) * 10 ** r.uniform(-3, 2, n)),
    Function("sin 40x", lambda xp, x: xp.sin(40 * x), lambda xp, x: 40 * xp.cos(40 * x),
             lambda r, n: r.uniform(-2, 2, n)),
    Function(
        "bump 1/(1+1e4x²)", lambda xp, x: 1 / (1 + 1e4 * x * x), lambda xp, x: -2e4 * x / (1 + 1e4 * x * x) ** 2,
        lambda r, n: r.normal(size=n) * 10 ** r.uniform(-4, 0, n),
    ),
    Function(
        "norm, eps 1e-12", lambda xp, x: xp.sqrt(x * x + 1e-12), lambda xp, x: x / xp.sqrt(x * x + 1e-12),
        lambda r, n: r.normal(size=n) * 10 ** r.uniform(-8, 0, n),
    ),
    Function(
        "|x|^1.5", lambda xp, x: xp.abs(x) ** 1.5, lambda xp, x: 1.5 * xp.sign(x) * xp.abs(x) ** 0.5,
        lambda r, n: r.normal(size=n) * 10 ** r.uniform(-6, 1, n),
    ),
    Function("1e4 + sin", lambda xp, x: 1e4 + xp.sin(x), lambda xp, x: xp.cos(x), lambda r, n: r.uniform(-6, 6, n)),
    Function(
        "(1e5 + sin) - 1e5", lambda xp, x: (1e5 + xp.sin(x)) - 1e5, lambda xp, x: xp.cos(x),
        lambda r, n: r.uniform(-6, 6, n),
    ),
    Function("relu", lambda xp, x: xp.where(x > 0, x, 0 * x), lambda xp, x: xp.where(x > 0, 1 + 0 * x, 0 * x),
             lambda r, n: r.normal(size=n) * 10 ** r.uniform(-9, 0, n)),
    Function("relu at 0", lambda xp, x: xp.where(x > 0, x, 0 * x), lambda xp, x: 0 * x, lambda r, n: np.zeros(n)),
    Function("|x| at 0", lambda xp, x: xp.abs(x), lambda xp, x: 0 * x, lambda r, n: np.zeros(n)),
    Function("round", lambda xp, x: xp.round(x), lambda xp, x: 0 * x, lambda r, n: r.uniform(-6, 6, n)),
)  # fmt: skip

_SMOOTH = [f for f in FUNCTIONS if " at 0" not in f.name]


def in_float32(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.asarray(function(x.astype(np.float32)), np.float64)


def calibrate(directions: int, seed: int) -> int:
    """Print the distribution of true error / claimed error; 1 where the safety factor does not cover it."""
    worst = 0.0
    mismatches = 0
    for title, low, eps in (
        ("float64", False, numerics.FLOAT64_EPS),
        ("float32 inside, float64 arguments", True, numerics.FLOAT64_EPS),
        ("float32", True, 2.0**-23),
    ):
        print(f"\n{title}: {directions} directions a function\n")
        head = ("function", "max ratio", "99.9 %", "mismatch", "kink", "unresolved", "median bound")
        print("{:20} {:>10} {:>10} {:>9} {:>6} {:>10} {:>13}".format(*head))
        for function in _SMOOTH:
            random = np.random.default_rng(seed)
            x = function.draw(random, directions)
            x = x.astype(np.float32).astype(np.float64) if low else x

            def value(points: np.ndarray, function: Function = function) -> np.ndarray:
                return np.asarray(function.value(np, points))

            run = in_float32(value) if low else value
            with np.errstate(all="ignore"):
                center, theory = run(x), np.asarray(function.slope(np, x))
                keep = np.isfinite(center) & np.isfinite(theory)
                x, center, theory = x[keep], center[keep], theory[keep]
                noise = numerics.noise_level(center, run(numerics.noise_points(x, eps=eps)), eps=eps)
                # Each output depends on its own input alone: all at once as one direction, each with its steps.
                h = numerics.refine_steps(x, eps=eps)
                plus, minus = run(x + h), run(x - h)
                grain = NOISE_FACTOR * noise / h[:, None]
                sides = plus[:, None], minus[:, None], h[:, None]
                found = ladder._refine(center, *sides, grain)
                disputed = ladder._disputed(center, *sides, grain, found.value, theory[None])
                found = replace(found, disputed=disputed)
                real_eps = numerics.measured_eps(np.abs(center), noise, eps=eps)
                scale = np.where(center == 0, 1.0, np.abs(center)) / np.maximum(1, np.abs(x))
                measured = numerics.Measured(found, np.zeros((1, x.size), bool))
                status = numerics.judge(theory[None], measured, scale=scale, eps=real_eps).status[0].tolist()
            # What was left unresolved was not believed, so its error does not count.
            smooth = (found.kind[0] == Kind.SMOOTH) & (np.asarray(status) != Status.UNRESOLVED)
            error = np.abs(found.value[0] - theory)
            # The derivative that it is compared with is rounded, too.
            claimed = found.error[0] + 4 * numerics.FLOAT64_EPS * np.abs(theory)
            ratio = np.where(error == 0, 0.0, error / np.maximum(claimed, 1e-300))[smooth].tolist()
            sloped = smooth & (theory != 0)
            rel = (found.error[0][sloped] / np.abs(theory[sloped])).tolist()
            counts = [status.count(s) for s in (Status.MISMATCH, Status.KINK, Status.UNRESOLVED)]
            worst, mismatches = max(worst, *ratio, 0.0), mismatches + counts[0]
            print(
                f"{function.name:20} {max(ratio, default=0):10.2g} {np.quantile(ratio or [0], 0.999):10.2g} "
                f"{counts[0]:9d} {counts[1]:6d} {counts[2]:10d} {numerics.SAFETY * np.median(rel or [np.nan]):13.1e}"
            )
    print(f"\nlargest ratio {worst:.2g}; the tolerance allows {numerics.SAFETY:g}; false mismatches: {mismatches}")
    return int(mismatches > 0 or worst > numerics.SAFETY)


# Peers. A checker takes value and slope for a namespace, and a point, and says whether it accepts.
Checker = Callable[[Function, Callable[[Any, Any], Any], np.ndarray], bool]


def ours(function: Function, slope: Callable[[Any, Any], Any], x: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        theory = np.diag(np.asarray(slope(np, x)))
        found = numerics.compare(lambda points: np.asarray(function.value(np, points)), x, theory)
    return not (found.status == Status.MISMATCH).any()


def fixed_step(function: Function, slope: Callable[[Any, Any], Any], x: np.ndarray) -> bool:
    step = 2.0**-10
    with np.errstate(all="ignore"):
        numerical = (function.value(np, x + step) - function.value(np, x - step)) / (2 * step)
        try:
            np.testing.assert_allclose(slope(np, x), numerical, rtol=1e-4, atol=1e-4)
        except AssertionError:
            return False
    return True


def torch_checkers() -> dict[str, Checker]:
    import torch

    def check(function: Function, slope: Callable[[Any, Any], Any], x: np.ndarray, fast: bool) -> bool:
        class Given(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, point: Any) -> Any:
                ctx.save_for_backward(point)
                return function.value(torch, point)

            @staticmethod
            def backward(ctx: Any, cotangent: Any) -> Any:
                return cotangent * slope(torch, ctx.saved_tensors[0])

        point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        return bool(torch.autograd.gradcheck(Given.apply, (point,), fast_mode=fast, raise_exception=False))

    return {
        "torch gradcheck": lambda f, s, x: check(f, s, x, False),
        "torch, fast": lambda f, s, x: check(f, s, x, True),
    }


def jax_checkers() -> dict[str, Checker]:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(function: Function, slope: Callable[[Any, Any], Any], x: np.ndarray) -> bool:
        given = jax.custom_vjp(lambda point: function.value(jnp, point))
        given.defvjp(
            lambda point: (function.value(jnp, point), point),
            lambda point, cotangent: (cotangent * slope(jnp, point),),
        )
        try:
            check_grads(given, (jnp.asarray(x),), order=1, modes=["rev"])
        except AssertionError:
            return False
        return True

    return {"jax check_grads": check}


ERRORS = [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0]


def compare(points: int, path: str | None) -> int:
    """Print false alarms and the smallest error found of every checker; 1 if this one had a false alarm."""
    checkers: dict[str, Checker] = {"this checker": ours, "step 2⁻¹⁰, 1e-4": fixed_step}
    for name, make in (("torch", torch_checkers), ("jax", jax_checkers)):
        try:
            checkers.update(make())
        except ImportError:
            print(f"{name}: not installed, not compared")
    rows = []
    width = 10
    for function in FUNCTIONS:
        for name, checker in checkers.items():
            random = np.random.default_rng(7)
            batches = [function.draw(random, width) for _ in range(points)]
            alarms = sum(not checker(function, function.slope, x) for x in batches)
            smallest = None
            for error in reversed(ERRORS):

                def wrong(xp: Any, x: Any, error: float = error) -> Any:
                    # One entry of ten is off, by a part of itself.
                    factor = np.ones(width)
                    factor[3] += error
                    right = function.slope(xp, x)  # noqa: B023
                    return right * (xp.asarray(factor) if xp is not np else factor)

                usable = [x for x in batches[:10] if abs(np.asarray(function.slope(np, x))[3]) > 1e-3]
                if not usable or not all(not checker(function, wrong, x) for x in usable):
                    break
                smallest = error
            rows.append(
                {"function": function.name, "checker": name, "alarms": alarms, "of": points, "smallest": smallest}
            )
    print(f"\nfirst: false alarms at {points} points where the gradient is right; then: the smallest relative error,")
    print(f"planted into one of {width} entries (one of at least 1e-3), that is found at each of 10 points.")
    print("-: a doubled entry is not found either, or no entry is that large, or there are false alarms, which would")
    print("make finding an error mean nothing\n")
    print(f"{'function':20}" + "".join(f"{name:>22}" for name in checkers))
    for function in FUNCTIONS:
        cells = [row for row in rows if row["function"] == function.name]
        text = [
            f"{c['alarms']:>3} alarms  {'-' if c['alarms'] or not c['smallest'] else c['smallest']:>6}" for c in cells
        ]
        print(f"{function.name:20}" + "".join(f"{cell:>22}" for cell in text))
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "kind": "numerics-benchmark", "rows": rows}, file, indent=1)
    return int(any(row["alarms"] for row in rows if row["checker"] == "this checker"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("calibrate")
    first.add_argument("--directions", type=int, default=3000)
    first.add_argument("--seed", type=int, default=0)
    second = commands.add_parser("compare")
    second.add_argument("--points", type=int, default=40)
    second.add_argument("--json", default=None)
    options = parser.parse_args()
    if options.command == "calibrate":
        return calibrate(options.directions, options.seed)
    return compare(options.points, options.json)


if __name__ == "__main__":
    sys.exit(main())
