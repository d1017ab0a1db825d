"""Results by mode can be gone through and asked for a mode."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import gradcheck
from gradcheck import strategies as st


def test_the_modes_of_a_report_and_of_a_search():
    report = gradcheck.check(tf.sin, np.ones(2), modes="eager,graph")
    result = gradcheck.search(tf.sin, st.values(shape=(2,)), modes="eager,graph", max_examples=2, seed=0)
    for found in (report, result):
        assert list(found) == ["eager", "graph"]
        assert [found[mode].mode for mode in found] == ["eager", "graph"]
        assert "graph" in found
        assert "xla" not in found
