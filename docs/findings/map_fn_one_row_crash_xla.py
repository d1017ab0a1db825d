"""tf.map_fn over one row of one step, cut to its length and padded again, under XLA: the process aborts."""

import numpy as np
import tensorflow as tf


@tf.function(jit_compile=True)
def pooled(values, lengths):
    rows = tf.map_fn(lambda row: tf.tanh(row[0][: row[1]]), (values, lengths), fn_output_signature=values.dtype)
    rows = tf.pad(rows, [[0, 0], [0, tf.shape(values)[1] - tf.shape(rows)[1]], [0, 0]])
    return tf.reduce_sum(rows, axis=1)


try:
    print(pooled(tf.constant(np.ones([1, 1, 1])), tf.constant([1])).numpy())
except Exception as error:  # refused, with an error that says so
    print(type(error).__name__, str(error).splitlines()[0])
raise SystemExit(1)  # whoever comes here has not aborted
