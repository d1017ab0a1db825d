"""The journal: what was written whole counts once, whatever happened to the file."""

from __future__ import annotations

import pytest

from gradcheck.errors import InputError
from gradcheck.isolation import Journal, read_journal


def write(path, *keys):
    with Journal(path) as journal:
        for key in keys:
            journal.record(key, {"value": key.upper()})


def test_what_was_written_is_read_back(tmp_path):
    write(tmp_path / "new" / "run.journal", "a", "b")
    with Journal(tmp_path / "new" / "run.journal") as journal:
        assert list(journal) == ["a", "b"]
        assert (len(journal), "a" in journal, "c" in journal, journal["b"], journal.get("c")) == (
            *(2, True, False),
            *({"value": "B"}, None),
        )


def test_the_first_of_two_counts(tmp_path):
    path = tmp_path / "journal"
    with Journal(path) as journal:
        assert journal.record("a", {"n": 1}) is True
        assert journal.record("a", {"n": 2}) is False
    data = path.read_bytes()
    path.write_bytes(data + data.splitlines(keepends=True)[-1].replace(b'"n":1', b'"n":1'))
    assert read_journal(path) == {"a": {"n": 1}}


def test_torn_at_every_byte(tmp_path):
    """Whatever part of the last line is on disk, the lines before it count and the next run writes on."""
    path = tmp_path / "journal"
    write(path, "a")
    one = path.read_bytes()
    with Journal(path) as journal:
        journal.record("b", {"value": "B"})
    both = path.read_bytes()
    for length in range(len(both)):
        path.write_bytes(both[:length])
        with Journal(path) as journal:
            assert list(journal) == (["a"] if length >= len(one) else [])
            journal.record("c", {"value": "C"})
        assert list(read_journal(path)) == (["a", "c"] if length >= len(one) else ["c"])


def test_a_damaged_line_counts_as_not_written(tmp_path):
    path = tmp_path / "journal"
    write(path, "a", "b", "c")
    path.write_bytes(path.read_bytes().replace(b'"B"', b'"X"'))
    with Journal(path) as journal:
        assert list(journal) == ["a", "c"]
        assert journal.damaged == 1
        assert journal.record("b", {"value": "B"})
    assert set(read_journal(path)) == {"a", "b", "c"}


def test_two_runs_do_not_share_one(tmp_path):
    with Journal(tmp_path / "journal"), pytest.raises(InputError, match="in use by another run"):
        Journal(tmp_path / "journal")
    Journal(tmp_path / "journal").close()


@pytest.mark.parametrize("content", [b"# my notes\n", b"results", b'{"kind": "searches"}\n', b"\x00" * 40 + b"\n"])
def test_another_file_is_not_overwritten(tmp_path, content):
    path = tmp_path / "notes.md"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.md is no journal of gradcheck"):
        Journal(path)
    assert path.read_bytes() == content


def test_what_cannot_be_written_or_read(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        Journal(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_journal(tmp_path / "none")


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.record("a", {"n": 1})

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradcheck.isolation.journal.os.fsync", fail)
    with pytest.raises(OSError, match="cannot be written: No space left on device"):
        journal.record("b", {"n": 2})
    monkeypatch.undo()
    journal.record("c", {"n": 3})
    journal.close()
    assert list(read_journal(path)) == ["a", "c"]
