"""The table of rules: what the interpreter knows of each kind of operation. Families of rules fill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from gradcheck.exact.graph import Node

__all__ = ["RULES", "Bound", "NoRule", "Rule", "rule"]

Bound: TypeAlias = Callable[..., Any]
"""A rule for one operation of a graph: called with the pass and the operation's inputs, it returns the output, or a
list of outputs where there are several. Attributes were read before."""


class NoRule(Exception):
    """An operation on the way from the inputs to the outputs has no rule.

    Attributes:
        op: its kind.
        name: its name in the graph.
        why: what is missing, where it is not the rule as a whole.
    """

    def __init__(self, op: str, name: str = "", why: str = "") -> None:
        super().__init__(f"no rule for {op}{' ' + name if name else ''}{': ' + why if why else ''}")
        self.op, self.name, self.why = op, name, why


@dataclass(frozen=True)
class Rule:
    """A rule for a kind of operation.

    Attributes:
        bind: reads the attributes of one operation and returns its `Bound`.
        moves_only: the operation moves numbers and never computes one, so it rounds nothing.
        grain: absolute size of the rounding errors in the local derivative that the customary formula for it makes,
            in units of the type's: 1 for tanh, whose derivative is computed as ``1 - y²``.
        matrix: its rounding errors, in the derivative as well, are relative to the whole matrix and not to each entry,
            as those of factorisations and solutions are.
        decisions: whether it takes `gradcheck.exact.decisions.Decided` inputs.
        family: name of the module that has it.
    """

    bind: Callable[[Node], Bound]
    moves_only: bool = False
    grain: float = 0.0
    matrix: bool = False
    decisions: bool = False
    family: str = ""


RULES: dict[str, Rule] = {}


def rule(
    *ops: str, moves_only: bool = False, grain: float = 0.0, matrix: bool = False, decisions: bool = False
) -> Callable[[Callable[[Node], Bound]], Callable[[Node], Bound]]:
    """Enter a rule for kinds of operations into the table; see `Rule` for the arguments."""

    def enter(bind: Callable[[Node], Bound]) -> Callable[[Node], Bound]:
        family = bind.__module__.rsplit(".", 1)[-1]
        for op in ops:
            assert op not in RULES, f"two rules for {op}"
            RULES[op] = Rule(bind, moves_only, grain, matrix, decisions, family)
        return bind

    return enter
