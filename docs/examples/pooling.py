"""Ways of pooling a sequence, some of them wrong: what the pictures in docs/reports.md are made from."""

import tensorflow as tf


def masked_mean(values, lengths):
    """The mean of the valid steps; 0 for an empty row."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask, axis=1), tf.reduce_sum(mask, axis=1))


def mean_direction(values, lengths):
    """The direction of the sum of the valid steps: its norm has no gradient at 0."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(values * mask, axis=1)
    return tf.math.divide_no_nan(total, tf.norm(total, axis=-1, keepdims=True))


def attention_pooling(values, lengths):
    """Softmax weights over all steps, padding and all: the mask comes too late."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    weights = tf.nn.softmax(tf.reduce_sum(values, axis=-1, keepdims=True), axis=1)
    return tf.reduce_sum(values * weights * mask, axis=1)


def keras_softmax_pooling(values, mask):
    """The mask in the softmax itself, as the Keras layer does it."""
    scores = tf.reduce_sum(values, axis=-1)
    weights = tf.keras.layers.Softmax(dtype=values.dtype)(scores, mask=mask)
    return tf.reduce_sum(values * weights[..., tf.newaxis] * tf.cast(mask, values.dtype)[..., tf.newaxis], axis=1)


@tf.custom_gradient
def _smooth_abs(x):
    root = tf.sqrt(x * x + 0.25)
    return root, lambda upstream: upstream * tf.sign(x)  # should be x / root


def smooth_l1(values, lengths):
    """A gradient written by hand, and wrong near 0."""
    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]
    return tf.reduce_sum(_smooth_abs(values) * mask, axis=1)


def spans(values, lengths):
    """A range for each row, which rows of different length cannot be stacked from."""
    steps = tf.cast(tf.map_fn(tf.range, lengths), values.dtype)
    return tf.reduce_sum(values[..., 0] * steps, axis=1)


if __name__ == "__main__":
    import json
    import sys

    import numpy as np

    import gradcheck
    from gradcheck.results.reading import results_of
    from gradcheck.results.rows import Results

    values = np.array([[[0.5, -1.0], [0.0, 2.0], [1.5, 1.5]], [[1.5, 1.5], [1.5, 1.5], [1.5, 1.5]]])
    batch = gradcheck.Batch(values, np.array([2, 0], np.int32))
    subjects = [masked_mean, mean_direction, attention_pooling, keras_softmax_pooling, smooth_l1, spans]
    document = Results.joined(results_of(gradcheck.check(subject, batch).to_dict()) for subject in subjects).to_dict()
    for result in document["results"]:
        for mode in result["modes"].values():
            mode["detail"] = ""  # pages of call stack with the paths of one machine
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.write("\n")
