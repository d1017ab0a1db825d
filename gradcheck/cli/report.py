"""``gradcheck report``: what result files say, together."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path

import click

from gradcheck.cli.common import OutputFile, json_option, remark, say, write_json
from gradcheck.cli.exits import BAD_INPUT, FOUND, OK
from gradcheck.errors import InputError
from gradcheck.results.reading import NoResultsError, read_results, results_from
from gradcheck.results.rows import Results, aligned, by_version
from gradcheck.results.upgrade import Side, Upgrade, default_sides, find_side, sides
from gradcheck.support.files import write_text
from gradcheck.support.naming import LEGACY

__all__ = ["report", "text_of"]


def _places(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[Path | str, ...]:
    """Files that are there, and URLs of sweeps' stores."""
    from gradcheck.sweep.store import is_store

    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return tuple(v if "://" in v and is_store(v) else file.convert(v, param, ctx) for v in values)


# Up to so many versions have a table of words each; more share one of letters.
_MOST_TABLES = 2


@click.command(short_help="Show results that were written with --json.")
@click.argument("files", nargs=-1, callback=_places)
@click.option("--html", type=OutputFile(), help="Write one self-contained HTML page.")
@click.option("--markdown", type=OutputFile(), help="Write the tables as Markdown.")
@click.option(
    "--from", "before", metavar="VERSION", help="Upgrade from this TensorFlow (default: the oldest with most subjects)."
)
@click.option(
    "--to",
    "after",
    metavar="VERSION",
    help="Upgrade to this TensorFlow, such as 2.15 or 2.21+tf_keras (default: the newest with most subjects).",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only subjects with this in their name, or whose whole name fits it (recurrent/*); several with commas, "
    "or given one by one.",
)
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
    before: str | None,
    after: str | None,
    only: tuple[str, ...],
    title: str,
    schema: str | None,
    json_file: Path | None,
) -> None:
    """Show the results in FILES, which were written with --json: a matrix of subjects, modes and TensorFlow versions.

    A file may also be the store of a sweep: a SQLite file (results.db) or postgresql://user@host/database.
    Files of different versions are compared: what is broken where, since when, and when it was fixed; and what an
    upgrade from one version (--from) to another (--to) breaks.
    """
    if schema is not None:
        from gradcheck.schemas import schema_text

        click.echo(schema_text(schema), nl=False)
        return
    if not files:
        raise InputError("no files; give result files that were written with --json, such as results/*.json")
    results = _chosen(_read(files), only)
    chosen = _sides(results, before, after)
    say(text_of(results, chosen), json_file)
    if markdown is not None:
        from gradcheck.rendering.markdown import render_markdown

        write_text(markdown, render_markdown(results, chosen))
    if html is not None:
        from gradcheck.rendering.html import render_html

        write_text(html, render_html(results, title, chosen))
    write_json(json_file, results.to_dict())
    if not results.rows and not results.gaps:
        sys.exit(BAD_INPUT)  # nothing was checked, and that is no pass
    sys.exit(OK if results.ok else FOUND)


def _read(files: tuple[Path | str, ...]) -> Results:
    """What is in all files; files of ours that hold no results are passed over, which is said."""
    found: list[Results] = []
    others: list[str] = []
    for path in files:
        try:
            found.append(_results_in(path))
        except NoResultsError as other:
            others.append(str(other))
    if len(others) == len(files):
        raise InputError("; ".join(others))
    if others:
        more = f" (and {len(others) - 1} more such files)" if len(others) > 1 else ""
        remark(f"skipped: {others[0]}{more}")
    return Results.joined(found)


def _results_in(place: Path | str) -> Results:
    """What one results file holds, or the latest sweep of a store."""
    from gradcheck.sweep.store import Store, is_store  # with SQLite, which few readers need

    if not is_store(str(place)):
        return read_results(place)
    with Store(str(place), create=False) as store:
        return results_from(store.document(), store.shown)


def _chosen(results: Results, only: tuple[str, ...]) -> Results:
    """The results of the subjects that were asked for; all where nothing was said."""
    patterns = [pattern.strip() for text in only for pattern in text.split(",") if pattern.strip()]
    if not patterns:
        return results

    def fits(subject: str) -> bool:
        names = (subject, subject.removesuffix(LEGACY))
        return any(p in subject or any(fnmatch.fnmatchcase(name, p) for name in names) for p in patterns)

    found = results.only(fits)
    if results.rows and not found.rows:
        raise InputError(f"--only {', '.join(patterns)}: no subject of the files has such a name")
    return found


def _sides(results: Results, before: str | None, after: str | None) -> tuple[Side, Side] | None:
    """The upgrade to look at; None where there is but one version and none was asked for."""
    found = sides(results)
    usual = default_sides(found)
    if before is None and after is None:
        return usual
    if usual is None and (before is None or after is None):
        raise InputError("--from and --to compare two versions, and the files hold one")
    one, two = usual or (None, None)
    if before is not None:
        one = find_side(found, before, "--from")
    if after is not None:
        two = find_side(found, after, "--to")
    assert one is not None
    assert two is not None
    if one.name == two.name:
        raise InputError(f"the upgrade is from {one.name} to itself; choose two versions with --from and --to")
    return one, two


def text_of(results: Results, upgrade: tuple[Side, Side] | None = None) -> str:
    """What was not checked, the matrix of each TensorFlow, what fails, and what changed between them.

    Args:
        results: the results.
        upgrade: from what to what an upgrade is looked at; where omitted none is.
    """
    from gradcheck.rendering import render_matrix
    from gradcheck.rendering.failures import failures_of, title_of
    from gradcheck.rendering.gaps import gap_lines, gaps_in_short
    from gradcheck.rendering.layout import paragraph
    from gradcheck.rendering.upgrade import render_upgrade
    from gradcheck.rendering.versions import render_versions
    from gradcheck.results.effort import tried
    from gradcheck.results.history import histories

    lines: list[str] = []
    if results.gaps:
        lines += ["Not checked:"]
        lines += [line for gap in gap_lines(results.gaps) for line in paragraph(gap, hanging=2)]
        lines.append("")
    if not results.rows:
        return "\n".join([*lines, "The files hold no results: nothing was checked."])
    grouped = by_version(results)
    told = histories(results)
    if len(grouped) > _MOST_TABLES:
        lines += [render_versions(told), ""]
    else:
        for version, subjects in grouped.items():
            lines += [title_of(version), "", render_matrix(aligned(subjects)), ""]
    found = failures_of(results)
    failures = [failure for failure in found if not failure.better]
    better = [failure for failure in found if failure.better]
    if failures:
        lines += ["Failed:"]
        for failure in failures:
            lines.append(f"  {failure.subject}, {failure.where(len(grouped) > 1)}: {failure.words}")
            if failure.case:
                lines.append("    smallest case: " + " ".join(failure.case.split()))
        lines.append("")
    if better:
        lines += ["Better than expected:"]
        lines += [f"  {one.subject}, {one.where(len(grouped) > 1)}: {one.words}" for one in better]
        lines.append("")
    changed = [history for history in told if history.changed]
    if changed:
        lines += ["Changed between versions:"]
        lines += [f"  {one.subject}, {', '.join(one.modes)}: {one.sentence}" for one in changed]
        lines.append("")
    if upgrade is not None:
        lines += [render_upgrade(Upgrade.between(*upgrade)), ""]
    if rests_on := tried(results):
        lines += paragraph(rests_on, indent=0)
    count, gone = (sum(failure.count for failure in some) for some in (failures, better))
    names = len({row.subject for row in results.rows})
    verdict = f"{count} verdict{'s' * (count != 1)} failed" if count else "nothing failed"
    if gone:
        verdict = f"{verdict if count else 'nothing worse'}, {gone} better than expected"
    if results.gaps:
        verdict = f"{verdict if count or gone else 'nothing failed'}; {gaps_in_short(results.gaps)}"
    lines.append(
        f"{names} subject{'s' * (names != 1)}{f' on {len(grouped)} versions' if len(grouped) > 1 else ''}: {verdict}"
    )
    return "\n".join(lines)
