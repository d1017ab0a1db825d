"""Keras's cross entropies of probabilities: clipped in eager mode, taken of the logits behind them in a graph."""

import numpy as np
import tensorflow as tf

logits = tf.constant([[40.0, 0.0], [-40.0, 0.0]], tf.float64)


def categorical(x):
    return tf.keras.losses.categorical_crossentropy(tf.constant([[0.0, 1.0], [1.0, 0.0]], x.dtype), tf.nn.softmax(x))


def sparse(x):
    return tf.keras.losses.sparse_categorical_crossentropy(tf.constant([1, 0]), tf.nn.softmax(x))


def binary(x):
    return tf.keras.losses.binary_crossentropy(tf.constant([[0.0], [1.0]], x.dtype), tf.sigmoid(x[:, :1]))


wrong = True
for loss in (categorical, sparse, binary):
    gradients = []
    for name, function in (("eager", loss), ("graph", tf.function(loss)), ("xla", tf.function(loss, jit_compile=True))):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = function(logits)
        gradients.append(tape.gradient(value, logits).numpy()[:, 0])
        print(loss.__name__, name, " loss", value.numpy(), " gradient by the first logits", gradients[-1])
    wrong &= not np.allclose(gradients[0], gradients[1]) and np.allclose(gradients[1], [1.0, -1.0])
raise SystemExit(0 if wrong else 1)
