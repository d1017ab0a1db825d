"""tf.nn.weighted_cross_entropy_with_logits: the gradient at a logit that is exactly 0."""

import numpy as np
import tensorflow as tf

labels = np.array([0.0, 0.5, 1.0])
weight = 3.0
logits = tf.zeros(3, tf.float64)
with tf.GradientTape() as tape:
    tape.watch(logits)
    losses = tf.nn.weighted_cross_entropy_with_logits(labels, logits, weight)
gradient = tape.gradient(losses, logits).numpy()
# The loss is (1 - z)·softplus(x) + w·z·softplus(-x), whose slope at x = 0 is (1 - z)/2 - w·z/2.
right = (1 - labels) / 2 - weight * labels / 2
print("right", right, " gradient", gradient)
raise SystemExit(0 if not np.allclose(gradient, right) else 1)
