"""TimeDistributed in a tf.function that knows neither batch nor time: it gives as many steps as the batch has rows."""

import numpy as np
import tensorflow as tf

layer = tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(2))
layer(np.zeros([1, 2, 2], np.float32))
values = tf.constant(np.ones([2, 5, 2], np.float32))
unknown = tf.function(lambda v: layer(v), input_signature=[tf.TensorSpec([None, None, 2], tf.float32)])
print("eager", layer(values).shape, " batch and time unknown", unknown(values).shape)
raise SystemExit(0 if unknown(values).shape != layer(values).shape else 1)
