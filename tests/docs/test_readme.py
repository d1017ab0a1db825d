"""What the README shows is what happens: its example is run and its output compared, its commands are the real ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcheck
from gradcheck import Verdict

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_prints_what_the_readme_shows(tmp_path):
    import tensorflow as tf

    script = tmp_path / "example.py"
    script.write_text(blocks("python")[0], encoding="utf-8")
    shown = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    wanted = blocks("text")[0]
    if not tf.__version__.startswith("2.8."):
        # Elsewhere kernels round differently, and other examples may stand at a corner: the finding is the same.
        wanted, shown = (text[text.index("xla: NONFINITE") : text.index("checked with")] for text in (wanted, shown))

    def normal(text):
        text = re.sub(r"checked with .*", "checked with …", text)
        return re.sub(r"would have been seen: \S+", "would have been seen: …", text).strip()

    assert normal(shown) == normal(wanted)


def test_the_test_of_the_readme_passes(tmp_path):
    test = tmp_path / "test_mine.py"
    subject = (
        "import tensorflow as tf\n\n\ndef masked_mean(values, lengths):\n"
        "    mask = tf.sequence_mask(lengths, tf.shape(values)[1], values.dtype)[..., tf.newaxis]\n"
        "    return tf.reduce_sum(values * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1)\n\n\n"
    )
    test.write_text(subject + blocks("python")[2], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 subject passed in every mode" in done.stdout, done.stdout


def test_the_suite_of_the_readme_is_four_tests(tmp_path):
    test = tmp_path / "test_mine.py"
    test.write_text("class MaskedPooling: ...\n" + blocks("python")[1], encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", str(test)]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout
    assert re.findall(r"test_pooling\[(\w+)\]", shown) == list(gradcheck.MODES)


@pytest.mark.parametrize("verdict", Verdict, ids=str)
def test_every_verdict_is_explained(verdict):
    (row,) = re.findall(rf"^\| `{verdict.value}` \|.*\| (.*) \|$", README, re.MULTILINE)
    assert row.startswith("yes") == verdict.fails


def test_names_in_the_readme_exist():
    for name in re.findall(r"`gradcheck\.(\w+)[(`]", README):
        assert hasattr(gradcheck, name), name
    for path in re.findall(r"\]\((docs/[\w.-]+)\)", README):
        assert (ROOT / path).exists(), path
