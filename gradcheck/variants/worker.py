"""The worker process: ``python -m gradcheck.variants.worker`` takes jobs from standard input, one a line.

See `gradcheck.variants.jobs` for what is said in which form.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from gradcheck.variants.catalog import catalog
from gradcheck.variants.jobs import Job, send

__all__ = ["main", "search_variant"]


def search_variant(job: Job, announce: Callable[[Any], Any] | None = None) -> dict[str, dict[str, Any]]:
    """Run one job here; ``announce`` is given every batch before it is tried, and returns it."""
    import gradcheck

    variant = next(variant for variant in catalog() if variant.name == job.variant)
    # Few and small shapes: the constructs fail, where they fail, on two rows, and each shape costs a
    # compilation.
    batches = gradcheck.strategies.batches(features=2, max_batch=3, max_length=4, sides=("post",))
    found = gradcheck.search(
        variant.subject,
        batches if announce is None else batches.map(announce),
        max_examples=job.max_examples,
        modes=job.modes,
        seed=job.seed,
        expect={mode: tuple(verdicts) for mode, verdicts in job.expect.items()},
    )
    return {
        mode: {
            "result": {
                **found[mode].result.to_dict(),
                # The search may have met its verdict on another batch than the one that its report is of.
                "verdict": found[mode].verdict.value,
                "cause": found[mode].cause,
            },
            "examples": found[mode].examples,
            "counterexample": "" if found[mode].counterexample is None else repr(found[mode].counterexample),
            "script": found[mode].script or "",
        }
        for mode in job.modes
    }


def main() -> None:
    """Answer jobs until standard input ends."""
    # Whatever else writes to standard output (TensorFlow does) must not end up between the lines.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def announce(batch: Any) -> Any:
        send(channel, drawn=repr(batch))
        return batch

    for line in sys.stdin:
        try:
            send(channel, modes=search_variant(Job.from_line(line), announce))
        except Exception:  # the parent must learn of it, and the next job may still work
            send(channel, error=traceback.format_exc())


if __name__ == "__main__":
    main()
