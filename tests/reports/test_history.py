"""What became of something over the versions, in words."""

from __future__ import annotations

import pytest

from gradcheck.report import ModeResult
from gradcheck.results.history import Trend, histories
from gradcheck.results.rows import Results, Row
from gradcheck.verdicts import Verdict

VERSIONS = ("2.8.4", "2.9.3", "2.10.1", "2.15.1", "2.21.0")


def rows(line: str, mode: str = "xla") -> list[Row]:
    """``"M.-?E"``: one letter a version; ``.`` passes, ``-`` did not run."""
    letters = {".": "PASS", "M": "MISMATCH", "E": "ERROR", "?": "UNRESOLVED", "K": "KINK"}
    return [
        Row("gru", version, {mode: ModeResult(mode, Verdict[letters[letter]])})
        for version, letter in zip(VERSIONS, line, strict=True)
        if letter != "-"
    ]


@pytest.mark.parametrize(
    ("line", "trend", "sentence"),
    [
        (".....", Trend.SOUND, "PASS in all of 2.8.4 … 2.21.0"),
        ("MMMMM", Trend.BROKEN, "MISMATCH in all of 2.8.4 … 2.21.0"),
        ("--M--", Trend.BROKEN, "MISMATCH in 2.10.1"),
        ("MM...", Trend.FIXED, "MISMATCH up to 2.9.3, fixed in 2.10.1"),
        ("...EE", Trend.BROKE, "right up to 2.10.1, broken since 2.15.1 or earlier (ERROR)"),
        (".M...", Trend.UNSTABLE, "right up to 2.8.4, MISMATCH in 2.9.3, fixed in 2.10.1"),
        (".MM..", Trend.UNSTABLE, "right up to 2.8.4, MISMATCH from 2.9.3 to 2.10.1, fixed in 2.15.1 or earlier"),
        ("M..E.", Trend.UNSTABLE, "MISMATCH up to 2.8.4, fixed in 2.9.3, ERROR in 2.15.1, fixed in 2.21.0 or earlier"),
        ("M...E", Trend.UNSTABLE, "MISMATCH up to 2.8.4, fixed in 2.9.3, broken again since 2.21.0 or earlier (ERROR)"),
        ("EEMMM", Trend.BROKEN, "ERROR up to 2.9.3, runs and is wrong since 2.10.1 (MISMATCH)"),
        (
            "EEMME",
            Trend.BROKEN,
            "ERROR up to 2.9.3, runs and is wrong from 2.10.1 to 2.15.1 (MISMATCH), ERROR since 2.21.0 or earlier",
        ),
        ("M-.-.", Trend.FIXED, "MISMATCH up to 2.8.4, fixed in 2.10.1 or earlier"),
        ("..???", Trend.SOUND, "right up to 2.9.3, UNRESOLVED since 2.10.1"),
        ("MM???", Trend.FIXED, "MISMATCH up to 2.9.3, undecided since 2.10.1"),
        ("MMKKK", Trend.FIXED, "MISMATCH up to 2.9.3, fixed in 2.10.1 (KINK)"),
    ],
)
def test_in_words(line: str, trend: Trend, sentence: str) -> None:
    (history,) = histories(Results.of(rows(line)))
    assert (history.trend, history.sentence) == (trend, sentence)
    assert history.changed == (len(set(line) - {"-"}) > 1)
    assert history.exposed == ("EM" in line)


def test_modes_that_fare_alike_share_a_history() -> None:
    told = histories(Results.of([*rows("MM...", "xla"), *rows("MM...", "graph"), *rows(".....", "eager")]))
    assert [history.modes for history in told] == [("eager",), ("graph", "xla")]


def test_an_expected_failure_is_a_failure_all_the_same() -> None:
    failed = ModeResult("xla", Verdict.UNSUPPORTED, expected=(Verdict.UNSUPPORTED,))
    passed = ModeResult("xla", Verdict.PASS)
    told = histories(Results.of([Row("gru", "2.8.4", {"xla": failed}), Row("gru", "2.9.3", {"xla": passed})]))
    assert [history.trend for history in told] == [Trend.FIXED]


def test_versions_are_in_order_of_release() -> None:
    told = histories(Results.of(reversed(rows("MM..."))))
    assert list(told[0].results) == list(VERSIONS)
