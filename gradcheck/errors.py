"""What gradcheck raises where it cannot check, and the boundary that lets nothing else out. No TensorFlow here."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["InputError", "MissingTensorFlowError", "in_words", "only_input_errors", "shown", "their_own"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class InputError(ValueError):
    """An argument cannot be checked: the message says what is wrong, the value, the limit and the remedy."""


class MissingTensorFlowError(ImportError):
    """TensorFlow is needed now and cannot be imported."""


# What an object's own code may raise while it is looked at. An object that ends the program is no better than another.
_ITS_OWN = (Exception, SystemExit, GeneratorExit)


def shown(value: object, most: int = 200) -> str:
    """A value for a message: its `repr`, cut where it is long, or what is known of it where it has none."""
    try:
        text = repr(value)
    except _ITS_OWN as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def in_words(error: BaseException) -> str:
    """What an exception says, in one line: ``ValueError: too many``. Its own text may raise, too."""
    kind = type(error).__name__
    try:
        what = " ".join(str(error).split())
    except _ITS_OWN as another:
        return f"{kind}, whose text raises {type(another).__name__}"
    return f"{kind}: {what}" if what else kind


class _Theirs(BaseException):
    """What a callback of the caller's raised, on its way to the caller. Hypothesis would shrink an Exception."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def their_own(callback: Callable[_P, _R]) -> Callable[_P, _R]:
    """A callback whose exceptions reach the caller through `only_input_errors` as they are."""

    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return callback(*args, **kwargs)
        except Exception as error:
            raise _Theirs(error) from None

    return called


def only_input_errors(what: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """The boundary of the API: a function that takes other people's objects raises nothing that is theirs.

    Arguments are checked inside, where a message can say more. This is for what no check has foreseen: objects whose
    ``__array__``, ``__class__`` or ``__eq__`` raise, numbers without a text, arrays that fill the memory.

    Args:
        what: cannot be done, for the message: ``"a check"``.
    """

    def bounded(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def inside(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            __tracebackhide__ = True
            try:
                return function(*args, **kwargs)
            except (InputError, MissingTensorFlowError):
                raise
            except _Theirs as theirs:
                raise theirs.error from None
            except RecursionError as error:
                raise InputError(
                    f"{what} cannot be made of this: an argument is nested too deeply, or holds itself"
                ) from error
            except MemoryError as error:
                raise InputError(
                    f"{what} needs more memory than there is ({in_words(error)}). Pass less: fewer rows, fewer steps"
                ) from error
            except _ITS_OWN as error:
                if _steers_hypothesis(error):
                    raise
                raise InputError(
                    f"{what} cannot be made of this: looking at it raised {in_words(error)}. Pass NumPy arrays and "
                    "plain Python values. If they are that, please report this"
                ) from error

        return inside

    return bounded


def _steers_hypothesis(error: BaseException) -> bool:
    """Whether an exception is one of Hypothesis's own, such as that of `assume`, which it waits for."""
    loaded = sys.modules.get("hypothesis.errors")
    return loaded is not None and isinstance(error, loaded.HypothesisException)


# A traceback names an exception by the module where it is defined; users import these from `gradcheck`.
for _exception in (InputError, MissingTensorFlowError):
    _exception.__module__ = "gradcheck"
