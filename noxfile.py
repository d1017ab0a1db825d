"""Sessions: one for each TensorFlow release (``nox -s tf28`` … ``tf221``), the project's own checks, upkeep.

The releases come from ``gradcheck/versions.py``, the one table of them. ``nox -l`` lists everything.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
# A session that is skipped because its Python is missing would look green.
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "typing", "docs", "tests"]

ROOT = Path(__file__).resolve().parent

# Nox started by a pyenv shim from another folder (`nox -f path/noxfile.py -s tf28 -- tests`) hands that folder's choice
# of Pythons on to every shim below it. The Pythons that count are those of this folder's .python-version.
if os.environ.get("PYENV_DIR", str(ROOT)) != str(ROOT):
    for _name in ("PYENV_DIR", "PYENV_VERSION"):
        os.environ.pop(_name, None)

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
TOOLS_PYTHON = "3.11"


def _load_versions() -> ModuleType:
    """Load the table by its path: importing the package would need what Nox's environment does not have."""
    spec = importlib.util.spec_from_file_location("_gradcheck_versions", ROOT / "gradcheck" / "versions.py")
    if spec is None or spec.loader is None:
        raise ImportError("gradcheck/versions.py cannot be loaded; is the checkout complete?")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


versions = _load_versions()


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def _build_wheel(session: nox.Session) -> Path:
    """Build the sdist and, from it, the wheel: what is tested is what a user would install."""
    out = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(out, ignore_errors=True)
    if session.venv_backend == "uv":
        session.run("uv", "build", "--quiet", "--out-dir", str(out), str(ROOT))
    else:
        # pip builds inside the checkout, where setuptools would pack what an earlier build left behind.
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        session.run("python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(out), str(ROOT), silent=True)
    wheels = list(out.glob("*.whl"))
    if len(wheels) != 1:
        session.error(f"expected one wheel in {out}, found {len(wheels)}; the build's output is above")
    return wheels[0]


def _install(session: nox.Session, release: versions.Release, *extra: str) -> None:
    """Install the built wheel, TensorFlow and what the tests need, pinned by the release's constraints."""
    wheel = _build_wheel(session)
    constraints = str(ROOT / release.constraints)
    session.install(
        f"{PYPROJECT['project']['name']}[tensorflow-cpu] @ {wheel.as_uri()}",
        f"tensorflow-cpu=={release.version}",
        *release.requirements,
        *_group("test"),
        *extra,
        "--constraint",
        constraints,
        # A wheel of the same version number may be there from the last run.
        *(["--reinstall-package", PYPROJECT["project"]["name"]] if session.venv_backend == "uv" else []),
    )


def _environment() -> dict[str, str]:
    """What every run gets: no start-up chatter, and the duty to test what is installed, not the checkout."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "GRADCHECK_EXPECT_INSTALLED": "1",
    }


def _own_suite_arguments(session: nox.Session) -> tuple[list[str], list[str]]:
    """Split what follows ``--``: what is to be installed for somebody's suite, and pytest's own arguments.

    ``--requirements FILE`` and ``--with REQUIREMENT`` (both repeatable) are ours; paths are meant from where
    Nox was called.
    """
    install: list[str] = []
    arguments: list[str] = []
    rest = iter(session.posargs)
    for argument in rest:
        name, has_value, value = argument.partition("=")
        if name in ("--requirements", "--with"):
            if not has_value:
                value = next(rest, "")
            if not value:
                session.error(f"{name} needs a value: a {'file' if name == '--requirements' else 'requirement'}")
            if name == "--requirements":
                path = Path(session.invoked_from) / value
                if not path.is_file():
                    session.error(f"--requirements {value}: there is no such file in {session.invoked_from}")
                install += ["--requirement", str(path)]
            else:
                install.append(value)
            continue
        path, separator, node = argument.partition("::")
        found = Path(session.invoked_from) / path
        is_path = not argument.startswith("-") and path and found.exists()
        arguments.append(f"{found}{separator}{node}" if is_path else argument)
    return install, arguments


def _version_session(release: versions.Release) -> None:
    def session_for_release(session: nox.Session) -> None:
        install, arguments = _own_suite_arguments(session)
        _install(session, release, *install)
        if session.posargs:
            # `pytest`, not `python -m pytest`: the latter puts the current directory, and so the checkout,
            # on sys.path.
            session.run("pytest", *arguments, env=_environment())
            return
        results = ROOT / "results"
        results.mkdir(exist_ok=True)
        session.run(
            "gradcheck",
            "variants",
            "--json",
            str(results / f"variants-{release.minor}.json"),
            env=_environment(),
        )

    what = f"TensorFlow {release.version}, Python {release.python}"
    session_for_release.__doc__ = f"{what}: the bundled variants, or pytest on the paths after `--`."
    nox.session(session_for_release, name=release.session, python=release.python, tags=["versions"], reuse_venv=True)


for _release in versions.RELEASES:
    _version_session(_release)


@nox.session(reuse_venv=True, tags=["checks"])
@nox.parametrize(
    "python,release",
    [nox.param(r.python, r, id=r.session) for r in (versions.oldest(), versions.newest())],
)
def tests(session: nox.Session, release: versions.Release) -> None:
    """The project's own suite, against the built wheel, on the oldest and the newest TensorFlow."""
    _install(session, release)
    arguments = session.posargs or ["--numprocesses=2", "--dist=worksteal"]
    if not session.posargs and release == versions.newest():
        arguments += ["--cov", "--cov-report=term"]  # tracing costs a fifth of the time; once is enough
    environment = {**_environment(), "COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage")}
    session.run("pytest", *arguments, env=environment)


@nox.session(python=versions.oldest().python, tags=["checks"])
def minimums(session: nox.Session) -> None:
    """The project's own suite with the lowest versions allowed, on the oldest TensorFlow."""
    release = versions.oldest()
    if session.venv_backend != "uv":
        session.error("minimums needs uv's --resolution=lowest-direct; install Nox as `nox[uv]`")
    wheel = _build_wheel(session)
    # As constraints: as requirements they would be direct ones, and resolved to setuptools 0.7.
    limits = Path(session.create_tmp()) / "limits.txt"
    limits.write_text("\n".join(release.requirements) + "\n")
    session.install(
        "--resolution=lowest-direct",
        "--reinstall-package",
        PYPROJECT["project"]["name"],
        f"{PYPROJECT['project']['name']}[tensorflow-cpu] @ {wheel.as_uri()}",
        f"tensorflow-cpu=={release.version}",
        *PYPROJECT["project"]["dependencies"],  # again, for those of a wheel are not direct ones
        *_group("test"),
        "--constraint",
        str(limits),
    )
    session.run("pytest", *(session.posargs or ["--numprocesses=2"]), env=_environment())


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, tags=["checks"])
def lint(session: nox.Session) -> None:
    """Ruff: lint rules and formatting. `nox -s lint -- --fix` repairs what can be repaired."""
    session.install(*_group("lint"))
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, tags=["checks"])
def typing(session: nox.Session) -> None:
    """Mypy, strict, on the public packages (gradcheck, and gradcheck.strategies inside it)."""
    session.install(*_group("typing"), *PYPROJECT["project"]["dependencies"])
    session.run("mypy", *session.posargs)


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, tags=["checks"])
def docs(session: nox.Session) -> None:
    """Fails where a generated page no longer says what its source says. `nox -s docs -- --write` writes them
    anew.
    """
    session.install("--editable", ".")
    session.run("python", "-m", "gradcheck.variants.document", *(session.posargs or ["--check"]))


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, default=False)
def lock(session: nox.Session) -> None:
    """Write constraints/*.txt anew: the newest versions that go together, for each TensorFlow and its
    Python.
    """
    session.install("uv")
    with tempfile.TemporaryDirectory() as folder:
        for release in versions.RELEASES:
            if session.posargs and release.session not in session.posargs:
                continue
            source = Path(folder) / f"{release.session}.in"
            source.write_text(
                "\n".join([f"tensorflow-cpu=={release.version}", *release.requirements, *_group("test")]) + "\n"
            )
            session.run(
                *["uv", "pip", "compile", "pyproject.toml", str(source)],
                *["--python-version", release.python, "--python-platform", "x86_64-manylinux_2_28"],
                *["--only-binary", ":all:", "--upgrade", "--no-header", "--no-annotate", "--quiet"],
                *["--output-file", release.constraints],
                silent=True,
            )
            written = ROOT / release.constraints
            header = (
                f"# TensorFlow {release.version} on Python {release.python}, Linux x86-64."
                " Generated by `nox -s lock`; do not edit.\n"
            )
            written.write_text(header + written.read_text())


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, default=False)
def report(session: nox.Session) -> None:
    """Merge results/variants-*.json (or the files after `--`) into one matrix, Markdown and JSON."""
    files = session.posargs or sorted(str(path) for path in (ROOT / "results").glob("variants-*.json"))
    if not files:
        session.error("there are no results/variants-*.json; `nox -t versions` makes them, or name files after `--`")
    session.install(str(_build_wheel(session)))
    out = ROOT / "results"
    session.run("gradcheck", "report", *files, "--markdown", f"{out}/report.md", "--json", f"{out}/report.json")


@nox.session(python=versions.newest().python, reuse_venv=True, default=False)
def nightly(session: nox.Session) -> None:
    """The bundled variants, or pytest on the paths after `--`, on TensorFlow's nightly build. Not pinned."""
    wheel = _build_wheel(session)
    install, arguments = _own_suite_arguments(session)
    session.install("--upgrade", "--pre", "tf-nightly-cpu", str(wheel), *_group("test"), *install)
    if session.posargs:
        session.run("pytest", *arguments, env=_environment())
        return
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    session.run("gradcheck", "variants", "--json", str(results / "variants-nightly.json"), env=_environment())


@nox.session(python=versions.newest().python, reuse_venv=True, default=False)
def bench(session: nox.Session) -> None:
    """Benchmarks on the newest TensorFlow: one table a script in benchmarks/. Paths after `--` choose
    scripts.
    """
    _install(session, versions.newest())
    scripts = [Path(argument) for argument in session.posargs] or sorted((ROOT / "benchmarks").glob("*.py"))
    for script in scripts:
        session.run("python", str(script), env=_environment())
