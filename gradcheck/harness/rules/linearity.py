"""The backward pass is linear in what is passed back to it."""

from __future__ import annotations

import numpy as np

from gradcheck.diagnosis.findings import Finding
from gradcheck.engines.jacobians import FAINT, Examination
from gradcheck.harness.baseline import Baseline
from gradcheck.harness.comparison import Comparison
from gradcheck.numerics.tolerance import FEW_BITS, gradient_bound, lost_below, noise_ratio, output_terms, squares_bound
from gradcheck.records.reasons import Reason
from gradcheck.records.results import Entry
from gradcheck.rendering import sentences
from gradcheck.verdicts import Verdict

__all__ = ["linear", "weighed_bound"]


def linear(c: Comparison) -> Finding | None:
    """Unit cotangents do not meet a gradient that is clipped at 1, and a loss in training is no unit cotangent."""
    baseline, found, theory = c.baseline, c.found, c.theory
    if theory is None or not theory.weights.size or found.projected:
        return None
    rows, columns, eps = baseline.rows, baseline.columns, found.eps
    jacobian = theory.jacobian[np.ix_(rows, columns)]
    weights, weighed = theory.weights[rows], theory.weighed[columns]
    if not (np.isfinite(jacobian).all() and np.isfinite(weighed).all()):
        return None
    expected = weights @ jacobian
    level = float(eps.max(initial=2.0**-52))
    terms, allowed = weighed_bound(baseline, found, jacobian, weights, weighed)
    passed_back = [(weighed, expected, allowed, "4 to 11")]
    if level < FEW_BITS:  # in fewer, a part of what is passed back is lost where that is small
        least = FAINT * allowed + lost_below(terms, level)
        passed_back.append((theory.faint[columns], FAINT * expected, least, "0.004 to 0.011"))
    for pulled, added, bound, numbers in passed_back:
        with np.errstate(invalid="ignore"):
            beyond = ~(np.abs(pulled - added) <= bound) & (pulled != added)
        if beyond.any():
            worst = int(np.argmax(np.where(beyond, np.abs(pulled - added), -1.0)))
            place = baseline.problem.plan.inputs.describe(int(columns[worst]))
            together, apart = float(pulled[worst]) + 0.0, float(added[worst]) + 0.0  # no -0
            entry = Entry(sentences.ALL_OUTPUTS, place, together, apart, float(bound[worst]))
            cause = sentences.not_linear(entry, numbers)
            return Finding(Verdict.MISMATCH, cause, entry, reasons=(Reason.NOT_LINEAR,), scripted=False)
    return None


def weighed_bound(
    baseline: Baseline, found: Examination, jacobian: np.ndarray, weights: np.ndarray, weighed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The size of what the gradient of a weighed sum of outputs adds up, and what rounding explains, ``[columns]``.

    Args:
        baseline: the batch.
        found: what was measured.
        jacobian: of the rows and columns that count.
        weights: of these rows.
        weighed: that gradient at these columns, as it was pulled back.
    """
    rows, columns = baseline.rows, baseline.columns
    ratio = noise_ratio(found.center, found.noise, found.eps)
    level = float(found.eps.max(initial=2.0**-52))
    sizes = np.abs(weights)
    # An output that nothing moves rounds nothing, however large it is: an empty maximum is the lowest number there is.
    outputs = np.where((jacobian != 0).any(axis=1), found.center[rows], 0.0)
    terms = sizes @ np.abs(jacobian) + output_terms(sizes, outputs, baseline.x[columns])
    # Where the gradient and the outputs are 0 because their terms cancel, as those of a divergence of equal
    # distributions, only rounding errors are left. A clip takes away as much as the gradient is, or more.
    allowed = gradient_bound(terms, ratio, level) + gradient_bound(sizes.sum()[None], 1.0, level)
    # Such terms are as large as an output is beside a small input, as in the cosine of a short vector with itself.
    reach = np.abs(baseline.x[columns])
    shortest = min(1.0, float(reach[reach > 0].min(initial=1.0)))
    inner = float(sizes @ np.abs(outputs)) / shortest
    # What padding holds may be as large as numbers are: inputs without a gradient have no say.
    counts = baseline.x[columns][(jacobian != 0).any(axis=0) | (weighed != 0)]
    allowed = allowed + gradient_bound(np.array([inner]), ratio, level) + squares_bound(terms, counts, level)
    return terms, allowed
