"""False alarms and detections of the whole checker, by search with the default strategies.

    python benchmarks/detection.py [--examples 100] [--modes graph xla] [--dtype float64] [--only NAME ...]

Searches every right function of `tests/pairs/right_functions.py` and every wrong twin of `tests/pairs/subjects.py`, and
prints what was reported, after how many examples and how small the batch was made. `UNSUPPORTED` under XLA counts as
neither: it says nothing about the gradient. `UNRESOLVED` examples are counted on their own. How small an error
is found, and how other checkers do, is measured by ``benchmarks/numerics.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gradcheck
from gradcheck import Verdict
from gradcheck import strategies as st


def searched(subject: Any, modes: list[str], arguments: argparse.Namespace, **batch: Any) -> dict[str, Any]:
    """One subject: verdict, counts, and the smallest batch by mode."""
    start = time.perf_counter()
    strategy = st.batches(dtype=arguments.dtype, **batch)
    found = gradcheck.search(subject, strategy, modes=modes, max_examples=arguments.examples, seed=arguments.seed)
    counts: Counter[str] = Counter()
    for mode in found.modes.values():
        counts.update(mode.counts)
    failing = {name: mode.verdict.value for name, mode in found.modes.items() if mode.verdict.fails}
    shapes = {
        name: list(np.asarray(mode.counterexample.values).shape)
        for name, mode in found.modes.items()
        if mode.verdict.fails and mode.counterexample is not None
    }
    causes = {name: mode.cause for name, mode in found.modes.items() if mode.verdict.fails}
    needed = max((mode.examples for mode in found.modes.values() if mode.verdict.fails), default=0)
    return {
        "verdicts": failing, "counts": dict(counts), "shapes": shapes, "causes": causes, "examples": needed,
        "seconds": time.perf_counter() - start,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--modes", nargs="*", default=["eager", "graph", "dynamic", "xla"])
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None, help="names of right functions and of pairs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    from tests.pairs.right_functions import RIGHT
    from tests.pairs.subjects import PAIRS

    def chosen(name: str) -> bool:
        return arguments.only is None or name in arguments.only

    right: dict[str, Any] = {}
    for name, function in RIGHT.items():
        if not chosen(name):
            continue
        right[name] = outcome = searched(function, arguments.modes, arguments)
        alarms = {mode: v for mode, v in outcome["verdicts"].items() if v != Verdict.UNSUPPORTED.value}
        outcome["alarms"] = alarms
        print(f"right {name:24s} {outcome['seconds']:6.1f} s  {outcome['counts']}  {alarms or ''}", flush=True)
        for mode in alarms:
            print(f"      {mode}: {outcome['causes'][mode]}", flush=True)

    wrong: dict[str, Any] = {}
    if arguments.dtype == "float64":
        for pair in PAIRS:
            if not chosen(pair.name):
                continue
            wrong[pair.name] = outcome = searched(pair.wrong, list(pair.modes), arguments, **pair.batch)
            found = outcome["found"] = outcome["verdicts"].get(pair.modes[0]) == pair.verdict.value
            shape = outcome["shapes"].get(pair.modes[0])
            print(
                f"wrong {pair.name:24s} {outcome['seconds']:6.1f} s  {'found' if found else 'MISSED'} as "
                f"{outcome['verdicts']} after {outcome['examples']} examples, on {shape}",
                flush=True,
            )

    counts: Counter[str] = Counter()
    for outcome in right.values():
        counts.update(outcome["counts"])
    alarming = [name for name, outcome in right.items() if outcome["alarms"]]
    missed = [name for name, outcome in wrong.items() if not outcome["found"]]
    print(
        f"\nright: {len(right)} functions, {sum(counts.values())} examples: {dict(counts)}; "
        f"false alarms: {alarming or 'none'}"
    )
    print(f"wrong: {len(wrong)} twins, {len(wrong) - len(missed)} found; missed: {missed or 'none'}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"right": right, "wrong": wrong}, indent=1))
    return 1 if alarming or missed else 0


if __name__ == "__main__":
    sys.exit(main())
