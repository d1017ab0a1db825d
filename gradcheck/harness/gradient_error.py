"""The exception of a failed check. It needs neither TensorFlow nor NumPy: a test run looks for it in every failure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gradcheck.harness import session as recording

if TYPE_CHECKING:
    from gradcheck.cases.document import Case
    from gradcheck.rendering.text import Access
    from gradcheck.report import Report

__all__ = ["GradientError", "access_elsewhere", "access_in_an_error"]


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

    def __str__(self) -> str:
        return str(self.report) if self._text is None else self._text()


# A traceback names an exception by the module where it is defined; users import it from `gradcheck`.
GradientError.__module__ = "gradcheck"


def access_in_an_error(raised: Callable[[], GradientError]) -> Callable[[], Access | None]:
    """For the text of an exception: in a test what it was made from has no name, and the plugin writes it to files.

    Args:
        raised: the exception, whose cases say whether the failing example is written to a file, too.

    Returns:
        What gives the access when the text is made: then nobody listens any more.
    """
    heard = recording.listened()

    def access() -> Access | None:
        if not heard:
            return None
        error = raised()
        return access_elsewhere(replayed=not error.cases.keys() <= error.obstacles.keys())

    return access


def access_elsewhere(*, replayed: bool) -> Access:
    """For the text of a test's failure: the rest is in the plugin's section, with a replay where there is one."""
    from gradcheck.rendering.text import Access

    replay = ["the command that replays this under any version"] if replayed else []
    first = ", ".join(["a script of plain TensorFlow", *replay])
    return Access(
        detail='.parts[0]["MODE"].detail of this exception',
        elsewhere=f"{first} and the command that runs the test again are in the section gradcheck at the end",
    )
