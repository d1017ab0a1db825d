"""From a finding to the plain TensorFlow script that shows it: what `gradcheck.reproduce` needs to know."""

from __future__ import annotations

from typing import Any

from gradcheck._tensorflow import versions
from gradcheck.diagnosis.findings import Finding
from gradcheck.records.results import ModeResult
from gradcheck.reproduce import Failure, build_script
from gradcheck.subject.adapter import Subject
from gradcheck.subject.problem import Problem
from gradcheck.support.layout import Layout

__all__ = ["script_for", "second_order_shown"]


def script_for(subject: Subject, problem: Problem, result: ModeResult, finding: Finding) -> str:
    """A script that shows a failure of one mode with plain TensorFlow and NumPy."""
    if finding.first is not None:
        problem = finding.first
    failure: dict[str, Any] = {
        "subject": subject.target,
        "args": problem.args,
        "kwargs": problem.kwargs,
        "mode": result.mode,
        "verdict": result.verdict,
        "name": subject.name,
        "call": subject.custom_call,
        "cause": result.cause,
        "versions": versions(),
        "dynamic_axes": _dynamic_axes(problem),
    }
    if subject.built_on is not None:
        before = Problem.bind(subject, subject.built_on, wrt="inputs", probe=True)
        failure["before"] = before.args, before.kwargs
    if finding.entry is not None:
        failure["where"] = f"{finding.entry.output} w.r.t. {finding.entry.input}"
        failure["bound"] = finding.entry.bound
        failure["step"] = finding.step
    if finding.place is not None:
        row, column = finding.place
        failure |= _output_place(problem.outputs, row)
        if problem.plan.order == 2:
            failure |= {"output_leaf": None, "gradient_of": _differentiated_argument(problem, row)}
        if column is not None:
            failure |= _input_place(problem, column)
    if finding.other is not None:
        failure["changed"] = finding.other.args, finding.other.kwargs
        if finding.other_place is not None:
            row, column = finding.other_place
            failure["changed_output_position"] = _output_place(finding.other.outputs, row)["output_position"]
            if column is not None:
                failure["changed_input_position"] = _input_place(finding.other, column)["input_position"]
    return build_script(Failure(**failure))


def second_order_shown(problem: Problem, finding: Finding) -> bool:
    """Whether a script can show a failure of order 2: one entry, of the gradient of an argument by an argument."""
    row, column = finding.place or (0, None)
    if column is None or problem.plan.order != 2:
        return False
    plan = problem.plan
    real = not any(block.is_complex for block in (*plan.inputs.blocks, *problem.outputs.blocks))
    argument = plan.inputs.block_of(column) < plan.input_count
    return real and argument and _differentiated_argument(problem, row) is not None


def _differentiated_argument(problem: Problem, row: int) -> int | None:
    """Of which leaf of the arguments an output of order 2 is the gradient; None of a variable."""
    plan = problem.plan
    name = problem.outputs.blocks[problem.outputs.block_of(row)].name
    for number, block in enumerate(plan.inputs.blocks[: plan.input_count]):
        if name == f"gradient[{block.name!r}]":
            return next(
                index
                for index, leaf in enumerate(plan.leaves)
                if any(slot.kind == "input" and slot.number == number for slot in leaf.slots)
            )
    return None


def _output_place(outputs: Layout, row: int) -> dict[str, Any]:
    number = outputs.block_of(row)
    block = outputs.blocks[number]
    position, part = block.locate(row - block.start)
    return {
        "output_leaf": None if len(outputs.blocks) == 1 and block.leaf == 0 else block.leaf,
        "output_position": position,
        "output_part": part,
    }


def _input_place(problem: Problem, column: int) -> dict[str, Any]:
    plan = problem.plan
    number = plan.inputs.block_of(column)
    block = plan.inputs.blocks[number]
    position, part = block.locate(column - block.start)
    place: dict[str, Any] = {"input_position": position, "input_part": part}
    if number < plan.input_count:
        leaf = next(
            index
            for index, leaf in enumerate(plan.leaves)
            if any(slot.kind == "input" and slot.number == number for slot in leaf.slots)
        )
        return place | {"input_kind": "argument", "input_leaf": leaf}
    return place | {"input_kind": "variable", "variable": plan.variables[number - plan.input_count]}


def _dynamic_axes(problem: Problem) -> tuple[tuple[int, ...], ...]:
    plan = problem.plan
    axes: list[tuple[int, ...]] = []
    for leaf in plan.leaves:
        slot = leaf.slots[0]
        if leaf.spec is not None or slot.kind == "static":
            axes.append(())
        elif slot.kind == "input":
            axes.append(plan.unknown_axes[slot.number])
        else:
            axes.append(plan.constant_unknown_axes[slot.number])
    return tuple(axes)
