"""Files that are written whole or not at all: nobody reads half of one, and a process that dies leaves the old one.

What is no regular file (a device, a FIFO) is written into, and so is a file under several names. A symbolic link stays
one: the file that it leads to is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError

__all__ = ["file_stem", "largest_file", "parse_json", "read_json", "require_writable", "write_json", "write_text"]

_REMEDY = "Name another one, or make room for it"


def write_text(path: Path, text: str) -> Path:
    """Write a file, in UTF-8; folders are made. Returns the path.

    Raises:
        InputError: where it cannot be written. What was there before is there still, unless it is written into.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _written_into(path):
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
        else:
            _replace(Path(os.path.realpath(path)), text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}. {_REMEDY}") from error
    return path


def _written_into(path: Path) -> bool:
    """Whether a file must keep its identity, or stands where none can be made beside it."""
    try:
        found = path.stat()
    except OSError:
        return False
    # What a process has open under /dev/fd or /proc may be a regular file: others go on writing to it.
    opened = f"{os.path.realpath(path.parent)}/".startswith(("/dev/", "/proc/"))
    alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    return opened or not alone or not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK)


def _replace(path: Path, text: str) -> None:
    partial = _beside(path.parent)
    number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(number, "w", encoding="utf-8") as stream:
            with contextlib.suppress(OSError):  # there is none yet
                os.fchmod(number, stat.S_IMODE(path.stat().st_mode))
            stream.write(text)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def require_writable(path: Path, *, folder: bool = False) -> None:
    """See whether a file, or files in a folder, can be written, before hours of work; nothing is changed by that.

    Raises:
        InputError: where not.
    """
    place = path if folder else Path(os.path.realpath(path))
    there = path.exists()
    if there and folder != path.is_dir():
        raise InputError(f"{path} is {'no folder' if folder else 'a folder'}. Name another one")
    try:
        if there and not folder:
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, "Permission denied")
            return  # a device or a FIFO must not be opened for a try
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder")
        trial = _beside(place)
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        trial.unlink()
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}. {_REMEDY}") from error


def _beside(folder: Path) -> Path:
    """A name in a folder that nothing else has."""
    return folder / f".gradcheck-{secrets.token_hex(8)}.part"


def write_json(path: Path, document: Any, *, indent: int | None = None) -> Path:
    """Write a document as JSON, as `write_text` does.

    Raises:
        InputError: where it cannot be written.
        ValueError: for a number that JSON does not have.
    """
    return write_text(path, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def read_json(path: Path, remedy: str) -> Any:
    """The document in a file of JSON.

    Args:
        path: the file.
        remedy: which file to give instead of one that is not JSON.

    Raises:
        InputError: where it cannot be read, is larger than `largest_file`, is not JSON, gives a key of an object twice,
            or has a number beyond the largest float.
    """
    try:
        text = _read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); {remedy}") from error
    return parse_json(text, str(path), remedy)


def parse_json(text: str, origin: str, remedy: str) -> Any:
    """As `read_json`, of a text.

    Args:
        text: the document.
        origin: where it is from, for the message.
        remedy: as for `read_json`.

    Raises:
        InputError: as `read_json`.
    """
    # Nearly every document is without such numbers, and then the faster way is the same.
    numbers: dict[str, Any] = {"parse_int": _int, "parse_float": _float} if _MAY_BE_LONG.search(text) else {}
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, **numbers)
    except RecursionError as error:
        raise InputError(f"{origin}: is nested too deeply; {remedy}") from error
    except ValueError as error:
        raise InputError(f"{origin}: is not JSON ({error}); {remedy}") from error


def largest_file() -> int:
    """How many bytes a document may have: reading takes some eight times as much memory.

    Raises:
        InputError: where the environment says something that is no number.
    """
    given = os.environ.get(_LARGEST, str(_LARGEST_MIB))
    if not re.fullmatch(r"[0-9]{1,7}", given) or int(given) == 0:
        raise InputError(f"{_LARGEST}={given} is no number of MiB; give a whole number from 1 on, or nothing")
    return int(given) << 20


def _read(path: Path) -> str:
    most = largest_file()
    with open(path, "rb") as stream:
        found = stream.read(most + 1)  # no more: a device has no end
    if len(found) > most:
        raise InputError(
            f"{path}: is larger than {most >> 20} MiB, the most that is read. Split it, or raise the limit: "
            f"{_LARGEST}={most >> 19} in the environment (reading takes eight times as much memory)"
        )
    return found.decode("utf-8")


_LARGEST = "GRADCHECK_LARGEST_FILE_MIB"
_LARGEST_MIB = 256

# A number that no float can hold has as many digits, or such an exponent.
_MAY_BE_LONG = re.compile(r"[0-9]{300}|[0-9][eE]\+?[0-9]{3}")
_MOST_DIGITS = 300


def _int(token: str) -> int:
    if len(token) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(token)} digits; {_MOST_DIGITS} are the most")
    return int(token)


def _float(token: str) -> float:
    if math.isinf(number := float(token)):
        raise ValueError(f"{token[:40]} is beyond the largest number, 1.8e308")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless it says two things under one name: readers differ in which of them they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, count), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name!r} is there {count} times in one object")
    return found


def _no_number(token: str) -> Any:
    raise ValueError(f"{token} is no number in JSON")


def file_stem(name: str) -> str:
    """A name as part of a file's name, on any system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
