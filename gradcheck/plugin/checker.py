"""What the fixture ``gradcheck`` is: the public functions, with the settings of the test that is running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.harness import session as recording
from gradcheck.plugin.recorder import current_settings

if TYPE_CHECKING:
    from gradcheck.report import Report
    from gradcheck.searching.searches import SearchResult

__all__ = ["Checker"]

_OF_A_CHECK = ("modes", "wrt", "expect", "engine", "invariants", "accuracy")
_OF_A_SEARCH = (*_OF_A_CHECK, "max_examples", "shrink_seconds")


class Checker:
    """The fixture ``gradcheck``. Every method takes the arguments of the function of that name in
    `gradcheck`.
    """

    def __call__(self, subject: Any, *args: Any, **arguments: Any) -> None:
        """Like `gradcheck.assert_gradients`: raises `gradcheck.GradientError` where a gradient is wrong."""
        __tracebackhide__ = True
        import gradcheck

        gradcheck.assert_gradients(subject, *args, **_with_settings(arguments, _OF_A_CHECK))

    def check(self, subject: Any, *args: Any, **arguments: Any) -> Report:
        """Like `gradcheck.check`: never raises for a finding."""
        __tracebackhide__ = True
        import gradcheck

        report: Report = gradcheck.check(subject, *args, **_with_settings(arguments, _OF_A_CHECK))
        recording.publish(report)
        return report

    def search(self, subject: Any, strategy: Any, **arguments: Any) -> SearchResult:
        """Like `gradcheck.search`, but raises `gradcheck.GradientError` with the smallest counterexample."""
        __tracebackhide__ = True
        import gradcheck

        result = gradcheck.search(subject, strategy, **_with_settings(arguments, _OF_A_SEARCH))
        if result.error is not None:
            raise result.error
        return result


def _with_settings(arguments: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    settings = current_settings()
    modes = settings.restricted(arguments.get("modes"))
    merged = {name: value for name, value in settings.as_defaults().items() if name in names}
    merged.update({name: value for name, value in arguments.items() if value is not None})
    merged["modes"] = modes
    return merged
