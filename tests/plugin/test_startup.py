"""The plugin is part of every pytest run of whoever installs the package: it must cost them nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck
from gradcheck.plugin import settings

HEAVY = ("tensorflow", "keras", "numpy", "hypothesis", "rich", "click")

REPORT_MODULES = """
import json, pathlib, sys
def pytest_unconfigure():
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


def heavy_modules(pytester: pytest.Pytester, *arguments: str, conftest: str = "") -> set[str]:
    """Which of `HEAVY` a pytest run with the plugin, and with no other, has imported by its end."""
    pytester.makeconftest(REPORT_MODULES + conftest)
    pytester.makepyfile("def test_nothing(): pass")
    environment_free = ("-p", "gradcheck.plugin", *arguments)
    result = pytester.runpytest_subprocess(*environment_free)
    result.assert_outcomes(passed=1)
    loaded = json.loads((pytester.path / "modules.json").read_text())
    assert "gradcheck.plugin" in loaded
    return set(HEAVY) & set(loaded)


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # pytest-cov starts coverage in child processes by these, and coverage is not what is measured here.
    monkeypatch.delenv("COV_CORE_SOURCE", raising=False)


def test_starting_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    assert heavy_modules(pytester) == set()


def test_options_import_nothing_heavy(pytester: pytest.Pytester) -> None:
    options = ("--gradcheck-modes=graph,xla", "--gradcheck-engine=reference", "--gradcheck-json=out.json")
    assert heavy_modules(pytester, *options) == set()


@pytest.mark.parametrize("module", ["tensorflow", "numpy"])
def test_the_check_above_can_fail(pytester: pytest.Pytester, module: str) -> None:
    pytester.mkpydir("stubs")
    (pytester.path / "stubs" / f"{module}.py").write_text("")
    conftest = f"\nsys.path.insert(0, 'stubs')\nimport {module}\n"
    assert heavy_modules(pytester, conftest=conftest) == {module}


def test_importing_the_plugin_is_quick(tmp_path: Path) -> None:
    # Against pytest in the same process, for the machine may be slow or busy. Measured: 4 %, 15 ms.
    script = """
import time
start = time.perf_counter()
import pytest, _pytest.config, _pytest.terminal, _pytest.python, _pytest.unittest, _pytest.junitxml
between = time.perf_counter()
import gradcheck.plugin, gradcheck.plugin.results
print(time.perf_counter() - between, between - start)
"""
    runs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        runs.append(tuple(map(float, done.stdout.split())))
    plugin, own = min(runs)
    assert plugin < max(0.030, 0.15 * own), f"{plugin * 1e3:.0f} ms; pytest itself {own * 1e3:.0f} ms"


def test_the_modes_written_out_are_the_harness_s() -> None:
    assert settings.MODES == gradcheck.MODES
