"""Every variant computes what plain NumPy computes row by row, and has its gradient, where it is expected
to.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from gradcheck.variants import catalog, expected  # noqa: E402
from gradcheck.verdicts import Verdict  # noqa: E402

from .oracle import expected_gradient, expected_output  # noqa: E402

# TensorFlow 2.8's remark that the gradient of a ragged round trip may take memory.
pytestmark = pytest.mark.filterwarnings("ignore:Converting sparse IndexedSlices:UserWarning")

STACKS_DENSELY = ("map_fn_range", "map_fn_rows")

# (lengths, time axis): equal, unequal, shorter than the time axis, an empty row first and last, all empty,
# a single row.
BATCHES = [
    ([2, 2], 2),
    ([3, 1], 3),
    ([1, 2], 4),
    ([0, 2], 2),
    ([2, 0, 1], 3),
    ([0, 0], 2),
    ([1], 1),
    ([0, 0], 0),
]
VARIANTS = [pytest.param(variant, id=variant.name) for variant in catalog()]


def drawn(lengths, time, dtype="float64", fill=None):
    values = np.random.default_rng(3).uniform(-1, 1, (len(lengths), time, 2)).astype(dtype)
    if fill is not None:
        for row, length in enumerate(lengths):
            values[row, length:] = fill
    return values


def squares(subject, values, lengths):
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = subject(values, lengths)
        total = tf.reduce_sum(result**2)
    return result, tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def check(function, variant, values, lengths, lengths_dtype="int32"):
    accuracy = 1e-8 if values.dtype == np.float64 else 1e-5
    result, gradient = function(tf.constant(values), tf.constant(lengths, lengths_dtype))
    right = expected_output(variant.construct.name, variant.consumer, values, lengths)
    assert result.dtype == values.dtype
    assert result.shape == right.shape
    np.testing.assert_allclose(result, right, rtol=0, atol=accuracy)
    slopes = expected_gradient(variant.construct.name, variant.consumer, values, lengths)
    np.testing.assert_allclose(gradient, slopes, rtol=0, atol=accuracy)


@pytest.mark.parametrize("variant", VARIANTS)
def test_eager(variant):
    for lengths, time in BATCHES:
        if variant.construct.name in STACKS_DENSELY and len(set(lengths)) > 1:
            with pytest.raises(ValueError, match="Incompatible shape"):
                variant.subject(tf.constant(drawn(lengths, time)), tf.constant(lengths))
            continue
        check(lambda v, n: squares(variant.subject, v, n), variant, drawn(lengths, time), lengths)


@pytest.mark.parametrize("variant", VARIANTS)
def test_dtypes(variant):
    for dtype, lengths_dtype in [("float32", "int32"), ("float64", "int64")]:
        lengths = [2, 2] if variant.construct.name in STACKS_DENSELY else [2, 0, 3]
        function = lambda v, n: squares(variant.subject, v, n)  # noqa: E731
        check(function, variant, drawn(lengths, 4, dtype), lengths, lengths_dtype)


@pytest.mark.parametrize("variant", VARIANTS)
def test_dynamic_traces_once_and_is_right(variant):
    signature = [tf.TensorSpec([None, None, 2], tf.float64), tf.TensorSpec([None], tf.int32)]
    function = tf.function(lambda v, n: squares(variant.subject, v, n), input_signature=signature)
    for lengths, time in BATCHES:
        if variant.construct.name in STACKS_DENSELY and len(set(lengths)) > 1:
            with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
                function(tf.constant(drawn(lengths, time)), tf.constant(lengths))
            continue
        check(function, variant, drawn(lengths, time), lengths)
    assert function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_xla(variant):
    verdict = expected(variant.construct.name, "xla", tf.__version__).verdict
    function = tf.function(lambda v, n: squares(variant.subject, v, n), jit_compile=True)
    # What kills the process on a batch of one row and one step is refused on this one.
    if verdict in (Verdict.UNSUPPORTED, Verdict.CRASH):
        with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)):
            function(tf.constant(drawn([3, 1], 3)), tf.constant([3, 1]))
        return
    if verdict is Verdict.PASS:
        # A shape is a compilation. What becomes of none at all is the construct's doing, whatever consumes it.
        nothing = [([0, 0], 0)] if variant.consumer == "pooling" else []
        for lengths, time in [([3, 1, 0], 4), *nothing]:
            check(function, variant, drawn(lengths, time), lengths)
        return
    # What is left compiles and is silently wrong: the last row's length is everybody's.
    check(function, variant, drawn([2, 2], 3), [2, 2])
    values = drawn([3, 1], 3)
    result, _ = function(tf.constant(values), tf.constant([3, 1]))
    right = expected_output(variant.construct.name, variant.consumer, values, [3, 1])
    assert np.abs(result - right).max() > 1e-3


@pytest.mark.parametrize("fill", [np.nan, np.inf, -1e300])
@pytest.mark.parametrize("variant", VARIANTS)
def test_content_of_padding_does_not_matter(variant, fill):
    lengths = [2, 2] if variant.construct.name in STACKS_DENSELY else [0, 3, 1]
    clean, poisoned = drawn(lengths, 4), drawn(lengths, 4, fill=fill)
    first = squares(variant.subject, tf.constant(clean), tf.constant(lengths))
    second = squares(variant.subject, tf.constant(poisoned), tf.constant(lengths))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_source_needs_nothing_but_tensorflow(variant):
    """What the reproduction script relies on: functions of `tf` and of one another."""
    source = inspect.getsource(inspect.getmodule(variant.subject))
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    allowed = ("from __future__", "from typing", "import tensorflow", "from gradcheck.variants.")
    assert all(line.startswith(allowed) for line in imports)


def test_a_length_beyond_the_time_axis_is_cut_off_by_the_static_range():
    from gradcheck.variants.constructs import broadcast_range

    np.testing.assert_array_equal(broadcast_range(tf.constant([5, 1]), 3), [[0, 1, 2], [0, 0, 0]])
