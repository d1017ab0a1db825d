"""tf.norm of a vector of zeros whose result is not used: 0 in a graph, NaN under XLA (0 times infinity)."""

import numpy as np
import tensorflow as tf


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = 0.0 * tf.norm(x)
    return tape.gradient(y, x)


zeros = tf.constant(np.zeros(2))
graph, xla = tf.function(gradient)(zeros).numpy(), tf.function(gradient, jit_compile=True)(zeros).numpy()
print("graph", graph, " xla", xla)
raise SystemExit(0 if np.isnan(xla).any() and not np.isnan(graph).any() else 1)
