"""Tests of `gradcheck.suite`: what pytest does not do by itself with the functions that it makes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.mode_names import MODES
from gradcheck.plugin.settings import MARKER, id_without, mode_of, settings_of
from gradcheck.suites import ATTRIBUTE, REGISTRY

if TYPE_CHECKING:
    from gradcheck.harness.gradient_error import GradientError

__all__ = ["DISTRIBUTION", "collect_unnamed", "leave_out_modes", "mark", "scheduler", "share", "show_report_only"]


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


def share(session: pytest.Session) -> None:
    """Have the tests of each suite share one search, in the modes that this run has tests of.

    In a worker of pytest-xdist that gets some tests of a suite only, each searches by itself.
    """
    if getattr(session.config, "workerinput", {}).get(DISTRIBUTION) in _APART:
        return
    modes: dict[int, tuple[Any, list[str]]] = {}
    for item in session.items:
        made, mode = _suite_of(item), mode_of(item)
        if made is not None and mode is not None:
            modes.setdefault(id(made), (made, []))[1].append(mode)
    for made, asked in modes.values():
        made.share(asked)


DISTRIBUTION = "gradcheck_distribution"
"""How pytest-xdist hands out tests, in what it tells its workers."""

# Each test for itself, to whichever worker has time.
_APART = ("load", "worksteal")


def scheduler(config: pytest.Config, log: Any) -> Any:
    """For ``--dist loadgroup``: the tests of one suite are a group where they are in no other; else None."""
    if config.getoption("dist", "no") != "loadgroup":
        return None
    scheduling: Any = importlib.import_module("xdist.scheduler").LoadGroupScheduling(config, log)
    by_mark = scheduling._split_scope

    def group(nodeid: str) -> str:
        scope = str(by_mark(nodeid))
        if scope != nodeid:
            return scope
        return next((test for mode in MODES if (test := id_without(nodeid, mode)) != nodeid), nodeid)

    scheduling._split_scope = group
    return scheduling


def _suite_of(item: pytest.Item) -> Any:
    return getattr(getattr(item, "function", None), ATTRIBUTE, None)


def _is_left_out(item: pytest.Item) -> bool:
    if _suite_of(item) is None:
        return False
    try:
        return not settings_of(item).modes_to_run()
    except pytest.UsageError:  # wrong arguments: told when the test is set up
        return False


def show_report_only(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """A suite's test has no source to show in a traceback: its failure is the report."""
    error = _error_of(item, call)
    if error is None or call.excinfo is None:
        return
    report.longrepr = call.excinfo.getrepr(style="value")
    vars(report)["gradcheck_report_only"] = True


def _error_of(item: pytest.Item, call: pytest.CallInfo[None]) -> GradientError | None:
    from gradcheck.harness.gradient_error import GradientError

    error = None if call.excinfo is None else call.excinfo.value
    return error if isinstance(error, GradientError) and _suite_of(item) is not None else None
