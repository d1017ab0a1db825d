"""``call=`` is given the subject itself, in every mode: its attributes, its other methods, its dtype."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import gradcheck
from gradcheck import Batch
from gradcheck.strategies import Padding

BATCH = Batch(np.array([[[0.5, -1.0], [0.25, 2.0]]]), [1], Padding(extra=0))


class Scaling(tf.keras.layers.Layer):
    """A layer that has more than a call."""

    factor = 3.0

    def call(self, values):
        return tf.sin(values)

    def halved(self, values):
        return values / 2.0


def scaling():
    return Scaling(dtype="float64")


class Module(tf.Module):
    factor = 2.0

    def __call__(self, values):
        return values * self.factor

    def encode(self, values, lengths):
        if tf.reduce_sum(values[:, 0]) > 0:
            values = tf.sin(values)
        return values * tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]


def flipped_where_positive(values):
    if tf.reduce_sum(values) > 0:
        return -values
    return values


flipped_where_positive.factor = 5.0


exec_scope: dict = {}
exec("def typed_into_a_shell(subject, values):\n    return subject(values) * 2.0\n", exec_scope)

CALLS = {
    "attribute of a layer": (scaling, lambda layer, values: layer(values) * layer.factor),
    "method of a layer": (scaling, lambda layer, values: layer.halved(values)),
    "dtype of a layer": (scaling, lambda layer, values: layer(tf.cast(values, layer.compute_dtype))),
    "attribute of a class": (Module, lambda module, values: module(values) * module.factor),
    "method of a module": (Module(), lambda module, values, lengths: module.encode(values, lengths)),
    "attribute of a function": (flipped_where_positive, lambda function, values: function(values) * function.factor),
    "tf.function": (tf.function(flipped_where_positive), lambda function, values: function(values) * 2.0),
    "a call that decides": (tf.sin, lambda sine, values: sine(values) if tf.reduce_sum(values) > 0 else values),
    "a call without source": (flipped_where_positive, exec_scope["typed_into_a_shell"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_given_the_subject_itself_in_every_mode(name):
    subject, call = CALLS[name]
    report = gradcheck.check(subject, BATCH, call=call)
    assert report.ok, str(report)
    assert {result.verdict.value for result in report.modes.values()} == {"PASS"}, str(report)


def test_each_mode_is_given_the_same_object():
    layer, given = scaling(), []

    def call(subject, values):
        given.append(subject)
        return subject(values)

    assert gradcheck.check(layer, BATCH, call=call).ok
    assert given
    assert all(subject is layer for subject in given)
