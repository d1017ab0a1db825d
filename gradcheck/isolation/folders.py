"""Folders for temporary files that go with their process: at its end, or, where it was killed, at the next start.

A folder belongs to the process that holds the lock on a file in it. The system frees the lock whatever ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LOCK", "OwnFolder", "own_temporary_files", "remove_abandoned"]

LOCK = "lock"
_PREFIX = "gradcheck-worker-"
# A folder that was just made may not be locked yet; one of an earlier build never is.
_YOUNG_SECONDS = 60.0
_OLD_SECONDS = 86400.0


class OwnFolder:
    """A new folder in the system's folder for temporary files.

    Attributes:
        path: the folder.
        temporary: a folder in it, for what a worker's own code, such as AutoGraph, leaves in ``TMPDIR``.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_place()))
        self.temporary = self.path / "tmp"
        self.temporary.mkdir()
        self._lock = open(self.path / LOCK, "wb")  # noqa: SIM115 - held until `remove`
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_abandoned() -> None:
    """Remove the folders of this user whose processes were killed."""
    for path in Path(_place()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            if found.st_uid == os.getuid() and path.is_dir() and not path.is_symlink() and _abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


# The system's folder, while `own_temporary_files` has another one in its place.
_outer: list[str] = []


def _place() -> str:
    return _outer[0] if _outer else tempfile.gettempdir()


@contextlib.contextmanager
def own_temporary_files() -> Iterator[None]:
    """Inside the block temporary files of this process lie in a folder of its own.

    AutoGraph writes a file for each function and removes it when Python ends, which SIGKILL keeps it from. A folder
    that was left behind is removed at the next start.
    """
    if _outer:
        yield
        return
    remove_abandoned()
    own, before = OwnFolder(), tempfile.tempdir
    _outer.append(tempfile.gettempdir())
    tempfile.tempdir = str(own.temporary)
    try:
        yield
    finally:
        tempfile.tempdir = before
        _outer.clear()
        own.remove()


def _abandoned(path: Path) -> bool:
    age = time.time() - path.stat().st_mtime
    try:
        with open(path / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return age > _YOUNG_SECONDS
    except FileNotFoundError:
        return age > _OLD_SECONDS
    except OSError:  # somebody holds it
        return False
