"""Scripts that show a failure with plain TensorFlow and NumPy: what goes into a bug report."""

from __future__ import annotations

from gradcheck.reproduce.failure import Failure
from gradcheck.reproduce.script import build_script

__all__ = ["Failure", "build_script"]
