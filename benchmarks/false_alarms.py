"""No false alarm on right subjects: verdicts by subject and mode, over many examples of the default strategies.

    python benchmarks/false_alarms.py [--examples 1000] [--dtype float64] [--seconds N] [--json FILE] [--only NAME ...]

The right functions of `tests/pairs/right_functions.py` and stock Keras layers (`benchmarks/layers.py`), in four modes,
in float64 unless ``--dtype`` says otherwise. A failing verdict is printed with its cause and its smallest batch: a
false alarm, or a fault of TensorFlow (`UNSUPPORTED` under XLA is neither). With ``--seconds`` no subject is begun after
that time, and the last line says how many were.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--modes", nargs="*", default=["eager", "graph", "dynamic", "xla"])
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    import layers
    import tensorflow as tf

    import gradcheck
    from gradcheck import strategies as st
    from tests.pairs.right_functions import RIGHT

    start = time.monotonic()
    # Alternately, so that a run that is cut short has met both.
    names: list[str] = []
    functions, stock = list(RIGHT), list(layers.LAYERS)
    while functions or stock:
        names += functions[:6] + stock[:1]
        functions, stock = functions[6:], stock[1:]
    chosen = [name for name in names if arguments.only is None or name in arguments.only]
    total: Counter[str] = Counter()
    results: dict[str, Any] = {}
    for name in chosen:
        if time.monotonic() - start > arguments.seconds:
            break
        subject, call = (RIGHT[name], None) if name in RIGHT else layers.made(name, dtype=arguments.dtype)
        found = gradcheck.search(
            subject, st.batches(features=3, dtype=arguments.dtype), call=call, modes=arguments.modes,
            max_examples=arguments.examples, seed=arguments.seed,
        )  # fmt: skip
        results[name] = {mode: dict(one.counts) for mode, one in found.modes.items()}
        print(f"{name}: {results[name]}", flush=True)
        for mode, one in found.modes.items():
            total.update(one.counts)
            if one.verdict.fails:
                print(f"    {mode}: {one.verdict.value}: {one.cause}\n        {one.counterexample!r}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps({"tensorflow": tf.__version__, "subjects": results}, indent=1))
    print(
        f"TensorFlow {tf.__version__}: {len(results)} of {len(chosen)} subjects, {sum(total.values())} examples: "
        f"{dict(total)}; {time.monotonic() - start:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
