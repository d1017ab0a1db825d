"""The store, in SQLite and in a real PostgreSQL: each unit counts once, and it is all read back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest

from gradcheck.errors import InputError
from gradcheck.isolation.searches import SearchOutcome, unfinished_document
from gradcheck.records.results import ModeResult
from gradcheck.results.reading import results_of
from gradcheck.schemas import schema_text
from gradcheck.sweep.records import record_of, record_of_lost
from gradcheck.sweep.store import Store, is_store
from gradcheck.verdicts import Verdict


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "results.db")
        return
    server = request.getfixturevalue("postgres")
    yield server.url
    with Store(server.url) as store:
        for table in ("results", "sweeps", "gradcheck_schema"):
            store._write(f"DROP TABLE IF EXISTS {table}")


def record(unit, verdict="PASS", seconds=1.0, error=""):
    document = unfinished_document(unit.task, ModeResult(unit.mode, Verdict[verdict], "cause"), "Batch(…)")
    document["modes"][unit.mode] |= {"seconds": seconds, "cold": unit.task.seed == 0, "examples": 10}
    document["versions"]["tensorflow"] = {"tf28": "2.8.4", "tf221": "2.21.0"}[unit.version]
    return record_of(unit, SearchOutcome(unit.task, {} if error else document, error), "somewhere")


def test_a_result_counts_once(place, plan):
    unit, other = plan("a", modes=["eager"])
    with Store(place) as store:
        sweep = store.begin("plan", 2, {})
        assert store.write(sweep, record(unit, "MISMATCH")) is True
        assert store.write(sweep, record(unit, "PASS")) is False
        assert store.write(sweep, record(other)) is True
        assert store.done(sweep) == {unit.key, other.key}
        assert [result["verdict"] for result in store.results(sweep)] == ["MISMATCH", "PASS"]
        assert store.counts(sweep) == {"tf28": (2, 1)}


def test_many_at_once(place, plan):
    """Four writers, each with everything."""
    units = plan("a", "b", seeds=range(10))
    with Store(place) as store:
        sweep = store.begin("plan", len(units), {})

    def write(_):
        with Store(place) as store:
            return sum(store.write(sweep, record(unit)) for unit in units)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(write, range(4))) == len(units)
    with Store(place) as store:
        assert len(list(store.results(sweep))) == len(units)


def test_an_unfinished_sweep_is_found_again(place):
    with Store(place) as store:
        assert store.latest() is None
        first = store.begin("plan", 1, {"subjects": ["a"]})
        assert store.unfinished("plan") == first
        assert store.unfinished("another") is None
        store.finish(first)
        assert store.unfinished("plan") is None
        second = store.begin("plan", 1, {})
        assert (store.unfinished("plan"), store.latest()) == (second, second)


def test_the_document_has_the_worst_of_all_seeds_and_is_read_by_the_report(place, plan):
    units = plan("a", versions=["tf28", "tf221"], seeds=range(3), dtypes=["float32"])
    with Store(place) as store:
        sweep = store.begin("plan", len(units), {"seeds": [0, 1, 2]})
        for unit in units:
            failing = unit.version == "tf28" and unit.mode == "xla" and unit.task.seed == 1
            store.write(sweep, record(unit, "NONFINITE" if failing else "PASS"))
        document = json.loads(json.dumps(store.document()))
    assert (document["kind"], document["ok"], document["complete"]) == ("sweep", False, True)
    assert document["results"][0]["modes"]["xla"]["examples"] == 30
    jsonschema.Draft202012Validator(json.loads(schema_text("results"))).validate(document)
    rows = {row.tensorflow: row for row in results_of(document).rows}
    assert {version: row.ok for version, row in rows.items()} == {"2.8.4": False, "2.21.0": True}
    assert rows["2.8.4"].subject == "a [float32]"
    assert rows["2.8.4"].modes["xla"].verdict is Verdict.NONFINITE
    assert rows["2.8.4"].cases == {"xla": "Batch(…)"}


def test_what_is_not_finished_is_not_ok(place, plan):
    units = plan("a")
    with Store(place) as store:
        sweep = store.begin("plan", len(units), {})
        store.write(sweep, record(units[0]))
        assert (store.document()["ok"], store.document()["complete"]) == (False, False)
        assert store.document()["units"] == {"total": 4, "done": 1}
    with Store(place) as store:
        found = results_of(store.document())
    assert (len(found.rows), found.ok) == (1, False)
    assert [str(gap) for gap in found.gaps] == ["3 of 4 searches: the sweep has not come to its end"]


def test_what_could_not_be_searched_is_no_pass(place, plan):
    (unit,) = plan("a", modes=["eager"], seeds=[0])
    with Store(place) as store:
        sweep = store.begin("plan", 1, {})
        store.write(sweep, record(unit, error="Traceback\nInputError: there is no module"))
        (result,) = store.results(sweep)
        assert (result["verdict"], result["ok"]) == ("UNRESOLVED", False)
        assert store.counts(sweep) == {"tf28": (1, 1)}
        assert store.document()["ok"] is False
        found = results_of(store.document())
        assert (found.rows, found.ok) == ((), False)
        (gap,) = found.gaps
        assert str(gap) == "a in eager: could not be searched: InputError: there is no module"
        assert store.costs() == []  # and says nothing of what it costs


def test_a_lost_unit_is_a_crash(plan):
    (unit,) = plan("a", modes=["eager"], seeds=[0])
    lost = record_of_lost(unit, "every worker died")
    assert (lost["verdict"], lost["ok"]) == ("CRASH", False)


def test_costs_are_remembered(place, plan):
    units = plan("a", modes=["xla"], seeds=[0, 1])
    with Store(place) as store:
        sweep = store.begin("plan", 2, {})
        for unit, seconds in zip(units, (30.0, 2.0), strict=True):
            store.write(sweep, record(unit, seconds=seconds))
        assert sorted(store.costs()) == [
            ("tf28", "module:a", "", "xla", 100, False, 2.0),
            ("tf28", "module:a", "", "xla", 100, True, 30.0),
        ]


def test_postgresql_that_is_restarted(postgres, plan):
    units = plan("a", seeds=range(2))
    with Store(postgres.url) as store:
        sweep = store.begin("plan", len(units), {})
        store.write(sweep, record(units[0]))
        postgres.stop()
        starting = threading.Timer(1.0, postgres.start)
        starting.start()
        try:
            assert store.write(sweep, record(units[1])) is True
        finally:
            starting.join()
        assert store.done(sweep) == {units[0].key, units[1].key}


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("results.json", "store 'results.json' is neither a SQLite file .* nor a PostgreSQL URL"),
        ("mysql://host/db", "is neither"),
        (
            "postgresql://somebody:secret@127.0.0.1:1/db",
            r"postgresql://somebody@127\.0\.0\.1:1/db cannot be opened",
        ),
    ],
)
def test_bad_places(place, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if place.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=message) as caught:
        Store(place)
    assert "secret" not in str(caught.value)


def test_other_databases_and_missing_ones(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        Store(str(tmp_path / "none.db"), create=False)
    (tmp_path / "text.db").write_text("this is no database, whatever its name says" * 100)
    with pytest.raises(InputError, match="cannot be opened"):
        Store(str(tmp_path / "text.db"))
    import sqlite3

    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE things (a)")
    with pytest.raises(InputError, match="holds no sweeps of gradcheck"):
        Store(str(tmp_path / "other.db"), create=False)
    with Store(str(tmp_path / "empty.db")) as store, pytest.raises(InputError, match=r"holds no sweep$"):
        store.document()


DAMAGE = [
    ("UPDATE results SET document = X'ff00'", "b'.xff.x00' stands where a text should"),
    ("UPDATE results SET document = '[]'", r"a result: kind: None is not one of|a result: \[\] is not an object"),
    ("UPDATE results SET document = '{' || document", "a result: is not JSON"),
    ("UPDATE results SET document = replace(document, 'PASS', 'FINE')", "'FINE' is not one of"),
    ("UPDATE results SET mode = 'graph'", "another document than that of its search"),
    ("UPDATE results SET seconds = 'long'", "'long' stands where a number should"),
    ("UPDATE results SET seed = 1.5", "1.5 stands where a whole number should"),
    ("UPDATE sweeps SET total = 'many'", "'many' stands where a whole number should"),
    ("UPDATE sweeps SET settings = 'x'", "a sweep's settings: is not JSON"),
    ("UPDATE sweeps SET started = 9e999", "inf stands where a number should"),
    ("ALTER TABLE results DROP COLUMN worker", "no such column: worker"),
    ("DROP TABLE sweeps", "holds no sweeps of gradcheck"),
    (
        "DROP TABLE sweeps; CREATE VIEW sweeps AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n) "
        "SELECT id, id AS total, id AS settings, id AS started, id AS finished FROM n",
        "holds no sweeps of gradcheck",
    ),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE, ids=[said for _, said in DAMAGE])
def test_a_store_of_a_stranger_s(tmp_path, plan, damage, said):
    import sqlite3

    if "DROP COLUMN" in damage and sqlite3.sqlite_version_info < (3, 35):
        pytest.skip("this SQLite cannot take a column away")
    place = tmp_path / "results.db"
    with Store(str(place)) as store:
        store.write(store.begin("plan", 1, {}), record(plan("a", modes=["eager"])[0]))
    with contextlib.closing(sqlite3.connect(place)) as connection:
        connection.executescript(damage)
    with pytest.raises(InputError, match=said), Store(str(place), create=False) as store:
        store.document()


def test_a_store_without_a_name_would_be_lost():
    with pytest.raises(InputError, match="is no name of a file"):
        Store("sqlite:///")


def test_psycopg_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'tf-gradcheck\[postgresql\]'"):
        Store("postgresql://host/db")


def test_what_is_a_store():
    assert all(map(is_store, ["a.db", "a/b.sqlite3", "postgresql://h/d", "postgres://h/d", "sqlite:///a"]))
    assert not any(map(is_store, ["results.json", "db", "redis://h/0"]))


def test_reading_results_stays_light():
    """`gradcheck report` works where there is neither NumPy nor Hypothesis."""
    code = "import sys, gradcheck.results.reading; assert not {'numpy', 'hypothesis', 'tensorflow'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
