"""``gradcheck doctor``: which TensorFlow is here, what works in it, and what is known about it."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

import click

from gradcheck.cli.common import json_option, say, write_json
from gradcheck.cli.exits import FOUND, NO_TENSORFLOW, OK
from gradcheck.errors import MissingTensorFlowError
from gradcheck.mode_names import MODES

__all__ = ["doctor"]


@click.command(short_help="Which TensorFlow is here, and what works in it.")
@json_option
def doctor(json_file: Path | None) -> None:
    """Say which TensorFlow is here, which modes work in it, and which known problems it has."""
    found: dict[str, Any] = {
        "schema": 1,
        "kind": "doctor",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _installed(name) for name in ("tf-gradcheck", "hypothesis", "numpy", "pytest")},
    }
    try:
        found.update(_tensorflow_facts())
    except MissingTensorFlowError as error:
        found["tensorflow"] = None
        found["problem"] = str(error)
    say(_text(found), json_file)
    write_json(json_file, found)
    if found["tensorflow"] is None:
        sys.exit(NO_TENSORFLOW)
    sys.exit(OK if all(state == "works" for state in found["modes"].values()) else FOUND)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _tensorflow_facts() -> dict[str, Any]:
    from gradcheck._tensorflow import tensorflow, versions
    from gradcheck.releases.table import find_release, newest, oldest

    tf = tensorflow()
    release = find_release(tf.__version__)
    notes = []
    if release is None:
        notes.append(
            f"TensorFlow {tf.__version__} is none of the releases that gradcheck is tested with "
            f"({oldest().minor} to {newest().minor}); it may work, and known problems are not listed"
        )
    elif tf.__version__ != release.version:
        notes.append(
            f"gradcheck is tested with {release.version}, the newest patch of {release.minor}; "
            f"pip install 'tensorflow=={release.version}' gets it"
        )
    return {
        "tensorflow": str(tf.__version__),
        "keras": versions()["keras"],
        "tf_keras": _installed("tf_keras"),
        "devices": [device.name for device in tf.config.list_physical_devices()],
        "modes": {mode: _try_mode(tf, mode) for mode in MODES},
        "notes": notes,
        "known_problems": [
            {"what": quirk.what, "meaning": quirk.meaning} for quirk in (release.quirks if release else ())
        ],
    }


def _try_mode(tf: Any, mode: str) -> str:
    """``works``, or what goes wrong with the smallest gradient there is."""

    def slope(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x * x)
        return tape.gradient(y, x)

    point = tf.constant([1.0, 2.0], tf.float64)
    try:
        if mode == "graph":
            slope = tf.function(slope)
        elif mode == "dynamic":
            slope = tf.function(slope, input_signature=[tf.TensorSpec([None], tf.float64)])
        elif mode == "xla":
            slope = tf.function(slope, jit_compile=True)
        result = [float(value) for value in slope(point)]
    except Exception as error:  # whatever goes wrong here is the answer
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return "works" if result == [2.0, 4.0] else f"is wrong: the gradient of x*x at [1, 2] came out as {result}"


def _text(found: dict[str, Any]) -> str:
    lines = [f"Python       {found['python']} on {found['platform']}"]
    lines += [f"{name:<12} {version or 'not installed'}" for name, version in found["packages"].items()]
    if found["tensorflow"] is None:
        return "\n".join([*lines, "TensorFlow   " + found["problem"]])
    lines.append(f"TensorFlow   {found['tensorflow']}")
    lines.append(f"Keras        {found['keras']}" + (f", tf_keras {found['tf_keras']}" if found["tf_keras"] else ""))
    lines.append(f"devices      {', '.join(found['devices'])}")
    lines += [f"mode {mode:<7} {state}" for mode, state in found["modes"].items()]
    lines += [f"note: {note}" for note in found["notes"]]
    if found["known_problems"]:
        lines += ["", f"Known problems of TensorFlow {found['tensorflow']} itself:"]
        for problem in found["known_problems"]:
            lines += [f"- {problem['what']}", f"  {problem['meaning']}"]
    return "\n".join(lines)
