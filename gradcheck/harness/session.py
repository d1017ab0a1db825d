"""How the harness tells whoever listens that a check is done, and asks what a test run wants checked by
default.

The harness must not know the pytest plugin (imports go the other way), yet the plugin shows a matrix of
everything that was checked and passes its options on. Both meet here: the harness calls `publish` and
`defaults`, a runner calls `subscribe` and `use_defaults`. Neither needs TensorFlow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradcheck.report import Report

__all__ = [
    "defaults",
    "filled",
    "listened",
    "publish",
    "restricted",
    "subscribe",
    "unheard",
    "unsubscribe",
    "use_defaults",
]

Callback = Callable[["Report"], None]
Restrict = Callable[[tuple[str, ...]], tuple[str, ...]]

_subscribers: list[Callback] = []
_defaults: ContextVar[Mapping[str, Any]] = ContextVar("gradcheck_defaults", default={})  # noqa: B039 - never mutated
_heard: ContextVar[bool] = ContextVar("gradcheck_heard", default=True)
_restrict: ContextVar[Restrict] = ContextVar("gradcheck_restrict", default=lambda modes: modes)


def subscribe(callback: Callback) -> None:
    """Have ``callback(report)`` called for every check made by ``assert_gradients`` and every search.

    Inside ``@given`` that is once for each example; the last failing one is the shrunk one. A callback runs
    in the thread that made the check, and an exception that it raises surfaces there.
    """
    if callback not in _subscribers:
        _subscribers.append(callback)


def unsubscribe(callback: Callback) -> None:
    """Undo `subscribe`; unknown callbacks are ignored, so that a tear-down can run twice."""
    with contextlib.suppress(ValueError):
        _subscribers.remove(callback)


def publish(report: Report) -> None:
    """Called by the harness with each finished report, before it raises for a finding."""
    if _heard.get():
        for callback in tuple(_subscribers):
            callback(report)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """While this lasts nobody hears of reports, in this thread and context: the caller publishes them later."""
    token = _heard.set(False)
    try:
        yield
    finally:
        _heard.reset(token)


def listened() -> bool:
    """Whether somebody hears of every check, and says where its scripts and cases lie."""
    return bool(_subscribers)


def defaults() -> Mapping[str, Any]:
    """What stands for arguments that a call leaves out: some of ``modes``, ``wrt``, ``engine``, ``expect``,
    ``invariants``, ``accuracy``, ``max_examples``, ``shrink_seconds``. For those that it gives see `restricted`.
    """
    return _defaults.get()


def filled(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a check, with the `defaults` of those that say how it compares: what a replay has to be told."""
    said = {name: value for name, value in defaults().items() if name in ("wrt", "engine", "invariants", "accuracy")}
    return {**said, **{name: value for name, value in options.items() if value is not None}}


def restricted(modes: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a call's modes that the test run is about. Where none is left, the runner skips the test."""
    return _restrict.get()(modes)


@contextlib.contextmanager
def use_defaults(values: Mapping[str, Any], restrict: Restrict = lambda modes: modes) -> Iterator[None]:
    """Make these the `defaults` and the `restricted` inside the block, for this thread and context only."""
    tokens = _defaults.set(dict(values)), _restrict.set(restrict)
    try:
        yield
    finally:
        _defaults.reset(tokens[0])
        _restrict.reset(tokens[1])
