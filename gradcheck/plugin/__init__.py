"""The pytest plugin: hooks only, each a few lines over the modules beside this one.

Loaded by the entry point ``gradcheck`` (so ``-p no:gradcheck`` turns it off), or by ``-p gradcheck.plugin``
where autoloading is off. It is part of every pytest run wherever the distribution is installed, also of runs
that never check a gradient: nothing here may import TensorFlow, NumPy or Hypothesis before a test asks for
them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.plugin import settings, suites, tracebacks

if TYPE_CHECKING:
    from gradcheck.plugin.checker import Checker

__all__: list[str] = []


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_addoption
def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option group and its ini keys."""
    settings.add_options(parser)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_configure
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, refuse wrong options before anything runs, and collect results where they are
    shown.
    """
    config.addinivalue_line("markers", settings.MARKER_HELP)
    settings.check_options(config)
    if not hasattr(config, "workerinput"):  # an xdist worker: its results travel to the controller on the reports
        from gradcheck.plugin.results import Results

        config.pluginmanager.register(Results(config), "gradcheck-results")


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_pycollect_makeitem
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> list[Any] | None:
    """Collect the suites that stand in a module without a name."""
    return suites.collect_unnamed(collector, name, obj)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_generate_tests
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``gradcheck_mode`` once for each mode."""
    settings.parametrize_modes(metafunc)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_itemcollected
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of suites."""
    suites.mark(item)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_collection_modifyitems
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the modes of suites that this run is not about."""
    suites.leave_out_modes(config, items)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_collection_finish
def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the tests of a suite share one search."""
    suites.share(session)


# https://pytest-xdist.readthedocs.io/en/stable/how-it-works.html
@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist how tests are handed out."""
    node.workerinput[suites.DISTRIBUTION] = node.config.getoption("dist")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a suite together where groups are."""
    return suites.scheduler(config, log)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_setup
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check the marker's arguments, and skip a test whose modes the command line leaves out."""
    if item.get_closest_marker(settings.MARKER) is None:
        return
    try:
        chosen = settings.settings_of(item)
        wrong = None
    except pytest.UsageError as error:
        wrong = str(error)
    if wrong is not None:  # outside the handler: pytest would show both exceptions
        pytest.fail(wrong, pytrace=False)
    if not chosen.modes_to_run():
        pytest.skip(chosen.nothing_to_run())


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_call
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Record what the test checks, under the settings that hold for it."""
    from gradcheck.plugin.recorder import recorder_of
    from gradcheck.plugin.statistics import collected

    recorder = recorder_of(item)
    with recorder.recording(), collected(item):
        result = yield
    recorder.fail_where_unresolved()
    return result


# A second one, not around the others: pytest's own, which puts failures of unittest classes in `call`, runs before it,
# and the one that makes the report behind it. Of any other name pytest would not see it.
@pytest.hookimpl(specname="pytest_runtest_makereport")
def pytest_gradcheck_shorten(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Leave out of a failure what helps nobody."""
    tracebacks.leave_out_gradcheck(item, call)


# https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_runtest_makereport
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what was recorded on the report."""
    # Here, not in the wrapper above: failures of unittest classes do not pass through it, pytest puts them
    # in `call`.
    report = yield
    from gradcheck.plugin.recorder import announce, recorder_of

    if call.when == "setup":
        announce(item, report)
    if call.when == "call":
        recorder_of(item).attach_to(report, call.excinfo.value if call.excinfo else None)
        suites.show_report_only(item, report, call)
        tracebacks.begin_with_the_verdict(report, call)
    return report


@pytest.fixture(scope="session")
def gradcheck() -> Checker:
    """Checks gradients with the settings of the marker ``gradcheck``, the options and the ini file.

    ``gradcheck(subject, batch)`` fails the test where a gradient is wrong; ``gradcheck.check`` only reports;
    ``gradcheck.search(subject, strategy)`` searches and fails with the smallest counterexample. Keyword
    arguments win over the marker. Session-scoped, so that it can be used under ``@given``.
    """
    from gradcheck.plugin.checker import Checker

    return Checker()


@pytest.fixture
def gradcheck_mode(request: pytest.FixtureRequest) -> str:
    """The mode of this run: a test that asks for it runs once for each mode, which is named in its id."""
    return str(request.param)
