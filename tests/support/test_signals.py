"""SIGTERM ends a block as Ctrl-C does, wherever the main thread is when it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

RUN = """
import gc, os, signal, sys, time
from gradcheck.support.signals import ending_on_sigterm

number, where, how = signal.Signals[sys.argv[1]], sys.argv[2], sys.argv[3]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

def send():
    if not sent:
        sent.append(True)
        os.kill(os.getpid(), number)
        time.sleep(0.05)  # the handler runs at the latest here

class Deleted:
    def __del__(self):
        send()

sent = []
try:
    with ending_on_sigterm():
        try:
            if where == "collector":
                gc.callbacks.append(lambda phase, info: send())
                gc.collect()
            elif where == "finalizer":
                Deleted()
            else:
                send()
            time.sleep(30)
        except KeyboardInterrupt:
            print("kept")
            if how == "status":
                sys.exit(130)
            if how == "again":
                os.kill(os.getpid(), number)
                time.sleep(30)
            raise
except KeyboardInterrupt:
    sys.exit(130)
"""


def run(ending: signal.Signals, where: str, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, ending.name, where, how], capture_output=True, text=True, timeout=25, check=False
    )


@pytest.mark.parametrize("where", ["code", "collector", "finalizer"])
@pytest.mark.parametrize("how", ["raise", "status"])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_ends_the_block(ending: signal.Signals, where: str, how: str) -> None:
    done = run(ending, where, how)
    assert (done.returncode, done.stdout) == (128 + ending, "kept\n"), done.stderr


def test_a_second_sigterm_ends_the_process_at_once() -> None:
    done = run(signal.SIGTERM, "code", "again")
    assert done.returncode == -signal.SIGTERM
