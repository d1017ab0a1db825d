"""Throughput of a sweep with one and two workers, and what isolation costs a search.

    python benchmarks/sweep.py [--searches 24] [--examples 10]

The same searches (one subject, eager mode, one seed each) in this process, and in one and two isolated workers. The
first search of each process, which loads TensorFlow and the subject, is timed apart. Only numbers of one run can be
compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from gradcheck import search
from gradcheck.isolation.pool import Pool
from gradcheck.isolation.searches import SearchTask, run_searches

SUBJECT = "gradcheck.variants.subjects:broadcast_range_pooling"
STRATEGY = {"features": 2, "max_batch": 3, "max_length": 4}


def tasks(first: int, count: int, examples: int) -> list[SearchTask]:
    return [
        SearchTask(SUBJECT, STRATEGY, ("eager",), examples, seed, group=f"seed {seed}")
        for seed in range(first, first + count)
    ]


def in_process(count: int, examples: int) -> float:
    from gradcheck.subject.importing import load_object

    subject, strategy = load_object(SUBJECT, "subject"), tasks(0, 1, examples)[0].load_strategy()
    search(subject, strategy, modes="eager", max_examples=examples, seed=10_000)
    started = time.perf_counter()
    for seed in range(count):
        search(subject, strategy, modes="eager", max_examples=examples, seed=seed)
    return time.perf_counter() - started


def isolated(workers: int, count: int, examples: int) -> tuple[float, float]:
    """Seconds until every worker has done its first search, and seconds for the searches after it."""
    with Pool(workers) as pool:
        started = time.perf_counter()
        list(run_searches(tasks(10_000, workers, examples), pool=pool))
        # A quick worker may have taken both: once more, now that all are there.
        list(run_searches(tasks(20_000, 2 * workers, examples), pool=pool))
        ready = time.perf_counter()
        list(run_searches(tasks(0, count, examples), pool=pool))
        return ready - started, time.perf_counter() - ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=24)
    parser.add_argument("--examples", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    count, examples = options.searches, options.examples
    rows: dict[str, list[tuple[float, float]]] = {"in this process": [], "1 worker": [], "2 workers": []}
    for _ in range(options.rounds):
        rows["in this process"].append((0.0, in_process(count, examples)))
        rows["1 worker"].append(isolated(1, count, examples))
        rows["2 workers"].append(isolated(2, count, examples))
    load = os.getloadavg()[0]
    print(f"{count} searches of {examples} examples, medians of {options.rounds} rounds; load average {load:.1f}")
    print("| where | first searches, s | the rest, s | searches a second | a search, ms |")
    print("|---|---|---|---|---|")
    for name, times in rows.items():
        first, rest = (statistics.median(part) for part in zip(*times, strict=True))
        print(f"| {name} | {first:.1f} | {rest:.2f} | {count / rest:.2f} | {1000 * rest / count:.0f} |")


if __name__ == "__main__":
    main()
