"""Stock Keras layers under every invariant that can be held to them.

    python benchmarks/invariants.py [--examples 30] [--mode dynamic] [--only NAME ...]

The layers of `benchmarks/layers.py` in float64, on the batches that are drawn by default. What fails is printed with
its cause and smallest batch, and searched again without what is already known to fail, so that one does not hide
another: the average without empty rows, the backward layer without the rules about time, Masking without zeros.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

#: What can be held to a layer that is told nothing of its padding.
OF_ROWS = ("row_alone", "permutation", "rows_independent")
MASKED = (*OF_ROWS, "empty_row", "all_true_mask")

#: The second search of a layer that fails the first.
AGAIN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "GlobalAveragePooling1D": ({"min_length": 1}, {"invariants": (*OF_ROWS, "all_true_mask")}),
    "GRU, backwards": ({}, {"invariants": ("permutation", "rows_independent", "empty_row"), "padding": False}),
    "Masking": ({"min_value": 0.25, "fills": ("above",)}, {"invariants": OF_ROWS}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=30)
    parser.add_argument("--mode", default="dynamic")
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()

    import layers
    import tensorflow as tf

    import gradcheck
    from gradcheck import strategies as st

    print(f"TensorFlow {tf.__version__}, {arguments.mode} mode, {arguments.examples} examples")

    def search(name: str, batches: dict[str, Any], options: dict[str, Any]) -> bool:
        subject, call = layers.made(name)
        found = gradcheck.search(
            subject, st.batches(features=3, dtype="float64", **batches), modes=arguments.mode, seed=1, call=call,
            max_examples=arguments.examples, **options,
        )[arguments.mode]  # fmt: skip
        without = {**batches, **{key: value for key, value in options.items() if key != "invariants"}}
        print(f"{name} {without or ''} {', '.join(options['invariants'])}: {dict(found.counts)}")
        if found.verdict.fails:
            print(f"    {found.verdict.value}: {found.cause}\n    {found.counterexample!r}")
        sys.stdout.flush()
        return found.verdict.fails

    for name in arguments.only or layers.LAYERS:
        try:
            failed = search(name, {}, {"invariants": MASKED})
        except gradcheck.InputError:  # it takes no mask
            failed = search(name, {}, {"invariants": OF_ROWS})
        if failed and name in AGAIN:
            search(name, *AGAIN[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
