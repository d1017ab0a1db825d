"""tf.math.cumprod: the gradient at an input that is exactly 0."""

import numpy as np
import tensorflow as tf

x = tf.constant(np.array([2.0, 0.0, 3.0]))
with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.reduce_sum(tf.math.cumprod(x))  # 2 + 2·x + 2·x·3: the slope w.r.t. x, the second, is 2 + 6 = 8
gradient = tape.gradient(y, x).numpy()
print("right [1. 8. 0.]", " gradient", gradient)
raise SystemExit(0 if not np.allclose(gradient, [1.0, 8.0, 0.0]) else 1)
