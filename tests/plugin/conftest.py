"""Inner pytest runs with the plugin, and subjects whose verdicts are known without TensorFlow."""

from __future__ import annotations

import importlib.metadata

# pytester forgets what an inner run imported. What is imported here stays, and saves each of them 0.7 s.
import hypothesis.internal.observability  # noqa: F401
import numpy as np  # noqa: F401
import pytest

import gradcheck
import gradcheck.plugin.recorder
import gradcheck.plugin.results
import gradcheck.rendering
import gradcheck.searching
from gradcheck.harness import session as recording

# What the harness would do, without TensorFlow: publish a report, raise where it is not ok.
HARNESS = """
import dataclasses
from gradcheck import GradientError, Verdict
from gradcheck.harness import session as recording
from gradcheck.report import Entry, ModeResult, Report

def report_of(
    subject="layer", cause="off by 2", arguments="Batch(values=np.array([[1.0]]))", resolution=None, **verdicts
):
    modes = {}
    for mode, name in verdicts.items():
        verdict = Verdict[name]
        modes[mode] = ModeResult(mode, verdict, cause=cause if verdict.fails else "", resolution=resolution)
    scripts = {mode: "print('script')\\n" for mode, found in modes.items() if found.verdict.fails}
    return Report(subject, modes, arguments=arguments, versions={"tensorflow": "2.8.4"}, scripts=scripts)

def checked(*args, **kwargs):
    report = report_of(*args, **kwargs)
    recording.publish(report)
    if not report.ok:
        raise GradientError(report)

def nameless(**verdicts):
    # A lambda that a pretended search finds this of.
    subject = lambda values: values
    subject.verdicts = verdicts
    return subject

def pretend_search(table={}, batch=None, **verdicts):
    # Have gradcheck.search find what the table says of a subject's name, the verdicts of all others; on a batch of
    # each mode, where none is given.
    import gradcheck
    from gradcheck.searching.searches import ModeSearch, SearchResult

    def search(subject, strategy, *, modes, expect=None, **arguments):
        name = subject.__name__
        found = {}
        for mode in modes:
            own = {**verdicts, **table.get(name, {}), **getattr(subject, "verdicts", {})}
            verdict = Verdict[own.get(mode, "PASS")]
            expected = tuple(Verdict[n] for n in [(expect or {}).get(mode)] if n)
            report = report_of(name, arguments=batch or f"batch of {mode}", **{mode: verdict.name})
            report = dataclasses.replace(
                report, modes={mode: dataclasses.replace(report[mode], expected=expected)}
            )
            found[mode] = ModeSearch(mode, verdict, None, report, 3, 4, {verdict.name: 3}, expected)
        print("SEARCHED", name, modes, dict(recording.defaults()) | arguments, strategy)
        result = SearchResult(name, found, None, {"tensorflow": "2.8.4"})
        recording.publish(Report(name, {m: f.result for m, f in found.items()}, "", result.versions))
        return result

    gradcheck.search = gradcheck.searching.searches.search = search
"""


def _installed() -> bool:
    return any(
        entry.name == "gradcheck" and entry.value == "gradcheck.plugin"
        for entry in importlib.metadata.entry_points(group="pytest11")
    )


@pytest.fixture(autouse=True)
def _ini_of_its_own(pytester: pytest.Pytester) -> None:
    """Nox's temporary folders lie inside the checkout, whose configuration inner runs would find."""
    pytester.makeini("[pytest]\n")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """``run(source, *arguments)``: write the source beside the harness above and run pytest on it."""
    pytester.makepyfile(pretended_harness=HARNESS)
    pytester.syspathinsert()
    # Where the package is only on PYTHONPATH there is no entry point to load the plugin by.
    load = [] if _installed() else ["-p", "gradcheck.plugin"]

    def run_pytest(source: str, *arguments: str, subprocess: bool = False, **environment: str) -> pytest.RunResult:
        # The outer run records as well; what an inner one in the same process checks is none of its business.
        monkeypatch.setattr(recording, "_subscribers", [])
        for place in (gradcheck, gradcheck.searching):  # put back after `pretend_search`
            monkeypatch.setattr(place, "search", place.search)
        for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        pytester.makepyfile(test_it="from pretended_harness import *\n" + source)
        runner = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return runner(*load, *arguments)

    return run_pytest
