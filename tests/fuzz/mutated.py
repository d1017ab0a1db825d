"""Documents as gradcheck writes them, and what becomes of one in other hands: strategies of damaged texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as hs

from tests.reports.documents import evidence

_MARK = "@@here@@"

_MODE = {
    "verdict": "MISMATCH",
    "ok": False,
    "cause": "the gradient is 1.5 times the slope",
    "entry": {"output": "output[0]", "input": "x[0]", "theoretical": 3.0, "numerical": 2.0, "index": [0, 0]},
    "resolution": 1e-9,
    "excess": 12.5,
    "notes": ["a note"],
    "expected": [],
    "seconds": 0.5,
}
_ARRAY = {"dtype": "float64", "shape": [2], "data": [1.0, "nan"]}
_EVIDENCE = evidence(missing=[{"part": "slope", "why": "it raised"}])
_VERSIONS = {"python": "3.13.0", "tensorflow": "2.21.0", "keras": "3.12.0", "numpy": "2.3.0"}

REPORT: dict[str, Any] = {
    "schema": 1,
    "kind": "report",
    "subject": "layers.pooled",
    "ok": False,
    "arguments": "np.array([1.0, 2.0])",
    "versions": _VERSIONS,
    "wrt": "all",
    "modes": {"eager": _MODE, "xla": {"verdict": "PASS", "ok": True}},
    "scripts": {"eager": "print('a script')"},
    "evidence": {"eager": _EVIDENCE},
}
CASE: dict[str, Any] = {
    "schema": 1,
    "kind": "case",
    "name": "pooled",
    "subject": "fuzz_sentinel:f",
    "file": "fuzz_sentinel.py:f",
    "call": None,
    "called": False,
    "mode": "eager",
    "verdict": "MISMATCH",
    "cause": "the gradient is 1.5 times the slope",
    "changed": "",
    "rule": "",
    "options": {"wrt": "all", "rtol": 1e-3},
    "arguments": [
        {"type": "array", **_ARRAY},
        {"type": "dict", "items": [[{"type": "python", "value": "a"}, {"type": "list", "items": []}]]},
        {
            "type": "namedtuple",
            "class": "fuzz_sentinel:pair",
            "fields": ["a"],
            "items": [{"type": "float", "value": "nan"}],
        },
        {
            "type": "batch",
            "values": {"dtype": "float32", "shape": [1, 2, 1], "data": [1.0, 0.0]},
            "lengths": {"dtype": "int32", "shape": [1], "data": [1]},
            "padding": {"side": "post", "extra": 0, "fill": 0.0},
        },
    ],
    "weights": [{"name": "kernel", "array": _ARRAY}],
    "versions": _VERSIONS,
}
_SEARCHED = {
    "mode": "eager",
    "verdict": "MISMATCH",
    "ok": False,
    "expected": [],
    "cause": "wrong",
    "complete": True,
    "examples": 7,
    "calls": 20,
    "counts": {"PASS": 6, "MISMATCH": 1},
    "counterexample": {"arguments": [CASE["arguments"][0]]},
    "case": CASE,
    "report": REPORT,
}
SEARCH: dict[str, Any] = {
    "schema": 1,
    "kind": "search",
    "subject": "layers.pooled",
    "ok": False,
    "seed": 3,
    "versions": _VERSIONS,
    "modes": {"eager": _SEARCHED},
}
_TEST = {"nodeid": "tests/test_a.py::test_b", "outcome": "failed", "place": "tests/test_a.py", "again": "pytest -k b"}
_MERGED = {
    "subject": "layers.pooled",
    "tensorflow": "2.21.0",
    "versions": _VERSIONS,
    "origin": "r.json",
    "build": "0.1.0",
    "modes": {"eager": {**_MODE, "arguments": "x", "script": "print(1)", "evidence": _EVIDENCE, "case": CASE}},
}
_SWEPT = {
    "subject": "a",
    "ok": False,
    "versions": _VERSIONS,
    "modes": {"eager": _SEARCHED},
    "origin": "a",
    "place": "a",
}
_REPLAYED = {
    **REPORT,
    "case": "c.json",
    "mode": "eager",
    "outcome": "gone",
    "before": {"verdict": "MISMATCH", "cause": ""},
}
DOCUMENTS: list[dict[str, Any]] = [
    REPORT,
    SEARCH,
    {
        "schema": 1,
        "kind": "searches",
        "complete": False,
        "results": [SEARCH],
        "gaps": [{"what": "b", "why": "interrupted"}],
    },
    {"schema": 1, "kind": "merged", "results": [_MERGED, {**_MERGED, "versions": {"tensorflow": "2.8.4"}}]},
    {
        "schema": 1,
        "kind": "sweep",
        "sweep": "s",
        "ok": False,
        "complete": False,
        "settings": {},
        "units": {"total": 9, "done": 1},
        "started": 1.0,
        "finished": None,
        "results": [_SWEPT],
    },
    {"schema": 1, "kind": "replays", "ok": False, "results": [_REPLAYED]},
]

#: What readers of JSON stumble over, as it stands in a file.
TOKENS = [
    *("null", "true", "-1", "0", "1.5", "1e400", "NaN", "-Infinity", '""', "[]", "{}", "[[]]", '[{"a": null}]'),
    *("9" * 5000, "1" + "0" * 400, "[" * 5000 + "]" * 5000, '{"verdict": "PASS", "verdict": "MISMATCH"}'),
    *(
        r'"\ud800"',
        r'"\u001b]0;title\u0007"',
        r'"\u202egnp.exe"',
        '"os:system"',
        '"fuzz_sentinel:f"',
        '"PASS"',
        '"xla"',
    ),
    *(r'"\n::error::x"', '"<script>alert(1)</script>"', '"](http://x)|`"', '"float128"', '"' + "x" * 3000 + '"'),
]

_json = hs.recursive(
    hs.none() | hs.booleans() | hs.integers(-3, 10**12) | hs.floats(allow_nan=False, allow_infinity=False) | hs.text(),
    lambda inner: hs.lists(inner, max_size=3) | hs.dictionaries(hs.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
tokens = hs.sampled_from(TOKENS) | _json.map(json.dumps)


def _ways(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    for step, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _ways(inner, (*way, step))


def damaged(document: dict[str, Any]) -> hs.SearchStrategy[str]:
    """The text of a document in which up to three things are another, gone, or there twice."""
    way = hs.sampled_from([way for way in _ways(document) if way])
    change = hs.tuples(way, hs.none() | tokens | hs.just("twice"))
    return hs.lists(change, min_size=1, max_size=3).map(lambda changes: _changed(document, changes))


def _changed(document: dict[str, Any], changes: list[tuple[tuple[Any, ...], str | None]]) -> str:
    found = json.loads(json.dumps(document))
    put: list[str] = []
    for way, token in changes:
        node = found
        try:
            for step in way[:-1]:
                node = node[step]
            if token is None:
                del node[way[-1]]
            elif token == "twice" and isinstance(node, list):
                node.append(node[way[-1]])
            else:
                node[way[-1]] = f"{_MARK}{len(put)}{_MARK}"
                put.append("null" if token == "twice" else token)
        except (LookupError, TypeError):  # an earlier change took it away
            continue
    text = json.dumps(found)
    for number, token in enumerate(put):
        text = text.replace(f'"{_MARK}{number}{_MARK}"', token)
    return text
