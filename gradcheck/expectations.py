"""Verdicts that a caller expects: by mode, and by version of TensorFlow where that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from gradcheck.errors import InputError
from gradcheck.mode_names import MODES
from gradcheck.verdicts import Verdict

__all__ = ["expected_verdicts"]


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
        raise InputError(f"expect must be a verdict, several, or a mapping from modes to them; got {expect!r}")
    return tuple(_verdict(item) for item in expect)


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
    try:
        return Verdict[str(name).upper()]
    except KeyError:
        known = ", ".join(verdict.name for verdict in Verdict)
        raise InputError(f"expect names an unknown verdict {name!r}; the verdicts are {known}") from None
