"""``gradcheck search``: search for wrong gradients in one's own subjects."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import (
    Amount,
    OutputFolder,
    html_option,
    hush_tensorflow,
    json_option,
    modes_option,
    parse_expect,
    remark,
    say,
    start_tensorflow,
    write_html,
    write_json,
)
from gradcheck.cli.drawing import drawing_options, strategy_of, wrt_option
from gradcheck.cli.exits import BAD_INPUT, FOUND, INTERRUPTED, OK
from gradcheck.cli.progress import search_progress
from gradcheck.errors import InputError
from gradcheck.invariants import parse_invariants
from gradcheck.mode_names import ACCURACIES, ENGINES
from gradcheck.records.results import SCHEMA_VERSION
from gradcheck.results.rows import Gap
from gradcheck.subject.importing import load_object, load_strategy
from gradcheck.support.files import file_stem, write_text

if TYPE_CHECKING:
    from gradcheck.cli.progress import SearchProgress
    from gradcheck.rendering.text import Access
    from gradcheck.searching.searches import ModeSearch, SearchResult

__all__ = ["search"]


def _convert_invariants(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        parse_invariants(value)
    except InputError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    return value


@click.command(short_help="Search for batches with a wrong gradient.")
@click.argument("subjects", metavar="SUBJECT...", nargs=-1, required=True)
@modes_option
@click.option("--max-examples", type=click.IntRange(min=1), default=100, show_default=True, help="Batches to try.")
@click.option("--seed", type=int, help="Makes the search repeatable.")
@click.option(
    "--shrink-seconds",
    type=Amount(min=0),
    default=60.0,
    show_default=True,
    help="How long a failing batch of each mode may be made smaller.",
)
@wrt_option
@click.option("--engine", type=click.Choice(ENGINES), help="How Jacobians are formed.")
@click.option(
    "--order",
    type=click.IntRange(1, 3),
    default=1,
    show_default=True,
    help="2 checks the gradient of the gradient, 3 the gradient of that.",
)
@click.option(
    "--accuracy",
    type=click.Choice(ACCURACIES),
    help="strict: fail where a number is far off though its formula is right.",
)
@click.option(
    "--invariants",
    metavar="NAMES",
    callback=_convert_invariants,
    help="What else should make no difference, separated by commas: row_alone, permutation, ..., or all.",
)
@click.option("--expect", multiple=True, metavar="MODE=VERDICT", help="A verdict that is right for a mode; repeatable.")
@drawing_options("features", "max_batch", "min_length", "max_length", "dtype", "min_value", "max_value", "poison")
@click.option(
    "--scripts",
    type=OutputFolder(),
    help="Write a plain TensorFlow script for each failure to this folder.",
)
@click.option(
    "--cases",
    type=OutputFolder(),
    help="Write a case file for each failure to this folder, for `gradcheck replay`.",
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Check in another process: a subject that aborts, hangs or eats the memory is a CRASH, and the rest goes on.",
)
@click.option(
    "--batch-seconds",
    type=Amount(min=0, min_open=True),
    help="With --isolate: a batch that takes longer hangs.  [120]",
)
@click.option(
    "--memory",
    type=Amount(min=0.0625),
    metavar="GIB",
    help="With --isolate: most memory that the process may hold.  [half of the machine's]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and nothing printed where nothing failed.")
@html_option
@json_option
def search(subjects: tuple[str, ...], modes: tuple[str, ...], json_file: Path | None, **options: Any) -> None:
    """Search for batches on which a gradient of SUBJECT is wrong, and print the smallest.

    SUBJECT is pkg.module:name or path/file.py:name: a function, a tf.Module, a Keras layer, or a factory of
    one. Batches are drawn from strategies.batches with the options below, or from --strategy.
    """
    from gradcheck.rendering import render_search

    access = _access(options)
    isolated = _isolation(options)
    expect = parse_expect(options["expect"]) or None  # before TensorFlow is imported, which takes seconds
    if not options["isolate"]:
        start_tensorflow()
    # What may take its process along is not loaded here.
    loaded = [(spec, spec if options["isolate"] else load_object(spec, "subject")) for spec in subjects]
    strategy = load_strategy(strategy_of(options))
    wanted = options["max_examples"]
    arguments = {
        "max_examples": wanted,
        "seed": options["seed"],
        "wrt": options["wrt"],
        "engine": options["engine"],
        "order": options["order"],
        "invariants": options["invariants"],
        "accuracy": options["accuracy"],
        "expect": expect,
        "shrink_seconds": options["shrink_seconds"],
    }
    hush_tensorflow()
    finished: list[SearchResult] = []
    specs: list[str] = []
    refused: list[str] = []
    gaps: list[Gap] = []
    interrupted = ""
    for spec, subject in loaded:
        found: list[ModeSearch] = []
        result: SearchResult | None
        try:
            with isolated(spec) as isolate, search_progress(spec, modes, wanted, quiet=options["quiet"]) as shown:
                told = _first_failure(spec, shown, options)
                wanted_here = {**arguments, "isolate": isolate, "on_failure": told}
                result = _searched(subject, strategy, modes, wanted_here, found, shown)
        except KeyboardInterrupt:
            interrupted = f"interrupted in {spec}"
            result = _until_then(spec, modes, found) if found else None
            gaps += _after_interruption(spec, [one for one, _ in loaded], modes, [one.mode for one in found])
        except InputError as error:
            if len(loaded) == 1:
                raise
            result = None
            refused.append(spec)
            gaps.append(Gap(spec, f"it could not be searched: {error}"))
            remark(f"{spec} was not searched: {error}\n")
        if result is not None:
            finished.append(result)
            specs.append(spec)
            if not (options["quiet"] and result.ok):
                say(f"{render_search(result, access)}\n", json_file)
        if interrupted:
            break
    for result in finished:
        if options["scripts"] is not None:
            _write_scripts(options["scripts"], result, json_file)
        if options["cases"] is not None:
            _write_cases(options["cases"], result, json_file)
    if options["cases"] is None:
        for spec, result in zip(specs, finished, strict=True):
            for one in result.modes.values():
                _keep(spec, one)  # the smaller one
    document = {
        "schema": SCHEMA_VERSION,
        "kind": "searches",
        "complete": not (interrupted or refused),
        "gaps": [gap.to_dict() for gap in gaps],
        "results": [
            {**result.to_dict(), "place": spec, "settings": _settings(options)}
            for spec, result in zip(specs, finished, strict=True)
        ],
    }
    write_json(json_file, document)
    write_html(options["html_file"], document)
    if interrupted:
        searched = ", ".join(f"{result.subject} ({_extent(result)})" for result in finished)
        remark(f"{interrupted}; searched until then: {searched or 'nothing'}")
        sys.exit(INTERRUPTED)
    if refused:
        remark(f"not searched: {', '.join(refused)}")
        sys.exit(BAD_INPUT)
    sys.exit(OK if all(result.ok for result in finished) else FOUND)


def _after_interruption(spec: str, specs: list[str], modes: tuple[str, ...], met: list[str]) -> list[Gap]:
    """What an interruption in ``spec`` leaves unsearched: the modes that were not met, and the subjects behind it."""
    why = "the run was interrupted before it"
    left = [mode for mode in modes if mode not in met]
    here = [Gap(f"{spec} in {', '.join(left)}", why)] if left else []
    return here + [Gap(other, why) for other in specs[specs.index(spec) + 1 :]]


# What of a search makes it another one than that with the default; how many batches and from which seed does not.
_TELLING = ("wrt", "order", "engine", "invariants", "accuracy", "strategy", "dtype", "poison")


def _settings(options: dict[str, Any]) -> dict[str, str]:
    """The parameters that are not the usual ones, as words."""
    defaults = {parameter.name: parameter.default for parameter in search.params}
    given = {name: options.get(name) for name in _TELLING}
    return {
        name: ",".join(map(str, value)) if isinstance(value, (tuple, list, set, frozenset)) else str(value)
        for name, value in given.items()
        if value not in (None, "", False, (), defaults.get(name))
    }


def _access(options: dict[str, Any]) -> Access:
    """What there is besides the text, for somebody who has no result in Python."""
    from gradcheck.rendering.text import Access

    offers = {
        "scripts": "--scripts DIR writes a script of plain TensorFlow for each failure",
        "cases": "--cases DIR writes what `gradcheck replay` runs again under any version",
        "html_file": "--html FILE writes pictures",
    }
    left = [offer for option, offer in offers.items() if not options[option]]
    return Access(detail="--json FILE has it", elsewhere="; ".join(left) or "listed below")


def _extent(result: SearchResult) -> str:
    """The modes that were searched, and how far one was that was interrupted."""
    return ", ".join(
        mode if found.complete else f"{mode} for {found.examples} example{'s' * (found.examples != 1)}"
        for mode, found in result.modes.items()
    )


def _isolation(options: dict[str, Any]) -> Callable[[str], contextlib.AbstractContextManager[Any]]:
    """What gives the argument ``isolate`` of `gradcheck.search` for a subject, and ends its process."""
    if not options["isolate"]:
        for name in ("batch_seconds", "memory"):
            if options[name] is not None:
                raise InputError(f"--{name.replace('_', '-')} is a limit for --isolate; add that, or leave it out")
        return lambda spec: contextlib.nullcontext(False)
    from gradcheck.isolation import Limits
    from gradcheck.isolation.checks import IsolatedChecks

    memory = None if options["memory"] is None else int(options["memory"] * 2**30)
    seconds = Limits.batch_seconds if options["batch_seconds"] is None else options["batch_seconds"]
    limits = Limits(batch_seconds=seconds, task_seconds=None, memory=memory)
    return lambda spec: IsolatedChecks(spec, limits=limits)


def _searched(
    subject: Any,
    strategy: Any,
    modes: tuple[str, ...],
    arguments: dict[str, Any],
    found: list[ModeSearch],
    shown: SearchProgress,
) -> SearchResult:
    """Search; ``found`` holds what the modes came to, also where an interruption leaves no result."""
    from hypothesis.errors import InvalidArgument

    import gradcheck

    def on_mode(one: ModeSearch) -> None:
        found.append(one)
        shown.on_mode(one)

    try:
        return gradcheck.search(
            subject, strategy, modes=modes, on_example=shown.on_example, on_mode=on_mode, **arguments
        )
    except InvalidArgument as error:
        raise InputError(f"batches like that cannot be drawn: {error}") from error


def _first_failure(spec: str, shown: SearchProgress, options: dict[str, Any]) -> Callable[[ModeSearch], None]:
    """What shows the first failing batch of a mode, and keeps its case, before it is made smaller."""

    def told(one: ModeSearch) -> None:
        if options["cases"] is None:
            path = _keep(spec, one)
        else:
            name = "" if one.case is None else f"{file_stem(f'{one.case.name}-{one.mode}')}.json"
            path = None if one.case is None else one.case.save(options["cases"] / name)
        kept = "" if path is None else f", kept in {path}"
        if not options["quiet"]:
            arguments = "" if one.report is None else one.report.arguments
            limit = f"{options['shrink_seconds']:g} s"
            shown.tell(
                f"{spec}, {one.mode}: {one.verdict.value} on this batch{kept}; making it smaller for at most {limit}\n"
                f"  {one.cause}\n{indent(arguments, '  ')}"
            )

    return told


def _keep(spec: str, one: ModeSearch) -> Path | None:
    """Keep a failing batch beside Hypothesis's own files, where no folder was named: a killed search loses nothing.

    Returns:
        Where; None where there is no case, or the folder cannot be written.
    """
    from hypothesis.configuration import storage_directory

    if one.case is None:
        return None
    folder: Any = storage_directory("gradcheck")
    name = f"{file_stem(f'{spec}-{one.mode}')[-200:]}.json"
    try:
        if hasattr(folder, "create_if_missing"):  # a path in older versions, in newer ones an object that has one
            folder.create_if_missing()
        return one.case.save(Path(getattr(folder, "path", folder)) / name)
    except (InputError, OSError):  # a checkout that must not be written to is no reason not to search
        return None


def _until_then(spec: str, modes: tuple[str, ...], found: list[ModeSearch]) -> SearchResult:
    """What an interrupted search had come to."""
    from gradcheck.searching.searches import SearchResult

    report = next((one.report for one in found if one.report is not None), None)
    by_mode = {one.mode: one for one in found}
    return SearchResult(
        subject=spec if report is None else report.subject,
        modes={mode: by_mode[mode] for mode in modes if mode in by_mode},
        versions={} if report is None else report.versions,
    )


def _file_stem(result: SearchResult, mode: str) -> str:
    return file_stem(f"{result.subject}-{mode}")


def _write_scripts(folder: Path, result: SearchResult, json_file: Path | None) -> None:
    for mode, found in result.modes.items():
        if found.script:
            path = write_text(folder / f"{_file_stem(result, mode)}.py", found.script)
            say(f"script for mode {mode}: {path}", json_file)


def _write_cases(folder: Path, result: SearchResult, json_file: Path | None) -> None:
    for mode, found in result.modes.items():
        if found.case is not None:
            path = found.case.save(folder / f"{_file_stem(result, mode)}.json")
            say(f"case for mode {mode}: {path}", json_file)
