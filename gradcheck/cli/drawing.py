"""Options about the batches that are drawn, for the commands that search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gradcheck.errors import InputError

__all__ = ["drawing_options", "strategy_of", "wrt_option"]

_DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")

_count = click.IntRange(min=0)

# Arguments of strategies.batches, by their name there.
_OPTIONS = {
    "features": click.option(
        "--features", type=_count, help="Size of the last axis; 0: values are [batch, time].  [3]"
    ),
    "max_batch": click.option("--max-batch", type=click.IntRange(min=1), help="Most rows of a batch.  [3]"),
    "min_length": click.option("--min-length", type=_count, help="Shortest length of a row.  [0]"),
    "max_length": click.option("--max-length", type=_count, help="Longest length of a row.  [6]"),
    "dtype": click.option("--dtype", type=click.Choice(_DTYPES), help="Dtype of the values.  [float64]"),
    "min_value": click.option("--min-value", type=float, help="Smallest value."),
    "max_value": click.option("--max-value", type=float, help="Largest value."),
    "poison": click.option("--poison", is_flag=True, default=None, help="Also fill the padding with NaN and Inf."),
}

wrt_option = click.option(
    "--wrt",
    type=click.Choice(["inputs", "variables", "all"]),
    default="all",
    show_default=True,
    help="What to differentiate by.",
)


def drawing_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--strategy``, and the options that are these arguments of `strategies.batches`."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            command = _OPTIONS[name](command)
        return click.option(
            "--strategy", metavar="MODULE:NAME", help="A Hypothesis strategy, or a function that makes one."
        )(command)

    return decorated


def strategy_of(options: dict[str, Any]) -> str | dict[str, Any]:
    """What was chosen, as `gradcheck.subject.importing.load_strategy` takes it.

    Raises:
        InputError: where ``--strategy`` was given, and an option that says how the built-in strategy draws.
    """
    given = {name: options[name] for name in _OPTIONS if options.get(name) is not None}
    if not options["strategy"]:
        return {**given, "features": given.get("features", 3) or None}
    if given:
        flag = "--" + next(iter(given)).replace("_", "-")
        raise InputError(
            f"{flag} belongs to the built-in strategy, and --strategy {options['strategy']} was given; "
            "leave one of them out"
        )
    return str(options["strategy"])
