"""Scripts that are really run, without gradcheck: each shows its failure, and is silent for the right twin."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck.reproduce import Failure, build_script
from gradcheck.verdicts import Verdict

tf = pytest.importorskip("tensorflow")

HERE = Path(__file__).parent
MODES = ("eager", "graph", "dynamic", "xla")


def _load() -> Any:
    # As a module by name, as the user's own would be.
    spec = importlib.util.spec_from_file_location("reproduce_subjects", HERE / "subjects.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reproduce_subjects"] = module
    spec.loader.exec_module(module)
    return module


subjects = _load()

VALUES = np.arange(12, dtype=np.float64).reshape(2, 3, 2) / 8
LENGTHS = np.array([2, 3], np.int32)
MASK = np.array([[True, True, False], [True, True, True]])
ENTRY = {"output_position": (1, 0, 1), "input_leaf": 0, "input_position": (1, 0, 1)}
BATCH: dict[str, Any] = {"args": (VALUES, LENGTHS), "kwargs": {}, "dynamic_axes": [(0, 1), (0,)]}
MASKED: dict[str, Any] = {"args": (VALUES,), "kwargs": {"mask": MASK}, "dynamic_axes": [(0, 1), (0, 1)]}


def run_scripts(scripts: dict[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    """Exit status and output of each script, from a process that cannot import gradcheck."""
    paths = {}
    for name, text in scripts.items():
        path = folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        paths[str(path)] = name
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    done = subprocess.run(
        [sys.executable, str(HERE / "runner.py"), *paths],
        capture_output=True, text=True, cwd=folder, env=environment, timeout=500, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULTS ")]
    assert lines, done.stderr[-3000:]
    return {paths[path]: result for path, result in json.loads(lines[-1][len("RESULTS ") :]).items()}


def check_twins(wrong: dict[str, Failure], right: dict[str, Failure], folder: Path, scripts_tell: str = "") -> None:
    """Every wrong one must show its failure, and every right one must say that there is none."""
    scripts = {f"wrong_{name}": build_script(failure) for name, failure in wrong.items()}
    scripts |= {f"right_{name}": build_script(failure) for name, failure in right.items()}
    for name, text in scripts.items():
        assert "gradcheck" not in text, name
        assert "PASTE HERE" not in text, f"{name}:\n{text}"
    for name, result in run_scripts(scripts, folder).items():
        last = result["output"].strip().splitlines()[-1:] or [""]
        told = f"{name}: {result['status']}\n{result['output']}\n{scripts[name]}"
        if name.startswith("wrong_"):
            assert (result["status"], last[0].partition(":")[0]) == (1, "FAILURE REPRODUCED"), told
        else:
            assert (result["status"], last[0][:14]) == (0, "not reproduced"), told


def _layer(right: bool) -> Any:
    layer = subjects.Projection(3, right, dtype="float64")
    layer(VALUES)
    return layer


def _wide_layer(right: bool) -> Any:
    layer = subjects.WideProjection(3, right)
    layer(VALUES)
    return layer


def _stock(sine: Any) -> Any:
    layer = tf.keras.layers.GRU(2, return_sequences=True, dtype="float64")
    layer(VALUES)
    return subjects.stock_layer(layer, sine)


def _wrapped(sine: Any) -> Any:
    # Its from_config, as that of MultiHeadAttention, takes parts out of the dict that it is given.
    layer = tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(2, dtype="float64"), dtype="float64")
    layer(VALUES)
    return subjects.stock_layer(layer, sine)


def _nested(right: bool) -> Any:
    offset = 0.25  # a test's own variable
    sine = tf.sin if right else subjects.wrong_sine

    def nested(values, lengths):
        return sine(values + offset) * 2.0

    return nested


def _kinds() -> dict[str, tuple[Callable[[bool], Any], dict[str, Any]]]:
    def sine(right: bool) -> Any:
        return tf.sin if right else subjects.wrong_sine

    def named(name: str) -> Callable[[bool], Any]:
        return lambda right: getattr(subjects, f"{name}_{'right' if right else 'wrong'}")

    return {
        "plain": (named("plain"), BATCH),
        "traced": (named("traced"), BATCH),
        "decorated": (named("decorated"), BATCH),
        "lambda": (named("lambda"), BATCH),
        "partial": (
            lambda right: functools.partial(subjects.with_keyword, sine=sine(right), factor=subjects.TABLE[0]),
            BATCH,
        ),
        "closure": (lambda right: subjects.closure(sine(right), 2.0, subjects.TABLE), BATCH),
        "recursive": (lambda right: subjects.recursive(sine(right)), BATCH),
        "nested": (_nested, BATCH),
        "traced_by_call": (lambda right: tf.function(subjects.closure(sine(right), 0.5, subjects.TABLE)), BATCH),
        "module": (lambda right: subjects.Pooling(3, sine(right)), BATCH),
        "method": (lambda right: subjects.Pooling(3, sine(right)).method, BATCH),
        "object": (lambda right: subjects.Scale(sine(right)), BATCH),
        "layer": (_layer, MASKED),
        "wide_layer": (_wide_layer, MASKED),
        "stock": (lambda right: _stock(sine(right)), MASKED),
        "wrapped": (lambda right: _wrapped(sine(right)), MASKED),
        "mapping": (lambda right: subjects.mapping_output(sine(right)), BATCH | {"output_leaf": 2}),
    }


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_subject_shows_its_wrong_gradient(mode: str, tmp_path: Path) -> None:
    """MISMATCH, for all kinds of subject; each with its right twin. A script's lines for the subject and those for the
    mode know nothing of each other: all kinds run in eager mode, and each in one of the others.
    """
    kinds = list(_kinds().items())
    if mode != "eager":
        kinds = kinds[MODES.index(mode) - 1 :: len(MODES) - 1]
    failures: dict[bool, dict[str, Failure]] = {False: {}, True: {}}
    for name, (make, call) in kinds:
        for right in (False, True):
            failures[right][name] = Failure(
                subject=make(right), mode=mode, verdict=Verdict.MISMATCH, name=name, **{**call, **ENTRY}
            )
    check_twins(failures[False], failures[True], tmp_path)


def test_a_script_runs_as_it_is(tmp_path: Path) -> None:
    """One in a process of its own, as when pasted: exit status and last line."""
    failure = Failure(subject=subjects.plain_wrong, mode="graph", verdict=Verdict.MISMATCH, **BATCH, **ENTRY)
    path = tmp_path / "pasted.py"
    path.write_text(build_script(failure), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1].startswith("FAILURE REPRODUCED: theoretical 0.96245678"), done.stdout
    assert "tf.test.compute_gradient: 0.9624567" in done.stdout


def test_an_error_on_the_way_is_no_failure_that_shows(tmp_path: Path) -> None:
    """On another TensorFlow something may be missing, and a bisection must not take that for the failure."""
    failure = Failure(subject=subjects.plain_wrong, mode="graph", verdict=Verdict.MISMATCH, **BATCH, **ENTRY)
    path = tmp_path / "elsewhere.py"
    path.write_text(build_script(failure).replace("tf.sin(x)", "tf.there_is_no_such_thing(x)"), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert (done.returncode, "there_is_no_such_thing" in done.stderr) == (125, True), done


# -- the other verdicts: what fails, and a twin that does not -------------------------------------------------


def stopped(values, lengths):
    return tf.stop_gradient(values) * 2.0


def cut(values, lengths):
    return tf.cast(tf.numpy_function(lambda x: x * 2.0, [values], tf.float64), tf.float64)


def fine(values, lengths):
    return values * 2.0


def mean_of_rows(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)[:, :, None]
    return tf.reduce_sum(values * mask, 1) / tf.cast(lengths, values.dtype)[:, None]


def mean_over_time(values, lengths):
    return tf.reduce_mean(values, 1)


def different_when_traced(values, lengths):
    return values * (2.0 if tf.executing_eagerly() else 2.5)


class Counter(tf.Module):
    def __init__(self, by):
        super().__init__(name="counter")
        self.calls = tf.Variable(0.0, dtype=tf.float64)
        self.by = by

    def __call__(self, values, lengths):
        return values * self.calls.assign_add(self.by)


def refuses_short_rows(values, lengths):
    tf.debugging.assert_greater(lengths, 2, message="a row is too short")
    return values * 2.0


def needs_a_size(values, lengths):
    positions = tf.cast(tf.ragged.range(lengths).to_tensor(), values.dtype)
    return values[:, : tf.shape(positions)[1]] * positions[:, :, None]


def refuses_much_padding(values, lengths):
    tf.debugging.assert_less(tf.shape(values)[1], 4, message="too many steps")
    return mean_of_rows(values, lengths)


def _other_fill() -> tuple[Any, ...]:
    changed = VALUES.copy()
    changed[0, 2] = 99.0
    return ((changed, LENGTHS), {})


def _more_fill() -> tuple[Any, ...]:
    changed = np.concatenate([VALUES, np.ones((2, 2, 2))], axis=1)
    return ((changed, LENGTHS), {})


def _more_padding() -> tuple[Any, ...]:
    return ((np.concatenate([VALUES, np.zeros((2, 2, 2))], axis=1), LENGTHS), {})


EMPTY_ROW: dict[str, Any] = {"args": (VALUES, np.array([0, 3], np.int32)), "kwargs": {}, "dynamic_axes": [(0, 1), (0,)]}
POOLED = {"output_position": (0, 1), "input_leaf": 0, "input_position": (0, 0, 1)}

OTHERS: dict[str, tuple[Any, Any, str, Verdict, dict[str, Any]]] = {
    "stopped": (stopped, fine, "graph", Verdict.DISCONNECTED, BATCH | ENTRY),
    "cut": (cut, fine, "eager", Verdict.DISCONNECTED, BATCH | ENTRY),
    "nonfinite": (mean_of_rows, mean_over_time, "xla", Verdict.NONFINITE, EMPTY_ROW | POOLED),
    "nonfinite_output": (
        mean_of_rows,
        mean_over_time,
        "graph",
        Verdict.NONFINITE,
        EMPTY_ROW | {"output_position": (0, 1)},
    ),
    "nonfinite_somewhere": (mean_of_rows, mean_over_time, "graph", Verdict.NONFINITE, EMPTY_ROW),
    "disagreement": (
        different_when_traced,
        fine,
        "graph",
        Verdict.DISAGREEMENT,
        BATCH | {"output_position": (1, 0, 1)},
    ),
    "disagreement_entry": (different_when_traced, fine, "xla", Verdict.DISAGREEMENT, BATCH | ENTRY),
    "disagreement_somewhere": (different_when_traced, fine, "dynamic", Verdict.DISAGREEMENT, BATCH),
    "leak_fill": (
        mean_over_time,
        mean_of_rows,
        "graph",
        Verdict.PADDING_LEAK,
        BATCH | {"changed": _other_fill(), "output_position": (0, 0)},
    ),
    "leak_amount": (
        mean_over_time,
        mean_of_rows,
        "dynamic",
        Verdict.PADDING_LEAK,
        BATCH | {"changed": _more_padding(), "output_position": (0, 0)},
    ),
    "leak_entry": (
        mean_over_time,
        mean_of_rows,
        "xla",
        Verdict.PADDING_LEAK,
        BATCH | {"changed": _more_padding(), **POOLED, "changed_input_position": (0, 0, 1)},
    ),
    "leak_gradient": (
        mean_over_time,
        mean_of_rows,
        "graph",
        Verdict.PADDING_LEAK,
        BATCH | POOLED | {"input_position": (0, 2, 1)},
    ),
    "leak_raises": (
        refuses_much_padding,
        lambda values, lengths: mean_of_rows(values[:, :3], lengths) * tf.ones_like(values[0, 0]),
        "eager",
        Verdict.PADDING_LEAK,
        BATCH | {"changed": _more_fill()},
    ),
    "random": (Counter(1.0), Counter(0.0), "graph", Verdict.NONDETERMINISTIC, BATCH | {"output_position": (1, 0, 1)}),
    "random_somewhere": (Counter(1.0), Counter(0.0), "eager", Verdict.NONDETERMINISTIC, BATCH),
    "error": (refuses_short_rows, fine, "eager", Verdict.ERROR, BATCH),
    "error_traced": (refuses_short_rows, fine, "dynamic", Verdict.ERROR, BATCH),
    "unsupported": (needs_a_size, fine, "xla", Verdict.UNSUPPORTED, BATCH),
}


def test_every_verdict_is_shown(tmp_path: Path) -> None:
    made: dict[bool, dict[str, Failure]] = {False: {}, True: {}}
    for name, (wrong, right, mode, verdict, call) in OTHERS.items():
        for which, subject in ((False, wrong), (True, right)):
            made[which][name] = Failure(subject=subject, mode=mode, verdict=verdict, name=name, **call)
    check_twins(made[False], made[True], tmp_path)


# -- weights, kinds of argument, and dtypes -------------------------------------------------------------------


def of_structure(structure: Any, factors: Any) -> Any:
    return structure["sine"](structure["pair"][1]) * factors[0]


def scaled_by(values: Any, factors: Any, sine: Any) -> Any:
    return sine(values) * tf.cast(factors, values.dtype)


def stopped_sine(values: Any) -> Any:
    return tf.sin(tf.stop_gradient(values))


def ragged_sum(rows: Any) -> Any:
    return tf.reduce_sum(subjects.wrong_sine(rows.flat_values)) + tf.cast(rows.nrows(), tf.float64) * 0.0


def ragged_sum_right(rows: Any) -> Any:
    return tf.reduce_sum(tf.sin(rows).flat_values)


def squared_right(values: Any) -> Any:
    return tf.math.real(values * tf.math.conj(values))


def squared_wrong(values: Any) -> Any:
    """Conjugated once too often in its gradient."""

    @tf.custom_gradient
    def square(z: Any) -> Any:
        return tf.math.real(z * tf.math.conj(z)), lambda upstream: 2.0 * tf.cast(upstream, z.dtype) * tf.math.conj(z)

    return square(values)


def called(subject: Any, values: Any, mask: Any) -> Any:
    return subject(values) * tf.cast(mask, values.dtype)[:, :, None]


def test_weights_and_arguments_of_every_kind(tmp_path: Path) -> None:
    wrong: dict[str, Failure] = {}
    right: dict[str, Failure] = {}
    for made, sine, correct in ((wrong, subjects.wrong_sine, False), (right, tf.sin, True)):

        class Weighted(tf.Module):
            def __init__(self, function):
                super().__init__(name="weighted")
                self.weight = tf.Variable(np.array([0.25, 0.5]))
                self.function = function

            def __call__(self, values, lengths):
                return values * self.function(self.weight)

        module = Weighted(sine)
        weight = {"output_position": (1, 0, 1), "input_kind": "variable", "input_position": (1,)}
        made["weight"] = Failure(
            subject=module, mode="graph", verdict=Verdict.MISMATCH, variable=module.weight, **BATCH, **weight
        )
        made["weight_by_number"] = Failure(
            subject=module, mode="xla", verdict=Verdict.MISMATCH, input_leaf=0, **BATCH, **weight
        )
        made["argument_with_call"] = Failure(
            subject=sine, call=called, args=(), kwargs={"values": VALUES, "mask": MASK}, mode="eager",
            verdict=Verdict.MISMATCH, **{**ENTRY, "input_leaf": 1},
        )  # fmt: skip
        made["single_precision"] = Failure(
            subject=tf.sin if correct else stopped_sine, args=(VALUES.astype(np.float32),), kwargs={}, mode="graph",
            verdict=Verdict.DISCONNECTED, **ENTRY,
        )  # fmt: skip
        made["many_numbers"] = Failure(
            subject=sine, args=(np.random.default_rng(0).normal(size=(7, 100, 4)),), kwargs={}, mode="xla",
            verdict=Verdict.MISMATCH, **ENTRY,
        )  # fmt: skip
        made["half_precision_constant"] = Failure(
            subject=scaled_by, args=(VALUES, np.array([0.5, 1.5], tf.bfloat16.as_numpy_dtype), sine), kwargs={},
            mode="dynamic", verdict=Verdict.MISMATCH, dynamic_axes=[(0, 1), ()], **ENTRY,
        )  # fmt: skip
        made["complex"] = Failure(
            subject=squared_right if correct else squared_wrong, args=(VALUES + 1j * VALUES[::-1],), kwargs={},
            mode="graph", verdict=Verdict.MISMATCH, input_part="imag", **ENTRY,
        )  # fmt: skip
        made["nested_arguments"] = Failure(
            subject=of_structure, args=({"pair": (LENGTHS, VALUES), "sine": sine}, [2.0]), kwargs={}, mode="xla",
            verdict=Verdict.MISMATCH, **{**ENTRY, "input_leaf": 1},
        )  # fmt: skip
        made["ragged"] = Failure(
            subject=ragged_sum_right if correct else ragged_sum,
            args=(tf.ragged.constant([[0.5, 1.0], [], [2.0]], dtype=tf.float64),), kwargs={}, mode="dynamic",
            verdict=Verdict.MISMATCH, output_position=(), input_leaf=0, input_position=(2,), dynamic_axes=[(0,)],
        )  # fmt: skip
    check_twins(wrong, right, tmp_path)


def test_layers_in_the_script_have_the_weights_of_the_failure(tmp_path: Path) -> None:
    """The output that the script prints is the output here, to the last bit."""
    layer = _layer(right=False)
    mode_output = float(layer(VALUES).numpy()[1, 0, 1])
    text = build_script(Failure(layer, (VALUES,), {}, "eager", Verdict.MISMATCH, **ENTRY))
    (result,) = run_scripts({"layer": text}, tmp_path).values()
    assert f"output: {mode_output!r}\n" in result["output"]


def test_a_function_that_was_given_another_name_is_defined_by_that(tmp_path: Path) -> None:
    def _(values, lengths):
        return tf.sin(values) * 2.0

    alone = lambda values, lengths: tf.sin(values) * 2.0  # noqa: E731
    _.__name__, alone.__name__ = "doubled_sines", "lambda_sines"
    scripts = {
        function.__name__: build_script(
            Failure(function, mode="graph", verdict=Verdict.MISMATCH, name=function.__name__, **BATCH, **ENTRY)
        )
        for function in (_, alone)
    }
    assert "def doubled_sines(values, lengths):" in scripts["doubled_sines"]
    for name, result in run_scripts(scripts, tmp_path).items():
        assert result["status"] == 0, f"{result['output']}\n{scripts[name]}"


# -- what cannot be written out -------------------------------------------------------------------------------


def test_without_source_there_is_a_marked_place_for_it(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    exec("def sourceless(values, lengths):\n    return values * 2.0", namespace)
    text = build_script(
        Failure(namespace["sourceless"], mode="graph", verdict=Verdict.MISMATCH, name="sourceless", **BATCH, **ENTRY)
    )
    assert "# PASTE HERE the definition of sourceless." in text
    assert "the function sourceless, which has no source file" in text
    pasted = text.replace("sourceless = None", "def sourceless(v, n): return v")
    results = run_scripts({"gap": text, "pasted": pasted}, tmp_path)
    assert results["gap"]["status"] == 2
    assert results["pasted"]["status"] == 0


class Unnamed(tf.Module):
    """Without ``super().__init__()``, so without the name that TensorFlow reads."""

    def __init__(self):
        self.factor = 2.0

    def __call__(self, values, lengths):
        return values * self.factor


class Hostile(Unnamed):
    @property
    def name(self):
        raise RuntimeError("nobody may ask for my name")


def test_objects_that_answer_with_an_error_do_not_cost_the_script() -> None:
    """One that lacks a name is written all the same, and one that cannot be asked leaves a place to paste it in."""
    for made, says in ((Unnamed(), "Unnamed.__new__(Unnamed)"), (Hostile(), "PASTE HERE")):
        text = build_script(Failure(made, mode="graph", verdict=Verdict.MISMATCH, name="it", **BATCH, **ENTRY))
        assert says in text, text


_REGISTRY: dict[str, Any] = {}


def _registered(name: str) -> Callable[[Any], Any]:
    def keep(function: Any) -> Any:
        _REGISTRY[name] = function
        return function

    return keep


@_registered("sine")
def noted(values, lengths):
    return tf.sin(values)


def test_a_decorator_that_changed_nothing_is_left_out_with_all_that_it_needs() -> None:
    text = build_script(Failure(noted, mode="graph", verdict=Verdict.MISMATCH, name="noted", **BATCH, **ENTRY))
    compile(text, "<script>", "exec")
    assert "def noted(values, lengths):\n    return tf.sin(values)" in text
    assert "egistered" not in text
    assert "REGISTRY" not in text


def test_names_with_line_breaks_and_quotes_do_not_break_the_script() -> None:
    text = build_script(
        Failure(
            fine,
            mode="graph",
            verdict=Verdict.MISMATCH,
            name='"""\nimport antigravity',
            cause="a\n'''\nb",
            **BATCH,
            **ENTRY,
        )
    )
    compile(text, "<script>", "exec")
    assert "\nimport antigravity" not in text


def test_two_things_of_one_name_stay_apart(tmp_path: Path) -> None:
    def make(factor: float, inner: Any) -> Any:
        def step(values, lengths):
            return inner(values) * factor

        return step

    first = make(2.0, subjects.wrong_sine)
    second = make(3.0, lambda values: first(values, None))
    wrong = Failure(second, mode="graph", verdict=Verdict.MISMATCH, **BATCH, **ENTRY)
    right = Failure(
        make(3.0, lambda values: make(2.0, tf.sin)(values, None)),
        mode="graph",
        verdict=Verdict.MISMATCH,
        **BATCH,
        **ENTRY,
    )
    check_twins({"names": wrong}, {"names": right}, tmp_path)
    assert "output: 4.60526" in run_scripts({"names": build_script(wrong)}, tmp_path)["names"]["output"]


# -- how a script reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "made"),
    {
        "mismatch-graph": Failure(
            subject=subjects.plain_wrong,
            mode="graph",
            verdict=Verdict.MISMATCH,
            name="plain_wrong",
            cause="the gradient is 1.001 times the slope (10 of 144 entries)",
            where="output[row 1, time 0, feature 1] w.r.t. values[row 1, time 0, feature 1]",
            versions={"python": "3.10.13", "tensorflow": "2.8.4", "numpy": "1.23.5"},
            **BATCH,
            **ENTRY,
        ),
        "padding_leak-dynamic": Failure(
            subject=mean_over_time,
            mode="dynamic",
            verdict=Verdict.PADDING_LEAK,
            name="mean_over_time",
            changed=_more_padding(),
            output_position=(0, 0),
            **BATCH,
        ),
        "disagreement-xla": Failure(
            subject=different_when_traced, mode="xla", verdict=Verdict.DISAGREEMENT, bound=1e-12, **BATCH, **ENTRY
        ),
        "error-eager": Failure(subject=refuses_short_rows, mode="eager", verdict=Verdict.ERROR, **BATCH),
        "weight-xla": Failure(
            subject=subjects.Pooling(1, subjects.wrong_sine),
            mode="xla",
            verdict=Verdict.MISMATCH,
            output_position=(1, 0, 0),
            input_kind="variable",
            input_leaf=1,
            input_position=(1, 0),
            **BATCH,
        ),
    }.items(),
)
def test_scripts_read_as_kept(name: str, made: Failure, snapshot: Callable[[str, str], None]) -> None:
    snapshot(f"script-{name}", build_script(made).rstrip("\n"))
