"""What Hypothesis is told of a checked example: events for its statistics, and a number to climb."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.errors import InvalidArgument

from gradcheck.report import Report
from gradcheck.strategies import Batch, describe
from gradcheck.support.naming import unnumbered
from gradcheck.verdicts import Verdict

__all__ = ["hypothesis_settings", "named_statistics", "search_settings", "tell_hypothesis"]

# Below this part of what is allowed a discrepancy is rounding. To climb that would take examples from the search.
_WORTH_CLIMBING = 0.1
_HIGHEST = 1e6

_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)


def tell_hypothesis(report: Report, args: Sequence[Any]) -> None:
    """Events and a target for the example that Hypothesis runs; nothing outside of a test that it runs.

    ``--hypothesis-show-statistics`` shows the events: what is special about the batch (`strategies.describe`) and the
    verdict of every mode, corners among them. The target is the largest discrepancy between a gradient and its slope,
    in units of what is allowed there, so that Hypothesis moves from batches that are nearly wrong to wrong ones.
    """
    if not hypothesis.currently_in_test_context():
        return
    if len(args) == 1 and isinstance(args[0], Batch):
        for class_met in describe(args[0]):
            hypothesis.event(class_met)
    for mode, result in report.modes.items():
        rule = f" ({result.rule})" if result.rule else ""
        hypothesis.event(f"verdict: {result.verdict}{rule} in {mode}")
        excess = result.excess
        # What could not be decided says nothing of how far there is to go, and its neighbours are as undecided.
        if excess is not None and excess >= _WORTH_CLIMBING and result.verdict is not Verdict.UNRESOLVED:
            # A second check of the same subject in one example is not climbed.
            with contextlib.suppress(InvalidArgument):
                label = f"{unnumbered(report.subject)} in {mode}: discrepancy / allowed"
                hypothesis.target(min(excess, _HIGHEST), label=label)


def hypothesis_settings(max_examples: int | None = None, **others: Any) -> settings:
    """Settings of Hypothesis for a test of your own, with ``@given`` and `gradcheck.assert_gradients`; a decorator.

    Without a deadline, since the first example of each shape compiles; without the phase that explains a failure by
    running it again in many ways, since a report has the cause; and without the health check for slow tests. All else
    is as in the profile.

    Args:
        max_examples: how many examples; those of the profile where omitted.
        **others: other settings of Hypothesis, which win.

    Raises:
        hypothesis.errors.InvalidArgument: for a setting that Hypothesis does not know.
    """
    profile = settings()
    ours: dict[str, Any] = {
        "deadline": None,
        "phases": [phase for phase in _PHASES if phase in profile.phases],
        "suppress_health_check": [HealthCheck.too_slow, *profile.suppress_health_check],
    }
    if max_examples is not None:
        ours["max_examples"] = max_examples
    return settings(profile, **{**ours, **others})


def search_settings(max_examples: int) -> settings:
    """Hypothesis's settings for a search: those of the user's profile, but for what a search decides.

    The profile says whether examples are saved and where, whether they are derandomized, and how much is printed. It
    may leave phases out and suppress health checks.
    """
    profile = settings()
    return settings(
        profile,
        max_examples=max_examples,
        deadline=None,  # the first example of each shape compiles
        phases=[phase for phase in _PHASES if phase in profile.phases],
        # Checking is slow, drawing is not; and where there are few batches to draw, most are drawn again.
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            *profile.suppress_health_check,
        ],
        print_blob=False,
        # What it says of a failure (a seed to add, a decorator, where to report slow shrinking) fits no search.
        verbosity=Verbosity.quiet if profile.verbosity is Verbosity.normal else profile.verbosity,
        report_multiple_bugs=False,
    )


@contextlib.contextmanager
def named_statistics(name: str) -> Iterator[None]:
    """Say in Hypothesis's statistics which search they are of."""
    from hypothesis.statistics import collector

    outer: Any = collector.value
    if outer is None:
        yield
        return
    named: Any = lambda statistics: outer({**statistics, "gradcheck_search": name})  # noqa: E731
    with collector.with_value(named):
        yield
