"""The catalog of the zoo agrees with the modules of its subjects, and with TensorFlow and Keras as they are here."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

import gradcheck.zoo
from gradcheck._tensorflow import versions
from gradcheck.strategies import Batch
from gradcheck.subject.importing import load_object
from gradcheck.zoo.catalog import FAMILIES, available, catalog

PACKAGE = Path(gradcheck.zoo.__file__).parent


def public_functions(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_subject_is_in_the_catalog_and_the_catalog_holds_no_other(family: str) -> None:
    assert {exhibit.function for exhibit in catalog() if exhibit.family == family} == public_functions(family)


def test_every_strategy_is_used_and_there_is_no_other() -> None:
    assert {exhibit.draws for exhibit in catalog()} == public_functions("draws")


def test_names_are_unique_and_documented() -> None:
    names = [exhibit.name for exhibit in catalog()]
    assert len(set(names)) == len(names) > 150
    assert [exhibit.name for exhibit in catalog() if not exhibit.doc.endswith(".")] == []


@pytest.mark.parametrize(
    "name",
    [
        *("SimpleRNN", "GRU", "LSTM", "Bidirectional", "stacked cells", "Masking", "mask_zero", "Attention"),
        *("AdditiveAttention", "MultiHeadAttention", "GlobalAveragePooling1D", "causal", "LayerNormalization"),
        *("TimeDistributed", "Softmax", "Concatenate", "reverse_sequence", "segment_sum", "unsorted_segment_mean"),
        *("ragged", "tf.scan", "tf.map_fn", "tf.foldl", "tf.while_loop", "gather_nd", "scatter_nd", "ctc_loss"),
        *("sequence_mask", "boolean_mask", "tf.sort", "top_k", "cumsum", "cumprod", "cholesky", "CategoricalCross"),
    ],
)
def test_what_the_zoo_must_hold(name: str) -> None:
    assert any(name in exhibit.doc for exhibit in catalog())


def test_versions_decide_what_there_is() -> None:
    by_name = {exhibit.name: exhibit for exhibit in catalog()}
    grouped = by_name["attention/group_query_attention"]
    assert available(grouped, "2.16.2", "3.15.1")
    assert not available(grouped, "2.16.2", "2.16.0")
    assert not available(by_name["normalization/group_normalization"], "2.10.1", "2.10.0")
    assert by_name["recurrent/lstm"].of_keras
    assert not by_name["ordering/cumsum"].of_keras


def test_the_catalog_and_the_page_need_no_tensorflow() -> None:
    code = (
        "import sys; from gradcheck.zoo.catalog import catalog; from gradcheck.zoo import draws, known, document; "
        "print(len([e.doc for e in catalog()])); sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "TensorFlow was imported"
    assert int(done.stdout) == len(catalog())


def first_example(strategy):
    """The first thing that a strategy draws."""
    quick = hypothesis.settings(
        max_examples=1, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )
    return hypothesis.find(strategy, lambda drawn: True, settings=quick)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_subject_that_there_is_on_this_version_runs(family: str) -> None:
    import tensorflow as tf

    from gradcheck.subject.adapter import subject_of

    installed = versions()
    for exhibit in catalog():
        if exhibit.family != family or not available(exhibit, installed["tensorflow"], installed["keras"]):
            continue
        drawn = first_example(load_object(exhibit.strategy, "strategy")())
        subject = subject_of(load_object(exhibit.subject, "subject"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(drawn, Batch):
                args, keywords, _ = subject.arguments_for(drawn)
            else:
                args, keywords = (drawn if isinstance(drawn, tuple) else (drawn,)), {}
            made = [a.to_tensorflow() if hasattr(a, "to_tensorflow") else tf.convert_to_tensor(a) for a in args]
            found = subject(*made, **{name: tf.convert_to_tensor(value) for name, value in keywords.items()})
        flat = tf.nest.flatten(found, expand_composites=True)
        assert any(tensor.dtype.is_floating for tensor in flat), exhibit.name


def test_weights_are_the_same_on_every_version() -> None:
    lstm = importlib.import_module("gradcheck.zoo.recurrent").lstm
    kernel = lstm().get_weights()[0]
    # Of a RandomState, whose stream NumPy has promised never to change.
    assert kernel.ravel()[:4].tolist() == [-0.03125, -0.71875, 0.59375, 0.40625]
    assert (kernel != 0).all()
