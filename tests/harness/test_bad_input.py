"""What cannot be checked is said so: what is wrong, the value, the remedy."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest

import gradcheck
from gradcheck import Batch, InputError, strategies

from .subjects import BATCH, masked_mean

VALUES = np.ones((2, 3, 2))


def integer_output(values, lengths):
    import tensorflow as tf

    return tf.cast(values, tf.int32)


TABLE = [
    (lambda: gradcheck.check(3, BATCH), "must be callable", "got 3"),
    (lambda: gradcheck.check(masked_mean), "needs a batch", "behind the subject"),
    (lambda: gradcheck.check(masked_mean, BATCH, modes="gpu"), "unknown mode 'gpu'", "eager, graph, dynamic, xla"),
    (lambda: gradcheck.check(masked_mean, BATCH, modes=()), "modes is empty", "eager, graph"),
    (lambda: gradcheck.check(masked_mean, BATCH, wrt="weights"), "wrt must be one of", "'weights'"),
    (lambda: gradcheck.check(masked_mean, BATCH, wrt="variables"), "no trainable variable", "wrt='inputs'"),
    (lambda: gradcheck.check(masked_mean, BATCH, engine="fast"), "engine must be one of", "'fast'"),
    (lambda: gradcheck.check(masked_mean, BATCH, expect={"gpu": "PASS"}), "'gpu'", "version specifier"),
    (lambda: gradcheck.check(masked_mean, BATCH, expect="FINE"), "unknown verdict 'FINE'", "MISMATCH"),
    (lambda: gradcheck.check(masked_mean, BATCH, rtol=-1.0), "rtol", "-1.0"),
    (lambda: gradcheck.check(masked_mean, BATCH, atol="1e-3"), "atol must be a finite number", "'1e-3'"),
    (lambda: gradcheck.check(masked_mean, BATCH, resolution_limit=np.nan), "resolution_limit must be", "nan"),
    (lambda: gradcheck.search(masked_mean, strategies.batches(), exampels=3), "'exampels'", "resolution_limit"),
    (lambda: gradcheck.check(abs, np.array([1, 2, 3])), "nothing to differentiate", "int64"),
    (lambda: gradcheck.check(integer_output, BATCH), "no floating-point tensor", "int32"),
    (lambda: gradcheck.check(masked_mean, Batch(VALUES, np.array([1.0, 2.0]))), "integer", "1.0"),
    (lambda: gradcheck.check(masked_mean, Batch(VALUES, np.array([-1, 2]))), "negative", "-1"),
    (lambda: gradcheck.check(masked_mean, Batch(VALUES, np.array([4, 2]))), "beyond the time axis", "4"),
    (lambda: gradcheck.check(np.sum, object()), "cannot be made a tensor", "Pass NumPy arrays"),
    (
        lambda: gradcheck.check(masked_mean, VALUES),
        "masked_mean(values, lengths) cannot be called with one argument: missing a required argument: 'lengths'",
        "gradcheck.Batch",
    ),
    (
        lambda: gradcheck.check(lambda a: a, VALUES, VALUES),
        "2 arguments: too many positional arguments",
        "one for each",
    ),
    (lambda: gradcheck.check(lambda a, b, c: a, BATCH), "needs 3 arguments", "call="),
    (lambda: gradcheck.check(lambda query, value: query, BATCH), "neither lengths nor a mask", "call="),
    (
        lambda: gradcheck.check(masked_mean, Batch(np.full((1, 2, 1), np.nan), np.array([1]))),
        "values[row 0, time 0, feature 0] is nan",
        "padding",
    ),
    (lambda: gradcheck.search(masked_mean, BATCH), "Hypothesis strategy", "gradcheck.check"),
    (
        lambda: gradcheck.search(masked_mean, strategies.batches(features=2), max_examples=0),
        "max_examples must be",
        "got 0",
    ),
]


@pytest.mark.parametrize(("call", "what", "remedy"), TABLE, ids=[row[1] for row in TABLE])
def test_message(call, what, remedy):
    with pytest.raises(InputError) as caught:
        call()
    assert what in str(caught.value)
    assert remedy in str(caught.value)


def test_a_signature_that_a_decorator_shows_need_not_be_true():
    def scaled(values, factor):
        return values * factor

    @functools.wraps(scaled)
    def doubled(values):
        return scaled(values, 2.0)

    assert gradcheck.check(doubled, VALUES, modes="graph").ok


def test_messages_name_the_public_class():
    with pytest.raises(InputError) as caught:
        gradcheck.check(3, BATCH)
    assert f"{type(caught.value).__module__}.{type(caught.value).__qualname__}" == "gradcheck.InputError"


def test_without_tensorflow_there_is_a_clear_error():
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import numpy as np, gradcheck\n"
        "try:\n"
        "    gradcheck.check(lambda v, n: v, gradcheck.Batch(np.ones((1, 1, 1)), np.array([1])))\n"
        "except gradcheck.MissingTensorFlowError as error:\n"
        "    print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "gradcheck needs TensorFlow 2.8 or later" in shown
    assert "pip install 'tf-gradcheck[tensorflow]'" in shown


def test_importing_gradcheck_imports_no_tensorflow():
    code = "import sys, gradcheck, gradcheck.strategies; gradcheck.Batch; print('tensorflow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "False"
    # ... and the probe can see it where it is imported.
    code = "import sys, gradcheck; gradcheck.search; import tensorflow; print('tensorflow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "True"
