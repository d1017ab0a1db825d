"""What a user reads in the terminal, kept as text files, and the properties that every such text must have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from gradcheck.records.reasons import Reason
from gradcheck.rendering import render_matrix, render_report, render_search
from gradcheck.rendering.hints import HINTS, hint
from gradcheck.report import Entry, ModeResult, Report
from gradcheck.support.number_text import number, pair, times
from gradcheck.verdicts import Verdict

Snapshot = Callable[[str, str], None]

ENTRY = Entry(
    output="output[row 1, time 2, feature 0]",
    input="values[row 0, time 3, feature 1]",
    theoretical=1.001,
    numerical=1.0,
    bound=2.1e-10,
    index=(4, 7),
    reference=(1.001, 1.00000000012),
)
BATCH = """Batch(
    values=np.array([[[0.5, 1.0], [0.0, 0.0]]]),
    lengths=np.array([1], np.int32),
    padding=Padding(side='post', extra=1, fill=0.0),
)"""
VERSIONS = {"python": "3.10.13", "tensorflow": "2.8.4", "keras": "2.8.0", "numpy": "1.23.5"}
MODES = ("eager", "graph", "dynamic", "xla")


def results(**given: ModeResult) -> dict[str, ModeResult]:
    """The modes in order; a pass where nothing is said."""
    passed = {mode: ModeResult(mode, Verdict.PASS, resolution=3e-10, engine="compiled") for mode in MODES}
    return {mode: given.get(mode, result) for mode, result in passed.items()}


def report(modes: Mapping[str, ModeResult], subject: str = "masked_mean") -> Report:
    failing = {mode: "script" for mode, result in modes.items() if not result.ok}
    return Report(subject, modes, BATCH, VERSIONS, "all", failing)


def one(mode: str, verdict: Verdict, cause: str = "", entry: Entry | None = None, **more: object) -> Report:
    return report(results(**{mode: ModeResult(mode, verdict, cause, entry, **more)}))  # type: ignore[arg-type]


MISMATCH = ModeResult(
    "graph", Verdict.MISMATCH, "the gradient is 1.001 times too large (3 of 48 entries)", ENTRY, resolution=3e-10
)
REPORTS: dict[str, Report] = {
    "pass": report(results()),
    "mismatch": report(results(graph=MISMATCH, xla=replace(MISMATCH, mode="xla"))),
    "mismatch_of_two_kinds": report(
        results(
            graph=MISMATCH,
            xla=replace(
                MISMATCH, mode="xla", cause="the sign is wrong", entry=replace(ENTRY, theoretical=-1.0, reference=None)
            ),
        )
    ),
    "disconnected": one(
        "eager",
        Verdict.DISCONNECTED,
        "the gradient w.r.t. values is None, yet moving it moves the output: the path is cut",
        replace(ENTRY, theoretical=None, reference=(0.0, 1.0)),
    ),
    "nonfinite": one(
        "xla",
        Verdict.NONFINITE,
        "the gradient is nan although output and inputs are finite (2 of 6 entries)",
        replace(ENTRY, theoretical=math.nan, numerical=None, bound=None, reference=None),
    ),
    "disagreement": one(
        "xla",
        Verdict.DISAGREEMENT,
        "output[row 0] is 0.333333333 here and 0.5 in eager mode; rounding explains 2e-15 (2 of 2 outputs differ)",
        Entry("output[row 0]", "", 1 / 3, 0.5, 2e-15),
    ),
    "padding_leak": one(
        "eager",
        Verdict.PADDING_LEAK,
        "the padding was filled with 7 instead of 0, and output[row 0] went from 0.5 to 4",
        changed="the padding was filled with 7 instead of 0",
    ),
    "nondeterministic": one(
        "graph", Verdict.NONDETERMINISTIC, "the same call twice gives two different results in the output"
    ),
    "error": one(
        "dynamic",
        Verdict.ERROR,
        "elements of different shapes, [2] and [3], cannot be stacked into one tensor (layer.py:9, in ranges)",
        detail="InvalidArgumentError ...",
    ),
    "crash": one("xla", Verdict.CRASH, "the process was killed by signal 6 (SIGABRT)"),
    "unsupported": one(
        "xla",
        Verdict.UNSUPPORTED,
        "XLA cannot compile the operation RaggedRange (layer.py:18, in ranges)",
        detail="InvalidArgumentError ...",
    ),
    "unsupported_expected": one(
        "xla", Verdict.UNSUPPORTED, "XLA cannot compile the operation RaggedRange", expected=(Verdict.UNSUPPORTED,)
    ),
    "expected_and_gone": one("xla", Verdict.PASS, expected=(Verdict.UNSUPPORTED, Verdict.ERROR)),
    "expected_another": one("xla", Verdict.ERROR, "it raises", expected=(Verdict.UNSUPPORTED,)),
    "kink": one(
        "graph",
        Verdict.KINK,
        "output[row 0] has a corner in values[row 0] at this point",
        replace(ENTRY, theoretical=0.0, numerical=0.5, left=0.0, right=1.0, reference=None),
    ),
    "unresolved": one(
        "eager", Verdict.UNRESOLVED, "the slope could not be measured well enough (1 of 4 entries)", resolution=0.2
    ),
    "notes": report(
        results(
            eager=ModeResult(
                "eager", Verdict.PASS, resolution=1e-6, notes=("no gradient at all for scale, and none is due",)
            )
        )
    ),
    "everything_fails": report({mode: replace(MISMATCH, mode=mode) for mode in MODES}),
    "nothing_ran": Report("masked_mean", {}),
}


@pytest.mark.parametrize("name", REPORTS)
def test_reports_read_as_kept(name: str, snapshot: Snapshot) -> None:
    snapshot(f"report-{name}", render_report(REPORTS[name]))


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_short_and_fit_the_terminal(name: str) -> None:
    lines = render_report(REPORTS[name]).splitlines()
    assert max(map(len, lines)) <= 100
    failing = len([result for result in REPORTS[name].modes.values() if not result.ok])
    assert len(lines) <= (6 if not failing else 36), len(lines)
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("name", [name for name, made in REPORTS.items() if not made.ok])
def test_a_failing_report_says_what_where_and_what_to_do(name: str) -> None:
    made = REPORTS[name]
    flowing = " ".join(render_report(made).split())
    for result in made.failures:
        assert result.verdict.value in flowing
        assert result.mode in flowing
        assert " ".join(result.cause.split()) in flowing
        assert " ".join(result.verdict.meaning.split()) in flowing
        if result.verdict.fails:
            assert "What to do: " in flowing
            assert f'report.scripts["{made.failures[0].mode}"]' in flowing or "report.scripts[" in flowing
        if result.detail:
            assert f'report["{result.mode}"].detail' in flowing
    assert "lengths=np.array([1], np.int32)" in flowing


def test_a_report_is_what_str_and_the_exception_give() -> None:
    from gradcheck import GradientError

    made = REPORTS["mismatch"]
    assert str(made) == render_report(made)
    assert str(GradientError(made)) == render_report(made)


def test_modes_that_fail_alike_share_a_section() -> None:
    assert render_report(REPORTS["everything_fails"]).count("Worst entry") == 1
    assert "eager, graph, dynamic, xla: MISMATCH" in render_report(REPORTS["everything_fails"])
    # Rounding is no difference; a sign is.
    near = report(
        results(graph=MISMATCH, xla=replace(MISMATCH, mode="xla", entry=replace(ENTRY, theoretical=1.001 + 1e-12)))
    )
    assert render_report(near).count("Worst entry") == 1
    assert render_report(REPORTS["mismatch_of_two_kinds"]).count("Worst entry") == 2


def test_numbers_in_the_cause_do_not_part_modes_but_lines_of_code_do() -> None:
    counts = replace(MISMATCH, mode="xla", cause=MISMATCH.cause.replace("3 of 48", "1 of 2"))
    assert "graph, xla: MISMATCH" in render_report(report(results(graph=MISMATCH, xla=counts)))
    raised = ModeResult("graph", Verdict.ERROR, "ValueError: no (layer.py:9, in f)")
    elsewhere = replace(raised, mode="xla", cause="ValueError: no (layer.py:30, in f)")
    text = render_report(report(results(graph=raised, xla=elsewhere)))
    assert "layer.py:9" in text
    assert "layer.py:30" in text


def test_a_long_call_gets_a_line_for_each_argument() -> None:
    from gradcheck.rendering.layout import broken

    code = "Batch(values=np.array([[" + "0.5, " * 30 + "1.0]]), lengths=np.array([1], dtype=np.int32))"
    lines = broken(code).splitlines()
    assert lines[0] == "Batch("
    assert lines[2:] == ["    lengths=np.array([1], dtype=np.int32),", ")"]
    assert broken("x" * 300) == "x" * 300
    assert broken("f(1)") == "f(1)"


def test_a_long_batch_is_cut_and_says_where_the_rest_is() -> None:
    made = replace(REPORTS["mismatch"], arguments="\n".join(f"line {i}" for i in range(50)))
    text = render_report(made)
    assert "line 12\n" in text
    assert "line 13" not in text
    assert "... 37 more lines: print(report.arguments)" in text


def test_every_verdict_has_a_hint_and_a_meaning() -> None:
    assert set(HINTS) == set(Verdict)
    assert all(verdict.meaning for verdict in Verdict)


# What a reason adds to the verdict's own advice: words of the advice, by reason.
ADVICE = [
    (Verdict.ERROR, Reason.RAISED, "rows of length 0"),
    (Verdict.ERROR, Reason.GRADIENT_SHAPE, "input's shape"),
    (Verdict.ERROR, Reason.GRADIENT_DTYPE, "input's dtype"),
    (Verdict.ERROR, Reason.GRADIENT_COUNT, "one gradient for each"),
    (Verdict.ERROR, Reason.NO_GRADIENT, "Use one that has a gradient"),
    (Verdict.ERROR, Reason.NO_KERNEL, "cannot do this on this device"),
    (Verdict.ERROR, Reason.SINGULAR, "has no inverse on this batch"),
    (Verdict.ERROR, Reason.FLOAT_DTYPES, "dtype=... of the"),
    (Verdict.ERROR, Reason.OTHER_DTYPES, "Cast one of the two"),
    (Verdict.ERROR, Reason.READ_TWICE, "clear_after_read=False"),
    (Verdict.ERROR, Reason.INDICES, "int32 indices"),
    (Verdict.DISCONNECTED, Reason.PATH_CUT, "cuts the path"),
    (Verdict.DISCONNECTED, Reason.ZEROS_PASSED_BACK, "nothing in the code"),
    (Verdict.MISMATCH, Reason.ZERO_ENTRY, "other entries of the same input"),
    (Verdict.MISMATCH, Reason.NOT_LINEAR, 'expect={"xla": "MISMATCH"}'),
    (Verdict.MISMATCH, Reason.WRONG_ENTRY, "a mask that is applied in the forward"),
    (Verdict.MISMATCH, Reason.LOW_PRECISION, "few bits"),
    (Verdict.MISMATCH, Reason.COMPILED_ALONE, "jit_compile=True"),
    (Verdict.DISAGREEMENT, Reason.COMPILED_ALONE, "jit_compile=True"),
    (Verdict.DISAGREEMENT, Reason.EAGER_RAISES, "the error that eager mode raises"),
    (Verdict.DISAGREEMENT, Reason.SEEDED, "philox"),
    (Verdict.MISMATCH, Reason.TIE, "shared out among them"),
    (Verdict.MISMATCH, Reason.BUILT_ON, "what `build` or the first call keeps"),
    (Verdict.NONFINITE, Reason.OVERFLOW, "Take a number that the dtype holds"),
    (Verdict.NONFINITE, Reason.OUTPUT_NOT_FINITE, "divide_no_nan"),
    (Verdict.CRASH, Reason.DIED, "TensorFlow's fault"),
    (Verdict.CRASH, Reason.HUNG, "--batch-seconds"),
    (Verdict.CRASH, Reason.OUT_OF_MEMORY, "--memory"),
    (Verdict.NONDETERMINISTIC, Reason.DRAWN, "Fix the randomness"),
    (Verdict.NONDETERMINISTIC, Reason.STATE_KEPT, "Look for state"),
    (Verdict.UNSUPPORTED, Reason.FORWARD_RUNS, "If nobody trains it in this mode"),
]


@pytest.mark.parametrize(("verdict", "reason", "words"), ADVICE)
def test_the_advice_fits_the_reason(verdict: Verdict, reason: Reason, words: str) -> None:
    assert words in hint(verdict, "xla", "", [reason])


def test_without_a_reason_the_advice_is_the_verdict_s() -> None:
    """Files of older versions have none."""
    for verdict, words in HINTS.items():
        assert hint(verdict, "xla", "") == words.replace("MODE", "xla")
    assert hint(Verdict.ERROR, "xla", "", [Reason.OF_THE_CODE]) == ""


def test_each_failure_gets_the_advice_that_is_its_own() -> None:
    causes = {
        "eager": "ValueError: lengths must be sorted",
        "graph": "ValueError: lengths are not sorted",
        "xla": "Mul: arguments of different dtypes, float32 and float64",
    }
    modes = {mode: ModeResult(mode, Verdict.ERROR, cause) for mode, cause in causes.items()}
    modes["xla"] = replace(modes["xla"], reasons=(Reason.FLOAT_DTYPES,))
    text = render_report(report(modes))
    assert text.count("What to do") == 2
    assert text.count(Verdict.ERROR.meaning.split(",")[0]) == 1


def test_rendering_writes_no_script() -> None:
    """Extracting sources takes time; a text says how to get the script and does not need it."""

    class Lazy(Mapping[str, str]):
        def __getitem__(self, mode: str) -> str:
            raise AssertionError("a script was written")

        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(["graph", "xla"])

        def __len__(self) -> int:
            return 2

    made = replace(REPORTS["mismatch"], scripts=Lazy())
    assert 'report.scripts["graph"]' in render_report(made)
    assert 'result["graph"].script' in render_search(searched(made, dict.fromkeys(MODES, 3)))


# -- numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (1.001, 1.0, ("1.001", "1")),
        (1.0000000123, 1.0, ("1.000000012", "1")),
        (1.0, 1.0 + 2.0**-52, ("1", "1.0000000000000002")),
        (0.0, 1e-300, ("0", "1e-300")),
        (-2.0, 2.0, ("-2", "2")),
        (1.0, 1.0, ("1", "1")),
        (None, 0.25, ("none", "0.25")),
        (math.nan, math.inf, ("NaN", "Inf")),
        (123456.0, 123457.0, ("123456", "123457")),
        (1e6, 1e6 + 0.5, ("1000000", "1000000.5")),
    ],
)
def test_a_difference_is_never_rounded_away(first: float | None, second: float | None, shown: tuple[str, str]) -> None:
    assert pair(first, second) == shown


def test_two_different_numbers_never_look_alike() -> None:
    value = 0.1
    for exponent in range(1, 53):
        other = value * (1 + 2.0**-exponent)
        if other != value:
            first, second = pair(value, other)
            assert first != second, exponent


def test_numbers_are_short() -> None:
    assert [number(v) for v in (1e-12, 0.5, -0.0, 3.0, 12345.678, -math.inf)] == [
        "1e-12",
        "0.5",
        "0",
        "3",
        "1.235e+04",
        "-Inf",
    ]
    assert times(1.0, 0.0) == "and the two should be equal"
    assert times(3.0, 1.0) == "3 times the 1 that is allowed"
    assert times(1.0, 1e-9) == "far more than the 1e-09 that is allowed"


# -- matrix ---------------------------------------------------------------------------------------------------

MATRIX: dict[str, dict[str, Verdict | ModeResult]] = {
    "map_fn_range/pooling": {
        "eager": Verdict.ERROR,
        "graph": ModeResult("graph", Verdict.ERROR, expected=(Verdict.ERROR,)),
        "xla": ModeResult("xla", Verdict.PASS, expected=(Verdict.UNSUPPORTED,)),
    },
    "broadcast_range/attention": {mode: ModeResult(mode, Verdict.PASS) for mode in MODES},
    "kinked": {"eager": Verdict.KINK, "dynamic": Verdict.UNRESOLVED},
}


def test_matrix_reads_as_kept(snapshot: Snapshot) -> None:
    snapshot("matrix", render_matrix(MATRIX))


def test_matrix_fits_whatever_the_names_are() -> None:
    wide = {
        f"{'a_very_long_name_of_a_subject/' * 5}{i}": dict.fromkeys(MODES, Verdict.NONDETERMINISTIC) for i in range(3)
    }
    lines = render_matrix(wide).splitlines()
    assert max(map(len, lines)) <= 100
    names = "".join(line for line in lines[2:-1] if "NONDETERMINISTIC" not in line)
    assert names == "".join(wide)  # whole, and broken between words only
    assert all(line.endswith(("_", "/", "0", "1", "2")) for line in lines[2:-1] if "NONDETERMINISTIC" not in line)
    assert render_matrix({}) == ""


def test_matrix_columns_are_aligned() -> None:
    lines = render_matrix(MATRIX).splitlines()
    start = lines[0].index("xla")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines[2:5] if len(line) > start)


# -- search ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    verdict: Verdict
    ok: bool
    examples: int
    report: Report | None


@dataclass(frozen=True)
class Search:
    subject: str
    modes: Mapping[str, Outcome]


def searched(made: Report, examples: Mapping[str, int]) -> Search:
    outcomes = {
        mode: Outcome(result.verdict, result.ok, examples[mode], made if not result.ok else None)
        for mode, result in made.modes.items()
    }
    return Search(made.subject, outcomes)


SEARCHES = {
    "passed": searched(REPORTS["pass"], dict.fromkeys(MODES, 100)),
    "failed": searched(REPORTS["mismatch"], {"eager": 100, "dynamic": 100, "graph": 17, "xla": 17}),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_read_as_kept(name: str, snapshot: Snapshot) -> None:
    snapshot(f"search-{name}", render_search(SEARCHES[name]))


@pytest.mark.parametrize(("columns", "widest"), [("80", 76), ("30", 60), ("300", 100)])
def test_texts_are_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, widest: int) -> None:
    from gradcheck.rendering.layout import paragraph, text_width

    monkeypatch.setenv("COLUMNS", columns)
    assert text_width() == widest
    lines = paragraph("word " * 100)
    assert widest - 5 < max(map(len, lines)) <= widest
