"""Times, medians and peak memory, measured side by side."""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass
class Row:
    """One line of the table.

    Attributes:
        part: which question it belongs to, ``"a"`` … ``"f"``.
        subject: what was checked.
        mode: execution mode, or empty.
        what: who checked it.
        seconds: time of every run.
        against: seconds of what it is compared with, for the ratio; None for the baseline itself.
        peak_mib: largest resident memory while it ran, MiB; None where it was not measured.
        note: anything else, such as why it did not run.
        counts: numbers that are no times.
    """

    part: str
    subject: str
    mode: str
    what: str
    seconds: list[float] = field(default_factory=list)
    against: float | None = None
    peak_mib: float | None = None
    note: str = ""
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float | None:
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def ratio(self) -> float | None:
        """How many times faster than what it is compared with."""
        return self.against / self.median if self.against and self.median else None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "median": self.median, "ratio": self.ratio}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        return cls(**{key: value for key, value in data.items() if key not in ("median", "ratio")})


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], *, runs: int, budget: float = 10.0
) -> dict[str, list[float]]:
    """Seconds of every run, the contestants taking turns, so that a busy machine slows all of them alike.

    Each has been run once before. One whose run takes longer than ``budget / runs`` seconds gets fewer runs, three
    at least where two runs fit into twice the budget, else one.

    Returns:
        Seconds of the runs by contestant; an empty list for one that raised.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(runs):
        for name, run in contestants.items():
            spent = sum(times[name])
            if number and (spent > budget or (number >= 3 and spent > budget / 2)):
                continue
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def _resident(name: str) -> float | None:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return float(found.group(1)) / 1024 if found else None


def peak_of(run: Callable[[], Any]) -> tuple[Any, float | None]:
    """The result of a call, and the largest resident memory while it ran, in MiB, over what was resident before.

    Linux only; None elsewhere.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return run(), None
    before = _resident("VmRSS")
    result = run()
    after = _resident("VmHWM")
    return result, None if before is None or after is None else max(0.0, after - before)


def process_peak() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_process(module: str, arguments: Mapping[str, Any], *, environment: Mapping[str, str] | None = None) -> Any:
    """Run ``module.main(arguments)`` of this folder in a fresh Python, and return what it returns (JSON).

    Raises:
        RuntimeError: it failed; the end of what it printed is in the message.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, str(HERE / "child.py"), module, json.dumps(dict(arguments)), str(out)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, check=False
        )
        if not out.exists():
            raise RuntimeError(f"{module} {dict(arguments)} exited with {done.returncode}:\n{done.stderr[-2000:]}")
        result = json.loads(out.read_text())
        if isinstance(result, dict):
            result["stderr"] = done.stderr
        return result
