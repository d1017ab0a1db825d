"""tf.norm of a vector of zeros: the gradient is NaN, in every mode, where 0 is the usual choice."""

import numpy as np
import tensorflow as tf

zeros = tf.constant(np.zeros(2))
with tf.GradientTape() as tape:
    tape.watch(zeros)
    y = tf.norm(zeros)
gradient = tape.gradient(y, zeros).numpy()
print("gradient of the norm of [0, 0]:", gradient)
raise SystemExit(0 if np.isnan(gradient).any() else 1)
