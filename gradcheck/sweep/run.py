"""A whole sweep: what is left of the plan is cut, run here or on a cluster, and kept as it comes."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.isolation import Limits
from gradcheck.isolation.searches import FUNCTIONS
from gradcheck.support.signals import ending_on_sigterm
from gradcheck.sweep.cluster import Cluster
from gradcheck.sweep.cutting import Costs, cut
from gradcheck.sweep.local import run_local
from gradcheck.sweep.plan import Unit, plan_digest
from gradcheck.sweep.progress import Tally, View
from gradcheck.sweep.store import Store

__all__ = ["SweepResult", "sweep"]


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes:
        sweep: its name in the store.
        document: all of it, as `Store.document` gives it.
        resumed: how many units an earlier run had done.
        errors: messages about units that could not be searched, with how many have each.
        interrupted: whether it was stopped before the last unit.
    """

    sweep: str
    document: Mapping[str, Any]
    resumed: int
    errors: Mapping[str, int]
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether every unit is done and none failed."""
        return bool(self.document["ok"]) and not self.errors


def sweep(
    units: Sequence[Unit],
    store: Store,
    *,
    workers: Mapping[str, int],
    pythons: Mapping[str, str] | None = None,
    cluster: Cluster | None = None,
    limits: Limits | None = None,
    fresh: bool = False,
    quiet: bool = False,
    heading: str = "",
    settings: Mapping[str, Any] | None = None,
    on_begin: Callable[[str, int], None] = lambda sweep, done: None,
    functions: tuple[str, str] = FUNCTIONS,
) -> SweepResult:
    """Run a plan, or what an earlier run has left of it.

    The latest sweep of the same plan in the store is gone on with, if it did not come to its end.

    Args:
        units: the plan.
        store: where results are kept.
        workers: how many there are, by version.
        pythons: the interpreter for each version, where it runs here.
        cluster: where it runs instead.
        limits: what a worker may use.
        fresh: begin anew, whatever there is.
        quiet: no progress view.
        heading: a line above the progress view.
        settings: kept with the sweep, for people.
        on_begin: called as ``on_begin(sweep, done)`` before the first unit, with how many are done already.
        functions: as `run_searches` takes them.

    A KeyboardInterrupt ends the run and keeps what was found.
    """
    digest = plan_digest(units)
    name = None if fresh else store.unfinished(digest)
    name = name or store.begin(digest, len(units), settings or {})
    done = store.done(name)
    left = [unit for unit in units if unit.key not in done]
    on_begin(name, len(done))
    totals = Counter(unit.version for unit in units)
    counts = store.counts(name)
    tallies = {version: Tally(total, *counts.get(version, (0, 0))) for version, total in totals.items()}
    chunks = cut(left, Costs(store.costs()), workers)
    interrupted = False
    with View(tallies, quiet=quiet, heading=heading) as view, ending_on_sigterm():
        if cluster is not None:
            cluster.on_event(view.say)
            records = cluster.run(chunks, limits=limits, functions=functions)
        else:
            records = run_local(chunks, pythons or {}, workers, limits=limits, functions=functions)
        try:
            with contextlib.closing(records):
                for record in records:
                    if store.write(name, record):
                        what = f"{record['subject']} in {record['mode']}, seed {record['seed']}: {record['verdict']}"
                        view.add(record["version"], record["ok"], what)
        except KeyboardInterrupt:
            interrupted = True
    if not interrupted:
        store.finish(name)
    errors = Counter(result["error"] for result in store.results(name) if result["error"])
    return SweepResult(name, store.document(name), len(done), dict(errors), interrupted)
