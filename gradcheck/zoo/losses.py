"""Loss functions of Keras with the mask of the valid steps as their weights, and those of TensorFlow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_LOSSES = tf.keras.losses


def _targets(values: Any) -> Any:
    """Numbers between 1/8 and 7/8 that differ from step to step, shaped as ``values``. They depend on row, step and
    feature only, so that more padding changes none of them.
    """
    rows, time, features = tf.unstack(tf.shape(values))
    place = 2 * tf.range(rows)[:, tf.newaxis, tf.newaxis] + 3 * tf.range(time)[:, tf.newaxis] + tf.range(features)
    return (tf.cast(place % 7, values.dtype) + 1) / 8


def _distributions(values: Any) -> Any:
    """The same, each step's numbers summing to 1, as a loss over classes demands."""
    targets = _targets(values)
    return targets / tf.reduce_sum(targets, axis=-1, keepdims=True)


def _classes(values: Any) -> Any:
    """A class for every step, 0 or 1, `[batch, time]`."""
    rows, time = tf.shape(values)[0], tf.shape(values)[1]
    return (tf.range(rows)[:, tf.newaxis] + tf.range(time)) % 2


def _masked(
    name: str,
    targets: Callable[[Any], Any] = _targets,
    predict: Callable[[Any], Any] = tf.identity,
    **options: Any,
) -> Callable[..., Any]:
    """A loss summed over the valid steps: the mask is its weights.

    ``predict`` is what a model ends with: what it gives is in the loss's domain, at padded steps too.
    """
    kind = getattr(_LOSSES, name)
    if "dtype" in inspect.signature(kind).parameters:  # Keras 3, which computes in float32 unless told
        options["dtype"] = "float64"
    loss = kind(reduction="sum", **options)

    def summed(values: Any, lengths: Any) -> Any:
        weights = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)
        return loss(targets(values), predict(values), sample_weight=weights)

    return summed


def mean_squared_error() -> Callable[..., Any]:
    """``MeanSquaredError``."""
    return _masked("MeanSquaredError")


def mean_absolute_error() -> Callable[..., Any]:
    """``MeanAbsoluteError``."""
    return _masked("MeanAbsoluteError")


def mean_squared_logarithmic_error() -> Callable[..., Any]:
    """``MeanSquaredLogarithmicError`` of an exponential."""
    return _masked("MeanSquaredLogarithmicError", predict=tf.exp)


def mean_absolute_percentage_error() -> Callable[..., Any]:
    """``MeanAbsolutePercentageError``."""
    return _masked("MeanAbsolutePercentageError")


def huber() -> Callable[..., Any]:
    """``Huber``."""
    return _masked("Huber")


def log_cosh() -> Callable[..., Any]:
    """``LogCosh``."""
    return _masked("LogCosh")


def poisson() -> Callable[..., Any]:
    """``Poisson`` of an exponential."""
    return _masked("Poisson", predict=tf.exp)


def cosine_similarity() -> Callable[..., Any]:
    """``CosineSimilarity`` of an exponential, so that no step is zero."""
    return _masked("CosineSimilarity", predict=tf.exp)


def hinge() -> Callable[..., Any]:
    """``Hinge``."""
    return _masked("Hinge")


def squared_hinge() -> Callable[..., Any]:
    """``SquaredHinge``."""
    return _masked("SquaredHinge")


def categorical_hinge() -> Callable[..., Any]:
    """``CategoricalHinge``."""
    return _masked("CategoricalHinge")


def binary_crossentropy() -> Callable[..., Any]:
    """``BinaryCrossentropy`` of a sigmoid."""
    return _masked("BinaryCrossentropy", predict=tf.sigmoid)


def binary_crossentropy_logits() -> Callable[..., Any]:
    """``BinaryCrossentropy(from_logits=True)``."""
    return _masked("BinaryCrossentropy", from_logits=True)


def binary_focal_crossentropy() -> Callable[..., Any]:
    """``BinaryFocalCrossentropy(from_logits=True)``."""
    return _masked("BinaryFocalCrossentropy", from_logits=True)


def categorical_crossentropy_logits() -> Callable[..., Any]:
    """``CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)``."""
    return _masked("CategoricalCrossentropy", _distributions, from_logits=True, label_smoothing=0.1)


def categorical_crossentropy() -> Callable[..., Any]:
    """``CategoricalCrossentropy`` of a softmax."""
    return _masked("CategoricalCrossentropy", _distributions, tf.nn.softmax)


def categorical_crossentropy_saturated() -> Callable[..., Any]:
    """``CategoricalCrossentropy`` of a softmax that can be as good as sure: of sixteen times the values."""
    return _masked("CategoricalCrossentropy", _distributions, lambda values: tf.nn.softmax(16 * values))


def sparse_categorical_crossentropy() -> Callable[..., Any]:
    """``SparseCategoricalCrossentropy`` of a softmax."""
    return _masked("SparseCategoricalCrossentropy", _classes, tf.nn.softmax)


def sparse_categorical_crossentropy_logits() -> Callable[..., Any]:
    """``SparseCategoricalCrossentropy(from_logits=True)``."""
    return _masked("SparseCategoricalCrossentropy", _classes, from_logits=True)


def kl_divergence() -> Callable[..., Any]:
    """``KLDivergence`` of a softmax."""
    return _masked("KLDivergence", _distributions, tf.nn.softmax)


def sigmoid_cross_entropy(values: Any, lengths: Any) -> Any:
    """``tf.nn.sigmoid_cross_entropy_with_logits`` of the valid steps."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(_targets(values), values)
    return _valid_sum(losses, lengths)


def weighted_cross_entropy(values: Any, lengths: Any) -> Any:
    """``tf.nn.weighted_cross_entropy_with_logits`` of the valid steps."""
    losses = tf.nn.weighted_cross_entropy_with_logits(_targets(values), values, 1.5)
    return _valid_sum(losses, lengths)


def softmax_cross_entropy(values: Any, lengths: Any) -> Any:
    """``tf.nn.softmax_cross_entropy_with_logits`` of the valid steps."""
    losses = tf.nn.softmax_cross_entropy_with_logits(_distributions(values), values)
    return _valid_sum(losses, lengths)


def sparse_softmax_cross_entropy(values: Any, lengths: Any) -> Any:
    """``tf.nn.sparse_softmax_cross_entropy_with_logits`` of the valid steps."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(_classes(values), values)
    return _valid_sum(losses, lengths)


def _valid_sum(losses: Any, lengths: Any) -> Any:
    weights = tf.sequence_mask(lengths, tf.shape(losses)[1], losses.dtype)
    return tf.reduce_sum(losses * tf.reshape(weights, tf.concat([tf.shape(weights), [1] * (len(losses.shape) - 2)], 0)))


def ctc(values: Any, lengths: Any) -> Any:
    """``tf.nn.ctc_loss`` of one label in every row, logits of the valid steps."""
    return _ctc(values, lengths, tf.ones([tf.shape(values)[0], 1], tf.int32), tf.ones([tf.shape(values)[0]], tf.int32))


def ctc_two_labels(values: Any, lengths: Any) -> Any:
    """``tf.nn.ctc_loss`` of the same label twice in every row, which takes three steps."""
    labels = tf.ones([tf.shape(values)[0], 2], tf.int32)
    return _ctc(values, lengths, labels, tf.fill([tf.shape(values)[0]], 2))


def _ctc(values: Any, lengths: Any, labels: Any, label_lengths: Any) -> Any:
    return tf.nn.ctc_loss(labels, values, label_lengths, lengths, logits_time_major=False, blank_index=0)
