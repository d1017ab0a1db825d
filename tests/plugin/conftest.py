"""Inner pytest runs with the plugin, and subjects whose verdicts are known without TensorFlow."""

from __future__ import annotations

import importlib.metadata

# pytester forgets what an inner run imported. What is imported here stays, and saves each of them 0.7 s.
import hypothesis.internal.observability  # noqa: F401
import numpy as np  # noqa: F401
import pytest

import gradcheck.plugin.recorder
import gradcheck.plugin.results
import gradcheck.rendering  # noqa: F401
from gradcheck import recording

# What the harness would do, without TensorFlow: publish a report, raise where it is not ok.
HARNESS = """
from gradcheck import GradientError, Verdict, recording
from gradcheck.report import Entry, ModeResult, Report

def report_of(subject="layer", cause="off by 2", arguments="Batch(values=np.array([[1.0]]))", **verdicts):
    modes = {}
    for mode, name in verdicts.items():
        verdict = Verdict[name]
        modes[mode] = ModeResult(mode, verdict, cause=cause if verdict.fails else "")
    scripts = {mode: "print('script')\\n" for mode, found in modes.items() if found.verdict.fails}
    return Report(subject, modes, arguments=arguments, versions={"tensorflow": "2.8.4"}, scripts=scripts)

def checked(*args, **kwargs):
    report = report_of(*args, **kwargs)
    recording.publish(report)
    if not report.ok:
        raise GradientError(report)
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

    def run_pytest(source: str, *arguments: str, subprocess: bool = False) -> pytest.RunResult:
        # The outer run records as well; what an inner one in the same process checks is none of its business.
        monkeypatch.setattr(recording, "_subscribers", [])
        pytester.makepyfile(test_it="from pretended_harness import *\n" + source)
        runner = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return runner(*load, *arguments)

    return run_pytest
