"""Where results of sweeps are kept: SQLite by default, PostgreSQL by URL for a team.

A handful of statements that both understand, through Python's own sqlite3 and psycopg: the default needs nothing
installed, and there is nothing here that a mapper of objects to tables would make shorter. Every write may be made
twice: of two results of one unit in one sweep the first stays.

A store may be a stranger's, and SQLite keeps anything in any column. So whatever is read is looked at: the kind of
every column, and every document against the published schema.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradcheck.errors import InputError, in_words, shown
from gradcheck.records.results import SCHEMA_VERSION
from gradcheck.schemas.validation import validate
from gradcheck.support.files import parse_json
from gradcheck.verdicts import Verdict

__all__ = ["Store", "is_store"]

_POSTGRES = ("postgresql://", "postgres://")
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_STORE_SCHEMA = 1

_TABLES = (
    "CREATE TABLE IF NOT EXISTS gradcheck_schema (version INTEGER NOT NULL PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS sweeps (
        id TEXT NOT NULL PRIMARY KEY,
        plan TEXT NOT NULL,
        total INTEGER NOT NULL,
        settings TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL,
        finished DOUBLE PRECISION)""",
    """CREATE TABLE IF NOT EXISTS results (
        sweep TEXT NOT NULL,
        unit TEXT NOT NULL,
        version TEXT NOT NULL,
        subject TEXT NOT NULL,
        dtype TEXT NOT NULL,
        mode TEXT NOT NULL,
        seed BIGINT NOT NULL,
        examples INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        ok INTEGER NOT NULL,
        error TEXT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        cold INTEGER NOT NULL,
        worker TEXT NOT NULL,
        written DOUBLE PRECISION NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (sweep, unit))""",
)
_COLUMNS = (
    *("sweep", "unit", "version", "subject", "dtype", "mode", "seed", "examples", "verdict", "ok", "error", "seconds"),
    *("cold", "worker", "written", "document"),
)


# What the columns of a row must hold: the Python type, or a time that may be missing.
_TIME_OR_NULL = "a number, or NULL"
_RESULT_KINDS: tuple[Any, ...] = (
    *(str, str, str, str, str, int, int, str, int, str, float),
    *(int, str, float, str),
)


def is_store(place: str) -> bool:
    """Whether a text names a store: a PostgreSQL URL, or a file with the ending of a SQLite database."""
    return place.startswith((*_POSTGRES, "sqlite:///")) or place.endswith(_SQLITE_SUFFIXES)


class Store:
    """A store, open. A context manager; one thread at a time writes, several may call.

    Args:
        place: the path of a SQLite file (``results.db``), or ``postgresql://user@host:port/database``.
        create: whether a SQLite file that is not there is made.

    Raises:
        InputError: where it is neither, cannot be opened, or was written by a newer gradcheck.
    """

    def __init__(self, place: str, *, create: bool = True) -> None:
        self.place = place
        self._lock = threading.RLock()
        self._postgres = place.startswith(_POSTGRES)
        self._path = place.removeprefix("sqlite:///")
        if not self._postgres and not is_store(place):
            raise InputError(
                f"store {place!r} is neither a SQLite file (its name ends in {', '.join(_SQLITE_SUFFIXES)}) nor a "
                "PostgreSQL URL, postgresql://user@host:port/database"
            )
        if "\0" in place or not self._path:
            raise InputError(f"store {shown(place)} is no name of a file; give one such as results.db")
        if not self._postgres and not create and not Path(self._path).is_file():
            raise InputError(f"store {place}: there is no such file")
        self._connection: Any = self._connect()
        try:
            self._prepare(create)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    @property
    def shown(self) -> str:
        """The place without a password."""
        head, at, tail = self.place.rpartition("@")
        scheme, slashes, user = head.partition("://")
        return f"{scheme}{slashes}{user.partition(':')[0]}@{tail}" if at and self._postgres else self.place

    def _connect(self) -> Any:
        if self._postgres:
            try:
                import psycopg
            except ImportError as error:
                raise InputError(
                    f"store {self.shown} needs the package psycopg, which is not installed: "
                    "pip install 'tf-gradcheck[postgresql]'"
                ) from error
            try:
                return psycopg.connect(self.place, connect_timeout=15)
            except psycopg.Error as error:
                text = " ".join(str(error).split())
                raise InputError(f"store {self.shown} cannot be opened: {text}") from error
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=60, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode=WAL")  # readers, such as `gradcheck report`, do not wait
                connection.execute("PRAGMA synchronous=FULL")
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise InputError(f"store {self.place} cannot be opened: {error}") from error
        return connection

    def _prepare(self, create: bool) -> None:
        if create:
            for statement in _TABLES:
                # Two that make a table at the same moment collide in PostgreSQL; the second finds it made.
                for attempt in range(2):
                    try:
                        self._write(statement)
                        break
                    except Exception:
                        if attempt:
                            raise
            self._write(f"INSERT INTO gradcheck_schema VALUES ({_STORE_SCHEMA}) ON CONFLICT DO NOTHING")
        if not self._postgres and self._read(_OTHER_THAN_TABLES):  # a view may take for ever
            raise InputError(f"store {self.shown} holds no sweeps of gradcheck")
        versions = [row[0] for row in self._read("SELECT version FROM gradcheck_schema", kinds=(int,))]
        if max(versions, default=0) > _STORE_SCHEMA:
            raise InputError(f"store {self.shown} was written by a newer gradcheck; update tf-gradcheck")

    # -- statements --------------------------------------------------------------------------------------------

    def _execute(self, statement: str, values: Sequence[Any]) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(statement.replace("?", "%s") if self._postgres else statement, values)
        return cursor

    def _write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and commit; once more over a new connection where the server has gone. Rows changed."""
        with self._lock:
            for attempt in range(_ATTEMPTS):
                try:
                    count = int(self._execute(statement, values).rowcount)
                    self._connection.commit()
                    return count
                except Exception as error:
                    with contextlib.suppress(Exception):
                        self._connection.rollback()
                    if attempt == _ATTEMPTS - 1 or not self._gone(error):
                        raise self._refused(error, "cannot be written") from error
                    time.sleep(0.5 * 2**attempt)
                    with contextlib.suppress(InputError):  # not back yet
                        self._connection = self._connect()
        raise AssertionError("unreachable")

    def _gone(self, error: Exception) -> bool:
        """Whether the connection was lost, so that another one may help."""
        return self._postgres and type(error).__name__ in ("OperationalError", "AdminShutdown", "InterfaceError")

    def _read(self, statement: str, values: Sequence[Any] = (), kinds: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query, each with columns of these kinds."""
        with self._lock:
            try:
                rows = list(self._execute(statement, values).fetchall())
            except Exception as error:
                raise self._refused(error, "holds no sweeps of gradcheck, or is damaged") from error
            finally:
                with contextlib.suppress(Exception):
                    self._connection.rollback()  # PostgreSQL keeps a transaction open for a reader, too
        for row in rows:
            for value, kind in zip(row, kinds, strict=False):
                if not _fits(value, kind):
                    words = kind if isinstance(kind, str) else _WORDS[kind]
                    raise InputError(f"store {self.shown} is damaged: {shown(value, 60)} stands where {words} should")
        return rows

    def _refused(self, error: Exception, what: str) -> Exception:
        """What the database says, as bad input; anything else as it is."""
        theirs = isinstance(error, (sqlite3.Error, UnicodeDecodeError))
        if theirs or type(error).__module__.partition(".")[0] == "psycopg":
            return InputError(f"store {self.shown} {what}: {in_words(error)[:300]}")
        return error

    # -- sweeps ------------------------------------------------------------------------------------------------

    def unfinished(self, plan: str) -> str | None:
        """The latest sweep of that plan, if it has not come to its end."""
        rows = self._read(
            "SELECT id, finished FROM sweeps WHERE plan = ? ORDER BY started DESC LIMIT 1",
            [plan],
            (str, _TIME_OR_NULL),
        )
        return str(rows[0][0]) if rows and rows[0][1] is None else None

    def begin(self, plan: str, total: int, settings: Mapping[str, Any]) -> str:
        """A new sweep; its name."""
        name = uuid.uuid4().hex[:12]
        self._write(
            "INSERT INTO sweeps VALUES (?, ?, ?, ?, ?, NULL)", [name, plan, total, json.dumps(settings), time.time()]
        )
        return name

    def finish(self, sweep: str) -> None:
        """Note that a sweep has come to its end."""
        self._write("UPDATE sweeps SET finished = ? WHERE id = ? AND finished IS NULL", [time.time(), sweep])

    def latest(self) -> str | None:
        """The sweep that was begun last."""
        rows = self._read("SELECT id FROM sweeps ORDER BY started DESC LIMIT 1", kinds=(str,))
        return str(rows[0][0]) if rows else None

    # -- results -----------------------------------------------------------------------------------------------

    def write(self, sweep: str, result: Mapping[str, Any]) -> bool:
        """Keep the result of a unit, with the columns of the table ``results``; it is on disk when this returns.

        Returns:
            Whether it was written: False where the unit has one in this sweep, which stays.
        """
        values = {**result, "sweep": sweep, "written": time.time(), "document": json.dumps(result["document"])}
        values["ok"], values["cold"] = int(values["ok"]), int(values["cold"])
        marks = ", ".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO results ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        return self._write(statement, [values[name] for name in _COLUMNS]) == 1

    def done(self, sweep: str) -> set[str]:
        """The units that have a result."""
        return {row[0] for row in self._read("SELECT unit FROM results WHERE sweep = ?", [sweep], (str,))}

    def counts(self, sweep: str) -> dict[str, tuple[int, int]]:
        """How many units are done and how many are not as they should be, by version."""
        rows = self._read(
            "SELECT version, COUNT(*), SUM(1 - ok) FROM results WHERE sweep = ? GROUP BY version", [sweep], (str,)
        )
        return {str(version): (int(done), int(failing)) for version, done, failing in rows}

    def costs(self) -> list[tuple[str, str, str, str, int, bool, float]]:
        """What units have cost in all sweeps, as `gradcheck.sweep.cutting.Costs` takes it; the latest ones first."""
        rows = self._read(
            "SELECT version, subject, dtype, mode, examples, cold, seconds FROM results WHERE error = '' "
            "ORDER BY written DESC LIMIT 20000",
            kinds=(str, str, str, str, int, int, float),
        )
        return [(*row[:5], bool(row[5]), float(row[6])) for row in rows]

    def results(self, sweep: str) -> Iterator[dict[str, Any]]:
        """All results of a sweep, ordered by version, subject, dtype, mode and seed."""
        names = [name for name in _COLUMNS if name != "sweep"]
        rows = self._read(
            f"SELECT {', '.join(names)} FROM results WHERE sweep = ? ORDER BY version, subject, dtype, mode, seed",
            [sweep],
            _RESULT_KINDS,
        )
        for row in rows:
            result = dict(zip(names, row, strict=True))
            document = self._parsed(result["document"], "a result")
            try:
                validate(document, "results")
            except InputError as error:
                raise InputError(f"store {self.shown} is damaged: a result: {error}") from error
            if document["kind"] != "search" or result["mode"] not in document["modes"]:
                raise InputError(
                    f"store {self.shown} is damaged: a result has another document than that of its search"
                )
            yield {
                **result,
                "ok": bool(result["ok"]),
                "cold": bool(result["cold"]),
                "document": document,
            }

    def _parsed(self, text: str, what: str) -> Any:
        return parse_json(text, f"store {self.shown}: {what}", "the store is damaged")

    def document(self, sweep: str | None = None) -> dict[str, Any]:
        """A sweep, the latest where None, as a document that `gradcheck.results.reading` reads: for each version,
        subject and dtype the worst of all seeds in each mode.

        Raises:
            InputError: where there is no sweep.
        """
        name = sweep or self.latest()
        found = self._read(
            "SELECT total, settings, started, finished FROM sweeps WHERE id = ?",
            [name or ""],
            (int, str, float, _TIME_OR_NULL),
        )
        if name is None or not found:
            raise InputError(f"store {self.shown} holds no sweep{f' {sweep!r}' if sweep else ''}")
        total, settings, started, finished = found[0]
        parts: dict[tuple[str, str, str], dict[str, Any]] = {}
        refused: dict[tuple[str, str, str], list[str]] = {}
        done = 0
        for result in self.results(name):
            done += 1
            document = result["document"]
            title = document.get("subject", result["subject"]) + (f" [{result['dtype']}]" if result["dtype"] else "")
            if result["error"]:  # no verdict about the subject
                why = f"could not be searched: {result['error'].strip().splitlines()[-1]}"
                tensorflow = document.get("versions", {}).get("tensorflow", result["version"])
                refused.setdefault((title, why, tensorflow), []).append(result["mode"])
                continue
            key = (result["version"], result["subject"], result["dtype"])
            empty = {"subject": title, "ok": True, "versions": document["versions"], "modes": {}}
            part = parts.setdefault(key, {**empty, "origin": result["subject"], "place": result["subject"]})
            part["ok"] = part["ok"] and result["ok"]
            part["modes"][result["mode"]] = _worse(part["modes"].get(result["mode"]), document["modes"][result["mode"]])
        gaps = [
            {"what": f"{title} in {', '.join(dict.fromkeys(modes))}", "why": why, "tensorflow": tensorflow}
            for (title, why, tensorflow), modes in refused.items()
        ]
        if done < total:
            gaps.append({"what": f"{total - done} of {total} searches", "why": "the sweep has not come to its end"})
        return {
            "schema": SCHEMA_VERSION,
            "kind": "sweep",
            "sweep": name,
            "ok": not gaps and all(part["ok"] for part in parts.values()),
            "complete": done == total,
            "gaps": gaps,
            "units": {"total": int(total), "done": done},
            "settings": self._parsed(settings, "a sweep's settings"),
            "started": started,
            "finished": finished,
            "results": list(parts.values()),
        }


_ATTEMPTS = 6

_OTHER_THAN_TABLES = (
    "SELECT 1 FROM (SELECT COUNT(*) AS tables FROM sqlite_master WHERE type = 'table' "
    "AND name IN ('gradcheck_schema', 'sweeps', 'results')) AS found WHERE tables < 3"
)

_WORDS = {str: "a text", int: "a whole number", float: "a number"}


def _fits(value: Any, kind: Any) -> bool:
    """Whether a column holds what it should: a text that can be written, a number that is one."""
    if kind == _TIME_OR_NULL:
        return value is None or _fits(value, float)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _worse(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> dict[str, Any]:
    """The worse of two results of a mode, with the examples of both."""
    if one is None:
        return dict(other)

    def badness(found: Mapping[str, Any]) -> tuple[bool, int]:
        return (not found["ok"], Verdict[found["verdict"]].severity)

    worse = max((one, other), key=badness)
    counts = dict(one.get("counts") or {})
    for name, count in (other.get("counts") or {}).items():
        counts[name] = counts.get(name, 0) + count
    return {
        **worse,
        "examples": one.get("examples", 0) + other.get("examples", 0),
        "calls": one.get("calls", 0) + other.get("calls", 0),
        "counts": counts,
    }
