"""What one worker finds all replay: Hypothesis's database in a folder and on a real Redis; checks by a stand-in."""

from __future__ import annotations

import contextlib
import sys

import pytest

from gradcheck import strategies as st
from gradcheck.errors import InputError
from gradcheck.isolation.searches import _database
from gradcheck.report import ModeResult, Report
from gradcheck.searching.searches import search_with
from gradcheck.verdicts import Verdict


class Checks:
    """Fails on one batch in very many: three rows, the longest first."""

    name = "subject"
    versions = {"tensorflow": "2.8.4"}  # noqa: RUF012 - read only

    def check(self, args, mode, options, *, again=False):
        (batch,) = args
        lengths = batch.lengths.tolist()
        failing = len(lengths) == 3 and lengths[0] > lengths[1] > lengths[2] > 0
        return Report("subject", {mode: ModeResult(mode, Verdict.MISMATCH if failing else Verdict.PASS)})

    def together(self, modes):
        return contextlib.nullcontext()

    def case(self, args, result, options):
        raise InputError("no case")


def search(database, seed, max_examples):
    strategy = st.batches(features=1, max_batch=3, max_length=4)
    return search_with(
        Checks(), strategy, modes="eager", seed=seed, max_examples=max_examples, database=_database(database)
    )["eager"]


@pytest.fixture(params=["folder", "redis"])
def place(request, tmp_path):
    return str(tmp_path / "examples") if request.param == "folder" else request.getfixturevalue("redis_url")


def test_what_one_finds_another_replays_at_once(place):
    assert search(place, 1, 2).verdict is Verdict.PASS
    assert search(place, 0, 3000).verdict is Verdict.MISMATCH
    again = search(place, 1, 2)
    assert again.verdict is Verdict.MISMATCH
    assert again.examples <= 2
    assert again.counterexample.lengths.tolist() == [3, 2, 1]


def test_without_a_database_a_seed_decides_alone():
    assert search("", 1, 2).verdict is Verdict.PASS


def test_redis_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "hypothesis.extra.redis", raising=False)
    with pytest.raises(InputError, match=r"pip install 'tf-gradcheck\[redis\]'"):
        _database("redis://127.0.0.1/0")
