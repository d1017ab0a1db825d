"""(f) Start-up of pytest with the plugin installed and unused, against without it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import Row

_TEST = "import sys\n\n\ndef test_nothing():\n    assert 'tensorflow' not in sys.modules\n"


def rows(*, quick: bool) -> list[Row]:
    contestants = {"pytest -p no:gradcheck": ["-p", "no:gradcheck"], "pytest, plugin unused": []}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    busy: dict[str, list[float]] = {name: [] for name in contestants}
    peaks: dict[str, float] = {}
    # Without bytecode every import is a compilation, which no user waits for twice.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text(_TEST)
        for number in range(4 if quick else 31):
            for name, options in contestants.items():
                command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, folder]
                start = time.perf_counter()
                child = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, env=environment
                )
                output = child.stdout.read() if child.stdout else b""
                _, status, usage = os.wait4(child.pid, 0)
                seconds = time.perf_counter() - start
                child.returncode = os.waitstatus_to_exitcode(status)
                if child.returncode:
                    raise RuntimeError(output.decode())
                if number:  # the first fills the disk cache
                    times[name].append(seconds)
                    busy[name].append(usage.ru_utime + usage.ru_stime)
                peaks[name] = max(peaks.get(name, 0.0), usage.ru_maxrss / 1024)
    without, used = (float(np.median(times[name])) for name in contestants)
    calm, heavy = (float(np.median(busy[name])) for name in contestants)
    note = f"costs {1000 * (used - without):.0f} ms, of the processor {1000 * (heavy - calm):.0f} ms"
    names = list(contestants)
    return [
        Row("f", "a test that does nothing", "", names[0], times[names[0]], peak_mib=peaks[names[0]]),
        Row(
            "f", "a test that does nothing", "", names[1], times[names[1]], against=without,
            peak_mib=peaks[names[1]], note=note,
            counts={"cost_ms": 1000 * (used - without), "cost_cpu_ms": 1000 * (heavy - calm)},
        ),
    ]  # fmt: skip
