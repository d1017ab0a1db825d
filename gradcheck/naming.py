"""Names of subjects, where they are more than what the author wrote."""

from __future__ import annotations

import re

__all__ = ["unnumbered"]


def unnumbered(subject: str) -> str:
    """The subject's name without one that Keras or TensorFlow made up: ``SineLayer 'sine_layer_7'`` is ``SineLayer``.

    A layer that is made anew for each example is one subject, and the seventh of a run is the third of the next.
    """
    kind, _, own = subject.partition(" ")
    made_up = re.fullmatch(r"'(\w+?)(_\d+)?'", own)
    # Keras and TensorFlow do not put their underscores in the same places.
    return kind if made_up and made_up[1].replace("_", "") == kind.replace("_", "").lower() else subject
