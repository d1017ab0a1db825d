"""The plugin around real checks: the fixture, the marker, @given, and TensorFlow's own test class."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gradcheck.cases.document import load_case

pytest.importorskip("tensorflow")

SUBJECTS = """
import tensorflow as tf

def masked_mean(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)[:, :, None]
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask, 1), tf.reduce_sum(mask, 1))

def unmasked_mean(values, lengths):
    return tf.reduce_sum(values, 1) / tf.cast(tf.maximum(lengths, 1), values.dtype)[:, None]

def centred(values, lengths):
    means = masked_mean(values, lengths)
    return means - tf.reduce_mean(means, axis=0, keepdims=True)

@tf.custom_gradient
def wrong_square(x):
    return x * x, lambda upstream: upstream * 2.002 * x
"""

SUITE = """
import gradcheck as gc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from gradcheck import Batch, strategies as st
from subjects import *

# Not the phase that explains: it traces every line that runs.
QUICK = settings(
    max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink]
)

BATCH = Batch(np.array([[[1.0], [2.0]], [[3.0], [0.0]]]), np.array([2, 1], np.int32))

def test_fixture(gradcheck):
    gradcheck(masked_mean, BATCH)

@pytest.mark.gradcheck(modes="graph", expect="PADDING_LEAK")
def test_expected(gradcheck):
    gradcheck(unmasked_mean, BATCH)

@pytest.mark.gradcheck(modes="graph", max_examples=20)
def test_search(gradcheck):
    gradcheck.search(unmasked_mean, st.batches(features=1, max_length=3))

# Shrinking looks at dynamic mode too, which the command line leaves out.
@pytest.mark.gradcheck(modes="graph", max_examples=20, invariants="rows_independent", expect="PADDING_LEAK")
def test_invariant(gradcheck):
    gradcheck.search(centred, st.batches(features=1, max_length=3))

@pytest.mark.gradcheck(modes="graph")
@QUICK
@given(batch=st.batches(features=1, max_length=3, min_length=1))
def test_given(gradcheck, batch):
    gradcheck(masked_mean, batch)

@QUICK
@given(batch=st.batches(features=1, max_length=3, min_length=1))
def test_given_wrong(batch):
    gc.assert_gradients(module_level, batch, modes="graph")

@tf.custom_gradient
def module_level(values):
    return values * values, lambda upstream: upstream * values

@pytest.mark.gradcheck(modes="graph", wrt="inputs")
def test_local():
    def inner(values):
        return module_level(values)
    gc.assert_gradients(inner, BATCH)

@pytest.mark.gradcheck(modes="graph", wrt="inputs")
def test_lambda():
    gc.assert_gradients(module_level, BATCH, call=lambda subject, values: subject(values))

class TestTensorFlowCase(tf.test.TestCase):
    def test_wrong(self):
        gc.assert_gradients(wrong_square, np.array([1.0, 3.0]), modes=["eager"])
    def test_right(self):
        gc.assert_gradients(tf.sin, np.array([1.0, 3.0]))
"""


def test_a_suite_of_somebody_else(run, pytester: pytest.Pytester) -> None:
    """Run once, in a process of its own: what it prints and writes, its scripts, and its cases."""
    pytester.makepyfile(subjects=SUBJECTS)
    result = run(SUITE, "--gradcheck-modes=eager,graph", "--gradcheck-json=out.json", subprocess=True)
    written = json.loads(Path(pytester.path, "out.json").read_text())["results"]
    rows = {row["nodeid"].split("::", 1)[1]: row for row in written}
    verdicts_are_told(result, rows)
    scripts_show_the_failure_with_plain_tensorflow(rows, pytester)
    what_can_be_replayed_is_written_and_why_not_is_said(result, rows, pytester)


def verdicts_are_told(result: pytest.RunResult, rows: dict[str, dict]) -> None:
    # tf.test.TestCase brings a test of its own, test_session, which is skipped.
    result.assert_outcomes(passed=5, failed=5, skipped=1)
    verdicts = {name: {mode: cell["verdict"] for mode, cell in row["modes"].items()} for name, row in rows.items()}
    assert verdicts == {
        "test_fixture": {"eager": "PASS", "graph": "PASS"},
        "test_expected": {"graph": "PADDING_LEAK"},
        "test_search": {"graph": "PADDING_LEAK"},
        "test_invariant": {"graph": "PADDING_LEAK"},
        "test_given": {"graph": "PASS"},
        "test_given_wrong": {"graph": "MISMATCH"},
        "test_local": {"graph": "MISMATCH"},
        "test_lambda": {"graph": "MISMATCH"},
        "TestTensorFlowCase::test_wrong": {"eager": "MISMATCH"},
        # The options are the defaults of plain calls too.
        "TestTensorFlowCase::test_right": {"eager": "PASS", "graph": "PASS"},
    }
    assert rows["test_expected"]["modes"]["graph"]["ok"]
    assert rows["test_given"]["modes"]["graph"]["counts"] == {"PASS": 10}
    assert rows["test_search"]["arguments"].startswith("Batch(")
    result.stdout.fnmatch_lines(
        [
            "*= gradcheck =*",
            "*wrong_square*MISMATCH !*",
            "    script  *-eager.py",
            "*again: pytest *test_wrong*",
        ]
    )


def scripts_show_the_failure_with_plain_tensorflow(rows: dict[str, dict], pytester: pytest.Pytester) -> None:
    for name in ("test_search", "TestTensorFlowCase::test_wrong"):
        (script,) = rows[name]["scripts"].values()
        done = pytester.runpython(script)
        assert done.ret == 1
        assert "FAILURE REPRODUCED" in done.stdout.str()
        assert "gradcheck" not in Path(script).read_text().replace("tf-gradcheck", "").split("import", 1)[1]


def what_can_be_replayed_is_written_and_why_not_is_said(
    result: pytest.RunResult, rows: dict[str, dict], pytester: pytest.Pytester
) -> None:
    for name in ("test_search", "test_given_wrong", "TestTensorFlowCase::test_wrong"):
        (case,) = rows[name]["cases"].values()
        assert rows[name]["obstacles"] == {}
        assert f"    replay  gradcheck replay --trust {Path(case).relative_to(pytester.path)}" in result.stdout.lines
        # The file of the smallest example, which Hypothesis met last.
        assert " ".join(rows[name]["arguments"].split()) in " ".join(result.stdout.str().split())
    case = rows["test_given_wrong"]["cases"]["graph"]
    done = pytester.run(sys.executable, "-m", "gradcheck", "replay", "--trust", case)
    assert done.ret == 1, done.stdout.str()
    done.stdout.fnmatch_lines(["*module_level in graph: still there*"])
    assert load_case(case).batch is not None
    assert "[[[1.0]]]" in rows["test_given_wrong"]["arguments"]
    text = " ".join(result.stdout.str().split())
    assert rows["test_local"]["cases"] == rows["test_lambda"]["cases"] == {}
    assert "replay none: inner has no name under which it can be imported" in text
    assert "replay none: module_level was checked with a call= that cannot be imported, such as a" in text
    told = text.partition("_ test_local _")[2].partition("_ test_lambda _")[0]
    assert "a script of plain TensorFlow and the command that runs the test again" in told
