"""``gradcheck variants``: the bundled ways of writing a variable-length layer, checked in every mode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradcheck.cli.common import (
    OutputFolder,
    html_option,
    hush_tensorflow,
    json_option,
    modes_option,
    progress,
    remark,
    resume_option,
    say,
    write_html,
    write_json,
)
from gradcheck.cli.exits import FOUND, INTERRUPTED, OK
from gradcheck.support.files import file_stem, write_text

if TYPE_CHECKING:
    from gradcheck.variants import VariantCell, VariantsResult

__all__ = ["variants"]


@click.command(short_help="Check ways of writing a variable-length layer.")
@modes_option
@click.option("--max-examples", type=click.IntRange(min=1), help="Batches to try on each variant.")
@click.option("--only", metavar="TEXT", multiple=True, help="Only variants with this in their name; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which batches are tried.")
@resume_option
@click.option("--claims/--no-claims", default=True, show_default=True, help="Measure the three claims as well.")
@click.option(
    "--scripts",
    type=OutputFolder(),
    help="Write a plain TensorFlow script for each failure, expected or not, to this folder.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@html_option
@json_option
def variants(
    modes: tuple[str, ...],
    max_examples: int | None,
    only: tuple[str, ...],
    seed: int,
    journal: Path | None,
    claims: bool,
    scripts: Path | None,
    quiet: bool,
    html_file: Path | None,
    json_file: Path | None,
) -> None:
    """Check each way of writing a variable-length layer in each mode, and compare with what is expected.

    Prints the matrix, why what fails is expected to fail, what deviates from the verdicts expected on this
    TensorFlow, and three claims in wide circulation with what was measured.
    """
    from gradcheck.variants import run_variants

    hush_tensorflow()
    with progress(quiet) as bar:
        result = run_variants(
            modes=modes,
            max_examples=max_examples,
            only=only,
            seed=seed,
            claims=claims,
            journal=journal,
            progress=bar.update,
        )
    say(_text(result, modes), json_file)
    write_json(json_file, result.to_dict())
    write_html(html_file, result.to_dict())
    if scripts is not None:
        _write_scripts(scripts, result, json_file)
    if result.interrupted:
        remark("interrupted: the above is what was found until then")
        sys.exit(INTERRUPTED)
    sys.exit(OK if result.ok else FOUND)


def _text(result: VariantsResult, modes: tuple[str, ...]) -> str:
    from gradcheck.rendering import render_matrix
    from gradcheck.rendering.layout import columns, paragraph
    from gradcheck.verdicts import Verdict

    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items() if version)
    rows = result.rows()
    parts = [
        f"Variable-length layers, written {'one way' if len(rows) == 1 else f'{len(rows)} ways'} ({versions})",
        "\n".join(
            paragraph(
                "Each line is one way of turning a vector of lengths into a layer (construct/consumer); each "
                "column is a way in which TensorFlow executes it: "
                + "; ".join(f"{mode}: {meaning}" for mode, meaning in _MODES.items() if mode in modes)
                + f". In every cell up to {result.max_examples} batches were tried, and the gradient compared "
                "with the slope measured on the layer itself.",
                indent=0,
            )
        ),
        render_matrix(rows),
    ]
    met = {cell.result.verdict for cell in result.cells}
    meanings = columns((verdict.value, verdict.meaning) for verdict in Verdict if verdict in met)
    if meanings:
        parts.append("\n".join(["What the verdicts mean:", *meanings]))
    if reasons := _reasons(result):
        parts.append("\n".join(["Expected on this TensorFlow, and why:", *reasons]))
    if result.deviations:
        parts.append("Not as expected:")
        parts += [str(cell) for cell in result.deviations]
    if result.claims:
        parts.append("Three claims that one reads about such layers, and what was measured here:")
        parts += ["\n".join(_indented(str(claim))) for claim in result.claims]
    parts.append(result.summary())
    return "\n\n".join(parts)


_MODES = {
    "eager": "operation by operation",
    "graph": "tf.function, shapes known",
    "dynamic": "tf.function, traced once with batch and time unknown",
    "xla": "tf.function compiled by XLA, gradient inside",
}


def _reasons(result: VariantsResult) -> list[str]:
    """Each reason once, with the modes and constructs that it explains, and the smallest batch that shows it."""
    from gradcheck.rendering.layout import paragraph

    explained: dict[tuple[str, str], dict[str, list[str]]] = {}
    smallest: dict[tuple[str, str], VariantCell] = {}
    for cell in result.cells:
        if cell.ok and cell.result.verdict.fails:
            group = explained.setdefault((cell.result.verdict.value, cell.reason), {})
            names = group.setdefault(cell.variant.name.split("/")[0], [])
            if cell.result.mode not in names:
                names.append(cell.result.mode)
            key = (cell.result.verdict.value, cell.reason)
            if cell.counterexample:
                smallest[key] = min(smallest.get(key, cell), cell, key=lambda known: len(known.counterexample))
    lines = []
    for (verdict, reason), constructs in explained.items():
        where = "; ".join(f"{name} in {', '.join(modes)}" for name, modes in constructs.items())
        lines += paragraph(f"{verdict}, {where}: {reason}", hanging=2)
        shown = smallest.get((verdict, reason))
        if shown is not None:
            lines.append(f"    smallest batch ({shown.variant.name} in {shown.result.mode}):")
            lines.append(f"      {shown.counterexample}")
            if shown.result.cause:
                lines += paragraph(f"there: {shown.result.cause}", 6, hanging=2)
    return lines


def _indented(text: str) -> list[str]:
    """The lines of a text that is indented already, each wrapped, by two columns more."""
    from gradcheck.rendering.layout import paragraph

    return [
        part for line in text.splitlines() for part in paragraph(line, 2 + len(line) - len(line.lstrip()), hanging=2)
    ]


def _write_scripts(folder: Path, result: VariantsResult, json_file: Path | None) -> None:
    written = 0
    for cell in result.cells:
        if cell.script:
            write_text(folder / f"{file_stem(f'{cell.variant.name}-{cell.result.mode}')}.py", cell.script)
            written += 1
    say(f"{written} scripts written to {folder}", json_file)
