"""What holds for a test: the marker ``gradcheck``, the options and the ini file, merged and checked.

Precedence, first wins: an argument in the test, the marker (the closest that names the argument), the
command line, the ini file. Modes are the exception: those of the command line *restrict* what a test runs
and never add to it, for the author of a test knows where it makes sense.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gradcheck.errors import InputError
from gradcheck.mode_names import ACCURACIES, ENGINES, MODES
from gradcheck.support.files import require_writable
from gradcheck.verdicts import Verdict

__all__ = [
    "ENGINES",
    "MARKER",
    "MARKER_HELP",
    "WRT",
    "Settings",
    "add_options",
    "check_options",
    "id_without",
    "mode_of",
    "on_github",
    "parametrize_modes",
    "settings_of",
    "value_of",
    "without_mode",
]

# Written out here, although the harness has them too: importing that needs NumPy, which costs more than all
# of pytest's start. tests/plugin compares the two.
WRT = ("inputs", "variables", "all")
UNRESOLVED = ("show", "fail")
GITHUB = ("auto", "on", "off")

MARKER = "gradcheck"
MARKER_HELP = (
    "gradcheck(modes=, wrt=, expect=, engine=, invariants=, accuracy=, max_examples=, shrink_seconds=): how this test "
    "checks gradients. "
    f"modes: some of {', '.join(MODES)}; wrt: {', '.join(WRT)}; expect: a verdict, or a dict of verdicts by "
    f"mode; engine: {', '.join(ENGINES)}; invariants: names of what should make no difference; "
    "accuracy: 'strict' to fail where a number is far off though its formula is right; "
    "max_examples: of each search; shrink_seconds: how long its failing batch may be made smaller."
)


@dataclass(frozen=True)
class Settings:
    """The settings of one test. ``restrict`` holds the modes of the command line, None without any."""

    modes: tuple[str, ...] = MODES
    restrict: tuple[str, ...] | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    unresolved: str = "show"

    def modes_to_run(self, asked: Iterable[str] | None = None) -> tuple[str, ...]:
        """``asked`` (by default the test's own modes), less those that the command line leaves out."""
        modes = self.modes if asked is None else _modes(asked, "modes=")
        return tuple(mode for mode in modes if self.restrict is None or mode in self.restrict)

    def nothing_to_run(self, asked: Iterable[str] | None = None) -> str:
        """Why no mode is left."""
        return (
            f"--gradcheck-modes={','.join(self.restrict or ())} leaves none of this test's modes: "
            f"{', '.join(self.modes if asked is None else asked)}"
        )

    def as_defaults(self) -> dict[str, Any]:
        """For `gradcheck.harness.session.use_defaults`."""
        return {"modes": self.modes_to_run() or self.modes, **self.rest}

    def restricted(self, asked: Iterable[str] | None) -> tuple[str, ...]:
        """`modes_to_run`; skips the test where there are none. For `gradcheck.harness.session.use_defaults`, too."""
        left = self.modes_to_run(asked)
        if not left:
            pytest.skip(self.nothing_to_run(asked))
        return left


# -- options
# -------------------------------------------------------------------------------------------------------


def add_options(parser: pytest.Parser) -> None:
    """The option group; each flag has an ini key of the same name."""
    group = parser.getgroup("gradcheck", "gradient checks (gradcheck)")

    def option(name: str, metavar: str, text: str, ini_default: str = "") -> None:
        flag = f"--gradcheck-{name}"
        group.addoption(flag, metavar=metavar, default=None, dest=_dest(name), help=text)
        parser.addini(_dest(name), help=f"{flag} where the command line does not say", default=ini_default)

    option("modes", "MODES", f"check only in these modes, separated by commas: {', '.join(MODES)}")
    option("engine", "ENGINE", f"how Jacobians are formed: {', '.join(ENGINES)}")
    option("max-examples", "N", "examples of each gradcheck.search()")
    option("shrink-seconds", "N", "how long a failing batch of each search may be made smaller (default 60)")
    option("unresolved", "WHAT", "UNRESOLVED verdicts: show them (default), or fail their test", "show")
    option("json", "FILE", "write everything that was checked to FILE, for `gradcheck report`")
    option("html", "FILE", "write everything that was checked to FILE, as one page to look at")
    option(
        "github",
        "WHEN",
        "annotate failures and add to the step summary of GitHub Actions: auto (default: where GITHUB_ACTIONS is "
        "true), on, off",
        "auto",
    )


def _dest(name: str) -> str:
    return "gradcheck_" + name.replace("-", "_")


def value_of(config: pytest.Config, name: str) -> str:
    """An option's value from the command line, else from the ini file; empty where neither says anything."""
    given = config.getoption(_dest(name))
    return str(config.getini(_dest(name)) if given is None else given).strip()


def _where(config: pytest.Config, name: str) -> str:
    return f"--gradcheck-{name}" if config.getoption(_dest(name)) is not None else f"ini key {_dest(name)}"


def check_options(config: pytest.Config) -> None:
    """Refuse values that no test could use.

    Raises:
        pytest.UsageError: naming the option or ini key, the value, and the choices.
    """
    _option_modes(config)
    _choice(value_of(config, "engine") or ENGINES[0], ENGINES, _where(config, "engine"))
    _choice(value_of(config, "unresolved") or UNRESOLVED[0], UNRESOLVED, _where(config, "unresolved"))
    _choice(value_of(config, "github") or GITHUB[0], GITHUB, _where(config, "github"))
    _max_examples(value_of(config, "max-examples") or 1, _where(config, "max-examples"))
    _seconds(value_of(config, "shrink-seconds") or 0, _where(config, "shrink-seconds"))
    for what in ("json", "html"):
        if name := value_of(config, what):
            try:
                require_writable(Path(config.invocation_params.dir, name))
            except InputError as error:
                raise pytest.UsageError(f"{_where(config, what)}: {error}") from error


def on_github(config: pytest.Config) -> bool:
    """Whether to speak to GitHub Actions."""
    wanted = value_of(config, "github") or GITHUB[0]
    return wanted == "on" or (wanted == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")


def _option_modes(config: pytest.Config) -> tuple[str, ...] | None:
    given = value_of(config, "modes")
    if not given:
        if config.getoption(_dest("modes")) is not None:
            raise pytest.UsageError(f"--gradcheck-modes is empty; give some of {', '.join(MODES)}")
        return None
    # An ini file may spread a list over lines.
    names = [name.strip() for name in given.replace("\n", ",").split(",")]
    return _modes([name for name in names if name], _where(config, "modes"))


# -- the settings of one test
# --------------------------------------------------------------------------------------


def settings_of(item: Any) -> Settings:
    """The settings of an item, or of a function definition while tests are generated.

    Raises:
        pytest.UsageError: where a marker's arguments are wrong, naming the argument, the value, and the
        choices.
    """
    config: pytest.Config = item.config
    merged: dict[str, Any] = {}
    for marker in item.iter_markers(MARKER):
        for name, value in _checked_marker(marker).items():
            merged.setdefault(name, value)  # the closest marker comes first
    on_command_line = config.getoption(_dest("modes")) is not None
    option_modes = _option_modes(config)
    modes = merged.pop("modes", None)
    if modes is None:
        modes = MODES if on_command_line or option_modes is None else option_modes
    mode = mode_of(item)
    if mode is not None:  # a suite's test of a mode that the ini file leaves out has none
        modes = tuple(name for name in modes if name == mode)
    if engine := value_of(config, "engine"):
        merged.setdefault("engine", engine)
    if count := value_of(config, "max-examples"):
        merged.setdefault("max_examples", int(count))
    if seconds := value_of(config, "shrink-seconds"):
        merged.setdefault("shrink_seconds", float(seconds))
    return Settings(
        modes=modes,
        restrict=option_modes if on_command_line else None,
        rest=merged,
        unresolved=value_of(config, "unresolved") or UNRESOLVED[0],
    )


def mode_of(item: Any) -> str | None:
    """The one mode that an item runs in, where it is parametrised over modes."""
    mode = getattr(getattr(item, "callspec", None), "params", {}).get("gradcheck_mode")
    return None if mode is None else str(mode)


def without_mode(item: pytest.Item) -> str:
    """A test's id without its mode: the same for all modes of a test."""
    mode = mode_of(item)
    return item.nodeid if mode is None else id_without(item.nodeid, mode)


def id_without(test: str, mode: str) -> str:
    """A test's id without a mode; the id itself where the mode is not in it."""
    head, _, parameters = test.partition("[")
    others = parameters.rstrip("]").split("-")
    if mode not in others:
        return test
    others.remove(mode)
    return f"{head}[{'-'.join(others)}]" if others else head


def parametrize_modes(metafunc: pytest.Metafunc) -> None:
    """One test for each mode where ``gradcheck_mode`` is asked for; none, with the reason, where none is left."""
    asked = any("gradcheck_mode" in str(mark.args[:1]) for mark in metafunc.definition.iter_markers("parametrize"))
    if asked or "gradcheck_mode" not in metafunc.fixturenames:  # a suite brings its own parameters
        return
    try:
        chosen = settings_of(metafunc.definition)
    except pytest.UsageError:  # told when the test is set up
        modes: list[Any] = [pytest.param("", id="wrong marker")]
    else:
        modes = list(chosen.modes_to_run())
        if not modes:
            modes = [pytest.param("", id="no mode", marks=pytest.mark.skip(reason=chosen.nothing_to_run()))]
    metafunc.parametrize("gradcheck_mode", modes, indirect=True)


def _checked_marker(marker: pytest.Mark) -> dict[str, Any]:
    if marker.args:
        raise pytest.UsageError(
            f"@pytest.mark.gradcheck takes keyword arguments only; got {marker.args[0]!r}. "
            f"Write for example @pytest.mark.gradcheck(modes=['graph', 'xla'])."
        )
    unknown = sorted(set(marker.kwargs) - set(_CHECKS))
    if unknown:
        raise pytest.UsageError(
            f"@pytest.mark.gradcheck has no argument {unknown[0]!r}; its arguments are {', '.join(_CHECKS)}"
        )
    return {name: _CHECKS[name](value, f"@pytest.mark.gradcheck({name}=...)") for name, value in marker.kwargs.items()}


def _modes(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        names: tuple[Any, ...] = tuple(name.strip() for name in value.split(","))
    else:
        names = tuple(value) if isinstance(value, Iterable) else (value,)
    for name in names:
        _choice(name, MODES, where)
    if not names:
        raise pytest.UsageError(f"{where} is empty; give some of {', '.join(MODES)}")
    return tuple(dict.fromkeys(names))


def _choice(value: Any, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        raise pytest.UsageError(f"{where}: {value!r} is not one of {', '.join(choices)}")
    return str(value)


def _max_examples(value: Any, where: str) -> int:
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = 0
    if count < 1 or isinstance(value, (bool, float)):
        raise pytest.UsageError(f"{where}: {value!r} is not a number of examples; give an integer from 1 on")
    return count


def _seconds(value: Any, where: str) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf") or isinstance(value, bool):
        raise pytest.UsageError(f"{where}: {value!r} is not a number of seconds; give 0 or more")
    return seconds


def _invariants(value: Any, where: str) -> tuple[str, ...]:
    from gradcheck.errors import InputError
    from gradcheck.invariants import parse_invariants

    try:
        asked = parse_invariants(value).asked
    except InputError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
    return tuple(sorted(asked))


def _expect(value: Any, where: str) -> Any:
    """Check every branch: what another TensorFlow version would be held to is not looked at until it runs."""
    if isinstance(value, Mapping):
        by_mode = any(key in MODES for key in value)
        for key, inner in value.items():
            if by_mode:
                _choice(key, MODES, where)
            else:
                _specifier(key, where)
            _expect(inner, where)
        return value
    several = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    for verdict in several:
        if not isinstance(verdict, Verdict):
            _choice(str(verdict).upper(), tuple(Verdict.__members__), where)
    return value


def _specifier(key: Any, where: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(str(key))
    except InvalidSpecifier:
        raise pytest.UsageError(
            f"{where}: {key!r} is neither a mode ({', '.join(MODES)}) nor a version specifier such as '<2.16'"
        ) from None


_CHECKS = {
    "modes": _modes,
    "wrt": lambda value, where: _choice(value, WRT, where),
    "expect": _expect,
    "engine": lambda value, where: _choice(value, ENGINES, where),
    "invariants": lambda value, where: _invariants(value, where),
    "accuracy": lambda value, where: _choice(value, ACCURACIES, where),
    "max_examples": _max_examples,
    "shrink_seconds": _seconds,
}
