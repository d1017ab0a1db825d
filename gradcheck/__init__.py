"""Property-based gradient testing for TensorFlow.

Importing this package does not import TensorFlow; the first check does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gradcheck._version import __version__ as __version__
from gradcheck.errors import InputError, MissingTensorFlowError
from gradcheck.support.lazy import on_first_use
from gradcheck.verdicts import Verdict

if TYPE_CHECKING:
    from gradcheck import strategies as strategies
    from gradcheck.harness import assert_gradients as assert_gradients
    from gradcheck.harness import check as check
    from gradcheck.harness.gradient_error import GradientError as GradientError
    from gradcheck.harness.hypothesis_feedback import hypothesis_settings as hypothesis_settings
    from gradcheck.mode_names import MODES as MODES
    from gradcheck.records.results import ModeResult as ModeResult
    from gradcheck.report import Report as Report
    from gradcheck.searching.searches import SearchResult as SearchResult
    from gradcheck.searching.searches import search as search
    from gradcheck.strategies import Batch as Batch
    from gradcheck.strategies import Padding as Padding
    from gradcheck.suites import suite as suite

__all__ = [
    "MODES",
    "Batch",
    "GradientError",
    "InputError",
    "MissingTensorFlowError",
    "ModeResult",
    "Padding",
    "Report",
    "SearchResult",
    "Verdict",
    "assert_gradients",
    "check",
    "hypothesis_settings",
    "search",
    "strategies",
    "suite",
]

# Resolved on first use (PEP 562), so that a command or a plugin that checks nothing pays for nothing.
_LAZY = {
    "MODES": "gradcheck.mode_names",
    "Batch": "gradcheck.strategies",
    "GradientError": "gradcheck.harness.gradient_error",
    "ModeResult": "gradcheck.records.results",
    "Padding": "gradcheck.strategies",
    "Report": "gradcheck.report",
    "SearchResult": "gradcheck.searching",
    "assert_gradients": "gradcheck.harness",
    "check": "gradcheck.harness",
    "hypothesis_settings": "gradcheck.harness.hypothesis_feedback",
    "search": "gradcheck.searching",
    "suite": "gradcheck.suites",
}


_other = on_first_use(globals(), _LAZY)


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("gradcheck.strategies")
    return _other(name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
