"""A zoo of subjects that nobody here wrote: what Keras and TensorFlow offer for sequences and masks.

``gradcheck zoo`` and the version sessions search them all on the TensorFlow that runs. Importing this package does not
import TensorFlow; the modules of the subjects do.
"""
