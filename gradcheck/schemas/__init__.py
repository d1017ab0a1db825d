"""The published JSON schemas (draft 2020-12) of what gradcheck writes, one file for each format and version.

``results-1`` describes every document that `gradcheck report` reads (of a check, a search, variants, a pytest run,
merged ones), ``case-1`` a case file. Within a version fields are only added, and added ones are optional; what changes
or removes a field raises the version. Readers should ignore fields that they do not know.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from gradcheck.errors import InputError

__all__ = ["NAMES", "schema", "schema_text"]

#: The schemas, with their newest version.
NAMES = {"results": 1, "case": 1}


def schema_text(name: str) -> str:
    """A schema as it is shipped.

    Raises:
        InputError: there is none of that name.
    """
    if name not in NAMES:
        raise InputError(f"there is no schema {name!r}; the schemas are {', '.join(NAMES)}")
    path = resources.files("gradcheck.schemas") / f"{name}-{NAMES[name]}.schema.json"
    return path.read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """A schema, read.

    Raises:
        InputError: there is none of that name.
    """
    loaded: dict[str, Any] = json.loads(schema_text(name))
    return loaded
