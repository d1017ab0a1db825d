"""Sessions: one for each TensorFlow release (``nox -s tf28`` … ``tf221``), the project's own checks, upkeep.

From 2.16 on ``tf.keras`` is Keras 3; ``tf216-keras2`` … ``tf221-keras2`` run the same release with Keras 2. The
releases come from ``gradcheck/releases/table.py``, the one table of them. ``nox -l`` lists everything.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
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
    spec = importlib.util.spec_from_file_location("_gradcheck_versions", ROOT / "gradcheck" / "releases" / "table.py")
    if spec is None or spec.loader is None:
        raise ImportError("gradcheck/releases/table.py cannot be loaded; is the checkout complete?")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


versions = _load_versions()


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def _build_wheel(session: nox.Session) -> Path:
    """Build the sdist and, from it, the wheel: what is tested is what a user would install.

    ``GRADCHECK_WHEEL`` names one that was built already: building writes into the checkout, so two sessions that run at
    the same time must not both do it.
    """
    given = os.environ.get("GRADCHECK_WHEEL")
    if given:
        if not Path(given).is_file():
            session.error(f"GRADCHECK_WHEEL={given}: there is no such file")
        return Path(given).resolve()
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
    """What every run gets: no start-up chatter, and the duty to test what is installed, not the checkout.

    And compiled bytecode, kept, whatever the caller's own wish: installed without any, TensorFlow takes 8 s of a core
    to import instead of 3, and most of what is tested starts processes.
    """
    return {
        "PYTHONDONTWRITEBYTECODE": "",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "GRADCHECK_EXPECT_INSTALLED": "1",
    }


class _Arguments:
    """What follows ``--``: what is to be installed for somebody's suite, what we search ourselves, pytest's own.

    ``--requirements FILE`` and ``--with REQUIREMENT`` (both repeatable), ``--examples N`` and ``--search WHAT`` are
    ours (``variants``; ``zoo``, all of it; ``sample``, one subject of each of its families; ``all``, variants and the
    whole zoo; variants and sample where nothing is said), and, beside ``--search``, ``--only TEXT`` (repeatable): only
    what has this in its name. Whatever else there is goes to pytest, and then it is somebody's suite that runs, in the
    folder from which Nox was called.
    """

    def __init__(self, session: nox.Session) -> None:
        self.install: list[str] = []
        self.examples = ""
        self.search = ""
        self.only: list[str] = []
        self.pytest: list[str] = []
        rest = iter(session.posargs)
        for argument in rest:
            name, has_value, value = argument.partition("=")
            if name in ("--requirements", "--with", "--examples", "--search", "--only"):
                value = value if has_value else next(rest, "")
                if not value:
                    session.error(f"{name} needs a value; `nox -s {session.name} -- {name} …`")
            if name == "--requirements":
                path = Path(session.invoked_from) / value
                if not path.is_file():
                    session.error(f"--requirements {value}: there is no such file in {session.invoked_from}")
                self.install += ["--requirement", str(path)]
            elif name == "--with":
                self.install.append(value)
            elif name == "--examples":
                self.examples = value
            elif name == "--search":
                if value not in ("variants", "zoo", "sample", "all"):
                    session.error(f"--search {value}: it is one of variants, zoo, sample and all")
                self.search = value
            elif name == "--only":
                self.only += ["--only", value]
            else:
                self.pytest.append(argument)
        if self.pytest and (self.examples or self.search):
            session.error("--examples and --search are for this project's own searches, not for a suite of tests")
        if self.only and not self.search:
            session.error("--only needs --search: variants and zoo have different names; `gradcheck zoo --list`")


def _run_their_tests(session: nox.Session, arguments: _Arguments) -> None:
    """Somebody's suite, in the folder from which Nox was called: there its paths begin, and what it writes is found."""
    with session.chdir(session.invoked_from):
        # `pytest`, not `python -m pytest`: the latter puts the current directory, and so a checkout, on sys.path.
        session.run("pytest", *arguments.pytest, env=_environment())


def _search(session: nox.Session, label: str, arguments: _Arguments, *, keras2: bool) -> None:
    """The variants and a sample of the zoo, or the whole zoo and the failing cases that other versions left.

    Results go to ``results/``. With Keras 2 only what is Keras's: the rest is the same as without. All run, whatever
    the first finds. Each search that is finished goes to a journal: a session that was killed, or is run again, goes on
    with what is not in it yet, as long as the build and the versions are the same.
    """
    results = ROOT / "results"
    results.mkdir(exist_ok=True)
    examples, whole = arguments.examples, arguments.search in ("zoo", "all")
    commands = {}
    if arguments.search in ("", "variants", "all") and not keras2:
        commands["variants"] = ["variants", *(["--max-examples", examples] if examples else [])]
    if arguments.search != "variants":
        commands["zoo"] = [
            *["zoo", *(["--examples", examples] if examples else []), *(["--keras"] if keras2 else [])],
            *["--cases", str(results / "cases" / label)],
            *(["--replay", str(results / "cases")] if whole else ["--sample"]),
        ]
    failed = []
    journals = _journals(session, results / "journals")
    for name, command in commands.items():
        command += [*arguments.only, "--resume", str(journals / f"{name}-{label}.jsonl")]
        written = results / f"{name}-{label}.json"
        written.unlink(missing_ok=True)
        # 1: a verdict is not as it should be. Anything else is a failure to run.
        session.run("gradcheck", *command, "--json", str(written), env=_environment(), success_codes=[0, 1])
        if not json.loads(written.read_text(encoding="utf-8"))["ok"]:
            failed.append(name)
    if whole and not arguments.only:
        # What was found by hand, in plain TensorFlow: on which versions it shows goes into docs/findings.md.
        scripts = [str(ROOT / "docs" / "findings"), "--json", str(results / f"scripts-{label}.json")]
        session.run("python", "-m", "gradcheck.zoo.scripts", *scripts, env=_environment())
    if failed:
        session.error(f"not every verdict is as it should be: see {' and '.join(failed)} above")


def _journals(session: nox.Session, folder: Path) -> Path:
    """The folder for what this build of gradcheck finishes. What another build left there is of no use any more."""
    code = "from gradcheck.support.build import build; print(build())"
    mine = folder / str(session.run("python", "-c", code, env=_environment(), silent=True)).split()[-1]
    for other in folder.glob("*"):
        if other != mine:
            shutil.rmtree(other, ignore_errors=True)
    return mine


def _install_keras2(session: nox.Session, release: versions.Release) -> None:
    # Without its dependencies: it asks for the package `tensorflow`, and here is tensorflow-cpu.
    session.install("--no-deps", f"tf_keras=={release.tf_keras}")


def _check_generation(session: nox.Session, generation: int) -> None:
    """Fails unless ``tf.keras`` is the generation of Keras that the session is for."""
    code = (
        "import sys; from gradcheck._tensorflow import versions; version = versions()['keras']; "
        f"print('tf.keras is Keras', version); sys.exit(version.split('.')[0] != '{generation}')"
    )
    session.run("python", "-c", code, env=_environment())


def _version_session(release: versions.Release, *, keras2: bool) -> None:
    def session_for_release(session: nox.Session) -> None:
        arguments = _Arguments(session)
        _install(session, release, *arguments.install)
        if keras2:
            _install_keras2(session, release)
            session.env["TF_USE_LEGACY_KERAS"] = "1"
        # Away from the checkout, whose `gradcheck` folder `python -m` and `python -c` would take for the package.
        with session.chdir(session.create_tmp()):
            _check_generation(session, 2 if keras2 else release.keras)
        if arguments.pytest:
            _run_their_tests(session, arguments)
        else:
            label = f"{release.minor}-keras2" if keras2 else release.minor
            with session.chdir(session.create_tmp()):
                _search(session, label, arguments, keras2=keras2)

    name = release.keras2_session if keras2 else release.session
    what = f"TensorFlow {release.version}, Keras {2 if keras2 else release.keras}, Python {release.python}"
    session_for_release.__doc__ = (
        f"{what}: the bundled variants and a sample of the zoo, or pytest on the paths after `--`."
    )
    tags = ["versions", "keras2"] if keras2 else ["versions"]
    nox.session(session_for_release, name=name, python=release.python, tags=tags, reuse_venv=True)


for _release in versions.RELEASES:
    _version_session(_release, keras2=False)
    if _release.tf_keras:
        _version_session(_release, keras2=True)


# What no TensorFlow changes (numbers, corners, quantised paths, texts, files, processes, how a search goes, what
# Hypothesis is told) is tested with the newest, as are the table of pairs, invariants, errors planted into
# the variants, and case files; verdicts, modes, state, scripts, the plugin and the wheel with the oldest as well. A
# middle one has the quirks of neither end: there it is modes, verdicts, state, the zoo and replays.
# `nox -s "tests(tf215)" -- tests -n 2` runs everything on it.
_NOT_WITH_THE_OLDEST = [
    *("tests/docs/test_pages.py", "tests/docs/test_named_pages.py", "tests/rendering", "tests/reports", "tests/sweep"),
    *("tests/cli", "tests/isolation", "tests/numerics", "tests/strategies", "tests/variants/test_planted.py"),
    *("tests/harness/test_hypothesis.py", "tests/harness/test_sharing.py", "tests/harness/test_advice.py"),
    *("tests/harness/test_large.py", "tests/harness/test_quantised.py", "tests/harness/test_gradient_roundoff.py"),
    *("tests/harness/test_second_order.py", "tests/harness/test_search.py", "tests/harness/test_rules.py"),
    *("tests/pairs", "tests/invariants", "tests/cases", "tests/fuzz"),
]
_NOT_WITH_THE_MIDDLE = [
    *_NOT_WITH_THE_OLDEST,
    *("tests/docs", "tests/packaging", "tests/plugin", "tests/reproduce", "tests/variants"),
    *("tests/harness/test_engine_parity.py", "tests/harness/test_random_subjects.py"),
    *("tests/harness/test_programs.py", "tests/harness/test_structures.py", "tests/harness/test_low_precision.py"),
    "tests/harness/test_bad_input.py",
]
# The README shows what the oldest prints, and its commands and a suite under the plugin start many processes.
_NOT_WITH_THE_NEWEST = ["tests/docs/test_readme.py", "tests/plugin/test_with_tensorflow.py"]


@nox.session(reuse_venv=True, tags=["checks"])
@nox.parametrize(
    "python,release",
    [nox.param(r.python, r, id=r.session) for r in (versions.oldest(), versions.middle(), versions.newest())],
)
def tests(session: nox.Session, release: versions.Release) -> None:
    """The project's own suite, against the built wheel, on the oldest, a middle and the newest TensorFlow."""
    browser = release == versions.newest()  # the report's pages do not depend on TensorFlow: one browser run is enough
    _install(session, release, *(_group("browser") if browser else ()))
    if release.tf_keras:
        _install_keras2(session, release)
    # `nox -s "tests(tf221)" -- --cov -n 2` measures coverage; tracing costs a fifth of the time.
    arguments = session.posargs or ["--numprocesses=2", "--dist=worksteal"]
    elsewhere = {
        versions.oldest(): _NOT_WITH_THE_OLDEST,
        versions.middle(): _NOT_WITH_THE_MIDDLE,
        versions.newest(): _NOT_WITH_THE_NEWEST,
    }
    if not session.posargs:
        arguments += [f"--ignore={path}" for path in elsewhere[release]]
    environment = {**_environment(), "COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage")}
    if not browser:
        environment["GRADCHECK_EXPECT_BROWSER"] = ""
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
    """The documentation site, every warning an error, after a look whether its generated pages are current.

    The site is in ``site/`` afterwards. `nox -s docs -- --write` writes the generated pages anew.
    """
    session.install("--editable", ".", *_group("docs"))
    for page in (
        "gradcheck.variants.document",
        "gradcheck.zoo.document",
        "gradcheck.releases.document",
        "gradcheck.cli.document",
    ):
        session.run("python", "-m", page, *(session.posargs or ["--check"]))
    session.run("mkdocs", "build", "--strict", "--quiet")
    for page in sorted((ROOT / "site").rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        loaded = re.search(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="?https?:[^\s>]*', text)
        if loaded:
            session.error(f"{page.relative_to(ROOT)} loads something from another host: {loaded[0]}")


@nox.session(python=versions.newest().python, reuse_venv=True, default=False)
def fuzz(session: nox.Session) -> None:
    """Damaged documents, stores and command lines, from other seeds each time: `nox -s fuzz -- EXAMPLES`, 5000 of
    each where nothing is said. What follows the number goes to pytest.
    """
    examples, *rest = session.posargs or ["5000"]
    if not (examples.isascii() and examples.isdecimal() and int(examples) > 0):
        session.error(f"{examples} is no number of examples; `nox -s fuzz -- 5000 -k stores`")
    _install(session, versions.newest())
    environment = {**_environment(), "GRADCHECK_FUZZ_EXAMPLES": examples}
    session.run("pytest", "tests/fuzz", "-x", *rest, env=environment)


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
                "\n".join(
                    [f"tensorflow-cpu=={release.version}", *release.requirements, *_group("test"), *_group("browser")]
                )
                + "\n"
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
    """Merge results/variants-*.json and zoo-*.json (or files after `--`) into one report: Markdown, JSON, HTML."""
    results = ROOT / "results"
    found = [*results.glob("variants-*.json"), *results.glob("zoo-*.json")]
    files = session.posargs or sorted(map(str, found))
    if not files:
        session.error(
            "there is nothing in results/; `nox -t versions -- --search all` fills it, or name files after `--`"
        )
    session.install(str(_build_wheel(session)))
    command = ["gradcheck", "report", *files, "--markdown", f"{results}/report.md"]
    session.run(*command, "--json", f"{results}/report.json", "--html", f"{results}/report.html")


@nox.session(python=versions.newest().python, reuse_venv=True, default=False)
def nightly(session: nox.Session) -> None:
    """The bundled variants and a sample of the zoo, or pytest on the paths after `--`, on TensorFlow's nightly
    build. Not pinned.
    """
    arguments = _Arguments(session)
    wheel = _build_wheel(session)
    session.install("--upgrade", "--pre", "tf-nightly-cpu", str(wheel), *_group("test"), *arguments.install)
    if arguments.pytest:
        _run_their_tests(session, arguments)
    else:
        with session.chdir(session.create_tmp()):
            _search(session, "nightly", arguments, keras2=False)


@nox.session(python=TOOLS_PYTHON, reuse_venv=True, default=False)
def bench(session: nox.Session) -> None:
    """How fast, beside compute_gradient, the naive loop, torch and jax; options after `--` (`--quick`, `--only a e`),
    or paths of other scripts in benchmarks/.
    """
    release = versions.newest()
    session.install(
        f"{PYPROJECT['project']['name']} @ {_build_wheel(session).as_uri()}",
        f"tensorflow-cpu=={release.version}",
        *release.requirements,
        *_group("test"),
        *_group("bench"),
        *(["--reinstall-package", PYPROJECT["project"]["name"]] if session.venv_backend == "uv" else []),
    )
    if "--help" not in session.posargs:
        for peer in _group("peers"):
            # What is missing is left out of the table, with the reason.
            session.install(peer, success_codes=[0, 1, 2], silent=True)
    scripts = [argument for argument in session.posargs if argument.endswith(".py")]
    if scripts:
        for script in scripts:
            session.run("python", script, env=_environment())
        return
    session.run("python", str(ROOT / "benchmarks" / "speed"), *session.posargs, env=_environment())
