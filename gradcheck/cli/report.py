"""``gradcheck report``: what result files say, together."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gradcheck.cli.common import json_option, say, write_json
from gradcheck.cli.exits import FOUND, OK
from gradcheck.errors import InputError
from gradcheck.files import write_text
from gradcheck.results import Row, aligned, by_version, merged_document, read_rows

__all__ = ["report", "text_of"]


def _places(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[Path | str, ...]:
    """Files that are there, and URLs of sweeps' stores."""
    from gradcheck.sweep.store import is_store

    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return tuple(v if "://" in v and is_store(v) else file.convert(v, param, ctx) for v in values)


# Up to so many versions have a table of words each; more share one of letters.
_MOST_TABLES = 2


@click.command()
@click.argument("files", nargs=-1, callback=_places)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained HTML page.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables as Markdown.")
@click.option("--title", default="Gradient checks", show_default=True, help="Heading of the HTML page.")
@click.option(
    "--schema",
    type=click.Choice(["results", "case"]),
    is_flag=False,
    flag_value="results",
    help="Print the JSON schema of result files (or of case files) and do nothing else.",
)
@json_option
def report(
    files: tuple[Path | str, ...],
    html: Path | None,
    markdown: Path | None,
    title: str,
    schema: str | None,
    json_file: Path | None,
) -> None:
    """Show the results in FILES, which were written with --json: a matrix of subjects, modes and TensorFlow versions.

    A file may also be the store of a sweep: a SQLite file (results.db) or postgresql://user@host/database.
    Files of different versions are compared: what is broken where, since when, and when it was fixed.
    """
    if schema is not None:
        from gradcheck.schemas import schema_text

        click.echo(schema_text(schema), nl=False)
        return
    if not files:
        raise InputError("no files; give result files that were written with --json, such as results/*.json")
    rows = [row for path in files for row in read_rows(path)]
    say(text_of(rows), json_file)
    if markdown is not None:
        from gradcheck.rendering.markdown import render_markdown

        write_text(markdown, render_markdown(rows))
    if html is not None:
        from gradcheck.rendering.html import render_html

        write_text(html, render_html(rows, title))
    write_json(json_file, merged_document(rows))
    sys.exit(OK if all(row.ok for row in rows) else FOUND)


def text_of(rows: list[Row]) -> str:
    """The matrix of each TensorFlow, what fails, and what changed between them."""
    from gradcheck.history import histories
    from gradcheck.rendering import render_matrix
    from gradcheck.rendering.failures import failures_of, title_of
    from gradcheck.rendering.versions import render_versions

    if not rows:
        return "The files hold no results."
    lines: list[str] = []
    grouped = by_version(rows)
    told = histories(rows)
    if len(grouped) > _MOST_TABLES:
        lines += [render_versions(told), ""]
    else:
        for version, subjects in grouped.items():
            lines += [title_of(version), "", render_matrix(aligned(subjects)), ""]
    failures = failures_of(rows)
    if failures:
        lines += ["Not as it should be:"]
        for failure in failures:
            lines.append(f"  {failure.subject}, {failure.where(len(grouped) > 1)}: {failure.words}")
            if failure.case:
                lines.append("    smallest case: " + " ".join(failure.case.split()))
        lines.append("")
    changed = [history for history in told if history.changed]
    if changed:
        lines += ["Changed between versions:"]
        lines += [f"  {one.subject}, {', '.join(one.modes)}: {one.sentence}" for one in changed]
        lines.append("")
    count = sum(failure.count for failure in failures)
    names = len({row.subject for row in rows})
    lines.append(
        f"{names} subject{'s' * (names != 1)}"
        + (f" on {len(grouped)} versions" if len(grouped) > 1 else "")
        + ": "
        + (f"{count} verdict{'s' * (count != 1)} not as it should be" if count else "all as it should be")
    )
    return "\n".join(lines)
