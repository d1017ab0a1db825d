"""Verdicts that a caller expects: by mode, and by version of TensorFlow where that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from gradcheck.errors import InputError, shown
from gradcheck.mode_names import MODES
from gradcheck.verdicts import Verdict

__all__ = ["expected_verdicts", "of_modes", "require_expectations"]


def expected_verdicts(expect: Any, mode: str, tensorflow_version: str) -> tuple[Verdict, ...]:
    """The verdicts expected in a mode; empty where nothing was said.

    Args:
        expect: None; a verdict (a `Verdict` or its name) or several for every mode; or a mapping from modes to these.
            In the place of verdicts a mapping from version specifiers to them may stand, as in
            ``{"xla": {"<2.16": "UNSUPPORTED", ">=2.16": "PASS"}}``; the first that contains the version counts.
        mode: the mode.
        tensorflow_version: such as ``2.8.4``.

    Raises:
        InputError: for an unknown mode, verdict or specifier.
    """
    if isinstance(expect, Mapping) and any(key in MODES for key in expect):
        for key in expect:
            if key not in MODES:
                raise InputError(f"expect names an unknown mode {key!r}; the modes are {', '.join(MODES)}")
        expect = expect.get(mode)
    if isinstance(expect, Mapping):
        expect = _for_version(expect, tensorflow_version)
    if expect is None:
        return ()
    if isinstance(expect, (str, Verdict)):
        expect = (expect,)
    if not isinstance(expect, Sequence):
        raise InputError(f"expect must be a verdict, several, or a mapping from modes to them; got {shown(expect)}")
    return tuple(_verdict(item) for item in expect)


def require_expectations(expect: Any, modes: Sequence[str] | None) -> None:
    """Check what was said of every mode, also of those that are not run.

    Args:
        expect: as for `expected_verdicts`.
        modes: those that were asked for beside it; None where nothing was said of modes.

    Raises:
        InputError: for an unknown mode, verdict or specifier, and for a mode that was not asked for.
    """
    for mode in MODES:
        for version in ("2.8.0", "99.0.0"):
            expected_verdicts(expect, mode, version)
    if modes is not None and isinstance(expect, Mapping):
        left = [mode for mode in expect if isinstance(mode, str) and mode in MODES and mode not in modes]
        if left:
            raise InputError(
                f"expect says what {left[0]} comes to, and the modes are {', '.join(modes)}; "
                "add the mode, or leave it out"
            )


def of_modes(expect: Any, modes: Sequence[str]) -> Any:
    """What is expected of some modes only."""
    if isinstance(expect, Mapping) and any(isinstance(key, str) and key in MODES for key in expect):
        return {mode: verdicts for mode, verdicts in expect.items() if mode in modes} or None
    return expect


def _for_version(choices: Mapping[Any, Any], tensorflow_version: str) -> Any:
    version = Version(tensorflow_version)
    for specifier, verdicts in choices.items():
        try:
            fits = SpecifierSet(str(specifier)).contains(version, prereleases=True)
        except InvalidSpecifier:
            raise InputError(
                f"expect has {specifier!r} where a mode ({', '.join(MODES)}) or a version specifier such as '<2.16' "
                "should stand"
            ) from None
        if fits:
            return verdicts
    return None


def _verdict(name: Any) -> Verdict:
    if isinstance(name, Verdict):
        return name
    if isinstance(name, str) and name in Verdict.__members__:
        return Verdict[name]
    meant = str(name).upper() if isinstance(name, str) else ""
    close = f"; did you mean {meant!r}?" if meant in Verdict.__members__ else ""
    known = ", ".join(verdict.name for verdict in Verdict)
    raise InputError(f"expect names an unknown verdict {shown(name)}{close}; the verdicts are {known}")
