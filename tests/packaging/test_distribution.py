"""What is built: the wheel and the sdist hold everything, and nothing under a name that is not ours."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_DATA = {".py", ".typed", ".json", ".html", ".css", ".js", ".txt"}


def source_files() -> set[str]:
    """Every file of the package on disk, by its path in an installation."""
    found = set()
    for folder, prefix in ((ROOT / "gradcheck", "gradcheck"), (ROOT / "strategies", "gradcheck/strategies")):
        for path in folder.rglob("*"):
            inside = path.relative_to(folder)
            if path.is_dir() or path.suffix not in _DATA or "__pycache__" in inside.parts:
                continue
            if prefix == "gradcheck" and inside.parts[0] == "strategies":
                continue  # the symlink; older Pythons follow it, newer do not
            found.add(f"{prefix}/{inside.as_posix()}")
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel made from it."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path; the version sessions build the wheel they test, so it does build")
    checkout = tmp_path_factory.mktemp("checkout")
    # A copy: building writes egg-info beside pyproject.toml, and other tests run at the same time.
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info", "results", "build", "dist")
    shutil.copytree(ROOT, checkout / "it", symlinks=True, ignore=ignored)
    out = tmp_path_factory.mktemp("dist")
    command = [
        uv,
        "build",
        "--quiet",
        "--python",
        sys.executable,
        "--out-dir",
        str(out),
        str(checkout / "it"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_the_wheel_holds_every_file_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == source_files()
    assert {"gradcheck/py.typed", "gradcheck/strategies/__init__.py"} <= names


def test_the_wheel_carries_licence_and_entry_points(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert re.search(r"\[pytest11\]\s+gradcheck = gradcheck\.plugin\b", text)
    assert re.search(r"\[console_scripts\]\s+gradcheck = gradcheck\.cli:main\b", text)


def test_the_sdist_can_be_built_from(built: Path) -> None:
    # The wheel above was made from it; here only that nothing a packager needs is missing.
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "strategies/__init__.py", "gradcheck/py.typed"} <= names


def test_an_installation_has_no_top_level_strategies(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import importlib.util, gradcheck, gradcheck.strategies; "
        "print(gradcheck.__file__); assert importlib.util.find_spec('strategies') is None"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(tmp_path / "site"))


def test_in_the_running_environment_strategies_is_nobody_s_name() -> None:
    assert importlib.util.find_spec("strategies") is None


@pytest.mark.skipif("GRADCHECK_EXPECT_INSTALLED" not in os.environ, reason="only Nox's sessions install a wheel")
def test_what_is_tested_is_the_installed_package() -> None:
    import gradcheck

    assert "site-packages" in Path(gradcheck.__file__).parts
    assert ROOT not in Path(gradcheck.__file__).parents or ".nox" in Path(gradcheck.__file__).parts


def test_the_symlink_is_committed_as_one() -> None:
    link = ROOT / "gradcheck" / "strategies"
    assert link.is_symlink()
    assert os.readlink(link) == "../strategies"
