"""From one version to another: what breaks, what was refused and is wrong now, what is fixed; what can be chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradcheck.errors import InputError
from gradcheck.releases.names import short_version, version_key
from gradcheck.rendering.markdown import render_markdown
from gradcheck.rendering.upgrade import render_upgrade
from gradcheck.report import ModeResult
from gradcheck.results.effort import tried
from gradcheck.results.reading import results_of
from gradcheck.results.rows import Results
from gradcheck.results.upgrade import Outcome, Side, Upgrade, default_sides, find_side, outcome, sides
from gradcheck.verdicts import Verdict

from .documents import changing, document


def results(documents: list[dict[str, Any]]) -> Results:
    return Results.joined(results_of(json.loads(json.dumps(one))) for one in documents)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("PASS", "KINK", Outcome.RIGHT),
        ("PASS", "UNSUPPORTED", Outcome.BROKEN),
        ("KINK", "MISMATCH", Outcome.BROKEN),
        ("UNSUPPORTED", "DISCONNECTED", Outcome.EXPOSED),
        ("CRASH", "MISMATCH", Outcome.EXPOSED),
        ("ERROR", "PADDING_LEAK", Outcome.EXPOSED),
        ("CRASH", "UNSUPPORTED", Outcome.STILL),
        ("MISMATCH", "ERROR", Outcome.STILL),
        ("MISMATCH", "NONFINITE", Outcome.STILL),
        ("UNSUPPORTED", "PASS", Outcome.FIXED),
        ("UNRESOLVED", "MISMATCH", Outcome.UNDECIDED),
    ],
)
def test_what_becomes_of_a_mode(before: str, after: str, what: Outcome) -> None:
    assert outcome(Verdict[before], Verdict[after]) is what
    assert outcome(None, Verdict[after]) is outcome(Verdict[before], None) is Outcome.MISSING


def test_an_upgrade_in_the_terminal_and_as_markdown() -> None:
    found = results(changing())
    chosen = default_sides(sides(found))
    assert chosen is not None
    text = render_upgrade(Upgrade.between(*chosen))
    assert text.isascii()
    assert text.splitlines() == [
        "Upgrade from TensorFlow 2.8.4 to 2.15.1:",
        "  1 that works on 2.8.4 is broken on 2.15.1; 2 were refused before, now run and are wrong; 14 stay",
        "  right (counted by subject and mode). 5 of 6 subjects can be compared.",
        "  Newly broken: 1",
        "    breaks, xla: PASS -> MISMATCH",
        "  Refused before, now runs and is wrong: 2",
        "    loops/cut_rows, xla: CRASH -> MISMATCH",
        "    loops/stacked, xla: UNSUPPORTED -> DISCONNECTED",
        "  Fixed: 1",
        "    fixed, graph: ERROR -> PASS",
        "  Broken in both: 1",
        "    loops/stacked, eager: ERROR",
        "  Undecided in one of them: 1",
        "    vague, eager: PASS -> UNRESOLVED",
        "  Not run on one of them: 4",
    ]
    lines = render_markdown(found, chosen).splitlines()
    assert "## Upgrade from TensorFlow 2.8.4 to 2.15.1" in lines
    assert "- `loops/stacked`, xla: UNSUPPORTED → DISCONNECTED" in lines


@pytest.mark.parametrize(("count", "named"), [(1, True), (40, False)])
def test_what_was_right_and_is_not_there_any_more_is_named_unless_it_is_a_gap(count: int, named: bool) -> None:
    both = [document(f"s{number}", version) for number in range(50) for version in ("2.8.4", "2.21.0")]
    chosen = default_sides(sides(results([*both, *[document(f"taken{number}", "2.8.4") for number in range(count)]])))
    assert chosen is not None
    upgrade = Upgrade.between(*chosen)
    assert ("    taken0, eager, graph, dynamic, xla: PASS -> not run" in render_upgrade(upgrade).splitlines()) is named
    back = Upgrade.between(*reversed(chosen))
    assert "taken0" not in render_upgrade(back)


def test_a_version_with_few_subjects_is_not_chosen_but_can_be() -> None:
    many = [document(f"s{number}", version) for number in range(6) for version in ("2.8.4", "2.10.1", "2.9.3")]
    partly = [document("s0", "2.7.4"), *many, document("s1", "2.22.0-dev20260905"), document("s1", "2.22.0")]
    found = sides(results(partly))
    assert [side.name for side in found] == ["2.7.4", "2.8.4", "2.9.3", "2.10.1", "2.22.0-dev20260905", "2.22.0"]
    chosen = default_sides(found)
    assert chosen is not None
    assert [side.name for side in chosen] == ["2.8.4", "2.10.1"]
    upgrade = Upgrade.between(chosen[0], find_side(found, "2.22-dev", "--to"))
    assert upgrade.sentence == (
        "Only 1 of 6 subjects can be compared. Nothing that works on 2.8.4 is broken on 2.22.0-dev20260905; 4 stay "
        "right (counted by subject and mode)."
    )
    assert find_side(found, "2.22", "--to").name == "2.22.0"
    with pytest.raises(InputError, match=r"--to 2.1: there are no results of it; there are those of 2.7.4, 2.8.4"):
        find_side(found, "2.1", "--to")
    assert default_sides(sides(results([document("s", "2.8.4")]))) is None


def test_with_tf_keras_the_subjects_of_keras_2_are_compared() -> None:
    found = sides(
        results(
            [
                document("gru", "2.8.4"),
                document("gru", "2.21.0"),
                document("gru (tf_keras)", "2.21.0", xla="MISMATCH"),
            ]
        )
    )
    assert [side.name for side in found] == ["2.8.4", "2.21.0", "2.21.0 + tf_keras"]
    for text, broken in (("2.21", 0), ("2.21+tf_keras", 1), ("2.21.0 + tf_keras", 1)):
        upgrade = Upgrade.between(found[0], find_side(found, text, "--to"))
        assert (upgrade.compared, upgrade.subjects, upgrade.count(Outcome.BROKEN)) == (1, 1, broken)
    with pytest.raises(InputError, match=r"there are those of 2.8.4, 2.21.0, 2.21.0\+tf_keras"):
        find_side(found, "2.8+tf_keras", "--from")


def test_versions_in_their_order_and_in_short() -> None:
    ordered = [
        "",
        "2.8.4",
        "2.10.1",
        "2.21.0-dev20260101",
        "2.21.0-rc0",
        "2.21.0rc1",
        "2.21.0",
        "2.21.1",
        "2.22.0.dev7",
    ]
    assert sorted(ordered, key=version_key) == ordered
    assert [short_version(version) for version in ordered] == [
        *("?", "2.8", "2.10", "2.21-dev", "2.21-rc0", "2.21-rc1", "2.21", "2.21", "2.22-dev"),
    ]


def test_what_right_rests_on() -> None:
    assert tried(Results()) == ""
    searched = document("s", "2.8.4", xla="UNSUPPORTED")
    for mode, examples in (("eager", 25), ("graph", 4), ("dynamic", 4), ("xla", 1)):
        searched["modes"][mode]["examples"] = examples
    assert tried(results([searched])) == (
        "Each passing cell checked 4 to 25 batches. Detection limit: an error of 1e-09 of the gradient's size."
    )
    limited = document("t", "2.8.4")
    del limited["kind"]  # of one check, which is one batch
    limited["modes"]["xla"]["resolution"] = 0.0702
    collection = {"schema": 1, "kind": "variants", "versions": {}, "max_examples": 12, "results": [limited]}
    assert tried(results([searched, collection])) == (
        "Each passing cell checked 4 to 25 batches, where the files give only the limit on up to 12. Detection limit: "
        "an error of 1e-09 of the gradient's size (median), 0.08 (worst)."
    )
    old = {"schema": 1, "kind": "merged", "results": [limited]}
    for result in limited["modes"].values():
        del result["resolution"]
    assert tried(results([old])) == ""


def test_results_of_several_builds_are_said_to_be_so() -> None:
    def measured(version: str, build: str) -> dict[str, Any]:
        return {"schema": 1, "kind": "zoo", "versions": {}, "build": build, "results": [document("s", version)]}

    one, other, unknown = (measured(*pair) for pair in (("2.8.4", "0.1.0+a"), ("2.15.1", "0.1.0+b"), ("2.21.0", "")))
    assert "build" not in tried(results([one, measured("2.9.3", "0.1.0+a")]))
    assert "build" not in tried(results([unknown]))  # files from before results said it
    told = tried(merged := results([one, other, unknown]))
    assert "(0.1.0+a: 2.8.4; 0.1.0+b: 2.15.1; not known: 2.21.0)" in told
    assert tried(results([merged.to_dict()])) == told


def test_of_what_works_nothing_may_be_known() -> None:
    found = sides(results([document("s", "2.8.4"), *(document("t", v, xla="ERROR") for v in ("2.8.4", "2.9.3"))]))
    failing = {"xla": found[0].results["t"]["xla"]}
    known = Upgrade.between(Side("2.8.4", False, {"t": failing}), found[1])
    assert known.sentence == "Nothing of what was compared works on 2.8.4 (counted by subject and mode)."
    passing = {"graph": ModeResult("graph", Verdict.PASS)}
    known = Upgrade.between(Side("2.8.4", False, {"t": {**failing, **passing}}), Side("2.9.3", False, {"t": failing}))
    assert known.sentence == "Nothing is known on 2.9.3 of what works on 2.8.4 (counted by subject and mode)."
