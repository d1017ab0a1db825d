"""Standard output and error that may break: a full disk, a closed pipe. The work goes on, and one line says so."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["outputs_guarded"]


class _Guarded:
    """A stream whose failures are remembered, and that swallows what comes after one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._noted():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._noted():
            self._stream.flush()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # What is still buffered would be written, and fail, when Python ends.
            with contextlib.suppress(OSError, ValueError, AttributeError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


@contextlib.contextmanager
def outputs_guarded(failed: int) -> Iterator[None]:
    """While this lasts nothing raises because standard output or error cannot be written.

    Files that are written afterwards are so all the same.

    Raises:
        SystemExit: with ``failed``, at the end, in place of a status 0 where standard output was lost.
    """
    before = sys.stdout, sys.stderr
    out, err = (_Guarded(stream) if stream is not None else None for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    except SystemExit as leaving:
        if _lost(out, err) and leaving.code in (0, None):
            raise SystemExit(failed) from None
        raise
    else:
        if _lost(out, err):
            raise SystemExit(failed)
    finally:
        sys.stdout, sys.stderr = before


def _lost(out: _Guarded | None, err: _Guarded | None) -> bool:
    """Whether standard output was lost; said on standard error."""
    if out is None:
        return False
    out.flush()
    if out.error is None:
        return False
    if err is not None:
        err.write(f"gradcheck: standard output cannot be written: {out.error.strerror or out.error}\n")
        err.flush()
    return True
