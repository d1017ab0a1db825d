"""Objects by name and names of objects: ``pkg.module:name`` or ``path/file.py:name``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradcheck.errors import InputError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["load_object", "load_strategy", "module_of", "spec_of"]


def load_object(spec: str, what: str) -> Any:
    """The object that ``pkg.module:name`` or ``path/file.py:name`` names; names may be dotted.

    The current directory can be imported from, as with ``python -m``.

    Args:
        spec: the name.
        what: what it is to the user, for messages: ``"subject"``, ``"strategy"``.

    Raises:
        InputError: where the text is not of that form, the module cannot be imported, or has no such object.
    """
    where, separator, name = spec.rpartition(":")
    if not separator or not where or not name:
        raise InputError(
            f"{what} {spec!r} is not of the form pkg.module:name or path/file.py:name; "
            "write for example layers.pooling:masked_mean"
        )
    found = _module_of(where, spec, what)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise InputError(f"{what} {spec!r}: {where} has no {name!r}{_offers(found, part)}") from None
        except (Exception, SystemExit) as error:
            raise InputError(f"{what} {spec!r}: looking up {part!r} raised {type(error).__name__}: {error}") from error
    return found


def _offers(holder: Any, wanted: str) -> str:
    """What there is instead: the name most like it, or some of those that are no modules."""
    things = vars(holder) if hasattr(holder, "__dict__") else {}
    public = [name for name, thing in things.items() if not (name.startswith("_") or isinstance(thing, ModuleType))]
    if close := difflib.get_close_matches(wanted, public, 1):
        return f"; did you mean {close[0]!r}?"
    return f"; it has {', '.join(public[:8])}{' …' if len(public) > 8 else ''}" if public else ""


def load_strategy(given: str | Mapping[str, Any]) -> SearchStrategy[Any]:
    """A Hypothesis strategy: by its name, or `strategies.batches` by its arguments as JSON has them.

    Args:
        given: as `load_object` takes it, the name of a strategy or of a function that makes one; or the arguments.

    Raises:
        InputError: where the name leads nowhere.
    """
    if isinstance(given, str):
        found = load_object(given, "strategy")
        made: SearchStrategy[Any] = found() if callable(found) and not hasattr(found, "example") else found
        return made
    from gradcheck import strategies

    arguments: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    if "dtype" in arguments:
        import numpy as np

        arguments["dtype"] = np.dtype(arguments["dtype"])
    return strategies.batches(**arguments)


def _module_of(where: str, spec: str, what: str) -> Any:
    is_file = where.endswith(".py")
    if is_file and not Path(where).is_file():
        raise InputError(f"{what} {spec!r}: there is no file {where} in {Path.cwd()}")
    try:
        if is_file:
            return _module_of_file(Path(where).resolve())
        _importable_from(Path.cwd())
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not is_file and (where == missing or where.startswith(missing + ".")):
            raise InputError(
                f"{what} {spec!r}: there is no module {where!r} here ({Path.cwd()}) or installed"
            ) from error
        if missing == "tensorflow":
            from gradcheck._tensorflow import tensorflow

            tensorflow()  # raises, with the remedy
        raise InputError(f"{what} {spec!r}: importing it failed: {error}") from error
    except SystemExit as error:
        raise InputError(
            f"{what} {spec!r}: importing it ends the program: SystemExit({error.code!r}). Put what the module does as "
            'a program under if __name__ == "__main__":'
        ) from error
    except Exception as error:
        raise InputError(f"{what} {spec!r}: importing it failed: {type(error).__name__}: {error}") from error


def _module_of_file(path: Path) -> ModuleType:
    _importable_from(path.parent)
    known = sys.modules.get(path.stem)
    if known is not None and _file_of(known) == path:
        return known
    # Under its own name, so that classes in it pickle and its source is found; unless that name is taken.
    name = path.stem if known is None else f"_gradcheck_subject_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _importable_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def spec_of(thing: Any) -> tuple[str | None, str | None]:
    """What `load_object` finds an object by: as part of a module, and as part of a file.

    A function or class knows its module; any other object is looked for among the attributes of the modules that are
    loaded. The file is there for objects of modules that only this process can import by name: a script that was run, a
    test that pytest collected. It is relative to the current directory where it lies below that.

    Returns:
        ``pkg.module:name`` and ``path/file.py:name``, each None where there is no such name: both for something that
        was defined inside a function, or is held by no module.
    """
    module, name = _place_of(thing)
    if module is None:
        return None, None
    file = _file_of(module)
    by_file = None
    if file is not None and file.suffix == ".py":
        here = Path.cwd()
        by_file = f"{file.relative_to(here) if file.is_relative_to(here) else file}:{name}"
    if module.__name__ != "__main__":
        return f"{module.__name__}:{name}", by_file
    # Run with `python -m`, it can be imported under the name that was given there.
    spec = getattr(module, "__spec__", None)
    return (f"{spec.name}:{name}" if spec is not None else None), by_file


def module_of(thing: Any) -> ModuleType | None:
    """The loaded module that holds an object, or the one where its class is; None for None and for neither."""
    if thing is None:
        return None
    return _place_of(thing)[0] or sys.modules.get(str(getattr(type(thing), "__module__", None)))


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None


def _place_of(thing: Any) -> tuple[ModuleType | None, str]:
    """The module that holds an object, and the dotted name of the object in it."""
    module = sys.modules.get(str(getattr(thing, "__module__", None)))
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if module is not None and isinstance(name, str) and _found(module, name) is thing:
        return module, name
    if module is not None and (inspect.isclass(thing) or inspect.isroutine(thing)):
        holders = [module]  # another name for it in its own module, as a decorator leaves behind
    else:
        holders = [loaded for loaded in list(sys.modules.values()) if isinstance(loaded, ModuleType)]
    for holder in holders:
        for attribute, value in list(vars(holder).items()):
            if value is thing and not attribute.startswith("__"):
                return holder, attribute
    return None, ""


def _found(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
