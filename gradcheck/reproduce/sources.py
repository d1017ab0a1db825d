"""Objects as source code: a function with all that it needs, a module or layer with its weights.

A `Script` collects imports and definitions in the order in which they must stand. `Script.expression` gives for any
object an expression that yields an equal one, and adds whatever definitions that takes:

- what belongs to Python, NumPy, TensorFlow, Keras or another installed package is imported;
- functions and classes of the user's own project, and gradcheck's bundled variants, are written out, with the
  functions, classes, constants and closed-over values that they name;
- arrays, tensors, variables, containers, partials and plain objects are written as what builds them.

What a function closed over becomes a global of the script. Two different things of one name are told apart by a number.
"""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import importlib
import inspect
import linecache
import re
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from gradcheck.reproduce.literals import UnwritableError, array_code, plain_code, scalar_code
from gradcheck.reproduce.names import attributes_used, needed, renamed, without_nonlocal

__all__ = ["Script", "identifier"]

_SITE = tuple(
    str(Path(path).resolve())
    for path in {*sysconfig.get_paths().values(), sysconfig.get_paths()["stdlib"]}
    if Path(path).name in ("site-packages", "dist-packages", f"python{sys.version_info[0]}.{sys.version_info[1]}")
)
_CUSTOM_GRADIENT = "tensorflow.python.ops.custom_gradient"
_TRACKING = re.compile(
    r"^(_self_|_tf_api|_obj_reference|_keras_api|_name_based|_unconditional|_captured)|^_name_scope$"
)


def identifier(text: str, otherwise: str) -> str:
    """The text as a name in Python, or ``otherwise`` where nothing of it can be one."""
    name = re.sub(r"\W+", "_", text).strip("_")
    return name if name.isidentifier() and not _is_reserved(name) else otherwise


def _is_reserved(name: str) -> bool:
    return name in {"np", "tf", "sys", "keras"} or hasattr(builtins, name) or not _parses(f"{name} = 0")


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


# Defines a layer in a script and gives its name; None for what is no layer.
LayerWriter: TypeAlias = Callable[["Script", Any, str], "str | None"]


@dataclass
class Script:
    """Imports and definitions of a script under construction.

    Attributes:
        imports: import statements.
        definitions: statements in the order in which they must stand.
        remarks: what the reader of the script has to know about how it was made.
        layers: Keras layers and their names; their weights are not yet restored.
        write_layer: writes a Keras layer; without it a layer is an object like any other.
    """

    imports: dict[str, None] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    layers: list[tuple[Any, str]] = field(default_factory=list)
    write_layer: LayerWriter | None = None
    # The objects are kept: an id says nothing once its object is gone.
    _known: dict[int, tuple[str, Any]] = field(default_factory=dict)
    _taken: dict[str, None] = field(default_factory=lambda: dict.fromkeys(("np", "tf", "sys")))

    # -- names -----------------------------------------------------------------------------------------------

    def name_of(self, thing: Any) -> str | None:
        """The name that an object has in the script, if it has one."""
        known = self._known.get(id(thing))
        return None if known is None else known[0]

    def reserve(self, wish: str, thing: Any = None) -> str:
        """A name that nothing else in the script has, close to the wish."""
        name, number = wish, 2
        while name in self._taken or _is_reserved(name):
            name = f"{wish}_{number}"
            number += 1
        self._taken[name] = None
        if thing is not None:
            self._known[id(thing)] = (name, thing)
        return name

    def define(self, wish: str, code: str, thing: Any = None) -> str:
        """Add ``name = code`` and return the name."""
        name = self.reserve(wish, thing)
        self.definitions.append(f"{name} = {code}")
        return name

    # -- any object ------------------------------------------------------------------------------------------

    def expression(self, thing: Any, wish: str = "value") -> str:
        """An expression for an object.

        Raises:
            UnwritableError: where there is none; the message says for what.
        """
        known = self.name_of(thing)
        if known is not None:
            return known
        plain = plain_code(thing)
        if plain is not None:
            return plain
        for write in (
            self._container,
            self._public,
            self._array,
            self._tensor,
            self._module,
            self._function,
            self._class,
            self._layer,
            self._instance,
        ):
            code = write(thing, wish)
            if code is not None:
                return code
        raise UnwritableError(f"{wish} = {_short(thing)}")

    def _container(self, thing: Any, wish: str) -> str | None:
        # TensorFlow wraps the containers that a module holds; a module wraps them again when it is given plain ones.
        if isinstance(thing, Mapping) and (type(thing) is dict or _is_wrapper(thing)):
            return (
                "{"
                + ", ".join(
                    f"{self.expression(key, wish)}: {self.expression(value, _joined(wish, key))}"
                    for key, value in thing.items()
                )
                + "}"
            )
        if type(thing) is list or (isinstance(thing, list) and _is_wrapper(thing)):
            return "[" + ", ".join(self.expression(item, _joined(wish, i)) for i, item in enumerate(thing)) + "]"
        if isinstance(thing, tuple) and (_is_wrapper(thing) or hasattr(type(thing), "_fields") or type(thing) is tuple):
            items = [self.expression(item, _joined(wish, i)) for i, item in enumerate(thing)]
            if hasattr(type(thing), "_fields") and not _is_wrapper(thing):
                return f"{self.expression(type(thing), type(thing).__name__)}({', '.join(items)})"
            return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"
        if type(thing) in (set, frozenset):
            items = sorted(self.expression(item, wish) for item in thing)
            return f"{type(thing).__name__}([{', '.join(items)}])"
        return None

    def _array(self, thing: Any, wish: str) -> str | None:
        if isinstance(thing, (np.ndarray, np.generic)):
            self.imports["import numpy as np"] = None
            code = array_code(thing)
            if isinstance(thing, np.generic) and code.startswith("np.array("):
                return f"np.{thing.dtype.name if thing.dtype.kind != 'b' else 'bool_'}({scalar_code(thing)})"
            if "zlib." in code:
                self.imports["import base64"] = self.imports["import zlib"] = None
            # NumPy scalars must not become arrays of no dimension: Python treats them differently.
            return code if isinstance(thing, np.ndarray) else f"{code}[()]"
        if isinstance(thing, np.dtype):
            return f"np.dtype({thing.name!r})"
        if isinstance(thing, np.random.RandomState):
            raise UnwritableError(f"{wish}, a random generator in the middle of its sequence")
        return None

    def _tensor(self, thing: Any, wish: str) -> str | None:
        import tensorflow as tf

        if isinstance(thing, tf.DType):
            return f"tf.{thing.name}"
        if isinstance(thing, tf.TensorShape):
            return f"tf.TensorShape({thing.as_list() if thing.rank is not None else None})"
        if isinstance(thing, tf.Variable):
            settings = "" if thing.trainable else ", trainable=False"
            value = self.expression(thing.numpy(), wish) if thing.dtype != tf.string else repr(thing.numpy())
            return self.define(identifier(wish, "variable"), f"tf.Variable({value}{settings})", thing)
        if isinstance(thing, tf.RaggedTensor):
            flat = self.expression(thing.flat_values, f"{wish}_flat")
            splits = ", ".join(array_code(np.asarray(part)) for part in thing.nested_row_splits)
            return f"tf.RaggedTensor.from_nested_row_splits({flat}, [{splits}])"
        if isinstance(thing, tf.SparseTensor):
            parts = [array_code(np.asarray(part)) for part in (thing.indices, thing.values, thing.dense_shape)]
            return f"tf.sparse.SparseTensor({', '.join(parts)})"
        if isinstance(thing, tf.Tensor):
            if not hasattr(thing, "numpy"):
                raise UnwritableError(f"{wish}, a tensor without a value ({thing})")
            return f"tf.constant({self.expression(np.asarray(thing.numpy()), wish)})"
        return None

    # -- what is imported ------------------------------------------------------------------------------------

    def _public(self, thing: Any, wish: str) -> str | None:
        """Functions, classes and constants of TensorFlow and Keras by their public names, of others by module."""
        if isinstance(thing, enum.Enum):
            return f"{self.expression(type(thing), type(thing).__name__)}.{thing.name}"
        if not (inspect.isroutine(thing) or inspect.isclass(thing) or isinstance(thing, np.ufunc)):
            return None
        if inspect.ismethod(thing) or isinstance(thing, types.MethodWrapperType):
            return None
        builtin = getattr(thing, "__name__", "")
        if getattr(builtins, builtin, None) is thing:
            return str(builtin)
        for public in _public_names(thing):
            if _resolve(public) is thing:
                if public.startswith("np."):
                    self.imports["import numpy as np"] = None
                return public
        module, name = getattr(thing, "__module__", None) or "", getattr(thing, "__qualname__", "")
        if not module or "<locals>" in name or "<lambda>" in name or not _is_installed(module):
            return None
        home = sys.modules.get(module)
        top = name.split(".")[0]
        if _follow(home, name) is not thing:
            return None
        self._taken.setdefault(top)
        self.imports[f"from {module} import {top}"] = None
        return name

    def _module(self, thing: Any, wish: str) -> str | None:
        if not inspect.ismodule(thing):
            return None
        name = _module_name(thing)
        if name.startswith("tf."):
            return name
        if not _is_installed(name):
            raise UnwritableError(f"the module {name} as a whole")
        self.imports[f"import {name}"] = None
        return name

    # -- functions and classes -------------------------------------------------------------------------------

    def _function(self, thing: Any, wish: str) -> str | None:
        if isinstance(thing, functools.partial):
            parts = [self.expression(thing.func, wish)]
            parts += [self.expression(value, wish) for value in thing.args]
            parts += [f"{key}={self.expression(value, key)}" for key, value in thing.keywords.items()]
            self.imports["import functools"] = None
            return f"functools.partial({', '.join(parts)})"
        if inspect.ismethod(thing):
            owner = self.expression(thing.__self__, identifier(type(thing.__self__).__name__.lower(), "owner"))
            return f"{owner}.{thing.__func__.__name__}"
        python_function = getattr(thing, "python_function", None)
        if callable(python_function) and not inspect.isfunction(thing):
            return self._traced(thing, python_function, wish)
        # What tf.custom_gradient makes is an object that wraps the function.
        inner = inspect.unwrap(thing) if callable(thing) else thing
        if not inspect.isfunction(inner):
            return None
        if inner is not thing:
            if _decorated(inner):
                # The decorators stand in the source, so that the source is the decorated function.
                return self._written_function(inner, wish, also=thing)
            if not inspect.isfunction(thing) and type(thing).__module__ == _CUSTOM_GRADIENT:
                target = self._written_function(inner, wish)
                return self.define(f"{target}_with_gradient", f"tf.custom_gradient({target})", thing)
        return self._written_function(thing, wish, bare=True) if inspect.isfunction(thing) else None

    def _traced(self, thing: Any, python_function: Any, wish: str) -> str:
        """A `tf.function`, by decorator or by call."""
        inner = inspect.unwrap(python_function)
        if _decorated(inner, "function"):
            return self._written_function(inner, wish, also=thing)
        target = self.expression(python_function, wish)
        settings = ["jit_compile=True"] if getattr(thing, "_jit_compile", None) else []
        return self.define(
            f"{identifier(target, 'subject')}_traced", f"tf.function({', '.join([target, *settings])})", thing
        )

    def _written_function(self, function: Any, wish: str, also: Any = None, *, bare: bool = False) -> str:
        """The name of a function that is written into the script.

        Args:
            function: what has the source.
            wish: a name for it where it has none.
            also: what the decorators in the source made of it.
            bare: the source is that of the function itself, so decorators returned it as it is, such as one that notes
                it in a list, and are left out with all that they would need.
        """
        source = _undecorated(_source_of(function)) if bare else _source_of(function)
        # Whoever makes functions in a loop may have given it another name than its source has.
        written = function.__code__.co_name
        is_lambda = written == "<lambda>"
        own = wish if is_lambda or not function.__name__.isidentifier() else function.__name__
        name = self.reserve(own, function)
        if also is not None:
            self._known[id(also)] = (name, also)
        mine = {} if is_lambda or name == written else {written: name}
        scope = _Scope.of_function(function)
        source = without_nonlocal(source, set(scope.closure))
        source = self._with_names(source, scope, mine)
        if is_lambda:
            self.definitions.append(f"{name} = {source}")
        else:
            self.definitions.append(source)
        return name

    def _class(self, thing: Any, wish: str) -> str | None:
        if not inspect.isclass(thing):
            return None
        try:
            source = textwrap.dedent(inspect.getsource(thing)).rstrip()
        except (OSError, TypeError):
            raise UnwritableError(f"the class {thing.__qualname__}, which has no source file") from None
        name = self.reserve(thing.__name__, thing)
        mine = {} if name == thing.__name__ else {thing.__name__: name}
        self.definitions.append(self._with_names(source, _Scope.of_class(thing), mine))
        return name

    def _with_names(self, source: str, scope: _Scope, mine: dict[str, str]) -> str:
        """The source, with all that it names defined before it and named alike."""
        other = dict(mine)
        for name in needed(source):
            if name in mine:
                continue
            found, value = scope.look_up(name)
            if not found:
                if hasattr(builtins, name) or name in ("__class__", "__file__", "__name__"):
                    continue
                raise UnwritableError(f"the name {name}, which could not be found")
            given = self._bound(name, value, source)
            if given != name:
                other[name] = given
        return renamed(source, other)

    def _bound(self, name: str, value: Any, source: str) -> str:
        """Make a name of the source mean the value; gives the name that does."""
        if inspect.ismodule(value):
            return self._bound_module(name, value, source)
        known = self.name_of(value)
        if known is None:
            before = len(self.definitions)
            code = self.expression(value, name)
            known = self.name_of(value) if code.isidentifier() else None
            if known is None:
                if code == name and (code in self._taken or len(self.definitions) == before):
                    return name  # imported under this name
                return self.define(name, code, value if _has_identity(value) else None)
        if known == name or known.isidentifier():
            return known
        return self.define(name, known)

    def _bound_module(self, name: str, value: Any, source: str) -> str:
        public = _module_name(value)
        if public == "tensorflow":
            return self._alias(name, "tf", "import tensorflow as tf")
        if public == "numpy":
            return self._alias(name, "np", "import numpy as np")
        if public.startswith("tf."):
            return self.define(name, public, value) if self.name_of(value) is None else str(self.name_of(value))
        if _is_installed(public):
            statement = f"import {public}" if public == name else f"import {public} as {name}"
            if name in self._taken and statement not in self.imports:
                name = self.reserve(name)
                statement = f"import {public} as {name}"
            self._taken.setdefault(name)
            self.imports[statement] = None
            return name
        # A module of the user's own: what is taken from it, under its name.
        used = attributes_used(source, name)
        parts = [f"{attribute}={self.expression(getattr(value, attribute), attribute)}" for attribute in used]
        self.imports["import types"] = None
        return self.define(name, f"types.SimpleNamespace({', '.join(parts)})")

    def _alias(self, name: str, usual: str, statement: str) -> str:
        self.imports[statement] = None
        return usual

    # -- objects ---------------------------------------------------------------------------------------------

    def _layer(self, thing: Any, wish: str) -> str | None:
        return None if self.write_layer is None else self.write_layer(self, thing, wish)

    def _instance(self, thing: Any, wish: str) -> str | None:
        """A `tf.Module` or a plain object: made without its ``__init__``, then given what it holds."""
        state = getattr(thing, "__dict__", None)
        kind = type(thing)
        if state is None or hasattr(kind, "__slots__") or kind.__module__ == "builtins":
            return None
        import tensorflow as tf

        if _is_installed(kind.__module__) and not isinstance(thing, tf.Module):
            return None
        code = self.expression(kind, kind.__name__)
        name = self.reserve(identifier(wish, "") or kind.__name__.lower(), thing)
        lines = [f"{name} = {code}.__new__({code})"]
        if isinstance(thing, tf.Module) and hasattr(thing, "name"):  # not every author calls super().__init__()
            lines.append(f"tf.Module.__init__({name}, name={thing.name!r})")
        for attribute, value in state.items():
            if _TRACKING.match(attribute) or attribute in ("_name", "_scope_name"):
                continue
            lines.append(f"{name}.{attribute} = {self.expression(value, attribute.strip('_') or 'value')}")
        self.definitions.append("\n".join(lines))
        return name


@dataclass(frozen=True)
class _Scope:
    """Where the names of a function or class are looked up."""

    closure: Mapping[str, Any]
    module: Mapping[str, Any]
    nearby: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_function(cls, function: Any) -> _Scope:
        code = function.__code__
        closure = {}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            try:
                closure[name] = cell.cell_contents
            except ValueError:  # not bound yet, as in a function that names itself
                continue
        defaults = _named_defaults(function)
        return cls(closure, function.__globals__, defaults)

    @classmethod
    def of_class(cls, kind: Any) -> _Scope:
        closure: dict[str, Any] = {}
        for member in vars(kind).values():
            for function in (member, getattr(member, "__func__", None), getattr(member, "fget", None)):
                function = inspect.unwrap(function) if callable(function) else function
                function = getattr(function, "python_function", function)
                if inspect.isfunction(function):
                    closure |= cls.of_function(function).closure
        closure.pop("__class__", None)
        nearby = {base.__name__: base for base in kind.__mro__[1:]}
        module = sys.modules.get(kind.__module__)
        return cls(closure, vars(module) if module is not None else {}, nearby)

    def look_up(self, name: str) -> tuple[bool, Any]:
        for names in (self.closure, self.module, self.nearby):
            if name in names:
                return True, names[name]
        return False, None


def _named_defaults(function: Any) -> dict[str, Any]:
    """Values of defaults that were given by name, such as ``def f(x, scale=SCALE)`` inside another function."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters
        node = ast.parse(_source_of(function)).body[0]
    except (UnwritableError, SyntaxError, ValueError, TypeError, IndexError):
        return {}
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Lambda):
        arguments = node.value.args
    elif isinstance(node, ast.FunctionDef):
        arguments = node.args
    else:
        return {}
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False),
    ]
    return {
        default.id: parameters[argument.arg].default
        for argument, default in pairs
        if isinstance(default, ast.Name) and argument.arg in parameters
    }


def _source_of(function: Any) -> str:
    """The source of a function without indentation, decorators included; of a lambda the expression in brackets."""
    if function.__code__.co_name == "<lambda>":
        return _lambda_source(function)
    try:
        if function.__code__.co_filename == "<string>":
            # From Python 3.13 on `inspect` takes what stood behind `python -c` for the source of whatever exec made.
            raise OSError("made by exec")
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):
        raise UnwritableError(f"the function {function.__qualname__}, which has no source file") from None
    if not _parses(source):
        raise UnwritableError(f"the function {function.__qualname__}, whose source could not be taken out of its file")
    return source


def _lambda_source(function: Any) -> str:
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    text = "".join(lines)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        tree = ast.Module(body=[], type_ignores=[])
    candidates = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno <= code.co_firstlineno <= (node.end_lineno or node.lineno):
            source = ast.get_source_segment(text, node)
            if source:
                candidates.append(f"({textwrap.dedent(source)})" if "\n" in source else source)
    # Several lambdas may begin on the line: the one that compiles to the same code is meant.
    for source in candidates:
        made = next((c for c in compile(source, "<lambda>", "eval").co_consts if inspect.iscode(c)), None)
        if made is not None and _same_code(made, code):
            return source
    if len(candidates) == 1:
        return candidates[0]
    raise UnwritableError("a lambda whose source could not be found")


def _same_code(first: types.CodeType, second: types.CodeType) -> bool:
    # A closed-over name is compiled as a global one when the lambda stands alone.
    names = [set(code.co_names) | set(code.co_freevars) for code in (first, second)]
    constants = [
        [c for c in code.co_consts if not inspect.iscode(c) and "<locals>" not in str(c)] for code in (first, second)
    ]
    return first.co_varnames == second.co_varnames and names[0] == names[1] and repr(constants[0]) == repr(constants[1])


def _undecorated(source: str) -> str:
    node = ast.parse(source).body[0]
    lines = source.splitlines()
    return "\n".join(lines[node.lineno - 1 :]) if isinstance(node, ast.FunctionDef) else source


def _decorated(function: Any, by: str = "") -> bool:
    """Whether the source of the function begins with a decorator (whose text contains ``by``)."""
    try:
        node = ast.parse(_source_of(function)).body[0]
    except (UnwritableError, AttributeError, IndexError):
        return False
    return isinstance(node, ast.FunctionDef) and any(by in ast.unparse(decorator) for decorator in node.decorator_list)


# -- modules -------------------------------------------------------------------------------------------------


def _is_installed(module: str) -> bool:
    """Whether a module comes with Python or an installed package. gradcheck does not count: no script may need it."""
    top = module.split(".")[0]
    if top in ("gradcheck", "__main__", "strategies"):
        return False
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top in ("tensorflow", "keras", "numpy"):
        return True
    found = sys.modules.get(module) or sys.modules.get(top)
    file = getattr(found, "__file__", None)
    return isinstance(file, str) and str(Path(file).resolve()).startswith(_SITE)


_PUBLIC_MODULES = (
    *("tf.keras", "tf.keras.backend", "tf.keras.layers", "tf.nn", "tf.math", "tf.linalg", "tf.ragged", "tf.sparse"),
    *("tf.random", "tf.signal", "tf.strings", "tf.experimental.numpy", "tf.image", "tf.raw_ops", "tf.compat.v1"),
)


def _module_name(module: Any) -> str:
    """How a script names a module: ``tf.keras`` and its like by their public names."""
    name = str(module.__name__)
    # Lazily loaded modules go by other names inside TensorFlow.
    for public in _PUBLIC_MODULES:
        found = _resolve(public)
        if found is module or (name == getattr(found, "__name__", None)):
            return public
    return name


def _public_names(thing: Any) -> list[str]:
    names: list[str] = []
    for attribute in ("_tf_api_names", "_keras_api_names", "_keras_api_names_v1", "_api_export_path"):
        exported = getattr(thing, "__dict__", {}).get(attribute) or ()
        names += [exported] if isinstance(exported, str) else list(exported)
    own = getattr(thing, "__name__", "")
    public = [f"tf.{name}" for name in names if name]
    public += [f"tf.{name}" for name in names if name.startswith("keras.")]
    public += [f"{prefix}.{own}" for prefix in ("tf", "tf.nn", "tf.math", "tf.linalg", "tf.keras.layers", "np") if own]
    return list(dict.fromkeys(public))


def _resolve(path: str) -> Any:
    first, *rest = path.split(".")
    module = importlib.import_module({"tf": "tensorflow", "np": "numpy"}[first])
    return _follow(module, ".".join(rest))


def _follow(thing: Any, path: str) -> Any:
    for part in path.split("."):
        try:
            thing = getattr(thing, part)
        except Exception:
            return None
    return thing


def _is_wrapper(thing: Any) -> bool:
    """Whether it is one of the containers in which TensorFlow and Keras track what they hold."""
    return type(thing).__module__.startswith(("tensorflow.", "keras.")) or type(thing).__name__ in (
        "_DictWrapper",
        "ListWrapper",
    )


def _has_identity(value: Any) -> bool:
    return not isinstance(value, (int, float, complex, str, bytes, bool, type(None), tuple))


def _joined(wish: str, key: Any) -> str:
    return identifier(f"{wish}_{key}", wish)


def _short(thing: Any) -> str:
    text = f"{type(thing).__module__}.{type(thing).__qualname__}"
    return f"an object of type {text}"
