"""One check: a subject on one batch in every mode that was asked for. Screen, refine, confirm.

Eager mode runs first (`baseline`): it shows the outputs, the variables that the subject reads, and what the other modes
must agree with. Then one mode, the one that evaluates the fastest (XLA where it can), gets both Jacobians entry by
entry (`measuring`, through a float64 twin in `low_precision`, or along random directions in `projecting`); it is the
*witness* (`witness`). The other modes run the subject and its gradient themselves, and where their outputs around the
point and random combinations of their gradient rows equal the witness's up to rounding, its comparison holds for them
too. Where they differ, they are measured entry by entry themselves (`one_mode` decides). So a bug in one mode only is
found in that mode, at the cost of few executions in the others; eager execution, dear as it is, above all. `rules`
holds what must be true besides, and `confirming` has `tf.test.compute_gradient` say its word.

Imports inside go one way: baseline <- witness, rules, confirming <- low_precision, projecting <- measuring <- one_mode
<- running <- checking.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.harness.checking import ENGINES as ENGINES
    from gradcheck.harness.checking import assert_gradients as assert_gradients
    from gradcheck.harness.checking import check as check
    from gradcheck.harness.running import ORDER as ORDER

__all__ = ["ENGINES", "ORDER", "assert_gradients", "check"]

# Resolved on first use (PEP 562): a test run imports the exception of a failed check, and not what checking takes.
_LAZY = {
    "ENGINES": "gradcheck.harness.checking",
    "ORDER": "gradcheck.harness.running",
    "assert_gradients": "gradcheck.harness.checking",
    "check": "gradcheck.harness.checking",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
