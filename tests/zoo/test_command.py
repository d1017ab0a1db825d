"""``gradcheck zoo`` as one sees it: the listing, and the text of a run."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from gradcheck.cli import main
from gradcheck.cli.zoo import _text
from gradcheck.report import ModeResult
from gradcheck.verdicts import Verdict
from gradcheck.zoo.catalog import catalog
from gradcheck.zoo.known import KNOWN
from gradcheck.zoo.replays import Replay
from gradcheck.zoo.run import ZooCell, ZooResult
from gradcheck.zoo.scripts import run_in_worker

VERSIONS = {"python": "3.10.1", "tensorflow": "2.8.4", "keras": "2.8.0", "numpy": "1.23.5"}
BY_NAME = {exhibit.name: exhibit for exhibit in catalog()}
CUMPROD = next(known for known in KNOWN if known.key == "cumprod_at_zero")


def cell(name: str, verdict: Verdict, known=(), arguments: str = "") -> ZooCell:
    expected = (Verdict.DISCONNECTED,) if known else ()
    result = ModeResult("eager", verdict, "it is so" if verdict.fails else "", expected=expected)
    return ZooCell(BY_NAME[name], result, tuple(known), 4, arguments)


def test_the_listing_has_every_subject() -> None:
    done = CliRunner().invoke(main, ["zoo", "--list"])
    assert done.exit_code == 0
    assert f"{len(catalog())} subjects" in done.output
    for exhibit in catalog():
        assert f"  {exhibit.name}:" in done.output


def test_the_text_says_what_is_known_what_is_new_and_what_was_not_met() -> None:
    cells = (
        cell("indexing/roll", Verdict.PASS),
        cell("ordering/cumprod", Verdict.DISCONNECTED, [CUMPROD], "np.zeros((1, 1))"),
        cell("ordering/sort", Verdict.MISMATCH, arguments="np.ones(3)"),
        cell("ordering/norm", Verdict.PASS, [CUMPROD]),
    )
    replays = (
        Replay(
            "indexing/roll", "xla", "2.9.3", Verdict.CRASH, Verdict.PASS, "", "gone", Path("indexing-roll-xla.json")
        ),
    )
    text = _text(ZooResult(cells=cells, versions=VERSIONS, max_examples=4, seconds=1.5), replays)
    for part in (
        "The zoo: 4 subjects (python 3.10.1, tensorflow 2.8.4, keras 2.8.0, numpy 1.23.5)",
        "Known on this TensorFlow:\n  tf.math.cumprod has a gradient of 0 at an input that is 0 (TensorFlow).",
        "smallest batch (ordering/cumprod in eager):\n      np.zeros((1, 1))",
        "Known, and not met in 4 batches: ordering/norm in eager",
        "Failing cases of other versions, here:\n  indexing/roll in mode xla: CRASH on 2.9.3, here PASS",
        "New, or gone:\n\nordering/sort in mode eager: MISMATCH\n    it is so\n    smallest batch: np.ones(3)",
        "1 of 4 verdicts not as known on TensorFlow 2.8.4 with Keras 2.8.0, 2 s",
    ):
        assert part in text


class _Channel:
    def begin(self, example) -> None:
        self.example = example


def test_a_script_says_by_its_exit_whether_the_failure_shows(tmp_path: Path) -> None:
    for status, outcome in ((0, "shows"), (1, "does not show")):
        script = tmp_path / f"{status}.py"
        script.write_text(f"print('seen')\nraise SystemExit({status})\n")
        channel = _Channel()
        assert run_in_worker({"path": str(script)}, channel) == {"outcome": outcome, "output": "seen"}
        assert channel.example == {"mode": "", "code": str(script)}
