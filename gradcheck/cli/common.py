"""What the commands share: options, where output goes, and progress on a terminal."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from gradcheck.errors import InputError
from gradcheck.verdicts import Verdict

__all__ = ["Progress", "json_option", "load_object", "modes_option", "parse_expect", "progress", "write_json"]

MODES = ("eager", "graph", "dynamic", "xla")


def _convert_modes(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
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
    callback=_convert_modes,
    shell_complete=_complete_modes,
    default=",".join(MODES),
    show_default=True,
    help="Execution modes to check, separated by commas.",
)

json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write the results as JSON to this file; `-` is standard output, and the text goes to stderr.",
)


def load_object(spec: str, what: str) -> Any:
    """The object that ``pkg.module:name`` or ``path/file.py:name`` names; names may be dotted.

    The current directory can be imported from, as with ``python -m``.

    Raises:
        InputError: where the text is not of that form, the module cannot be imported, or has no such object.
    """
    where, separator, name = spec.rpartition(":")
    if not separator or not where or not name:
        raise InputError(
            f"{what} {spec!r} is not of the form pkg.module:name or path/file.py:name; "
            "write for example layers.pooling:masked_mean"
        )
    found = _module_of(where, spec, what)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            public = [entry for entry in vars(found) if not entry.startswith("_")] if hasattr(found, "__dict__") else []
            hint = f"; it has {', '.join(public[:8])}{' …' if len(public) > 8 else ''}" if public else ""
            raise InputError(f"{what} {spec!r}: {where} has no {name!r}{hint}") from None
    return found


def _module_of(where: str, spec: str, what: str) -> Any:
    is_file = where.endswith(".py")
    if is_file and not Path(where).is_file():
        raise InputError(f"{what} {spec!r}: there is no file {where} in {Path.cwd()}")
    try:
        if is_file:
            return _module_of_file(Path(where).resolve())
        _importable_from(Path.cwd())
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not is_file and (where == missing or where.startswith(missing + ".")):
            raise InputError(
                f"{what} {spec!r}: there is no module {where!r} here ({Path.cwd()}) or installed"
            ) from error
        if missing == "tensorflow":
            from gradcheck._tensorflow import tensorflow

            tensorflow()  # raises, with the remedy
        raise InputError(f"{what} {spec!r}: importing it failed: {error}") from error
    except Exception as error:
        raise InputError(f"{what} {spec!r}: importing it failed: {type(error).__name__}: {error}") from error


def _module_of_file(path: Path) -> ModuleType:
    _importable_from(path.parent)
    # Under its own name, so that classes in it pickle and its source is found; unless that name is taken.
    name = path.stem if path.stem not in sys.modules else f"_gradcheck_subject_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _importable_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


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


def write_json(path: Path | None, document: Any) -> None:
    """Write ``document`` where ``--json`` says; whole or not at all, so that nobody reads half a file."""
    if path is None:
        return
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def hush_tensorflow() -> None:
    """Keep TensorFlow's Python warnings out of the output: a search traces many functions, as TensorFlow remarks."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def say(text: str, json_file: Path | None) -> None:
    """Text for people: standard output, or stderr where standard output carries JSON."""
    click.echo(text, err=json_file is not None and str(json_file) == "-")


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
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar, bar.add_task("starting TensorFlow", total=None))
