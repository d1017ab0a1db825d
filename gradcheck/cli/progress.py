"""What a search shows while it runs: a line for each mode, on stderr, gone when the results are printed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradcheck.searching.searches import ModeSearch

__all__ = ["SearchProgress", "search_progress"]


class SearchProgress:
    """Takes what `gradcheck.search` tells on its way; silent without ``bars``."""

    def __init__(self, bars: Any = None, modes: tuple[str, ...] = (), wanted: int = 0) -> None:
        self._bars = bars
        self._tries: dict[str, int] = {}
        self._tasks: dict[str, Any] = {}
        if bars is not None:
            for mode in modes:
                self._tasks[mode] = bars.add_task(mode, total=wanted, start=False, doing="waiting")

    def on_example(self, mode: str, examples: int, phase: str) -> None:
        """An example was checked: one of those searched, or a smaller one than the failing one."""
        if self._bars is None:
            return
        task = self._tasks[mode]
        self._bars.start_task(task)
        if phase == "search":
            self._bars.update(task, completed=examples, doing="searching")
            return
        self._tries[mode] = self._tries.get(mode, 0) + 1
        self._bars.update(task, completed=examples, doing=f"fails; making it smaller, {self._tries[mode]} tried")

    def tell(self, text: str) -> None:
        """Lines that stay, on stderr."""
        if self._bars is None:
            click.echo(text, err=True)
        else:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_mode(self, found: ModeSearch) -> None:
        """A mode is done."""
        if self._bars is not None and found.complete:
            task = self._tasks[found.mode]
            self._bars.update(task, completed=found.examples, doing=found.verdict.value)
            self._bars.stop_task(task)


@contextlib.contextmanager
def search_progress(spec: str, modes: tuple[str, ...], wanted: int, *, quiet: bool = False) -> Iterator[SearchProgress]:
    """Show the search of one subject while the block runs; nothing with ``quiet``, or where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield SearchProgress()
        return
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    console = Console(file=sys.stderr)
    bars = Progress(
        TextColumn("  {task.description:<7}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
        console=console,
    )
    watched = SearchProgress(bars, modes, wanted)
    # The results go to standard output, which may be a file: it is left alone.
    with Live(
        Group(Text(spec, overflow="ellipsis", no_wrap=True), bars),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield watched
