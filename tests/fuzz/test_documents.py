"""Whatever a file or a command line holds: a report, or one message and exit status 2. Nothing is imported.

The ordinary tests try a few hundred, always the same ones; ``nox -s fuzz`` goes on for as long as it is given.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as hs

from gradcheck.cli import main
from gradcheck.errors import InputError
from gradcheck.sweep.store import Store

from .mutated import CASE, DOCUMENTS, SEARCH, TOKENS, damaged

_LONG = int(os.environ.get("GRADCHECK_FUZZ_EXAMPLES", "0"))

fuzzed = settings(
    max_examples=_LONG or 60,
    deadline=None,
    derandomize=not _LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)

# What must not reach a reader: control characters but for line breaks and tabs, and marks that reorder text.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with a module that says that it was imported."""
    before, path = Path.cwd(), tmp_path_factory.mktemp("fuzz")
    (path / "fuzz_sentinel.py").write_text("open('imported', 'w').close()\n")
    os.chdir(path)
    yield path
    os.chdir(before)
    assert not (path / "imported").exists()
    assert "fuzz_sentinel" not in sys.modules


def run(*arguments: str) -> Result:
    started = time.process_time()  # other work on the machine is none of its doing
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2)
    assert "not meant to happen" not in result.output
    assert "Traceback (most recent call last)" not in result.output
    assert not _ACTING.search(result.output)
    assert not _COMMAND.search(result.output)
    assert time.process_time() - started < 20
    return result


def messages(result: Result) -> int:
    return len(re.findall(r"^(?:gradcheck|Error): ", result.output, re.MULTILINE))


@fuzzed
@given(hs.sampled_from(DOCUMENTS).flatmap(damaged))
def test_result_files(text: str) -> None:
    Path("r.json").write_text(text, encoding="utf-8")
    for name in ("o.md", "o.html", "o.json"):
        Path(name).unlink(missing_ok=True)
    result = run("report", "r.json", "--markdown", "o.md", "--html", "o.html", "--json", "o.json")
    if result.exit_code == 2:
        assert messages(result) == 1 or "nothing was checked" in result.output
        return
    for name in ("o.md", "o.html", "o.json"):
        assert not _ACTING.search(Path(name).read_text(encoding="utf-8"))
    assert "<script>alert" not in Path("o.html").read_text(encoding="utf-8")
    assert run("report", "o.json").exit_code == result.exit_code  # what was written says the same


@fuzzed
@given(damaged(CASE))
def test_case_files(text: str) -> None:
    Path("case.json").write_text(text, encoding="utf-8")
    result = run("replay", "case.json")
    assert (result.exit_code, messages(result)) == (2, 1)  # refused, or not trusted


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document["kind"] for document in DOCUMENTS])
def test_what_was_not_damaged_is_read(document: dict[str, Any]) -> None:
    import json

    Path("r.json").write_text(json.dumps(document))
    assert run("report", "r.json").exit_code == 1


_CELLS = hs.none() | hs.binary(max_size=4) | hs.integers(-(2**63), 2**63 - 1) | hs.floats(allow_nan=False) | hs.text()
_COLUMNS = {
    "sweeps": ["id", "plan", "total", "settings", "started", "finished"],
    "results": ["sweep", "unit", "subject", "dtype", "mode", "seed", "ok", "error", "seconds", "document", "version"],
    "gradcheck_schema": ["version"],
}
_PLACES = hs.sampled_from([(table, column) for table, columns in _COLUMNS.items() for column in columns])


@functools.cache
def _intact() -> bytes:
    with Store("intact.db") as store:
        sweep = store.begin("plan", 1, {"subjects": ["a"]})
        row = {"unit": "u", "version": "tf221", "subject": "a:b", "dtype": "", "mode": "eager", "seed": 0}
        row |= {
            "examples": 9,
            "verdict": "MISMATCH",
            "ok": False,
            "error": "",
            "seconds": 1.0,
            "cold": True,
            "worker": "w",
        }
        store.write(sweep, {**row, "document": SEARCH})
    return Path("intact.db").read_bytes()


def _store() -> sqlite3.Connection:
    for path in Path().glob("s.db*"):
        path.unlink()
    Path("s.db").write_bytes(_intact())
    connection = sqlite3.connect("s.db")
    connection.execute("PRAGMA synchronous=OFF")
    return connection


@fuzzed
@given(_PLACES, _CELLS | damaged(SEARCH))
def test_stores(place: tuple[str, str], value: Any) -> None:
    table, column = place
    with contextlib.closing(_store()) as connection:
        # As SQLite lets anybody make it: without types and conditions.
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        connection.execute(f"ALTER TABLE {table} RENAME TO before")
        connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
        connection.execute(f"INSERT INTO {table} SELECT * FROM before")
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", [value])
        except UnicodeEncodeError:  # SQLite keeps no half of a surrogate pair
            return
        connection.commit()
    result = run("report", "s.db", "--json", "o.json")
    assert result.exit_code != 2 or messages(result) == 1


_HOSTILE = [
    "word",
    "-1",
    "0",
    "1e400",
    "nan",
    "inf",
    "9" * 5000,
    "1.5",
    "",
    "1_000",
    "١",
    "0x10",
    "--",
    "[]",
    "a,b",
    "a=b",
]
# Ends soon, whatever the options are: nothing is loaded, and nothing searched.
_SHORT = {
    "search": ["nowhere:f"],
    "sweep": ["nowhere:f", "--store", "sw.db"],
    "replay": ["none.json"],
    "zoo": ["--list"],
    "report": ["none.json"],
}


def _options(command: click.Command) -> list[click.Option]:
    return [option for option in command.params if isinstance(option, click.Option) and not option.is_flag]


@hs.composite
def command_lines(draw: hs.DrawFn) -> list[str]:
    name = draw(hs.sampled_from(sorted(_SHORT)))
    line = [name, *_SHORT[name]]
    for option in draw(hs.lists(hs.sampled_from(_options(main.commands[name])), min_size=1, max_size=3)):
        value = draw(
            hs.sampled_from(_HOSTILE) | hs.text(hs.characters(exclude_categories=["Cs"], exclude_characters="\0/"))
        )
        line.append(f"{max(option.opts, key=len)}={value}")
    return line


@fuzzed
@given(command_lines())
def test_command_lines(line: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.sweep.local.interpreters", _no_interpreter)
        patch.setattr("gradcheck.sweep.cluster.Cluster", _no_interpreter)
        result = run(*line)
    assert result.exit_code == 0 or messages(result) == 1, result.output
    for path in Path().iterdir():
        if path.name != "fuzz_sentinel.py" and path.is_file():
            path.unlink()


def _no_interpreter(*arguments: Any, **options: Any) -> Any:
    raise InputError("no interpreter is started here")


def test_the_tokens_are_what_readers_stumble_over() -> None:
    assert len(TOKENS) == len(set(TOKENS))
