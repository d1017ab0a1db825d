"""The files that a failing test leaves: scripts that show the failure with plain TensorFlow, and case files."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gradcheck.support.files import file_stem, write_text
from gradcheck.support.naming import unnumbered

if TYPE_CHECKING:
    from gradcheck.harness.gradient_error import GradientError
    from gradcheck.report import Report

__all__ = ["write_cases", "write_scripts"]

_FOLDER: pytest.StashKey[Path] = pytest.StashKey()
# File systems allow 255 bytes for a name, and a mode, a digest and an ending follow.
_LONGEST = 60


def write_scripts(item: pytest.Item, failing: Report) -> dict[str, str]:
    """Write the failing modes' scripts; their absolute paths by mode. A test that fails again overwrites its own."""
    written = {}
    for mode in failing.scripts:
        path = _folder(item.config) / f"{_stem(item, failing.subject)}-{mode}.py"
        written[str(mode)] = str(write_text(path, failing.scripts[mode]))
    return written


def write_cases(item: pytest.Item, error: GradientError) -> dict[str, str]:
    """Write the failing examples for `gradcheck replay`; their absolute paths by mode.

    Only of those that it can run: a case of a subject that cannot be imported would have to be told it.
    """
    written = {}
    for mode, case in error.cases.items():
        if not case.obstacle:
            path = _folder(item.config) / f"{_stem(item, case.name)}-{mode}.json"
            written[str(mode)] = str(case.save(path))
    return written


def _folder(config: pytest.Config) -> Path:
    """``d/gradcheck`` in pytest's cache; where that is turned off, a folder of this run for temporary files."""
    cache: Any = getattr(config, "cache", None)
    if cache is not None:
        return Path(str(cache.mkdir("gradcheck")))
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="gradcheck-"))
    return config.stash[_FOLDER]


def _stem(item: pytest.Item, subject: str) -> str:
    # Two tests may check the same subject, also at the same time in two workers.
    digest = hashlib.sha256(item.nodeid.encode()).hexdigest()[:8]
    words, length = file_stem(unnumbered(subject)).split("_"), 0
    kept = [word for word in words if (length := length + len(word) + 1) <= _LONGEST] or [words[0][:_LONGEST]]
    return f"{'_'.join(kept)}-{digest}"
