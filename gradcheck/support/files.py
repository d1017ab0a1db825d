"""Files that are written whole or not at all: nobody reads half of one, and a process that dies leaves the old one."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError

__all__ = ["file_stem", "read_json", "write_json", "write_text"]


def write_text(path: Path, text: str) -> Path:
    """Write a file, in UTF-8; folders are made. Returns the path.

    Raises:
        OSError: where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def write_json(path: Path, document: Any, *, indent: int | None = None) -> Path:
    """Write a document as JSON, as `write_text` does.

    Raises:
        ValueError: for a number that JSON does not have.
    """
    return write_text(path, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def read_json(path: Path, remedy: str) -> Any:
    """The document in a file of JSON.

    Args:
        path: the file.
        remedy: which file to give instead of one that is not JSON.

    Raises:
        InputError: where it cannot be read, is not JSON, or gives a key of an object twice.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply; {remedy}") from error
    except ValueError as error:  # of JSON, of UTF-8, or of a number of thousands of digits
        raise InputError(f"{path}: is not JSON ({error}); {remedy}") from error


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
