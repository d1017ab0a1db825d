"""``gradcheck replay``: whether failures that were written to case files are still there."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import (
    Amount,
    convert_modes,
    hush_tensorflow,
    json_option,
    remark,
    say,
    start_tensorflow,
    write_json,
)
from gradcheck.cli.exits import FOUND, OK
from gradcheck.errors import InputError
from gradcheck.mode_names import MODES
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck.cases.document import Case
    from gradcheck.report import Report

__all__ = ["replay"]


@click.command(short_help="Check failing examples from case files again.")
@click.argument("files", metavar="CASE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--modes",
    callback=convert_modes,
    help=f"Modes to check, separated by commas, of {', '.join(MODES)}.  [the mode of each case]",
)
@click.option("--subject", metavar="MODULE:NAME", help="Check this subject. Nothing that the cases name is imported.")
@click.option(
    "--call", metavar="MODULE:NAME", help="With --subject: how it is called, for cases that were checked with a call=."
)
@click.option(
    "--trust",
    is_flag=True,
    help="Import and call what the cases name, without asking. A case of gradcheck's own zoo needs no trust.",
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Check in another process: what kills it is a CRASH, and the next case is checked. Always done for a CRASH.",
)
@click.option(
    "--batch-seconds",
    type=Amount(min=0, min_open=True),
    help="In another process: a case that takes longer hangs.  [120]",
)
@click.option("-q", "--quiet", is_flag=True, help="One line for each case, without reports.")
@json_option
def replay(
    files: tuple[Path, ...],
    modes: tuple[str, ...] | None,
    subject: str | None,
    call: str | None,
    trust: bool,
    isolate: bool,
    batch_seconds: float | None,
    quiet: bool,
    json_file: Path | None,
) -> None:
    """Check the failing examples in CASE files again, under the TensorFlow that is here.

    `gradcheck search --cases DIR` writes such files. Each failure is still there, changed (fails in another way),
    undecided, or gone.

    A replay runs the code of the subject. Name it with --subject, or say with --trust that you trust what the files
    name; on a terminal you are asked.
    """
    from gradcheck import cases
    from gradcheck.isolation import Limits
    from gradcheck.isolation.replays import IsolatedReplays

    limits = Limits(batch_seconds=batch_seconds or Limits.batch_seconds, task_seconds=None)
    loaded = [(path, cases.load_case(path)) for path in files]
    chosen = _code(loaded, subject, call, trust)
    # What may take its process along is not loaded here.
    isolate = isolate or all(case.verdict is Verdict.CRASH for _, case in loaded)
    start_tensorflow()
    hush_tensorflow()
    results: list[dict[str, Any]] = []
    with IsolatedReplays(limits) as isolated:
        for path, case in loaded:
            if isolate or case.verdict is Verdict.CRASH:
                report = isolated.replay(case, modes=modes, **chosen[path])
            else:
                report = cases.replay(case, modes=modes, **_loaded(chosen[path]))
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


def _code(
    loaded: Sequence[tuple[Path, Case]], subject: str | None, call: str | None, trust: bool
) -> dict[Path, dict[str, Any]]:
    """By case, the names of the subject and of the ``call=``: as given, or as the case has them where that is allowed.

    Raises:
        InputError: where a case would lead to imports that nobody has allowed.
    """
    from gradcheck.cases.named_code import missing, refusal
    from gradcheck.zoo.catalog import catalog

    if trust and subject is not None:
        raise InputError("--trust imports what the cases name, and --subject takes its place; leave one of them out")
    if call is not None and subject is None:
        raise InputError("--call belongs to a subject that you name; add --subject MODULE:NAME")
    ours = {exhibit.subject for exhibit in catalog()}
    chosen: dict[Path, dict[str, Any]] = {}
    refused: dict[str, None] = {}
    for path, case in loaded:
        own = case.subject if case.subject in ours and not case.called else None
        given = {"subject": subject or own, "call": call if case.called else None}
        needed = missing(case, subject=given["subject"] is not None, call=given["call"] is not None)
        if needed and not trust:
            refused[f"{path}: {refusal(case, needed)}"] = None
        chosen[path] = given | {one.what: one.spec for one in needed}
    if refused:
        _ask(list(refused), named=subject is not None)
    return chosen


def _ask(refused: list[str], *, named: bool) -> None:
    """Ask whether what the cases name may be imported.

    Raises:
        InputError: where the answer is no, or nobody can be asked.
    """
    remedy = (
        "Give the call= yourself with --call MODULE:NAME"
        if named
        else "Add --trust where you trust the file, or name the subject yourself with --subject MODULE:NAME"
    )
    if named or not _is_attended():
        raise InputError("\n".join([*refused, f"Nothing was imported. {remedy}"]))
    remark("\n".join(refused))
    if not click.confirm("Import and call it?", default=False, err=True):
        raise InputError(f"nothing was imported. {remedy}")


def _is_attended() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _loaded(specs: dict[str, Any]) -> dict[str, Any]:
    from gradcheck.subject.importing import load_object

    return {what: None if spec is None else load_object(spec, what) for what, spec in specs.items()}


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
