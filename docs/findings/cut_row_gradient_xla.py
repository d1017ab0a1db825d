"""tf.map_fn over rows cut to their length and summed, under XLA: the padding behind the cut gets a gradient."""

import numpy as np
import tensorflow as tf


def gradient(values, lengths):
    with tf.GradientTape() as tape:
        tape.watch(values)
        sums = tf.map_fn(
            lambda row: tf.reduce_sum(tf.tanh(row[0][: row[1]]), axis=0),
            (values, lengths),
            fn_output_signature=values.dtype,
        )
        total = tf.reduce_sum(sums)
    return tape.gradient(total, values)


values, lengths = tf.constant(np.zeros([2, 3, 1])), tf.constant([1, 2])
graph = tf.function(gradient)(values, lengths).numpy()[..., 0].tolist()
try:
    xla = tf.function(gradient, jit_compile=True)(values, lengths).numpy()[..., 0].tolist()
except Exception as error:  # refused, with an error that says so
    print(type(error).__name__, str(error).splitlines()[0])
    raise SystemExit(1) from None
print("right [[1, 0, 0], [1, 1, 0]]  graph", graph, " xla", xla)
raise SystemExit(0 if xla != graph else 1)
