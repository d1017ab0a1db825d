"""What gradcheck raises where it cannot check. Neither needs TensorFlow."""

from __future__ import annotations

__all__ = ["InputError", "MissingTensorFlowError", "shown"]


class InputError(ValueError):
    """An argument cannot be checked: the message says what is wrong, the value, the limit and the remedy."""


class MissingTensorFlowError(ImportError):
    """TensorFlow is needed now and cannot be imported."""


def shown(value: object, most: int = 200) -> str:
    """A value for a message: its `repr`, cut where it is long, or what is known of it where it has none."""
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
