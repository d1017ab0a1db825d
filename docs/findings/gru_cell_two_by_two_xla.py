"""A GRU cell of two units on two rows under XLA: gradients of losses with a reshape, of the outputs or of numbers."""

import numpy as np
import tensorflow as tf

random = np.random.RandomState(0)
inputs, state = tf.constant(random.randn(2, 2)), tf.constant(random.randn(2, 2))
weights = tf.constant(random.randn(4))
cell = tf.keras.layers.GRUCell(2, dtype="float64")
cell(inputs, [state])
cell.set_weights([random.randn(*weight.shape) for weight in cell.get_weights()[:3]] + cell.get_weights()[3:])
variables = [v if isinstance(v, tf.Variable) else v.value for v in cell.trainable_variables]
LOSSES = {
    "reshape(outputs, [4]) * weights": lambda outputs, weights: tf.reshape(outputs, [-1]) * weights,
    "(outputs - reshape(weights, [2, 2])) ** 2": lambda outputs, weights: (outputs - tf.reshape(weights, [2, 2])) ** 2,
}
wrong = []
for name, loss in LOSSES.items():

    def gradients(inputs, state, weights, loss=loss):
        with tf.GradientTape() as tape:
            outputs, _ = cell(inputs, [state])
            total = tf.reduce_sum(loss(outputs, weights))
        return tape.gradient(total, variables)[2]  # of the bias

    right = gradients(inputs, state, weights).numpy()
    under_xla = tf.function(gradients, jit_compile=True)(inputs, state, weights).numpy()
    wrong.append(not np.allclose(right, under_xla))
    print(name, "\nbias, eager\n", right, "\nbias, XLA\n", under_xla)
raise SystemExit(0 if any(wrong) else 1)
