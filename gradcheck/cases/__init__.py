"""Case files: one failing example as JSON, and the same check again.

`document` holds the format, `encoding` its arguments, and `named_code` what a file names that would have to be
imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.support.lazy import on_first_use

if TYPE_CHECKING:
    from gradcheck.cases.document import CASE_SCHEMA as CASE_SCHEMA
    from gradcheck.cases.document import MOST_WEIGHTS as MOST_WEIGHTS
    from gradcheck.cases.document import NO_CALL as NO_CALL
    from gradcheck.cases.document import NO_SUBJECT as NO_SUBJECT
    from gradcheck.cases.document import NOT_JSON as NOT_JSON
    from gradcheck.cases.document import OUTCOMES as OUTCOMES
    from gradcheck.cases.document import Case as Case
    from gradcheck.cases.document import case_of as case_of
    from gradcheck.cases.document import floating as floating
    from gradcheck.cases.document import load_case as load_case
    from gradcheck.cases.document import outcome as outcome

__all__ = [
    "CASE_SCHEMA",
    "MOST_WEIGHTS",
    "NOT_JSON",
    "NO_CALL",
    "NO_SUBJECT",
    "OUTCOMES",
    "Case",
    "case_of",
    "floating",
    "load_case",
    "outcome",
]

# Resolved on first use (PEP 562): reading a file, or starting pytest, pays only for what it uses.
_LAZY = {
    "CASE_SCHEMA": "gradcheck.cases.document",
    "Case": "gradcheck.cases.document",
    "MOST_WEIGHTS": "gradcheck.cases.document",
    "NOT_JSON": "gradcheck.cases.document",
    "NO_CALL": "gradcheck.cases.document",
    "NO_SUBJECT": "gradcheck.cases.document",
    "OUTCOMES": "gradcheck.cases.document",
    "case_of": "gradcheck.cases.document",
    "floating": "gradcheck.cases.document",
    "load_case": "gradcheck.cases.document",
    "outcome": "gradcheck.cases.document",
    "replay": "gradcheck.harness.replay",
}

__getattr__ = on_first_use(globals(), _LAZY)
