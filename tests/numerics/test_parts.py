"""Steps, noise, first look, ladder and judge each by itself, and proof that each is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import InputError, numerics
from gradcheck.numerics import Kind, Status, judgement, ladder

from .functions import aliased, in_float32, relu

EPS = numerics.FLOAT64_EPS
EPS32 = 2.0**-23


def sample(function: Any, x: float, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.errstate(all="ignore"):
        point = np.array([x])
        return function(point), function(x + steps)[..., np.newaxis], function(x - steps)[..., np.newaxis]


def refined(function: Any, x: float, noise: float | None = None, rungs: slice = slice(None), **more: Any) -> Any:
    steps = numerics.refine_steps(np.array([x]))[rungs]
    center, plus, minus = sample(function, x, steps)
    with np.errstate(all="ignore"):
        measured = numerics.noise_level(center, function(numerics.noise_points(np.array([x]))))
    level = measured if noise is None else np.array([noise])
    return numerics.refine(center, plus, minus, steps, level, **more)


# Steps


@pytest.mark.parametrize("eps", [EPS, EPS32])
@pytest.mark.parametrize("make", [numerics.screen_steps, numerics.refine_steps])
def test_steps_fall_and_are_powers_of_two(make: Any, eps: float) -> None:
    x = np.array([0.0, 1e-300, 1e-20, 1e-6, 0.3, -1.0, 7.0, 1e4, -1e8, 1e30, np.nan, np.inf])
    steps = make(x, eps=eps)
    assert steps.shape[1] == x.size
    assert (np.diff(steps, axis=0) < 0).all()
    assert (np.frexp(steps)[0] == 0.5).all()
    moved = np.isfinite(x)
    if make is numerics.refine_steps:
        dtype = np.float64 if eps == EPS else np.float32
        values = x[moved].astype(dtype)
        values = np.where(np.abs(values) < 1e-30, 0, values).astype(dtype)
        assert ((values + steps[:, moved]).astype(dtype) != values).all()


def test_screen_steps_reach_neither_too_far_nor_too_near() -> None:
    assert np.log2(numerics.screen_steps(np.array([0.5])))[:, 0].tolist() == [-8, -12, -17]
    assert np.log2(numerics.screen_steps(np.array([2.0**20])))[:, 0].tolist() == [2, -2, -7]


@pytest.mark.parametrize(
    ("x", "eps", "message"),
    [
        (np.zeros((2, 2)), EPS, r"got shape \(2, 2\)"),
        (np.zeros(2), 0.1, "got 0.1"),
        (np.zeros(2), 0.0, "2\\*\\*-54"),
    ],
)
def test_steps_refuse(x: np.ndarray, eps: float, message: str) -> None:
    for make in (numerics.screen_steps, numerics.refine_steps):
        with pytest.raises(InputError, match=message):
            make(x, eps=eps)


# Noise


@pytest.mark.parametrize("sigma", [1e-15, 1e-12, 1e-8])
def test_noise_level_of_known_noise(sigma: float) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=5)

    def values(points: np.ndarray) -> np.ndarray:
        smooth = np.sin(points.sum(axis=1))[:, np.newaxis] * np.ones(1000)
        return smooth + sigma * random.normal(size=smooth.shape)

    measured = numerics.noise_level(values(x[np.newaxis])[0], values(numerics.noise_points(x)))
    # Twice the standard deviation is what it aims at; never below half of it is what the bounds rest on.
    assert np.median(measured) == pytest.approx(2.6 * sigma, rel=0.3)
    assert measured.min() > 0.5 * sigma
    assert measured.max() < 12 * sigma


@pytest.mark.parametrize("function", [np.abs, relu, np.sign, np.floor])
@pytest.mark.parametrize("x", [0.0, 1.0])
def test_a_corner_at_the_point_is_no_noise(function: Any, x: float) -> None:
    level = numerics.noise_level(function(np.array([x])), function(numerics.noise_points(np.array([x]))))
    assert level[0] < 1e-15


def test_noise_of_a_function_in_float32() -> None:
    x = np.linspace(0.3, 2, 50)
    function = in_float32(np.sin)
    level = numerics.noise_level(function(x), function(numerics.noise_points(x)))
    assert (level > 1e-9).all()
    assert (level < 1e-6).all()
    assert numerics.measured_eps(function(x), level) > 1e-8
    assert numerics.measured_eps(np.sin(x), numerics.noise_level(np.sin(x), np.sin(numerics.noise_points(x)))) == EPS


def test_noise_of_coarse_intermediate_results() -> None:
    """Rounded to 1.5e-11 inside, in steps that regular samples would hit again and again."""
    x = np.random.default_rng(3).uniform(-6, 6, 5000)

    def function(points: np.ndarray) -> np.ndarray:
        return (1e5 + np.sin(points)) - 1e5

    assert numerics.noise_level(function(x), function(numerics.noise_points(x))).min() > 1e-12


@pytest.mark.parametrize("kept", [0.5, 0.9])
@pytest.mark.parametrize("x", [0.0, 0.5])
def test_two_draws_of_a_random_function_are_rough(x: float, kept: float) -> None:
    """Of samples that are dropped at random no sequence need show noise to the others' satisfaction; one is enough."""
    random = np.random.default_rng(7)
    points = numerics.noise_points(np.array([x]))
    samples = points * (random.random((64, 10_000)) < kept) / kept
    size = np.abs(samples).max(axis=0)
    alike = np.array([np.ptp((column / points[:, 0])[:48]) < 1e-9 for column in samples.T])
    rough = numerics.roughness(samples) > 1000 * EPS * size
    assert rough[~alike].all()
    assert alike.mean() < 0.01
    assert not (numerics.roughness(points**3 + np.abs(points - x)) > 1000 * EPS * np.abs(points).max()).any()


def test_noise_level_refuses_other_samples() -> None:
    with pytest.raises(InputError, match="64 points of noise_points"):
        numerics.noise_level(np.zeros(2), np.zeros((3, 2)))


def test_noise_beyond_the_domain_is_that_of_the_other_side() -> None:
    x = np.array([1.0 - 1e-16])
    with np.errstate(invalid="ignore"):
        level = numerics.noise_level(np.arccos(x), np.arccos(numerics.noise_points(x)))
    assert np.isfinite(level).all()


# First look


def test_the_first_look_is_not_deceived_by_a_symmetric_corner() -> None:
    steps = numerics.screen_steps(np.zeros(1))
    center, plus, minus = sample(np.abs, 0.0, steps)
    assert numerics.screen(center, plus, minus, steps, np.zeros(1)).suspicious.all()
    center, plus, minus = sample(np.square, 0.0, steps)
    assert not numerics.screen(center, plus, minus, steps, np.zeros(1)).suspicious.any()


@pytest.mark.parametrize("offset", [1e-7, 1e-6, 3e-6, 1e-5, 1e-4, 3e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("wrong", [0.0, 0.5, 1 - 1e-5])
def test_no_wrong_value_passes_the_first_look_beside_a_corner(offset: float, wrong: float) -> None:
    x = np.array([offset])
    steps = numerics.screen_steps(x)
    center, plus, minus = sample(relu, offset, steps)
    estimate = numerics.screen(center, plus, minus, steps, np.array([1e-17]))
    assert not numerics.passes_screen(np.array([[wrong]]), estimate).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plus": np.zeros((3, 1, 3))}, r"plus must be .* \(3, 1, 2\), got \(3, 1, 3\)"),
        ({"minus": np.zeros((2, 1, 2))}, "minus must be"),
        ({"noise": np.zeros(1)}, "noise must be"),
        ({"steps": np.ones((3, 1))}, "strictly falling"),
        ({"center": np.zeros((1, 2))}, r"center must be \[y_size\]"),
    ],
)
def test_samples_are_checked(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "center": np.zeros(2), "plus": np.zeros((3, 1, 2)), "minus": np.zeros((3, 1, 2)),
        "steps": np.array([[0.4], [0.2], [0.1]]), "noise": np.zeros(2),
    }  # fmt: skip
    numerics.screen(**good)
    with pytest.raises(InputError, match=message):
        numerics.screen(**{**good, **change})


def test_ladders_of_another_length_are_refused() -> None:
    four = np.array([[0.8], [0.4], [0.2], [0.1]])
    with pytest.raises(InputError, match="three steps, got 4"):
        numerics.screen(np.zeros(1), np.zeros((4, 1, 1)), np.zeros((4, 1, 1)), four, np.zeros(1))
    with pytest.raises(InputError, match="at least 8 steps, got 4"):
        numerics.refine(np.zeros(1), np.zeros((4, 1, 1)), np.zeros((4, 1, 1)), four, np.zeros(1))


# Ladder


@pytest.mark.parametrize(
    ("function", "x", "kind", "left", "right"),
    [
        (np.sin, 0.7, Kind.SMOOTH, np.cos(0.7), np.cos(0.7)),
        (relu, 0.0, Kind.KINK, 0.0, 1.0),
        (np.abs, 0.0, Kind.KINK, -1.0, 1.0),
        (lambda x: np.where(x > 0, np.sin(x), x * x + x), 0.0, Kind.SMOOTH, 1.0, 1.0),
        (lambda x: np.sqrt(np.maximum(x, 0)), 0.0, Kind.KINK, 0.0, np.inf),
        (np.sign, 0.0, Kind.JUMP, 0.0, 0.0),
        (lambda x: np.where(x > 0, 2 * x + 1, x), 0.0, Kind.JUMP, 1.0, 2.0),
        (lambda x: np.where(x == 0, 7.0, 3 * x), 0.0, Kind.JUMP, 3.0, 3.0),
        (lambda x: np.where(x < 0, np.nan, np.sin(x)), 0.0, Kind.ONE_SIDED, np.nan, 1.0),
    ],
)
def test_kinds(function: Any, x: float, kind: Kind, left: float, right: float) -> None:
    found = refined(function, x)
    assert Kind(found.kind[0, 0]) is kind, found
    assert found.left[0, 0] == pytest.approx(left, rel=1e-9, abs=1e-9, nan_ok=True)
    assert found.right[0, 0] == pytest.approx(right, rel=1e-9, abs=1e-9, nan_ok=True)
    assert np.isfinite(found.value).all()


def test_a_vertical_tangent_has_no_slope() -> None:
    assert Kind(refined(np.cbrt, 0.0).kind[0, 0]) is Kind.UNRESOLVED


def test_the_near_rungs_are_what_refutes_far_ones() -> None:
    """Without them the aliased function has a perfect slope of zero."""
    far = refined(aliased, 0.0, rungs=slice(0, 11))
    assert abs(far.value[0, 0]) < 1e-9
    assert far.error[0, 0] < 1e-6
    assert refined(aliased, 0.0).value[0, 0] == pytest.approx(2 * np.pi)


def test_confirmation_is_what_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfirmed(sequence: np.ndarray, noise: np.ndarray) -> Any:
        spread = sequence[2:].copy()
        error = np.ptp(np.stack([sequence[:-2], sequence[1:-1], sequence[2:]]), axis=0) + noise[2:]
        best = error.argmin(axis=0)
        return np.take_along_axis(spread, best[None], 0)[0], error.min(axis=0)

    monkeypatch.setattr(ladder, "_best_window", unconfirmed)
    assert abs(refined(aliased, 0.0).value[0, 0]) < 1e-6


# Corners upon corners


def relu_layer(points: np.ndarray) -> np.ndarray:
    """A residual block with relu units, without biases: at a row of zeros all its corners meet."""
    inner = np.array([[0.5, 1.0], [1.0, -0.25], [-0.5, 0.75], [-1.5, 0.5]])
    outer = np.array([[-0.5, 0.25, -0.5, 0.5], [0.25, -0.75, -0.5, 1.0]])
    return 3 * points + relu(points @ inner.T) @ outer.T


def test_where_several_corners_meet_the_convention_is_no_mismatch() -> None:
    # What TensorFlow returns: every relu' at 0 is 0.
    convention = 3 * np.eye(2)
    found = numerics.compare(relu_layer, np.zeros(2), convention)
    assert found.count(Status.MISMATCH) == 0
    assert found.count(Status.PASS) < convention.size
    # Away from the corners the same function is judged as any other.
    x = np.array([1.0, 0.5])
    assert numerics.compare(relu_layer, x, convention).count(Status.MISMATCH) > 0


# Judge


def judged(theoretical: float, **options: Any) -> numerics.Judgement:
    return numerics.compare(np.sin, np.array([0.7]), np.array([[theoretical]]), **options)


def test_a_callers_tolerance_holds() -> None:
    slope = float(np.cos(0.7))
    assert judged(slope * 1.01).status[0, 0] == Status.MISMATCH
    assert judged(slope * 1.01, rtol=0.02).status[0, 0] == Status.PASS
    assert judged(slope * 1.01, rtol=0.005).status[0, 0] == Status.MISMATCH
    assert judged(slope + 1e-4, atol=1e-3).status[0, 0] == Status.PASS
    # Finer than what can be measured: neither a pass nor a failure.
    assert judged(slope, rtol=0.0, atol=1e-17).status[0, 0] == Status.UNRESOLVED


def test_the_resolution_limit_holds() -> None:
    slope = float(np.cos(0.7))
    assert judged(slope, resolution_limit=1e-6).status[0, 0] == Status.PASS
    assert judged(slope).resolution < 1e-8
    coarse = numerics.compare(in_float32(np.sin), np.array([0.7]), np.array([[slope]]), resolution_limit=1e-8)
    assert coarse.status[0, 0] == Status.UNRESOLVED
    assert np.isnan(coarse.resolution)


@pytest.mark.parametrize("name", ["rtol", "atol", "resolution_limit"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_tolerances_are_checked(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be a finite number of at least 0, got {value}"):
        judged(0.7, **{name: value})


def test_the_safety_factor_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=40)

    def mismatches() -> int:
        return numerics.compare(np.sin, x, np.diag(np.cos(x)) * (1 + 3e-15)).count(Status.MISMATCH)

    assert mismatches() == 0
    for name in ("SAFETY", "_HULL", "_THEORY_ROUNDINGS", "_SPECK", "_SPECK_ROUNDINGS"):
        monkeypatch.setattr(judgement, name, 0.0)
    assert mismatches() > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nonfinite_theory_is_said_so(value: float) -> None:
    found = judged(value)
    assert found.status[0, 0] == Status.NONFINITE
    assert np.isfinite(found.numerical).all()


# The whole


def test_compare_asks_for_points_in_pieces_and_few_times() -> None:
    x = np.linspace(-2, 2, 30)
    calls: list[int] = []

    def counting(points: np.ndarray) -> np.ndarray:
        calls.append(len(points))
        return np.asarray(relu(points))

    slopes = np.diag((x > 0) * 1.0)
    whole = numerics.compare(counting, x, slopes)
    assert len(calls) <= 2
    calls.clear()
    pieces = numerics.compare(counting, x, slopes, max_points=64)
    assert max(calls) <= 64
    assert (whole.status == pieces.status).all()
    assert (whole.bound == pieces.bound).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_jacobians(shape: tuple[int, int]) -> None:
    found = numerics.compare(lambda p: np.zeros((len(p), shape[1])), np.zeros(shape[0]), np.zeros(shape))
    assert found.status.shape == shape
    assert np.isnan(found.resolution)


def test_compare_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="transposed"):
        numerics.compare(lambda p: p[:, :1], np.zeros(2), np.zeros((1, 2)))
    with pytest.raises(InputError, match="x_size 2"):
        numerics.compare(lambda p: p, np.zeros(2), np.zeros((1, 2)), directions=np.zeros((1, 3)))
    with pytest.raises(InputError, match="flat vector"):
        numerics.compare(lambda p: p, np.zeros((2, 1)), np.zeros((1, 2)))


@pytest.mark.parametrize("x", [0.0, 0.7])
@pytest.mark.parametrize(
    ("function", "least", "most"),
    [
        (np.sin, EPS, EPS),
        (in_float32(np.sin), 2.0**-25, 2.0**-21),
        # No float32 number comes out, so that only noise tells.
        (lambda x: 3.3 * in_float32(lambda y: np.sin(y) * np.float32(0.7))(x), 2.0**-25, 2.0**-21),
        # As close to zero as samples can be no parabola follows it, and yet it is float64.
        (lambda x: x**3, EPS, EPS),
    ],
    ids=["float64", "float32", "float32 scaled", "cube"],
)
def test_the_precision_inside_shows_at_zero_too(function: Any, least: float, most: float, x: float) -> None:
    point = np.full(3, x)
    center, samples = function(point), function(numerics.noise_points(point))
    found = numerics.rounding_eps(center, samples, numerics.noise_level(center, samples))
    assert (found >= least).all(), found
    assert (found <= most).all(), found


@pytest.mark.parametrize("beside", [0, 1, 3])
@pytest.mark.parametrize("of", ["float64", "masked"])
def test_one_output_in_float32_beside_others(beside: int, of: str) -> None:
    """At 0 a product rounds alike at every step that is a power of two, and its gradient rounds in another order."""
    random = np.random.default_rng(0)
    for _ in range(50):
        a, b, c, d = random.uniform(0.5, 1.5, 4).astype(np.float32)

        def function(points: np.ndarray, a=a, b=b, c=c, d=d) -> np.ndarray:
            low = (((points[:, 0].astype(np.float32) * a) * b) * c) * d
            others = [np.sin(points[:, 0] * (k + 1.1)) if of == "float64" else 0 * points[:, 0] for k in range(beside)]
            return np.stack([low.astype(np.float64), *others], axis=1)

        right = np.array([[float(a * (b * (c * d))), *((k + 1.1) * (of == "float64") for k in range(beside))]])
        assert (numerics.compare(function, np.zeros(1), right).status == Status.PASS).all()
        wrong = right * np.array([1.1, *[1.0] * beside])
        assert numerics.compare(function, np.zeros(1), wrong).status[0, 0] in (Status.MISMATCH, Status.UNRESOLVED)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_outputs_that_are_not_finite_warn_nobody(bad: float) -> None:
    """NumPy's warnings are errors here, and in many a suite that this runs in."""

    def function(points: np.ndarray) -> np.ndarray:
        x = points[:, 0]
        return np.stack([np.sin(x), np.full(len(x), bad), np.where(x > 1.0, bad, 1.0)], axis=1)

    found = numerics.compare(function, np.array([1.0]), np.array([[np.cos(1.0), 0.0, 0.0]]))
    assert found.status.tolist() == [[Status.PASS, Status.UNRESOLVED, Status.UNRESOLVED]]


def self_attention(points: np.ndarray, hidden: float) -> tuple[np.ndarray, np.ndarray]:
    """Self-attention in float32 with ``hidden`` taken from every score, ``[k, steps * 3]``, and its weights."""
    steps = points.astype(np.float32).reshape(len(points), -1, 3)
    scores = (steps @ steps.transpose(0, 2, 1)) / np.float32(np.sqrt(3)) - np.float32(hidden)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return (weights @ steps).astype(np.float64).reshape(len(points), -1), weights


def self_attention_jacobian(point: np.ndarray, hidden: float) -> np.ndarray:
    """What its backward pass gives, ``[y_size, x_size]``: the slopes at the weights that the forward pass has."""
    weights = self_attention(point[np.newaxis], hidden)[1][0].astype(np.float64)
    steps = point.reshape(-1, 3)
    rows = []
    for number in range(point.size):
        change = np.zeros(point.size)
        change[number] = 1.0
        change = change.reshape(-1, 3)
        scores = (change @ steps.T + steps @ change.T) / np.sqrt(3)
        shifted = weights * (scores - (weights * scores).sum(axis=-1, keepdims=True))
        rows.append((shifted @ steps + weights @ change).ravel())
    return np.transpose(rows)


@pytest.mark.parametrize("steep", [1.0, 30.0, 300.0])
def test_a_steep_slope_or_many_corners_are_no_quantisation(steep: float) -> None:
    places = np.linspace(-3, 3, 40)

    def smooth(points: np.ndarray) -> np.ndarray:
        x = points.astype(np.float32)
        return np.asarray(np.tanh(np.float32(steep) * (x - 1)) + np.sin(np.float32(steep) * x), np.float64)

    def corners(points: np.ndarray) -> np.ndarray:
        return np.abs(points.astype(np.float32) - places.astype(np.float32)).sum(axis=1, keepdims=True).astype(float)

    found = numerics.compare(smooth, np.array([0.1]), np.array([[2 * steep]]), eps=EPS32)
    assert found.status == Status.MISMATCH
    found = numerics.compare(corners, np.array([0.1]), np.array([[steep + 5]]), eps=EPS32)
    assert found.status == Status.MISMATCH


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("lost", [0.0, 1e3, 1e6])
def test_whatever_passes_is_known_as_well_as_is_asked(size: float, lost: float) -> None:
    """Small outputs beside large ones, with rounding errors of numbers that cancel: what is too coarse is no pass."""
    scales, x = np.array([1.0, size, size]), np.array([0.3, -1.1, 0.7])

    def function(points: np.ndarray) -> np.ndarray:
        return np.asarray(scales * ((np.sin(points) + lost) - lost))

    found = numerics.compare(function, x, np.diag(scales * np.cos(x)))
    assert np.isin(found.status, (Status.PASS, Status.UNRESOLVED)).all()
    # The limit grows with the relative rounding error that was measured.
    limit = judgement.default_resolution_limit(max(1.0, lost) * 2.0**-51)
    if (found.status == Status.PASS).all():
        assert found.resolution <= limit, found
    else:
        assert lost


def test_numbers_that_cancel_in_one_output_do_not_coarsen_another() -> None:
    def function(points: np.ndarray) -> np.ndarray:
        return np.stack([(points[:, 0] - points[:, 1]) ** 2, np.sin(points[:, 0])], axis=1)

    right = np.array([[0.0, np.cos(1.0)], [0.0, 0.0]])
    assert numerics.compare(function, np.ones(2), right).resolution < 1e-8
    wrong = numerics.compare(function, np.ones(2), right * (1 + 1e-6))
    assert np.argwhere(wrong.status == Status.MISMATCH).tolist() == [[0, 1]]


@pytest.mark.parametrize("at", [0.0, 1.0])
def test_eigenvalues_that_meet_are_not_called_wrong(at: float) -> None:
    """Which vectors belong to equal eigenvalues is a choice, and so is the gradient; the pieces around are curved."""

    def eigenvalues(points: np.ndarray) -> np.ndarray:
        matrices = points.reshape(-1, 3, 3)
        return np.linalg.eigvalsh(matrices + matrices.transpose(0, 2, 1))

    chosen = np.zeros((3, 9))
    chosen[[0, 1, 2], [0, 4, 8]] = 2.0
    found = numerics.compare(eigenvalues, at * np.eye(3).ravel(), chosen.T)
    assert Status.MISMATCH not in found.status
    apart = np.diag([1.0, 2.0, 3.0]).ravel()
    assert (numerics.compare(eigenvalues, apart, chosen.T).status == Status.PASS).all()
    assert Status.MISMATCH in numerics.compare(eigenvalues, apart, 1.001 * chosen.T).status


# Functions that end, or have a pole, at 1, and their derivatives.
_ENDING = {
    "acos": (np.arccos, lambda x: -1 / np.sqrt((1 - x) * (1 + x))),
    "log": (lambda x: np.log(1 - x), lambda x: -1 / (1 - x)),
    "root": (lambda x: np.sqrt(1 - x * x), lambda x: -x / np.sqrt((1 - x) * (1 + x))),
}


@pytest.mark.parametrize("place", [0.25, -1.5, 3.0])
def test_the_top_of_a_fast_wave(place: float) -> None:
    """Its slope is 0 but for the rounding of what is steep beside it, and needs no digits of its own."""
    speed = 2.0**9 * np.pi

    def waves(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.cos(speed * x), np.sin(speed * x)], axis=-1)

    point = np.array([place])
    slopes = speed * np.array([[-np.sin(speed * place), np.cos(speed * place)]])
    found = numerics.compare(waves, point, slopes)
    assert found.status.tolist() == [[Status.PASS, Status.PASS]]
    assert found.resolution < 1e-4
    off = numerics.compare(waves, point, slopes + np.array([[1e-2, 0.0]]))
    assert off.status[0, 0] in (Status.MISMATCH, Status.UNRESOLVED)
    assert off.status[0, 1] == Status.PASS


def test_a_relative_tolerance_alone_leaves_zeros_decided() -> None:
    def function(x: np.ndarray) -> np.ndarray:
        return np.sin(x)

    point = np.array([0.3, 1.1, -2.0])
    right = np.diag(np.cos(point))
    found = numerics.compare(function, point, right, rtol=1e-3)
    assert (found.status == Status.PASS).all()
    wrong = right + 1e-6 * np.eye(3)[::-1]  # in entries that are 0, and the middle one
    found = numerics.compare(function, point, wrong, rtol=1e-3)
    assert found.status.tolist() == [[0, 0, 2], [0, 0, 0], [2, 0, 0]]  # what stands still convicts nobody
