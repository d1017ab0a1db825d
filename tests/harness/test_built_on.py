"""A layer that keeps something of the batch it is built on is blamed for that, with a script that shows it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as hypothesis_strategies

import gradcheck
from gradcheck import Batch, Verdict

SHORT = Batch(np.array([[[0.5], [-1.0]]]), [2])
LONG = Batch(np.array([[[0.5], [-1.0], [0.25]]]), [3])


class Positions(tf.keras.layers.Layer):
    """Adds a table of positions that is as long as the batch it is built on."""

    def build(self, shape):
        self.length = shape[1]

    def call(self, values):
        return tf.sin(values) + tf.reshape(tf.range(self.length, dtype=values.dtype), [1, -1, 1])


class Scaled(tf.keras.layers.Layer):
    """Is wrong about every batch in the same way."""

    def build(self, shape):
        self.length = shape[1]

    def call(self, values):
        return tf.stop_gradient(values) * values


def positions():
    return Positions(dtype="float64")


LAYER = positions()


def through_a_layer(values):
    return LAYER(values)


def one_after_the_other():
    """Draws the short batch first, and simplest."""
    return hypothesis_strategies.sampled_from([SHORT, LONG])


def search(subject, modes="graph"):
    return gradcheck.search(subject, one_after_the_other(), max_examples=4, modes=modes, seed=0)


@pytest.mark.parametrize("subject", [positions, positions(), through_a_layer], ids=["factory", "layer", "function"])
def test_what_a_layer_keeps_of_its_first_batch_is_the_finding(subject, tmp_path):
    result = search(subject)["graph"]
    assert result.verdict is Verdict.ERROR
    text = " ".join(str(result.report).split())
    assert "Cause: depends on the batch that the subject was built on (one that is newly made passes here): " in text
    assert "came first" in text
    assert "What to do: Look for what `build` or the first call keeps of a batch" in text
    path = tmp_path / "script.py"
    path.write_text(result.script, encoding="utf-8")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILURE REPRODUCED" in done.stdout


def test_a_layer_that_is_wrong_by_itself_is_not_excused():
    result = search(lambda: Scaled(dtype="float64"))["graph"]
    assert result.verdict is Verdict.MISMATCH
    assert "was built on" not in result.cause
