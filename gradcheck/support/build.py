"""Which gradcheck this is: its version, and what its source comes to."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path

__all__ = ["build"]


@functools.cache
def build() -> str:
    """The version with a digest of the package's source, such as ``0.1.0+3fa9c2d1``.

    A verdict can change with the checker as well as with TensorFlow. Results of several releases are comparable where
    all were measured by the same build, and the version alone does not say so between two versions.
    """
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    try:
        version = metadata.version("tf-gradcheck")
    except metadata.PackageNotFoundError:  # run from a checkout
        version = "0"
    return f"{version}+{digest.hexdigest()[:8]}"
