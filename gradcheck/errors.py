"""The exceptions that gradcheck raises. None of them needs TensorFlow."""

from __future__ import annotations

import functools
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
        cases: by mode, the failing example as `gradcheck.cases` writes it to a file. Made when it is looked up: under
            `hypothesis.given` nobody looks at any but the last failure.
        obstacles: by mode, why ``gradcheck replay`` cannot run a failing example; of modes that it can run nothing.
    """

    def __init__(
        self,
        report: Report,
        *,
        parts: tuple[Report, ...] = (),
        cases: Callable[[], Mapping[str, Case | str]] = dict,
        text: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(report)
        self.report = report
        self.parts = parts or (report,)
        self._make_cases = cases  # a text is why there is none
        self._text = text

    @functools.cached_property
    def _cases(self) -> Mapping[str, Case | str]:
        return self._make_cases()

    @property
    def cases(self) -> Mapping[str, Case]:
        return {mode: case for mode, case in self._cases.items() if not isinstance(case, str)}

    @property
    def obstacles(self) -> Mapping[str, str]:
        found = {mode: case if isinstance(case, str) else case.obstacle for mode, case in self._cases.items()}
        return {mode: why for mode, why in found.items() if why}

    def tell(self, text: str) -> None:
        """Have the message say this instead, for whoever shows several failures that are told alike."""
        self._text = lambda: text

    def __str__(self) -> str:
        return str(self.report) if self._text is None else self._text()


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (GradientError, InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
