"""The exceptions that gradcheck raises. None of them needs TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcheck.cases import Case
    from gradcheck.report import Report

__all__ = ["GradientError", "InputError", "MissingTensorFlowError"]


class InputError(ValueError):
    """An argument cannot be checked: the message says what is wrong, the value, the limit and the remedy."""


class MissingTensorFlowError(ImportError):
    """TensorFlow is needed now and cannot be imported."""


class GradientError(AssertionError):
    """A check failed. The message is the whole report.

    Attributes:
        report: what the message was made from.
        parts: the reports of the single batches that failed. A search has one for each failing mode, since each mode
            has a smallest batch of its own; a check of one batch has the report itself.
        cases: by mode, the failing example as `gradcheck.cases` writes it to a file; of searches only.
    """

    def __init__(
        self,
        report: Report,
        *,
        parts: tuple[Report, ...] = (),
        cases: Mapping[str, Case] | None = None,
        text: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(report)
        self.report = report
        self.parts = parts or (report,)
        self.cases: Mapping[str, Case] = cases or {}
        self._text = text

    def tell(self, text: str) -> None:
        """Have the message say this instead, for whoever shows several failures that are told alike."""
        self._text = lambda: text

    def __str__(self) -> str:
        return str(self.report) if self._text is None else self._text()


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (GradientError, InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
