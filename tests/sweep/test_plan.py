"""What a sweep has to do, and how it is cut."""

from __future__ import annotations

import pytest

from gradcheck.errors import InputError
from gradcheck.sweep.cutting import Costs, cut
from gradcheck.sweep.plan import plan_digest, plan_units


def test_one_unit_for_each_of_everything(plan):
    units = plan("a", "b", versions=["tf28", "tf221"], seeds=range(3), dtypes=["float32", "float64"])
    assert len(units) == 2 * 2 * 2 * 3 * 2
    assert len({unit.key for unit in units}) == len(units)
    assert {unit.task.modes for unit in units} == {("eager",), ("xla",)}
    assert {unit.task.strategy["dtype"] for unit in units} == {"float32", "float64"}
    assert {unit.task.name for unit in units} == {"a", "b"}


def test_subjects_of_the_same_name_are_told_apart():
    units = plan_units(["m:f", "n:f", "n:g"], versions=["tf28"], modes=["eager"], seeds=[0])
    assert [unit.task.name for unit in units] == ["m:f", "n:f", "g"]


def test_a_plan_is_known_again_and_another_is_not(plan):
    digest = plan_digest(plan("a", "b"))
    assert digest == plan_digest(list(reversed(plan("a", "b"))))
    assert digest == plan_digest(plan("a", "b", database="redis://elsewhere/0"))
    others = [plan("a"), plan("a", "b", seeds=[0]), plan("a", "b", max_examples=7), plan("a", "b", versions=["tf29"])]
    assert len({digest, *map(plan_digest, others)}) == 5


def test_what_is_expected_is_part_of_a_unit(plan):
    eager, xla = plan("a", seeds=[0], expect={"xla": ["UNSUPPORTED"]})
    assert (eager.task.expect, xla.task.expect) == ({}, {"xla": ("UNSUPPORTED",)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": []}, "at least one subject"),
        ({"versions": []}, "at least one version"),
        ({"seeds": []}, "at least one seed"),
        ({"subjects": ["m:f", "m:f"]}, "the subject 'm:f' is given twice"),
        ({"strategy": "m:batches", "dtypes": ["float32"]}, "dtypes float32 belong to the built-in strategy"),
    ],
)
def test_bad_plans(arguments, message):
    fine = {"subjects": ["m:f"], "versions": ["tf28"], "modes": ["eager"], "seeds": [0]}
    with pytest.raises(InputError, match=message):
        plan_units(**{**fine, **arguments})


def measured(subject, mode, cold, warm):
    row = ("tf28", f"module:{subject}", "", mode, 100)
    return [(*row, True, cold), (*row, False, warm)]


def test_every_unit_is_in_one_chunk_and_chunks_have_one_signature(plan):
    units = plan("a", "b", versions=["tf28", "tf221"], seeds=range(7))
    chunks = cut(units, Costs(), {"tf28": 2, "tf221": 1})
    assert sorted(unit.key for chunk in chunks for unit in chunk.units) == sorted(unit.key for unit in units)
    assert all(len({unit.signature for unit in chunk.units}) == 1 for chunk in chunks)
    assert [chunk.seconds for chunk in chunks] == sorted((chunk.seconds for chunk in chunks), reverse=True)


def test_what_compiles_for_long_stays_together_and_what_does_not_is_spread(plan):
    units = plan("slow", "quick", modes=["xla"], seeds=range(16))
    costs = Costs([*measured("slow", "xla", cold=60.0, warm=1.0), *measured("quick", "xla", cold=1.1, warm=1.0)])
    chunks = cut(units, costs, {"tf28": 4})
    sizes = {name: [len(c.units) for c in chunks if c.units[0].task.name == name] for name in ("slow", "quick")}
    assert sizes["slow"] == [16]
    assert len(sizes["quick"]) > 1


def test_costs_are_medians_of_what_was_measured_and_go_with_the_examples(plan):
    (unit,) = plan("a", modes=["eager"], seeds=[0], max_examples=50)
    row = ("tf28", "module:a", "", "eager", 100)
    costs = Costs([(*row, False, 1.0), (*row, False, 2.0), (*row, False, 90.0), (*row, True, 30.0)])
    assert costs.of(unit, cold=False) == pytest.approx(1.0)
    assert costs.of(unit, cold=True) == pytest.approx(30.0)
    assert Costs().of(unit, cold=True) > Costs().of(unit, cold=False) > 0
