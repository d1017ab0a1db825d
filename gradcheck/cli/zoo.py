"""``gradcheck zoo``: what Keras and TensorFlow offer for sequences, searched in every mode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradcheck.cli.common import (
    OutputFolder,
    hush_tensorflow,
    json_option,
    modes_option,
    progress,
    remark,
    resume_option,
    say,
    write_json,
)
from gradcheck.cli.exits import FOUND, INTERRUPTED, OK

if TYPE_CHECKING:
    from gradcheck.zoo.replays import Replay
    from gradcheck.zoo.run import ZooCell, ZooResult

__all__ = ["zoo"]


@click.command(short_help="Search stock layers, losses and operations.")
@modes_option
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    help="Batches to try on each subject in each mode.  [4; 25 where it is known to fail]",
)
@click.option("--only", metavar="TEXT", multiple=True, help="Only subjects with this in their name; repeatable.")
@click.option("--keras", is_flag=True, help="Only what Keras offers, not TensorFlow's own operations.")
@click.option("--sample", is_flag=True, help="Only the first subject of each family: a quick look.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which batches are tried.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [one for each processor]")
@resume_option
@click.option(
    "--cases",
    type=OutputFolder(),
    help="Write each failing example, known or not, to a case file in this folder.",
)
@click.option(
    "--replay",
    "replay_folders",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Try the cases in this folder as well, those that other versions left; repeatable.",
)
@click.option("--list", "list_only", is_flag=True, help="List the subjects, without TensorFlow, and search nothing.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@json_option
def zoo(
    modes: tuple[str, ...],
    examples: int | None,
    only: tuple[str, ...],
    keras: bool,
    sample: bool,
    seed: int,
    workers: int | None,
    journal: Path | None,
    cases: Path | None,
    replay_folders: tuple[Path, ...],
    list_only: bool,
    quiet: bool,
    json_file: Path | None,
) -> None:
    """Search the zoo: stock Keras layers, losses, and TensorFlow's own operations on sequences.

    Every subject runs in a worker process, so one that kills its process does not end the run. Prints the matrix, what
    is known to fail on this TensorFlow, and what is new.
    """
    if list_only:
        say(_listing(only, keras), json_file)
        return
    from gradcheck.zoo.replays import cases_from_elsewhere, replay_cases, with_replays
    from gradcheck.zoo.run import run_zoo, write_cases

    hush_tensorflow()
    replays: tuple[Replay, ...] = ()
    with progress(quiet) as bar:
        result = run_zoo(
            modes=modes,
            max_examples=examples,
            only=only,
            keras_only=keras,
            sample=sample,
            seed=seed,
            workers=workers,
            journal=journal,
            progress=bar.update,
        )
        existing = [folder for folder in replay_folders if folder.is_dir()]
        if existing and not result.interrupted:
            found = cases_from_elsewhere(existing, result)
            replays = replay_cases(found, result, workers=workers, progress=bar.update)
            result = with_replays(result, replays)
    say(_text(result, replays), json_file)
    if cases is not None:
        say(f"{len(write_cases(result, cases))} failing cases written to {cases}", json_file)
    document = result.to_dict()
    document["replays"] = [replay.to_dict() for replay in replays]
    write_json(json_file, document)
    if result.interrupted:
        remark("interrupted: the above is what was found until then")
        sys.exit(INTERRUPTED)
    sys.exit(OK if result.ok else FOUND)


def _effort(result: ZooResult) -> str:
    text = f"In every cell up to {result.max_examples} batch{'es' * (result.max_examples != 1)} were tried"
    longest = max((cell.examples for cell in result.cells), default=0)
    return f"{text}, and up to {longest} where a failure is known." if longest > result.max_examples else f"{text}."


def _listing(only: tuple[str, ...], keras_only: bool) -> str:
    from gradcheck.rendering.layout import paragraph
    from gradcheck.zoo.catalog import FAMILIES, catalog, narrowed

    chosen = narrowed(catalog(), only, keras_only)
    lines = []
    for family, what in FAMILIES.items():
        members = [exhibit for exhibit in chosen if exhibit.family == family]
        if not members:
            continue
        lines += [f"{what} ({len(members)})"]
        for exhibit in members:
            lines += paragraph(f"{exhibit.name}: {exhibit.doc}", hanging=2)
    return "\n".join([*lines, f"{len(chosen)} subject{'s' * (len(chosen) != 1)}"])


def _text(result: ZooResult, replays: tuple[Replay, ...]) -> str:
    from gradcheck.rendering import render_matrix
    from gradcheck.rendering.layout import columns, paragraph
    from gradcheck.verdicts import Verdict

    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    rows = result.rows()
    parts = [
        f"The zoo: {len(rows)} subject{'s' if len(rows) != 1 else ''} ({versions})",
        _effort(result),
        render_matrix(rows),
    ]
    met = {cell.result.verdict for cell in result.cells}
    meanings = columns((verdict.value, verdict.meaning) for verdict in Verdict if verdict in met)
    parts.append("\n".join(["What the verdicts mean:", *meanings]))
    if known := _known(result):
        parts.append("\n".join(["Known on this TensorFlow:", *known]))
    if result.missed:
        names = ", ".join(f"{cell.exhibit.name} in {cell.result.mode}" for cell in result.missed)
        parts.append("\n".join(paragraph(f"Known, and not met in {result.max_examples} batches: {names}", 0)))
    if replays:
        parts.append("\n".join(["Failing cases of other versions, here:", *(f"  {replay}" for replay in replays)]))
    if result.deviations:
        parts.append("New, or gone:")
        parts += [str(cell) for cell in result.deviations]
    parts.append(result.summary())
    return "\n\n".join(parts)


def _known(result: ZooResult) -> list[str]:
    """Each known finding once, with the subjects and modes that met it, and the smallest batch that shows it."""
    from gradcheck.rendering.layout import paragraph

    met: dict[str, list[ZooCell]] = {}
    findings = {}
    for cell in result.cells:
        if cell.ok and cell.result.verdict.fails:
            for known in cell.explained_by:
                findings[known.key] = known
                met.setdefault(known.key, []).append(cell)
    lines = []
    for key, cells in met.items():
        known = findings[key]
        where: dict[str, list[str]] = {}
        for cell in cells:
            where.setdefault(cell.exhibit.name, []).append(cell.result.mode)
        places = "; ".join(f"{name} in {', '.join(modes)}" for name, modes in where.items())
        lines += paragraph(f"{known.title} ({known.owner}). {places}", hanging=2)
        lines += paragraph(f"Instead: {known.instead}", 4, hanging=2)
        shown = min((cell for cell in cells if cell.arguments), key=lambda cell: len(cell.arguments), default=None)
        if shown is not None and not known.is_limit:
            lines.append(f"    smallest batch ({shown.exhibit.name} in {shown.result.mode}):")
            lines.append(f"      {' '.join(shown.arguments.split())}")
    return lines
