"""A GRU cell of two units on two rows under XLA: gradients of a loss that is taken of the flattened outputs."""

import numpy as np
import tensorflow as tf

random = np.random.RandomState(0)
inputs, state = tf.constant(random.randn(2, 2)), tf.constant(random.randn(2, 2))
weights = tf.constant(random.randn(4))
cell = tf.keras.layers.GRUCell(2, dtype="float64")
cell(inputs, [state])
cell.set_weights([random.randn(*weight.shape) for weight in cell.get_weights()[:3]] + cell.get_weights()[3:])
variables = [v if isinstance(v, tf.Variable) else v.value for v in cell.trainable_variables]


def gradients(inputs, state, weights):
    with tf.GradientTape() as tape:
        outputs, _ = cell(inputs, [state])
        loss = tf.reduce_sum(tf.reshape(outputs, [-1]) * weights)
    return tape.gradient(loss, variables)


right = gradients(inputs, state, weights)[2].numpy()
under_xla = tf.function(gradients, jit_compile=True)(inputs, state, weights)[2].numpy()
print("bias, eager\n", right, "\nbias, XLA\n", under_xla)
raise SystemExit(0 if not np.allclose(right, under_xla) else 1)
