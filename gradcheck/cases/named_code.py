"""The code that a case file names, told before any of it is imported.

Importing a module runs it, and a case checks what its subject's name leads to. So a file decides neither: whoever
replays it names the subject, or says that the file is trusted.
"""

from __future__ import annotations

import importlib.machinery
import sys
from dataclasses import dataclass
from pathlib import Path

from gradcheck.cases.document import NO_CALL, NO_SUBJECT, Case
from gradcheck.errors import InputError

__all__ = ["NamedCode", "code_named_by", "missing", "place_of_module", "refusal"]


@dataclass(frozen=True)
class NamedCode:
    """One thing that would be imported.

    Attributes:
        what: ``"subject"`` or ``"call"``.
        spec: ``pkg.module:name`` or ``path/file.py:name``, as `gradcheck.subject.importing.load_object` takes it.
        place: the file of the module, or why there is none.
    """

    what: str
    spec: str
    place: str

    def __str__(self) -> str:
        where = self.spec.rpartition(":")[0]
        kind = "file" if where.endswith(".py") else f"module {where},"
        return f"{self.what} {self.spec}: {kind} {self.place}"


def code_named_by(case: Case) -> tuple[NamedCode, ...]:
    """What a replay of the case would import for its subject and its ``call=``. Imports nothing.

    The subject is looked for by the name of its module, and by its file where there is no such module here.
    """
    subject = case.subject or case.file
    if subject is not None and case.file is not None and not _place(subject)[1] and _place(case.file)[1]:
        subject = case.file
    specs = {"subject": subject, "call": case.call if case.called else None}
    return tuple(NamedCode(what, spec, _place(spec)[0]) for what, spec in specs.items() if spec is not None)


def _place(spec: str) -> tuple[str, bool]:
    """Where the module of a name is, in words, and whether it is there at all."""
    where = spec.rpartition(":")[0]
    if "\0" in where:
        return "which no file can be named", False
    if where.endswith(".py"):
        path = Path(where).resolve()
        return (str(path), True) if path.is_file() else (f"{path}, which is not here", False)
    place = place_of_module(where)
    return (place, True) if place else ("which is not here", False)


def place_of_module(name: str) -> str:
    """The file that importing a module would run, found without importing anything; empty where there is none.

    The current directory is looked into first, as `gradcheck.subject.importing.load_object` does.
    """
    path: list[str] | None = None
    found: importlib.machinery.ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        whole = ".".join(parts[:count])
        found = _find(whole, path)
        if found is None:
            return ""
        path = list(found.submodule_search_locations or ())
        if not path and count < len(parts):
            return ""
    assert found is not None
    return str(found.origin or f"the folder {', '.join(path or ['?'])}")


def _find(name: str, path: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    if path is None:
        here = str(Path.cwd())
        loaded = getattr(sys.modules.get(name), "__spec__", None)
        if isinstance(loaded, importlib.machinery.ModuleSpec):
            return loaded  # what an import would give
        if here not in sys.path and (found := importlib.machinery.PathFinder.find_spec(name, [here])) is not None:
            return found
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path, None)
        except (AttributeError, ImportError, ValueError, OSError):
            continue
        if found is not None:
            return found
    return None


def missing(case: Case, *, subject: bool, call: bool) -> tuple[NamedCode, ...]:
    """What a replay would have to import because nobody gave it.

    Args:
        case: the case.
        subject: whether the subject was given.
        call: whether the ``call=`` was given, for a case that was checked with one.

    Raises:
        InputError: where something was not given that the case does not name either.
    """
    named = {one.what: one for one in code_named_by(case)}
    if not subject and "subject" not in named:
        raise InputError(
            f"{case.name} {NO_SUBJECT}. Pass it: gradcheck.cases.document.replay(case, subject=...), or "
            "gradcheck replay --subject pkg.module:name"
        )
    if case.called and not call and "call" not in named:
        raise InputError(
            f"{case.name} {NO_CALL}. Pass it: gradcheck.cases.document.replay(case, call=...), or "
            "gradcheck replay --call pkg.module:name"
        )
    given = {"subject": subject, "call": call}
    return tuple(one for what, one in named.items() if not given[what])


def refusal(case: Case, needed: tuple[NamedCode, ...]) -> str:
    """What would be imported, and that it was not."""
    return f"{case.name}: a replay would import and call what the case names: {'; '.join(map(str, needed))}"
