"""Arguments that cannot be checked: each raises `InputError` with the value, and none is taken for another."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as hs

import gradcheck
from gradcheck import InputError, Verdict
from gradcheck import strategies as st

X = np.array([1.0, 2.0])
# As many axes as NumPy has; its iterators stop at 32.
_WIDE = np.ones((1,) * (40 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32))


def double(values: Any) -> Any:
    return values * 2.0


class Raising:
    """An argument whose every part raises."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise OSError("no array")

    def __repr__(self) -> str:
        raise OSError("no repr")

    __str__ = __repr__


class Shapeless:
    """An argument that cannot even be asked for its class."""

    def __getattribute__(self, name: str) -> Any:
        raise OSError(f"no {name}")


class Leaving:
    """An argument that ends the program when it is read, or when it is shown."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        sys.exit(0)

    __repr__ = __array__


class Mute(float):
    def __repr__(self) -> str:
        raise OSError("no repr")


class Speechless(Exception):
    def __str__(self) -> str:
        raise OSError("no text")


def speechless(values: Any) -> Any:
    raise Speechless


class Evasive:
    def __getattr__(self, name: str) -> Any:
        raise OSError(f"no {name}")

    def __call__(self, values: Any) -> Any:
        return values


def itself() -> list[Any]:
    made: list[Any] = [1.0]
    made.append(made)
    return made


def structured() -> Any:
    return np.zeros(2, [("a", "f8"), ("b", "i4")])


@pytest.mark.parametrize(
    "argument",
    [
        np.array(["2020-01-01"], "datetime64[D]"),
        structured(),
        np.array([1.0], np.longdouble),
        {1: X, "a": X},
        itself(),
        Raising(),
        [X, Raising()],
        object(),
        np.array([object()]),
        {"a": {1, 2}},
        Leaving(),
        Mute(1.0),
        tf.data.Dataset.range(3),
    ],
    ids=[
        "datetime64",
        "structured",
        "longdouble",
        "mixed keys",
        "itself",
        "raising",
        "inside",
        "object",
        "objects",
        "set",
        "leaving",
        "mute",
        "dataset",
    ],
)
def test_arguments_of_a_check(argument: Any) -> None:
    with pytest.raises(InputError):
        gradcheck.check(double, argument, modes="eager")
    with pytest.raises(InputError):
        gradcheck.search(double, hs.just(argument), modes="eager", max_examples=1)


def test_an_argument_that_cannot_be_asked_for_its_class() -> None:
    with pytest.raises(InputError):
        gradcheck.check(double, Shapeless(), modes="eager")
    with pytest.raises(InputError):
        gradcheck.check(Shapeless(), X, modes="eager")
    with pytest.raises(InputError):
        gradcheck.suite(double, modes=Shapeless())


PARTS = {
    "raising": Raising,
    "shapeless": Shapeless,
    "leaving": Leaving,
    "itself": itself,
    "vector": lambda: np.ones(3),
    "structured": structured,
    "huge": lambda: 10**400,
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_batch(name: str) -> None:
    part = PARTS[name]()
    for make in (
        lambda: gradcheck.Batch(part, np.array([1])),
        lambda: gradcheck.Batch(np.ones((1, 2, 1)), part),
        lambda: gradcheck.Batch(np.ones((1, 2, 1)), np.array([1]), part),
        lambda: gradcheck.Padding(part),
        lambda: gradcheck.Padding(fill=part),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("beside", [np.array(["a"]), tf.constant("a"), _WIDE], ids=["text", "tf", "axes"])
def test_arguments_held_constant_or_of_many_axes(beside: Any) -> None:
    report = gradcheck.check(lambda values, other: values * 2.0, X, beside, modes="graph")
    assert report["graph"].verdict is Verdict.PASS
    assert eval(report.arguments, {"np": np})[0].tolist() == X.tolist()


def test_an_exception_without_a_text_is_an_error_of_the_subject() -> None:
    result = gradcheck.check(speechless, X, modes="eager")["eager"]
    assert (result.verdict, "Speechless, whose text raises OSError" in result.cause) == (Verdict.ERROR, True)


def test_what_a_callback_raises_reaches_the_caller_at_once() -> None:
    calls = []

    def fails(*args: Any) -> None:
        calls.append(args)
        raise ZeroDivisionError

    for name in ("on_example", "on_mode"):
        with pytest.raises(ZeroDivisionError):
            gradcheck.search(double, hs.just(X), modes="eager", max_examples=3, **{name: fails})
    assert len(calls) == 2


def test_a_failure_whose_arguments_are_no_code_has_a_script_that_says_so() -> None:
    from collections import namedtuple

    made = namedtuple("made", "a b")
    report = gradcheck.check(lambda pair: 1 / 0, made(X, X), modes="eager")
    script = report.scripts["eager"]
    compile(script, "<script>", "exec")
    assert "There is no script for" in script


@pytest.mark.parametrize(
    "subject", [Raising(), 3, None, lambda: 3, type("Broken", (), {"__init__": lambda self: 1 / 0})]
)
def test_subjects(subject: Any) -> None:
    with pytest.raises(InputError):
        gradcheck.check(subject, X, modes="eager")


def test_a_subject_that_cannot_be_looked_at() -> None:
    with pytest.raises(InputError, match=r"cannot be looked at \(OSError: no "):
        gradcheck.check(Evasive(), X, modes="eager")


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"modes": 3}, "modes must be names"),
    ({"modes": [["eager"]]}, "unknown mode"),
    ({"modes": []}, "modes is empty"),
    ({"modes": b"eager"}, "unknown mode 101"),
    ({"wrt": ""}, "wrt must be one of"),
    ({"wrt": ["inputs"]}, "wrt must be one of"),
    ({"engine": ""}, "engine must be one of"),
    ({"engine": 3}, "engine must be one of"),
    ({"order": 1.0}, "order must be 1"),
    ({"order": True}, "order must be 1"),
    ({"padding": "yes"}, "padding must be True or False; got 'yes'"),
    ({"padding": 1}, "padding must be True or False"),
    ({"invariants": np.array(["row_alone", "all"])}, "is not an invariant"),
    ({"invariants": [[]]}, "is not an invariant"),
    ({"invariants": 3}, "invariants must be names"),
    ({"expect": {"eager": "pass"}}, "unknown verdict 'pass'; did you mean 'PASS'"),
    ({"expect": {"xla": "PASS"}, "modes": "eager"}, "expect says what xla comes to, and the modes are eager"),
    ({"expect": {"xla": "NONSENSE"}}, "unknown verdict 'NONSENSE'"),
    ({"expect": 3}, "expect must be a verdict"),
    ({"call": 3}, "call= must be callable"),
]
TOLERANCES: list[tuple[dict[str, Any], str]] = [
    ({"atol": True}, "atol must be a finite number of at least 0, got True"),
    ({"rtol": np.bool_(False)}, "rtol must be a finite number"),
    ({"rtol": 10**400}, "rtol must be a finite number"),
    ({"rtol": float("nan")}, "rtol must be a finite number"),
    ({"atol": "small"}, "atol must be a finite number"),
    ({"resolution_limit": 0}, "resolution_limit must be above 0, got 0"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS + TOLERANCES, ids=str)
def test_options_of_a_check(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gradcheck.check(double, X, **{"modes": "eager", **options})


SEARCHED: list[tuple[dict[str, Any], str]] = [
    ({"seed": "abc"}, "seed must be a whole number, or None; got 'abc'"),
    ({"seed": 1.5}, "seed must be a whole number"),
    ({"seed": True}, "seed must be a whole number"),
    ({"isolate": "yes"}, "isolate must be True, False"),
    ({"isolate": 1}, "isolate must be True, False"),
    ({"on_example": 5}, "on_example must be callable"),
    ({"on_mode": "f"}, "on_mode must be callable"),
    ({"max_examples": True}, "max_examples must be a whole number of at least 1; got True"),
    ({"max_examples": "5"}, "max_examples must be a whole number"),
    ({"unknown": 3}, "unknown option 'unknown'"),
    ({"seed": 10**400}, r"seed must be from -2\*\*63"),
    ({"database": 3}, "database must be one of Hypothesis's"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS[:-1] + SEARCHED, ids=str)
def test_options_of_a_search(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gradcheck.search(double, hs.just(X), **{"modes": "eager", **options})


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (hs.nothing(), "draws no example"),
        (hs.just(1.0).filter(lambda x: False), "draws no example"),
        (hs.just(1.0).map(lambda x: 1 / 0), "cannot draw examples: ZeroDivisionError"),
        (hs.just(1.0).map(speechless), "cannot draw examples: Speechless, whose text raises OSError"),
        (hs.just(1.0).map(lambda x: sys.exit(0)), "cannot be made of this: looking at it raised SystemExit: 0"),
        (st.batches(max_length=Raising()), "cannot draw examples: OSError: no repr"),
        (hs.lists("abc"), "cannot draw examples: InvalidArgument"),
        (st.batches(features=3, max_length=-1), "max_length"),
        (3, "needs a Hypothesis strategy"),
    ],
    ids=["nothing", "filtered", "raising", "speechless", "leaving", "ours raising", "invalid", "ours", "none"],
)
def test_strategies(strategy: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        gradcheck.search(double, strategy, modes="eager", max_examples=3, seed=0)


@pytest.mark.parametrize("options", [{"expect": {"eager": "pass"}}, {"name": 3}, {"modes": 3}], ids=str)
def test_options_of_a_suite(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        gradcheck.suite(double, **options)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_subject_that_ends_the_program_is_an_error_of_the_subject(mode: str) -> None:
    def leaving(values: Any) -> Any:
        sys.exit(0)

    result = gradcheck.check(leaving, X, modes=mode)[mode]
    assert (result.verdict, "SystemExit(0)" in result.cause) == (Verdict.ERROR, True)


def test_what_is_right_still_passes() -> None:
    options = {"expect": {"eager": ["PASS"]}, "padding": np.True_, "order": np.int64(1), "rtol": 0, "atol": 1e-3}
    assert gradcheck.check(tf.math.square, X, modes=("eager",), **options).ok
