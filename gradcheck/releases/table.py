"""The one table of the TensorFlow releases that are supported, read by the noxfile, the command line and the
docs.

Standard library only, and no import of the package: ``noxfile.py`` loads this file by its path, in an
environment that holds Nox and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RELEASES", "Quirk", "Release", "find_release", "middle", "minor_of", "newest", "oldest"]


@dataclass(frozen=True)
class Quirk:
    """A known problem of TensorFlow itself that users of the checker meet, and what it means for them."""

    what: str
    meaning: str


@dataclass(frozen=True)
class Release:
    """One minor release of TensorFlow: what is installed to test it, on which Python, and what is known
    about it.

    ``version`` is the newest patch release. ``python`` is the interpreter of its Nox session: the newest for
    which TensorFlow published wheels of this release. ``requirements`` are limits beyond those that the
    wheel declares (it declares too few: an old wheel accepts a NumPy or protobuf that did not exist when it
    was made). ``tf_keras`` is the version of the package that brings Keras 2 back where ``tf.keras`` is Keras 3;
    empty where it is Keras 2 anyway.
    """

    version: str
    python: str
    requirements: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    tf_keras: str = ""

    @property
    def minor(self) -> str:
        """The release as people say it: ``"2.8"``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def session(self) -> str:
        """Name of the Nox session and stem of the constraints file: ``"tf28"``."""
        return "tf" + self.minor.replace(".", "")

    @property
    def key(self) -> tuple[int, ...]:
        """The version as numbers, so that 2.10 sorts after 2.9."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def keras(self) -> int:
        """The Keras generation that ``tf.keras`` is: 2 up to TensorFlow 2.15, 3 from 2.16 on."""
        return 3 if self.key >= (2, 16) else 2

    @property
    def keras2_session(self) -> str:
        """Name of the Nox session that runs it with Keras 2, ``"tf216-keras2"``; empty where `session` does."""
        return f"{self.session}-keras2" if self.tf_keras else ""

    @property
    def constraints(self) -> str:
        """Path of the constraints file, from the root of the repository."""
        return f"constraints/{self.session}.txt"


# NumPy 1.24 removed the aliases (np.object, np.bool) that these releases use at import; protobuf 3.20
# changed the generated code that they ship. TensorBoard of that time imports pkg_resources, which setuptools
# 81 removed.
_EARLY = ("numpy<1.24", "protobuf<3.20", "setuptools<81")

_UNIFORM_SOFTMAX = Quirk(
    "softmax under XLA gives uniform weights where a mask was added as (1 - mask) * -1e9, in float32",
    "a DISAGREEMENT in mode xla on attention layers (outputs of MultiHeadAttention off by 0.15 to 0.44) is "
    "TensorFlow's own; graph mode is right, and so is 2.9",
)
_EMPTY_ROW_POOLING_KERAS_2 = Quirk(
    "GlobalAveragePooling1D with a mask gives NaN, and NaN gradients, for a row of length 0",
    "NONFINITE on such a layer is TensorFlow's own; draw min_length=1 or pool with tf.math.divide_no_nan",
)
_EMPTY_ROW_POOLING_KERAS_3 = Quirk(
    "GlobalAveragePooling1D with a mask gives NaN for a row of length 0 (its gradients are finite; NaN with tf_keras)",
    "NONFINITE on such a layer is TensorFlow's own; draw min_length=1 or pool with tf.math.divide_no_nan",
)
_FLOAT32_LOSSES = Quirk(
    "the losses of tf.keras.losses compute in float32 whatever they are given",
    "their resolution is that of float32; from 2.9 on they keep float64",
)
_KERAS_3 = Quirk(
    "tf.keras is Keras 3: losses and some layers compute in float32 whatever they are given",
    "their resolution is that of float32; give the layer dtype='float64', or install tf_keras for Keras 2",
)

RELEASES: tuple[Release, ...] = (
    Release("2.8.4", "3.10", _EARLY, (_UNIFORM_SOFTMAX, _FLOAT32_LOSSES, _EMPTY_ROW_POOLING_KERAS_2)),
    Release("2.9.3", "3.10", _EARLY, (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.10.1", "3.10", _EARLY, (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.11.1", "3.10", _EARLY, (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.12.1", "3.11", ("setuptools<81",), (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.13.1", "3.11", ("setuptools<81",), (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.14.1", "3.11", ("numpy<2", "setuptools<81"), (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.15.1", "3.11", ("numpy<2", "setuptools<81"), (_EMPTY_ROW_POOLING_KERAS_2,)),
    Release("2.16.2", "3.12", ("setuptools<81",), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.16.0"),
    Release("2.17.1", "3.12", ("setuptools<81",), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.17.0"),
    Release("2.18.1", "3.12", ("setuptools<81",), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.18.0"),
    Release("2.19.1", "3.12", ("setuptools<81",), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.19.0"),
    Release("2.20.0", "3.13", (), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.20.1"),
    Release("2.21.0", "3.13", (), (_KERAS_3, _EMPTY_ROW_POOLING_KERAS_3), "2.21.0"),
)


def minor_of(version: str) -> tuple[int, int]:
    """Major and minor number of a version such as ``"2.10.1"`` or ``"2.21.0-rc1"``, so that 2.10 sorts after 2.9."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def find_release(version: str) -> Release | None:
    """The row for a TensorFlow version such as ``"2.8.4"``, ``"2.8"`` or ``"2.21.0-rc1"``; None if there is
    none.
    """
    minor = version.split(".")[:2]
    return next((release for release in RELEASES if release.minor.split(".") == minor), None)


def oldest() -> Release:
    """The oldest release that is supported."""
    return min(RELEASES, key=lambda release: release.key)


def middle() -> Release:
    """The newest release whose ``tf.keras`` is Keras 2: between the oldest and the newest, for many the last stop."""
    return max((release for release in RELEASES if release.keras == 2), key=lambda release: release.key)


def newest() -> Release:
    """The newest release that is supported."""
    return max(RELEASES, key=lambda release: release.key)
