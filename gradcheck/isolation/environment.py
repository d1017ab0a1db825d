"""Which versions are installed here, without importing any of them: importing TensorFlow takes seconds."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
from collections.abc import Mapping

__all__ = ["installed_versions", "version_label"]

# The builds under which TensorFlow is published, and what decides a result beside it.
_TENSORFLOWS = (
    *("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws", "tensorflow-gpu"),
    *("tensorflow-rocm", "tf-nightly", "tf-nightly-cpu"),
)
_OTHERS = ("keras", "numpy")


@functools.cache
def installed_versions() -> Mapping[str, str]:
    """Versions of ``python``, ``tensorflow``, ``keras`` and ``numpy`` by their packages' metadata; empty where a
    package is not installed.
    """
    found = {"python": platform.python_version(), "tensorflow": next(filter(None, map(_version, _TENSORFLOWS)), "")}
    # Where TensorFlow is told to use Keras 2 beside Keras 3, that is another package, and other results.
    packages = {"keras": "tf-keras"} if os.environ.get("TF_USE_LEGACY_KERAS", "0") in ("1", "true", "True") else {}
    return {**found, **{name: _version(packages.get(name, name)) for name in _OTHERS}}


def version_label(tensorflow: str) -> str:
    """The short name of a TensorFlow version, as Nox's sessions and a scheduler's resources have it: ``"tf28"`` for
    ``"2.8.4"``.
    """
    major, _, rest = tensorflow.partition(".")
    return f"tf{major}{rest.split('.')[0]}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
