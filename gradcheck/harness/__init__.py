"""One check: a subject on one batch in every mode that was asked for.

`checking` takes what a caller asks for; `all_modes` goes through the modes. Eager mode is called first (`observation`):
it shows the outputs and the variables that the subject reads (`baseline`). In each mode (`one_mode`) the gradient is
compared with the first source that there is (`comparison`): the exact reference, the float64 copy of a subject in few
bits (`low_precision`), or slopes that are measured (`entries`). Then the rules are asked, in their order (`rules`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.support.lazy import on_first_use

if TYPE_CHECKING:
    from gradcheck.harness.all_modes import ORDER as ORDER
    from gradcheck.harness.checking import ENGINES as ENGINES
    from gradcheck.harness.checking import assert_gradients as assert_gradients
    from gradcheck.harness.checking import check as check

__all__ = ["ENGINES", "ORDER", "assert_gradients", "check"]

# Resolved on first use (PEP 562): a test run imports the exception of a failed check, and not what checking takes.
_LAZY = {
    "ENGINES": "gradcheck.harness.checking",
    "ORDER": "gradcheck.harness.all_modes",
    "assert_gradients": "gradcheck.harness.checking",
    "check": "gradcheck.harness.checking",
}

__getattr__ = on_first_use(globals(), _LAZY)
