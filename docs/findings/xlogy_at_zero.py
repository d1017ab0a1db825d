"""tf.math.xlogy, xlog1py and xdivy: the gradient w.r.t. a first argument that is exactly 0."""

import numpy as np
import tensorflow as tf

x = tf.constant(np.array([0.0, 1.0]))
y = tf.constant(np.array([2.0, 2.0]))
with tf.GradientTape(persistent=True) as tape:
    tape.watch(x)
    results = {
        "x·log(y)": tf.math.xlogy(x, y),  # the slope w.r.t. x is log(2) = 0.693, at 0 as anywhere
        "x·log(1 + y)": tf.math.xlog1py(x, y),  # log(3) = 1.099
        "x / y": tf.math.xdivy(x, y),  # 0.5
    }
gradients = {name: tape.gradient(result, x).numpy() for name, result in results.items()}
for name, gradient in gradients.items():
    print(f"{name:13} slope at 0: {gradient[1]:.3f}  gradient at 0: {gradient[0]:.3f}")
raise SystemExit(0 if any(gradient[0] != gradient[1] for gradient in gradients.values()) else 1)
