"""What the commands share: options, where output goes, and progress on a terminal."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gradcheck.errors import InputError
from gradcheck.mode_names import MODES
from gradcheck.support import files
from gradcheck.support.outgoing import for_terminal
from gradcheck.verdicts import Verdict

__all__ = [
    "Amount",
    "OutputFile",
    "OutputFolder",
    "Progress",
    "convert_modes",
    "html_option",
    "json_option",
    "modes_option",
    "parse_expect",
    "progress",
    "resume_option",
    "start_tensorflow",
    "write_html",
    "write_json",
]


class Amount(click.FloatRange):
    """A number that is one: NaN is within every range of click's, and infinity beyond what clocks and sizes can be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number) or number > _MOST:
            self.fail(f"{number} is beyond {_MOST:g}; leave the option out for its usual limit.", param, ctx)
        return number


# Seconds (some thirty years), or GiB.
_MOST = 1e9


class OutputFile(click.Path):
    """A file that is written at the end, tried before the work. `InputError` where it cannot be written."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(dir_okay=False, allow_dash=allow_dash, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if not (self.allow_dash and str(path) == "-"):
            files.require_writable(Path(str(path)))
        return path


class OutputFolder(click.Path):
    """A folder that files are written to, tried before the work. `InputError` where they cannot be."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        files.require_writable(Path(str(path)), folder=True)
        return path


def convert_modes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Modes separated by commas as a tuple without repetitions; None stays None."""
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in MODES:
            raise click.BadParameter(f"{name!r} is not a mode; the modes are {', '.join(MODES)}", ctx, param)
    if not names:
        raise click.BadParameter(f"no mode given; the modes are {', '.join(MODES)}", ctx, param)
    return tuple(dict.fromkeys(names))


def _complete_modes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    head, comma, last = incomplete.rpartition(",")
    taken = head.split(",")
    return [f"{head}{comma}{mode}" for mode in MODES if mode.startswith(last) and mode not in taken]


modes_option = click.option(
    "--modes",
    callback=convert_modes,
    shell_complete=_complete_modes,
    default=",".join(MODES),
    show_default=True,
    help="Execution modes to check, separated by commas.",
)

json_option = click.option(
    "--json",
    "json_file",
    type=OutputFile(allow_dash=True),
    help="Write the results as JSON to this file; `-` is standard output, and the text goes to stderr.",
)


resume_option = click.option(
    "--resume",
    "journal",
    metavar="FILE",
    type=OutputFile(),
    help="Keep what is finished in this file, and begin with what is in it already.",
)


def parse_expect(texts: tuple[str, ...]) -> dict[str, tuple[Verdict, ...]]:
    """``("xla=UNSUPPORTED", "graph=ERROR|MISMATCH")`` as expected verdicts by mode.

    Raises:
        InputError: for an unknown mode or verdict.
    """
    expected: dict[str, tuple[Verdict, ...]] = {}
    for text in texts:
        mode, separator, names = text.partition("=")
        if not separator or mode not in MODES:
            raise InputError(f"--expect {text!r} is not MODE=VERDICT; the modes are {', '.join(MODES)}")
        for name in names.split("|"):
            if name not in Verdict.__members__:
                raise InputError(f"--expect {text!r}: {name!r} is not one of {', '.join(Verdict.__members__)}")
        expected[mode] = tuple(Verdict[name] for name in names.split("|"))
    return expected


html_option = click.option(
    "--html",
    "html_file",
    type=OutputFile(),
    help="Write the results as one page to look at, with pictures of every failure.",
)


def write_html(path: Path | None, document: Any) -> None:
    """Write ``document`` as a page where ``--html`` says."""
    if path is None:
        return
    from gradcheck.rendering.html import write_html as write

    # As a reader of the JSON file would get it, so that both show the same.
    write([json.loads(json.dumps(document, allow_nan=False))], path)


def write_json(path: Path | None, document: Any) -> None:
    """Write ``document`` where ``--json`` says; whole or not at all, so that nobody reads half a file."""
    if path is None:
        return
    if str(path) == "-":
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    files.write_json(path, document, indent=2)


# What TensorFlow writes when it is loaded, before anybody can say that it should not.
_START_UP = re.compile(
    rb"^WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR\s*$"
    rb"|^I\d{4} .*(?:oneDNN custom operations are on|cpu_feature_guard)"
    rb"|^To enable the following instructions: "
)


def start_tensorflow() -> None:
    """Load TensorFlow without what it says of itself; whatever else it writes to standard error is passed on.

    It writes past Python, so the descriptor itself is turned away meanwhile. Where TensorFlow is not installed, or does
    not load, nothing happens: whoever needs it says so.
    """
    from gradcheck._tensorflow import tensorflow
    from gradcheck.errors import MissingTensorFlowError

    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    try:
        before = os.dup(2)
    except OSError:  # there is no standard error
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            with contextlib.suppress(MissingTensorFlowError):
                tensorflow()
        finally:
            os.dup2(before, 2)
            os.close(before)
            written.seek(0)
            for line in written:
                if not _START_UP.search(line):
                    os.write(2, line)


def hush_tensorflow() -> None:
    """Prepare for TensorFlow: without its Python warnings (a search traces many functions, as it remarks), and with
    AutoGraph's files in a folder that is removed, also after a kill.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from gradcheck.isolation.folders import own_temporary_files

    click.get_current_context().with_resource(own_temporary_files())


def say(text: str, json_file: Path | None) -> None:
    """Text for people: standard output, or stderr where standard output carries JSON."""
    click.echo(for_terminal(text), err=json_file is not None and str(json_file) == "-")


def remark(text: str) -> None:
    """A remark for people, on stderr."""
    click.echo(for_terminal(text), err=True)


class Progress:
    """Progress on long work; silent where stderr is not a terminal."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar = bar
        self._task = task

    def update(self, text: str, done: float | None = None, total: float | None = None) -> None:
        """Show ``text``, and how much is done."""
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=done, total=total)


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr while the block runs, gone afterwards."""
    if quiet or not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()),
        *(TextColumn("about"), TimeRemainingColumn(), TextColumn("left")),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar, bar.add_task("starting TensorFlow", total=None))
