"""How small an error is found: 1e-5 in a single float64 entry, one per cent in bfloat16."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict

X = np.array([[0.5, -1.25, 2.0], [0.75, 1.5, -0.25]])


def planted(error, everywhere=True):
    """``sin`` whose gradient is off by a part, in float64 too or only where less precision is asked for."""

    def subject(x):
        part = error if everywhere or x.dtype != tf.float64 else 0.0

        @tf.custom_gradient
        def sine(x):
            def backward(upstream):
                first = tf.reshape(tf.one_hot(0, tf.size(x), dtype=tf.float64), tf.shape(x))
                wide = tf.cast(upstream * tf.cos(x), tf.float64)
                return tf.cast(wide * (1 + part * first), x.dtype)

            return tf.sin(x), backward

        return sine(x)

    return subject


@pytest.mark.parametrize(
    ("dtype", "error", "everywhere"),
    [
        ("float64", 1e-5, True),
        ("float64", 1e-7, True),
        ("float32", 1e-5, True),
        ("float32", 1e-4, False),
        ("bfloat16", 1e-2, True),
        ("float16", 1e-2, False),
    ],
)
def test_found(dtype, error, everywhere):
    x = tf.cast(X, dtype)
    report = gradcheck.check(planted(error, everywhere), x, modes=("graph", "eager"))
    assert {result.verdict for result in report.modes.values()} == {Verdict.MISMATCH}, str(report)
    assert gradcheck.check(planted(0.0), x, modes="graph").ok


def test_one_per_cent_in_bfloat16_only_is_found_at_some_of_a_few_points():
    """One rounding in bfloat16 is 0.4 %, so at a single point luck decides; a search looks at many."""
    random = np.random.default_rng(0)
    points = [tf.cast(random.uniform(0.25, 1.25, (2, 3)), tf.bfloat16) for _ in range(4)]
    found = [gradcheck.check(planted(0.015, everywhere=False), x, modes="graph")["graph"].verdict for x in points]
    assert Verdict.MISMATCH in found
    assert all(gradcheck.check(planted(0.0), x, modes="graph").ok for x in points)
