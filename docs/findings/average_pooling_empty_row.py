"""GlobalAveragePooling1D with a mask: a row without a valid step is 0/0."""

import numpy as np
import tensorflow as tf

layer = tf.keras.layers.GlobalAveragePooling1D(dtype="float64")
values = tf.constant(np.ones([2, 3, 1]))
mask = tf.constant([[True, True, False], [False, False, False]])
with tf.GradientTape() as tape:
    tape.watch(values)
    pooled = layer(values, mask=mask)
gradient = tape.gradient(pooled, values)
print("pooled", pooled.numpy().ravel(), " gradient of the empty row", gradient.numpy()[1].ravel())
raise SystemExit(0 if np.isnan(pooled.numpy()).any() else 1)
