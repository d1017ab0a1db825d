"""Documents against the published schemas, with the place and the value of what is wrong.

A validator of our own, for the dozen keywords that our schemas use. The package jsonschema would be another dependency,
with a compiled part, of whoever reads a result file. It is slow on large documents, and says of an unknown verdict
that the document "is not valid under any of the given schemas". The tests compare the answers of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from gradcheck.errors import InputError
from gradcheck.schemas import schema

__all__ = ["Shape", "shape_of", "validate"]


class _Wrong(NamedTuple):
    """What is wrong, and where: the way to it from the outside."""

    way: tuple[str | int, ...]
    what: str

    def below(self, step: str | int) -> _Wrong:
        return _Wrong((step, *self.way), self.what)


_Check = Callable[[Any], _Wrong | None]

_WORDS = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_REMARKS = frozenset(["$schema", "$id", "$defs", "title", "description"])


def validate(document: Any, name: str) -> None:
    """Check a document against a published schema.

    Args:
        document: as `json.loads` gives it.
        name: of the schema, as in `gradcheck.schemas.NAMES`.

    Raises:
        InputError: where it does not fit, with the place, the value and what it should be.
    """
    try:
        wrong = _compiled(name)(document)
    except RecursionError as error:
        raise InputError("is nested too deeply; the file is damaged") from error
    if wrong is not None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in wrong.way).lstrip(".")
        place = f"{_shown(where, 120)}: " if where else ""
        raise InputError(f"{place}{wrong.what}; the file is damaged, or was written by a newer gradcheck")


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields that a kind of results document has; others are to be ignored, whatever they hold.

    Attributes:
        document: of the whole.
        part: of each of its results.
        mode: of each mode of these.
    """

    document: frozenset[str]
    part: frozenset[str]
    mode: frozenset[str]


@cache
def shape_of(kind: str) -> Shape:
    """The shape of a kind of results document, from the published schema."""
    definitions = schema("results")["$defs"]
    whole = definitions[kind]["properties"]
    part = (
        definitions[whole["results"]["items"]["$ref"].rpartition("/")[2]]["properties"] if "results" in whole else whole
    )
    mode = definitions[part["modes"]["additionalProperties"]["$ref"].rpartition("/")[2]]["properties"]
    return Shape(frozenset(whole), frozenset(part), frozenset(mode))


@cache
def _compiled(name: str) -> _Check:
    return _Compiler(schema(name)).check


class _Compiler:
    """Functions for the nodes of one schema, each made once."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._made: dict[str, _Check] = {}
        self.check = self._node(root)

    def _reference(self, address: str) -> _Check:
        def check(value: Any) -> _Wrong | None:
            if address not in self._made:  # on first use: schemas may hold themselves
                node: Any = self._root
                for step in address.removeprefix("#/").split("/"):
                    node = node[step]
                self._made[address] = self._node(node)
            return self._made[address](value)

        return check

    def _node(self, node: Mapping[str, Any]) -> _Check:
        checks: list[_Check] = []
        if "type" in node:
            checks.append(_type(node["type"]))
        if "required" in node or "properties" in node or "additionalProperties" in node:
            checks.append(self._object(node))
        for keyword, value in node.items():
            if keyword in _REMARKS or keyword in ("type", "required", "properties", "additionalProperties"):
                continue
            checks.append(self._keyword(keyword, value))
        if not checks:
            return _anything
        if len(checks) == 1:
            return checks[0]

        def check(value: Any) -> _Wrong | None:
            for one in checks:
                wrong = one(value)
                if wrong is not None:
                    return wrong
            return None

        return check

    def _keyword(self, keyword: str, value: Any) -> _Check:
        if keyword == "$ref":
            return self._reference(value)
        if keyword == "const":
            return _among([value])
        if keyword == "enum":
            return _among(value)
        if keyword == "minimum":
            return _minimum(value)
        if keyword in ("minItems", "maxItems"):
            return _length(value, keyword == "minItems")
        if keyword == "items":
            return self._items(value)
        if keyword == "propertyNames":
            return self._names(value)
        if keyword == "anyOf":
            return self._any_of(value)
        if keyword == "oneOf":
            return self._by_kind(value)
        raise ValueError(f"the schema has the keyword {keyword!r}, which this validator does not know")

    def _object(self, node: Mapping[str, Any]) -> _Check:
        required = tuple(node.get("required", ()))
        known = {name: self._node(inner) for name, inner in node.get("properties", {}).items()}
        properties = {name: check for name, check in known.items() if check is not _anything}
        more = node.get("additionalProperties", True)
        others = self._node(more) if isinstance(more, dict) else None

        def check(value: Any) -> _Wrong | None:
            if not isinstance(value, dict):
                return None
            for name in required:
                if name not in value:
                    return _Wrong((), f"{name!r} is missing")
            for name, inner in value.items():
                one = properties.get(name)
                if one is None:
                    if others is None or name in known:
                        if more is False and name not in known:
                            return _Wrong((), f"{_shown(name)} is not known")
                        continue
                    one = others
                wrong = one(inner)
                if wrong is not None:
                    return wrong.below(name)
            return None

        return check

    def _items(self, node: Mapping[str, Any]) -> _Check:
        one = self._node(node)

        def check(value: Any) -> _Wrong | None:
            if isinstance(value, list):
                for number, item in enumerate(value):
                    wrong = one(item)
                    if wrong is not None:
                        return wrong.below(number)
            return None

        return check

    def _names(self, node: Mapping[str, Any]) -> _Check:
        one = self._node(node)

        def check(value: Any) -> _Wrong | None:
            return next((wrong for name in value if (wrong := one(name))), None) if isinstance(value, dict) else None

        return check

    def _any_of(self, nodes: list[Mapping[str, Any]]) -> _Check:
        checks = [self._node(node) for node in nodes]

        def check(value: Any) -> _Wrong | None:
            found: list[_Wrong] = []
            for one in checks:
                wrong = one(value)
                if wrong is None:
                    return None
                found.append(wrong)
            # What got furthest is what was meant.
            deepest = max(found, key=lambda wrong: len(wrong.way))
            if deepest.way:
                return deepest
            reasons = [wrong.what.partition(" is not ")[2] or wrong.what for wrong in found]
            return _Wrong((), f"{_shown(value)} is not {' or '.join(dict.fromkeys(reasons))}")

        return check

    def _by_kind(self, nodes: list[Mapping[str, Any]]) -> _Check:
        """The kinds of documents: which one it is, it says itself."""
        kinds: dict[str, _Check] = {}
        for node in nodes:
            kind = node["$ref"].rpartition("/")[2]
            kinds[self._root["$defs"][kind]["properties"]["kind"]["const"]] = self._node(node)
        among = _among(list(kinds))

        def check(value: Any) -> _Wrong | None:
            kind = value.get("kind") if isinstance(value, dict) else None
            one = kinds.get(kind) if isinstance(kind, str) else None
            if one is None:
                wrong = among(kind)
                return None if wrong is None else wrong.below("kind")
            return one(value)

        return check


def _anything(value: Any) -> None:
    return None


def _type(name: str) -> _Check:
    fits = _TYPES[name]
    words = _WORDS[name]

    def check(value: Any) -> _Wrong | None:
        return None if fits(value) else _Wrong((), f"{_shown(value)} is not {words}")

    return check


def _is_number(value: Any) -> bool:
    # 1e400 is a number to JSON and an infinity to Python.
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and value.bit_length() <= _MOST_BITS)


_MOST_BITS = 1023  # of a whole number that has a float


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "number": _is_number,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
}


def _among(choices: list[Any]) -> _Check:
    def check(value: Any) -> _Wrong | None:
        for choice in choices:
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):  # True is no 1
                return None
        listed = ", ".join(map(str, choices))
        return _Wrong((), f"{_shown(value)} is not {f'one of {listed}' if len(choices) > 1 else listed}")

    return check


def _minimum(least: float) -> _Check:
    def check(value: Any) -> _Wrong | None:
        if _is_number(value) and value < least:
            return _Wrong((), f"{value} is less than {least}")
        return None

    return check


def _length(limit: int, least: bool) -> _Check:
    def check(value: Any) -> _Wrong | None:
        if isinstance(value, list) and (len(value) < limit if least else len(value) > limit):
            return _Wrong((), f"{len(value)} entries are {'less' if least else 'more'} than {limit}")
        return None

    return check


def _shown(value: Any, most: int = 60) -> str:
    try:
        text = value if isinstance(value, str) and most > 60 else repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= most else f"{text[:most]}…"
