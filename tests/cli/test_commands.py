"""What holds for every command, and the commands that need TensorFlow, run as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from gradcheck.cli import main
from gradcheck.cli.exits import EPILOG


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``command("doctor", NAME="value")``: the command line in a process, and an environment, of its own."""

    def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gradcheck", *arguments],
            cwd=tmp_path,  # `python -m` looks there first: not into the checkout, where an installation is tested
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )

    return run_command


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_json_and_a_help_text(run, name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "--json FILE" in result.output
    assert len(result.output.splitlines()) > 5


def test_no_line_of_the_list_of_commands_is_cut(run) -> None:
    listed = run("--help").output.partition("Commands:")[2].partition("Exit status")[0]
    assert "..." not in listed
    for name in main.commands:
        assert any(line.split()[:1] == [name] and line.endswith(".") for line in listed.splitlines()), name


@pytest.mark.parametrize(("tried", "meant"), [("check", "search"), ("serch", "search"), ("variant", "variants")])
def test_a_command_that_is_not_there_suggests_one(run, tried: str, meant: str) -> None:
    result = run(tried, "module:subject")
    assert result.exit_code == 2
    assert f"No such command {tried!r}. Did you mean {meant!r}?" in result.output


def test_bfloat16_can_be_drawn(run) -> None:
    assert "bfloat16" in run("search", "--help").output


def test_exit_statuses_are_documented(run) -> None:
    output = run("--help").output
    for line in EPILOG.splitlines():
        assert line.replace("\b", "").strip() in output


def test_modes_are_completed_one_at_a_time() -> None:
    option = next(p for p in main.commands["variants"].params if p.name == "modes")
    context = click.Context(main.commands["variants"])
    assert [item.value for item in option.shell_complete(context, "xla,e")] == ["xla,eager"]
    assert [item.value for item in option.shell_complete(context, "g")] == ["graph"]
    assert [item.value for item in option.shell_complete(context, "xla,x")] == []


def test_help_imports_neither_tensorflow_nor_numpy(tmp_path: Path) -> None:
    script = (
        "import sys; from gradcheck.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('tensorflow', 'numpy', 'hypothesis') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_doctor_without_tensorflow_says_how_to_get_it(command, tmp_path: Path) -> None:
    # A finder in front of all others, as if the package were not there.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'tensorflow': raise ModuleNotFoundError('not here', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = command("doctor", PYTHONPATH=path)
    assert done.returncode == 3
    assert "pip install 'tf-gradcheck[tensorflow]'" in done.stdout


def test_doctor(command, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    done = command("doctor", "--json", str(tmp_path / "d.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "d.json").read_text())
    assert found["modes"] == dict.fromkeys(("eager", "graph", "dynamic", "xla"), "works")
    assert f"TensorFlow   {found['tensorflow']}" in done.stdout
    for problem in found["known_problems"]:
        assert problem["what"] in done.stdout


def test_doctor_lists_operations(command) -> None:
    pytest.importorskip("tensorflow")
    done = command("doctor", "--operations", "--json", "-")
    assert done.returncode == 0, done.stderr
    found = {item["op"]: item for item in json.loads(done.stdout)["operations"]}
    assert found["Cholesky"]["how"] == "rule"
    assert found["Reshape"]["how"] == "linear"
    assert found["EagerPyFunc"]["how"] == "measured"
    assert "measured" in done.stderr
    assert "a function in Python" in done.stderr


def test_search_for_real(command, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "subjects.py").write_text(
        "import tensorflow as tf\n"
        "def unmasked_mean(values, lengths):\n"
        "    count = tf.cast(tf.maximum(lengths, 1), values.dtype)\n"
        "    return tf.reduce_sum(values, axis=1) / count[:, None]\n"
    )
    done = command(
        *["search", f"{tmp_path}/subjects.py:unmasked_mean", "--modes=eager,graph", "--seed=1"],
        *["--max-examples=20", "--json", str(tmp_path / "r.json"), "--scripts", str(tmp_path)],
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "unmasked_mean: PADDING_LEAK in eager, graph" in done.stdout
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["results"][0]["modes"]["graph"]["verdict"] == "PADDING_LEAK"
    script = subprocess.run([sys.executable, str(tmp_path / "unmasked_mean-graph.py")], capture_output=True, text=True)
    assert script.returncode == 1, script.stdout + script.stderr
    assert "FAILURE REPRODUCED" in script.stdout


def test_variants_for_real(command, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    out = tmp_path / "v.json"
    options = ["--only", "map_fn_range/pooling", "--modes=eager", "--max-examples=12", "--no-claims"]
    done = command("variants", *options, "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(out.read_text())["kind"] == "variants"
    assert "What the verdicts mean:" in done.stdout
    assert "smallest batch (map_fn_range/pooling in eager):" in done.stdout
    batch = done.stdout.split("smallest batch")[1]
    assert "lengths=np.array([0, 1], dtype=np.int32)" in batch
    assert "cannot be stacked" in batch


def test_variants_only_nothing(command) -> None:
    pytest.importorskip("tensorflow")
    done = command("variants", "--only", "no such variant")
    assert done.returncode == 2
    assert "no variant has 'no such variant' in its name" in done.stderr
