"""What a gradient is off by where its terms cancel: its own rounding errors, and not a wrong formula."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck.verdicts import Verdict
from tests.pairs.right_functions import RIGHT

# Found by benchmarks/false_alarms.py in a thousand batches: the cosine of a tiny vector with itself, whose terms are
# half a million, and a huber loss that computes in float32 whatever it is given, as 1 - 1 and a millionth.
TINY = gradcheck.Batch(np.array([[[0.0, 2.0**-19, 2.0**-19]]]), np.array([1], np.int32))
MILLIONTH = gradcheck.Batch(np.array([[[2.0**-20, 0.0, 0.0]]]), np.array([1], np.int32))


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_what_scatters_is_no_mismatch(mode: str) -> None:
    found = gradcheck.check(RIGHT["cosine"], TINY, modes=mode)[mode]
    assert found.verdict is Verdict.PASS, found
    assert found.resolution < 1e-4


def test_what_cancels_in_the_backward_pass_of_float32_is_no_mismatch() -> None:
    """The gradient is off by a sixteenth: what two operations pass back to the same number cancels, to a millionth."""
    found = gradcheck.check(RIGHT["huber_lib"], MILLIONTH, modes="graph")["graph"]
    assert found.verdict is Verdict.PASS, found
    assert found.resolution > 5e-8


@pytest.mark.parametrize("error", [1e-9, 1e-7, 1e-3])
def test_what_is_wrong_by_as_little_everywhere_is_one(error: float) -> None:
    @tf.custom_gradient
    def shifted(x: tf.Tensor) -> tuple[tf.Tensor, object]:
        return tf.sin(x), lambda upstream: upstream * (tf.cos(x) + error)

    found = gradcheck.check(shifted, np.array([0.3, 1.2]), modes="graph")["graph"]
    assert found.verdict is Verdict.MISMATCH, found


def test_a_wrong_factor_beside_terms_that_cancel_is_one() -> None:
    @tf.custom_gradient
    def doubled(x: tf.Tensor) -> tuple[tf.Tensor, object]:
        return x, lambda upstream: upstream * 1.00001

    found = gradcheck.check(lambda values: RIGHT["cosine"](values) + doubled(values)[..., 0], TINY, modes="graph")[
        "graph"
    ]
    assert found.verdict is Verdict.MISMATCH, found


def test_a_tolerance_of_the_callers_holds() -> None:
    found = gradcheck.check(RIGHT["cosine"], TINY, modes="graph", atol=1e-13)["graph"]
    assert found.verdict is not Verdict.PASS
