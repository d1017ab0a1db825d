"""tf.map_fn over one row of one step, cut and padded again, and a loop over its steps, under XLA: the process dies."""

import numpy as np
import tensorflow as tf


@tf.function(jit_compile=True)
def summed(values, lengths):
    time = tf.shape(values)[1]
    rows = tf.map_fn(lambda row: tf.tanh(row[0][: row[1]]), (values, lengths), fn_output_signature=values.dtype)
    rows = tf.pad(rows, [[0, 0], [0, time + 1 - tf.shape(rows)[1]], [0, 0]])

    def advance(step, state):
        return step + 1, state + rows[:, step]

    start = (0, tf.zeros_like(values[:, 0]))
    return tf.while_loop(lambda step, _: step <= time, advance, start, maximum_iterations=time + 1)[1]


try:
    print(summed(tf.constant(np.ones([1, 1, 1])), tf.constant([1])).numpy())
except Exception as error:  # refused, with an error that says so
    print(type(error).__name__, str(error).splitlines()[0])
raise SystemExit(1)  # whoever comes here has not died
