"""The sentences of findings about gradients and outputs: one function for each reason, from places and numbers alone.

A rule finds what is wrong, and where; here it is said. Verdict and cause come first, the numbers behind them.
"""

from __future__ import annotations

import numpy as np

from gradcheck.records.results import Entry
from gradcheck.support.number_text import precise_pair

__all__ = [
    "ALL_OUTPUTS",
    "compiled_alone",
    "corner",
    "digits_lost",
    "entries",
    "gradient_not_finite",
    "jump",
    "lost_in_low_precision",
    "low_precision",
    "not_linear",
    "not_measured",
    "nothing_comes_back",
    "other_output",
    "other_sum",
    "output_not_finite",
    "several_results",
    "squares_lost",
    "tie",
    "wrong_entry",
    "zero_throughout",
]

ALL_OUTPUTS = "all outputs, weighed"
"""The output of a worst entry that is a combination of all of them."""


def entries(count: int, looked: int, every: int) -> str:
    """How many of the entries that were looked at are meant."""
    # Random directions lead to one entry, which is then judged by itself.
    return f"{count} of {looked} entries" if looked > 1 or every == 1 else f"the one entry looked at, of {every:.3g}"


# -- the gradient and the slope --------------------------------------------------------------------------------------


def wrong_entry(entry: Entry, of: str) -> str:
    """A gradient that is not the slope, and how the two relate."""
    return f"the gradient is {_relation(entry)} ({of})"


def _relation(entry: Entry) -> str:
    theory, slope = entry.theoretical, entry.numerical
    assert theory is not None
    assert slope is not None
    small = entry.bound if entry.bound is not None and np.isfinite(entry.bound) else 0.0
    if abs(slope) <= small:
        return f"{theory:.6g} where the function does not move at all"
    if theory == 0:
        return f"zero where the slope is {slope:.6g}"
    ratio = theory / slope
    if abs(ratio + 1) <= 1e-6:
        return "of the wrong sign"
    if abs(ratio - 1) < 1e-4:
        return f"off by {abs(ratio - 1):.2g} of the slope"
    return f"{ratio:.7g} times the slope" if 1e-3 < abs(ratio) < 1e3 else f"{theory:.6g} where the slope is {slope:.6g}"


def _moves(entry: Entry, in_steps: bool) -> str:
    return f"moving {entry.input} moves {entry.output}{' in steps so small that it follows' if in_steps else ''}"


def nothing_comes_back(entry: Entry, block: str, cut: str, *, in_steps: bool) -> str:
    """A gradient that is None although the output moves."""
    by = f"cut by {cut}" if cut else "cut, as by an operation without a gradient or a gradient that returns None"
    return f"the gradient w.r.t. {block} is None, yet {_moves(entry, in_steps)}: the path is {by}"


def zero_throughout(
    entry: Entry, output: str, block: str, cut: str, of: str, *, in_steps: bool, passes_nearby: bool
) -> str:
    """A gradient that is zero throughout although the output moves."""
    by = f"the path is cut by {cut}" if cut else "some operation's gradient returns zeros here"
    if passes_nearby:
        by = (
            f"zeros are passed back here, and not where {block} is a little different (by less than 1 %, or "
            "0.01), so the path is there and a formula is wrong at these values"
        )
        by += f"; another way is cut by {cut}" if cut else ""
    return f"the gradient of {output} w.r.t. {block} is zero throughout, yet {_moves(entry, in_steps)}: {by} ({of})"


# Epsilons of low precisions, and their names.
_PRECISIONS = ((2.0**-8, "bfloat16"), (2.0**-12, "float16"), (2.0**-26, "float32"))


def not_measured(entry: Entry, of: str, eps: float | None) -> str:
    """A slope that is not known well enough; ``eps`` of the output where it has no more digits than a short type."""
    said = "" if entry.theoretical is None else f"; the gradient says {entry.theoretical:.4g}"
    found = f"no two steps give the same one{said}"
    if entry.numerical is not None and entry.bound is not None and np.isfinite(entry.bound):
        found = f"it is {entry.numerical:.4g}, give or take {entry.bound:.2g}{said}"
    name = next((name for least, name in _PRECISIONS if eps is not None and eps > least), "")
    why = f". This output has no more digits than {name} has: computed in float64 it could be checked" if name else ""
    return f"the slope of {entry.output} w.r.t. {entry.input} could not be measured well enough: {found}{why} ({of})"


def digits_lost(entry: Entry, operation: str) -> str:
    """A gradient that rounding hides, and the operation that loses its digits."""
    left = "no digit is left" if entry.bound is None or not np.isfinite(entry.bound) else f"±{entry.bound:.2g}"
    return (
        f"rounding hides the gradient of {entry.output} w.r.t. {entry.input}: its digits are lost in {operation}. "
        f"The exact value is {entry.numerical:.6g} ({left}), the gradient says {entry.theoretical:.6g}"
    )


def _sides(entry: Entry) -> str:
    """The slopes below and above the point and the gradient, in words."""
    below, above = ("of no known size" if side is None else f"{side + 0.0:.4g}" for side in (entry.left, entry.right))
    sides = f"{below} on either side" if below == above else f"{below} below it and {above} above it"
    return f"{sides}, and the gradient says {(entry.theoretical or 0.0) + 0.0:.4g}"


def corner(entry: Entry, of: str) -> str:
    """A point where the slopes of the two sides differ."""
    return f"{entry.output} has a corner in {entry.input} at this point: its slope is {_sides(entry)} ({of})"


def jump(entry: Entry, of: str) -> str:
    """A point where the value jumps."""
    return (
        f"{entry.output} jumps where {entry.input} passes this point, as what is rounded or cast to an integer "
        f"does; its slope is {_sides(entry)} ({of})"
    )


def tie(entry: Entry, inputs: int) -> str:
    """Entries of a gradient that are not right together; ``entry.input`` says which are moved."""
    moved = entry.input.removesuffix(" together")
    return (
        f"a tie: {entry.output} has a corner in {inputs} inputs at once, and the gradient's entries for "
        f"them are too much or too little together: moving {moved} by the same small step moves the "
        f"output by {entry.numerical:.6g} for each unit, and the entries add up to {entry.theoretical:.6g}"
    )


def not_linear(entry: Entry, numbers: str) -> str:
    """A backward pass that is not linear; ``numbers`` says what was passed back."""
    return (
        "the gradient is not linear in what is passed back to it, as where the backward pass clips or normalises it: "
        f"of several outputs at once, weighed by numbers from {numbers}, it is {entry.theoretical:.6g} for "
        f"{entry.input}; their gradients one at a time, weighed by the same numbers, add up to {entry.numerical:.6g}"
    )


# -- few bits --------------------------------------------------------------------------------------------------------


def low_precision(entry: Entry, low: str, of: str, *, given: bool) -> str:
    """A gradient in few bits that is not that of float64."""
    return f"{_differs(entry, low)}; {'allowed is' if given else 'rounding explains'} {entry.bound:.2g} {of}"


def _differs(entry: Entry, low: str) -> str:
    same = "where the same computation in float64 gives"
    return f"the gradient in {low} is {entry.theoretical:.6g} {same} {entry.numerical:.6g}"


def lost_in_low_precision(entry: Entry, low: str, of: str, outputs: tuple[float, float]) -> str:
    """The same where the output itself is another one in few bits."""
    return (
        f"{_differs(entry, low)}, and {entry.output} itself is {outputs[0]:.6g} in {low} and {outputs[1]:.6g} in "
        "float64, further apart than rounding explains: something is lost on the way, as what is added to the large "
        f"number of a mask, and whether the gradient is that of what is left cannot be told {of}"
    )


def squares_lost(entry: Entry, low: str, of: str, largest: float) -> str:
    """The same where it may be rounding of squares."""
    return (
        f"{_differs(entry, low)}, which may be rounding: from inputs as large as {largest:.4g} come terms as "
        f"large as their square, as in the scores of attention, and little may be left of these {of}"
    )


# -- outputs ---------------------------------------------------------------------------------------------------------


def output_not_finite(output: str, value: float, bad: int, of: int) -> str:
    """NaN or Inf in an output."""
    return (
        f"the output itself is not finite: {output} is {value} although every input that "
        f"counts is finite ({bad} of {of} outputs)"
    )


def gradient_not_finite(output: str, place: str, value: float, bad: int, of: int) -> str:
    """NaN or Inf in a gradient of a finite output."""
    which = f"that of {output} w.r.t. {place} is {value}"
    return f"the output is finite and its gradient is not: {which} ({bad} of {of} entries)"


def other_output(output: str, here: float, eager: float, bound: float, beyond: int, of: int, seeded: str) -> str:
    """An output that eager mode gives otherwise; ``seeded``: what draws from a seed, under XLA."""
    one, two = precise_pair(here, eager)
    words = f"{output} is {one} here and {two} in eager mode; rounding explains {bound:.2g} "
    words += f"({beyond} of {of} outputs differ)"
    if seeded:
        words += f"; the subject draws random numbers from a seed ({seeded}), which XLA may draw in its own way"
    return words


def compiled_alone(what: str) -> str:
    """What one call under XLA gives otherwise than the same computation in a loop over points."""
    return f"compiled by itself, as a train step is, {what}; in a loop over many points it is right"


def other_sum(place: str, found: float, expected: float) -> str:
    """A gradient of all outputs together that is another one."""
    one, two = precise_pair(found, expected)
    return f"the gradient of a weighed sum of all outputs w.r.t. {place} is {one} and should be {two}"


def several_results(where: str, what: str, of: str, numbers: str, why: str) -> str:
    """Two results of the same call."""
    words = f"{of}: {numbers}" if numbers else ""
    return f"{where}the same call twice gives two different results in {what}{words}{why and f'; {why}'}"
