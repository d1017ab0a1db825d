"""The marker: what it sets, how it meets the command line, and how wrong arguments are refused."""

from __future__ import annotations

import pytest

SHOW = """
import pytest
{mark}
def test_it():
    print("DEFAULTS", dict(recording.defaults()))
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("modes=['graph', 'xla']", "{'modes': ('graph', 'xla')}"),
        ("modes='graph,xla'", "{'modes': ('graph', 'xla')}"),
        ("modes='xla', wrt='variables'", "{'modes': ('xla',), 'wrt': 'variables'}"),
        ("modes='xla', engine='reference'", "{'modes': ('xla',), 'engine': 'reference'}"),
        ("modes='xla', expect='KINK'", "{'modes': ('xla',), 'expect': 'KINK'}"),
        ("modes='xla', expect={'<2.16': 'kink'}", "{'modes': ('xla',), 'expect': {'<2.16': 'kink'}}"),
        ("modes='xla', max_examples=5", "{'modes': ('xla',), 'max_examples': 5}"),
        ("invariants='permutation'", "{'modes': ('eager', 'graph', 'dynamic', 'xla'), 'invariants': ('permutation',)}"),
        (
            "modes='xla', invariants='row_alone, empty_row'",
            "{'modes': ('xla',), 'invariants': ('empty_row', 'row_alone')}",
        ),
    ],
)
def test_arguments(run, arguments: str, shown: str) -> None:
    result = run(SHOW.format(mark=f"@pytest.mark.gradcheck({arguments})"), "-s", "--strict-markers")
    assert f"DEFAULTS {shown}" in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("modes='xal'", "@pytest.mark.gradcheck(modes=...): 'xal' is not one of eager, graph, dynamic, xla"),
        ("modes=[]", "@pytest.mark.gradcheck(modes=...) is empty; give some of eager, graph, dynamic, xla"),
        ("modes=3", "@pytest.mark.gradcheck(modes=...): 3 is not one of eager, graph, dynamic, xla"),
        ("wrt='weights'", "@pytest.mark.gradcheck(wrt=...): 'weights' is not one of inputs, variables, all"),
        (
            "engine='fast'",
            "@pytest.mark.gradcheck(engine=...): 'fast' is not one of exact, measured, compiled, reference, projected",
        ),
        ("expect='WRONG'", "@pytest.mark.gradcheck(expect=...): 'WRONG' is not one of CRASH, ERROR, *"),
        ("expect={'xal': 'PASS'}", "@pytest.mark.gradcheck(expect=...): 'xal' is neither a mode (eager, *"),
        (
            "expect={'xla': 'PASS', 'xal': 'PASS'}",
            "@pytest.mark.gradcheck(expect=...): 'xal' is not one of eager, *",
        ),
        (
            "expect={'xla': {'<2.16': 'PAS'}}",
            "@pytest.mark.gradcheck(expect=...): 'PAS' is not one of CRASH, *",
        ),
        ("expect={'xla': {'2.x': 'PASS'}}", "@pytest.mark.gradcheck(expect=...): '2.x' is neither a mode *"),
        ("max_examples=0", "@pytest.mark.gradcheck(max_examples=...): 0 is not a number of examples; *"),
        (
            "max_examples=True",
            "@pytest.mark.gradcheck(max_examples=...): True is not a number of examples; *",
        ),
        (
            "invariants='row_along'",
            "@pytest.mark.gradcheck(invariants=...): 'row_along' is not an invariant. Did you mean 'row_alone' *",
        ),
        ("mode='xla'", "@pytest.mark.gradcheck has no argument 'mode'; its arguments are modes, wrt, *"),
        ("'xla'", "@pytest.mark.gradcheck takes keyword arguments only; got 'xla'*"),
    ],
)
def test_wrong_arguments_fail_at_set_up(run, arguments: str, said: str) -> None:
    result = run(SHOW.format(mark=f"@pytest.mark.gradcheck({arguments})"))
    result.assert_outcomes(errors=1)
    # Exact text but for a trailing *; the brackets would be patterns otherwise.
    text = said.rstrip("*").rstrip()
    assert text in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_the_closest_marker_wins_argument_by_argument(run) -> None:
    result = run(
        """
import pytest
@pytest.mark.gradcheck(modes='xla', wrt='inputs')
class TestIt:
    @pytest.mark.gradcheck(wrt='variables')
    def test_it(self):
        print("DEFAULTS", dict(recording.defaults()))
""",
        "-s",
    )
    assert "DEFAULTS {'modes': ('xla',), 'wrt': 'variables'}" in result.stdout.str()


def test_the_command_line_restricts_and_never_adds(run) -> None:
    source = SHOW.format(mark="@pytest.mark.gradcheck(modes=['eager', 'graph'])")
    result = run(source, "-s", "--gradcheck-modes=graph,xla")
    assert "DEFAULTS {'modes': ('graph',)}" in result.stdout.str()


def test_a_test_whose_modes_are_all_left_out_is_skipped_with_the_reason(run) -> None:
    source = SHOW.format(mark="@pytest.mark.gradcheck(modes=['eager', 'graph'])")
    result = run(source, "-rs", "--gradcheck-modes=xla")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*--gradcheck-modes=xla leaves none of this test's modes: eager, graph*"])


def test_gradcheck_mode_runs_a_test_once_for_each_mode(run) -> None:
    result = run(
        """
import pytest
@pytest.mark.gradcheck(modes=['graph', 'xla'])
def test_it(gradcheck_mode):
    assert recording.defaults()["modes"] == (gradcheck_mode,)
""",
        "-v",
    )
    result.assert_outcomes(passed=2)
    assert "test_it[graph] PASSED" in result.stdout.str()
    assert "test_it[xla] PASSED" in result.stdout.str()


def test_settings_do_not_reach_the_next_test(run) -> None:
    result = run(
        """
import pytest
@pytest.mark.gradcheck(wrt='inputs')
def test_first(): pass
def test_second(): assert "wrt" not in recording.defaults()
def test_outside(): assert True
"""
    )
    result.assert_outcomes(passed=3)
