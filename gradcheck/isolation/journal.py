"""A file that remembers which tasks came to an end: append-only lines of JSON, each with its checksum.

A run that is killed, at whatever point, and started again with the same journal goes on where it was. A line counts
once it is whole and on disk; a torn last line, and one that no longer fits its checksum, count as not written, so that
task runs again. Of two lines with one key the first counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError

__all__ = ["Journal", "read_journal"]

_HEADER = {"kind": "gradcheck journal", "schema": 1}


class Journal:
    """A journal, open for writing. A context manager; several threads may write.

    Args:
        path: of the file, made where there is none.

    Raises:
        InputError: where the file is something else, cannot be written, or another run is writing to it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise InputError(f"journal {self.path} cannot be written: {error.strerror or error}") from error
        try:
            self._records, self.damaged = self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> tuple[dict[str, dict[str, Any]], int]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"journal {self.path} is in use by another run. Wait for it, or give this run a journal of its own"
            ) from error
        self._file.seek(0)
        data = self._file.read()
        records, damaged, whole = _parse(data, self.path)
        if whole < len(data):  # what was torn when the run was killed
            self._file.truncate(whole)
        if whole == 0:
            self._append(_HEADER)
        return records, damaged

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._records[key]

    def get(self, key: str) -> dict[str, Any] | None:
        """What was recorded under a key; None where nothing was."""
        return self._records.get(key)

    def record(self, key: str, value: Mapping[str, Any]) -> bool:
        """Write a JSON-safe value under a key; it is on disk when this returns.

        Returns:
            Whether it was written: False where there is one under that key already, which stays.
        """
        with self._lock:
            if key in self._records:
                return False
            self._append({"key": key, "value": dict(value)})
            self._records[key] = dict(value)
            return True

    def _append(self, document: Mapping[str, Any]) -> None:
        end = self._file.seek(0, os.SEEK_END)
        rest = _line(document)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)  # half a line would spoil the next one
            raise OSError(error.errno, f"journal {self.path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the file; others may write to it then."""
        with self._lock, contextlib.suppress(OSError):
            self._file.close()


def read_journal(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """What a journal holds, by key, without locking or changing it.

    Raises:
        InputError: where the file cannot be read or is no journal.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"journal {path} cannot be read: {error.strerror or error}") from error
    return _parse(data, Path(path))[0]


def _line(document: Mapping[str, Any]) -> bytes:
    body = json.dumps(document, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse(data: bytes, path: Path) -> tuple[dict[str, dict[str, Any]], int, int]:
    """The records, how many lines are damaged, and how many bytes hold whole lines."""
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].splitlines()
    documents = [_document(line) for line in lines]
    if documents and (documents[0] is None or documents[0].get("kind") != _HEADER["kind"]):
        raise InputError(f"{path} is no journal of gradcheck; give --resume the name of a new file")
    if not documents and data and not _line(_HEADER).startswith(data):
        raise InputError(f"{path} is no journal of gradcheck; give --resume the name of a new file")
    records: dict[str, dict[str, Any]] = {}
    for document in documents[1:]:
        if document is not None:
            records.setdefault(document["key"], document["value"])
    return records, documents.count(None), whole


def _document(line: bytes) -> dict[str, Any] | None:
    """The document of a line; None where the line is damaged."""
    checksum, _, body = line.partition(b" ")
    with contextlib.suppress(ValueError):
        if int(checksum, 16) == zlib.crc32(body):
            document: dict[str, Any] = json.loads(body)
            return document
    return None
