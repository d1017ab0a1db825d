"""Settings of Python, NumPy, TensorFlow and Keras are as they were after a check whose subject changes them."""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Verdict
from gradcheck.subject.global_settings import SETTINGS

X = np.array([1.0, 2.0])

CHANGES = {
    "environment variables": lambda: os.environ.update(GRADCHECK_TEST_SETTING="1", PATH="/nowhere"),
    "working directory": lambda: os.chdir(tempfile.gettempdir()),
    "`sys.path`": lambda: sys.path.insert(0, "/nowhere"),
    "recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1000),
    "`sys.stdout`, `sys.stderr` and `sys.stdin`": lambda: setattr(sys, "stdout", sys.__stderr__),
    "automatic garbage collection": gc.disable,
    "warning filters": lambda: warnings.simplefilter("ignore"),
    "logging: the root logger and those of TensorFlow, absl and Keras": lambda: (
        logging.disable(logging.CRITICAL),
        tf.get_logger().setLevel("DEBUG"),
    ),
    "Python's random state": lambda: random.seed(11),
    "NumPy's random state": lambda: np.random.seed(11),
    "NumPy's print options": lambda: np.set_printoptions(precision=2, suppress=True),
    "NumPy's error state and buffer size": lambda: np.seterrcall(print),
    "TensorFlow's global seed": lambda: tf.random.set_seed(12345),
    "TensorFlow's global generator": lambda: tf.random.set_global_generator(tf.random.Generator.from_seed(3)),
    "`run_functions_eagerly`": lambda: tf.config.run_functions_eagerly(True),
    "`set_jit` and optimizer options": lambda: (
        tf.config.optimizer.set_jit(True),
        tf.config.optimizer.set_experimental_options({"constant_folding": False}),
    ),
    "soft device placement and its logging": lambda: tf.config.set_soft_device_placement(False),
    "TensorFloat-32": lambda: tf.config.experimental.enable_tensor_float_32_execution(False),
    "AutoGraph's verbosity": lambda: tf.autograph.set_verbosity(1),
    "Keras's floatx": lambda: tf.keras.backend.set_floatx("float64"),
    "Keras's epsilon": lambda: tf.keras.backend.set_epsilon(0.1),
    "Keras's image data format": lambda: tf.keras.backend.set_image_data_format("channels_first"),
    "dtype policy of Keras 2": lambda: _of_keras(2, lambda: _set_policy("mixed_float16")),
    "dtype policy of Keras 3": lambda: _of_keras(3, lambda: _set_policy("mixed_float16")),
    "Keras's seeds": lambda: tf.keras.utils.set_random_seed(5),
}


def _keras() -> int:
    return 3 if tf.keras.layers.Layer.__module__.startswith("keras.src.layers") else 2


def _of_keras(generation, change):
    if _keras() == generation:
        change()


def _set_policy(name):
    tf.keras.mixed_precision.set_global_policy(name)


def _state():
    """What a test can see of all settings; of identities only that they stay."""
    return [setting.read() for setting in SETTINGS]


def test_each_setting_has_a_change_here():
    assert set(CHANGES) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("ending", ["returns", "raises", "raises for its caller"])
def test_settings_that_a_subject_changes_are_as_they_were(ending):
    tf.keras.layers.Dense(1)  # Keras is loaded when it is first used
    before = _state()

    def subject(x):
        for change in CHANGES.values():
            change()
        if ending == "raises":
            raise RuntimeError("after the changes")
        if ending == "raises for its caller":
            raise KeyboardInterrupt
        return x * x

    if ending == "raises for its caller":
        with pytest.raises(KeyboardInterrupt):
            gradcheck.check(subject, X, modes="eager")
    else:
        report = gradcheck.check(subject, X, modes=["eager", "graph"])
        if ending == "raises":
            assert report["eager"].verdict is Verdict.ERROR
    for setting, value, now in zip(SETTINGS, before, _state(), strict=True):
        assert now == value, setting.name


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_one(name):
    """Else the test above would see nothing."""
    from gradcheck.subject.global_settings import settings_preserved

    tf.keras.layers.Dense(1)
    setting = next(setting for setting in SETTINGS if setting.name == name)
    if name.startswith("dtype policy") and not name.endswith(str(_keras())):
        pytest.skip("the other Keras")
    with settings_preserved():
        before = setting.read()
        CHANGES[name]()
        assert setting.read() != before
    assert setting.read() == before


def test_a_class_that_changes_settings_when_it_is_made():
    class Wide:
        def __init__(self):
            tf.keras.backend.set_floatx("float64")
            os.environ["GRADCHECK_TEST_SETTING"] = "1"

        def __call__(self, x):
            return x * x

    gradcheck.check(Wide, X, modes="eager")
    assert tf.keras.backend.floatx() == "float32"
    assert "GRADCHECK_TEST_SETTING" not in os.environ


def test_the_page_of_guarantees_names_every_setting():
    page = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()
    for setting in SETTINGS:
        assert f"| {setting.name} |" in page
