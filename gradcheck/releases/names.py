"""Versions such as 2.10.1, 2.21.0-rc1 and 2.22.0-dev20260905: their order, and what they are called in short."""

from __future__ import annotations

import re

__all__ = ["short_version", "version_key"]

_VERSION = re.compile(r"(?P<numbers>\d+(\.\d+)*)[-.]?((?P<stage>dev|a|alpha|b|beta|rc)(?P<count>\d*))?")
# What comes before a release, in the order in which it is published; the release itself is the last.
_STAGES = ("dev", "alpha", "beta", "rc")
_NAMES = {"a": "alpha", "b": "beta"}


def version_key(version: str) -> tuple[int, ...]:
    """Sorts 2.10 after 2.9, and a development version before its release; what is no version comes first."""
    found = _VERSION.match(version)
    if found is None:
        return ()
    numbers = [int(number) for number in found["numbers"].split(".")]
    stage = _stage(found)
    rank = _STAGES.index(stage) if stage else len(_STAGES)
    return (*numbers[:3], *[0] * (3 - len(numbers)), rank, int(found["count"] or 0), *numbers[3:])


def short_version(version: str) -> str:
    """``2.8`` of ``2.8.4``: versions are told apart by their minor release. What is none yet says so: ``2.22-dev``."""
    found = _VERSION.match(version)
    if found is None:
        return version or "?"
    minor = ".".join(found["numbers"].split(".")[:2])
    stage = _stage(found)
    if not stage:
        return minor
    return f"{minor}-{stage}{found['count'] if stage != 'dev' else ''}"


def _stage(found: re.Match[str]) -> str:
    stage = found["stage"] or ""
    return _NAMES.get(stage, stage)
