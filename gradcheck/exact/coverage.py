"""What the table of rules covers of the TensorFlow that is here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gradcheck.exact.table import RULES

__all__ = ["Covered", "coverage"]

# Families whose operations are all linear in what moves.
_LINEAR_FAMILIES = frozenset(["fft", "indexing", "ragged", "shapes"])

# Operations of other families that are linear in what moves: the rule is the operation itself, once a derivative.
_LINEAR = frozenset(
    [
        "AddN", "AddV2", "Add", "Sub", "Neg", "Sum", "Mean", "Cumsum", "BiasAdd", "BiasAddV1", "Real", "Imag", "Conj",
        "Complex", "MatrixDiagV2", "MatrixDiagV3", "MatrixDiagPartV2", "MatrixDiagPartV3", "MatrixSetDiag",
        "MatrixSetDiagV2", "MatrixSetDiagV3", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea",
        "ResizeBilinearGrad", "ResizeNearestNeighborGrad", "ResizeBicubicGrad", "ScaleAndTranslate",
        "ImageProjectiveTransformV2", "ImageProjectiveTransformV3", "BiasAddGrad", "MirrorPadGrad", "AvgPoolGrad",
        "AvgPool3DGrad", "SparseReorder", "SparseSlice", "SparseToDense", "SparseFillEmptyRows", "SparseConcat",
        "SparseSplit", "SparseReduceSum", "SparseAdd", "SparseTensorDenseAdd", "SparseDenseCwiseAdd",
        "RaggedTensorToSparse", "DynamicPartition", "DynamicStitch", "ParallelDynamicStitch", "SparseSegmentSumGrad",
        "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad", "SegmentSum", "SegmentMean", "UnsortedSegmentSum",
        "SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "AvgPool", "AvgPool3D", "SpaceToBatchND",
        "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "SpaceToBatch", "BatchToSpace", "ExtractImagePatches",
        "ExtractVolumePatches",
    ]
)  # fmt: skip

# Why operations that match have no rule, and cannot be measured either.
_BEYOND = (
    (r"Enter|Exit|Merge|Switch|NextIteration|LoopCond|Ref.*|_EagerConst", "tf.function does not make it"),
    (r"TensorArray.*", "an array of TensorFlow 1; tf.function makes lists of tensors"),
    (
        r"Nccl.*|Collective.*|AllToAll|CrossReplicaSum|CopyToMesh.*|Relayout.*|TPU.*|Xla.*|Cudnn.*",
        "needs a GPU, a TPU or several devices",
    ),
    (r".*CSRSparse.*|SparseMatrix.*", "a sparse matrix behind a handle"),
    (r"Optional.*|CompositeTensor.*", "a value behind a handle"),
    (r"RandomGamma", "it draws random numbers"),
    (r"Debug.*", "the debugger's"),
)


@dataclass(frozen=True)
class Covered:
    """How the slopes of one kind of operation are found.

    Attributes:
        op: the kind.
        how: ``"rule"``, ``"linear"`` (a rule that is the operation itself, once a derivative), ``"measured"``
            (no rule: slopes are measured on the operation alone) or ``"none"``.
        family: the module that has its rule; empty without a rule.
        why: why there is no rule; empty with one.
        gradient: whether TensorFlow has a gradient of it.
    """

    op: str
    how: str
    family: str
    why: str
    gradient: bool


def coverage() -> list[Covered]:
    """Every kind of operation that has a gradient in the TensorFlow that is here, or a rule, by name."""
    import gradcheck.exact.rules  # noqa: F401  (fills the table)
    from gradcheck.exact.graph import op_def

    differentiable = _differentiable()
    known = [op for op in RULES if op in differentiable or op_def(op) is not None]
    return [_covered(op, op in differentiable) for op in sorted({*known, *differentiable})]


def _covered(op: str, gradient: bool) -> Covered:
    entry = RULES.get(op)
    if entry is not None:
        linear = entry.family in _LINEAR_FAMILIES or op in _LINEAR
        return Covered(op, "linear" if linear else "rule", entry.family, "", gradient)
    for pattern, why in _BEYOND:
        if re.fullmatch(pattern, op):
            return Covered(op, "none", "", why, gradient)
    why = "a function in Python" if op == "EagerPyFunc" else "no rule has been written"
    return Covered(op, "measured", "", why, gradient)


def _differentiable() -> set[str]:
    """Kinds of operations that TensorFlow has a gradient of, other than that there is none."""
    from tensorflow.python.framework import ops

    registry: Any = getattr(ops, "gradient_registry", None) or ops._gradient_registry
    functions = {name: registry.lookup(name) for name in registry.list()}
    return {name for name, function in functions.items() if function is not None}
