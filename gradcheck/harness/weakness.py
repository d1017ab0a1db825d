"""What makes a pass say less than one should: an output that stands still, a precision that is never used."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import Examination
from gradcheck.graph.operations import operations
from gradcheck.harness.baseline import Baseline
from gradcheck.subject.problem import Problem
from gradcheck.verdicts import Verdict

__all__ = ["COARSE", "detection_words", "weaknesses"]

COARSE = 0.1
"""A pass with a detection limit above this part of the gradient's size says little."""

# Types of few bits, which are asked for to see what they do.
_LOW = frozenset({"float16", "bfloat16"})

# Operations that hand numbers on, or convert them: no arithmetic, so no rounding of the type that they come in.
_CARRYING = frozenset(
    {
        *(
            "Cast",
            "ConcatV2",
            "ExpandDims",
            "Identity",
            "IdentityN",
            "Pack",
            "Placeholder",
            "Reshape",
            "Shape",
            "ShapeN",
        ),
        *("Size", "Rank", "Slice", "Split", "SplitV", "Squeeze", "StopGradient", "StridedSlice", "Transpose", "Unpack"),
    }
)


def weaknesses(baseline: Baseline, finding: Finding, found: Examination | None) -> tuple[str, ...]:
    """Why the pass of a mode on one batch says less than it seems to; empty for any other verdict.

    The same words on every batch of a search are the search's.
    """
    if finding.verdict is not Verdict.PASS:
        return ()
    words = [_unused_dtype(baseline.problem), _still(found)]
    resolution = finding.resolution
    if resolution is not None and resolution > COARSE:
        words.append(detection_words(resolution))
    return tuple(filter(None, words))


def detection_words(limit: float) -> str:
    """That the detection limit of a pass is coarse."""
    size = f"{limit:.0%}" if limit < 10 else f"{limit:.1g} times"
    return f"an error below {size} of the gradient's size would not have been seen"


def _still(found: Examination | None) -> str:
    """That nothing that counts moves any output: a gradient of 0 is right then, whatever the code does."""
    if found is None or not found.judgement.numerical.size:
        return ""
    judgement = found.judgement
    parts = (found.jacobian, judgement.numerical, judgement.left, judgement.right)
    if any(np.nan_to_num(part, nan=0.0).any() for part in parts):
        return ""
    return "no output moves when an input does, so a gradient of 0 is all that was tested"


def _unused_dtype(problem: Problem) -> str:
    """That a low precision was asked for in which the subject computes nothing."""
    plan = problem.plan
    asked = {block.dtype for block in plan.inputs.blocks[: plan.input_count]} & _LOW
    if not asked:
        return ""
    kept = problem.subject.unused_dtypes
    key = plan.key(dynamic=True)
    if key not in kept:
        kept[key] = _looked_up(problem, asked)
    return kept[key]


def _looked_up(problem: Problem, asked: set[str]) -> str:
    wider = set()
    try:
        for _, op in operations(problem):
            if op.type not in _CARRYING and {tensor.dtype.name for tensor in op.inputs} & asked:
                return ""
            wider |= {tensor.dtype.name for tensor in op.outputs if tensor.dtype.is_floating} - asked
    except Exception:  # a subject that cannot be traced keeps its secret
        return ""
    inner = next((name for name in ("float32", "float64", "bfloat16", "float16") if name in wider), "")
    name = ", ".join(sorted(asked))
    return f"{name} was not tested: the subject converts its input to {inner} and computes in that" if inner else ""
