"""What the pictures are made from is measured on the subject as it was checked, and only when someone looks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch, Padding, Verdict


def evidence(subject: Any, *args: Any, mode: str = "graph", **options: Any) -> dict[str, Any]:
    report = gradcheck.check(subject, *args, modes=(mode,), **options)
    found: dict[str, Any] = json.loads(json.dumps(report.to_dict(), allow_nan=False))["evidence"][mode]
    assert found["missing"] == []
    return found


@tf.custom_gradient
def wrong_relu(x: Any) -> Any:
    return tf.nn.relu(x), lambda upstream: upstream * 1.5


@tf.custom_gradient
def nearly_sine(x: Any) -> Any:
    return tf.sin(x), lambda upstream: upstream * tf.cos(x) * 1.001


@tf.custom_gradient
def wrong_square(x: Any) -> Any:
    return x * x, lambda upstream: upstream * 3 * x


BATCH = Batch(np.array([[[1.0], [2.0]], [[0.5], [3.0]]]), np.array([2, 1], np.int32))


def masked(values: Any, lengths: Any) -> Any:
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return wrong_square(values) * mask


def test_a_pass_costs_nothing() -> None:
    report = gradcheck.check(lambda x: x * x, np.array([1.0, 2.0]), modes=("graph",))
    assert len(report.evidence) == 0
    assert report.to_dict()["evidence"] == {}


def test_it_is_measured_when_someone_looks_and_then_once() -> None:
    calls = []

    def counted(x: Any) -> Any:
        calls.append(1)
        return wrong_square(x)

    report = gradcheck.check(counted, np.array([1.0, 2.0]), modes=("eager",))
    before = len(calls)
    assert list(report.evidence) == ["eager"]
    assert "eager" in report.evidence
    assert len(calls) == before
    first = report.evidence["eager"]
    after = len(calls)
    assert after > before
    assert report.evidence["eager"] is first
    assert len(calls) == after


def test_jacobians_places_and_padding() -> None:
    found = evidence(masked, BATCH)
    assert found["padded_inputs"] == found["padded_outputs"] == [3]
    assert found["inputs"][0]["axes"] == ["row", "time", "feature"]
    jacobian = found["jacobian"]
    np.testing.assert_allclose(jacobian["theoretical"], np.diag([3.0, 6.0, 1.5, 0.0]))
    np.testing.assert_allclose(jacobian["numerical"], np.diag([2.0, 4.0, 1.0, 0.0]), atol=1e-7)
    assert [row[k] for k, row in enumerate(jacobian["status"])] == ["MISMATCH", "MISMATCH", "MISMATCH", "PASS"]
    assert jacobian["worst"] == [1, 1]
    assert (jacobian["whole"], jacobian["shape"]) == (True, [4, 4])
    assert found["batch"]["mask"] == [[True, True], [True, False]]
    assert found["batch"]["values"]["data"] == [1.0, 2.0, 0.5, 3.0]


def test_a_corner_is_seen_from_both_sides() -> None:
    slope = evidence(wrong_relu, np.array([0.0]))["slope"]
    assert (slope["theoretical"], slope["left"], slope["right"]) == (1.5, 0.0, 1.0)
    np.testing.assert_allclose(slope["g"], np.maximum(slope["t"], 0))
    assert slope["t"][0] == -slope["reach"]


def test_a_corner_that_is_right_has_its_picture_too() -> None:
    report = gradcheck.check(tf.nn.relu, np.array([0.0]), modes=("graph",))
    assert report["graph"].verdict is Verdict.KINK
    slope = report.evidence["graph"]["slope"]
    assert (slope["left"], slope["right"]) == (0.0, 1.0)


def test_the_reach_is_small_enough_to_see_a_small_error() -> None:
    slope = evidence(nearly_sine, np.array([0.3]))["slope"]
    error = slope["theoretical"] - slope["numerical"]
    assert abs(error) < 0.002
    departure = np.array(slope["g"]) - np.sin(0.3) - slope["numerical"] * np.array(slope["t"])
    assert np.abs(departure).max() < 0.5 * abs(error) * slope["reach"]


def test_weights_are_those_of_the_check_and_the_same_afterwards() -> None:
    class Scale(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([2.0], dtype=tf.float64)

        def __call__(self, x: Any) -> Any:
            return wrong_square(x * self.w)

    scale = Scale()
    report = gradcheck.check(scale, np.array([1.0]), modes=("graph",))
    scale.w.assign([5.0])  # training goes on
    found = report.evidence["graph"]
    np.testing.assert_allclose(found["jacobian"]["theoretical"], [[12.0, 6.0]])
    assert [block["variable"] for block in found["inputs"]] == [False, True]
    assert scale.w.numpy() == [5.0]


def test_another_mode_beside_it() -> None:
    def differs(values: Any) -> Any:
        return tf.tanh(values) * (1.0 if tf.executing_eagerly() else 1.25)

    found = evidence(differs, np.array([0.5, 0.25]))
    assert found["compared"]["labels"] == ["in this mode", "in eager mode"]
    np.testing.assert_allclose(np.array(found["compared"]["first"]) / np.array(found["compared"]["second"]), 1.25)
    slope = found["slope"]
    np.testing.assert_allclose(np.array(slope["g"]) / np.array(slope["other"]["g"]), 1.25)


def test_before_and_after_a_change_of_the_padding() -> None:
    def leaking(values: Any, lengths: Any) -> Any:
        return tf.reduce_max(values, axis=1)

    batch = Batch(np.array([[[1.0], [0.0]]]), np.array([1], np.int32))
    found = evidence(leaking, batch)
    assert found["changed"]["values"]["data"][0] == 1.0
    assert found["changed"]["values"]["data"][1] != 0.0
    assert found["compared"]["first"] == [1.0]
    assert found["compared"]["second"] == [found["changed"]["values"]["data"][1]]


def test_nan_in_the_padding_is_not_moved() -> None:
    def careless(values: Any, lengths: Any) -> Any:
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])[..., tf.newaxis]
        return tf.reduce_sum(wrong_square(tf.where(mask, values, 0.0)), axis=1)

    batch = Batch(np.array([[[1.0], [np.nan]]]), np.array([1], np.int32), Padding())
    found = evidence(careless, batch)
    assert found["batch"]["values"]["data"] == [1.0, "nan"]
    assert found["jacobian"]["status"] == [["MISMATCH", "NOT_MEASURED"]]


def test_of_a_large_jacobian_the_block_around_the_worst_entry() -> None:
    def one_wrong(x: Any) -> Any:
        return tf.concat([x[:70] * 2.0, wrong_square(x[70:71]), x[71:]], axis=0)

    jacobian = evidence(one_wrong, np.linspace(1.0, 2.0, 80))["jacobian"]
    assert (jacobian["whole"], jacobian["shape"], jacobian["worst"]) == (False, [80, 80], [70, 70])
    assert len(jacobian["rows"]) == len(jacobian["theoretical"]) == 12
    assert len(jacobian["columns"]) == len(jacobian["theoretical"][0]) == 24
    assert 70 in jacobian["rows"]
    assert 70 in jacobian["columns"]


def test_low_precision_is_looked_at_in_float64() -> None:
    found = evidence(wrong_square, np.array([1.5], np.float16))
    assert found["slope"]["twin"] is True
    np.testing.assert_allclose(found["slope"]["g"], np.square(1.5 + np.array(found["slope"]["t"])))


def test_an_error_has_its_batch_and_nothing_else() -> None:
    def raises(values: Any, lengths: Any) -> Any:
        raise ValueError("no")

    found = evidence(raises, BATCH)
    assert found["batch"]["lengths"]["data"] == [2, 1]
    assert found["jacobian"] is found["slope"] is found["compared"] is None


def test_a_picture_that_cannot_be_made_does_not_cost_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    import gradcheck.diagnosis.evidence

    def broken(*_: Any) -> None:
        raise MemoryError("too large\nand more")

    monkeypatch.setattr(gradcheck.diagnosis.evidence, "_jacobian", broken)
    report = gradcheck.check(wrong_square, np.array([1.0]), modes=("graph",))
    found = report.to_dict()["evidence"]["graph"]
    assert found["missing"] == [{"part": "jacobian", "why": "MemoryError: too large"}]
    assert found["slope"] is not None
    assert "MISMATCH" in str(report)
