"""Subjects of every kind that people write, each right and wrong: the wrong ones go through `wrong_sine`."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

SCALE = 1.5
TABLE = np.array([[1.0, 0.5], [0.25, 2.0]])


@tf.custom_gradient
def wrong_sine(x):
    """A sine whose gradient is too large by a thousandth."""

    def gradient(upstream):
        return upstream * 1.001 * tf.cos(x)

    return tf.sin(x), gradient


def doubled(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments) * 2

    return wrapper


# A function with a helper and a constant, both found in the module.
def scaled(x, sine):
    return sine(x) * SCALE


def plain_wrong(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)
    return scaled(values, wrong_sine) * mask[:, :, None]


def plain_right(values, lengths):
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], dtype=values.dtype)
    return scaled(values, tf.sin) * mask[:, :, None]


@tf.function
def traced_wrong(values, lengths):
    return plain_wrong(values, lengths)


@tf.function
def traced_right(values, lengths):
    return plain_right(values, lengths)


@doubled
def decorated_wrong(values, lengths):
    return plain_wrong(values, lengths)


@doubled
def decorated_right(values, lengths):
    return plain_right(values, lengths)


lambda_wrong = lambda values, lengths: wrong_sine(values) * SCALE + tf.cast(lengths, values.dtype)[:, None, None]  # noqa: E731
lambda_right = lambda values, lengths: tf.sin(values) * SCALE + tf.cast(lengths, values.dtype)[:, None, None]  # noqa: E731


def with_keyword(values, lengths, *, sine, factor):
    return sine(values) * factor


def closure(sine, factor, table):
    def inner(values, lengths):
        return sine(values) * factor @ table

    return inner


def recursive(sine):
    def depth(values, n):
        return sine(values) if n == 0 else depth(values, n - 1) * 2

    def outer(values, lengths):
        return depth(values, 2)

    return outer


def mapping_output(sine):
    def inner(values, lengths):
        return {"b": sine(values), "a": [lengths, values * 2]}

    return inner


class Pooling(tf.Module):
    """A module with variables of its own, in a list and in a dictionary too."""

    def __init__(self, units, sine):
        super().__init__(name="pooling")
        self.weight = tf.Variable(np.linspace(-1.0, 1.0, 2 * units).reshape(2, units))
        self.extra = [tf.Variable(1.5, dtype=tf.float64), 3]
        self.settings = {"power": 2}
        self.sine = sine

    def __call__(self, values, lengths):
        return self.sine(values) @ self.weight * self.extra[0] ** self.settings["power"]

    def method(self, values, lengths):
        return self(values, lengths) + 1.0


class Projection(tf.keras.layers.Layer):
    """A custom layer without get_config: its arguments are found in its attributes."""

    def __init__(self, units, right, **settings):
        super().__init__(**settings)
        self.units = units
        self.right = right

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(int(shape[-1]), self.units))

    def call(self, values, mask=None):
        out = (tf.sin(values) if self.right else wrong_sine(values)) @ self.kernel
        return out if mask is None else out * tf.cast(mask, out.dtype)[:, :, None]


class WideProjection(Projection):
    """It sets its dtype itself: whoever gives one gives two."""

    def __init__(self, units, right, **settings):
        super().__init__(units, right, dtype="float64", **settings)


def stock_layer(layer, sine):
    def through(values, mask=None):
        return layer(sine(values), mask=mask)

    return through


class Scale:
    """A plain object that is callable, with an array inside."""

    def __init__(self, sine):
        self.sine = sine
        self.factors = TABLE[0]

    def __call__(self, values, lengths):
        return self.sine(values) * self.factors
