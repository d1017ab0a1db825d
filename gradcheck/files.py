"""Files that are written whole or not at all: nobody reads half of one, and a process that dies leaves the old one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["file_stem", "write_json", "write_text"]


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


def file_stem(name: str) -> str:
    """A name as part of a file's name, on any system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
