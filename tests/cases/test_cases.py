"""Case files: written by a search, read back, run again; what is damaged or cannot be imported is said."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from hypothesis.strategies import tuples

import gradcheck
from gradcheck import Batch, GradientError, InputError, Verdict
from gradcheck import strategies as st
from gradcheck.cases import CASE_SCHEMA, Case, case_of, load_case, outcome, replay
from gradcheck.cli import main
from gradcheck.harness import session as recording
from gradcheck.subject.importing import spec_of

LAYERS = """
import tensorflow as tf

def pooled(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(values * mask, axis=1)
    return total / tf.cast(lengths, values.dtype)[:, tf.newaxis]

def adding(values, lengths):
    return tf.reduce_sum(values, axis=2)

class Scale(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable([1.0, 1.0], dtype=tf.float64)
    def __call__(self, values):
        return tf.norm(values * self.w, axis=-1)

layer = Scale()
"""


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file of subjects, in the current directory; afterwards it is as if it was never imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = tmp_path / "layers_of_cases.py"
    path.write_text(LAYERS)
    importlib.invalidate_caches()
    yield path
    forget()


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def forget() -> None:
    for name in [name for name in sys.modules if "layers_of_cases" in name]:
        del sys.modules[name]


def test_a_search_writes_cases_and_a_replay_says_whether_they_are_still_there(layers: Path) -> None:
    arguments = ("--modes=eager", "--seed=0", "--max-examples=20", "--cases=cases")
    found = run("search", "layers_of_cases:pooled", *arguments)
    assert found.exit_code == 1, found.output
    path = Path("cases/pooled-eager.json")
    assert f"case for mode eager: {path}" in found.output
    case = load_case(path)
    assert (case.subject, case.verdict, case.mode) == ("layers_of_cases:pooled", Verdict.NONFINITE, "eager")
    assert case.batch is not None
    assert case.batch.lengths.tolist() == [0]

    still = run("replay", path, "--trust", "--json", "r.json")
    assert still.exit_code == 1
    assert f"{path}: pooled in eager: still there (TensorFlow {tf.__version__})" in still.output
    document = json.loads(Path("r.json").read_text())
    assert [result["outcome"] for result in document["results"]] == ["still there"]
    assert run("report", "r.json").exit_code == 1  # replays are results like others

    layers.write_text(LAYERS.replace("total / tf.cast", "total / 2 + 0 * tf.cast"))
    forget()
    gone = run("replay", path, "--trust")
    assert gone.exit_code == 0, gone.output
    assert "pooled in eager: gone" in gone.output
    assert "before: NONFINITE: the output itself is not finite: output[row 0, feature 0] is nan" in gone.output

    layers.write_text(LAYERS.replace("return total", "raise ValueError('no rows')  #"))
    forget()
    changed = run("replay", path, path, "--quiet", "--trust")
    assert changed.exit_code == 1
    assert "pooled in eager: changed" in changed.output
    assert "now:    ERROR" in changed.output
    assert "2 cases: 2 changed" in changed.output


def test_other_modes_and_another_subject(layers: Path) -> None:
    module = importlib.import_module("layers_of_cases")
    batch = Batch(np.ones((1, 1, 1)), [0])
    path = case_of(module.pooled, [batch], gradcheck.check(module.pooled, batch, modes="graph")["graph"]).save("c.json")
    both = run("replay", path, "--modes=graph,eager", "-q", "--trust")
    assert both.exit_code == 1
    assert "in graph: still there" in both.output
    assert "\n  eager: NONFINITE" in both.output
    other = run("replay", path, "--subject=layers_of_cases:adding", "--modes=eager", "-q")
    assert "pooled in graph: not checked" in other.output


def test_the_weights_of_the_case_are_used_and_the_users_are_left_alone(layers: Path) -> None:
    module = importlib.import_module("layers_of_cases")
    layer = module.Scale()
    layer.w.assign([0.0, 0.0])  # where the gradient of a norm is not finite
    x = np.array([[1.0, 2.0]])
    report = gradcheck.check(layer, x, modes="eager", wrt="inputs")
    assert report["eager"].verdict is Verdict.NONFINITE
    case = Case.from_dict(case_of(module.Scale, [x], report["eager"], wrt="inputs").to_dict())
    assert [w.tolist() for _, w in case.weights] == [[1.0, 1.0]]  # those of the factory's own product
    assert outcome(case, replay(case, trust=True)["eager"]) == "gone"

    module.layer.w.assign([0.0, 0.0])
    case = Case.from_dict(case_of(module.layer, [x], report["eager"], wrt="inputs").to_dict())
    assert case.subject == "layers_of_cases:layer"
    module.layer.w.assign([1.0, 3.0])
    again = replay(case, trust=True)
    assert (outcome(case, again["eager"]), again["eager"].notes) == ("still there", ())
    assert module.layer.w.numpy().tolist() == [1.0, 3.0]


def test_weights_of_a_layer_that_is_built_by_its_first_call() -> None:
    def make():
        return tf.keras.layers.Dense(2, dtype="float64", kernel_initializer="ones")

    layer = make()
    x = np.array([[1.0, -2.0]])
    report = gradcheck.check(layer, x, modes="eager")
    layer.set_weights([np.array([[3.0, 0.0], [1.0, 2.0]]), np.array([0.5, 0.5])])
    case = Case.from_dict(case_of(layer, [x], report["eager"]).to_dict())
    seen = []

    def subject(values):
        seen.append(fresh.get_weights())
        return fresh(values)

    fresh = make()
    assert replay(case, subject=subject)["eager"].notes == ()
    assert [[[3.0, 0.0], [1.0, 2.0]], [0.5, 0.5]] in [[w.tolist() for w in weights] for weights in seen]

    other = tf.keras.layers.Dense(3, dtype="float64")
    assert "are not those of the subject here" in replay(case, subject=other)["eager"].notes[-1]


def test_a_subject_that_cannot_be_imported() -> None:
    def local(values):
        return values * float("nan")

    report = gradcheck.check(local, np.ones(2), modes="eager")
    case = case_of(local, [np.ones(2)], report["eager"])
    assert (case.subject, case.file) == (None, None)
    with pytest.raises(InputError, match=r"local has no name under which it can be imported.*replay --subject"):
        replay(case)
    assert outcome(case, replay(case, subject=local)["eager"]) == "still there"


def test_a_call_that_cannot_be_imported() -> None:
    call = lambda subject, values: subject(values)  # noqa: E731 - a lambda is what people pass
    report = gradcheck.check(tf.abs, Batch(np.ones((1, 1)), [1]), modes="eager", call=call)
    case = Case.from_dict(case_of(tf.abs, [Batch(np.ones((1, 1)), [1])], report["eager"], call=call).to_dict())
    with pytest.raises(InputError, match=r"call= that cannot be imported.*replay\(case, call="):
        replay(case)
    assert replay(case, call=call, trust=True).ok


def test_options_travel() -> None:
    x = np.array([1.0, 2.0])
    report = gradcheck.check(tf.abs, x, modes="eager", wrt="inputs", engine="reference")
    case = case_of(tf.abs, [x], report["eager"], wrt="inputs", engine="reference", padding=None)
    case = Case.from_dict(json.loads(json.dumps(case.to_dict())))
    assert case.options == {"wrt": "inputs", "engine": "reference"}
    assert replay(case, trust=True)["eager"].engine == "reference"


def test_names_of_objects(layers: Path, tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("layers_of_cases")
    assert spec_of(module.pooled) == ("layers_of_cases:pooled", "layers_of_cases.py:pooled")
    assert spec_of(module.Scale) == ("layers_of_cases:Scale", "layers_of_cases.py:Scale")
    assert spec_of(module.layer) == ("layers_of_cases:layer", "layers_of_cases.py:layer")
    assert spec_of(module.Scale()) == (None, None)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert spec_of(module.pooled)[1] == f"{layers}:pooled"


def test_a_module_that_only_its_file_leads_to(layers: Path, tmp_path: Path) -> None:
    case = Case("pooled", "gone.away:pooled", (Batch(np.ones((1, 1, 1)), [0]),), "eager", Verdict.NONFINITE)
    with pytest.raises(InputError, match=r"no module 'gone.away'"):
        replay(case, trust=True)
    found = Case(**{**vars(case), "file": "layers_of_cases.py:pooled"})
    assert outcome(found, replay(found, trust=True)["eager"]) == "still there"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return Case("f", "m:f", (np.ones(2),), "eager", Verdict.MISMATCH).save(tmp_path / "case.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "search"}, "no case of gradcheck: its kind is 'search'"),
        ({"schema": CASE_SCHEMA + 1}, f"schema {CASE_SCHEMA + 1}, and this gradcheck reads 1 to {CASE_SCHEMA}"),
        ({"schema": "1"}, "schema '1'"),
        ({"mode": None}, "mode: None is not one of eager, "),
        ({"mode": ...}, "'mode' is missing"),
        ({"arguments": {}}, "arguments: {} is not a list"),
        ({"arguments": [{"type": "array"}]}, "'dtype' is not understood or missing"),
        (
            {"arguments": [{"type": "array", "dtype": "f8", "shape": [0, 10**18], "data": []}]},
            "beyond 4294967296 numbers",
        ),
        ({"verdict": "WRONG"}, "verdict: 'WRONG' is not one of CRASH"),
        ({"options": {"modes": "eager"}}, "options: 'modes' is not one of wrt"),
        ({"weights": [3]}, "weights[0]: 3 is not an object"),
        ({"file": 3}, "file: 3 is not a text"),
        ({"cause": ["x"]}, "cause: ['x'] is not a text"),
        ({"versions": {"tensorflow": 2}}, "versions.tensorflow: 2 is not a text"),
    ],
)
def test_damage(written: Path, change, words) -> None:
    data = {key: value for key, value in {**json.loads(written.read_text()), **change}.items() if value is not ...}
    written.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        load_case(written)
    assert str(caught.value).startswith(f"{written}: ")
    assert words in str(caught.value)
    shown = run("replay", written)
    assert shown.exit_code == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"kind": ', "is not JSON"), (b"\xff", "is not JSON"), (b"[]", "it has no kind"), (None, "cannot be read")],
)
def test_files_that_are_no_cases(tmp_path: Path, content, words) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load_case(path)


def test_an_intact_file_is_read(written: Path) -> None:
    case = load_case(written)
    assert (case.name, case.mode, case.verdict, case.arguments[0].tolist()) == ("f", "eager", Verdict.MISMATCH, [1, 1])


def test_arguments_of_a_search_that_draws_arrays() -> None:
    def halved(values, factor):
        return values * tf.stop_gradient(factor)

    drawn = st.values(shape=(2,), min_value=1.0, max_value=2.0)
    result = gradcheck.search(halved, tuples(drawn, drawn), modes="eager", max_examples=5, seed=0)
    assert result["eager"].case.verdict is Verdict.DISCONNECTED
    assert len(result["eager"].case.arguments) == 2
    assert [argument["type"] for argument in result.to_dict()["modes"]["eager"]["counterexample"]["arguments"]] == [
        "array"
    ] * 2
    assert replay(result["eager"].case, subject=halved)["eager"].verdict is Verdict.DISCONNECTED


def test_a_failing_assertion_has_cases_and_says_why_it_has_none(layers: Path) -> None:
    module = importlib.import_module("layers_of_cases")
    batch = Batch(np.ones((1, 1, 1)), [0])
    # What a marker says, the case says too: a replay knows of no marker.
    with recording.use_defaults({"wrt": "inputs", "modes": ("eager", "graph")}), pytest.raises(GradientError) as raised:
        gradcheck.assert_gradients(module.pooled, batch, padding=False)
    error = raised.value
    assert list(error.cases) == ["eager", "graph"]
    assert not error.obstacles
    case = Case.from_dict(error.cases["graph"].to_dict())
    assert (case.subject, case.mode, case.verdict) == ("layers_of_cases:pooled", "graph", Verdict.NONFINITE)
    assert case.options == {"wrt": "inputs", "padding": False}
    assert outcome(case, replay(case, trust=True)["graph"]) == "still there"

    with pytest.raises(GradientError) as raised:
        gradcheck.assert_gradients(lambda values, lengths: module.pooled(values, lengths), batch, modes="eager")
    assert "held by no module" in raised.value.obstacles["eager"]


def test_a_search_s_case_says_what_the_marker_said(layers: Path) -> None:
    module = importlib.import_module("layers_of_cases")
    with recording.use_defaults({"wrt": "inputs", "modes": ("eager",)}):
        found = gradcheck.search(module.pooled, st.batches(features=1), seed=0, max_examples=20)
    assert found["eager"].case.options == {"wrt": "inputs"}
