"""TimeDistributed in a tf.function that does not know the time: it gives as many steps as the batch has rows."""

import numpy as np
import tensorflow as tf

layer = tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(2))
layer(np.zeros([1, 2, 2], np.float32))
values = tf.constant(np.ones([2, 5, 2], np.float32))
print("eager", layer(values).shape)
wrong = []
for shape in ([None, None, 2], [2, None, 2], [None, 5, 2]):
    known = tf.function(lambda v: layer(v), input_signature=[tf.TensorSpec(shape, tf.float32)])
    print("signature", shape, known(values).shape)
    wrong.append(known(values).shape != layer(values).shape)
raise SystemExit(0 if any(wrong) else 1)
