"""``gradcheck search``: search for wrong gradients in one's own subjects."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradcheck.cli.common import (
    hush_tensorflow,
    json_option,
    load_object,
    modes_option,
    parse_expect,
    progress,
    say,
    write_json,
)
from gradcheck.cli.exits import FOUND, INTERRUPTED, OK
from gradcheck.errors import InputError
from gradcheck.report import SCHEMA_VERSION

if TYPE_CHECKING:
    from gradcheck.cli.common import Progress
    from gradcheck.searching import SearchResult

__all__ = ["search"]

# Options that are arguments of strategies.batches, and how their text becomes a value.
_FLOAT_DTYPES = ("float16", "float32", "float64", "complex64", "complex128")


@click.command()
@click.argument("subjects", metavar="SUBJECT...", nargs=-1, required=True)
@modes_option
@click.option("--max-examples", type=click.IntRange(min=1), default=100, show_default=True, help="Batches to try.")
@click.option("--seed", type=int, help="Makes the search repeatable.")
@click.option(
    "--wrt",
    type=click.Choice(["inputs", "variables", "all"]),
    default="all",
    show_default=True,
    help="What to differentiate by.",
)
@click.option("--engine", type=click.Choice(["compiled", "reference", "projected"]), help="How Jacobians are formed.")
@click.option("--expect", multiple=True, metavar="MODE=VERDICT", help="A verdict that is right for a mode; repeatable.")
@click.option("--strategy", metavar="MODULE:NAME", help="A Hypothesis strategy, or a function that makes one.")
@click.option("--features", type=click.IntRange(min=0), help="Size of the last axis; 0: values are [batch, time].  [3]")
@click.option("--max-batch", type=click.IntRange(min=1), help="Most rows of a batch.")
@click.option("--min-length", type=click.IntRange(min=0), help="Shortest length of a row.")
@click.option("--max-length", type=click.IntRange(min=0), help="Longest length of a row.")
@click.option("--dtype", type=click.Choice(_FLOAT_DTYPES), help="Dtype of the values.")
@click.option("--min-value", type=float, help="Smallest value.")
@click.option("--max-value", type=float, help="Largest value.")
@click.option("--poison", is_flag=True, help="Also fill the padding with NaN and Inf.")
@click.option(
    "--scripts",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a plain TensorFlow script for each failure to this folder.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, and nothing printed where nothing failed.")
@json_option
def search(subjects: tuple[str, ...], modes: tuple[str, ...], json_file: Path | None, **options: Any) -> None:
    """Search for batches on which a gradient of SUBJECT is wrong, and print the smallest.

    SUBJECT is pkg.module:name or path/file.py:name: a function, a tf.Module, a Keras layer, or a factory of
    one. Batches are drawn from strategies.batches with the options below, or from --strategy.
    """
    loaded = [(spec, load_object(spec, "subject")) for spec in subjects]
    strategy = _strategy(options)
    arguments = {
        "max_examples": options["max_examples"],
        "seed": options["seed"],
        "wrt": options["wrt"],
        "engine": options["engine"],
        "expect": parse_expect(options["expect"]) or None,
    }
    hush_tensorflow()
    finished: list[SearchResult] = []
    interrupted = ""
    with progress(options["quiet"]) as bar:
        try:
            for number, (spec, subject) in enumerate(loaded):
                for result in _search_modes(subject, strategy, modes, arguments, _Watch(bar, spec, number, loaded)):
                    # One more mode each time: what an interruption leaves is what was finished.
                    finished[number:] = [result]
                if not (options["quiet"] and finished[number].ok):
                    say(str(finished[number]) + "\n", json_file)
        except KeyboardInterrupt:
            interrupted = f"interrupted in {loaded[len(finished) - 1][0] if finished else loaded[0][0]}"
    if interrupted and finished and len(finished[-1].modes) < len(modes):
        say(str(finished[-1]) + "\n", json_file)
    if options["scripts"] is not None:
        for result in finished:
            _write_scripts(options["scripts"], result, json_file)
    write_json(
        json_file,
        {
            "schema": SCHEMA_VERSION,
            "kind": "searches",
            "complete": not interrupted,
            "results": [result.to_dict() for result in finished],
        },
    )
    if interrupted:
        searched = ", ".join(f"{result.subject} ({', '.join(result.modes)})" for result in finished)
        click.echo(f"{interrupted}; searched until then: {searched or 'nothing'}", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(OK if all(result.ok for result in finished) else FOUND)


class _Watch:
    """Moves the progress bar: an example further, or shrinking."""

    def __init__(self, bar: Progress, spec: str, number: int, loaded: list[tuple[str, Any]]) -> None:
        self.bar, self.spec, self.number, self.subjects = bar, spec, number, len(loaded)
        self.mode = 0  # how many modes of this subject are done

    def show(self, mode: str, examples: int, phase: str, wanted: int, modes: int) -> None:
        """Show that so many of the ``wanted`` examples of one of ``modes`` modes were checked."""
        doing = "making it smaller" if phase == "shrink" else "searching"
        done = (self.number * modes + self.mode) * wanted + examples
        self.bar.update(f"{self.spec}, {mode}: {doing}", done, self.subjects * modes * wanted)


def _search_modes(
    subject: Any, strategy: Any, modes: tuple[str, ...], arguments: dict[str, Any], watch: _Watch
) -> Iterator[SearchResult]:
    """Search one mode after the other (as `gradcheck.search` does), and give what there is after each."""
    import gradcheck

    wanted = arguments["max_examples"]
    merged: SearchResult | None = None
    for number, mode in enumerate(modes):
        watch.mode = number

        def on_example(mode: str, examples: int, phase: str) -> None:
            watch.show(mode, examples, phase, wanted, len(modes))

        found: SearchResult = gradcheck.search(subject, strategy, modes=(mode,), on_example=on_example, **arguments)
        so_far = {} if merged is None else merged.modes
        merged = dataclasses.replace(found, modes={**so_far, **found.modes})
        yield merged


def _strategy(options: dict[str, Any]) -> Any:
    names = ("features", "max_batch", "min_length", "max_length", "dtype", "min_value", "max_value")
    given = {name: options[name] for name in names if options[name] is not None}
    if options["poison"]:
        given["poison"] = True
    if options["strategy"]:
        if given:
            flag = "--" + next(iter(given)).replace("_", "-")
            raise InputError(
                f"{flag} belongs to the built-in strategy, and --strategy {options['strategy']} was given; "
                "leave one of them out"
            )
        found = load_object(options["strategy"], "strategy")
        return found() if callable(found) and not hasattr(found, "example") else found
    from gradcheck import strategies

    if "dtype" in given:
        import numpy as np

        given["dtype"] = np.dtype(given["dtype"])
    given["features"] = given.get("features", 3) or None
    return strategies.batches(**given)


def _write_scripts(folder: Path, result: SearchResult, json_file: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", result.subject)
    for mode, found in result.modes.items():
        if found.script:
            path = folder / f"{stem}-{mode}.py"
            path.write_text(found.script, encoding="utf-8")
            say(f"script for mode {mode}: {path}", json_file)
