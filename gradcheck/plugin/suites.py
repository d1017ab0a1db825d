"""Tests of `gradcheck.suite`: what pytest does not do by itself with the functions that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.plugin.settings import MARKER, settings_of, without_mode
from gradcheck.suites import ATTRIBUTE, REGISTRY

if TYPE_CHECKING:
    from gradcheck.harness.gradient_error import GradientError
    from gradcheck.report import Report

__all__ = ["collect_unnamed", "leave_out_modes", "mark", "show_report_only", "tell_once"]

# What the modes of each suite were told to fail with, and the test that told it, in this process.
_TOLD: pytest.StashKey[dict[str, list[tuple[str, Report]]]] = pytest.StashKey()


def collect_unnamed(collector: Any, name: str, found: Any) -> list[Any] | None:
    """The tests of a module's suites that no variable holds; None for whatever is not the registry of suites."""
    if name != REGISTRY or not isinstance(found, list) or not isinstance(collector, pytest.Module):
        return None
    module = collector.obj
    named = {id(value) for value in vars(module).values()}
    items: list[Any] = []
    for test in found:
        if id(test) in named or not hasattr(test, ATTRIBUTE):
            continue
        title = _free(test.__name__, vars(module))
        setattr(module, title, test)  # pytest looks the function up by its name when the test runs
        made = collector.ihook.pytest_pycollect_makeitem(collector=collector, name=title, obj=test)
        items += made if isinstance(made, list) else [made]
    return items


def _free(title: str, taken: dict[str, Any]) -> str:
    number, free = 1, title
    while free in taken:
        number += 1
        free = f"{title}_{number}"
    return free


def mark(item: pytest.Item) -> None:
    """Give a suite's test the marker ``gradcheck`` with the suite's arguments, so that ``-m gradcheck`` selects it."""
    made = _suite_of(item)
    if made is not None:
        item.add_marker(getattr(pytest.mark, MARKER)(**made.marker))


def leave_out_modes(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of suites in modes that the command line, or the ini file, leaves out."""
    left_out = [item for item in items if _is_left_out(item)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _suite_of(item: pytest.Item) -> Any:
    return getattr(getattr(item, "function", None), ATTRIBUTE, None)


def _is_left_out(item: pytest.Item) -> bool:
    if _suite_of(item) is None:
        return False
    try:
        return not settings_of(item).modes_to_run()
    except pytest.UsageError:  # wrong arguments: told when the test is set up
        return False


def tell_once(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Tell in short what fails in this mode like in one before; nobody reads a page four times."""
    error = _error_of(item, call)
    if error is None or len(error.parts) != 1:
        return
    from gradcheck.rendering.repeated import render_repeated, told_alike

    (part,) = error.parts
    for where, before in _told(item):
        # By the test itself: a plugin may run it again, and show its last failure only.
        if where != item.nodeid and told_alike(before, part):
            error.tell(render_repeated(part, before, where))
            return


def show_report_only(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """A suite's test has no source to show in a traceback: its failure is the report."""
    error = _error_of(item, call)
    if error is None or call.excinfo is None:
        return
    report.longrepr = call.excinfo.getrepr(style="value")
    if report.outcome == "failed" and len(error.parts) == 1:  # an expected failure is not shown
        _told(item).append((item.nodeid, error.parts[0]))


def _told(item: pytest.Item) -> list[tuple[str, Report]]:
    return item.config.stash.setdefault(_TOLD, {}).setdefault(without_mode(item), [])


def _error_of(item: pytest.Item, call: pytest.CallInfo[None]) -> GradientError | None:
    from gradcheck.harness.gradient_error import GradientError

    error = None if call.excinfo is None else call.excinfo.value
    return error if isinstance(error, GradientError) and _suite_of(item) is not None else None
