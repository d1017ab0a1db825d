"""Softmax of scores to which (1 - mask) * -1e9 was added, as Keras does: under XLA the scores are lost in the mask."""

import numpy as np
import tensorflow as tf


def weights(scores, mask):
    return tf.nn.softmax(scores + (1.0 - tf.cast(mask, scores.dtype)) * -1e9)


scores = tf.constant([[0.0, 1.0, 2.0]])
wrong = False
for hidden in ([True, True, True], [True, True, False]):
    mask = tf.constant([hidden])
    right = np.exp(scores.numpy()) * mask.numpy()
    graph = tf.function(weights)(scores, mask).numpy()
    xla = tf.function(weights, jit_compile=True)(scores, mask).numpy()
    print("mask", mask.numpy(), " right", right / right.sum(), " graph", graph, " xla", xla)
    wrong |= np.abs(xla - right / right.sum()).max() > 1e-3
raise SystemExit(0 if wrong else 1)
