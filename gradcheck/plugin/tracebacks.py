"""What pytest shows of what gradcheck raises.

Of an argument that cannot be checked: the message and the user's own line. Of a gradient that is wrong: the verdict and
the cause first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pytest

from gradcheck.errors import InputError, MissingTensorFlowError

__all__ = ["begin_with_the_verdict", "leave_out_gradcheck"]

_PACKAGE = Path(__file__).parents[1]


def leave_out_gradcheck(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """Take the inside of gradcheck, and of Hypothesis between it and the test, out of the traceback of an `InputError`.

    Its message says what is wrong with an argument. Where in gradcheck that was noticed helps nobody, and its source
    hides the message. With ``--full-trace`` everything is shown.
    """
    found = call.excinfo
    if found is None or not isinstance(found.value, (InputError, MissingTensorFlowError)):
        return
    if item.config.getoption("fulltrace", False):
        return
    shown = [entry for entry in _entries(found.tb) if not _is_inside(entry.tb_frame)]
    # An entry points to the next one, and pytest follows it from the test's own: a list that is filtered is not enough.
    chain: TracebackType | None = None
    for entry in reversed(shown):
        chain = TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    if chain is not None:
        call.excinfo = pytest.ExceptionInfo.from_exception(found.value.with_traceback(chain))


def begin_with_the_verdict(report: pytest.TestReport, call: pytest.CallInfo[Any]) -> None:
    """Have pytest's short summary, which is cut at the terminal's width, and JUnit begin with verdict and cause."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if call.excinfo is None or crash is None:
        return
    from gradcheck.harness.gradient_error import GradientError

    if isinstance(error := call.excinfo.value, GradientError):
        from gradcheck.rendering.alike import in_a_line

        crash.message = in_a_line(error.report)


def _entries(entry: TracebackType | None) -> Iterator[TracebackType]:
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _is_inside(frame: FrameType) -> bool:
    # By file where Hypothesis has made a function anew, by module where a dataclass has made one, which has no file.
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return module in ("gradcheck", "hypothesis") or Path(frame.f_code.co_filename).is_relative_to(_PACKAGE)
