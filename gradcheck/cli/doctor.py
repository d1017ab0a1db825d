"""``gradcheck doctor``: which TensorFlow is here, what works in it, and what is known about it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import json_option, say, write_json
from gradcheck.cli.exits import FOUND, NO_TENSORFLOW, OK
from gradcheck.errors import MissingTensorFlowError
from gradcheck.mode_names import MODES

if TYPE_CHECKING:
    from gradcheck.exact.coverage import Covered

__all__ = ["doctor"]


@click.command(short_help="Which TensorFlow is here, and what works in it.")
@click.option(
    "--operations",
    is_flag=True,
    help="List instead for which operations exact derivatives are known, and which have their slopes measured.",
)
@json_option
def doctor(operations: bool, json_file: Path | None) -> None:
    """Say which TensorFlow is here, which modes work in it, and which known problems it has."""
    if operations:
        _operations(json_file)
        return
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


def _operations(json_file: Path | None) -> None:
    """Write the table of operations."""
    try:
        from gradcheck._tensorflow import tensorflow

        version = str(tensorflow().__version__)
    except MissingTensorFlowError as error:
        say(str(error), json_file)
        sys.exit(NO_TENSORFLOW)
    from gradcheck.exact.coverage import coverage

    covered = coverage()
    say(_operations_text(version, covered), json_file)
    write_json(
        json_file,
        {
            "schema": 1,
            "kind": "operations",
            "tensorflow": version,
            "operations": [dataclasses.asdict(item) for item in covered],
        },
    )


def _operations_text(version: str, covered: list[Covered]) -> str:
    differentiable = [item for item in covered if item.gradient]
    count = {how: sum(item.how == how for item in differentiable) for how in ("rule", "linear", "measured", "none")}
    lines = [
        f"TensorFlow {version} has gradients for {len(differentiable)} operations.",
        f"{count['rule'] + count['linear']:4} have an exact rule here; {count['linear']} of them are linear.",
        f"{count['measured']:4} have none. Their slopes are measured, each operation by itself.",
        f"{count['none']:4} cannot be interpreted.",
        "",
        "Exact rules by family. Operations marked * are linear; those in parentheses have no gradient in TensorFlow.",
    ]
    for family in sorted({item.family for item in covered if item.family}):
        members = [item for item in covered if item.family == family]
        names = [item.op + ("*" if item.how == "linear" else "") for item in members]
        names = [name if item.gradient else f"({name})" for name, item in zip(names, members, strict=True)]
        lines += _paragraph(f"{family} ({len(members)})", names)
    for how, title in (("measured", "Measured"), ("none", "Not interpreted")):
        reasons: dict[str, list[str]] = {}
        for item in covered:
            if item.how == how:
                reasons.setdefault(item.why, []).append(item.op)
        if reasons:
            lines += ["", f"{title}, and why:"]
        for why, names in reasons.items():
            lines += _paragraph(f"{why} ({len(names)})", names)
    return "\n".join(lines)


def _paragraph(title: str, names: list[str]) -> list[str]:
    wrapped = textwrap.wrap(", ".join(names), 100, initial_indent="    ", subsequent_indent="    ")
    return [f"  {title}", *wrapped]


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
