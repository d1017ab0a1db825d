"""The catalog, and what is expected of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gradcheck.releases.table import RELEASES
from gradcheck.variants import catalog, expected
from gradcheck.variants.catalog import CONSTRUCTS, CONSUMERS
from gradcheck.variants.expectations import RULES
from gradcheck.verdicts import Verdict

MODES = ("eager", "graph", "dynamic", "xla")


def test_every_construct_with_every_consumer():
    names = [variant.name for variant in catalog()]
    assert len(set(names)) == len(names) == len(CONSTRUCTS) * len(CONSUMERS)
    assert {variant.family for variant in catalog()} == {"range", "through"}
    for required in (
        "map_fn_range",
        "map_fn_padded_range",
        "while_loop_tensor_array",
        "map_fn_ragged_range",
        "ragged_range",
        "scatter_range",
        "broadcast_range",
    ):
        assert {f"{required}/{consumer}" for consumer in ("pooling", "attention", "recurrence")} <= set(names)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.minor)
def test_exactly_one_expectation_for_every_cell(release):
    for variant in catalog():
        for mode in MODES:
            rule = expected(variant.construct.name, mode, release.version, variant.consumer)
            assert rule.reason.endswith(".")
            assert Verdict.UNRESOLVED not in rule.verdicts


def test_no_rule_is_out_of_reach():
    reached = {
        id(expected(v.construct.name, mode, release.version, v.consumer))
        for v in catalog()
        for mode in MODES
        for release in RELEASES
    }
    assert [rule for rule in RULES if id(rule) not in reached] == []


@pytest.mark.parametrize(("construct", "mode"), [("nonsense", "xla"), ("map_fn_range", "jit")])
def test_unknown_cells_have_no_expectation(construct, mode):
    with pytest.raises(LookupError, match="0 expectations"):
        expected(construct, mode, "2.8.4")


def test_version_ranges_are_respected():
    assert Verdict.CRASH in expected("map_fn_rows", "xla", "2.15.1").verdicts
    assert expected("map_fn_rows", "xla", "2.16.2").verdicts == (Verdict.DISAGREEMENT,)


def imported_by(statement: str) -> bool:
    code = f"import sys; {statement}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1] == "True"


def test_the_catalog_does_not_import_tensorflow():
    assert not imported_by("import gradcheck.variants as v; v.catalog()[0].doc")


def test_a_subject_imports_tensorflow():
    pytest.importorskip("tensorflow")
    assert imported_by("import gradcheck.variants as v; v.catalog()[0].subject")
