"""Failing cases of other versions, tried again on this one: what a short search here may have missed, or what is gone.

A case that this run's own search has found again is not repeated; what is left is where versions differ.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcheck.cases.document import Case, load_case, outcome
from gradcheck.harness.replay import replay
from gradcheck.isolation import Task, run_tasks
from gradcheck.releases.table import minor_of
from gradcheck.results.reading import mode_result
from gradcheck.subject.importing import load_object
from gradcheck.verdicts import Verdict
from gradcheck.zoo.catalog import catalog

if TYPE_CHECKING:
    from gradcheck.isolation.worker import Channel
    from gradcheck.zoo.run import ZooCell, ZooResult

__all__ = ["Replay", "cases_from_elsewhere", "replay_cases", "replay_in_worker", "with_replays"]


@dataclass(frozen=True)
class Replay:
    """A failing case of another version on this one.

    Attributes:
        subject: name of the zoo's subject.
        mode: mode of the case.
        found_on: the TensorFlow it was found under.
        before: the verdict there.
        verdict: the verdict here.
        cause: of the verdict here.
        outcome: one of `gradcheck.cases.document.OUTCOMES`.
        path: the case file.
        details: where it fails here: ``result`` as `gradcheck.report.ModeResult.to_dict` has it, and ``arguments``,
            ``script``, ``evidence`` and ``case`` as a search's.
    """

    subject: str
    mode: str
    found_on: str
    before: Verdict
    verdict: Verdict
    cause: str
    outcome: str
    path: Path
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "subject": self.subject,
            "mode": self.mode,
            "found_on": self.found_on,
            "before": self.before.value,
            "verdict": self.verdict.value,
            "cause": self.cause,
            "outcome": self.outcome,
            "case": self.path.name,
        }

    def __str__(self) -> str:
        text = f"{self.subject} in mode {self.mode}: {self.before.value} on {self.found_on}, here {self.verdict.value}"
        return f"{text}: {self.cause}" if self.cause and self.verdict.fails else text


def cases_from_elsewhere(folders: Iterable[Path], result: ZooResult) -> dict[Path, Case]:
    """The cases in these folders, at any depth, that say something new about this TensorFlow.

    Left out are cases of subjects that were not searched here or do not exist here, those of this very version, and
    those whose failure the search has found by itself; of several alike, from different versions, one is kept.
    """
    here = {(cell.exhibit.subject, cell.result.mode): cell.result for cell in result.cells}
    version = result.versions["tensorflow"], result.versions["keras"]
    kept: dict[tuple[str, str, Verdict], tuple[Path, Case]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.json")):
        case = load_case(path)
        mine = here.get((case.subject or "", case.mode))
        if mine is None or mine.verdict is case.verdict or case.called:  # none of ours is called in another way
            continue
        if (case.versions.get("tensorflow"), case.versions.get("keras")) == version:
            continue
        key = (case.subject or "", case.mode, case.verdict)
        if key not in kept or minor_of(case.versions["tensorflow"]) > minor_of(kept[key][1].versions["tensorflow"]):
            kept[key] = (path, case)
    return dict(kept.values())


def replay_cases(
    cases: Mapping[Path, Case],
    result: ZooResult,
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Replay, ...]:
    """Try each case here, in worker processes; what kills its worker is a ``CRASH``.

    Raises:
        RuntimeError: where gradcheck itself fails on a case, with its traceback.
    """
    names = {cell.exhibit.subject: cell.exhibit.name for cell in result.cells}
    tasks = {
        str(path): Task(f"{__name__}:replay_in_worker", case.to_dict(), key=str(path), group=case.subject or "")
        for path, case in cases.items()
    }
    replays = {}
    with contextlib.closing(run_tasks(tasks.values(), workers)) as outcomes:
        for done in outcomes:
            path = Path(done.key)
            case = cases[path]
            name = names[case.subject or ""]
            if done.error:
                raise RuntimeError(f"gradcheck failed on the case {path}:\n{done.error}")
            if done.death is not None:
                verdict, cause = Verdict.CRASH, str(done.death)
                found = "still there" if case.verdict is Verdict.CRASH else "changed"
                details: Mapping[str, Any] = {"result": {"verdict": verdict.value, "cause": cause}}
            else:
                verdict, cause, found = Verdict[done.value["verdict"]], done.value["cause"], done.value["outcome"]
                details = done.value["details"]
            details = {**details, "case": case.to_dict()} if details else {}
            found_on = case.versions["tensorflow"]
            replays[path] = Replay(name, case.mode, found_on, case.verdict, verdict, cause, found, path, details)
            if progress is not None:
                progress(f"replaying {name}", len(replays), len(tasks))
    return tuple(replays[path] for path in cases)


def replay_in_worker(arguments: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """One case, in a worker process."""
    case = Case.from_dict(arguments)
    # Ours, whatever the file says: what else it names is not imported.
    ours = next(exhibit.subject for exhibit in catalog() if exhibit.subject == case.subject)
    channel.begin({"mode": case.mode, "code": json.dumps(dict(arguments)["arguments"])})
    report = replay(case, subject=load_object(ours, "subject"))
    found = report[case.mode]
    details: dict[str, Any] = {}
    if found.verdict.fails:
        details = {
            "result": found.to_dict(),
            "arguments": report.arguments,
            "script": report.scripts.get(case.mode, ""),
            "evidence": dict(report.evidence[case.mode]) if case.mode in report.evidence else None,
        }
    return {"verdict": found.verdict.value, "cause": found.cause, "outcome": outcome(case, found), "details": details}


def with_replays(result: ZooResult, replays: Iterable[Replay]) -> ZooResult:
    """The same result with what the cases of other versions showed beyond its own searches.

    A cell whose search did not fail, and on which a case fails, has failed: on the batch of that case.
    """
    failing = {(one.subject, one.mode): one for one in replays if one.verdict.fails}

    def corrected(cell: ZooCell) -> ZooCell:
        found = failing.get((cell.exhibit.name, cell.result.mode))
        if found is None or cell.result.verdict.fails:
            return cell
        own = mode_result(found.mode, found.details["result"])
        note = f"met on a failing case of TensorFlow {found.found_on}, not by the search here"
        return replace(
            cell,
            result=replace(own, expected=cell.result.expected, notes=(*own.notes, note)),
            arguments=found.details.get("arguments", ""),
            script=found.details.get("script", ""),
            case=found.details["case"],
            evidence=found.details.get("evidence"),
        )

    cells: Any = tuple(corrected(cell) for cell in result.cells)
    return replace(result, cells=cells)
