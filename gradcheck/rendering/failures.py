"""What failed in many results, each failure told once for all modes and versions that share it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradcheck.records.results import ModeResult
from gradcheck.releases.names import version_key
from gradcheck.rendering.layout import broken
from gradcheck.results.rows import Results

__all__ = ["Failure", "failures_of", "title_of"]


def title_of(version: str) -> str:
    """``TensorFlow 2.8.4``."""
    return f"TensorFlow {version}" if version else "TensorFlow (version not recorded)"


@dataclass
class Failure:
    """One failure.

    Attributes:
        subject: its name.
        words: verdict and cause.
        case: the smallest batch as code; empty where it is not known.
        better: whether it is better than expected: an expected failure that is gone.
        seen: the modes by version, oldest first.
    """

    subject: str
    words: str
    case: str
    better: bool = False
    seen: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many verdicts that is."""
        return sum(len(modes) for modes in self.seen.values())

    def where(self, several: bool) -> str:
        """The modes, with versions where there are ``several``: ``xla on 2.8.4, 2.9.3``."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for version, modes in self.seen.items():
            alike.setdefault(tuple(modes), []).append(version or "an unrecorded version")
        return "; ".join(
            ", ".join(modes) + (f" on TensorFlow {', '.join(versions)}" if several else "")
            for modes, versions in alike.items()
        )


def words_of(result: ModeResult) -> str:
    """``MISMATCH: the gradient is 2 times the slope``, with what was expected instead."""
    verdict = result.verdict.value
    if result.expected:
        verdict += f", expected {' or '.join(expected.value for expected in result.expected)}"
    # What a pass means is no news; that it was not expected is.
    return verdict if result.better else f"{verdict}: {result.cause or result.verdict.meaning}"


def failures_of(results: Results) -> list[Failure]:
    """What is not as expected: the oldest versions first, and a subject's modes in their order."""
    found: dict[tuple[str, str, str], Failure] = {}
    for row in sorted(results.rows, key=lambda row: version_key(row.tensorflow)):
        for mode, result in row.modes.items():
            if result.ok:
                continue
            words, case = words_of(result), broken(row.cases.get(mode, ""))
            failure = found.setdefault((row.subject, words, case), Failure(row.subject, words, case, result.better))
            modes = failure.seen.setdefault(row.tensorflow, [])
            if mode not in modes:
                modes.append(mode)
    return list(found.values())
