"""Names of subjects, where they are more than what the author wrote."""

from __future__ import annotations

import re

__all__ = ["LEGACY", "unnumbered"]

#: What the names of subjects end with that ran under ``tf_keras``; without it they are called as under ``tf.keras``.
LEGACY = " (tf_keras)"


def unnumbered(subject: str) -> str:
    """The subject's name without one that Keras or TensorFlow made up: ``SineLayer 'sine_layer_7'`` is ``SineLayer``.

    A layer that is made anew for each example is one subject, and the seventh of a run is the third of the next.
    """
    kind, _, own = subject.partition(" ")
    made_up = re.fullmatch(r"'(\w+?)(_\d+)?'", own)
    # Keras and TensorFlow do not put their underscores in the same places, and Keras calls `_Layer` private__layer.
    plain = kind.replace("_", "").lower()
    return kind if made_up and made_up[1].replace("_", "") in (plain, f"private{plain}") else subject
