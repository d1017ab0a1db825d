"""``gradcheck demo``: a wrong gradient found, explained, made small, and repaired, on the TensorFlow that is here."""

from __future__ import annotations

import difflib
import inspect
import re
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import hush_tensorflow, json_option, start_tensorflow, write_json
from gradcheck.cli.exits import FOUND, OK
from gradcheck.cli.progress import search_progress
from gradcheck.records.results import SCHEMA_VERSION

if TYPE_CHECKING:
    from rich.console import Console

    from gradcheck.searching.searches import SearchResult

__all__ = ["demo"]

# Without dynamic mode, which shows the same as graph mode here and would take as long.
_MODES = ("eager", "graph", "xla")

_EXAMPLES = 20

# The batches of this seed have an empty row among the first.
_SEED = 0

_WIDTH = 98

_LAYER = """It adds up the steps of each row that are valid, and returns the direction of the sum. It was
written with care: divide_no_nan returns 0 for an empty row, where the sum has no direction."""

_SEARCH = f"""gradcheck draws up to {_EXAMPLES} batches with rows of different lengths, the simplest first. It compares
every entry of the gradient with a reference: in eager mode, in tf.function, and under XLA."""

_CAUSE = """The row is empty, so its sum is a vector of zeros. The norm has an infinite slope there, and
divide_no_nan hands a gradient of 0 back to it. TensorFlow's own kernel returns 0 for 0 * infinity.
XLA returns NaN. So the layer trains in eager mode and in tf.function. With jit_compile=True the
first empty row turns every weight before it into NaN, and no value of the forward pass shows it."""

_REMEDY = "tf.math.l2_normalize divides by a norm that is never 0, so its slope is finite everywhere."

_NEXT = """gradcheck search FILE.py:LAYER            search a layer of your own: (values, lengths) or (values, mask=...)
test = gradcheck.suite(LAYER, batches())  the same as tests, one for each mode, in a file that pytest runs
gradcheck doctor                          what is known about the TensorFlow that is here"""


@click.command()
@json_option
def demo(json_file: Path | None) -> None:
    """See a wrong gradient found, explained, repaired.

    The bug is a real one. It is in the layers of many projects: the norm of an empty row, which trains in eager
    mode and turns weights into NaN under XLA. It is searched, and its repair checked, on the TensorFlow that is
    installed here. Nothing is written, except the results with --json.
    """
    from rich.console import Console

    from gradcheck._tensorflow import versions

    started = time.monotonic()
    to_stderr = json_file is not None and str(json_file) == "-"
    console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
    facts = versions()  # imports TensorFlow
    start_tensorflow()
    hush_tensorflow()
    from gradcheck.cli.demonstrated import direction, repaired

    console.print(f"A demonstration on TensorFlow {facts['tensorflow']}, Keras {facts['keras']}.")
    _heading(console, 1, "A layer")
    console.print(_LAYER + "\n")
    _code(console, _source(direction))

    _heading(console, 2, "The search")
    console.print(_SEARCH + "\n")
    found = _searched(direction)
    _verdicts(console, found)
    if found.ok:
        console.print("\nEvery mode passes: this TensorFlow does not have the bug that the demonstration is about.")
    else:
        _failure(console, found, direction)
        _heading(console, 5, "The repair")
        console.print(_REMEDY + "\n")
        _change(console, _source(direction), _source(repaired))
        console.print("\nThe same search again:\n")
        checked = _searched(repaired)
        _verdicts(console, checked)
    results = [found] if found.ok else [found, checked]
    console.print(f"\nTook {time.monotonic() - started:.0f} s. What to do next:\n\n{_NEXT}", markup=False)
    document = {
        "schema": SCHEMA_VERSION,
        "kind": "searches",
        "complete": True,
        "results": [result.to_dict() for result in results],
    }
    write_json(json_file, document)
    sys.exit(OK if results[-1].ok else FOUND)


def _searched(layer: Callable[..., Any]) -> SearchResult:
    import gradcheck
    from gradcheck import strategies as st

    with search_progress(layer.__name__, _MODES, _EXAMPLES) as shown:
        return gradcheck.search(
            layer,
            st.batches(features=2, max_batch=3, max_length=3),
            modes=_MODES,
            max_examples=_EXAMPLES,
            seed=_SEED,
            on_example=shown.on_example,
            on_mode=shown.on_mode,
        )


def _source(layer: Callable[..., Any]) -> str:
    """A layer's code without the annotations that a type checker wants."""
    return re.sub(r": Any| -> Any", "", inspect.getsource(layer))


def _heading(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}. {text}[/bold]\n")


def _code(console: Console, source: str) -> None:
    if not console.is_terminal:  # where colours are no use, nor are the spaces that fill a coloured line
        console.print(source.rstrip(), markup=False)
        return
    from rich.syntax import Syntax

    console.print(Syntax(source.rstrip(), "python", theme="ansi_dark", background_color="default"))


def _verdicts(console: Console, result: SearchResult) -> None:
    for mode, found in result.modes.items():
        colour = "green" if found.ok else "red"
        batches = f"{found.examples} batch{'es' * (found.examples != 1)}"
        smaller = found.calls - found.examples
        if found.ok:
            detail = batches
        elif smaller <= 0:
            detail = f"at batch {found.examples}, which cannot be made smaller"
        else:
            detail = f"at batch {found.examples}, and the smallest of {smaller} smaller ones"
        console.print(f"  {mode:<6} [{colour}]{found.verdict.value:<10}[/{colour}] {detail}")


def _failure(console: Console, result: SearchResult, layer: Callable[..., Any]) -> None:
    failing = next(found for found in result.modes.values() if not found.ok)
    _heading(console, 3, "The failure")
    console.print(f"The smallest batch that fails, in mode {failing.mode}:\n")
    _code(console, repr(failing.counterexample))
    console.print(f"\n[red]{failing.verdict.value}[/red]: NaN or Inf, although every input is finite.")
    console.print(textwrap.fill(f"{failing.cause[:1].upper()}{failing.cause[1:]}.", _WIDTH) + "\n", markup=False)
    console.print(_CAUSE, markup=False)
    _heading(console, 4, "Without gradcheck")
    console.print("The gradient of the layer's sum on this batch, by tf.GradientTape:\n")
    for mode, gradient in _gradients(layer, failing.counterexample).items():
        colour = "red" if "nan" in gradient else "green"
        console.print(f"  {mode:<6} ", end="")
        console.print(gradient, style=colour, markup=False)


def _gradients(layer: Callable[..., Any], batch: Any) -> dict[str, str]:
    """The gradient of the sum of a layer's outputs in each mode, as NumPy writes it, by nothing but TensorFlow."""
    import tensorflow as tf

    def gradient(values: Any, lengths: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(layer(values, lengths))
        return tape.gradient(total, values)

    values, lengths = tf.constant(batch.values), tf.constant(batch.lengths)
    ways = {"eager": gradient, "graph": tf.function(gradient), "xla": tf.function(gradient, jit_compile=True)}
    return {mode: str(way(values, lengths).numpy().tolist()) for mode, way in ways.items()}


def _change(console: Console, before: str, after: str) -> None:
    """The lines that differ, without the names and docstrings of the two versions."""

    def body(source: str) -> list[str]:
        return source.rstrip().splitlines()[2:]

    for line in difflib.ndiff(body(before), body(after)):
        if line[0] in "+-":
            console.print(line, style="green" if line[0] == "+" else "red", markup=False)
        elif line[0] == " ":
            console.print(line, style="dim", markup=False)
