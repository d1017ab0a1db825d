"""Losses that are one operation, with the gradient that they return beside the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.exact.graph import Node
from gradcheck.exact.interpreter import Pass
from gradcheck.exact.jets import Array, Jet, jet
from gradcheck.exact.rules.elementwise import exp, log
from gradcheck.exact.rules.shapes import apply, stacked, unmoved
from gradcheck.exact.rules.through import kernel_of, refuse
from gradcheck.exact.table import Bound, rule

__all__ = ["log_softmax", "log_sum_exp"]


def log_softmax(x: Jet) -> Jet:
    """Over the last axis."""
    shifted = x - x.v.max(axis=-1, keepdims=True, initial=-np.inf)
    return shifted - log(apply(exp(shifted), lambda a, lead: a.sum(axis=-1, keepdims=True)))


def _plain(found: list[Jet], *inputs: Any) -> list[Any]:
    return list(found) if any(isinstance(x, Jet) for x in inputs) else [part.v for part in found]


@rule("SoftmaxCrossEntropyWithLogits", grain=1.0)
def _softmax_cross_entropy(node: Node) -> Bound:
    def run(_: Pass, features: Any, labels: Any) -> Any:
        logits, weights = jet(features), jet(labels)
        if logits.v.shape != weights.v.shape:
            both = np.zeros(np.broadcast_shapes(logits.v.shape, weights.v.shape))
            logits, weights = logits + both, weights + both
        logarithm = log_softmax(logits)
        # A class of no weight has no say, however unlikely it is.
        unlikely = (weights.v == 0) & ~np.isfinite(logarithm.v)
        finite = Jet(np.where(unlikely, 0.0, logarithm.v), tuple(np.where(unlikely, 0.0, c) for c in logarithm.d))
        loss = -apply(weights * finite, lambda a, lead: a.sum(axis=-1))
        return _plain([loss, exp(logarithm) - weights], features, labels)

    return run


@rule("SparseSoftmaxCrossEntropyWithLogits", grain=1.0)
def _sparse_softmax_cross_entropy(node: Node) -> Bound:
    def run(_: Pass, features: Any, labels: Any) -> Any:
        logits, places = jet(features), unmoved(labels).astype(np.int64)
        count = logits.v.shape[-1]
        outside = (places < 0) | (places >= count)
        if outside.any():
            raise IndexError(f"a label of {places[outside][0]} is not in [0, {count})")
        logarithm = log_softmax(logits)
        rows = np.arange(len(places))
        loss = -apply(logarithm, lambda a, lead: a[..., rows, places])
        return _plain([loss, exp(logarithm) - (places[:, None] == np.arange(count)).astype(np.float64)], features)

    return run


# -- connectionist temporal classification ----------------------------------------------------------------------


def log_sum_exp(parts: list[Jet]) -> Jet:
    """``log(exp(a) + exp(b) + …)``, for numbers of which some are minus infinity."""
    top = np.max([part.v for part in parts], axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    total = jet(np.zeros(top.shape))
    for part in parts:
        total = total + exp(part - top)
    found = log(total) + top
    none = total.v == 0
    return Jet(found.v, tuple(np.where(none, 0.0, c) for c in found.d)) if none.any() else found


@rule("CTCLoss", "CTCLossV2", grain=1.0)
def _ctc(node: Node) -> Bound:
    """Graves et al. 2006: sums over alignments in logarithms, one row of the batch after the other."""
    call = kernel_of(node)
    collapse = bool(node.attributes.get("preprocess_collapse_repeated"))
    merge = bool(node.attributes.get("ctc_merge_repeated", True))
    skip_long = bool(node.attributes.get("ignore_longer_outputs_than_inputs"))
    first_blank = node.op == "CTCLossV2"

    def run(_: Pass, inputs: Any, indices: Any, values: Any, lengths: Any) -> Any:
        refuse(node, "only its logits may move", indices, values, lengths)
        x = jet(inputs)
        if not isinstance(inputs, Jet):
            return call(x.v, unmoved(indices), unmoved(values), unmoved(lengths))
        blank = 0 if first_blank else x.v.shape[-1] - 1
        logarithm = log_softmax(x)
        rows = []
        for row, steps in enumerate(unmoved(lengths)):
            labels = unmoved(values)[unmoved(indices)[:, 0] == row].astype(int)
            if collapse and len(labels):
                labels = labels[np.concatenate([[True], labels[1:] != labels[:-1]])]
            scores = apply(logarithm, lambda a, lead, n=row: a[..., n, :])  # type: ignore[misc]
            if (skip_long and len(labels) > steps) or steps == 0:
                rows.append(Jet(np.zeros(()), tuple(np.zeros(c.shape[0]) for c in x.d)))
            else:
                rows.append(-_alignments(scores, labels, int(steps), blank, merge))
        # The second output is what TensorFlow passes back; nothing else reads it, and it is not known here.
        unknown = Jet(np.full(x.v.shape, np.nan), tuple(np.full(c.shape, np.nan) for c in x.d))
        return [stacked(rows, 0), unknown]

    return run


def _alignments(scores: Jet, labels: Array, steps: int, blank: int, merge: bool) -> Jet:
    """Logarithm of the probability of a sequence, from logarithms of those of its labels ``[steps, classes]``."""
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    count = len(states)
    lowest = np.full(count, -np.inf)
    # A label may follow the one before it without a blank, unless both are the same and would be merged.
    skips = np.zeros(count, bool)
    skips[3::2] = (labels[1:] != labels[:-1]) if merge else True

    # Where repeated labels are not merged, each step on a label emits it once more.
    stays = np.full(count, merge) | (states == blank)

    def emitted(step: int) -> Jet:
        return apply(scores, lambda a, lead: a[..., step, states])

    def shifted(state: Jet, by: int, allowed: Array) -> Jet:
        def moved(a: Array, lead: int) -> Array:
            fill = 0.0 if lead else -np.inf
            found = np.full(a.shape, fill)
            found[..., by:] = a[..., : count - by]
            return np.where(allowed, found, fill)

        return apply(state, moved)

    start = emitted(0)
    v = lowest.copy()
    v[:2] = start.v[:2]
    state = Jet(v, tuple(np.where(np.arange(count) < 2, c, 0.0) for c in start.d))
    everywhere = np.ones(count, bool)
    for step in range(1, steps):
        before = [shifted(state, 0, stays), shifted(state, 1, everywhere), shifted(state, 2, skips)]
        state = log_sum_exp(before if count > 1 else before[:1]) + emitted(step)
    ends = [apply(state, lambda a, lead, n=n: a[..., n]) for n in ([count - 1, count - 2] if count > 1 else [0])]  # type: ignore[misc]
    return log_sum_exp(ends)
