"""What is checked, and how it is called: the adapter of a callable, a `tf.Module` or a Keras layer.

The signature of the subject decides what it is given of a batch: ``(values, lengths)``, ``(values, mask=...)`` or
``(values)``; an explicit ``call=`` overrides that.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck._tensorflow import tensorflow
from gradcheck.errors import InputError, MissingTensorFlowError, in_words, shown
from gradcheck.strategies import Batch
from gradcheck.subject.restoring import preserved
from gradcheck.support.naming import unnumbered
from gradcheck.support.patience import Patience

__all__ = ["Subject", "holders", "subject_of"]

_LENGTHS_NAME = re.compile(
    r"(^|_)(len|lens|length|lengths|size|sizes|count|counts|n|num_steps)(_|$)|seq_?len|row_lengths"
)


class SubjectExitError(RuntimeError):
    """The subject called `sys.exit`: an error of the subject, and not the end of the program that checks it."""


class SubjectTextError(RuntimeError):
    """The subject raised an exception whose own text raises."""


class Subject:
    """A subject with its name, its variables and the way in which it takes a batch.

    Use `subject_of`, which keeps one `Subject` for each object so that its compiled programs are found again.

    Attributes:
        target: the object that is called. Where the user gave a factory, what the factory made.
        original: what the user gave.
        name: for reports.
    """

    def __init__(self, original: Any, call: Callable[..., Any] | None = None) -> None:
        if not callable(original):
            raise InputError(
                f"the subject must be callable: a function, a tf.Module with __call__ or a Keras layer; "
                f"got {shown(original)} of type {type(original).__name__}"
            )
        if call is not None and not callable(call):
            raise InputError(f"call= must be callable as call(subject, values, ...); got {shown(call)}")
        self.original = original
        self.custom_call = call
        self.name = _name_of(original)
        self.target = _made_by_factory(original)
        if self.name == "<lambda>" and self.target is not original:  # what it makes says more
            self.name = _name_of(self.target)
        self.programs: dict[Any, Any] = {}  # what gradcheck.execution.modes compiled for it, by signature
        self.references: dict[Any, Any] = {}  # its graphs bound to rules, by signature: see gradcheck.engines.exact
        self.examined: set[Any] = set()  # modes and signatures that were looked at entry by entry
        self.cuts: dict[Any, str] = {}  # what gradcheck.graph.paths found in its graph, by signature and path
        self.patience = Patience()  # how long its calls may take
        self.unused_dtypes: dict[Any, str] = {}  # what harness.weakness found, by signature
        self.drawing: dict[Any, tuple[str | None, str]] = {}  # what graph.random_operations found, by signature
        self.integers_are_sizes = False  # whether XLA has to know its integers when it compiles
        self.confirmed: set[Any] = set()  # modes in which both engines were compared once
        self.twin: Subject | None = None  # a Keras layer in float64: see gradcheck.execution.float64_twin
        self.floatx_tried = False  # whether such a layer was looked for that computes in Keras's floatx
        self.within: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext  # held at each call
        self._numpy_errors: Any = None  # how NumPy was set when a check began, while it lasts
        self.has_time: dict[int, bool] = {}  # which outputs have a time axis: see gradcheck.execution.time_axis
        self.searches = 0  # how many were begun
        # The search in which another amount of padding was compiled, by mode; None where it leaked: see invariants.
        self.amounts_varied: dict[str, int | None] = {}
        self.random = (
            False  # whether the same call was seen to give two results: see gradcheck.harness.rules.determinism
        )
        self.observations: dict[int, Any] = {}  # what eager mode showed, while a thread searches several modes
        self.unseen: list[Any] = []  # variables that are read where no tape sees it
        self.looked_for_unseen = 0  # on how many batches such variables were looked for
        self.takes: str | None = None  # the one floating-point dtype that it takes: see gradcheck.harness.dtype_taken
        self.first_arguments: tuple[Any, ...] | None = None  # with which it was checked first, and may have been built
        self.built_on: tuple[Any, ...] | None = None  # the same, once seen to decide: see gradcheck.harness.afresh
        self.reached: list[Any] = []  # variables that its graphs reach: see gradcheck.subject.reached
        self.reached_by: set[Any] = set()  # signatures for which it was traced to find them
        self.layouts: dict[Any, Any] = {}  # outputs that eager mode gave for arguments of these shapes

    # -- calling ---------------------------------------------------------------------------------------------

    def python_callable(self) -> Callable[..., Any]:
        """What eager mode executes with a batch's arguments: Python, without a `tf.function` around it."""
        target = self.target
        plain = getattr(target, "python_function", None)
        chosen: Callable[..., Any] = plain if callable(plain) else target
        return chosen if self.custom_call is None else functools.partial(self.custom_call, chosen)

    def traceable(self, convert: Callable[[Any], Callable[..., Any]]) -> Callable[..., Any]:
        """What a `tf.function` executes with a batch's arguments.

        Args:
            convert: makes a graph of Python control flow in a callable, and in those that it calls.
        """
        if self.custom_call is None:
            return convert(self.target)
        # Such a call may use whatever the subject has, so it is given the subject and not what was converted from it.
        target = self.target
        if inspect.isroutine(target) and not _has_source(self.custom_call):
            target = convert(target)  # the call stays Python as it is, and nothing would convert what it calls
        return functools.partial(convert(self.custom_call), target)

    def arguments_for(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]:
        """Positional and keyword arguments for a batch, and the names that the arguments have in reports."""
        if self.custom_call is not None:
            wanted = _custom_call_names(self.custom_call)
            parts = {"values": batch.values, "lengths": batch.lengths, "mask": batch.mask, **batch.steps}
            unknown = [name for name in wanted if name not in parts]
            if unknown:
                raise InputError(
                    f"call= takes the subject first and then any of {', '.join(parts)} by name; got a parameter "
                    f"{unknown[0]!r}. What else there is at each step is drawn by batches(steps={{{unknown[0]!r}: …}})"
                )
            return (), {name: parts[name] for name in wanted}, ()
        style = self.style
        if style == "mask":
            return (batch.values,), {"mask": batch.mask}, ("values",)
        if style == "lengths":
            return (batch.values, batch.lengths), {}, ("values", "lengths")
        return (batch.values,), {}, ("values",)

    def arguments_without_padding(self, batch: Batch) -> tuple[Any, ...] | None:
        """Positional arguments that say nothing of lengths and mask: with ``call=`` None in their place.

        None where the subject cannot be called without them.
        """
        if self.custom_call is not None:
            given = {"values": batch.values, **batch.steps}
            return tuple(given.get(name) for name in _custom_call_names(self.custom_call))
        if self.style == "values":
            return None
        told = [p for p in _parameters(self.target) or [] if p.kind is not p.VAR_POSITIONAL][1:]
        needed = [p for p in told if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        return None if needed else (batch.values,)

    def told(self, batch: Batch) -> Batch:
        """The batch as the subject is told of it: lengths say nothing of a side, and by convention the valid steps come
        first. Without a batch that says so, the padding would be the data and the data padding.
        """
        return batch.with_side("post") if self.style == "lengths" else batch

    @functools.cached_property
    def style(self) -> str:
        """How the subject takes a batch: ``"lengths"``, ``"mask"`` or ``"values"``."""
        if self.custom_call is not None:
            names = _custom_call_names(self.custom_call)
            return "mask" if "mask" in names else "lengths" if "lengths" in names else "values"
        parameters = _parameters(self.target)
        if parameters is None:
            return "values"
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        others = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        required = [p for p in positional if p.default is p.empty]
        if any(p.name == "mask" for p in positional[1:] + others):
            return "mask"
        if len(required) == 2:
            if required[1].name in {"value", "key", "y_pred", "y_true", "target", "targets", "labels"}:
                raise InputError(
                    f"{self.name} takes a second argument {required[1].name!r}, which is neither lengths nor a mask, "
                    "so a batch does not say what to pass. Say how it is called, for example "
                    "call=lambda subject, values, mask: subject(values, values, attention_mask=mask[:, None, :])"
                )
            return "lengths"
        if len(required) > 2:
            again = ", ".join(["values"] * len(required))
            raise InputError(
                f"{self.name} needs {len(required)} arguments ({', '.join(p.name for p in required)}); a batch offers "
                f"values, lengths and mask. Say how it is called, for example call=lambda subject, values: "
                f"subject({again}), or draw its arguments themselves: a search takes a strategy of tuples "
                "(hypothesis.strategies.tuples), and check the arguments behind the subject"
            )
        if len(positional) > 1 and _LENGTHS_NAME.search(positional[1].name):
            return "lengths"
        return "values"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.invoke(self.target if self.custom_call is None else self.python_callable(), *args, **kwargs)

    @contextlib.contextmanager
    def own_numpy_errors(self) -> Iterator[None]:
        """While this lasts NumPy says nothing of NaN and infinities, which padding may hold and steps may lead to.

        Where warnings are errors it would raise. The subject itself is called as NumPy was set before.
        """
        kept, self._numpy_errors = self._numpy_errors, self._numpy_errors or np.geterr()
        try:
            with np.errstate(all="ignore"):
                yield
        finally:
            self._numpy_errors = kept

    def invoke(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``target`` (one of `python_callable` or `traceable`) with a batch's arguments."""
        with np.errstate(**(self._numpy_errors or np.geterr())), self.within():
            try:
                return self._invoke(target, *args, **kwargs)
            except (SystemExit, GeneratorExit) as error:
                # No Exceptions, so they would end the check, and the program with the status that the subject chose.
                code = shown(error.code) if isinstance(error, SystemExit) else ""
                raise SubjectExitError(f"the subject ends the program: {type(error).__name__}({code})") from error
            except Exception as error:
                try:
                    str(error)
                except Exception:
                    # Everybody who reads it would have to be told.
                    raise SubjectTextError(f"the subject raises {in_words(error)}") from error
                raise

    def _invoke(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.custom_call is None and "mask" in kwargs and not getattr(self.target, "supports_masking", True):
            # Keras 3 warns at every call that such a layer hands no mask on. It is we who give it one.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*does not support masking")
                return target(*args, **kwargs)
        return target(*args, **kwargs)

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the positional parameters, as far as they are known."""
        parameters = _parameters(self.target) or []
        return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))

    def require_parameters(self, args: Sequence[Any], error: TypeError) -> None:
        """What a call raised may be the caller's: too few arguments, or too many.

        Asked afterwards, because what a decorator shows of a signature need not be what it takes.

        Raises:
            InputError: where the subject's parameters are not as many.
        """
        parameters = None if self.custom_call is not None else _parameters(self.target)
        if parameters is None or any(isinstance(arg, Batch) for arg in args):
            return
        signature = inspect.Signature(parameters)
        try:
            signature.bind(*args)
        except TypeError as mismatch:
            count = "one argument" if len(args) == 1 else f"{len(args)} arguments"
            raise InputError(
                f"{self.name}{signature} cannot be called with {count}: {mismatch}. "
                "Pass one for each of its parameters, or a gradcheck.Batch for values with lengths or a mask"
            ) from error

    # -- variables -------------------------------------------------------------------------------------------

    def variables(self) -> list[Any]:
        """Every `tf.Variable` that the subject is seen to hold: attributes, closure and globals that it names."""
        found: dict[int, Any] = {}
        for holder in holders(self.target, self.custom_call):
            for variable in _variables_of(holder):
                found.setdefault(id(variable), variable)
        return list(found.values())

    def every_variable(self) -> list[Any]:
        """`variables`, and those that it is not seen to hold and was found to reach all the same."""
        held = self.variables()
        known = {id(getattr(variable, "handle", variable)) for variable in held}
        return [*held, *(v for v in self.reached if id(getattr(v, "handle", v)) not in known)]

    def reach(self, variables: Sequence[Any]) -> None:
        """Remember that the subject reaches these variables."""
        known = {id(getattr(variable, "handle", variable)) for variable in self.reached}
        self.reached += [v for v in variables if id(getattr(v, "handle", v)) not in known]


def subject_of(original: Any, call: Callable[..., Any] | None = None) -> Subject:
    """The `Subject` for an object, the same one each time, so that what was compiled for it is used again.

    Raises:
        InputError: where ``original`` is not callable.
    """
    if isinstance(original, Subject):
        return original
    with preserved(()):  # a class or a factory makes it here
        try:
            key = _identity(original, call)
            kept = _KEPT.pop(key, None)
            if kept is None:
                kept = Subject(original, call)
                while len(_KEPT) >= _MOST_KEPT:
                    _KEPT.pop(next(iter(_KEPT)))
        except (InputError, MissingTensorFlowError):
            raise
        except Exception as error:  # a __getattr__, a __hash__ or a signature of its own
            raise InputError(f"the subject cannot be looked at ({in_words(error)}): {shown(original)}") from error
        if kept.target is kept.original:
            kept.target = kept.original = original  # the same code and closure; a newer object of it
        _KEPT[key] = kept  # the youngest stands last
        return kept


# A strong reference is needed anyway (compiled programs hold the subject), and keeps the identity from being reused.
_KEPT: dict[Any, Subject] = {}
_MOST_KEPT = 64


# What Keras sets on a layer when it is built or first called: the layer is the same.
_SET_BY_CALLS = frozenset(
    {
        *("built", "_called", "_path", "_parent_path", "_self_update_uid", "_build_input_shape"),
        *("_saved_model_inputs_spec", "_saved_model_arg_spec", "input_spec", "state_spec"),
    }
)


def _identity(original: Any, call: Any) -> tuple[Any, ...]:
    """What must be equal for compiled programs to be valid: the object, and the plain settings that it holds.

    A trace bakes in Python attributes, closed-over numbers and global constants; a subject changed since then needs a
    new trace.
    """
    owner = getattr(original, "__self__", None)
    function = getattr(original, "__func__", original)
    kind = type(function)
    method = getattr(kind, "call", None) or getattr(kind, "__call__", None)  # noqa: B004
    parts: list[Any] = [
        _name_of(original),  # what reports call it
        _function_identity(function),
        _Same(owner),
        _function_identity(call),
        _function_identity(method),
    ]
    for holder in (original, owner):
        state = getattr(holder, "__dict__", None)
        if isinstance(state, dict) and not inspect.isclass(holder) and not inspect.ismodule(holder):
            held = (item for item in state.items() if _is_plain(item[1]) and item[0] not in _SET_BY_CALLS)
            parts.append(tuple((name, _plain_content(value)) for name, value in held))
    return tuple(parts)


class _Same:
    """Equal to itself only. It keeps the object, so that no later one is taken for it."""

    __slots__ = ("thing",)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __hash__(self) -> int:
        return id(self.thing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing


def _function_identity(function: Any) -> Any:
    # A function defined inside a test is a new object for each example and the same code: its code and what it
    # closes over and names identify it.
    return _Walk(_package_of(_undecorated(function))).content(function)


# Packages whose functions name what does not change.
_STABLE = frozenset(["tensorflow", "keras", "tf_keras", "numpy"])


def _package_of(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]


def _undecorated(value: Any) -> Any:
    """The function inside a `tf.function`, a `tf.custom_gradient` or another decorator; what is none as it is."""
    held = getattr(value, "__dict__", None)
    if isinstance(held, dict) and not (inspect.isfunction(value) or inspect.isclass(value) or inspect.ismodule(value)):
        inner = held.get("__wrapped__", held.get("_python_function"))
        return inner if inspect.isfunction(inner) else value
    return value


class _Walk:
    """What a trace bakes in of a function, and of those of the same package that it closes over or names."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.met: set[int] = set()

    def function(self, function: Any) -> Any:
        code = function.__code__
        if id(function) in self.met:
            return _Same(code)
        self.met.add(id(function))
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_bound(cell)]
        own = _package_of(function) == self.home and self.home not in _STABLE
        scope = function.__globals__ if own else {}
        named = [(name, scope[name]) for name in _names_in(code) if name in scope]
        return (
            _Same(code),
            tuple(self.content(value) for value in (*cells, *defaults)),
            tuple((name, self.content(value)) for name, value in named if not inspect.ismodule(value)),
        )

    def content(self, value: Any) -> Any:
        """Plain values, arrays, functions, and tuples of these by content, others by identity.

        Lists and dicts, too: they are what people count calls in, and every call would make another subject.
        """
        if inspect.isfunction(value):
            return self.function(value)
        if (inner := _undecorated(value)) is not value:
            return _Same(value), self.content(inner)
        if type(value) is tuple:
            return tuple(self.content(item) for item in value)
        return _plain_content(value)


def _is_bound(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # an empty cell: a name not yet bound
        return False
    return True


@functools.lru_cache(maxsize=256)
def _names_in(code: Any) -> tuple[str, ...]:
    """The names in a function's code, and in the functions that it defines."""
    inner = [name for constant in code.co_consts if inspect.iscode(constant) for name in _names_in(constant)]
    return tuple(dict.fromkeys([*code.co_names, *inner]))


# Bytes of an array that are compared; a larger one is taken for unchanged.
_MOST_BYTES = 1 << 16


def _plain_content(value: Any) -> Any:
    if _is_plain(value):
        return type(value), value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.nbytes <= _MOST_BYTES:
        return value.dtype.str, value.shape, value.tobytes()
    return _Same(value)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes))


def _name_of(original: Any) -> str:
    if isinstance(original, functools.partial):
        return f"partial({_name_of(original.func)})"
    own = getattr(original, "name", None)
    if isinstance(own, str) and not inspect.isclass(original):
        kind = type(original).__name__
        return own if kind in ("Function", "function") else unnumbered(f"{kind} {own!r}")
    plain = getattr(original, "python_function", original)
    qualified, short = getattr(plain, "__qualname__", None), getattr(plain, "__name__", None)
    if qualified and short and qualified.rpartition(".")[2] != short:
        qualified = short  # it was given another name
    name = qualified or short or type(original).__name__
    return str(name).rsplit("<locals>.", 1)[-1]


def _made_by_factory(original: Any) -> Any:
    """A class, or a function without parameters, makes the subject; anything else is the subject."""
    if not inspect.isclass(original) and _parameters(original) != []:
        return original
    try:
        made: Any = original()
    except (InputError, MissingTensorFlowError):
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{_name_of(original)} was called without arguments to make the subject, and raised {in_words(error)}. "
            "Give what it makes, or a function without parameters that makes it"
        ) from error
    if not callable(made):
        raise InputError(
            f"{_name_of(original)} takes no argument, so it was taken for a factory of a subject, but what it returned "
            f"is not callable: {shown(made)}. A subject takes at least one floating-point argument"
        )
    return made


def _has_source(function: Any) -> bool:
    """Whether the code of a function can be read; one that was typed into a shell has none."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_filename == "<string>":  # Python 3.13 would show the text behind `python -c`
        return False
    try:
        inspect.getsource(function)
    except (OSError, TypeError):
        return False
    return True


def _parameters(target: Any) -> list[inspect.Parameter] | None:
    """Parameters of a subject without ``self``; None where Python does not know them."""
    plain = getattr(target, "python_function", None) or target
    # A Keras layer or a Keras model is called through __call__(*args, **kwargs); `call` has the real signature.
    if not inspect.isroutine(plain) and not isinstance(plain, functools.partial) and not inspect.isclass(plain):
        inner = getattr(plain, "call", None)
        if callable(inner) and hasattr(plain, "get_config"):
            plain = inner
    try:
        return list(inspect.signature(plain).parameters.values())
    except (TypeError, ValueError):
        return None


def _custom_call_names(call: Any) -> list[str]:
    """The names of what a ``call=`` takes of a batch."""
    return [p.name for p in inspect.signature(call).parameters.values()][1:]


def holders(target: Any, call: Any) -> Iterator[Any]:
    """The subject and the objects that its code names: bound self, closure, globals."""
    pending, seen = [target, call], set()
    while pending:
        thing = pending.pop()
        if thing is None or id(thing) in seen or inspect.ismodule(thing):
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, functools.partial):
            pending += [thing.func, *thing.args, *thing.keywords.values()]
        pending.append(getattr(thing, "__self__", None))
        function = getattr(thing, "python_function", None) or getattr(thing, "__wrapped__", thing)
        function = getattr(function, "__func__", function)
        if not inspect.isfunction(function):
            continue
        try:
            closure = inspect.getclosurevars(function)
        except (TypeError, ValueError):  # an unbound cell
            continue
        for value in (*closure.nonlocals.values(), *closure.globals.values()):
            if not inspect.isclass(value) and not inspect.ismodule(value):
                pending.append(value)


def _variables_of(holder: Any) -> Iterator[Any]:
    tf = tensorflow()
    if isinstance(holder, tf.Variable):
        yield _unwrapped(holder)
        return
    if isinstance(holder, (list, tuple)):
        candidates: Any = holder
    elif isinstance(holder, dict):
        candidates = holder.values()
    else:
        if inspect.isclass(holder) or isinstance(holder, np.ndarray):
            return
        try:
            candidates = getattr(holder, "variables", None)
        except ValueError:  # a Keras 2 model that was not built yet has none, and says so in this way
            return
        if callable(candidates) or not isinstance(candidates, (list, tuple)):
            return
    for candidate in candidates:
        inner = candidate if isinstance(candidate, tf.Variable) else getattr(candidate, "value", None)
        if isinstance(inner, tf.Variable):  # a Keras 3 variable wraps the one that TensorFlow knows
            yield _unwrapped(inner)


def _unwrapped(variable: Any) -> Any:
    """The variable that tapes know, out of that with which Keras 2 casts to the compute dtype of mixed precision."""
    inner = getattr(variable, "_variable", None)
    return inner if isinstance(inner, tensorflow().Variable) else variable
