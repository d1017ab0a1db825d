"""What became of a unit, as a row of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcheck.isolation.searches import SearchOutcome, unfinished_document
from gradcheck.records.reasons import Reason
from gradcheck.records.results import ModeResult
from gradcheck.sweep.plan import Unit
from gradcheck.verdicts import Verdict

__all__ = ["record_of", "record_of_lost"]


def record_of(unit: Unit, outcome: SearchOutcome, worker: str) -> dict[str, Any]:
    """The row of a unit that was searched, or that could not be."""
    return _record(unit, outcome.document, outcome.error, outcome.seconds, worker)


def record_of_lost(unit: Unit, cause: str, worker: str = "") -> dict[str, Any]:
    """The row of a unit that took every worker along that it was given to: a ``CRASH``."""
    result = ModeResult(unit.mode, Verdict.CRASH, cause, reasons=(Reason.DIED,))
    return _record(unit, unfinished_document(unit.task, result), "", 0.0, worker)


def _record(unit: Unit, document: Mapping[str, Any], error: str, seconds: float, worker: str) -> dict[str, Any]:
    if error:
        # No verdict about the subject; and it must not look like a pass.
        cause = f"could not be searched: {error.strip().splitlines()[-1]}"
        document = unfinished_document(unit.task, ModeResult(unit.mode, Verdict.UNRESOLVED, cause, detail=error))
    found = document["modes"][unit.mode]
    return {
        "unit": unit.key,
        "version": unit.version,
        "subject": unit.task.subject,
        "dtype": unit.dtype,
        "mode": unit.mode,
        "seed": unit.task.seed,
        "examples": unit.task.max_examples,
        "verdict": found["verdict"],
        "ok": found["ok"] and not error,
        "error": error,
        "seconds": found.get("seconds", seconds),
        "cold": found.get("cold", True),
        "worker": worker,
        "document": document,
    }
