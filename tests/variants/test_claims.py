"""The claims: how they are judged, on made-up observations, and that the measurement sees what is planted."""

from __future__ import annotations

import json

import pytest

from gradcheck.variants.claims import CLAIMS, SETTINGS, ClaimResult, Observation, first_telling_line

BY_LETTER = {claim.letter: claim for claim in CLAIMS}


def observed(forward="right", gradient="right", **exceptions):
    """Every setting with equal and unequal lengths alike; exceptions by setting (dashes for its punctuation)."""
    found = []
    for setting in SETTINGS:
        for lengths in [(2, 2), (3, 1)]:
            key = setting.replace(", ", "_").replace(" ", "_") + ("" if lengths == (2, 2) else "_unequal")
            outcome = exceptions.get(key, (forward, gradient))
            found.append(Observation("some/pooling", setting, lengths, *outcome))
    return found


RAISES = ("raises", "not reached")


def test_a_holds_where_only_gradients_fail():
    holds, _ = BY_LETTER["a"].judge(observed(gradient="none"))
    assert holds == "holds"


def test_a_does_not_hold_where_the_forward_pass_fails():
    broken = {f"{setting}_unequal": RAISES for setting in ("eager", "graph", "dynamic", "xla", "xla_tape_outside")}
    holds, measured = BY_LETTER["a"].judge(observed(**broken))
    assert holds == "does not hold"
    assert "right nowhere" in measured
    assert "on equal lengths forward and gradient are both right in eager, graph" in measured


def test_a_tells_of_wrong_numbers():
    _, measured = BY_LETTER["a"].judge(observed(xla_unequal=("wrong", "wrong")))
    assert "some/pooling gives wrong numbers without any error in xla" in measured


@pytest.mark.parametrize(
    ("observations", "holds"),
    [
        (observed(gradient="wrong"), "holds"),
        (observed(), "does not hold"),
        (observed(xla=RAISES, xla_unequal=RAISES), "does not hold"),
        (observed(xla=("right", "raises"), xla_unequal=("right", "raises")), "holds in part"),
    ],
)
def test_b(observations, holds):
    assert BY_LETTER["b"].judge(observations)[0] == holds


@pytest.mark.parametrize(
    ("observations", "holds"),
    [
        (observed(), "holds"),
        (observed(xla=RAISES, xla_unequal=RAISES), "holds in part"),
        (observed(gradient="raises"), "does not hold"),
    ],
)
def test_c(observations, holds):
    assert BY_LETTER["c"].judge(observations)[0] == holds


def test_a_setting_counts_as_right_only_where_all_variants_are():
    mixed = [*observed(), Observation("other/pooling", "xla", (3, 1), *RAISES)]
    holds, measured = BY_LETTER["c"].judge(mixed)
    assert holds == "holds in part"
    assert "both right in eager, graph, dynamic and 'xla, tape outside'" in measured


def test_results_survive_json():
    result = ClaimResult("a", "Text.", "holds", "seen", tuple(observed(xla=RAISES)))
    assert ClaimResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "Graph execution error:\n\nDetected at node 'x'\n PartialTensorShape: Incompatible shapes during merge: "
            "[3] vs. [1]\n\t [[n]]",
            "PartialTensorShape: Incompatible shapes during merge: [3] vs. [1]",
        ),
        (
            "Detected unsupported operations … No registered 'RaggedRange' OpKernel for XLA_CPU_JIT devices …",
            "No registered 'RaggedRange' OpKernel for XLA_CPU_JIT",
        ),
        (
            "Support for TensorList crossing the XLA/TF boundary is not implemented [Op:__f_1]",
            "Support for TensorList crossing the XLA/TF boundary is not implemented",
        ),
        ("first\nsecond", "first"),
        ("", "an error without a message"),
    ],
)
def test_first_telling_line(message, line):
    assert first_telling_line(message) == line


@pytest.fixture(scope="module")
def measure():
    tf = pytest.importorskip("tensorflow")
    from gradcheck.variants import claims
    from gradcheck.variants.catalog import Construct, Variant

    def run(subject, setting="graph"):
        class Planted(Variant):
            subject = property(lambda self: subject)

        variant = Planted(Construct("broadcast_range", "range", ""), "pooling")
        return list(claims._observe(tf, variant, setting))

    return run


def pooled(values, lengths, change=lambda pooled: pooled):
    from gradcheck.variants.subjects import broadcast_range_pooling

    return change(broadcast_range_pooling(values, lengths))


def test_the_measurement_sees_a_right_layer(measure):
    assert [(o.forward, o.gradient) for o in measure(pooled)] == [("right", "right")] * 2


def test_the_measurement_sees_a_wrong_forward_pass(measure):
    found = measure(lambda values, lengths: pooled(values, lengths) * (1 + 1e-9))
    assert [o.forward for o in found] == ["wrong"] * 2


def test_the_measurement_sees_a_wrong_gradient(measure):
    import tensorflow as tf

    @tf.custom_gradient
    def off(x):
        return tf.identity(x), lambda upstream: upstream * 1.001

    found = measure(lambda values, lengths: pooled(values, lengths, off))
    assert [(o.forward, o.gradient) for o in found] == [("right", "wrong")] * 2


def test_the_measurement_sees_a_missing_gradient(measure):
    import tensorflow as tf

    found = measure(lambda values, lengths: pooled(values, lengths, tf.stop_gradient))
    assert [(o.forward, o.gradient) for o in found] == [("right", "none")] * 2


def test_the_measurement_sees_an_error(measure):
    def subject(values, lengths):
        raise ValueError("it is broken")

    found = measure(subject, "eager")
    assert [(o.forward, o.gradient, o.message) for o in found] == [("raises", "not reached", "it is broken")] * 2
