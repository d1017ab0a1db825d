"""What the workers of these tests run: each ``function(arguments, channel)``. None needs TensorFlow."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path


def echo(arguments, channel):
    return arguments["value"]


def parts(arguments, channel):
    for number in range(arguments["count"]):
        channel.part(str(number), number)
    os.abort()


def abort(arguments, channel):
    channel.begin({"mode": "eager", "code": "Batch(1)"})
    print("F tensorflow/core/foo.cc:1] Check failed: dims > 0 (0 vs. 0)", file=sys.stderr, flush=True)
    os.abort()


def segfault(arguments, channel):
    channel.begin({"mode": "xla", "code": "Batch(2)"})
    os.kill(os.getpid(), signal.SIGSEGV)


def killed(arguments, channel):
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(arguments, channel):
    channel.begin({"code": "Batch(3)"})
    sys.exit(7)


def hangs(arguments, channel):
    channel.begin({"code": "Batch(4)"})
    while True:
        pass


def hangs_in_c(arguments, channel):
    """Holds the interpreter's lock, so that no thread of it runs."""
    channel.begin({"code": "Batch(5)"})
    ctypes.PyDLL(None).sleep(1000)


def slow(arguments, channel):
    for number in range(1000):
        channel.begin({"code": f"Batch({number})"})
        time.sleep(0.05)


def allocates(arguments, channel):
    channel.begin({"code": "Batch(6)"})
    kept = []
    while True:
        kept.append(b"x" * 2**24)


def raises(arguments, channel):
    raise ZeroDivisionError("by design")


def refuses(arguments, channel):
    from gradcheck.errors import InputError

    raise InputError("there is no such thing")


def garbage(arguments, channel):
    print("printed by the subject")
    os.write(1, b"written by a library\n")
    return "value"


def memory(arguments, channel):
    """How often this process was asked."""
    memory.calls = getattr(memory, "calls", 0) + 1
    return [os.getpid(), memory.calls]


def marks(arguments, channel):
    """Leaves a line in a file, and takes its time."""
    with open(arguments["file"], "a") as file:
        file.write(arguments["name"] + "\n")
    time.sleep(arguments.get("seconds", 0.0))
    Path(arguments["file"] + "." + arguments["name"]).touch()
    return arguments["name"]


def spawns(arguments, channel):
    """A child that would outlive its parent."""
    channel.begin({"code": "Batch(7)"})
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
    Path(arguments["file"]).write_text(str(pid))
    os.abort()
