"""How far a sweep is: done, failing, rate and time left, for each TensorFlow version."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gradcheck.support.outgoing import for_terminal

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Tally", "View"]

# The rate is that of the last units; at first many compile, and later few do.
_RECENT = 40


class Tally:
    """Numbers of one version.

    Args:
        total: units in all.
        done, failing: of an earlier run of the same sweep.
    """

    def __init__(self, total: int, done: int = 0, failing: int = 0) -> None:
        self.total, self.done, self.failing = total, done, failing
        self._times: deque[float] = deque([time.monotonic()], maxlen=_RECENT)

    def add(self, ok: bool) -> None:
        """One more is done."""
        self.done += 1
        self.failing += not ok
        self._times.append(time.monotonic())

    @property
    def rate(self) -> float | None:
        """Units a minute; None before the first."""
        if len(self._times) < 2:
            return None
        # To now, so that it falls while nothing comes.
        return 60.0 * (len(self._times) - 1) / max(time.monotonic() - self._times[0], 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds to the end at that rate; None where it is not known."""
        rate = self.rate
        return 0.0 if self.done >= self.total else None if rate is None else 60.0 * (self.total - self.done) / rate


def duration(seconds: float | None) -> str:
    """``"1:02:03"``, ``"2:03"``; ``"-"`` for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class View:
    """A table on a terminal that is written anew as results come. A context manager; silent where there is no terminal.

    Args:
        tallies: by version.
        console: where to; stderr where None.
        quiet: show nothing, whatever the console is.
        heading: a line above the table, such as where the dashboard is.
    """

    def __init__(
        self,
        tallies: Mapping[str, Tally],
        *,
        console: Console | None = None,
        quiet: bool = False,
        heading: str = "",
    ) -> None:
        self.tallies, self.heading = tallies, heading
        self._last = ""
        self._live: Any = None
        if quiet:
            return
        from rich.console import Console
        from rich.live import Live

        console = console or Console(stderr=True)
        if console.is_terminal:
            self._live = Live(get_renderable=self.table, console=console, transient=True, refresh_per_second=2)

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, version: str, ok: bool, what: str) -> None:
        """A unit is done; ``what`` says which and what it came to."""
        self.tallies[version].add(ok)
        self._last = what

    def say(self, text: str) -> None:
        """A line that stays above the table; nothing where there is no table."""
        if self._live is not None:
            self._live.console.print(for_terminal(text), markup=False, highlight=False)

    def table(self) -> RenderableType:
        """The table as it is now."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        table.add_column("TensorFlow")
        for name in ("done", "failing", "a minute", "time left"):
            table.add_column(name, justify="right")
        for version, tally in self.tallies.items():
            rate = "-" if tally.rate is None else f"{tally.rate:.1f}"
            failing = Text(str(tally.failing), style="red" if tally.failing else "")
            table.add_row(version, f"{tally.done} of {tally.total}", failing, rate, duration(tally.left))
        heading = [Text(self.heading, overflow="fold")] if self.heading else []
        return Group(
            *heading, table, Text(f"last: {self._last or '-'}", style="dim", no_wrap=True, overflow="ellipsis")
        )
