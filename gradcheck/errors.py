"""What gradcheck raises where it cannot check. Neither needs TensorFlow."""

from __future__ import annotations

__all__ = ["InputError", "MissingTensorFlowError"]


class InputError(ValueError):
    """An argument cannot be checked: the message says what is wrong, the value, the limit and the remedy."""


class MissingTensorFlowError(ImportError):
    """TensorFlow is needed now and cannot be imported."""


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
