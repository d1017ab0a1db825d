"""Cases replayed in another process: what kills it is a result, for the command line as well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck import Batch, Verdict
from gradcheck.cases.document import Case
from gradcheck.cli import main
from gradcheck.errors import InputError
from gradcheck.isolation.replays import IsolatedReplays
from gradcheck.strategies import Padding

BATCH = Batch(np.ones((1, 2, 1)), np.array([2], np.int32))


def case(subject: str) -> Case:
    return Case(subject, f"isolation_subjects:{subject}", (BATCH,), "graph", Verdict.CRASH, "died", weights=None)


def test_a_crash_is_replayed_and_the_next_case_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    files = [str(case(name).save(tmp_path / f"{name}.json")) for name in ("aborts", "right")]
    done = CliRunner().invoke(main, ["replay", "--trust", *files, "--json", str(tmp_path / "found.json")])
    assert done.exit_code == 1, done.output
    still, gone = json.loads((tmp_path / "found.json").read_text())["results"]
    assert (still["outcome"], gone["outcome"]) == ("still there", "gone")
    assert "SIGABRT" in still["modes"]["graph"]["cause"]
    assert "Check failed: rows < 1" in still["modes"]["graph"]["cause"]
    assert still["versions"]["tensorflow"]
    assert still["arguments"] == repr(BATCH)
    assert gone["modes"]["graph"]["notes"] == []  # a function has no weights to miss


def test_what_the_process_died_on_is_told_where_it_was_another_batch() -> None:
    pytest.importorskip("tensorflow")
    assert BATCH.time == 2
    died = replace(case("aborts_with_more_padding"), mode="eager")
    with IsolatedReplays() as isolated:
        cause = isolated.replay(died, subject=died.subject)["eager"].cause
    told, _, code = cause.partition(" on another batch that this one is compared with, ")
    assert told == "the process died (SIGABRT)"
    other = eval(code, {"Batch": Batch, "np": np, "Padding": Padding})
    assert (other.size, other.time > 3) == (BATCH.size, True)


def test_a_subject_that_is_not_there_is_no_crash() -> None:
    with IsolatedReplays() as isolated, pytest.raises(InputError, match="no_such_thing"):
        isolated.replay(case("no_such_thing"), subject="isolation_subjects:no_such_thing")
