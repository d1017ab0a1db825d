"""A gradient test for each mode without writing one: `suite`, for the top level of a test module.

What it makes is an ordinary test function, parametrised over modes, that pytest collects by itself: ids,
markers, ``-k``, ``--lf``, fixtures and pytest-xdist work as for any other. Only a suite that is not given a name
(``gradcheck.suite(layer)`` as a statement of its own) needs the plugin to be seen.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from gradcheck.errors import InputError, only_input_errors, shown
from gradcheck.harness import session
from gradcheck.records.expectations import of_modes, require_expectations

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from gradcheck.searching import SearchResult

__all__ = ["ATTRIBUTE", "REGISTRY", "Suite", "suite"]

ATTRIBUTE = "__gradcheck_suite__"
"""Where a test function made by `suite` holds its `Suite`."""

REGISTRY = "__gradcheck_suites__"
"""Where a module holds the test functions of the suites that were made in it, named or not."""


@dataclass
class _Shared:
    """One search for all modes of a suite that a test run is about.

    Attributes:
        together: these modes; empty where each is searched by itself.
        searched: the modes that were.
        waiting: what they came to, until their tests ask for it.
    """

    together: tuple[str, ...] = ()
    searched: set[str] = field(default_factory=set)
    waiting: dict[str, SearchResult] = field(default_factory=dict)

    def result(self, mode: str, search: Callable[[tuple[str, ...]], SearchResult]) -> SearchResult:
        """What a mode came to. A test that runs again searches again, in its own mode.

        Args:
            mode: the mode.
            search: searches in some modes.
        """
        if mode not in self.waiting:
            others = () if mode in self.searched else [m for m in self.together if m not in (mode, *self.searched)]
            modes = (mode, *others)
            self.searched.update(modes)  # also where it raises: then each of the others tries alone
            found = search(modes)
            self.waiting.update({name: found.of(name) for name in modes})
        return self.waiting.pop(mode)


@dataclass(frozen=True)
class Suite:
    """What one call of `suite` asked for. Its tests share one search: the first that runs makes it.

    Attributes:
        subject: the subject, or a factory of one.
        strategy: what draws its arguments.
        modes: the modes, one test each.
        marker: what the call said of ``modes``, ``wrt``, ``expect``, ``engine`` and ``max_examples``, as the marker
            ``gradcheck`` takes it.
        options: the other arguments of `gradcheck.search`.
    """

    subject: Any
    strategy: Any
    modes: tuple[str, ...]
    marker: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    _shared: _Shared = field(default_factory=_Shared, repr=False, compare=False)

    def share(self, modes: Sequence[str]) -> None:
        """Search in these modes at once: the test run asks for each of them."""
        self._shared.together = tuple(mode for mode in self.modes if mode in modes)

    def run(self, mode: str) -> None:
        """Say what the search came to in one mode.

        Raises:
            GradientError: with the smallest batch, where the mode failed.
        """
        __tracebackhide__ = True
        with session.unheard():
            result = self._shared.result(mode, self._search)
        session.publish(result.as_report())
        if result.error is not None:
            raise result.error

    def _search(self, modes: tuple[str, ...]) -> SearchResult:
        __tracebackhide__ = True
        from gradcheck.searching.searches import search
        from gradcheck.strategies import batches

        strategy = batches(features=3) if self.strategy is None else self.strategy
        arguments = {name: value for name, value in self.marker.items() if name != "modes"}
        if "expect" in arguments:
            arguments["expect"] = of_modes(arguments["expect"], modes)
        return search(self.subject, strategy, modes=modes, **arguments, **self.options)


def suite(
    subject: Any,
    strategy: SearchStrategy[Any] | None = None,
    *,
    modes: str | Sequence[str] | None = None,
    expect: Any = None,
    wrt: str | None = None,
    engine: str | None = None,
    max_examples: int | None = None,
    name: str | None = None,
    **options: Any,
) -> Callable[..., None]:
    """One test for each mode that searches for wrong gradients of a subject, without writing a test.

    At the top level of a test module, or in the body of a test class:

        test_pooling = gradcheck.suite(MaskedPooling, st.batches(features=3), expect={"xla": "UNSUPPORTED"})

    gives ``test_pooling[eager]``, ``test_pooling[graph]``, ``test_pooling[dynamic]`` and ``test_pooling[xla]``. As a
    statement of its own, ``gradcheck.suite(MaskedPooling)`` gives ``test_MaskedPooling_gradients[…]``.

    Args:
        subject: as for `gradcheck.check`. A class, or a function without parameters, is called for a subject when the
            test runs; while tests are collected nothing of TensorFlow's needs to be made.
        strategy: as for `gradcheck.search`; ``strategies.batches(features=3)`` where omitted.
        modes: which modes; all where omitted. ``--gradcheck-modes`` leaves out others.
        expect: verdicts that are expected, as for `gradcheck.check`.
        wrt: what is differentiated: ``inputs``, ``variables`` or ``all``.
        engine: how Jacobians are formed.
        max_examples: examples of each mode.
        name: what a suite without a variable is called; made of the subject's name where omitted.
        **options: the other arguments of `gradcheck.search`, such as ``seed``, ``call``, ``padding`` and
            ``shrink_seconds``.

    Raises:
        InputError: where the subject cannot be called, the strategy is none, a mode is unknown, or the call stands
            inside a function, where pytest would not see it.
    """
    chosen = _required(subject, strategy, modes, expect, name)
    given = {"modes": modes, "expect": expect, "wrt": wrt, "engine": engine, "max_examples": max_examples}
    marker = {key: value for key, value in given.items() if value is not None}
    frame = sys._getframe(1)
    in_class = "__qualname__" in frame.f_locals and frame.f_locals is not frame.f_globals
    if not in_class and frame.f_locals is not frame.f_globals:
        raise InputError(
            f"gradcheck.suite was called inside the function {frame.f_code.co_name!r}, where pytest does not look for "
            "tests; call it at the top level of the test module, or use gradcheck.search in a test"
        )
    made = Suite(subject, strategy, chosen, marker, options)
    title = name or f"test_{_identifier(subject)}_gradients"
    test = _test_function(made, title, frame, in_class)
    if not in_class:
        # Anew each time, so that the registry stands behind the suites made so far, as pytest collects them.
        frame.f_globals[REGISTRY] = [*frame.f_globals.pop(REGISTRY, []), test]
    return test


@only_input_errors("a suite")
def _required(subject: Any, strategy: Any, modes: Any, expect: Any, name: Any) -> tuple[str, ...]:
    """Check the arguments of a suite; its modes."""
    from hypothesis.strategies import SearchStrategy

    from gradcheck.mode_names import parse_modes

    if not callable(subject):
        raise InputError(f"suite needs a callable subject, or a factory of one; got {shown(subject)}")
    if strategy is not None and not isinstance(strategy, SearchStrategy):
        raise InputError(
            "suite needs a Hypothesis strategy, such as gradcheck.strategies.batches(features=3); "
            f"got {shown(strategy)}"
        )
    require_expectations(expect, None if modes is None else parse_modes(modes))
    if name is not None and not isinstance(name, str):
        raise InputError(f"name must be a text, or None; got {shown(name)}")
    return parse_modes(modes)


def _test_function(made: Suite, title: str, frame: FrameType, in_class: bool) -> Callable[..., None]:
    module = str(frame.f_globals.get("__name__", __name__))
    test: Any = eval(_code_at_a_call(in_class, frame), {"run": made.run, "__name__": module})
    test.__code__ = test.__code__.replace(co_name=title)
    test.__name__ = title
    test.__qualname__ = f"{frame.f_locals['__qualname__']}.{title}" if in_class else title
    test.__module__ = module
    test.__doc__ = f"Gradients of {_identifier(subject=made.subject)}."
    test.__test__ = True  # a test whatever the variable is called
    setattr(test, ATTRIBUTE, made)
    # A parametrisation of pytest's own, so that the tests are there with the plugin turned off as well.
    import pytest

    decorated: Callable[..., None] = pytest.mark.parametrize("gradcheck_mode", made.modes)(test)
    return decorated


def _code_at_a_call(in_class: bool, frame: FrameType) -> CodeType:
    """The function that runs a suite, as if it stood in the line of the call.

    pytest, editors and annotations point to where a test's code is, and tracebacks show that line. No column is told:
    it would be underlined there.
    """
    tree = ast.parse(f"lambda {'self, ' if in_class else ''}gradcheck_mode: run(gradcheck_mode)", mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.arg)):
            node.lineno = node.end_lineno = frame.f_lineno
            node.col_offset = node.end_col_offset = 0
    return compile(tree, frame.f_code.co_filename, "eval")


def _identifier(subject: Any) -> str:
    """A subject's name as part of a test's name."""
    plain = getattr(subject, "python_function", subject)  # inside tf.function
    name = getattr(plain, "__name__", None) or type(plain).__name__
    return re.sub(r"\W+", "_", name).strip("_") or "subject"
