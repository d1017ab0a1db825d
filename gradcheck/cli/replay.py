"""``gradcheck replay``: whether failures that were written to case files are still there."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import convert_modes, hush_tensorflow, json_option, say, write_json
from gradcheck.cli.exits import FOUND, OK
from gradcheck.mode_names import MODES
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.cases import Case
    from gradcheck.report import Report

__all__ = ["replay"]


@click.command()
@click.argument("files", metavar="CASE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--modes",
    callback=convert_modes,
    help=f"Modes to check, separated by commas, of {', '.join(MODES)}.  [the mode of each case]",
)
@click.option("--subject", metavar="MODULE:NAME", help="Check this subject instead of the one that the cases name.")
@click.option(
    "--isolate",
    is_flag=True,
    help="Check in another process: what kills it is a CRASH, and the next case is checked. Always done for a CRASH.",
)
@click.option(
    "--batch-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="In another process: a case that takes longer hangs.  [120]",
)
@click.option("-q", "--quiet", is_flag=True, help="One line for each case, without reports.")
@json_option
def replay(
    files: tuple[Path, ...],
    modes: tuple[str, ...] | None,
    subject: str | None,
    isolate: bool,
    batch_seconds: float | None,
    quiet: bool,
    json_file: Path | None,
) -> None:
    """Check the failing examples in CASE files again, under the TensorFlow that is here.

    `gradcheck search --cases DIR` writes such files. Each failure is still there, changed (fails in another way),
    undecided, or gone.
    """
    from gradcheck import cases
    from gradcheck.importing import load_object
    from gradcheck.isolation import Limits
    from gradcheck.isolation.replays import IsolatedReplays

    limits = Limits(batch_seconds=batch_seconds or Limits.batch_seconds, task_seconds=None)
    loaded = [(path, cases.load_case(path)) for path in files]
    # What may take its process along is not loaded here.
    isolate = isolate or all(case.verdict is Verdict.CRASH for _, case in loaded)
    given = None if subject is None or isolate else load_object(subject, "subject")
    hush_tensorflow()
    results: list[dict[str, Any]] = []
    with IsolatedReplays(limits) as isolated:
        for path, case in loaded:
            if isolate or case.verdict is Verdict.CRASH:
                report = isolated.replay(case, modes=modes, subject=subject)
            else:
                report = cases.replay(case, modes=modes, subject=given)
            found = cases.outcome(case, report[case.mode]) if case.mode in report.modes else "not checked"
            say(_text(path, case, report, found, quiet), json_file)
            before = {"verdict": case.verdict.value, "cause": case.cause, "versions": dict(case.versions)}
            about = {"case": str(path), "mode": case.mode, "outcome": found, "before": before}
            results.append({**report.to_dict(), **about})
    if len(results) > 1:
        counted = Counter(result["outcome"] for result in results)
        say(f"{len(results)} cases: {', '.join(f'{count} {found}' for found, count in counted.items())}", json_file)
    ok = all(result["ok"] for result in results)
    write_json(json_file, {"schema": cases.CASE_SCHEMA, "kind": "replays", "ok": ok, "results": results})
    sys.exit(OK if ok else FOUND)


def _text(path: Path, case: Case, report: Report, found: str, quiet: bool) -> str:
    from gradcheck.rendering.text import Access, render_report

    here, there = (versions.get("tensorflow", "?") for versions in (report.versions, case.versions))
    under = f"TensorFlow {here}" + (f", found under {there}" if there != here else "")
    heading = f"{path}: {case.name} in {case.mode}: {found} ({under})"
    lines = [heading]
    if found != "still there":
        lines.append(f"  before: {case.verdict}" + (f": {case.cause}" if case.cause else ""))
    if found != "not checked":
        now = report[case.mode]
        lines.append(f"  now:    {now.verdict}" + (f": {now.cause}" if now.cause else ""))
    others = [result for mode, result in report.modes.items() if mode != case.mode]
    lines += [f"  {result.mode}: {result.verdict}" + (f": {result.cause}" if result.cause else "") for result in others]
    lines += dict.fromkeys(f"  note: {note}" for result in report.modes.values() for note in result.notes)
    if not report.ok and not quiet:
        at_hand = "--json FILE writes all of it, with a script of plain TensorFlow"
        lines += ["", render_report(report, Access(detail="--json FILE has it", elsewhere=at_hand)), ""]
    return "\n".join(lines)
