"""Are the inputs that trigger gradient bugs drawn, do they shrink, and what does drawing cost?

    python benchmarks/strategies.py --seeds 10      # both tables, about 4 minutes on two idle cores
    python benchmarks/strategies.py --json FILE     # 100 seeds: ten times that

Each trigger is a predicate on a batch in plain NumPy: Hypothesis searches 200 examples for one that it accepts, and
shrinks that. The same search runs on the strategy that people write by hand, `st.lists(st.integers())` for the
lengths with `hypothesis.extra.numpy.arrays` for the values, with the same limits.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as hypothesis_strategies
from hypothesis.errors import NoSuchExample
from hypothesis.extra import numpy as hypothesis_numpy

from gradcheck import strategies as st
from gradcheck.strategies import Batch, Padding

Predicate = Callable[[Batch], bool]

MAX_EXAMPLES = 200


@hypothesis_strategies.composite
def by_hand(draw: Any, *, poison: bool = False, features: int = 3, dtype: Any = np.float64) -> Batch:
    """What people write: a list of integers for the lengths, `arrays` for the values, the limits of `batches`."""
    rows = draw(hypothesis_strategies.lists(hypothesis_strategies.integers(0, 6), min_size=1, max_size=3))
    steps = max(1, max(rows)) + draw(hypothesis_strategies.integers(0, 2))
    width = 32 if np.dtype(dtype) == np.float32 else 64
    bounds = {"min_value": -128, "max_value": 128} if width == 32 else {"min_value": -2, "max_value": 2}
    elements = hypothesis_strategies.floats(width=width, **bounds)  # type: ignore[arg-type]
    values = draw(hypothesis_numpy.arrays(dtype, (len(rows), steps, features), elements=elements))
    side = draw(hypothesis_strategies.sampled_from(("post", "pre")))
    fills = [0.0, -1.0, 3.0, -3.0] + ([float("nan"), float("inf")] if poison else [])
    batch = Batch(values, np.array(rows, np.int32), Padding(side))
    return batch.with_fill(draw(hypothesis_strategies.sampled_from(fills)))


def _rows(batch: Batch) -> list[Any]:
    return [batch.sequence(row) for row in range(batch.size)]


def _tied(row: Any) -> bool:
    """Two equal numbers of one feature at two steps."""
    return any(len(np.unique(column)) < len(column) for column in row.reshape(len(row), math.prod(row.shape[1:])).T)


def _tied_step(row: Any) -> bool:
    """Two equal numbers within one step."""
    return any(len(np.unique(step)) < len(step) for step in row.reshape(len(row), math.prod(row.shape[1:])))


@dataclass(frozen=True)
class Trigger:
    """A predicate and its minimal batch.

    Attributes:
        name: as in the table.
        accepts: whether a batch triggers.
        minimal: whether a shrunk batch is the known minimal one.
        options: of the strategy.
    """

    name: str
    accepts: Predicate
    minimal: Predicate
    options: dict[str, Any]


def _is(
    lengths: list[int], steps: int, *, side: str = "post", values: Any = 0.0, fill: float | None = 0.0
) -> Predicate:
    """The batch with these lengths and time axis; every valid number `values` (or accepted by it), padding `fill`."""

    def check(batch: Batch) -> bool:
        valid = batch.values[batch.mask]
        fine = values(valid) if callable(values) else bool((valid == values).all())
        found = batch.padding.fill
        same_fill = fill is None or (found is not None and np.array_equal(found, fill, equal_nan=True))
        return (
            batch.lengths.tolist() == lengths
            and batch.time == steps
            and batch.padding.side == side
            and fine
            and same_fill
        )

    return check


TRIGGERS = [
    Trigger("a length 0", lambda b: 0 in b.lengths, _is([0], 1), {}),
    Trigger("a row as long as the time axis", lambda b: b.time in b.lengths, _is([1], 1), {}),
    Trigger(
        "such a row among shorter ones",
        lambda b: b.time in b.lengths and b.lengths.min() < b.time,
        _is([0, 1], 1),
        {},
    ),
    Trigger("two equal lengths", lambda b: len(set(b.lengths.tolist())) < b.size, _is([0, 0], 1), {}),
    Trigger(
        "first row shorter than second",
        lambda b: b.size > 1 and b.lengths[0] < b.lengths[1],
        _is([0, 1], 1),
        {},
    ),
    Trigger(
        "lengths descending, three rows",
        lambda b: b.size > 2 and bool((np.diff(b.lengths) < 0).all()),
        _is([2, 1, 0], 2),
        {},
    ),
    Trigger(
        "one row four longer than the rest",
        lambda b: b.size > 1 and sorted(b.lengths)[-1] - sorted(b.lengths)[-2] > 3,
        _is([0, 4], 4),
        {},
    ),
    Trigger("lengths all 1, two rows", lambda b: b.size > 1 and bool((b.lengths == 1).all()), _is([1, 1], 1), {}),
    Trigger("batch of one", lambda b: b.size == 1, _is([0], 1), {}),
    Trigger("lengths all 1", lambda b: bool((b.lengths == 1).all()), _is([1], 1), {}),
    Trigger("time axis longer than the longest", lambda b: b.time > b.longest, _is([0], 1), {}),
    Trigger("... and no row empty", lambda b: b.time > b.longest and b.lengths.min() > 0, _is([1], 2), {}),
    Trigger("time axis longer than max_length", lambda b: b.time > 6, _is([0], 7), {}),
    Trigger(
        "pre-padding, extra 2",
        lambda b: b.padding.side == "pre" and b.padding.extra > 1,
        _is([0], 2, side="pre"),
        {},
    ),
    Trigger(
        "pre-padding, extra 2, no row empty",
        lambda b: b.padding.side == "pre" and b.padding.extra > 1 and b.lengths.min() > 0,
        _is([1], 3, side="pre"),
        {},
    ),
    Trigger("padding below the range", lambda b: bool((b.values[~b.mask] < -2).any()), _is([0], 1, fill=-3.0), {}),
    Trigger("padding above the range", lambda b: bool((b.values[~b.mask] > 2).any()), _is([0], 1, fill=3.0), {}),
    Trigger("padding that looks like data", lambda b: b.padding.fill is None, _is([0], 1, fill=None), {}),
    Trigger(
        "NaN as fill (poison)",
        lambda b: bool(np.isnan(b.values[~b.mask]).any()),
        _is([0], 1, fill=float("nan")),
        {"poison": True},
    ),
    Trigger("an exact zero", lambda b: bool((b.values[b.mask] == 0).any()), _is([1], 1), {}),
    Trigger(
        "one exact zero, the rest not",
        lambda b: int((b.values[b.mask] == 0).sum()) == 1,
        _is([1], 1, values=lambda v: sorted(v.reshape(-1).tolist()) == [0.0, 1.0, 1.0]),
        {},
    ),
    Trigger(
        "a row of zeros among others",
        lambda b: (
            sum(len(r) > 0 and not r.any() for r in _rows(b)) == 1
            and sum(bool(r.all()) and len(r) > 0 for r in _rows(b)) > 0
        ),
        _is([1, 1], 1, values=lambda v: sorted(v.reshape(-1).tolist()) == [0.0] * 3 + [1.0] * 3),
        {},
    ),
    Trigger("all zeros, two steps", lambda b: b.longest > 1 and not b.values[b.mask].any(), _is([2], 2), {}),
    Trigger("a tie between steps", lambda b: any(_tied(r) for r in _rows(b)), _is([2], 2), {}),
    Trigger("a tie within a step", lambda b: any(_tied_step(r) for r in _rows(b)), _is([1], 1), {}),
    Trigger(
        "equal rows, two steps",
        lambda b: any(len(r) > 1 and np.array_equal(r, s) for i, r in enumerate(_rows(b)) for s in _rows(b)[:i]),
        _is([2, 2], 2),
        {},
    ),
    Trigger(
        "a constant row, two steps",
        lambda b: any(len(r) > 1 and (r == r[:1, :1]).all() for r in _rows(b)),
        _is([2], 2),
        {},
    ),
    Trigger(
        "a step whose features are equal, not 0",
        lambda b: any((r.size and (r == r[:, :1]).all(1) & (r[:, 0] != 0)).any() for r in _rows(b) if len(r)),
        _is([1], 1, values=1.0),
        {},
    ),
    Trigger(
        "beyond ±89 (float32)",
        lambda b: bool((np.abs(b.values[b.mask]) > 89).any()),
        _is([1], 1, values=lambda v: sorted(np.abs(v).reshape(-1).tolist()) == [0.0, 0.0, 96.0]),
        {"dtype": np.float32},
    ),
    Trigger(
        "tiny (below 1e-5, not 0)",
        lambda b: bool(((np.abs(b.values[b.mask]) < 1e-5) & (b.values[b.mask] != 0)).any()),
        _is([1], 1, values=lambda v: int((v == 0).sum()) == 2),
        {},
    ),
    Trigger(
        "generic numbers only",
        lambda b: (
            b.values[b.mask].size > 2
            and len(set(np.abs(b.values[b.mask]).reshape(-1).tolist()) - {0.0, 0.5, 1.0, 2.0}) == b.values[b.mask].size
        ),
        _is([1], 1, values=lambda v: True),
        {},
    ),
]

# Thought of when the strategies were done. Three of them (a step of zeros, the number 1, opposite numbers) showed gaps
# that were closed afterwards; the others were never tuned for.
TRIGGERS += [
    Trigger(
        "an empty row between two others",
        lambda b: b.size > 2 and b.lengths[1] == 0 and min(b.lengths[0], b.lengths[2]) > 0,
        _is([1, 0, 1], 1),
        {},
    ),
    Trigger(
        "the last row the shortest, not empty",
        lambda b: b.size > 1 and 0 < b.lengths[-1] < b.lengths[:-1].min(),
        _is([2, 1], 2),
        {},
    ),
    Trigger(
        "a step of zeros beside another",
        lambda b: any(len(r) > 1 and 0 < sum(not step.any() for step in r) < len(r) for r in _rows(b)),
        _is([2], 2, values=lambda v: sorted(v.reshape(-1).tolist()) == [0.0] * 5 + [1.0]),
        {},
    ),
    Trigger(
        "opposite numbers in a step",
        lambda b: any(x and -x in step.tolist() for r in _rows(b) for step in r for x in step.tolist()),
        _is([1], 1, values=lambda v: sorted(v.reshape(-1).tolist()) == [-1.0, 0.0, 1.0]),
        {},
    ),
    Trigger("an odd length of 3 or more", lambda b: bool((b.lengths[b.lengths > 2] % 2).any()), _is([3], 3), {}),
    Trigger(
        "twice as many steps as the longest",
        lambda b: b.longest > 0 and b.time == 2 * b.longest,
        _is([1], 2),
        {},
    ),
    Trigger(
        "three different lengths",
        lambda b: b.size > 2 and len(set(b.lengths.tolist())) == b.size,
        lambda b: sorted(b.lengths.tolist()) == [0, 1, 2] and b.time == 2 and not b.values.any(),
        {},
    ),
    Trigger(
        "padding greater than what is valid",
        lambda b: any(len(r) and (b.values[i][~b.mask[i]] > r.max()).any() for i, r in enumerate(_rows(b))),
        _is([1], 2, fill=3.0),
        {},
    ),
    Trigger("a row below 0", lambda b: any(len(r) and (r < 0).all() for r in _rows(b)), _is([1], 1, values=-1.0), {}),
    Trigger(
        "pre-padding and an empty row",
        lambda b: b.padding.side == "pre" and 0 in b.lengths,
        _is([0], 1, side="pre"),
        {},
    ),
    Trigger("two empty rows", lambda b: int((b.lengths == 0).sum()) > 1, _is([0, 0], 1), {}),
    Trigger(
        "a length of 2, four steps or more",
        lambda b: 2 in b.lengths and b.time > 3,
        _is([2], 4),
        {},
    ),
    Trigger("two rows, nothing padded", lambda b: b.size > 1 and bool(b.mask.all()), _is([1, 1], 1), {}),
    Trigger(
        "the number 1",
        lambda b: bool((b.values[b.mask] == 1).any()),
        _is([1], 1, values=lambda v: sorted(v.reshape(-1).tolist()) == [0.0, 0.0, 1.0]),
        {},
    ),
]


@dataclass(frozen=True)
class Search:
    """What one search came to: was it drawn, shrunk to the minimum, how many shapes and batches on the way."""

    found: bool
    minimal: bool
    examples: int
    shapes_drawn: int
    shapes_shrinking: int
    steps: int
    batches: int
    seconds: float


def search(trigger: Trigger, strategy: Any, number: int) -> Search:
    """One search with that seed."""
    shapes: list[set[Any]] = [set(), set()]
    calls = [0, 0]
    keys: set[Any] = set()
    hit = [0]

    def predicate(batch: Batch) -> bool:
        phase = 1 if hit[0] else 0
        calls[phase] += 1
        shapes[phase].add(batch.values.shape)
        if phase:
            keys.add(batch.key())
        result = bool(trigger.accepts(batch))
        hit[0] |= result
        return result

    config = settings(
        max_examples=MAX_EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    start = time.perf_counter()
    try:
        batch = find(strategy, predicate, settings=config, random=random.Random(number))
    except NoSuchExample:
        return Search(False, False, calls[0], len(shapes[0]), 0, 0, 0, time.perf_counter() - start)
    minimal = bool(trigger.minimal(batch))
    after = len(shapes[1] - shapes[0])
    return Search(True, minimal, calls[0], len(shapes[0]), after, calls[1], len(keys), time.perf_counter() - start)


def _searches(job: tuple[int, bool, range]) -> list[Search]:
    index, ours, seeds = job
    trigger = TRIGGERS[index]
    warnings.simplefilter("ignore")
    strategy = st.batches(**trigger.options) if ours else by_hand(**trigger.options)
    return [search(trigger, strategy, number) for number in seeds]


def _row(found: list[Search]) -> dict[str, Any]:
    hits = [one for one in found if one.found] or found
    return {
        "found": sum(one.found for one in found),
        "minimal": sum(one.minimal for one in found),
        "examples": statistics.median(one.examples for one in hits),
        "new_shapes_shrinking": [
            statistics.median(one.shapes_shrinking for one in hits),
            max(one.shapes_shrinking for one in hits),
        ],
        "shrink_steps": [statistics.median(one.steps for one in hits), max(one.steps for one in hits)],
        "shrink_batches": [statistics.median(one.batches for one in hits), max(one.batches for one in hits)],
    }


def triggers(seeds: int, peers: int, only: str, workers: int) -> list[dict[str, Any]]:
    """The first table."""
    rows = []
    kinds = (True, False) if peers else (True,)  # ours, by hand
    chosen = [index for index, trigger in enumerate(TRIGGERS) if only in trigger.name]
    jobs = [(index, ours, range(seeds if ours else peers)) for index in chosen for ours in kinds]
    print(
        f"Of {seeds} seeds ({peers} by hand): drawn within {MAX_EXAMPLES} examples / shrunk to the known minimal batch."
    )
    print("New shapes, runs and distinct batches while shrinking: median/most, this project.")
    print(f"{'trigger':41} {'ours':>9} {'by hand':>9} {'first at':>9} {'shapes':>8} {'runs':>9} {'batches':>9}")
    with ProcessPoolExecutor(workers) as pool:
        results = map(_row, pool.map(_searches, jobs))
        for index in chosen:
            own, other = next(results), next(results) if peers else None
            hand = f"{other['found']:4}/{other['minimal']:4}" if other else "-"

            def spread(pair: list[float]) -> str:
                return f"{pair[0]:.0f}/{pair[1]:.0f}"

            print(
                f"{TRIGGERS[index].name:41} {own['found']:4}/{own['minimal']:4} {hand:>9} {own['examples']:9.0f} "
                f"{spread(own['new_shapes_shrinking']):>8} {spread(own['shrink_steps']):>9} "
                f"{spread(own['shrink_batches']):>9}",
                flush=True,
            )
            rows.append({"trigger": TRIGGERS[index].name, "ours": own, "by_hand": other})
    return rows


def _per_second(strategy: Any, count: int) -> float:
    times: list[float] = []

    @seed(0)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(_: Any) -> None:
        times.append(time.perf_counter())

    run()
    # Differences between calls: drawing one example, with all that Hypothesis does for it.
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return 1 / statistics.median(gaps)


def speed() -> list[dict[str, Any]]:
    """The second table."""
    rows = []
    print(f"\n{'batches drawn a second':41} {'ours':>9} {'by hand':>9} {'arrays only':>12}")
    for shape in [(1, 1, 1), (2, 4, 2), (3, 6, 3), (4, 5, 5), (4, 25, 10), (10, 50, 20)]:
        batch, steps, features = shape
        size = {
            "features": features,
            "min_batch": batch,
            "max_batch": batch,
            "min_time": steps,
            "max_length": steps,
            "max_extra": 0,
        }
        elements = hypothesis_strategies.floats(-2, 2)
        arrays = hypothesis_numpy.arrays(np.float64, shape, elements=elements)
        full = hypothesis_strategies.tuples(
            hypothesis_strategies.lists(hypothesis_strategies.integers(0, steps), min_size=batch, max_size=batch),
            arrays,
        )
        count = 300 if np.prod(shape) <= 1000 else 60
        row = {
            "shape": list(shape),
            "ours": _per_second(st.batches(**size), 300),
            "by_hand": _per_second(full, count),
            "arrays": _per_second(arrays, count),
        }
        rows.append(row)
        print(f"{shape!s:41} {row['ours']:9.0f} {row['by_hand']:9.0f} {row['arrays']:12.0f}", flush=True)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", default="", help="triggers whose name has this in it")
    parser.add_argument("--peer-seeds", type=int, default=20, help="for the strategy written by hand; 0 leaves it out")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    found = triggers(options.seeds, options.peer_seeds, options.only, options.workers)
    rates = [] if options.only else speed()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(
                {
                    "seeds": options.seeds,
                    "peer_seeds": options.peer_seeds,
                    "max_examples": MAX_EXAMPLES,
                    "triggers": found,
                    "speed": rates,
                },
                file,
                indent=1,
            )


if __name__ == "__main__":
    main()
