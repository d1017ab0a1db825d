"""``gradcheck sweep``: what it refuses, and a small real one, seen again by ``gradcheck report``."""

from __future__ import annotations

import json
import sys

import pytest

from gradcheck import InputError
from gradcheck.results.reading import read_results


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "x"], "'x' is none of N (seeds 0 to N-1), A:B (A to B-1) and A,B,C (those)"),
        (["--seeds", "5:5"], "'5:5' leaves no seed"),
        (["--seeds", "1000000000000"], "'1000000000000' is 1000000000000 seeds; 100000 are the most"),
        (["--seeds", "9" * 5000], "… is none of N (seeds 0 to N-1)"),
        (["--seeds", "0:1" + "0" * 30], "each of 18 digits at most"),
        (["--seeds", "٣"], "'٣' is none of N"),
        (["--memory", "nan"], "nan is beyond 1e+09; leave the option out"),
        (["--memory", "1e308"], "1e+308 is beyond 1e+09"),
        (["--batch-seconds", "inf"], "inf is beyond 1e+09"),
        (["--workers", "9" * 30], "is not in the range 1<=x<=1024"),
        (["--python", "/bin/true"], "--python /bin/true: it is no Python, for asked about its TensorFlow it said ''"),
        (["--dtypes", "int32"], "'int32' is not one of float16"),
        (["--versions", "tf28"], "--versions chooses among the workers of a cluster"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--workers is about this machine"),
        (["--store", "results.json"], "is neither a SQLite file"),
        (["--strategy", "m:s", "--features", "2"], "--features belongs to the built-in strategy"),
    ],
)
def test_bad_input(run, arguments, message):
    result = run("sweep", "layers:right", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_dask_that_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run("sweep", "layers:right", "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "pip install 'tf-gradcheck[distributed]'" in " ".join(result.stderr.split())


def test_every_interpreter_has_a_worker_whatever_was_asked_for(run, monkeypatch):
    from gradcheck.sweep import local
    from gradcheck.sweep import run as sweeping

    def begin(units, store, *, on_begin, **arguments):
        on_begin("a sweep", 0)
        raise InputError("that is enough")

    monkeypatch.setattr(local, "interpreters", lambda pythons: {python.upper(): python for python in pythons})
    monkeypatch.setattr(sweeping, "sweep", begin)
    arguments = ("sweep", "layers:right", "--python", "a", "--python", "b", "--modes", "eager", "--store", "kept.db")
    few = run(*arguments, "--workers", "1").stderr
    assert "2 searches under A, B on 2 workers, one for each interpreter\n" in few
    assert "on 3 workers\n" in run(*arguments, "--workers", "3").stderr
    assert "each gets one at least" in " ".join(run("sweep", "--help").stdout.split())


def test_a_real_sweep(run, tmp_path):
    pytest.importorskip("tensorflow")
    (tmp_path / "swept.py").write_text(
        "import tensorflow as tf\n"
        "def wrong(values, lengths):\n"
        "    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)\n"
        "    return tf.reduce_sum(tf.stop_gradient(values) * mask[..., tf.newaxis], axis=1)\n"
    )
    arguments = ("--modes", "eager", "--examples", "5", "--seeds", "2", "--features", "1", "--workers", "1")
    result = run("sweep", "swept.py:wrong", *arguments, "--json", "out.json", "--database", "examples")
    assert result.exit_code == 1, result.output + result.stderr
    assert "DISCONNECTED !" in result.stdout
    assert "2 of 2 searches done; kept in gradcheck-sweeps.db" in result.stdout
    assert "2 searches under tf2" in result.stderr
    assert list((tmp_path / "examples").iterdir())
    (row,) = read_results(tmp_path / "out.json").rows
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["results"][0]["modes"]["eager"]["case"]["subject"] == "swept:wrong"
    shown = run("report", "gradcheck-sweeps.db", "--html", "report.html")
    assert shown.exit_code == 1
    assert "wrong, eager" in shown.stdout
    assert row.subject in (tmp_path / "report.html").read_text()
