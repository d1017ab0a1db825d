"""The exceptions that gradcheck raises. None of them needs TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcheck.report import Report

__all__ = ["GradientError", "InputError", "MissingTensorFlowError"]


class InputError(ValueError):
    """An argument cannot be checked: the message says what is wrong, the value, the limit and the remedy."""


class MissingTensorFlowError(ImportError):
    """TensorFlow is needed now and cannot be imported."""


class GradientError(AssertionError):
    """A check failed. The message is the whole report; ``report`` is the object it was made from."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (GradientError, InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
