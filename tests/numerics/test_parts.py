"""Steps, noise, first look, ladder and judge each by itself, and proof that each is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import InputError, numerics
from gradcheck.numerics import Kind, Status, judging, ladder

from .functions import Composition, aliased, in_float32, relu, wholly_in_bfloat16, wholly_in_float16

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
        return np.take_along_axis(spread, best[None], 0)[0], error.min(axis=0), best + 2

    monkeypatch.setattr(ladder, "_best_window", unconfirmed)
    assert abs(refined(aliased, 0.0).value[0, 0]) < 1e-6


def test_too_large_a_noise_does_not_convict() -> None:
    """Told of far too much noise, far rungs of a wavy function win; the near ones speak for the truth."""

    def wavy(x: np.ndarray) -> np.ndarray:
        return np.sin(300 * x) + 0.01 * np.cos(1e5 * x) / 1e5

    slope = 300 * np.cos(300 * 0.3)
    told = refined(wavy, 0.3, noise=0.5, theoretical=np.array([[slope]]))
    nothing = numerics.Estimate(np.zeros((1, 1)), np.full((1, 1), np.inf), np.ones((1, 1), bool))
    assert numerics.judge(np.array([[slope]]), nothing, told).status[0, 0] != Status.MISMATCH


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


def test_pieces_in_narrow_cones_are_met() -> None:
    """All three units are off in a cone only, in which one input moves 3 times as much as another."""
    first = np.array([[-0.5, 0.0, 1.5], [0.5, -1.5, 0.0], [-0.5, 0.0, -1.5]])
    function = Composition(((first, np.zeros(3), "leaky"), (np.array([[0.5, 0.5, -1.5]]), np.zeros(1), "sin")))
    found = numerics.compare(function, np.zeros(3), function.jacobian(np.zeros(3)))
    assert Status.MISMATCH not in found.status, found
    assert Status.MISMATCH in numerics.compare(function, np.zeros(3), np.full((3, 1), 9.0)).status


def test_units_behind_units_where_the_sides_have_one_slope() -> None:
    """What leaky behind leaky has for a gradient at 0 lies between no slopes; those of one unit behind it convict."""
    first = np.array([[0.0, 0.0, 0.5], [0.0, -0.5, 0.5]])
    function = Composition(((first, np.zeros(2), "leaky"), (np.array([[-0.5, -1.5]]), np.zeros(1), "leaky")))
    x = np.zeros(3)
    found = numerics.compare(function, x, function.jacobian(x))
    assert (found.left[2], found.right[2]) == (pytest.approx(-0.1), pytest.approx(-0.1))
    assert found.status[2] == Status.UNRESOLVED, found

    def alone(points: np.ndarray) -> np.ndarray:
        return np.abs(points[:, :1]) + 3 * points[:, 1:2]

    assert numerics.compare(alone, x, np.array([[0.0], [-3.0], [0.0]])).status[1] == Status.MISMATCH


def test_one_corner_among_many_inputs_is_still_a_mismatch_outside_its_slopes() -> None:
    x = np.array([0.0, 0.3, -0.4])
    right = np.diag([0.0, 1.0, -1.0])
    assert numerics.compare(np.abs, x, right).status[0, 0] == Status.KINK
    right[0, 0] = 1.5
    assert np.argwhere(numerics.compare(np.abs, x, right).status == Status.MISMATCH).tolist() == [[0, 0]]


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
        monkeypatch.setattr(numerics.judging, name, 0.0)
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


@pytest.mark.parametrize("value", [0.0, -1.0, 0.3, 100.0])
@pytest.mark.parametrize("count", [3, 4, 8])
def test_equal_numbers_sorted_in_float32(count: int, value: float) -> None:
    """What comes second does not move along any axis, and is no nearer to 0 than to 1 in any piece."""
    function = in_float32(lambda points: np.sort(points, axis=1))
    assert Status.MISMATCH not in numerics.compare(function, np.full(count, value), np.eye(count)).status
    assert Status.MISMATCH in numerics.compare(function, np.full(count, value), 2 * np.eye(count)).status


@pytest.mark.parametrize("apart", [1e-15, 3e-14, 1e-13, 9.1e-13, 1e-10, 1e-7, 1e-4])
@pytest.mark.parametrize("place", range(6))
def test_equal_numbers_sorted_beside_one_that_is_hardly_larger(apart: float, place: int) -> None:
    """That one comes last wherever it stands, so the piece that a sort chooses is neither the rising nor the falling
    one; a random one is met once in 720.
    """
    x = np.zeros(6)
    x[place] = apart
    gradient = np.eye(6)[:, np.argsort(x, kind="stable")]  # [inputs, outputs]
    assert Status.MISMATCH not in numerics.compare(lambda points: np.sort(points, axis=1), x, gradient).status
    wrong = numerics.compare(lambda points: np.sort(points, axis=1), x, 2 * gradient)
    assert Status.MISMATCH in wrong.status


@pytest.mark.parametrize("short", [wholly_in_bfloat16, wholly_in_float16])
@pytest.mark.parametrize("x", [0.3, 1.0, 2.6, 3.0, -1.7, 40.0])
def test_what_stands_still_for_want_of_bits_is_not_called_wrong(short: Any, x: float) -> None:
    """Nothing moves at any distance from which a slope is measured, and the gradient is right."""
    for function, slope in (
        (lambda y: np.tanh(y), 1 - np.tanh(x) ** 2),
        (lambda y: y * y, 2 * x),
        (lambda y: 3 * y, 3.0),
        (lambda y: np.sin(y), np.cos(x)),
    ):
        found = numerics.compare(short(function), np.array([x]), np.array([[slope]]))
        assert Status.MISMATCH not in found.status, (slope, found)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_outputs_that_are_not_finite_warn_nobody(bad: float) -> None:
    """NumPy's warnings are errors here, and in many a suite that this runs in."""

    def function(points: np.ndarray) -> np.ndarray:
        x = points[:, 0]
        return np.stack([np.sin(x), np.full(len(x), bad), np.where(x > 1.0, bad, 1.0)], axis=1)

    found = numerics.compare(function, np.array([1.0]), np.array([[np.cos(1.0), 0.0, 0.0]]))
    assert found.status.tolist() == [[Status.PASS, Status.UNRESOLVED, Status.UNRESOLVED]]


def test_what_stands_still_beside_a_large_constant_in_float32() -> None:
    def function(x: np.ndarray) -> np.ndarray:
        return np.float32(1e-3) * x + np.float32(1000)

    for x in (0.5, 0.3, -0.7, 1.0):
        found = numerics.compare(in_float32(function), np.array([x]), np.array([[1e-3]]))
        assert found.status != Status.MISMATCH
        assert found.resolution > 0.02 or np.isnan(found.resolution)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_what_is_rounded_away_beside_a_constant_that_is_taken_away_again(scale: float) -> None:
    """Around a tiny x the output is exactly 0, and its roundings show further away only."""
    x = 9.09e-13
    slope = scale * 2 * x / (x * x + 0.01)

    def function(points: np.ndarray) -> np.ndarray:
        return scale * (np.log(points**2 + 0.01) - np.log(0.01))

    for right in (slope, 0.0):
        assert numerics.compare(function, np.array([x]), np.array([[right]])).status != Status.MISMATCH
    wrong = numerics.compare(function, np.array([0.3]), np.array([[scale * 0.6 / 0.1 * 1.001]]))
    assert wrong.status == Status.MISMATCH


@pytest.mark.parametrize("x", [-(2.0**-40), -6 * 2.0**-47, -3e-14])
def test_a_corner_next_to_a_short_number_is_no_rounding(x: float) -> None:
    """Short steps from a short number lead to whole numbers of its last bit, without any rounding."""
    point = np.array([x, 1.0])
    for slope, status in ((0.0, Status.PASS), (1.5, Status.MISMATCH)):
        found = numerics.compare(relu, point, np.array([[slope, 0.0], [0.0, 1.0]]))
        assert found.status[0, 0] == status, (slope, found)


@pytest.mark.parametrize("hidden", [-1e9, -3e38])
@pytest.mark.parametrize("x", [[-0.6875, -0.1875], [0.0, 0.0], [5.0, -7.0]])
def test_inputs_that_a_large_constant_swallows_convict_nobody(x: list[float], hidden: float) -> None:
    """The softmax of a row that is hidden as a whole, in float32: uniform, whatever the scores."""

    def softmax(points: np.ndarray) -> np.ndarray:
        scores = points.astype(np.float32) + np.float32(hidden)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float64)

    right = np.array([[0.25, -0.25], [-0.25, 0.25]])
    found = numerics.compare(softmax, np.array(x), right)
    assert (found.status == Status.UNRESOLVED).all(), found
    assert (found.bound >= 0.25).all()

    def beside_a_mask(points: np.ndarray) -> np.ndarray:
        # The inputs are cut off in the forward pass, and nothing ever moves.
        return softmax(points * 0)

    assert (numerics.compare(beside_a_mask, np.array(x), right).status == Status.MISMATCH).all()

    def attended(points: np.ndarray) -> np.ndarray:
        # The output moves with the values, as attention does; with the scores it does not.
        return (softmax(points[:, :2]) * points[:, 2:]).astype(np.float32).sum(axis=1, keepdims=True).astype(np.float64)

    point = np.array([*x, 1.0, -2.0])
    slopes = np.array([[0.25 * 3, -0.25 * 3, 0.5, 0.5]])
    status = numerics.compare(attended, point, slopes.T).status[:, 0]
    assert status.tolist() == [Status.UNRESOLVED] * 2 + [Status.PASS] * 2
    status = numerics.compare(attended, point, slopes.T * [[1], [1], [1], [2]]).status[:, 0]
    assert status.tolist() == [Status.UNRESOLVED] * 2 + [Status.PASS, Status.MISMATCH]


def test_what_rounds_next_to_zero_leaves_the_other_inputs_decided() -> None:
    """exp(x) - 1 has few digits there. Outputs with a corner that do not move with an input are right about that."""

    def selu(points: np.ndarray) -> np.ndarray:
        return np.where(points > 0, points, 1.67 * (np.exp(np.minimum(points, 0.0)) - 1))

    point = np.array([64.0, 0.0, 0.0, 64.0, 0.0])
    found = numerics.compare(selu, point, np.diag([1.0, 1.0, 1.67, 1.0, 1.0]))
    assert set(np.unique(found.status)) == {Status.PASS, Status.KINK}, found


@pytest.mark.parametrize("function", [np.sin, np.tanh, np.log1p, lambda x: np.exp(x) - 1, lambda x: np.log(1 + x)])
@pytest.mark.parametrize("wrong", [1e-4, 1.0])
def test_an_output_that_is_zero_and_stays_so_convicts(function: Any, wrong: float) -> None:
    """It rounds next to 0, along its own input. Along another one it is 0 at every step, and only 0 is right."""
    point = np.array([0.3, 0.0])
    right = np.diag([(function(0.3 + 1e-6) - function(0.3 - 1e-6)) / 2e-6, 1.0])
    found = numerics.compare(function, point, right, atol=1e-6)
    assert (found.status == Status.PASS).all(), found
    found = numerics.compare(function, point, right + np.array([[0.0, wrong], [0.0, 0.0]]))
    assert found.status[0, 1] == Status.MISMATCH, found


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


@pytest.mark.parametrize("eps", [EPS, EPS32])
@pytest.mark.parametrize("hidden", [1e4, 1e5, 1e7, 1e9])
def test_a_slope_within_one_tread_of_a_staircase_convicts_nobody(hidden: float, eps: float) -> None:
    """Scores rounded beside a large constant, of an output that moves with its values all the same."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        point = random.normal(size=3 * random.integers(2, 4)).astype(np.float32).astype(np.float64)
        right = self_attention_jacobian(point, hidden)
        found = numerics.compare(lambda points: self_attention(points, hidden)[0], point, right.T, eps=eps)
        assert not (found.status == Status.MISMATCH).any(), (seed, found)
        assert (found.status == Status.UNRESOLVED).any()
        clear = numerics.compare(lambda points: self_attention(points, 0.0)[0], point, 1.1 * right.T, eps=eps)
        assert (clear.status == Status.MISMATCH).any()


def test_stairs_excuse_what_climbs_them_and_nothing_else() -> None:
    """A staircase in one coordinate, and a wrong gradient of another, or of another output."""

    def climbing(points: np.ndarray) -> np.ndarray:
        first, second = points.astype(np.float32).T
        stepped = (first * first + np.float32(1e5)) - np.float32(1e5)
        return np.stack([stepped + np.sin(second) + first, first * np.sin(second)], axis=1).astype(np.float64)

    x, y = 0.7, 0.3
    right = np.array([[2 * x + 1, np.sin(y)], [np.cos(y), x * np.cos(y)]])
    status = numerics.compare(climbing, np.array([x, y]), right, eps=EPS32).status
    assert status.tolist() == [[Status.UNRESOLVED, Status.PASS], [Status.PASS, Status.PASS]]
    status = numerics.compare(climbing, np.array([x, y]), right * [[1, 1.3], [1.3, 1.3]], eps=EPS32).status
    assert status.tolist() == [[Status.UNRESOLVED, Status.MISMATCH], [Status.MISMATCH, Status.MISMATCH]]


@pytest.mark.parametrize("steep", [1.0, 30.0, 300.0])
def test_a_steep_slope_or_many_corners_are_no_stairs(steep: float) -> None:
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


@pytest.mark.parametrize("epsilon", [1e-3, 1e-6, 1e-7])
def test_a_guarded_division_at_zero_is_measured(epsilon: float) -> None:
    """x / (|x| + epsilon): the error of a central difference has odd powers of the step there."""

    def normalised(points: np.ndarray) -> np.ndarray:
        size = np.sqrt((points**2).sum(axis=1, keepdims=True))
        return np.asarray(points / (size + epsilon))

    right = np.eye(2) / epsilon
    found = numerics.compare(normalised, np.zeros(2), right)
    assert (found.status == Status.PASS).all(), found
    assert found.resolution < 1e-5
    found = numerics.compare(normalised, np.zeros(2), right * [[1.0001, 1], [1, 1]])
    assert found.status[0, 0] == Status.MISMATCH


@pytest.mark.parametrize("beyond", [1e-6, 1e-5])
def test_just_beyond_a_clip_bound_the_slope_is_zero(beyond: float) -> None:
    """The samples for the noise reach back across the bound, and see a corner."""

    def clipped(points: np.ndarray) -> np.ndarray:
        return np.asarray(np.arcsin(np.clip(points, beyond - 1, 1 - beyond)))

    x = np.array([1.0, -1.0])
    assert (np.diag(numerics.compare(clipped, x, np.zeros((2, 2))).status) == Status.PASS).all()
    leaking = np.diag([0.0, 1 / np.sqrt(2 * beyond)])
    assert numerics.compare(clipped, x, leaking).status[1, 1] == Status.MISMATCH


def test_an_error_in_tiny_entries_beside_ordinary_outputs_is_seen() -> None:
    """log_softmax of scores 10 apart: outputs of 4.5e-5 are small by cancellation, their gradients smaller yet."""

    def loss(x: np.ndarray) -> np.ndarray:
        scores = np.stack([np.cos(x[:, 0] * 1e-3), np.sin(x[:, 1] * 1e-3) - 0.001], axis=1) * 10
        scores = np.concatenate([scores, 0 * scores[:, :1] + 0.01], axis=1)
        top = scores.max(axis=1, keepdims=True)
        return np.log(np.exp(scores - top).sum(axis=1, keepdims=True)) - np.array([[0.0, 0.0, 1.0]]) * (scores - top)

    point = np.array([0.7, 0.4])
    h = 1e-3
    right = np.stack([(loss(point[None] + d) - loss(point[None] - d))[0] / (2 * h) for d in h * np.eye(2)])
    found = numerics.compare(loss, point, right)
    assert (found.status == Status.PASS).all(), found
    assert found.resolution < 1e-4
    for place in ((0, 0), (1, 1)):
        assert 1e-13 < abs(right[place]) < 1e-6, right
        wrong = right.copy()
        wrong[place] *= 1.5
        assert numerics.compare(loss, point, wrong).status[place] == Status.MISMATCH, (place, right)


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
    limit = judging.default_resolution_limit(max(1.0, lost) * 2.0**-51)
    if (found.status == Status.PASS).all():
        assert found.resolution <= limit, found
    else:
        assert lost


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (np.round, 20.3),
        (np.floor, 3.5),
        (np.sign, 2.0),
        (lambda x: 0 * x + 0.75, 1.0),
        (lambda x: 0 * x + 1.0078125, 1.0),  # a number that uses the last bit of bfloat16
        (lambda x: np.where(x < 1.01, 1.0078125, 1.5), 1.0),
        (lambda x: np.where(np.isfinite(x) & (np.abs(x - 1) < 0.01), 0.75, np.nan), 1.0),
    ],
    ids=["round", "floor", "sign", "constant", "a constant of bfloat16", "a step", "nowhere else"],
)
def test_what_stands_still_in_float64_has_no_slope(function: Any, x: float) -> None:
    """As a straight-through estimator, which passes a gradient through what does not move."""
    assert numerics.compare(function, np.array([x]), np.array([[1.0]])).status == Status.MISMATCH
    assert numerics.compare(function, np.array([x]), np.array([[0.0]])).status == Status.PASS


def test_numbers_that_cancel_in_one_output_do_not_coarsen_another() -> None:
    def function(points: np.ndarray) -> np.ndarray:
        return np.stack([(points[:, 0] - points[:, 1]) ** 2, np.sin(points[:, 0])], axis=1)

    right = np.array([[0.0, np.cos(1.0)], [0.0, 0.0]])
    assert numerics.compare(function, np.ones(2), right).resolution < 1e-8
    wrong = numerics.compare(function, np.ones(2), right * (1 + 1e-6))
    assert np.argwhere(wrong.status == Status.MISMATCH).tolist() == [[0, 1]]


def test_a_point_that_does_not_belong_to_its_surroundings() -> None:
    """As the triangle of a QR decomposition, the sign of which is another one where it is a triangle already."""

    def branch(points: np.ndarray) -> np.ndarray:
        sign = np.where((points == 0).all(axis=1), 1.0, -1.0)
        return sign[:, np.newaxis] * np.stack([2 + points[:, 0], 3 * points[:, 0]], axis=1)

    def judged(function: Any, slopes: list[float]) -> np.ndarray:
        return numerics.compare(function, np.zeros(1), np.array([slopes])).status

    assert Status.MISMATCH not in judged(branch, [1.0, 3.0])
    # A jump to one side, a corner, a vertical tangent: none of them excuses a wrong gradient beside it.
    for other in (np.floor, np.abs, lambda x: np.sqrt(np.abs(x)), np.cos):
        beside = judged(lambda points, f=other: np.stack([f(points[:, 0]), 3 * points[:, 0]], axis=1), [0.0, -3.0])
        assert beside[0, 1] == Status.MISMATCH, other


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


def test_what_is_drawn_at_random_is_not_swept_for_stairs() -> None:
    """It seems to be stairs at every distance, and in eager mode every point of a sweep is a call."""
    random, asked = np.random.default_rng(0), 0

    def drawn(points: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += len(points)
        return np.sin(points) * (1 + 0.01 * random.random(points.shape))

    x = np.array([0.3, 0.0, -3.0, -2.0])
    numerics.compare(drawn, x, np.diag(1.7 * np.cos(x)))
    assert asked < 1000  # 2547 with sweeps


# Functions that end, or have a pole, at 1, and their derivatives.
_ENDING = {
    "acos": (np.arccos, lambda x: -1 / np.sqrt((1 - x) * (1 + x))),
    "log": (lambda x: np.log(1 - x), lambda x: -1 / (1 - x)),
    "root": (lambda x: np.sqrt(1 - x * x), lambda x: -x / np.sqrt((1 - x) * (1 + x))),
}


@pytest.mark.parametrize("name", list(_ENDING))
def test_next_to_its_end_a_function_bends_and_has_no_steps(name):
    """Half a millionth to a ten-thousandth away: what bends between the samples for the noise is no staircase."""
    function, slope = _ENDING[name]
    random = np.random.default_rng(3)
    for _ in range(60):
        x = random.uniform(-0.8, 0.8, 4)
        x[2] = 1 - 10 ** random.uniform(-6.3, -4)
        with np.errstate(all="ignore"):
            right = np.diag(slope(x))
            wrong = right * np.where(np.arange(4) == 2, 1.001, 1.0)
            assert (numerics.compare(function, x, right).status == Status.PASS).all(), x[2]
            assert numerics.compare(function, x, wrong).status[2, 2] == Status.MISMATCH, x[2]


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
    assert found.status.tolist() == [[0, 0, 3], [0, 0, 0], [3, 0, 0]]
